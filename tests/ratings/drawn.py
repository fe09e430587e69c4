"""Ratings of films that nobody made, drawn to go together as those of real films do."""

from __future__ import annotations

import math
import random
from bisect import bisect
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import NormalDist

import polars as pl

from tmdbkit.ratings.agreement import POINTS, VOTES
from tmdbkit.ratings.model import RATINGS, STEPS
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.schema import SCALES, SYSTEMS

FETCHED = datetime(2026, 5, 1, tzinfo=UTC)
PROVIDERS = {"imdb": "imdb", "tmdb": "tmdb"}
FREEDOM = 4  # degrees of freedom of the fitted distribution
ALONE = 0.01  # of ratings go with no other of their film: so heavy are the tails of real ones
PARTS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Kind:
    """What real films of a kind are rated, system by system in the order of `SYSTEMS`.

    Attributes:
        shares: How many of the films have a rating of each.
        quantiles: Of those, in points of 100, at the inner ones of `PARTS`.
        correlations: Rank correlations of each two.
    """

    shares: tuple[float, ...]
    quantiles: tuple[tuple[int, ...], ...]
    correlations: tuple[float, ...]


def cholesky(correlations: tuple[float, ...]) -> list[list[float]]:
    """Return the lower triangle whose product with its own transpose are the correlations."""
    given = iter(correlations)
    size = range(len(SYSTEMS))
    upper = {(one, other): next(given) for one in size for other in size if one < other}
    lower = [[0.0] * len(SYSTEMS) for _ in size]
    for i in size:
        for j in range(i + 1):
            r = 1.0 if i == j else upper[j, i]
            rest = r - sum(lower[i][k] * lower[j][k] for k in range(j))
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    return lower


# Of 5,914 real films with three systems or more, and of the kinds among them.
AT_LARGE = Kind(
    (0.95, 0.43, 0.55, 0.92, 0.80),
    (
        (34, 46, 59, 66, 73, 80, 83),
        (32, 43, 57, 66, 73, 81, 85),
        (16, 27, 45, 58, 71, 85, 93),
        (0, 11, 39, 66, 86, 97, 100),
        (43, 50, 59, 65, 71, 77, 82),
    ),
    (0.91, 0.73, 0.78, 0.93, 0.80, 0.81, 0.89, 0.93, 0.66, 0.72),
)
POPULAR = Kind(  # 100,000 votes or more on IMDb
    (1.0, 0.87, 0.92, 0.99, 1.0),
    (
        (52, 57, 66, 72, 77, 83, 85),
        (39, 48, 60, 69, 76, 83, 87),
        (26, 35, 51, 64, 75, 89, 95),
        (11, 23, 53, 75, 89, 97, 99),
        (53, 58, 65, 70, 75, 81, 83),
    ),
    (0.90, 0.71, 0.75, 0.94, 0.75, 0.80, 0.91, 0.93, 0.63, 0.68),
)
OLD = Kind(  # of before 1960
    (1.0, 0.58, 0.10, 0.94, 0.90),
    (
        (49, 65, 72, 76, 80, 83, 84),
        (45, 58, 68, 74, 79, 84, 86),
        (65, 70, 83, 91, 96, 98, 99),
        (35, 66, 86, 94, 100, 100, 100),
        (52, 62, 68, 72, 76, 81, 82),
    ),
    (0.93, 0.54, 0.50, 0.91, 0.49, 0.45, 0.92, 0.62, 0.45, 0.44),
)
BEST = Kind(  # 7.8 or more on IMDb
    (1.0, 0.64, 0.47, 0.93, 0.90),
    (
        (78, 78, 78, 80, 82, 84, 86),
        (67, 73, 76, 79, 82, 86, 89),
        (50, 59, 71, 79, 87, 95, 99),
        (53, 71, 88, 93, 97, 100, 100),
        (69, 72, 75, 77, 79, 82, 85),
    ),
    (0.61, 0.16, 0.13, 0.69, 0.43, 0.33, 0.60, 0.73, 0.0, 0.0),
)
WORST = Kind(  # 4.5 or less on IMDb
    (1.0, 0.46, 0.40, 0.79, 0.66),
    (
        (21, 25, 35, 41, 43, 45, 45),
        (22, 24, 34, 39, 45, 57, 62),
        (9, 12, 18, 25, 36, 50, 61),
        (0, 0, 5, 13, 21, 55, 80),
        (28, 37, 43, 46, 50, 58, 64),
    ),
    (0.40, 0.26, 0.24, 0.51, 0.40, 0.39, 0.44, 0.65, 0.34, 0.20),
)


def draw(kind: Kind, films: int, seed: int) -> pl.DataFrame:
    """Return `RATINGS` of so many films: normal ranks that go together, put on real quantiles."""
    chance = random.Random(seed)
    ranks, counts = cholesky(kind.correlations), cholesky(VOTES.correlation)
    rows = []
    for tmdb_id in range(1, films + 1):
        standings = [
            chance.gauss(0, 1) if chance.random() < ALONE else standing
            for standing in _together(ranks, chance)
        ]
        for system, share, quantiles, standing, fame in zip(
            SYSTEMS, kind.shares, kind.quantiles, standings, _together(counts, chance), strict=True
        ):
            votes = round(10 ** (VOTES.level[system] + VOTES.dispersion[system] * fame))
            if votes and chance.random() < share:
                score = _score(NormalDist().cdf(standing), quantiles)
                rows.append((tmdb_id, system, _points(system, score), votes, FETCHED))
    return _ratings(rows)


def twin(films: int, seed: int) -> pl.DataFrame:
    """Return `RATINGS` drawn from the fitted model itself: heavy tails, and the noise of votes."""
    chance = random.Random(seed)
    points, counts = cholesky(POINTS.correlation), cholesky(VOTES.correlation)
    rows = []
    for tmdb_id in range(1, films + 1):
        # A normal distribution by a deviation that is drawn, too, is one of Student's.
        heavy = math.sqrt(FREEDOM / (2 * chance.gammavariate(FREEDOM / 2, 1)))
        for system, share, standing, fame in zip(
            SYSTEMS,
            AT_LARGE.shares,
            _together(points, chance),
            _together(counts, chance),
            strict=True,
        ):
            votes = round(10 ** (VOTES.level[system] + VOTES.dispersion[system] * fame))
            if votes and chance.random() < share:
                noise = POINTS.scatter[system] / math.sqrt(votes) * chance.gauss(0, 1)
                away = POINTS.dispersion[system] * standing * heavy + noise
                score = min(max(POINTS.level[system] + away, 1.0), 99.0)
                rows.append((tmdb_id, system, _points(system, score), votes, FETCHED))
    return _ratings(rows)


def _together(lower: list[list[float]], chance: random.Random) -> list[float]:
    """Return five standard normal numbers that go together."""
    standard = [chance.gauss(0, 1) for _ in SYSTEMS]
    return [sum(w * z for w, z in zip(weights, standard, strict=True)) for weights in lower]


def _ratings(rows: list[tuple[int, str, float, int, datetime]]) -> pl.DataFrame:
    columns = ["tmdb_id", "system", "points", "votes", "fetched_at"]
    return named(pl.DataFrame(rows, {name: RATINGS[name] for name in columns}, orient="row"))


def named(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return `RATINGS` of these points with the provider that usually gives such."""
    parts = ratings.partition_by("system", as_dict=True).items()
    return pl.concat(as_ratings(part, PROVIDERS.get(s, "mdblist")) for (s,), part in parts)


def _score(part: float, quantiles: tuple[int, ...]) -> float:
    """Return the score at a part of the films, on straight lines between quantiles."""
    low, *_, high = quantiles
    known = (max(low - 5, 0), *quantiles, min(high + 2, 100))
    place = min(bisect(PARTS, part), len(PARTS) - 1)
    along = (part - PARTS[place - 1]) / (PARTS[place] - PARTS[place - 1])
    return known[place - 1] + along * (known[place] - known[place - 1])


def _points(system: str, score: float) -> float:
    step = STEPS[system]
    return round(round(score * SCALES[system] / 100 / step) * step, 3)
