"""How much is wrong where no rule finds anything: a sample, and what it says of the rest; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, exp, lgamma, log, log1p

import polars as pl

from tmdbkit.stage.decisions import live, standing

CONFIDENCE = 0.95
STEPS = 60  # halvings, after which a Float64 has no more to give


@dataclass(frozen=True)
class Sample:
    """Movies that were drawn at random, to be decided on.

    Attributes:
        ids: Which.
        earlier: The names of what was decided on them before, which does not count.
    """

    ids: tuple[int, ...]
    earlier: frozenset[str]

    @classmethod
    def of(cls, ids: Iterable[int], decisions: pl.DataFrame) -> Sample:
        """Return one of movies, with what was decided on them until now."""
        ids = tuple(ids)
        known = decisions.filter(pl.col("tmdb_id").is_in(ids))
        return cls(ids, frozenset(known["decision"]))

    def says(self, decisions: pl.DataFrame) -> str:
        """Say how much is wrong at most: of what was decided on, what was not just approved."""
        since = pl.col("tmdb_id").is_in(self.ids) & ~pl.col("decision").is_in(list(self.earlier))
        said = standing(live(decisions).filter(since))
        decided = said.filter(pl.col("kind") != "undecide")
        wrong = decided.filter(pl.col("kind") != "approve")["tmdb_id"].n_unique()
        if not (count := decided["tmdb_id"].n_unique()):
            return "nothing of the sample was decided on"
        most = ceil(round(at_most(wrong, count) * 1000, 6)) / 10  # rounded up, for it says at most
        return (
            f"{wrong:,} of {count:,} wrong: at most {most:g} % wrong, "
            f"with {CONFIDENCE * 100:g} % confidence"
        )


def at_most(wrong: int, count: int, confidence: float = CONFIDENCE) -> float:
    """Return the largest share of wrong ones by which so few of them are no surprise.

    The exact one-sided bound of Clopper and Pearson: the share at which so many or fewer of the
    sample are wrong with a probability of just one minus the confidence.
    """
    low, high = 0.0, 1.0
    if wrong >= count:
        return high
    for _ in range(STEPS):
        share = (low + high) / 2
        if _so_many_or_fewer(wrong, count, share) > 1 - confidence:
            low = share
        else:
            high = share
    return high


def _so_many_or_fewer(wrong: int, count: int, share: float) -> float:
    return sum(
        exp(
            lgamma(count + 1)
            - lgamma(k + 1)
            - lgamma(count - k + 1)
            + k * log(share)
            + (count - k) * log1p(-share)
        )
        for k in range(wrong + 1)
    )
