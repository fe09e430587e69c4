"""One movie at a glance, and the flat table that it is a row of."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from tmdbkit.display import (
    SYSTEM_NAMES,
    counted_votes,
    cover,
    draw_facts,
    picture,
    plain_lines,
    row,
)
from tmdbkit.ratings.rows import Frame
from tmdbkit.schema import SCALES, SYSTEMS
from tmdbkit.transform import ROWS

FOR_RULES_ALONE = ("taken_back", "not_on_tmdb")  # columns that nobody else looks at
AGREED = ("consensus", "certainty", "spread")


def flat(rows: Frame) -> Frame:
    """Return `transform.ROWS` flat: names instead of ids, the year, five points and votes."""
    year = pl.col("release_date").str.slice(0, 4).cast(pl.Int32, strict=False)
    names = pl.col("names").struct
    points = pl.col("vote_pts_system").struct
    votes = pl.col("vote_count_system").struct
    return rows.select(
        "tmdb_id",
        "title",
        "original_title",
        year.alias("year"),
        names.field("directors"),
        names.field("cast"),
        names.field("genres"),
        names.field("writers"),
        names.field("keywords"),
        names.field("studios"),
        "runtime_minutes",
        "original_language",
        "country",
        "status",
        "release_date",
        "mpaa_rating",
        "budget",
        "revenue",
        "popularity",
        *(points.field(system).alias(f"{system}_points") for system in SYSTEMS),
        *(votes.field(system).alias(f"{system}_votes") for system in SYSTEMS),
        "imdb_id",
        "slug",
        "synopsis",
        "tagline",
        "trailer_url",
        "main_poster",
        "adult",
        "softcore",
    )


def columns() -> list[str]:
    """Return the names of the columns of the flat table."""
    return flat(ROWS.to_frame()).columns


def said(value: Any) -> str:
    """Return a value of any type as a card says it."""
    if isinstance(value, list):
        return ", ".join(map(said, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class MovieCard:
    """One movie at a glance.

    Attributes:
        row: Its row of the flat table; perhaps with `translated`, and `own` fields of the user's.
        picture: A local file to show instead of the poster's address.
        online: Whether the poster's address may be shown, which a browser then asks for.
        judge: Finds what is wrong with it, once that is asked for.
    """

    row: dict[str, Any]
    picture: Path | None = None
    online: bool = True
    judge: Callable[[], pl.DataFrame] | None = None

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.row["title"])

    @property
    def ratings(self) -> dict[str, float]:
        """The points of each system that rates it, on that system's own scale."""
        points = {system: self.row[f"{system}_points"] for system in SYSTEMS}
        return {system: value for system, value in points.items() if value is not None}

    @cached_property
    def findings(self) -> pl.DataFrame:
        """What the rules find that look at one movie; those of whole columns need `check`."""
        if self.judge is not None:
            return self.judge()
        from tmdbkit.quality import FINDINGS  # and with it all rules, where somebody asks for them

        return FINDINGS.to_frame()

    def heading(self) -> str:
        """Return title and year."""
        year = self.row["year"]
        return f"{self.title} ({year})" if year else self.title

    def facts(self) -> list[tuple[str, str]]:
        """Return what is known of it, in order."""
        row = self.row
        runtime = f"{row['runtime_minutes']} min" if row["runtime_minutes"] else ""
        found = [
            ("directed by", ", ".join(row["directors"])),
            ("with", ", ".join(row["cast"][:5])),
            ("about", ", ".join(row["genres"])),
            ("runs", runtime),
            ("language", row["original_language"]),
            ("translated", row.get("translated") or ""),
            ("tmdb", str(row["tmdb_id"])),
            ("imdb", row["imdb_id"]),
            *((SYSTEM_NAMES[system], self._rating(system)) for system in SYSTEMS),
        ]
        return [(name, value) for name, value in found + self.own() if value]

    def own(self) -> list[tuple[str, str]]:
        """Return the user's own fields, and what each holds."""
        return [(name, said(value)) for name, value in self.row.get("own", {}).items()]

    def _rating(self, system: str) -> str:
        points, votes = self.row[f"{system}_points"], self.row[f"{system}_votes"]
        if points is None:
            return ""
        of = f"{points:g} of {SCALES[system]:g}"
        return f"{of}, {counted_votes(votes)}" if votes is not None else of

    def __repr__(self) -> str:
        facts = (f"  {name}: {value}" for name, value in self.facts())
        return plain_lines([self.heading(), *facts])

    def _repr_html_(self) -> str:
        shares = {
            SYSTEM_NAMES[system]: points / SCALES[system] for system, points in self.ratings.items()
        }
        facts = draw_facts(self.heading(), self.facts(), shares)
        return row(facts, self.poster(), style="flex-wrap:wrap")

    def poster(self) -> str:
        """Return the picture, the poster's address, or a cover of its own, as HTML."""
        if self.picture is not None:
            data = base64.b64encode(self.picture.read_bytes()).decode("ascii")
            return picture(f"data:image/png;base64,{data}")
        address = self.row["main_poster"] or ""
        if self.online and address.startswith("https://"):
            return picture(address)
        return cover(self.title, int(self.row["tmdb_id"]))
