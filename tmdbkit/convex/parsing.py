"""What a target says, as far as it makes sense: other versions answer, and others write there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tmdbkit.convex.target import Document, Page, Pointing, Reference
from tmdbkit.exceptions import FunctionsMissing
from tmdbkit.schema import LAST_ID

OUTCOMES = ("created", "updated", "deleted", "unchanged", "conflict")


def id_of(document: Document) -> int | None:
    """Return a movie's id; None where a document has none, but a text or something else."""
    found = document.get("tmdb_id")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return int(found) if 1 <= found <= LAST_ID and found == int(found) else None


def documents(answer: Any, name: str) -> list[Document]:
    """Return an answer of a function that is a list of documents.

    Raises:
        FunctionsMissing: It is something else.
    """
    if isinstance(answer, list) and all(isinstance(row, dict) for row in answer):
        return answer
    raise not_understood(name)


def movies(answer: Any, name: str) -> list[Document]:
    """Return an answer that is a list of movies, each with its id."""
    found = documents(answer, name)
    if any(id_of(document) is None for document in found):
        raise not_understood(name)
    return found


def slug_owners(found: Sequence[Document]) -> list[tuple[str, int]]:
    """Return `slug, tmdb_id` of documents; 0 where one has no id, for the slug is taken."""
    return [(doc["slug"], id_of(doc) or 0) for doc in found if isinstance(doc.get("slug"), str)]


def page(answer: Any) -> Page:
    """Return a page of a table."""
    if not isinstance(answer, dict) or not isinstance(answer.get("cursor"), str | None):
        raise not_understood("page")
    if not isinstance(answer.get("done"), bool) or not (answer["done"] or answer.get("cursor")):
        raise not_understood("page")  # whoever went on would go on for ever
    return Page(documents(answer.get("page"), "page"), answer.get("cursor"), answer["done"])


def references(answer: Any) -> tuple[Reference, ...]:
    """Return the fields that hold ids of movies."""
    with _understanding("contract"):
        return tuple(Reference(one["table"], one["field"], one["index"]) for one in answer)


def pointing(answer: Any, most: int) -> list[Pointing]:
    """Return what points at movies; where so many do, there may be more."""
    with _understanding("pointingAt"):
        return [
            Pointing(
                int(one["tmdb_id"]),
                one["table"],
                one["field"],
                int(one["documents"]),
                one["documents"] >= most,
            )
            for one in answer
        ]


def outcomes(answer: Any, changes: Sequence[Document]) -> list[Document]:
    """Return one outcome for each change, in order; where none is understood, `unknown`."""
    rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
    if len(rows) == len(changes):  # a movie may be in it twice
        pairs = list(zip(changes, rows, strict=True))
    else:
        said = {id_of(row): row for row in rows}
        pairs = [(change, said.get(id_of(change), {})) for change in changes]
    return [
        _outcome(change["tmdb_id"], row if id_of(row) == id_of(change) else {})
        for change, row in pairs
    ]


def _outcome(tmdb_id: Any, said: Document) -> Document:
    word, differs = said.get("outcome"), said.get("differs")
    if word in OUTCOMES:
        names = differs if isinstance(differs, list) else []
        return {"tmdb_id": tmdb_id, "outcome": word, "differs": [str(name) for name in names]}
    told = "nothing" if word is None else f"{word!r:.40}"
    reason = f"the functions there answered {told} to it, which this tmdbkit does not know"
    return {"tmdb_id": tmdb_id, "outcome": "unknown", "differs": [], "reason": reason}


@contextmanager
def _understanding(name: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, KeyError, ValueError):
        raise not_understood(name) from None


def not_understood(name: str) -> FunctionsMissing:
    """Return the error that an answer is none of those that this tmdbkit knows."""
    return FunctionsMissing(
        "the functions there answer as those of another version; run tmdbkit functions on your "
        "app's convex folder, and deploy",
        path=f"tmdbkit:{name}",
    )
