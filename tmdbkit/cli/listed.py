"""The ids that a person's file names: a text of them, or a column of any table."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit.cli.output import say_aside
from tmdbkit.exceptions import PassedOver, UsageError
from tmdbkit.progress import counted
from tmdbkit.surrogates import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from tmdbkit.stage.stage import Stage

SHOWN = 5  # rows that a line names


def ids_of_file(file: str, column: str | None = None) -> list[int | str]:
    """Return TMDB's ids as numbers and IMDb's as texts; rows without one are said.

    Raises:
        UsageError: There is no such file, or nothing in it is an id.
    """
    listed = table_of_file(file, column)
    if listed is None:
        words = _words(Path(file).expanduser())
        if not words:
            raise UsageError(f"{file} has no ids in it")
        return [an_id(word, f"line {line} of {file}") for word, line in words]
    tell_left_out(file, listed)
    return [an_id(text, file) for text in listed["id"].drop_nulls()]


def table_of_file(file: str, column: str | None = None) -> pl.DataFrame | None:
    """Return the rows of a table as `listed.LISTED`; None where the file is a text of ids."""
    from tmdbkit import tables
    from tmdbkit.matching.listed import named_in

    path = Path(file).expanduser()
    is_table = path.suffix.lower() in tables.READERS and path.is_file()
    if path.suffix.lower() == ".parquet":
        return named_in(tables.texts(path), column)
    words = _words(path)
    if not column and all(_id_in(word) for word, _ in words):
        return None
    if is_table:
        return named_in(tables.texts(path), column)
    heading = [word for word, line in words if line == words[0][1]]
    names = [name for of in tables.ID_NAMES.values() for name in of]
    if column or tables.first_named(heading, names):
        return named_in(tables.texts(tables.scan_csv(path)), column)
    return None


def an_id(text: str, where: str) -> int | str:
    """Return a TMDB id as a number, or an IMDb id as text, by itself or in an address.

    Raises:
        UsageError: It is neither.
    """
    found = _id_in(text)
    if found is None:
        raise UsageError(
            f"{text!r} in {where} is not a TMDB id, a whole number such as 603, "
            "nor an IMDb id such as tt0133093"
        )
    return found


def _id_in(text: str) -> int | str | None:
    from tmdbkit.tables import id_in

    return id_in(text)


def _words(path: Path) -> list[tuple[str, int]]:
    """Return the words of a text, and the line that each stands in; what is after # is left out."""
    try:
        lines = decoded(path.read_bytes()).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"{path} cannot be read: {reason}") from None
    return [
        (word, number)
        for number, line in enumerate(lines, start=1)
        for word in re.split(r"[\s,;]+", re.sub(r"(?:^|\s)#.*", "", line))
        if word
    ]


def tell_left_out(file: str, listed: pl.DataFrame) -> None:
    """Say which rows are left out, and why, which ends the command with 1."""
    without = listed.filter(listed["id"].is_null() & listed["why"].is_not_null())
    for (why,), rows in without.group_by("why", maintain_order=True):
        named = [f"{row} ({title})" if title else str(row) for row, title in _named(rows)]
        more = f" and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
        rows_said = f"{counted(len(named), 'row')} of {file} left out, {why}"
        warnings.warn(f"{rows_said}: {', '.join(named[:SHOWN])}{more}", PassedOver, stacklevel=1)


def tell_not_staged(ids: Iterable[int | str], stage: Stage) -> None:
    """Say how many of some ids, TMDB's or IMDb's, are not staged, and have no part in it."""
    known = stage.store.look_up(["tmdb_id", "imdb_id"])
    there = {*map(str, known["tmdb_id"]), *known["imdb_id"]}
    if others := len({*map(str, ids)} - there):
        say_aside(f"{counted(others, 'movie')} not staged: left out")


def _named(rows: pl.DataFrame) -> list[tuple[int, str]]:
    return rows.select("row", "title").rows()
