"""What is laid over the rows that come from payloads: ratings, and what people set by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import polars as pl

from tmdbkit.ratings.aggregate import prefer, vote_objects
from tmdbkit.ratings.model import BY_HAND, RATINGS
from tmdbkit.ratings.payload import of_rows
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.schema import ROW
from tmdbkit.stage.decisions import POINTS_FIELD, VOTES_FIELD

VOTE_FIELDS = (VOTES_FIELD, POINTS_FIELD)
SAME_RATING = ("tmdb_id", "system", "provider")
OVERRIDES = pl.Schema(
    {"tmdb_id": pl.Int64(), "field": pl.String(), "value": pl.String(), "at": RATINGS["fetched_at"]}
)


@dataclass(frozen=True)
class Overlay:
    """Ratings that were collected, beside those of the payloads, and overrides.

    Attributes:
        collected: Frames of `RATINGS`, one for each movie, system and provider.
        providers: Whose rating counts where several have one, the first before the others.
        overrides: Frames of `OVERRIDES`, one for each movie and field; `value` is JSON, and a
            rating whose value is null is taken away.
    """

    collected: pl.DataFrame
    providers: tuple[str, ...]
    overrides: pl.DataFrame = field(default_factory=OVERRIDES.to_frame)

    def over(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return `transform.ROWS` with the overrides, and with what is known of all systems."""
        return self.rated(rows, self.chosen(rows)) if self._rates() else self.with_fields(rows)

    def rated(self, rows: pl.LazyFrame, chosen: pl.DataFrame) -> pl.LazyFrame:
        """Return the same of rows whose ratings that count were `chosen` before."""
        unrated = self.with_fields(rows).drop(VOTE_FIELDS)
        votes = vote_objects(chosen).lazy()
        return unrated.join(votes, on="tmdb_id", how="left", maintain_order="left")

    def chosen(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Return the ratings of some rows that count, TMDB's own among them, in `RATINGS`."""
        own = _own(rows)
        of_these = self.collected.join(own, on="tmdb_id", how="semi")
        return self._chosen(self._set_by_hand(pl.concat([of_these, own])))

    def chosen_beside(self, staged: pl.Series) -> pl.DataFrame:
        """Return the ratings that count of movies that are not staged, in `RATINGS`."""
        others = self.collected.filter(~pl.col("tmdb_id").is_in(staged.implode()))
        return self._chosen(self._set_by_hand(others))

    def beside(self, staged: pl.Series) -> pl.DataFrame:
        """Return `tmdb_id, title` and the vote fields of movies that are rated, and not staged."""
        votes = vote_objects(self.chosen_beside(staged))
        return votes.select("tmdb_id", pl.lit("").alias("title"), *VOTE_FIELDS)

    def ratings(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Return all ratings, and in the column `chosen` whether each is the one that counts.

        TMDB's own come from the rows, in `transform.ROWS`.
        """
        every = self._set_by_hand(pl.concat([self.collected, _own(rows)]))
        rated = every.filter(pl.any_horizontal(pl.col("points", "votes").is_not_null()))
        # TMDB's own may have been collected as well, and be older than what was fetched since.
        one = [*SAME_RATING, "fetched_at"]
        found = rated.unique(one, keep="first", maintain_order=True)
        chosen = self._chosen(found).select(one, chosen=pl.lit(value=True))
        return (
            found.join(chosen, on=one, how="left", nulls_equal=True)
            .with_columns(pl.col("chosen").fill_null(value=False))
            .sort(SAME_RATING)
        )

    def with_fields(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return rows with the overrides of the fields that they have, their ratings aside."""
        plain = self.overrides.filter(pl.col("field").is_in(rows.collect_schema().names()))
        for (name,), some in plain.group_by("field", maintain_order=True):
            values = [json.loads(text) for text in some["value"]]
            new = pl.LazyFrame(
                {"tmdb_id": some["tmdb_id"], "set": pl.Series(values, dtype=ROW[str(name)])}
            )
            rows = (
                rows.join(new, on="tmdb_id", how="left", maintain_order="left")
                .with_columns(pl.coalesce("set", str(name)).alias(str(name)))
                .drop("set")
            )
        return rows

    def _chosen(self, ratings: pl.DataFrame) -> pl.DataFrame:
        return prefer(ratings, (BY_HAND, *self.providers))

    def _rates(self) -> bool:
        return not (self.collected.is_empty() and self._rating_overrides().is_empty())

    def _rating_overrides(self) -> pl.DataFrame:
        """Return `tmdb_id, system, part, number, at` of the ratings that were set."""
        names = pl.col("field").str.splitn(".", 2).struct
        return self.overrides.filter(pl.col("field").str.contains(".", literal=True)).select(
            "tmdb_id",
            names.field("field_1").alias("system"),
            names.field("field_0").alias("part"),
            pl.col("value").cast(pl.Float64, strict=False).alias("number"),
            "at",
        )

    def _set_by_hand(self, found: pl.DataFrame) -> pl.DataFrame:
        """Add the ratings that were set; what of one was not set stays as it was found.

        One that was taken away takes all others of its movie and system with it, and is null.
        """
        given = self._rating_overrides().join(found, on="tmdb_id", how="semi")
        if given.is_empty():
            return found
        key = ["tmdb_id", "system"]
        points, votes = (
            given.filter(pl.col("part") == part).select(
                *key, pl.col("number").alias(f"set {part}"), pl.col("at").alias(f"at {part}")
            )
            for part in (POINTS_FIELD, VOTES_FIELD)
        )
        known = prefer(found, self.providers).select(*key, "points", "votes")
        at = pl.max_horizontal(f"at {POINTS_FIELD}", f"at {VOTES_FIELD}")
        gone = pl.col(f"at {POINTS_FIELD}").is_not_null() & pl.col(f"set {POINTS_FIELD}").is_null()
        by_hand = (
            points.join(votes, on=key, how="full", coalesce=True)
            .join(known, on=key, how="left")
            .with_columns(
                points=_set_or_known(POINTS_FIELD, "points"),
                votes=pl.when(~gone).then(_set_or_known(VOTES_FIELD, "votes")),
                fetched_at=at,
            )
        )
        left = found.join(by_hand.filter(gone), on=key, how="anti")
        return pl.concat([left, as_ratings(by_hand, BY_HAND)])


def _set_or_known(part: str, known: str) -> pl.Expr:
    """Return what a person set, null included, or else what was known before."""
    return pl.when(pl.col(f"at {part}").is_not_null()).then(f"set {part}").otherwise(known)


def _own(rows: pl.LazyFrame) -> pl.DataFrame:
    return of_rows(rows.select("tmdb_id", "fetched_at", *VOTE_FIELDS).collect())
