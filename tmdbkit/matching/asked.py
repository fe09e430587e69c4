"""What a row of a list asks for, read from whatever columns the list has; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.matching.titles import upright
from tmdbkit.tables import ASKED, first_named, id_columns, id_in, ids_in

# By what each thing is known, of Letterboxd, Trakt, IMDb, and of spreadsheets.
NAMES = {
    "title": (
        *("title", "name", "film", "movie", "filmtitle", "movietitle", "filmname"),
        *("primarytitle", "value", "titel"),
    ),
    "original": ("originaltitle",),
    "year": ("year", "releaseyear", "startyear", "releasedate", "released", "jahr"),
    "director": ("director", "directors", "directedby"),
    "runtime": ("runtimemins", "runtimeminutes", "runtime", "minutes", "duration", "length"),
    "kind": ("titletype", "type", "mediatype"),
}
NO_FILM = re.compile(r"series|episode|show|season|game|podcast", re.IGNORECASE)
_YEAR_AFTER = re.compile(r"^(.*\S)\s*[(\[]((?:18|19|20)\d\d)[)\]]$")


@dataclass(frozen=True)
class Asked:
    """What a row asks for.

    Attributes:
        title: As it stands there, without a year after it; "" where there is none.
        original: The original title, where the list has it.
        year: Of the release.
        director: A name, or several.
        minutes: How long it runs.
        id: TMDB's or IMDb's, where the list has one.
        is_film: Whether it may be a film: a list may say that it is a series.
    """

    title: str = ""
    original: str = ""
    year: int | None = None
    director: str = ""
    minutes: int | None = None
    id: int | str | None = None
    is_film: bool = True

    @property
    def titles(self) -> list[str]:
        """The titles that are known of it."""
        return [title for title in (self.title, self.original) if title]


def columns_of(table: pl.DataFrame, named: Mapping[str, str | None]) -> dict[str, str]:
    """Return which column holds what: those that are named, and those recognised.

    Args:
        table: Texts.
        named: Columns by the names of `NAMES`, as far as a person says them.

    Raises:
        UsageError: There is no such column, or none of titles and none of ids.
    """
    if unknown := [name for name in named.values() if name and name not in table.columns]:
        raise UsageError(f"there is no column {unknown[0]!r}; there are {_named(table)}")
    found = {
        what: column
        for what, names in NAMES.items()
        if (column := named.get(what) or first_named(table.columns, names))
    }
    if "title" not in found and table.width == 1:
        found["title"] = table.columns[0]
    if "title" not in found and not id_columns(table, numbers=False):
        raise UsageError(
            f"no column of titles is recognised; there are {_named(table)}: "
            "name it, such as --title COLUMN"
        )
    return found


def _named(table: pl.DataFrame) -> str:
    """Return its columns as the list itself has them, before the answer took their names."""
    return ", ".join(name.removeprefix(ASKED) for name in table.columns) or "none"


def asked_in(
    table: pl.DataFrame, columns: Mapping[str, str], id_column: str | None = None
) -> list[Asked]:
    """Return what each row asks for.

    Args:
        table: Texts.
        columns: As `columns_of` returns them.
        id_column: Which column holds the ids, where a person says it.
    """
    named = id_columns(table, id_column, numbers=False)
    ids = ids_in(table, [column for column in named if column[0] != columns.get("title")])
    texts = table.select(ids, *(table[column].alias(name) for name, column in columns.items()))
    return [_asked(row) for row in texts.to_dicts()]


def _asked(row: Mapping[str, str | None]) -> Asked:
    title, year, text = row.get("title") or "", _year(row.get("year")), row["id"]
    is_id = not title.isdigit() and id_in(title)  # digits alone are a title here
    if is_id:
        title, text = "", text or str(is_id)
    if after := _YEAR_AFTER.match(title):
        title, year = after[1], year or int(after[2])
    return Asked(
        title=upright(title),
        original=upright(row.get("original") or ""),
        year=year,
        director=row.get("director") or "",
        minutes=minutes_of(row.get("runtime")),
        id=id_in(text) if text else None,
        is_film=not NO_FILM.search(row.get("kind") or ""),
    )


def _year(text: str | None) -> int | None:
    found = re.search(r"(?<!\d)(?:18|19|20)\d\d(?!\d)", text or "")
    return int(found[0]) if found else None


def minutes_of(text: str | None) -> int | None:
    """Return the minutes of `136`, `136 min`, `2h 16m` or `2:16`."""
    hours = re.match(r"(\d+)\s*(?:h|:)\D*(\d*)", text or "")
    if hours:
        return 60 * int(hours[1]) + int(hours[2] or 0)
    found = re.match(r"\d+", text or "")
    return int(found[0]) if found else None
