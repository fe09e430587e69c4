"""What a rating is, and the face that every provider has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from tmdbkit.schema import INSTANT, SCALES

# A rating of no system of the document, which tells whether the critics' one is right.
AUDIENCE = "rotten_tomatoes_audience"
BY_HAND = "override"  # the provider of a rating that a person set: it wins over any other
POINTS_OF = {**SCALES, AUDIENCE: 100.0}  # the highest points of each system that is logged
MOST_VOTES = 10**9  # far more than any film has
# The finest step that a system shows; TMDB shows thousandths, Letterboxd hundredths.
STEPS = {
    "imdb": 0.1,
    "letterboxd": 0.01,
    "metacritic": 1.0,
    "rotten_tomatoes": 1.0,
    "tmdb": 0.001,
}

RATINGS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "system": pl.String(),
        "points": pl.Float64(),
        "scale": pl.Float64(),
        "score_100": pl.Float64(),
        "votes": pl.Int64(),
        "provider": pl.String(),
        "fetched_at": INSTANT,
    }
)
FAILED = pl.Schema({"tmdb_id": pl.Int64(), "reason": pl.String()})


@dataclass(frozen=True)
class Cost:
    """What asking a provider would take.

    Attributes:
        requests: How many requests.
        days: How many days of its quota; 0 where it has none.
    """

    requests: int
    days: int = 0


@dataclass(frozen=True)
class Collected:
    """What came of asking a provider for some movies.

    Attributes:
        asked: The movies that are settled: rated, or known not to be.
        ratings: Frames of `RATINGS`.
        failed: Frames of `FAILED`: those that are not settled, each with the reason.
    """

    asked: list[int]
    ratings: pl.DataFrame
    failed: pl.DataFrame = field(default_factory=FAILED.to_frame)


class Provider(Protocol):
    """Where ratings come from: ids in, ratings out, failures as rows."""

    @property
    def name(self) -> str:
        """As the ratings log has it."""

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that it rates."""

    @property
    def terms(self) -> str:
        """Whose terms apply, in one line with the address where they stand."""

    @property
    def metered(self) -> bool:
        """Whether asking uses up a quota, so that nobody is asked for twice without need."""

    @property
    def fallback(self) -> bool:
        """Whether it is asked only for movies that lack a rating of one of its systems."""

    @property
    def requests(self) -> int:
        """How many requests were made."""

    def cost(self, wanted: pl.DataFrame) -> Cost:
        """Return what `collect` would take, without asking anybody."""

    def collect(self, wanted: pl.DataFrame) -> Iterator[Collected]:
        """Yield what comes, some movies at a time, so that it can be kept as it comes.

        Args:
            wanted: Frames of `tmdb_id, imdb_id`; the second is "" where it is not known.

        Raises:
            QuotaUsedUp: No more today; what was yielded before stays good.
            StopError: Going on is pointless for another reason.
        """


def too_fine(points: pl.Expr, step: float | pl.Expr) -> pl.Expr:
    """Return whether points cannot be multiples of a step; what Float32 does to them is none."""
    steps = points / step
    return (steps - steps.round()).abs() > 0.02
