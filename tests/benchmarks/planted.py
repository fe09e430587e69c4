"""Faults as they happen to columns and values of ratings, planted in frames of right ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.ratings.model import AUDIENCE, RATINGS
from tmdbkit.schema import SCALES, SYSTEMS

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Iterator
    from datetime import datetime

PROVIDERS = {"imdb": "imdb", "tmdb": "tmdb"}
VOTES = {"metacritic": "metacritic_votes", "rotten_tomatoes": "rt_reviews"}

# A system's points on the scales on which other services and tools give them.
RESCALED = (
    *(("imdb", scale) for scale in (5.0, 100.0)),
    *(("letterboxd", scale) for scale in (10.0, 100.0)),
    *(("metacritic", scale) for scale in (5.0, 10.0)),
    *(("rotten_tomatoes", scale) for scale in (1.0, 5.0, 10.0)),
    *(("tmdb", scale) for scale in (5.0, 100.0)),
)


@dataclass(frozen=True)
class Planted:
    """Ratings with a fault: what is wrong in them, as rows of `tmdb_id, system`."""

    ratings: pl.DataFrame
    wrong: pl.DataFrame


def ratings_of(films: pl.DataFrame, fetched: datetime) -> pl.DataFrame:
    """Return `RATINGS` of a table with a column of points for each system, and of votes."""
    columns = {system: VOTES.get(system, f"{system}_votes") for system in SYSTEMS}
    frames = [
        films.filter(pl.col(points).is_not_null()).select(
            "tmdb_id",
            system=pl.lit(system),
            points=pl.col(points).cast(pl.Float64),
            scale=pl.lit(SCALES.get(system, 100.0)),
            score_100=pl.col(points) * 100 / SCALES.get(system, 100.0),
            votes=votes,
            provider=pl.lit(PROVIDERS.get(system, "mdblist")),
            fetched_at=pl.lit(fetched),
        )
        for system, points, votes in (
            *((system, system, pl.col(votes)) for system, votes in columns.items()),
            (AUDIENCE, "rt_audience", pl.lit(None)),
        )
    ]
    return pl.concat(
        [frame.select(pl.col(n).cast(d) for n, d in RATINGS.items()) for frame in frames]
    )


def _replaced(ratings: pl.DataFrame, system: str, points: pl.Expr, *more: pl.Expr) -> Planted:
    """Give a system's ratings other points, in the order of the movies' ids."""
    own = ratings.filter(system=system).sort("tmdb_id").with_columns(points.alias("points"), *more)
    others = ratings.filter(pl.col("system") != system)
    return Planted(pl.concat([others, own]), own.select("tmdb_id", "system"))


def shifted(ratings: pl.DataFrame, system: str) -> Planted:
    """Give each movie the rating and votes of the one before it."""
    moved = pl.col("points", "votes")
    first = moved.shift(1).fill_null(moved.last())
    own = ratings.filter(system=system).sort("tmdb_id").with_columns(first)
    others = ratings.filter(pl.col("system") != system)
    return Planted(pl.concat([others, own]), own.select("tmdb_id", "system"))


def constant(ratings: pl.DataFrame, system: str) -> Planted:
    """Give every movie the first one's points."""
    return _replaced(ratings, system, pl.col("points").first())


def swapped(ratings: pl.DataFrame, one: str, other: str, *, rescaled: bool = True) -> Planted:
    """Call two systems' columns by each other's names, on the right scale or on the other's."""
    names = {one: other, other: one}
    scale = pl.col("system").replace_strict(SCALES, default=100.0, return_dtype=pl.Float64)
    taken = ratings.filter(pl.col("system").is_in([one, other])).with_columns(
        system=pl.col("system").replace(names),
        provider=pl.col("system").replace(names).replace_strict(PROVIDERS, default="mdblist"),
    )
    if rescaled:
        taken = taken.with_columns(points=pl.col("points") / pl.col("scale") * scale)
    digits = {"imdb": 1, "letterboxd": 2, "metacritic": 0, "rotten_tomatoes": 0, "tmdb": 3}
    rounded = [
        taken.filter(system=system).with_columns(pl.col("points").round(digits[system]))
        if rescaled
        else taken.filter(system=system)
        for system in (one, other)
    ]
    others = ratings.filter(~pl.col("system").is_in([one, other]))
    return Planted(pl.concat([others, *rounded]), taken.select("tmdb_id", "system"))


def on_scale(
    ratings: pl.DataFrame, system: str, scale: float, ids: Collection[int] | None
) -> Planted:
    """Give some movies, or all, a system's points on another scale, as fine as that shows them."""
    digits = {1.0: 2, 5.0: 2, 10.0: 1, 100.0: 0}[scale]
    hit = pl.lit(value=True) if ids is None else pl.col("tmdb_id").is_in(list(ids))
    other = (pl.col("points") / SCALES[system] * scale).round(digits)
    planted = _replaced(ratings, system, pl.when(hit).then(other).otherwise("points"))
    return Planted(planted.ratings, planted.wrong.filter(hit))


def with_votes(
    ratings: pl.DataFrame, system: str, factor: float, ids: Collection[int] | None
) -> Planted:
    """Give some movies, or all, a system's votes times a factor, rounded down."""
    hit = pl.lit(value=True) if ids is None else pl.col("tmdb_id").is_in(list(ids))
    other = (pl.col("votes") * factor).floor().cast(pl.Int64)
    votes = pl.when(hit).then(other).otherwise("votes").alias("votes")
    planted = _replaced(ratings, system, pl.col("points"), votes)
    return Planted(planted.ratings, planted.wrong.filter(hit))


def of_others(ratings: pl.DataFrame, ids: Collection[int], chance: random.Random) -> Planted:
    """Give some movies the IMDb rating, with its votes, of another film that is not the same."""
    own = ratings.filter(system="imdb").sort("tmdb_id")
    order = chance.sample(range(own.height), own.height)
    other = own.select("points", "votes")[order].rename({"points": "p", "votes": "v"})
    hit = pl.col("tmdb_id").is_in(list(ids))
    own = pl.concat([own, other], how="horizontal").with_columns(
        points=pl.when(hit).then("p").otherwise("points"),
        votes=pl.when(hit).then("v").otherwise("votes"),
    )
    others = ratings.filter(pl.col("system") != "imdb")
    return Planted(
        pl.concat([others, own.drop("p", "v")]), own.filter(hit).select("tmdb_id", "system")
    )


def outside(
    ratings: pl.DataFrame,
    bands: pl.DataFrame,
    share: float,
    chance: random.Random,
    beyond: float = 1.0,
) -> Planted:
    """Draw for some movies one value evenly from outside so many bands around the others' say."""
    rows = bands.select("tmdb_id", "system", "low", "middle", "high").rows()
    chance.shuffle(rows)
    drawn = dict(_drawn(rows, max(1, round(share * bands["tmdb_id"].n_unique())), chance, beyond))
    at = pl.DataFrame(
        [(*key, value) for key, value in drawn.items()],
        {"tmdb_id": pl.Int64, "system": pl.String, "drawn": pl.Float64},
        orient="row",
    )
    joined = ratings.join(at, on=["tmdb_id", "system"], how="left", maintain_order="left")
    changed = joined.with_columns(points=pl.coalesce("drawn", "points")).drop("drawn")
    return Planted(changed, at.select("tmdb_id", "system"))


def _drawn(
    rows: list[tuple[int, str, float, float, float]],
    wanted: int,
    chance: random.Random,
    beyond: float,
) -> Iterator[tuple[tuple[int, str], float]]:
    seen: set[int] = set()
    for tmdb_id, system, low, middle, high in rows:
        lower = max(middle + beyond * low, 0.0)
        upper = min(middle + beyond * high, 100.0)
        if tmdb_id in seen or lower + 100 - upper <= 0:
            continue
        if len(seen) == wanted:
            return
        seen.add(tmdb_id)
        at = chance.uniform(0, lower + 100 - upper)
        score = at if at < lower else at - lower + upper
        step = {"imdb": 0.1, "letterboxd": 0.01, "tmdb": 0.001}.get(system, 1.0)
        points = score * SCALES[system] / 100
        yield (tmdb_id, system), round(round(points / step) * step, 3)
