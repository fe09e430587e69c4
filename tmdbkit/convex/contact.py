"""The first contact of a run with its target: what the tables accept, and its oldest movies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tmdbkit.convex.read import pages

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

    def rated(self) -> set[str]:
        """Return the systems whose ratings these movies have."""
        found = [document.get("vote_pts_system") for document in self.movies]
        points = [each for each in found if isinstance(each, dict)]
        return {name for each in points for name, value in each.items() if value is not None}

    @classmethod
    def of(cls, target: Target) -> Contact:
        """Ask a target."""
        return cls(target.contract(), next(pages(target, "movies", OLDEST)))
