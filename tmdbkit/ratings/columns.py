"""What is wrong with a whole column of ratings: one system's, as one provider gave them."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.ratings.aggregate import is_rated
from tmdbkit.ratings.agreement import DISPERSION, FILMS, HEARD
from tmdbkit.schema import SCALES, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMN = ["system", "provider"]
FAULTS = pl.Schema(
    {
        "system": pl.String(),
        "provider": pl.String(),
        "swapped_with": pl.String(),
        "astray": pl.Boolean(),
    }
)

# The finest step that a system shows; TMDB shows thousandths, Letterboxd hundredths.
STEPS = {
    "imdb": 0.1,
    "letterboxd": 0.01,
    "metacritic": 1.0,
    "rotten_tomatoes": 1.0,
    "tmdb": 0.001,
}
ENOUGH = 1_000  # ratings of a column that tell of all of it

# In nats, as a log likelihood ratio: a movie's on average, and all movies' together.
SWAP_EACH, SWAP_ALL, SWAP_MOVIES = 0.15, 6.0, 8
MOST = 0.5  # of the movies that two columns could share: columns are swapped as a whole
FARTHEST = 3.0  # standard deviations; beyond, a rating is no better a witness
TOO_FINE = 2.0  # nats against a system in whose step the points cannot be

# Rank correlations: of two audiences, of the two critics, of one with the other, and of ratings
# that belong to other movies (lists of movies are rarely in random order).
AUDIENCES, REVIEWS, ACROSS, ASTRAY = 0.88, 0.8, 0.5, 0.15
SURE = 4.0  # nats by which a column must rather belong to other movies
TIED = 3.0  # nats within which it cannot be told which of two columns was moved
PLAIN = 20.0  # nats above which nobody need ask whether it would fit better moved by some rows
MOVES = (-3, -2, -1, 1, 2, 3)
APART = 4.0  # median absolute deviations
PAIRED = 8  # movies in which two columns can be compared
CRITICS = frozenset({"metacritic", "rotten_tomatoes"})


Column = tuple[str, str | None]
Pair = tuple[Column, Column, float]
Swap = tuple[str, str | None, str, str | None, str]


def describe(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return one row a column: how many ratings, its commonest points' share, the share with votes.

    Args:
        ratings: Frames of `RATINGS`.

    Returns:
        `system, provider, rated, usual, counted`.
    """
    points = pl.col("points").filter(is_rated())
    return ratings.group_by(COLUMN, maintain_order=True).agg(
        points.len().alias("rated"),
        (points.value_counts().struct.field("count").max() / points.len()).alias("usual"),
        (pl.col("votes").is_not_null() & pl.col("points").is_not_null())
        .sum()
        .truediv(pl.col("points").is_not_null().sum())
        .alias("counted"),
    )


def faults(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return `FAULTS`: the columns whose ratings are another system's, or of other movies.

    Args:
        ratings: Preferred ones, without those of columns that are known to be bad.
    """
    table = _side_by_side(_enough(ratings))
    swapped: list[tuple[str, str | None, str, bool]] = []
    while len(swapped) < len(SYSTEMS) and (best := _likeliest_swap(table)):
        one, its, other, theirs, by = best
        swapped += [(one, its, other, False), (other, theirs, one, False)]
        table = _put_back(table, one, its, other, theirs, by)
    astray = [(system, provider, None, True) for system, provider in _astray(table)]
    return pl.DataFrame([*swapped, *astray], FAULTS, orient="row").unique(
        COLUMN, keep="first", maintain_order=True
    )


def too_fine(points: pl.Expr, step: float | pl.Expr) -> pl.Expr:
    """Return whether points cannot be multiples of a step; what Float32 does to them is none."""
    steps = points / step
    return (steps - steps.round()).abs() > 0.02


def _enough(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return all ratings of so many movies that each column has `ENOUGH`, taken from all over."""
    columns = ratings.filter(_is_heard()).partition_by(COLUMN, maintain_order=True)
    movies = [column["tmdb_id"].gather_every(len(column) // ENOUGH + 1) for column in columns]
    chosen = pl.concat([*movies, ratings["tmdb_id"].clear()]).unique()
    return ratings.filter(pl.col("tmdb_id").is_in(chosen.implode())).filter(_is_heard())


def _is_heard() -> pl.Expr:
    least = pl.col("system").replace_strict(HEARD, default=None, return_dtype=pl.Int64)
    return is_rated() & (pl.col("votes").fill_null(least) >= least)


def _side_by_side(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return one row a movie with points, score, votes and provider of each system.

    The score is that of the points whether or not they are on the system's scale.
    """
    table = ratings.select("tmdb_id").unique(maintain_order=True)
    for system in SYSTEMS:
        own = (
            ratings.filter(pl.col("system") == system)
            .unique("tmdb_id", keep="first")
            .select(
                "tmdb_id",
                pl.col("points").alias(f"{system}_points"),
                (pl.col("points") * 100 / SCALES[system]).alias(f"{system}_score"),
                pl.col("votes").alias(f"{system}_votes"),
                pl.col("provider").alias(f"{system}_provider"),
            )
        )
        table = table.join(own, on="tmdb_id", how="left", maintain_order="left")
    return table


def _likeliest_swap(table: pl.DataFrame) -> Swap | None:
    """Return the two columns that each other's names fit best, where they fit far better."""
    misfits = (_misfit(system).alias(f"{system}_misfit") for system in SYSTEMS)
    table = table.with_columns(FILMS.residuals(table).select(misfits))
    gains = [
        _gain(pair, one, other, by)
        for one, other in combinations(SYSTEMS, 2)
        if (pair := table.drop_nulls([f"{one}_points", f"{other}_points"])).height >= SWAP_MOVIES
        for by in (("points",) if SCALES[one] == SCALES[other] else ("points", "score"))
    ]
    if not gains:
        return None
    convincing = (
        pl.concat(gains)
        .filter(
            (pl.col("movies") >= SWAP_MOVIES)
            & (pl.col("share") > MOST)
            & (pl.col("each") > SWAP_EACH)
            & (pl.col("each") * pl.col("movies") > SWAP_ALL)
        )
        .sort("each", "one", "other", descending=[True, False, False])
    )
    return next(convincing.select("one", "its", "other", "theirs", "by").iter_rows(), None)


def _put_back(
    table: pl.DataFrame, one: str, its: str | None, other: str, theirs: str | None, by: str
) -> pl.DataFrame:
    swapped = pl.col(f"{one}_provider").eq_missing(its)
    swapped &= pl.col(f"{other}_provider").eq_missing(theirs)
    return table.with_columns(
        pl.when(swapped).then(taken).otherwise(taken.meta.output_name())
        for taken in _exchanged(one, other, by)
    )


def _gain(pair: pl.DataFrame, one: str, other: str, by: str) -> pl.DataFrame:
    """Return how much likelier two columns are with their names changed, by their providers."""
    exchanged = pair.with_columns(*_exchanged(one, other, by))
    misfit = FILMS.residuals(exchanged, [one, other]).select(_misfit(one) + _misfit(other))
    return (
        pair.select(
            pl.col(f"{one}_provider").alias("its"),
            pl.col(f"{other}_provider").alias("theirs"),
            (pl.col(f"{one}_misfit") + pl.col(f"{other}_misfit") - misfit.to_series()).alias(
                "gain"
            ),
        )
        .group_by("its", "theirs", maintain_order=True)
        .agg(pl.len().alias("movies"), pl.col("gain").mean().alias("each"))
        .with_columns(
            share=pl.col("movies")
            / pl.max_horizontal(pl.col("movies").sum().over(key) for key in ("its", "theirs")),
            one=pl.lit(one),
            other=pl.lit(other),
            by=pl.lit(by),
        )
    )


def _exchanged(one: str, other: str, by: str) -> list[pl.Expr]:
    """Give two systems each other's points, or each other's scores, and the votes with them."""
    taken = []
    for system, source in ((one, other), (other, one)):
        factor = 1.0 if by == "points" else SCALES[system] / SCALES[source]
        points = pl.col(f"{source}_points") * factor
        taken += [
            points.alias(f"{system}_points"),
            (points * 100 / SCALES[system]).alias(f"{system}_score"),
            pl.col(f"{source}_votes").alias(f"{system}_votes"),
        ]
    return taken


def _misfit(system: str) -> pl.Expr:
    """Return the negative log likelihood of a system's points, up to a constant."""
    away = pl.col(f"{system}_residual").abs().clip(0, FARTHEST) ** 2 / 2
    fine = too_fine(pl.col(f"{system}_points"), STEPS[system])
    return away + TOO_FINE * fine.cast(pl.Float64)


def _astray(table: pl.DataFrame) -> list[Column]:
    """Return the columns that do not go with the others, the least fitting taken out one by one.

    What is left is right when two providers say the same, or when one gave all columns; else it
    cannot be told which side is wrong, and all are returned.
    """
    table = table.with_columns(_usual(system) for system in SYSTEMS)
    pairs = _pairs(table, combinations(SYSTEMS, 2))
    columns = {column for one, other, _ in pairs for column in (one, other)}
    left = set(columns)
    while gains := {column: _gain_by_moving(column, table, pairs, left) for column in left}:
        least = max(SURE, max(gains.values()) - TIED)
        if not (moved := {column for column in left if gains[column] > least}):
            break
        left -= moved
    while left and (worst := min(left, key=lambda c: (_evidence(c, pairs, left), str(c)))):
        if _evidence(worst, pairs, left) > -SURE:
            break
        left.remove(worst)
    vouched = len(left) > 1 and len(_providers(left)) >= min(2, len(_providers(columns)))
    if left == columns or vouched:
        return sorted(columns - left, key=str)
    return sorted(columns, key=str)


def _gain_by_moving(
    column: Column, table: pl.DataFrame, pairs: list[Pair], among: set[Column]
) -> float:
    """Return how much likelier a column goes with others some movies further, in order of ids."""
    here = _evidence(column, pairs, among)
    if here > PLAIN:
        return 0.0
    (system, provider), score = column, pl.col(f"{column[0]}_score")
    rated = table.filter(score.is_not_null(), pl.col(f"{system}_provider").eq_missing(provider))
    moved = (rated.sort("tmdb_id").with_columns(score.shift(rows)) for rows in MOVES)
    beside = [(system, other) for other in SYSTEMS if other != system]
    return max(_evidence(column, _pairs(each, beside), among) for each in moved) - max(here, 0.0)


def _providers(columns: set[Column]) -> set[str | None]:
    return {provider for _, provider in columns}


def _evidence(column: Column, pairs: list[Pair], among: set[Column]) -> float:
    return sum(
        nats for one, other, nats in pairs if column in (one, other) and {one, other} <= among
    )


def _pairs(table: pl.DataFrame, systems: Iterable[tuple[str, str]]) -> list[Pair]:
    """Return each two columns that share movies, and how much likelier they agree than not.

    The log likelihood ratio of their rank correlation, whose inverse hyperbolic tangent has a
    normal error of 1 / sqrt(movies - 3) (Fisher, "On the probable error of a coefficient of
    correlation", Metron 1, 1921). Among films that are alike, such as the best of all, less is to
    be expected of it (Thorndike, "Personnel Selection", 1949, case 2), by the wider of the two.
    """
    pairs = []
    for one, other in systems:
        shared = table.drop_nulls([f"{one}_score", f"{other}_score"])
        if shared.height < PAIRED:
            continue
        together = (AUDIENCES, ACROSS, REVIEWS)[(one in CRITICS) + (other in CRITICS)]
        astray = math.atanh(ASTRAY)
        narrowed = pl.max_horizontal(_narrowness(one), _narrowness(other))
        agree = (
            (together * narrowed / (1 + together**2 * (narrowed**2 - 1)).sqrt())
            .clip(ASTRAY)
            .arctanh()
        )
        ranks = pl.corr(f"{one}_score", f"{other}_score", method="spearman").fill_nan(0.0)
        nats = (
            (pl.len() - 3.0)
            * (agree - astray)
            * (ranks.clip(-0.99, 0.99).arctanh() - (agree + astray) / 2)
        )
        found = (
            shared.group_by(f"{one}_provider", f"{other}_provider", maintain_order=True)
            .agg(pl.len().alias("movies"), nats.alias("nats"))
            .filter(pl.col("movies") >= PAIRED)
        )
        pairs += [((one, its), (other, theirs), nats) for its, theirs, _, nats in found.rows()]
    return pairs


def _narrowness(system: str) -> pl.Expr:
    """Return how wide a column's scores lie, against those of films at large; 1 at most."""
    return (pl.col(f"{system}_score").std() / DISPERSION[system]).clip(0.0, 1.0)


def _usual(system: str) -> pl.Expr:
    """Return a system's scores but for those that lie apart, which may be on another scale."""
    score = pl.col(f"{system}_score")
    away = (score - score.median()).abs()
    return pl.when(away <= APART * away.median()).then(score).alias(f"{system}_score")
