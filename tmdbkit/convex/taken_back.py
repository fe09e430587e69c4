"""What TMDB took back: values that a target keeps, that TMDB gave once, and has no longer; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tmdbkit.images import image_path
from tmdbkit.progress import counted
from tmdbkit.schema import IMAGES, MOVIE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tmdbkit.convex.changes import Change
    from tmdbkit.convex.target import Document

    Earlier = Callable[[Collection[int]], Mapping[int, Sequence[Document]]]


def mark_taken_back(
    changes: Iterable[Change], there: Iterable[Document], earlier: Earlier
) -> list[Change]:
    """Return changes that name the fields they keep of which TMDB took the value back.

    Args:
        changes: Of some movies.
        there: The target's documents of them.
        earlier: Returns what TMDB gave for some movies before, and what was sent of it.
    """
    changes = list(changes)
    kept = {change.tmdb_id for change in changes if change.kept}
    if not kept:
        return changes
    given = earlier(kept)
    documents = {int(document["tmdb_id"]): document for document in there}
    return [
        replace(change, taken_back=_taken_back(change, documents, given[change.tmdb_id]))
        if given.get(change.tmdb_id)
        else change
        for change in changes
    ]


def _taken_back(
    change: Change, there: Mapping[int, Document], given: Sequence[Document]
) -> tuple[str, ...]:
    document = there.get(change.tmdb_id, {})
    return tuple(
        name
        for name in change.kept
        if any(_is_same(name, document.get(name), once.get(name)) for once in given)
    )


def _is_same(name: str, held: Any, once: Any) -> bool:
    """Tell whether a target's value is one that TMDB gave; of a collection the id tells."""
    if once in (None, "", []) or held is None:
        return False
    if name in IMAGES:
        return image_path(str(held)) == image_path(str(once))
    if isinstance(once, dict) and isinstance(held, dict) and "id" in once:
        return bool(held.get("id") == once["id"])
    return bool(held == once)


def note_of(changes: Iterable[Change]) -> list[str]:
    """Say which fields TMDB took back, of how many movies, and what to do; and the user's own."""
    fields = Counter(name for change in changes for name in change.taken_back)
    ours = {name: count for name, count in fields.most_common() if name in MOVIE}
    own = {name: count for name, count in fields.most_common() if name not in MOVIE}
    return [*_note("TMDB took back", ours), *_note("the stage has no longer", own)]


def _note(said: str, fields: Mapping[str, int]) -> list[str]:
    if not fields:
        return []
    told = ", ".join(f"{name} of {counted(count, 'movie')}" for name, count in fields.items())
    return [f"{said} {told}; --clear {','.join(sorted(fields))} erases it there, too"]
