"""What every target can do: a Convex deployment over HTTP, and the embedded snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

if TYPE_CHECKING:
    from tmdbkit.convex.contract import Contract

Document = dict[str, Any]
ABSENT: Any = object()  # what a document has of a field that it has not


def by_movie(documents: Iterable[Document]) -> dict[int, list[Document]]:
    """Return documents by their movie; of others, none."""
    found: dict[int, list[Document]] = defaultdict(list)
    for document in documents:
        found[int(document["tmdb_id"])].append(document)
    return found


def differing(document: Document, wanted: Mapping[str, Any]) -> list[str]:
    """Return the fields in which a document has another value than is wanted."""
    return [name for name, value in wanted.items() if document.get(name, ABSENT) != value]


@dataclass(frozen=True)
class TargetName:
    """Which target it is, said before anything is written.

    Attributes:
        name: The deployment's name; a snapshot has none.
        kind: `prod`, `dev`, `custom`, `preview`, `self-hosted` or `snapshot`.
        location: Its address or folder.
        identity: Which snapshot it is, however its path is written; "" for a deployment.
    """

    name: str
    kind: str
    location: str
    identity: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.name, "at", self.location) if part)

    def is_meant(self, said: str, identity: str | None) -> bool:
        """Tell whether a plan or a logged row that says this title and identity is of this target.

        A deployment is its address, whichever kind of key led there. Those of older tmdbkits have
        the path alone.
        """
        if identity:
            return identity == self.identity
        kind, _, path = said.partition(" at ")
        if said == str(self) or "snapshot" not in (kind, self.kind):
            return path == self.location
        return kind == self.kind and _is_same(Path(path), Path(self.location).resolve())

    def rows_of(self, imports: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of an import log that are of this target."""
        named = imports.select("target", "identity").unique().rows()
        ours = pl.DataFrame(
            [names for names in named if self.is_meant(*names)],
            {"target": pl.String, "identity": pl.String},
            orient="row",
        )
        return imports.join(
            ours, on=["target", "identity"], how="semi", nulls_equal=True, maintain_order="left"
        )


def _is_same(path: Path, place: Path) -> bool:
    """Tell whether a path, as somebody wrote it in some working folder, may be of this place."""
    if path.is_absolute() or len(path.parts) == 1:
        return path.resolve() == place
    return path.resolve() == place or place.parts[-len(path.parts) :] == path.parts


@dataclass(frozen=True)
class Page:
    """Some documents of a table, and where to go on."""

    documents: list[Document]
    cursor: str | None
    done: bool


@dataclass(frozen=True)
class Reference:
    """A field of the target that holds ids of movies.

    Attributes:
        table: Its table.
        field: Its path; `[]` stands for the items of a list.
        index: An index that begins with it; None where there is none.
    """

    table: str
    field: str
    index: str | None = None


@dataclass(frozen=True)
class Pointing:
    """How many documents of a table point at a movie by one field; perhaps `more` than counted."""

    tmdb_id: int
    table: str
    field: str
    documents: int
    more: bool = False


class Target(Protocol):
    """Where documents go, and where they are read.

    Attributes:
        title: Which one it is.
        deferred: Whether what is done counts only after `flush`, and may turn out otherwise there.
    """

    title: TargetName
    deferred: bool = False

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

        `lost` is true in them where an earlier try may have done it, whose answer was lost.

        Raises:
            BatchTooLarge: It wants smaller batches.
            RequestRefused: A document in it is refused.
        """

    def add_people(self, people: Sequence[Document]) -> Document:
        """Add or rename rows of `crew`; return the counts created, updated, unchanged."""

    def add_genres(self, genres: Sequence[Document]) -> Document:
        """Add or rename rows of `genres`; return the counts created, updated, unchanged."""

    def pointing_at(self, tmdb_ids: Sequence[int]) -> list[Pointing]:
        """Return what points at these movies, as far as that can be looked up."""

    def flush(self) -> dict[int, Document]:
        """Make what was written durable, where that is not so already.

        Returns:
            By id, the answers to changes that turned out otherwise.

        Raises:
            StopError: It cannot be written.
        """
        return {}

    def advice(self) -> tuple[str, ...]:
        """Return what a person does next with what was written."""
        return ()

    def interrupt(self) -> None:
        """End the waits of all threads, so that requests in flight are the last ones."""
        return  # of a file nobody waits for anything

    def resume(self) -> None:
        """Allow waiting again."""
        return
