"""The first contact of a run with its target: what the tables accept, and its oldest movies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tmdbkit.convex.reading import pages

if TYPE_CHECKING:
    from tmdbkit.convex.contract import Contract
    from tmdbkit.convex.target import Document, Target

OLDEST = 50  # movies: enough to see in which form images are held, and to know an export by


@dataclass(frozen=True)
class Contact:
    """What a target said.

    Attributes:
        contract: What its tables accept.
        movies: Its oldest documents of movies.
    """

    contract: Contract
    movies: list[Document]

    @classmethod
    def of(cls, target: Target) -> Contact:
        """Ask a target."""
        return cls(target.contract(), next(pages(target, "movies", OLDEST)))
