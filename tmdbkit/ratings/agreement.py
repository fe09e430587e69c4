"""What ratings should be by the other systems: joint models of the five's points and votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import combinations, combinations_with_replacement

import polars as pl

from tmdbkit.schema import SYSTEMS

PAIRS = tuple(combinations(SYSTEMS, 2))
LOG_DETERMINANT = "log determinant"
UNKNOWN = 1e8  # the variance of a value that is not there: it says nothing
UNTOLD = 1e6  # votes that are not told are many: who tells none publishes nothing before
PRIOR = 50  # ratings of a system from which on a stage's own level and width count more
INNER = 0.8  # the share of a system's residuals that tells its width, which faults move little
WIDTHS = (0.7, 1.6)  # faults and good luck move a system's width no further than this
ROUNDS = 4  # of moving the level that is farthest off
WIDENED = 2  # rounds of learning the widths, after which hardly anything changes


@dataclass(frozen=True)
class Model:
    """Five values of one film as a multivariate normal distribution with noise of few votes.

    The correlations are constants; levels and widths may be a stage's own.

    Attributes:
        of: The values: `score`, points of 100, or `count`, log10 of votes.
        level: What a film at large has.
        dispersion: How far films lie apart, but for the noise.
        correlation: How two systems' values of the same films go together, in order of `PAIRS`.
        scatter: How far off the value of a single vote is; the noise of n votes is 1 / sqrt(n) of
            it.
        bands: Of 100 right values with two others or more, one lies below and one above, in
            standard deviations.
        inner: The deviations within which `INNER` of those lie whose movies have all of them in
            their bands.
        range: The least and the highest value of real films.
        width: How much wider the residuals of a stage are.
    """

    of: str
    level: Mapping[str, float]
    dispersion: Mapping[str, float]
    correlation: tuple[float, ...]
    scatter: Mapping[str, float]
    bands: Mapping[str, tuple[float, float]]
    inner: Mapping[str, float]
    range: Mapping[str, tuple[float, float]]
    width: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(SYSTEMS, 1.0))

    def compare(self, table: pl.DataFrame) -> pl.DataFrame:
        """Add what the others of a movie let one expect of each system's value.

        The mean and standard deviation given all other values, from the inverse of the covariance
        of all five (Dubrule, "Cross validation of kriging in a unique neighborhood", Mathematical
        Geology 15, 1983).

        Args:
            table: With `{system}_{of}`, null where unknown, and `{system}_votes`; a value by which
                nothing is to be expected of others is true in `{system}_{of}_silent`.

        Returns:
            The same rows and columns, and of each system `_expected`, `_deviation`, `_residual` in
            deviations, `_off` in bands, all after `{system}_{of}`.
        """
        told = self._heard(table)
        expected = pl.concat([told, self.precision(told)], how="horizontal").select(self._told)
        judged = table.drop(expected.columns, strict=False)
        rows = pl.concat([judged, expected], how="horizontal").lazy()
        return rows.with_columns(self._residuals).with_columns(self._offs).collect()

    def odds_without(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return of each row and system how far off the worst of the others is without its value.

        From the precision of all: leaving one out is one more sweep.
        """
        told = self._heard(table)
        cells = pl.concat([told, self.precision(told)], how="horizontal").lazy()
        pulls = cells.with_columns(pull.alias(f"{s}_pull") for s, pull in self._pulls.items())
        return pulls.select(self._odds_without).collect()

    def precision(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the inverse of the covariance of each row's values, noise included.

        By sweeping (Goodnight, "A tutorial on the SWEEP operator", The American Statistician 33,
        1979), all rows at a time.
        """
        swept = table.lazy().select(*self._covariances, pl.lit(0.0).alias(LOG_DETERMINANT))
        for pivot in SYSTEMS:
            swept = swept.select(_sweep(pivot))
        return swept.select(-pl.all()).collect()

    def log_density(self, table: pl.DataFrame) -> pl.Series:
        """Return how likely each row's values are together, up to what is the same for as many."""
        cells = pl.concat([table, self.precision(table)], how="horizontal")
        distance = pl.sum_horizontal(self._away(s) * self._pulls[s] for s in SYSTEMS)
        density = -(distance + pl.col(LOG_DETERMINANT)) / 2
        return cells.select(density.alias("density")).to_series()

    def gain_by_swap(self, one: str, other: str) -> pl.Expr:
        """Return how much likelier a row is with two values exchanged, from its precision."""
        step = self.value(other) - self.value(one)
        pull = self._pulls[one] - self._pulls[other]
        curve = pl.col(cell(one, one)) + pl.col(cell(other, other)) - 2 * pl.col(cell(one, other))
        return -step * pull - step**2 * curve / 2

    def fitted(self, table: pl.DataFrame) -> Model:
        """Return the model with the levels and widths of these movies, as far as they count.

        Medians and inner quantiles, so that what is wrong with some of them moves little; one level
        at a time, since one that is off makes all others seem so.
        """
        known = {s: self.value(s).is_not_null() & (self.others(s) > 0) for s in SYSTEMS}
        counts = _row(table, {s: known[s].sum() for s in SYSTEMS})
        weight = {s: counts[s] / (counts[s] + PRIOR) for s in SYSTEMS}
        if not any(weight.values()):
            return self
        told = pl.concat([table, self.precision(table)], how="horizontal")
        model = self
        for _ in range(ROUNDS):
            away = {s: model._above_expected(s).filter(known[s]) for s in SYSTEMS}
            median = _row(told, {s: away[s].median() for s in SYSTEMS})
            step = {s: median[s] * weight[s] for s in SYSTEMS}
            most = max(SYSTEMS, key=lambda s: abs(step[s]) / self.dispersion[s])
            model = replace(model, level={**model.level, most: model.level[most] + step[most]})
        for _ in range(WIDENED):
            inner = model._inner(told, known)
            wider = {s: model.width[s] * inner[s] / self.inner[s] - 1 for s in SYSTEMS}
            width = {s: min(max(1 + weight[s] * wider[s], WIDTHS[0]), WIDTHS[1]) for s in SYSTEMS}
            model = replace(model, width=width)
        return model

    def explained(self, table: pl.DataFrame) -> pl.Series:
        """Return which part of the variance of the five's mean a row's known values explain."""
        joint = {
            s: sum(self.covariance(s, o) / self.dispersion[o] for o in SYSTEMS) for s in SYSTEMS
        }
        whole = sum(joint[s] / self.dispersion[s] for s in SYSTEMS)
        known = pl.sum_horizontal(
            pl.col(cell(a, b)) * (joint[a] * joint[b] * (1 if a == b else 2)) for a, b in CELLS
        )
        return self.precision(table).select((known / whole).alias("explained")).to_series()

    def name(self, system: str) -> str:
        """Return the column of a system's value."""
        return f"{system}_{self.of}"

    def value(self, system: str) -> pl.Expr:
        """Return a system's value."""
        return pl.col(self.name(system))

    def others(self, system: str) -> pl.Expr:
        """Return how many other systems have a value."""
        return pl.sum_horizontal(self.value(s).is_not_null() for s in SYSTEMS if s != system)

    def residual(self, system: str, value: pl.Expr) -> pl.Expr:
        """Return how many deviations a value is above the expected one."""
        name = self.name(system)
        expected = pl.col(f"{name}_expected").clip(*self.range[system])
        return (value - expected) / pl.col(f"{name}_deviation")

    def off(self, system: str, residual: pl.Expr) -> pl.Expr:
        """Return how many of its system's bands a residual is wide."""
        below, above = self.bands[system]
        return pl.when(residual < 0).then(-residual / below).otherwise(residual / above)

    def covariance(self, one: str, other: str) -> float:
        """Return how two systems vary together."""
        if one == other:
            return self.dispersion[one] ** 2
        correlation = self.correlation[PAIRS.index((min(one, other), max(one, other)))]
        return correlation * self.dispersion[one] * self.dispersion[other]

    # What is made of a table, built once: it takes longer than small tables take to compute.

    @cached_property
    def _covariances(self) -> list[pl.Expr]:
        return [
            (self._diagonal(a) if a == b else pl.lit(self.covariance(a, b))).alias(cell(a, b))
            for a, b in CELLS
        ]

    @cached_property
    def _pulls(self) -> dict[str, pl.Expr]:
        away = {s: self._away(s) for s in SYSTEMS}
        return {
            s: pl.sum_horizontal(pl.col(cell(s, o)) * away[o] for o in SYSTEMS) for s in SYSTEMS
        }

    @cached_property
    def _told(self) -> list[pl.Expr]:
        told = {"expected": self._expected, "deviation": self._deviation}
        return [of(s).alias(f"{self.name(s)}_{what}") for s in SYSTEMS for what, of in told.items()]

    @cached_property
    def _residuals(self) -> list[pl.Expr]:
        return [self.residual(s, self.value(s)).alias(f"{self.name(s)}_residual") for s in SYSTEMS]

    @cached_property
    def _offs(self) -> list[pl.Expr]:
        names = {s: self.name(s) for s in SYSTEMS}
        return [self.off(s, pl.col(f"{n}_residual")).alias(f"{n}_off") for s, n in names.items()]

    @cached_property
    def _odds_without(self) -> list[pl.Expr]:
        return [
            pl.when(self.value(silent).is_not_null())
            .then(pl.max_horizontal(self._off_without(s, silent) for s in SYSTEMS if s != silent))
            .alias(silent)
            for silent in SYSTEMS
        ]

    def _heard(self, table: pl.DataFrame) -> pl.DataFrame:
        silent = {s: f"{self.name(s)}_silent" for s in SYSTEMS}
        return table.with_columns(
            pl.when(~pl.col(name)).then(self.value(s)).alias(self.name(s))
            for s, name in silent.items()
            if name in table.columns
        )

    def _off_without(self, system: str, silent: str) -> pl.Expr:
        shared = pl.col(cell(system, silent)) / pl.col(cell(silent, silent))
        pull = pl.col(f"{system}_pull") - shared * pl.col(f"{silent}_pull")
        precision = pl.col(cell(system, system)) - shared * pl.col(cell(system, silent))
        residual = pull / precision.sqrt() / self.width[system]
        return pl.when(self.value(system).is_not_null()).then(self.off(system, residual))

    def _noise(self, system: str) -> pl.Expr:
        votes = pl.col(f"{system}_votes").fill_null(UNTOLD).clip(lower_bound=1)
        return self.scatter[system] ** 2 / votes

    def _diagonal(self, system: str) -> pl.Expr:
        noise = pl.when(self.value(system).is_null()).then(UNKNOWN).otherwise(self._noise(system))
        return noise + self.covariance(system, system)

    def _away(self, system: str) -> pl.Expr:
        return (self.value(system) - self.level[system]).fill_null(0.0)

    def _expected(self, system: str) -> pl.Expr:
        own = self.level[system] + self._away(system)
        return own - self._pulls[system] / pl.col(cell(system, system))

    def _inner(self, told: pl.DataFrame, known: Mapping[str, pl.Expr]) -> dict[str, float]:
        """Return within how many deviations `INNER` of the residuals of movies in order lie.

        A movie with a value beyond its band is not: what is wrong makes the others seem so.
        """
        residuals = told.select(
            pl.when(known[s]).then(self._above_expected(s) / self._deviation(s)).alias(s)
            for s in SYSTEMS
        )
        off = pl.max_horizontal(self.off(s, pl.col(s)) for s in SYSTEMS)
        inner = {s: pl.col(s).abs().quantile(INNER) for s in SYSTEMS}
        return _row(residuals.filter(off < 1), inner)

    def _above_expected(self, system: str) -> pl.Expr:
        return self.value(system) - self._expected(system).clip(*self.range[system])

    def _deviation(self, system: str) -> pl.Expr:
        noise = self._diagonal(system) - self.covariance(system, system)
        others = 1 / pl.col(cell(system, system)) - noise + self._noise(system)
        return self.width[system] * others.clip(lower_bound=1e-4).sqrt()


def _row(table: pl.DataFrame, exprs: Mapping[str, pl.Expr]) -> dict[str, float]:
    """Return one value each, 0 where nothing is known, all computed at once."""
    chosen = table.select(expr.fill_null(0.0).alias(name) for name, expr in exprs.items())
    return chosen.row(0, named=True)


def cell(one: str, other: str) -> str:
    """Return the name of a column of a symmetric matrix."""
    return f"{min(one, other)}*{max(one, other)}"


CELLS = tuple(combinations_with_replacement(SYSTEMS, 2))


@cache
def _sweep(pivot: str) -> list[pl.Expr]:
    """Return all cells and the determinant after one more sweep."""
    determinant = pl.col(LOG_DETERMINANT) - pl.col(cell(pivot, pivot)).log()
    return [*(_swept(a, b, pivot).alias(cell(a, b)) for a, b in CELLS), determinant]


def _swept(one: str, other: str, pivot: str) -> pl.Expr:
    own, diagonal = pl.col(cell(one, other)), pl.col(cell(pivot, pivot))
    if one == other == pivot:
        return -1 / own
    if pivot in (one, other):
        return own / diagonal
    return own - pl.col(cell(one, pivot)) * pl.col(cell(other, pivot)) / diagonal


def _each(*values: float) -> dict[str, float]:
    return dict(zip(SYSTEMS, values, strict=True))


def _pairs(*values: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return dict(zip(SYSTEMS, values, strict=True))


# Of real films from public tables of 2011 to 2025: the multivariate t distribution of four degrees
# of freedom that makes what is known of them likeliest, where what a film lacks is made up for by
# what it has (Liu and Rubin, "ML estimation of the t distribution using EM and its extensions",
# Statistica Sinica 5, 1995), rounded; and the quantiles of the residuals.
POINTS = Model(
    of="score",
    level=_each(63.1, 60.4, 55.9, 57.4, 62.2),
    dispersion=_each(10.8, 12.1, 18.2, 29.0, 8.9),
    correlation=(0.928, 0.81, 0.828, 0.965, 0.847, 0.857, 0.919, 0.946, 0.756, 0.774),
    scatter=_each(56.0, 30.0, 9.0, 5.0, 18.0),
    bands=_pairs((4.1, 2.7), (2.9, 3.3), (2.8, 2.8), (2.45, 2.45), (2.4, 3.4)),
    inner=_each(1.35, 1.27, 1.32, 1.25, 1.35),
    range=_pairs((15.0, 93.0), (22.0, 92.0), (5.0, 100.0), (0.0, 100.0), (15.0, 92.0)),
)
VOTES = Model(
    of="count",
    level=_each(3.34, 3.22, 1.15, 1.09, 1.69),
    dispersion=_each(1.01, 1.0, 0.22, 0.64, 0.96),
    correlation=(0.95, 0.799, 0.846, 0.973, 0.732, 0.762, 0.96, 0.981, 0.722, 0.767),
    scatter=_each(0.45, 0.45, 0.45, 0.45, 0.45),
    bands=_pairs((4.0, 3.3), (3.0, 3.5), (3.0, 3.0), (3.0, 3.0), (3.3, 4.5)),
    inner=_each(1.31, 1.42, 1.42, 1.18, 1.3),
    range=dict.fromkeys(SYSTEMS, (0.0, 8.0)),
)
