"""What is laid over the rows that come from payloads: the ratings of all systems."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tmdbkit.ratings.aggregate import prefer, vote_objects
from tmdbkit.ratings.payload import of_rows

VOTE_FIELDS = ("vote_count_system", "vote_pts_system")
SAME_RATING = ("tmdb_id", "system", "provider")


@dataclass(frozen=True)
class Overlay:
    """Ratings that were collected, beside those of the payloads.

    Attributes:
        collected: Frames of `RATINGS`, one for each movie, system and provider.
        providers: Whose rating counts where several have one, the first before the others.
    """

    collected: pl.DataFrame
    providers: tuple[str, ...]

    def over(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return rows with what is known of all systems, in place of TMDB's rating alone.

        Args:
            rows: Frames of `transform.ROWS`.
        """
        if self.collected.is_empty():
            return rows
        own = _own_ratings(rows)
        of_these = self.collected.join(own, on="tmdb_id", how="semi")
        votes = vote_objects(prefer(pl.concat([of_these, own]), self.providers))
        return rows.drop(VOTE_FIELDS).join(
            votes.lazy(), on="tmdb_id", how="left", maintain_order="left"
        )

    def beside(self, staged: set[int]) -> pl.DataFrame:
        """Return `tmdb_id, title` and the vote fields of movies that are rated, and not staged."""
        others = self.collected.filter(~pl.col("tmdb_id").is_in(staged))
        votes = vote_objects(prefer(others, self.providers))
        return votes.select("tmdb_id", pl.lit("").alias("title"), *VOTE_FIELDS)

    def ratings(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Return all ratings, and in the column `chosen` whether each is the one that counts.

        Args:
            rows: Frames of `transform.ROWS`, whose payloads bring TMDB's ratings.
        """
        found = pl.concat([self.collected, _own_ratings(rows).drop_nulls("points")])
        chosen = prefer(found, self.providers).select(SAME_RATING, chosen=pl.lit(value=True))
        return (
            found.join(chosen, on=SAME_RATING, how="left")
            .with_columns(pl.col("chosen").fill_null(value=False))
            .sort(SAME_RATING)
        )


def _own_ratings(rows: pl.LazyFrame) -> pl.DataFrame:
    return of_rows(rows.select("tmdb_id", "fetched_at", *VOTE_FIELDS).collect())
