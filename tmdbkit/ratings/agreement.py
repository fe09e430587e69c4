"""What a rating should be, by the other systems: one joint model of the five, kept in constants."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.schema import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# All in points of 100. Of 3,628 real films with four systems or all five, from public tables of
# 2011 to 2025: the normal distribution that makes their ratings likeliest, where what a film lacks
# is made up for by what it has (Dempster, Laird and Rubin, "Maximum likelihood from incomplete data
# via the EM algorithm", Journal of the Royal Statistical Society B 39, 1977), rounded. Real ratings
# have heavier tails, Rotten Tomatoes ends at 0 and 100, and the worst films agree less.
LEVEL = {
    "imdb": 66.0,
    "letterboxd": 63.5,
    "metacritic": 58.0,
    "rotten_tomatoes": 61.5,
    "tmdb": 65.0,
}
DISPERSION = {
    "imdb": 10.0,
    "letterboxd": 11.5,
    "metacritic": 18.5,
    "rotten_tomatoes": 28.0,
    "tmdb": 8.2,
}
CORRELATION = {
    ("imdb", "letterboxd"): 0.895,
    ("imdb", "metacritic"): 0.75,
    ("imdb", "rotten_tomatoes"): 0.78,
    ("imdb", "tmdb"): 0.93,
    ("letterboxd", "metacritic"): 0.785,
    ("letterboxd", "rotten_tomatoes"): 0.81,
    ("letterboxd", "tmdb"): 0.88,
    ("metacritic", "rotten_tomatoes"): 0.925,
    ("metacritic", "tmdb"): 0.685,
    ("rotten_tomatoes", "tmdb"): 0.71,
}
# How far single votes on one film lie apart: by how much farther off ratings of few votes or
# reviews are; TMDB's, taken for all audiences. A critic's verdict on Rotten Tomatoes is yes or no.
SCATTER = {
    "imdb": 23.0,
    "letterboxd": 23.0,
    "metacritic": 21.0,
    "rotten_tomatoes": 45.0,
    "tmdb": 23.0,
}
# Votes from which on a rating speaks about others; the model's deviations have their noise in them.
HEARD = {
    "imdb": 50,
    "letterboxd": 50,
    "metacritic": 5,
    "rotten_tomatoes": 5,
    "tmdb": 50,
}


PRIOR = 100  # ratings of a system from which on a stage's own level and dispersion count more
AROUND = (0.159, 0.5, 0.841)  # quantiles of a normal distribution one deviation apart


@dataclass(frozen=True)
class Model:
    """A multivariate normal of the five systems' scores of one film, in points of 100.

    The correlations are the constants; levels and dispersions may be a stage's own.
    """

    level: Mapping[str, float] = field(default_factory=lambda: LEVEL)
    dispersion: Mapping[str, float] = field(default_factory=lambda: DISPERSION)

    def fitted(self, scores: pl.DataFrame) -> Model:
        """Return the model with the levels and dispersions of these films, as far as they count.

        Medians and quantiles, so that what is wrong with some ratings moves little.
        """
        level, dispersion = dict(self.level), dict(self.dispersion)
        for system in SYSTEMS:
            own = scores.filter(is_heard(system))[f"{system}_score"].drop_nulls()
            weight = own.len() / (own.len() + PRIOR)
            low, middle, high = (own.quantile(q) or 0.0 for q in AROUND)
            level[system] += weight * (middle - level[system])
            variance = (1 - weight) * dispersion[system] ** 2 + weight * ((high - low) / 2) ** 2
            dispersion[system] = math.sqrt(variance)
        return Model(level, dispersion)

    def covariance(self, one: str, other: str) -> float:
        """Return how two systems vary together."""
        return correlation(one, other) * self.dispersion[one] * self.dispersion[other]

    def residuals(self, scores: pl.DataFrame, of: Sequence[str] = SYSTEMS) -> pl.DataFrame:
        """Add how far each rating is from what the others let one expect, in deviations.

        A rating of few votes says nothing about others, and is itself allowed the noise of so few.

        Args:
            scores: With `{system}_score`, 0 to 100, null where unknown, and `{system}_votes`.
            of: The systems whose ratings are asked about.

        Returns:
            The same rows and columns, and `{system}_expected`, `_deviation` and `_residual`.
        """
        heard = scores.select(
            pl.when(is_heard(system)).then(f"{system}_score").alias(f"{system}_score")
            for system in SYSTEMS
        )
        told = self.expect(heard, of).drop(heard.columns)
        return (
            pl.concat([scores, told], how="horizontal")
            .with_columns(_with_noise(system) for system in of)
            .with_columns(
                (
                    (pl.col(f"{system}_score") - pl.col(f"{system}_expected"))
                    / pl.col(f"{system}_deviation")
                ).alias(f"{system}_residual")
                for system in of
            )
        )

    def expect(self, scores: pl.DataFrame, of: Sequence[str] = SYSTEMS) -> pl.DataFrame:
        """Add what the other systems of a movie let one expect of each.

        The mean and standard deviation of a normal distribution, given the known ones (Anderson,
        "An Introduction to Multivariate Statistical Analysis", theorem 2.5.1). Without any other,
        these are the system's level and dispersion.

        Args:
            scores: With `{system}_score`, 0 to 100, null where unknown.
            of: The systems whose ratings are asked about.

        Returns:
            The same rows and columns, and `{system}_expected`, `{system}_deviation`.
        """
        known = pl.sum_horizontal(
            pl.col(f"{system}_score").is_not_null().cast(pl.Int32) * 2**place
            for place, system in enumerate(SYSTEMS)
        )
        weights = [f"{system}_by_{other}" for system in of for other in SYSTEMS if other != system]
        deviations = [f"{system}_deviation" for system in of]
        weighed = scores.with_columns(known.alias("known")).join(
            self._regressions.select("known", *weights, *deviations),
            on="known",
            how="left",
            maintain_order="left",
        )
        expected = (self._expected(system).alias(f"{system}_expected") for system in of)
        return weighed.select(*scores.columns, *expected, *deviations)

    def _expected(self, system: str) -> pl.Expr:
        terms = (
            pl.col(f"{system}_by_{other}") * (pl.col(f"{other}_score") - self.level[other])
            for other in SYSTEMS
            if other != system
        )
        return (pl.sum_horizontal(*terms) + self.level[system]).clip(0.0, 100.0)

    @cached_property
    def _regressions(self) -> pl.DataFrame:
        """Every regression of a system on others: one row for each set of known systems."""
        rows = []
        for known in range(2 ** len(SYSTEMS)):
            present = [system for place, system in enumerate(SYSTEMS) if known >> place & 1]
            row: dict[str, float] = {"known": known}
            for system in SYSTEMS:
                others = [other for other in present if other != system]
                weights = self._weights(system, others)
                explained = sum(weights[o] * self.covariance(system, o) for o in others)
                row[f"{system}_deviation"] = math.sqrt(self.covariance(system, system) - explained)
                row |= {f"{system}_by_{other}": weights.get(other, 0.0) for other in SYSTEMS}
            rows.append(row)
        return pl.DataFrame(rows).with_columns(pl.col("known").cast(pl.Int32))

    def _weights(self, system: str, others: list[str]) -> dict[str, float]:
        """Solve covariance(others) · weights = covariance(others, system) by elimination."""
        rows = [
            [self.covariance(a, b) for b in others] + [self.covariance(a, system)] for a in others
        ]
        for pivot, below in combinations(range(len(rows)), 2):
            factor = rows[below][pivot] / rows[pivot][pivot]
            rows[below] = [v - factor * p for v, p in zip(rows[below], rows[pivot], strict=True)]
        weights: dict[str, float] = {}
        for place in reversed(range(len(rows))):
            solved = sum(rows[place][k] * weights[others[k]] for k in range(place + 1, len(rows)))
            weights[others[place]] = (rows[place][-1] - solved) / rows[place][place]
        return weights


FILMS = Model()  # of the films that the constants are from


def correlation(one: str, other: str) -> float:
    """Return how two systems' ratings of the same films go together."""
    return 1.0 if one == other else CORRELATION[min(one, other), max(one, other)]


def credibility(system: str, votes: pl.Expr) -> pl.Expr:
    """Return the weight of a rating against its system's level, 0 to 1: votes / (votes + k).

    k is the votes' variance within a film by that between films (Bühlmann, "Experience rating and
    credibility", ASTIN Bulletin 4, 1967). Votes that are not told count as many: systems that
    tell none publish no rating before there are enough.
    """
    k = (SCATTER[system] / DISPERSION[system]) ** 2
    return (votes / (votes + k)).fill_null(1.0)


def shrunk(system: str, score: pl.Expr, votes: pl.Expr) -> pl.Expr:
    """Return a score drawn towards its system's level where few voted, the Bayesian average."""
    return LEVEL[system] + credibility(system, votes) * (score - LEVEL[system])


def is_heard(system: str) -> pl.Expr:
    """Return whether a system's rating has enough votes to speak; untold ones are enough."""
    return pl.col(f"{system}_votes").fill_null(HEARD[system]) >= HEARD[system]


def _with_noise(system: str) -> pl.Expr:
    fewer = (1 / pl.col(f"{system}_votes") - 1 / HEARD[system]).clip(lower_bound=0.0)
    deviation = pl.col(f"{system}_deviation")
    noisy = (deviation**2 + SCATTER[system] ** 2 * fewer.fill_null(0.0)).sqrt()
    return noisy.alias(deviation.meta.output_name())
