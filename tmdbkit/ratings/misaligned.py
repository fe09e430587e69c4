"""Columns of ratings that belong to other movies: they go up and down with no other."""

from __future__ import annotations

import math

import polars as pl

from tmdbkit.ratings.agreement import POINTS, VOTES, Model
from tmdbkit.ratings.scales import LEAST, Column
from tmdbkit.schema import SYSTEMS

# Of the correlation that a column's own spread lets one expect, stages of real films keep so much
# on average, and one by one it differs by so much; ratings of other movies have that of chance and
# of lists in order.
KEPT, KEPT_DEVIATION, ASTRAY, ASTRAY_DEVIATION = 0.9, 0.1, 0.05, 0.1
BESIDE = 1.5  # nats for the votes that speak for the points beside them, at most
SURE = 3.0  # nats by which a column must rather belong to other movies
UNDECIDED = 6.0  # the same where it may as well be another that does


def misaligned(table: pl.DataFrame) -> dict[Column, str]:
    """Return the columns that do not go with the others.

    The least fitting are taken out one by one. What is left is right when two of it say the same,
    of two providers unless one gave all columns; else it cannot be told which side is wrong.
    """
    evidence, bad = _evidence(table), set[Column]()
    columns, least = {*evidence}, min(evidence.values(), default=0.0)
    while evidence and min(evidence.values()) < -SURE:
        worst = min(evidence, key=lambda column: (evidence[column], str(column)))
        bad.add(worst)
        table = _silenced(table, worst)
        evidence = _evidence(table)
    vouched = {column for column, nats in evidence.items() if nats > 0}
    providers = {provider for _, provider in vouched}
    needed = min(2, len({provider for _, provider in columns}))
    if len({system for system, _ in vouched}) > 1 and len(providers) >= needed:
        return dict.fromkeys(bad, "others")
    return dict.fromkeys(columns if least < -UNDECIDED else (), "one_of_two")


def _evidence(table: pl.DataFrame) -> dict[Column, float]:
    """Return how much likelier a column is right than of other movies, in nats.

    Points may have been moved without their votes, so that what speaks for these says little.
    """
    points, votes = (_going_along(table, model) for model in (POINTS, VOTES))
    return {column: nats + min(votes.get(column, 0.0), BESIDE) for column, nats in points.items()}


def _going_along(table: pl.DataFrame, model: Model) -> dict[Column, float]:
    """Return how much likelier a column is right than of other movies, in nats, by some values.

    A log likelihood ratio: the inverse hyperbolic tangent of its correlation with what the others
    let one expect has a normal error of 1 / sqrt(movies - 3) (Fisher, "On the probable error of a
    coefficient of correlation", Metron 1, 1921). Where its values or what is expected of them lie
    closer together than those of films at large, less of it is expected.
    """
    compared = model.compare(table)
    found: dict[Column, float] = {}
    for system in SYSTEMS:
        name = f"{system}_{model.of}"
        value, expected = pl.col(name), pl.col(f"{name}_expected")
        by = compared.filter(value.is_not_null(), model.others(system) > 0)
        grouped = by.group_by(f"{system}_provider", maintain_order=True).agg(
            pl.len(),
            pl.corr(value, expected, method="spearman").alias("seen"),
            value.var().alias("own"),
            expected.var().alias("told"),
            (pl.col(f"{name}_deviation") ** 2).mean().alias("rest"),
        )
        for provider, movies, seen, own, told, rest in grouped.rows():
            if movies >= LEAST and own and told and seen is not None and math.isfinite(seen):
                share = min(told / (told + rest), max(1 - rest / own, 0.0))
                found[system, provider] = _likelihood_ratio(movies, seen, math.sqrt(share))
    return found


def _likelihood_ratio(movies: int, seen: float, agreement: float) -> float:
    """Return it one-sided: nothing speaks against going together more closely than is expected."""
    z, sampling = math.atanh(min(max(seen, -0.99), 0.99)), 1 / (movies - 3)
    right = max(KEPT * math.atanh(min(agreement, 0.99)), ASTRAY)
    too_little, too_much = min(z - right, 0.0), max(z - ASTRAY, 0.0)
    of_right = sampling + (KEPT_DEVIATION * (1 + right)) ** 2
    return (too_much**2 / (sampling + ASTRAY_DEVIATION**2) - too_little**2 / of_right) / 2


def _silenced(table: pl.DataFrame, column: Column) -> pl.DataFrame:
    system, provider = column
    its = pl.col(f"{system}_provider").eq_missing(provider)
    return table.with_columns(
        pl.when(~its).then(f"{system}_{name}").alias(f"{system}_{name}")
        for name in ("raw", "score", "count")
    )
