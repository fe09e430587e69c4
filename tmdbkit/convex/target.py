"""What every target can do: a Convex deployment over HTTP, and the embedded snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tmdbkit.convex.contract import Contract

Document = dict[str, Any]


@dataclass(frozen=True)
class TargetName:
    """Which target it is, said before anything is written.

    Attributes:
        name: The deployment's name; a snapshot has none.
        kind: `prod`, `dev`, `preview`, `self-hosted` or `snapshot`.
        location: Its address or folder.
    """

    name: str
    kind: str
    location: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.name, "at", self.location) if part)


@dataclass(frozen=True)
class Page:
    """Some documents of a table, and where to go on."""

    documents: list[Document]
    cursor: str | None
    done: bool


class Target(Protocol):
    """Where documents go, and where they are read."""

    @property
    def title(self) -> TargetName:
        """Which target it is."""

    def preflight(self, *, writing: bool) -> None:
        """Make sure, before the first write, that it can be reached and allows what is asked.

        Raises:
            StopError: It is pointless to begin.
        """

    def contract(self) -> Contract:
        """Return what its tables accept."""

    def documents(self, tmdb_ids: Sequence[int]) -> list[Document]:
        """Return all documents of movies with these ids, repeated ones too."""

    def slug_owners(self, slugs: Sequence[str]) -> list[tuple[str, int]]:
        """Return `slug, tmdb_id` of the documents that have one of these slugs."""

    def page(self, table: str, cursor: str | None, size: int) -> Page:
        """Return a page of a table."""

    def apply_movies(self, changes: Sequence[Document]) -> list[Document]:
        """Compare and set; return `tmdb_id, outcome, id, differs` for each change, in order.

        Raises:
            BatchTooLarge: It wants smaller batches.
            RequestRefused: A document in it is refused.
        """

    def add_people(self, people: Sequence[Document]) -> Document:
        """Add or rename rows of `crew`; return the counts created, updated, unchanged."""

    def add_genres(self, genres: Sequence[Document]) -> Document:
        """Add or rename rows of `genres`; return the counts created, updated, unchanged."""

    def delete_movies(self, tmdb_ids: Sequence[int]) -> list[Document]:
        """Delete every document with one of these ids; return `tmdb_id, outcome` for each."""

    def flush(self) -> None:
        """Make what was written durable, where that is not so already.

        Raises:
            StopError: It cannot be written.
        """

    def advice(self) -> tuple[str, ...]:
        """Return what a person does next with what was written."""

    def interrupt(self) -> None:
        """End the waits of all threads, so that requests in flight are the last ones."""

    def resume(self) -> None:
        """Allow waiting again."""
