"""Ratings of the user's own: a file or a frame, its columns named in the call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.ratings.model import FAILED, MOST_VOTES, POINTS_OF, Collected, Cost
from tmdbkit.ratings.rows import as_ratings, by_imdb_id
from tmdbkit.tables import Source, ids, reading, scan, title_of

IDS = {"tmdb": "TMDB ids, such as 603", "imdb": "IMDb ids, such as tt0133093"}
LONGEST_VALUE = 40  # characters of a value that is shown
DECIMALS = 6  # of points that were on another scale


class Table:
    """Ratings of a file or a frame, which is read once, here.

    A blank value is no rating. A value that is no number is not taken, and its movie has failed
    with the reason; the movie's other ratings are good. A movie that stands there twice has failed
    too, unless both rows say the same: a person has to say which of them is meant.

    Args:
        source: A path that ends in `.csv`, `.tsv`, `.json`, `.jsonl` or `.parquet`, or a frame of
            polars, lazy or not.
        points: The column of each system's points.
        votes: The column of each system's votes, for systems that have points.
        id: The column that says which movie a row is.
        id_of: Whose ids these are.
        scales: The highest points of a column, where that is not the system's own: `{"letterboxd":
            10}` halves them.
        name: As the ratings log has it.
        fetched_at: Since when the ratings are known; default the file's last change, for a frame
            now.

    Attributes:
        left_out: How many rows have no id, and can be no movie's.

    Raises:
        UsageError: There is no such file, column or system, or it holds what it cannot.
    """

    metered = False
    fallback = False
    requests = 0
    terms = "your own table, under the terms of wherever its ratings are from"

    def __init__(
        self,
        source: Source,
        *,
        points: Mapping[str, str],
        votes: Mapping[str, str] | None = None,
        id: str = "tmdb_id",  # noqa: A002
        id_of: Literal["tmdb", "imdb"] = "tmdb",
        scales: Mapping[str, float] | None = None,
        name: str = "table",
        fetched_at: datetime | None = None,
    ) -> None:
        votes, scales = votes or {}, scales or {}
        _check_call(points, votes, scales, id_of, fetched_at)
        self.name = name
        self.systems = tuple(points)
        self._title = title_of(source)
        self._key = f"{id_of}_id"
        texts = _texts(source, [id, *points.values(), *votes.values()])
        known = texts.with_columns(_key(id, id_of)).drop_nulls(self._key)
        self.left_out = texts.height - known.height
        if texts.height and not known.height:
            raise UsageError(f"{id!r} of {self._title} holds no {IDS[id_of]}")
        instant = (fetched_at or _changed_at(source)).astimezone(UTC)
        self._rows = _judged(_long(known, self._key, points, votes), scales).with_columns(
            fetched_at=pl.lit(instant)
        )

    def cost(self, wanted: pl.DataFrame) -> Cost:
        """Return that nobody has to be asked."""
        return Cost(0)

    def collect(self, wanted: pl.DataFrame) -> Iterator[Collected]:
        """Yield all at once; movies that do not stand there are settled without a rating."""
        unknown = FAILED.to_frame()
        if self._key == "imdb_id":
            wanted, unknown = by_imdb_id(wanted)
        rows = wanted.join(self._rows, on=self._key)
        unread = rows.group_by("tmdb_id", maintain_order=True).agg(
            pl.col("reason").drop_nulls().unique(maintain_order=True).str.join("; ")
        )
        failed = unread.filter(pl.col("reason") != "")
        yield Collected(
            asked=wanted.join(failed, on="tmdb_id", how="anti")["tmdb_id"].to_list(),
            ratings=as_ratings(rows.filter(pl.col("reason").is_null()), self.name),
            failed=pl.concat([unknown, failed]),
        )

    def __repr__(self) -> str:
        movies = self._rows[self._key].n_unique()
        without = f", {self.left_out:,} rows without an id" if self.left_out else ""
        return f"Table({self._title}: {', '.join(self.systems)} of {movies:,} movies{without})"


def _check_call(
    points: Mapping[str, str],
    votes: Mapping[str, str],
    scales: Mapping[str, float],
    id_of: str,
    fetched_at: datetime | None,
) -> None:
    """Find what is wrong with a call before anything is read."""
    if not points:
        raise UsageError("points names no column; name one, such as points={'imdb': 'rating'}")
    if unknown := [system for system in (*points, *votes, *scales) if system not in POINTS_OF]:
        raise UsageError(f"there is no system {unknown[0]!r}; there are {', '.join(POINTS_OF)}")
    if alone := [system for system in (*votes, *scales) if system not in points]:
        raise UsageError(f"points names no column for {alone[0]}, but votes or scales does")
    for system, highest in scales.items():
        if not (math.isfinite(highest) and highest > 0):
            raise UsageError(f"the scale of {system} is {highest:g}; it must be above 0")
    if id_of not in IDS:
        raise UsageError(f"id_of is {id_of!r}; it must be tmdb or imdb")
    if fetched_at is not None and fetched_at.tzinfo is None:
        raise UsageError("fetched_at has no time zone; give it one, such as datetime.UTC")


def _changed_at(source: Source) -> datetime:
    if isinstance(source, pl.DataFrame | pl.LazyFrame):
        return datetime.now(UTC)
    return datetime.fromtimestamp(Path(source).expanduser().stat().st_mtime, UTC)


def _texts(source: Source, columns: Sequence[str]) -> pl.DataFrame:
    """Return the columns as text without space around it, null where it is blank."""
    title = title_of(source)
    names = list(dict.fromkeys(columns))
    with reading(title):
        table = scan(source)
        schema = table.collect_schema()
        _check_columns(schema, names, title)
        bare = table.select(
            pl.col(name).fill_nan(None) if schema[name].is_float() else pl.col(name)
            for name in names
        )
        stripped = pl.all().cast(pl.String).str.strip_chars()
        return bare.select(stripped.replace("", None)).collect()


def _check_columns(schema: pl.Schema, names: Sequence[str], title: str) -> None:
    for name in names:
        if name not in schema:
            raise UsageError(f"{title} has no column {name!r}; it has {', '.join(schema)}")
        dtype = schema[name]
        if not (dtype.is_numeric() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
            columns = ", ".join(f"{column} ({kind})" for column, kind in schema.items())
            raise UsageError(
                f"{name!r} of {title} holds neither numbers nor text; its columns are {columns}"
            )


def _key(column: str, id_of: str) -> pl.Expr:
    """Return the ids of a column of text, null where it holds none."""
    if id_of == "imdb":
        return pl.format("tt{}", ids(column, id_of)).alias("imdb_id")
    return ids(column, id_of).cast(pl.Int64).alias("tmdb_id")


def _long(
    texts: pl.DataFrame, key: str, points: Mapping[str, str], votes: Mapping[str, str]
) -> pl.DataFrame:
    """Return `key, system, points, votes, copies`: a row of texts for each value that is there.

    `copies` is how many rows the movie has that do not say the same.
    """
    once = texts.unique([key, *points.values(), *votes.values()], maintain_order=True)
    parts = [
        once.select(
            key,
            pl.len().over(key).alias("copies"),
            pl.lit(system).alias("system"),
            pl.col(column).alias("points"),
            (pl.col(votes[system]) if system in votes else pl.lit(None, pl.String)).alias("votes"),
        )
        for system, column in points.items()
    ]
    return pl.concat(parts).filter(pl.any_horizontal(pl.col("points", "votes").is_not_null()))


def _judged(long: pl.DataFrame, scales: Mapping[str, float]) -> pl.DataFrame:
    """Return the same with numbers for texts, and a `reason` where a row cannot be taken."""
    points = pl.col("points").cast(pl.Float64, strict=False)
    votes = pl.col("votes").str.strip_suffix(".0").cast(pl.Int64, strict=False)
    repeated = pl.format("stands on {} rows of the table that differ", "copies")
    reason = (
        pl.when(pl.col("copies") > 1)
        .then(repeated)
        .when(pl.col("points").is_not_null() & ~points.is_finite().fill_null(value=False))
        .then(_no("points", "number"))
        .when(
            pl.col("votes").is_not_null() & ~votes.is_between(0, MOST_VOTES).fill_null(value=False)
        )
        .then(_no("votes", "number of votes"))
    )
    factors = {system: POINTS_OF[system] / highest for system, highest in scales.items()}
    factor = pl.col("system").replace_strict(factors, default=None, return_dtype=pl.Float64)
    scaled = (points * factor).round(DECIMALS)  # 4.15, not 4.1499999999999995
    return long.with_columns(reason=reason, points=pl.coalesce(scaled, points), votes=votes)


def _no(column: str, what: str) -> pl.Expr:
    shown = pl.col(column).str.head(LONGEST_VALUE)
    return pl.format("{}: '{}' is no " + what, "system", shown)
