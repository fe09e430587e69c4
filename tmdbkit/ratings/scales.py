"""Columns of points on another scale, and of votes off by a factor, as a whole or in part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import polars as pl

from tmdbkit.ratings.agreement import POINTS, VOTES, Model
from tmdbkit.schema import SCALES, SYSTEMS

Column = tuple[str, str | None]

LEAST = 8  # movies by which a column can be judged
FITS = {"score": 2.0, "count": 1.4}  # nats: right columns have less misfit on average
FARTHEST = 4.0  # standard deviations; what is farther off is no better a witness
# Other scales on which points are given, and by what counts of votes are off, in powers of ten.
OTHERS = {POINTS.of: (1.0, 5.0, 10.0, 100.0), VOTES.of: (-3.0, 3.0)}
EACH, ERRORS = 1.0, 4.0  # nats a movie, and standard errors of their mean, to be sure of a scale
CLEARLY = 4.0  # nats by which a single value must fit better to count for its column
# For each right value that fits somewhat better, so many fit clearly better, at most. How many do
# either depends on the films: angry voters halve a rating, too, of the worst films most of all.
BY_CHANCE = dict(zip(SYSTEMS, (0.5, 0.8, 0.2, 0.2, 0.2), strict=True))
MOST = 0.99  # of a column, where not all of it is on another scale
SEEN = 0.75  # of values that are on another scale, those that fit clearly better there


class Gain(NamedTuple):
    """How much better a column fits otherwise, in nats: on average, and in standard errors."""

    of: str
    column: Column
    other: float
    each: float
    errors: float
    misfit: float
    share: float


def misfit(residual: pl.Expr) -> pl.Expr:
    """Return how much less likely a value is than the expected one, in nats, up to a limit."""
    return residual.clip(-FARTHEST, FARTHEST) ** 2 / 2


def other_values(system: str, of: str, other: float) -> pl.Expr:
    """Return a system's values if they were on another scale, or off by a factor of votes."""
    if of == "count":
        return pl.col(f"{system}_count") - other
    value = pl.col(f"{system}_raw") * SCALES[system] / other
    return pl.when(value <= 100).then(value)


def put_on_scale(table: pl.DataFrame, model: Model) -> tuple[list[Gain], pl.DataFrame]:
    """Return what fits better on another scale, the best first, and the table with that put right.

    What is on another scale makes all others seem wrong, so it is put right before they are judged.
    """
    found: list[Gain] = []
    while True:
        gains = [*_gains(model.compare(table), model)]
        whole = [g for g in gains if is_whole(g) and g.column not in {f.column for f in found}]
        if not whole:
            known = {g.column for g in found}
            partly = [g for g in gains if g.share > 0 and g.column not in known]
            return [*found, *partly], table
        best = max(whole, key=lambda gain: gain.each)
        found.append(best)
        table = _corrected(table, model, best)


def is_whole(gain: Gain) -> bool:
    """Return whether all of the column fits better so, as closely as right ones fit."""
    return gain.each > EACH and gain.errors > ERRORS and gain.misfit < FITS[gain.of]


def without_others(table: pl.DataFrame, model: Model, gains: Iterable[Gain]) -> pl.DataFrame:
    """Return the table without the values that are clearly on the other scale of their column.

    A fifth of a column would else make all that is learned of it as wide as it can be.
    """
    partly = [gain for gain in gains if gain.share > 0 and not is_whole(gain)]
    if not partly:
        return table
    compared = model.compare(table)
    clear = {
        system: [_is_clear(model, g) for g in partly if g.column[0] == system] for system in SYSTEMS
    }
    kept = compared.select(
        pl.when(~pl.any_horizontal(exprs)).then(model.value(s)).alias(model.name(s))
        for s, exprs in clear.items()
        if exprs
    )
    return table.with_columns(kept)


def _is_clear(model: Model, gain: Gain) -> pl.Expr:
    """Return whether a value is of the column, and clearly on the other scale."""
    system, provider = gain.column
    its = pl.col(f"{system}_provider").eq_missing(provider)
    return its & (_gain(model, system, gain.other) > CLEARLY)


def _gains(compared: pl.DataFrame, model: Model) -> Iterator[Gain]:
    for system in SYSTEMS:
        raw = pl.col(f"{system}_{'raw' if model.of == 'score' else 'count'}")
        others = [o for o in OTHERS[model.of] if model.of == "count" or o != SCALES[system]]
        judged = compared.filter(raw.is_not_null(), model.others(system) > 0).select(
            pl.col(f"{system}_provider").alias("provider"),
            *(_gain(model, system, other).alias(f"gain {other}") for other in others),
            *(_misfit_there(model, system, other).alias(f"misfit {other}") for other in others),
        )
        columns = judged.group_by("provider", maintain_order=True).agg(
            pl.len(), *(_fit(system, other).alias(str(other)) for other in others)
        )
        for provider, movies, *fits in columns.rows():
            for other, fit in zip(others, fits, strict=True):
                enough = movies >= LEAST and fit["errors"] is not None and fit["misfit"] is not None
                sure = fit["errors"] if enough else 0.0
                yield Gain(
                    model.of,
                    (system, provider),
                    other,
                    fit["each"],
                    sure,
                    fit["misfit"] or 0.0,
                    fit["share"],
                )


def _fit(system: str, other: float) -> pl.Expr:
    """Return how well a column's values fit on another scale, as a struct."""
    gain = pl.col(f"gain {other}")
    by_chance = BY_CHANCE[system] * gain.is_between(0, CLEARLY).sum()
    surplus = (gain > CLEARLY).sum() - by_chance
    is_sure = surplus > 2 * (by_chance + 1).sqrt()
    return pl.struct(
        each=gain.mean(),
        errors=gain.mean() / (gain.std() + 0.1) * pl.len().sqrt(),
        misfit=pl.col(f"misfit {other}").mean(),
        share=pl.when(is_sure).then(surplus / SEEN / pl.len()).otherwise(0.0).clip(0.0, MOST),
    )


def _gain(model: Model, system: str, other: float) -> pl.Expr:
    """Return how much better each value fits on another scale, in nats."""
    worst = FARTHEST**2 / 2
    own = misfit(pl.col(f"{system}_{model.of}_residual")).fill_null(worst)
    return own - _misfit_there(model, system, other).fill_null(worst)


def _misfit_there(model: Model, system: str, other: float) -> pl.Expr:
    return misfit(model.residual(system, other_values(system, model.of, other)))


def _corrected(table: pl.DataFrame, model: Model, gain: Gain) -> pl.DataFrame:
    (system, provider), name = gain.column, "raw" if model.of == "score" else "count"
    value = other_values(system, model.of, gain.other)
    its = pl.col(f"{system}_provider").eq_missing(provider)
    table = table.with_columns(
        pl.when(its).then(value).otherwise(f"{system}_{name}").alias(f"{system}_{name}")
    )
    if name == "count":
        return table
    raw = pl.col(f"{system}_raw")
    return table.with_columns(pl.when(raw.is_between(0, 100)).then(raw).alias(f"{system}_score"))
