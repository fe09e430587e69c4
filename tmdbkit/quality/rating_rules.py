"""Rules about one rating each; the frame that they look at is `features.features`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import polars as pl

from tmdbkit.display import SYSTEM_NAMES
from tmdbkit.quality.rule import Rule
from tmdbkit.ratings.aggregate import is_on, is_rated
from tmdbkit.ratings.model import BY_HAND, too_fine
from tmdbkit.schema import SYSTEMS

# A value is on another scale when that explains it by so many nats better; points that the
# system's own step cannot have count as more.
BETTER, BETTER_BY_ONE, BETTER_VOTES = 5.0, 7.0, 5.0
FINE_NATS = 6.0
# Where a part of its column is, too, as log odds: what fits better by chance tells less than nats.
TELLS, LIKELY, DOUBT = 0.75, 0.0, -3.0
# Voters of IMDb who are many and angry halve a rating, too.
HALVED, BETTER_HALVED, ALL_OTHERS = 5.0, 9.0, 4
# Of another film are votes that are so far off together with the points, in squared bands; whoever
# is asked by TMDB's id gives no other film's.
TOGETHER, OF_VOTES, ALONE = 1.2, 0.5, 1.5
FEW = {"imdb": 10, "letterboxd": 10, "metacritic": 5, "rotten_tomatoes": 5, "tmdb": 5}
PUBLISHED = 10  # votes from which on every system publishes points
# A column gives votes when more of its ratings than this have them; reviews are often untold.
COUNTS = {"rotten_tomatoes": 0.8}
MOSTLY = 0.6
OLD = timedelta(days=365)


def _text(number: pl.Expr) -> pl.Expr:
    return number.round(2).cast(pl.String).str.strip_suffix(".0")


POINTS, VOTES, SCALE = pl.col("points"), pl.col("votes"), pl.col("system_scale")
OF_SCALE = pl.format("{} of {}", _text(POINTS), _text(SCALE))
FAR = pl.col("score_off")
FINE = too_fine(POINTS, pl.col("step"))
EXPECTED = _text((pl.col("score_expected") * SCALE / 100).round(1))
VOTES_SAID = pl.when(VOTES == 1).then(pl.lit("1 vote")).otherwise(pl.format("{} votes", VOTES))
FAULT, PROVIDER = pl.col("fault"), pl.col("provider")
FEW_VOTES = pl.col("system").replace_strict(FEW, default=None, return_dtype=pl.Int64) > VOTES
COUNTED = pl.col("counted") > pl.col("system").replace_strict(COUNTS, default=MOSTLY)


def _odds(of: str, other: str, share: str) -> pl.Expr:
    """Return the log odds that a value has the other scale or factor that a part of its column has.

    Null where it is another one that fits the value best, or none of the column.
    """
    part = pl.when((pl.col(f"{of}_other") == pl.col(other)) & (pl.col(share) > 0)).then(share)
    return TELLS * pl.col(f"{of}_gain") + (part / (1 - part)).log()


def _named(values: dict[str, pl.Expr]) -> pl.Expr:
    """Return what is there, "a, b and c"."""
    parts = pl.concat_list(values.values()).list.drop_nulls()
    first = parts.list.head(parts.list.len() - 1).list.join(", ")
    last = parts.list.last()
    return pl.when(parts.list.len() > 1).then(pl.format("{} and {}", first, last)).otherwise(last)


def _said(system: str) -> pl.Expr:
    unit = " %" if system == "rotten_tomatoes" else ""
    return pl.format(f"{SYSTEM_NAMES[system]} {{}}{unit}", _text(pl.col(f"beside_{system}")))


OTHERS = _named({system: _said(system) for system in SYSTEMS})
SUGGEST = pl.when(pl.col("others") == 1).then(pl.lit("suggests")).otherwise(pl.lit("suggest"))
SUGGESTED = pl.format("{} {} about {}", OTHERS, SUGGEST, EXPECTED)
COLUMN_OTHER = pl.col("fits").replace_strict(SYSTEM_NAMES, default=None)
RIGHT_SCALE = pl.when(FAULT == "scale").then("column_scale").otherwise("score_other")
RESCALED = _text(POINTS * SCALE / RIGHT_SCALE)
IS_HALVED = (
    (pl.col("system") == "imdb")
    & (pl.col("score_other") == HALVED)
    & (pl.col("others") < ALL_OTHERS)
)
NEEDED = (
    pl.when(IS_HALVED)
    .then(BETTER_HALVED)
    .when(pl.col("others") >= 2)
    .then(BETTER)
    .otherwise(BETTER_BY_ONE)
)
FINER = FINE_NATS * FINE.cast(pl.Float64)
ODDS = FINER + _odds("score", "column_scale", "column_scale_share")
ON_OTHER = is_rated() & ((pl.col("score_gain") + FINER > NEEDED) | (ODDS > LIKELY))
DOUBTFUL = is_rated() & (ODDS > DOUBT)
NO_VOTES_LEFT = (VOTES == 0) & pl.col("count_expected").is_not_null()
OFF_BY_FACTOR = (
    (FAULT == "votes")
    | NO_VOTES_LEFT
    | (
        (pl.col("count_gain") > BETTER_VOTES)
        | (_odds("count", "column_factor", "column_factor_share") > LIKELY)
    )
)
RIGHT_FACTOR = (
    pl.when(FAULT == "votes")
    .then("column_factor")
    .otherwise(pl.coalesce("count_other", pl.when(NO_VOTES_LEFT).then(-3.0)))
)
RECOUNTED = pl.when(VOTES > 0).then(
    (VOTES * pl.lit(10.0).pow(-RIGHT_FACTOR)).round().cast(pl.Int64)
)
EXPECTED_VOTES = pl.lit(10.0).pow(pl.col("count_expected")).round_sig_figs(2).cast(pl.Int64)
ALL_OF_IT = pl.lit(value=True)
BY = {-3.0: "in thousands", 3.0: "times a thousand"}

OF_ANOTHER = (
    pl.when(pl.col("system") != "imdb")
    .then(pl.col("count_off") > ALONE)
    .otherwise(
        (pl.col("count_off") > OF_VOTES)
        & (pl.col("count_off") ** 2 + FAR.fill_null(0.0) ** 2 > TOGETHER)
    )
)

_rating = partial(Rule, of="rating", value=OF_SCALE)

RATING_RULES = (
    _rating(
        "outside_scale",
        "error",
        "The points are not on the system's scale",
        POINTS.is_not_null() & ~is_on(SCALE),
        degree=FAR,
        waivable=False,
        proposal=(pl.col("system"), RESCALED),
    ),
    _rating(
        "column_scale",
        "error",
        "A provider's ratings of this system are on another scale",
        is_rated() & (FAULT == "scale"),
        why=pl.format(
            "the column is out of {}, not of {}", _text(pl.col("column_scale")), _text(SCALE)
        ),
        proposal=(pl.col("system"), RESCALED),
        of_column=ALL_OF_IT,
    ),
    _rating(
        "scale_mix_up",
        "error",
        "The points are on another scale",
        is_on(SCALE) & ON_OTHER & (FAULT.fill_null("") != "scale"),
        why=pl.format("{}; of {} they would fit: {}", SUGGESTED, _text(RIGHT_SCALE), RESCALED),
        degree=FAR,
        proposal=(pl.col("system"), RESCALED),
    ),
    _rating(
        "scale_doubtful",
        "warning",
        "The points may be on another scale, as others of their column are",
        is_on(SCALE) & DOUBTFUL & ~ON_OTHER & FAULT.is_null(),
        why=pl.format("{}; of {} they would fit: {}", SUGGESTED, _text(RIGHT_SCALE), RESCALED),
        degree=FAR,
        proposal=(pl.col("system"), RESCALED),
    ),
    _rating(
        "votes_scale",
        "error",
        "The votes are in thousands, or times a thousand",
        (POINTS > 0) & OFF_BY_FACTOR,
        value=VOTES_SAID,
        why=pl.format(
            "the others suggest about {} votes; {} it would be {}",
            EXPECTED_VOTES,
            RIGHT_FACTOR.replace_strict(BY, default=None, return_dtype=pl.String),
            RECOUNTED,
        ),
        degree=pl.col("count_off"),
        proposal=(pl.col("system") + "_votes", RECOUNTED),
        of_column=FAULT == "votes",
    ),
    _rating(
        "same_everywhere",
        "error",
        "A provider gives nearly all movies the same points in this system",
        is_rated() & (FAULT == "same"),
        why=pl.format("{} % of {} ratings are the same", _text(pl.col("usual") * 100), "rated"),
        degree=pl.col("usual"),
        of_column=ALL_OF_IT,
    ),
    _rating(
        "swapped_systems",
        "error",
        "A provider's ratings of this system are another system's",
        is_rated() & (FAULT == "swapped"),
        why=pl.format("the column fits {} instead", COLUMN_OTHER),
        of_column=ALL_OF_IT,
    ),
    _rating(
        "other_movies",
        "error",
        "A provider's ratings of this system belong to other movies",
        is_rated() & (FAULT == "others"),
        why=pl.lit("the column goes up and down with no other system"),
        of_column=ALL_OF_IT,
    ),
    _rating(
        "one_of_two",
        "warning",
        "The columns contradict each other, and it cannot be told which is wrong",
        is_rated() & (FAULT == "one_of_two"),
        why=pl.lit("it or another column belongs to other movies"),
    ),
    _rating(
        "far_off",
        "warning",
        "The rating is far from what the other systems say",
        is_rated() & is_on(SCALE) & (pl.col("others") >= 2) & (FAR > 1),
        why=SUGGESTED,
        degree=FAR,
    ),
    _rating(
        "votes_off",
        "warning",
        "Votes and points together are rather another film's",
        is_rated() & ~OFF_BY_FACTOR.fill_null(value=False) & OF_ANOTHER,
        value=pl.format("{}, {}", OF_SCALE, VOTES_SAID),
        why=pl.format("the others suggest about {} and {} votes", EXPECTED, EXPECTED_VOTES),
        degree=pl.col("count_off"),
    ),
    _rating(
        "too_fine",
        "warning",
        "The points are finer than the system gives them",
        is_rated() & FINE,
        why=pl.format("the system gives steps of {}", pl.col("step")),
    ),
    _rating(
        "points_without_votes",
        "warning",
        "There are points, and no votes, where the provider gives both",
        (POINTS > 0) & ((VOTES == 0) | (VOTES.is_null() & COUNTED)),
    ),
    _rating(
        "votes_without_points",
        "warning",
        "There are votes, and no points",
        POINTS.is_null() & (VOTES >= PUBLISHED),
        value=VOTES_SAID,
        degree=VOTES,
    ),
    _rating(
        "extreme_on_few_votes",
        "warning",
        "A perfect score, or 0, on few votes",
        is_rated() & ((POINTS == 0) | (POINTS == SCALE)) & FEW_VOTES,
        why=VOTES_SAID,
        degree=1 / VOTES,
    ),
    _rating(
        "audience_for_critics",
        "warning",
        "Rotten Tomatoes' critics have the audience's score, more often than by chance",
        is_rated() & (pl.col("audience_points") == POINTS) & pl.col("audience"),
        degree=FAR,
    ),
    _rating(
        "before_release",
        "warning",
        "The rating was fetched before the film came out; fetch it again",
        is_rated()
        & (pl.col("fetched_at").dt.date() < pl.col("released"))
        & (pl.col("released") <= pl.col("now").dt.date()),
        value=pl.col("fetched_at").dt.date(),
        why=pl.format("released {}", pl.col("released")),
        proposal=(pl.col("system"), pl.lit("ask")),
    ),
    _rating(
        "stale",
        "warning",
        "The rating was fetched more than a year ago; fetch it again",
        is_rated() & (pl.col("now") - pl.col("fetched_at") > OLD),
        value=pl.col("fetched_at").dt.date(),
        degree=(pl.col("now") - pl.col("fetched_at")).dt.total_days(),
        proposal=(pl.col("system"), pl.lit("ask")),
    ),
    _rating(
        "fetched_in_future",
        "warning",
        "The rating was fetched later than now, by a clock that was wrong; fetch it again",
        # What a person set was not fetched: in a sample, whose present stands still, it is later.
        (pl.col("fetched_at") > pl.col("now")) & (PROVIDER != BY_HAND),
        value=pl.col("fetched_at").dt.date(),
        proposal=(pl.col("system"), pl.lit("ask")),
    ),
)
