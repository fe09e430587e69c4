"""What is wrong with a whole column of ratings: one system's, as one provider gave them."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tmdbkit.ratings.aggregate import is_rated
from tmdbkit.ratings.agreement import DISPERSION, FILMS, HEARD, correlation
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
        "sure": pl.Boolean(),
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
# Standard errors by which that average must be above 0 to be sure: those of the worst films, which
# agree little, say about 3 nats each for either side.
SWAP_SURE = 3.0

# Rank correlations: the share of what the model lets one expect that the worst films keep to, who
# agree less than others; and of ratings that belong to other movies (lists of movies are rarely in
# random order).
KEPT, ASTRAY = 0.7, 0.1
# Nats by which a column must rather belong to other movies, to be worth a look and to be sure.
# Of 8,000 columns of random stages of real films, two stood above 4, and the highest at 4.5.
HINT, SURE = 4.0, 6.0
# The same by which it must fit better moved by some rows, which is the best of several tries.
MOVED_HINT, MOVED_SURE = 6.0, 10.0
TIED = 3.0  # nats within which it cannot be told which of two columns was moved
PLAIN = 20.0  # nats above which nobody need ask whether it would fit better moved by some rows
MOVES = (-3, -2, -1, 1, 2, 3)
APART = 4.0  # median absolute deviations
PAIRED = 8  # movies in which two columns can be compared
NARROWEST = 0.05  # of its dispersion: where all have the same points, there is nothing to correlate


Column = tuple[str, str | None]
Swap = tuple[str, str | None, str, str | None, str, bool]


class Pair(NamedTuple):
    """Two columns that share movies, and what their rank correlation says, in nats.

    Attributes:
        one: A column.
        other: Another.
        right: How much likelier they agree as they should than as ratings of other movies do.
        along: How much likelier they go up and down together, however closely, than not at all.
    """

    one: Column
    other: Column
    right: float
    along: float


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

    Where the movies are few, or agree little as the worst do, a column may only seem so: it is not
    sure then, and nothing else is judged by it.

    Args:
        ratings: Preferred ones, without those of columns that are known to be bad.
    """
    table = _side_by_side(_enough(ratings))
    swapped: list[tuple[str, str | None, str, bool, bool]] = []
    while len(swapped) < len(SYSTEMS) and (best := _likeliest_swap(table)):
        one, its, other, theirs, by, sure = best
        swapped += [(one, its, other, False, sure), (other, theirs, one, False, sure)]
        if not sure:
            break
        table = _put_back(table, one, its, other, theirs, by)
    astray = [(*column, None, True, sure) for column, sure in _astray(table).items()]
    return (
        pl.DataFrame([*swapped, *astray], FAULTS, orient="row")
        .sort("sure", descending=True, maintain_order=True)
        .unique(COLUMN, keep="first", maintain_order=True)
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
    """Return the two columns that each other's names fit best, where they fit far better.

    What is sure comes before what is only likely.
    """
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
        .sort("sure", "each", "one", "other", descending=[True, True, False, False])
    )
    return next(convincing.select("one", "its", "other", "theirs", "by", "sure").iter_rows(), None)


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
        .agg(
            pl.len().alias("movies"),
            pl.col("gain").mean().alias("each"),
            (pl.col("gain").mean() > SWAP_SURE * pl.col("gain").std() / pl.len().sqrt()).alias(
                "sure"
            ),
        )
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


def _astray(table: pl.DataFrame) -> dict[Column, bool]:
    """Return the columns that do not go with the others, and whether that is sure.

    The least fitting are taken out one by one. What is left is right when two providers say the
    same, or when one gave all columns; else it cannot be told which side is wrong, and all are
    returned.
    """
    table = table.with_columns(_usual(system) for system in SYSTEMS)
    pairs = _pairs(table, combinations(SYSTEMS, 2))
    columns = {column for pair in pairs for column in (pair.one, pair.other)}
    out: dict[Column, bool] = {}
    while left := columns - {*out}:
        gains = {column: _gain_by_moving(column, table, pairs, left) for column in left}
        most = max(gains.values())
        if most <= MOVED_HINT:
            break
        moved = (column for column in left if gains[column] > max(MOVED_HINT, most - TIED))
        out |= dict.fromkeys(moved, most > MOVED_SURE)
    while left := columns - {*out}:
        worst = min(left, key=lambda c: (_evidence(c, pairs, left), str(c)))
        if _evidence(worst, pairs, left) >= -HINT:
            break
        out[worst] = _evidence(worst, pairs, left) < -SURE
    surely = _to_blame({column for column, sure in out.items() if sure}, columns)
    accused = surely | _to_blame({*out}, columns)
    return {column: column in surely for column in sorted(accused, key=str)}


def _to_blame(out: set[Column], columns: set[Column]) -> set[Column]:
    left = columns - out
    vouched = len(left) > 1 and len(_providers(left)) >= min(2, len(_providers(columns)))
    return out if vouched or not out else columns


def _gain_by_moving(
    column: Column, table: pl.DataFrame, pairs: list[Pair], among: set[Column]
) -> float:
    """Return how much likelier a column goes with others some movies further, in order of ids.

    By all others together, but no more than by the one that says most: they mostly say the same.
    """
    if _evidence(column, pairs, among) > PLAIN:
        return 0.0
    (system, provider), score = column, pl.col(f"{column[0]}_score")
    rated = table.filter(score.is_not_null(), pl.col(f"{system}_provider").eq_missing(provider))
    ordered = rated.sort("tmdb_id")
    beside = [(system, other) for other in SYSTEMS if other != system]
    here, *moved = (
        {
            (pair.one, pair.other): pair.along
            for pair in _pairs(ordered.with_columns(score.shift(rows)), beside)
            if {pair.one, pair.other} <= among
        }
        for rows in (0, *MOVES)
    )
    gains = ([along - here[pair] for pair, along in there.items()] for there in moved)
    return max(min(sum(gain), max(gain, default=0.0)) for gain in gains)


def _providers(columns: set[Column]) -> set[str | None]:
    return {provider for _, provider in columns}


def _evidence(column: Column, pairs: list[Pair], among: set[Column]) -> float:
    """Return how much likelier a column is right than of other movies, by the others left."""
    return sum(
        pair.right
        for pair in pairs
        if column in (pair.one, pair.other) and {pair.one, pair.other} <= among
    )


def _pairs(table: pl.DataFrame, systems: Iterable[tuple[str, str]]) -> list[Pair]:
    """Return each two columns that share movies, and what their rank correlation says.

    Log likelihood ratios: its inverse hyperbolic tangent has a normal error of
    1 / sqrt(movies - 3) (Fisher, "On the probable error of a coefficient of correlation", Metron 1,
    1921).
    """
    pairs: list[Pair] = []
    astray = math.atanh(ASTRAY)
    for one, other in systems:
        shared = table.drop_nulls([f"{one}_score", f"{other}_score"])
        if shared.height < PAIRED:
            continue
        agree = _least_agreement(one, other).clip(ASTRAY).arctanh()
        ranks = pl.corr(f"{one}_score", f"{other}_score", method="spearman").fill_nan(0.0)
        seen = ranks.clip(-0.99, 0.99).arctanh()
        right = (pl.len() - 3.0) * (agree - astray) * (seen - (agree + astray) / 2)
        along = (pl.len() - 3.0) * seen.clip(lower_bound=0.0) ** 2 / 2
        found = (
            shared.group_by(f"{one}_provider", f"{other}_provider", maintain_order=True)
            .agg(right.alias("right"), along.alias("along"), pl.len().alias("movies"))
            .filter(pl.col("movies") >= PAIRED)
        )
        pairs += [
            Pair((one, its), (other, theirs), right, along)
            for its, theirs, right, along, _ in found.rows()
        ]
    return pairs


def _least_agreement(one: str, other: str) -> pl.Expr:
    """Return the least correlation to be expected of two systems' scores of the same movies.

    Less than of films at large where these have been chosen, such as the best of all, by one of the
    two or by another system (Thorndike, "Personnel Selection", 1949, cases 2 and 3); which one it
    was is not known, and the least counts.
    """
    among_chosen = []
    for by in SYSTEMS:
        lost, a, b = 1 - _narrowness(by) ** 2, correlation(one, by), correlation(other, by)
        kept = (1 - a**2 * lost).sqrt() * (1 - b**2 * lost).sqrt()
        among_chosen.append((correlation(one, other) - a * b * lost) / kept)
    return KEPT * pl.min_horizontal(among_chosen)


def _narrowness(system: str) -> pl.Expr:
    """Return how wide a column's scores lie, against those of films at large; 1 at most."""
    score = pl.col(f"{system}_score")
    width = (score.std() / DISPERSION[system]).clip(NARROWEST, 1.0)
    return pl.when(score.count() >= PAIRED).then(width)


def _usual(system: str) -> pl.Expr:
    """Return a system's scores but for those that lie apart, which may be on another scale."""
    score = pl.col(f"{system}_score")
    away = (score - score.median()).abs()
    return pl.when(away <= APART * away.median()).then(score).alias(f"{system}_score")
