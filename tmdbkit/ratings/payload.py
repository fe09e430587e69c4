"""TMDB's own ratings, which the payloads have brought already."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from tmdbkit.ratings.model import FAILED, Collected, Cost
from tmdbkit.ratings.rows import Frame, as_ratings

SYSTEM = "tmdb"


def of_rows(rows: Frame) -> Frame:
    """Return TMDB's rating of each movie as `RATINGS`; points and votes are null without votes.

    Args:
        rows: The stage's, with `fetched_at`.
    """
    votes = pl.col("vote_count_system").struct.field(SYSTEM)
    points = pl.col("vote_pts_system").struct.field(SYSTEM)
    rated = votes > 0
    found = rows.select(
        "tmdb_id",
        pl.lit(SYSTEM).alias("system"),
        pl.when(rated).then(points).alias("points"),
        pl.when(rated).then(votes).alias("votes"),
        "fetched_at",
    )
    return as_ratings(found, SYSTEM)


class TMDBPayload:
    """The ratings of staged movies; nobody is asked.

    Args:
        rows: The stage's, with `fetched_at`.
    """

    name = SYSTEM
    systems: tuple[str, ...] = (SYSTEM,)
    metered = False
    fallback = False
    requests = 0
    terms = "TMDB's API terms of use; www.themoviedb.org/api-terms-of-use"

    def __init__(self, rows: pl.DataFrame) -> None:
        self._ratings = of_rows(rows)

    def cost(self, wanted: pl.DataFrame) -> Cost:
        """Return that nobody has to be asked."""
        return Cost(0)

    def collect(self, wanted: pl.DataFrame) -> Iterator[Collected]:
        """Yield all at once; a movie that is not among the rows has failed."""
        staged = wanted.join(self._ratings, on="tmdb_id", how="semi")
        others = wanted.join(staged, on="tmdb_id", how="anti")
        reason = pl.lit("is not staged")
        yield Collected(
            asked=staged["tmdb_id"].to_list(),
            ratings=self._ratings.join(staged, on="tmdb_id", how="semi").filter(
                pl.col("points").is_not_null()
            ),
            failed=others.select("tmdb_id", reason=reason).match_to_schema(FAILED),
        )

    def __repr__(self) -> str:
        return f"TMDBPayload({self._ratings.height:,} movies)"
