"""Rules about one rating each; the frame that they look at is `features.features`."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from tmdbkit.quality.features import SAME_LEAST, SAME_SHARE
from tmdbkit.quality.rule import Rule
from tmdbkit.ratings.aggregate import is_on, is_rated
from tmdbkit.ratings.columns import too_fine
from tmdbkit.ratings.model import BY_HAND

# A scale is mixed up when another explains the rating so much better (squared bands), and within
# its band; points that the system's own step cannot have count as more. Of 36,000 ratings of real
# films that finds one, which IMDb's voters dislike as nobody else does.
BETTER, TOO_FINE = 6.0, 6.0
BESIDE = 2.0  # a rating so many times less off than another of its movie is not the one to blame
FEW = {"imdb": 10, "letterboxd": 10, "metacritic": 5, "rotten_tomatoes": 5, "tmdb": 10}
PUBLISHED = 10  # votes from which on every system publishes points
COUNTS = 0.8  # a column gives votes when more of its ratings than this have them
OLD = timedelta(days=365)


def _text(number: pl.Expr) -> pl.Expr:
    return number.round(2).cast(pl.String).str.strip_suffix(".0")


POINTS, VOTES, SCALE = pl.col("points"), pl.col("votes"), pl.col("system_scale")
OF_SCALE = pl.format("{} of {}", _text(POINTS), _text(SCALE))
FAR = pl.col("residual").abs()
OFF = pl.col("off")
FINE = too_fine(POINTS, pl.col("step"))
EXPECTED = _text((pl.col("expected") * SCALE / 100).round(1))
VOTES_SAID = pl.when(VOTES == 1).then(pl.lit("1 vote")).otherwise(pl.format("{} votes", VOTES))
SWAPPED = is_rated() & pl.col("swapped_with").is_not_null()
ASTRAY = is_rated() & pl.col("astray").fill_null(value=False)
SURE = pl.col("sure")
FEW_VOTES = pl.col("system").replace_strict(FEW, default=None, return_dtype=pl.Int64) > VOTES

RATING_RULES = (
    Rule(
        "outside_scale",
        "error",
        "The points are not on the system's scale",
        POINTS.is_not_null() & ~is_on(SCALE),
        "rating",
        OF_SCALE,
        degree=FAR,
        waivable=False,
    ),
    Rule(
        "scale_mix_up",
        "error",
        "The points are on another system's scale",
        is_rated()
        & is_on(SCALE)
        & (pl.col("rescaled") < 1)
        & (OFF**2 - pl.col("rescaled") ** 2 + TOO_FINE * FINE.cast(pl.Float64) > BETTER),
        "rating",
        OF_SCALE,
        pl.format(
            "the other systems let one expect {}; of {} it would fit",
            EXPECTED,
            _text(pl.col("rescaled_from")),
        ),
        FAR,
    ),
    Rule(
        "same_everywhere",
        "error",
        "A provider gives nearly all movies the same points in this system",
        is_rated() & (pl.col("usual") >= SAME_SHARE) & (pl.col("rated") >= SAME_LEAST),
        "rating",
        OF_SCALE,
        pl.format("{} % of {} ratings are the same", _text(pl.col("usual") * 100), pl.col("rated")),
        pl.col("usual"),
    ),
    Rule(
        "swapped_systems",
        "error",
        "A provider's ratings of this system are another system's",
        SWAPPED & SURE,
        "rating",
        OF_SCALE,
        pl.format("the column fits {} instead", pl.col("swapped_with")),
    ),
    Rule(
        "other_movies",
        "error",
        "A provider's ratings of this system belong to other movies",
        ASTRAY & SURE,
        "rating",
        OF_SCALE,
        pl.lit("the column goes up and down with no other system"),
    ),
    Rule(
        "maybe_swapped_systems",
        "warning",
        "A provider's ratings of this system may be another system's",
        SWAPPED & ~SURE,
        "rating",
        OF_SCALE,
        pl.format("the column seems to fit {} instead", pl.col("swapped_with")),
    ),
    Rule(
        "maybe_other_movies",
        "warning",
        "A provider's ratings of this system may belong to other movies",
        ASTRAY & ~SURE,
        "rating",
        OF_SCALE,
        pl.lit("the column hardly goes up and down with the other systems"),
    ),
    Rule(
        "far_off",
        "warning",
        "The rating is far from what the other systems say",
        is_rated()
        & is_on(SCALE)
        & (pl.col("others") >= 2)
        & (OFF > 1)
        & (OFF.max().over("tmdb_id") <= OFF * BESIDE),
        "rating",
        OF_SCALE,
        pl.format("{} other systems let one expect {}", pl.col("others"), EXPECTED),
        FAR,
    ),
    Rule(
        "too_fine",
        "warning",
        "The points are finer than the system gives them",
        is_rated() & FINE,
        "rating",
        OF_SCALE,
        pl.format("the system gives steps of {}", pl.col("step")),
    ),
    Rule(
        "points_without_votes",
        "warning",
        "There are points, and no votes, where the provider gives both",
        (POINTS > 0) & ((VOTES == 0) | (VOTES.is_null() & (pl.col("counted") > COUNTS))),
        "rating",
        OF_SCALE,
    ),
    Rule(
        "votes_without_points",
        "warning",
        "There are votes, and no points",
        POINTS.is_null() & (VOTES >= PUBLISHED),
        "rating",
        VOTES_SAID,
        degree=VOTES,
    ),
    Rule(
        "extreme_on_few_votes",
        "warning",
        "A perfect score, or 0, on few votes",
        is_rated() & ((POINTS == 0) | (POINTS == SCALE)) & FEW_VOTES,
        "rating",
        OF_SCALE,
        VOTES_SAID,
        1 / VOTES,
    ),
    Rule(
        "audience_for_critics",
        "warning",
        "Rotten Tomatoes' critics have the audience's score",
        is_rated() & (pl.col("audience") == POINTS),
        "rating",
        OF_SCALE,
        degree=FAR,
    ),
    Rule(
        "before_release",
        "warning",
        "The rating was fetched before the film came out; fetch it again",
        is_rated()
        & (pl.col("fetched_at").dt.date() < pl.col("released"))
        & (pl.col("released") <= pl.col("now").dt.date()),
        "rating",
        pl.col("fetched_at").dt.date(),
        pl.format("released {}", pl.col("released")),
    ),
    Rule(
        "stale",
        "warning",
        "The rating was fetched more than a year ago; fetch it again",
        is_rated() & (pl.col("now") - pl.col("fetched_at") > OLD),
        "rating",
        pl.col("fetched_at").dt.date(),
        degree=(pl.col("now") - pl.col("fetched_at")).dt.total_days(),
    ),
    Rule(
        "fetched_in_future",
        "warning",
        "The rating was fetched later than now, by a clock that was wrong; fetch it again",
        # What a person set was not fetched: in a sample, whose present stands still, it is later.
        (pl.col("fetched_at") > pl.col("now")) & (pl.col("provider") != BY_HAND),
        "rating",
        pl.col("fetched_at").dt.date(),
    ),
)
