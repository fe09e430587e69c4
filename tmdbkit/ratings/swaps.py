"""Columns of ratings that have each other's names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from tmdbkit.ratings.agreement import PAIRS, POINTS, VOTES
from tmdbkit.ratings.model import STEPS, too_fine
from tmdbkit.ratings.scales import FARTHEST, LEAST, Column, misfit
from tmdbkit.schema import SCALES, SYSTEMS

# Nats that one movie may say for or against; their mean, that of the points alone, their sum, and
# by how many standard errors the mean must be above 0.
FARTHEST_GAIN, EACH, BY_POINTS, TOGETHER, ERRORS = 3.0, 0.15, 0.1, 6.0, 3.0
# The same where few movies have both: what only one has may fit the other by its level alone.
ERRORS_BY_FEW, SHARED = 8.0, 0.15
# The same where the finer system's column has no more than the other's steps.
ERRORS_BY_STEPS, WORTH_A_LOOK = 1.5, -0.25
# Nats: columns that have their right names have less misfit on average.
FITS, FITS_BY_HALF = 1.5, 2.0
MOST = 0.5  # of the movies that two columns could share: columns are swapped as a whole


class Swap(NamedTuple):
    """Two columns that may have each other's names, and by how many standard errors.

    Their points are each other's as they are, or on the scale of the other.
    """

    errors: float
    one: Column
    other: Column
    as_they_are: bool = False


def impossible(table: pl.DataFrame) -> Iterator[Swap]:
    """Yield the columns of other scales, one of which mostly cannot be true, that change places."""
    for one, other in PAIRS:
        if SCALES[one] == SCALES[other]:
            continue
        low = min(one, other, key=lambda system: SCALES[system])
        its, theirs = f"{one}_provider", f"{other}_provider"
        impossible = (
            table.drop_nulls([f"{one}_raw", f"{other}_raw"])
            .group_by(its, theirs, maintain_order=True)
            .agg(pl.len(), (pl.col(f"{low}_raw") > 100).mean().alias("share"))
        )
        for provider, another, movies, share in impossible.rows():
            swap = Swap(0.0, (one, provider), (other, another), as_they_are=True)
            is_likely = movies >= LEAST // 2 and share > MOST
            if is_likely and _fits(POINTS.compare(table), swap):
                yield swap


def swaps(table: pl.DataFrame) -> Iterator[Swap]:
    """Yield the columns that each other's names fit better, the best first."""
    for _ in range(len(SYSTEMS) // 2):
        best = max(_likely_swaps(table), key=lambda swap: swap.errors, default=None)
        if best is None:
            return
        yield best
        table = exchanged(table, best)


def _likely_swaps(table: pl.DataFrame) -> Iterator[Swap]:
    compared = POINTS.compare(table)
    gains = pl.concat([table, POINTS.precision(table)], how="horizontal").select(
        *(f"{system}_provider" for system in SYSTEMS),
        *(POINTS.gain_by_swap(*pair).alias(" ".join(pair)) for pair in PAIRS),
    )
    right = {model.of: model.log_density(table) for model in (POINTS, VOTES)}
    for one, other in PAIRS:
        its, theirs = f"{one}_provider", f"{other}_provider"
        pairs = (
            gains.select(its, theirs, gain=f"{one} {other}")
            .drop_nulls("gain")
            .group_by(its, theirs, maintain_order=True)
            .agg(pl.len(), pl.col("gain").clip(-FARTHEST_GAIN, FARTHEST_GAIN).mean())
            .filter(
                pl.col("len") >= LEAST // 2,
                pl.col("gain") > WORTH_A_LOOK,
                *(pl.col("len") > MOST * pl.col("len").sum().over(name) for name in (its, theirs)),
            )
        )
        for provider, another, shared, gain in pairs.rows():
            swap = Swap(0.0, (one, provider), (other, another))
            by_steps = _has_steps_of_the_other(table, swap)
            most = FITS_BY_HALF if by_steps else FITS
            if not ((by_steps or gain > 0) and _fits(compared, swap, most)):
                continue
            swapped = exchanged(table, swap)
            points, votes = (
                (model.log_density(swapped) - right[model.of]).clip(-FARTHEST_GAIN, FARTHEST_GAIN)
                for model in (POINTS, VOTES)
            )
            several = pl.any_horizontal(
                pl.col(f"{s}_score").is_not_null() & (POINTS.others(s) > 0) for s in (one, other)
            )
            judged = table.select(several & _is_of(swap)).to_series()
            swap_gains = [gain.filter(judged) for gain in (points, points + votes)]
            errors = max(map(_errors, swap_gains))
            few = shared < max(LEAST, SHARED * int(judged.sum()))
            needed = ERRORS_BY_STEPS if by_steps else ERRORS_BY_FEW if few else ERRORS
            if errors > needed and _mean(swap_gains[0]) > BY_POINTS:
                yield swap._replace(errors=errors)


def _has_steps_of_the_other(table: pl.DataFrame, swap: Swap) -> bool:
    """Return whether the finer system's column has only values that the coarser one could have.

    Where a system's own digits are shown, a fifth of its values are such by chance, or fewer.
    """
    steps = {s: STEPS[s] * 100 / SCALES[s] for s, _ in (swap.one, swap.other)}
    fine, coarse = sorted(steps, key=lambda s: steps[s])
    values = table.filter(_is_of(swap))[f"{fine}_raw"].drop_nulls()
    if steps[fine] == steps[coarse] or len(values) < LEAST:
        return False
    return not values.to_frame("raw").select(too_fine(pl.col("raw"), steps[coarse]).any()).item()


def _errors(gain: pl.Series) -> float:
    """Return by how many of its standard errors a mean gain is above 0; 0 where it is small."""
    mean = _mean(gain)
    enough = gain.len() >= LEAST and mean > EACH and mean * gain.len() > TOGETHER
    return mean / (float(gain.std() or 0.0) + 0.1) * math.sqrt(gain.len()) if enough else 0.0  # type: ignore[arg-type]


def _mean(gain: pl.Series) -> float:
    return float(gain.mean() or 0.0)  # type: ignore[arg-type]


def _fits(compared: pl.DataFrame, swap: Swap, most: float = FITS) -> bool:
    """Return whether two columns fit by each other's names as closely as right ones do.

    The best films are beyond what a normal distribution lets one expect of the critics: what fits
    by half as much misfit may fit less closely.
    """
    before = _misfits(compared, swap)
    after = _misfits(POINTS.compare(exchanged(compared, swap)), swap)
    limit = FITS_BY_HALF if sum(after) < sum(before) / 2 else most
    return max(after) < limit


def _misfits(compared: pl.DataFrame, swap: Swap) -> list[float]:
    worst = FARTHEST**2 / 2
    known = {s: (POINTS.others(s) > 0) & pl.col(f"{s}_raw").is_not_null() for s in SYSTEMS}
    fits = compared.select(
        misfit(pl.col(f"{s}_score_residual")).fill_null(worst).filter(known[s]).mean().alias(s)
        for s, _ in (swap.one, swap.other)
    )
    return [worst if fit is None else fit for fit in fits.row(0)]


def _is_of(swap: Swap) -> pl.Expr:
    """Return whether a movie has no other ratings of two systems than those of these columns."""
    return pl.all_horizontal(
        pl.col(f"{system}_provider").is_null() | pl.col(f"{system}_provider").eq_missing(provider)
        for system, provider in (swap.one, swap.other)
    )


def exchanged(table: pl.DataFrame, swap: Swap) -> pl.DataFrame:
    """Give two systems each other's values, as far as they are of these columns."""
    names = ("raw", "score", "count", "votes")
    taken: dict[str, pl.Expr] = {}
    for (system, provider), source in ((swap.one, swap.other[0]), (swap.other, swap.one[0])):
        values = {name: pl.col(f"{source}_{name}") for name in names}
        if swap.as_they_are:
            values["raw"] *= SCALES[source] / SCALES[system]
            values["score"] = pl.when(values["raw"].is_between(0, 100)).then(values["raw"])
        named = pl.col(f"{source}_provider").is_not_null() | (provider is None)
        values["provider"] = pl.when(named).then(pl.lit(provider, pl.String))
        taken |= {f"{system}_{name}": value for name, value in values.items()}
    return table.with_columns(
        pl.when(_is_of(swap)).then(value).otherwise(name).alias(name)
        for name, value in taken.items()
    )
