"""The tables of a snapshot in memory, under the rules of the functions in `tmdbkit.ts`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tmdbkit.convex.parsing import id_of
from tmdbkit.convex.target import ABSENT, Document, differing
from tmdbkit.convex.zip_file import TABLES
from tmdbkit.schema import CREW, GENRE, MOVIE

_OURS = frozenset({*MOVIE, *CREW, *GENRE})
# What tells rows apart: of people there is one for each person and job.
_KEYS: dict[str, Callable[[Document], Any]] = {
    "crew": lambda row: (row.get("crew_id"), row.get("crew_type")),
    "genres": lambda row: row.get("genre_id"),
}


class Tables:
    """Movies, crew and genres, and what is done to them.

    Args:
        found: Their documents, where there are any.

    Attributes:
        rows: The documents of each table, oldest first.

    Raises:
        ValueError: They are those of some other app.
    """

    def __init__(self, found: Mapping[str, list[Document]]) -> None:
        self.rows = {name: found.get(name, []) for name in TABLES}
        self._by_id = _index(self.rows["movies"])
        if self.rows["movies"] and not self._by_id:
            raise ValueError
        self._known = {name: _by_key(self.rows[name], key) for name, key in _KEYS.items()}

    def documents(self, tmdb_ids: Iterable[int]) -> list[Document]:
        """Return all documents of movies with these ids, repeated ones too."""
        return [dict(row) for tmdb_id in dict.fromkeys(tmdb_ids) for row in self._by_id[tmdb_id]]

    def add(self, table: str, rows: Sequence[Document]) -> Document:
        """Add or rename people or genres; return the counts."""
        known, counts = self._known[table], {"created": 0, "updated": 0, "unchanged": 0}
        for row in rows:
            key = _KEYS[table](row)
            there = known.get(key)
            if there is None:
                known[key] = _with_floats(row)
                self.rows[table].append(known[key])
                counts["created"] += 1
            elif {**there, **row} != there:
                there.update(_with_floats(row))
                counts["updated"] += 1
            else:
                counts["unchanged"] += 1
        return counts

    def apply(self, change: Document) -> Document:
        """Compare and set; return `tmdb_id, outcome, id, differs`."""
        tmdb_id = int(change["tmdb_id"])
        there = self._by_id[tmdb_id]
        create = change.get("create")
        if len(there) > 1:
            return _outcome(tmdb_id, "conflict", ["tmdb_id"])
        if change.get("delete"):
            return self._compare_and_delete(tmdb_id, change)
        if not there and create is None:
            return _outcome(tmdb_id, "conflict", ["tmdb_id"])
        if not there:
            document = _with_floats(create or {})
            self.rows["movies"].append(document)
            self._by_id[tmdb_id] = [document]
            return _outcome(tmdb_id, "created")
        return _compare_and_set(there[0], change)

    def _compare_and_delete(self, tmdb_id: int, change: Document) -> Document:
        there = self._by_id[tmdb_id]
        if not there:
            return _outcome(tmdb_id, "unchanged")
        expected = change.get("expected", {})
        added = [name for name in there[0] if not name.startswith("_") and name not in expected]
        if moved := differing(there[0], expected) + added:
            return _outcome(tmdb_id, "conflict", moved)
        self.rows["movies"] = [row for row in self.rows["movies"] if row is not there[0]]
        self._by_id[tmdb_id] = []
        return _outcome(tmdb_id, "deleted")


def _compare_and_set(there: Document, change: Document) -> Document:
    tmdb_id = int(change["tmdb_id"])
    create = change.get("create")
    absent, unset = change.get("absent", []), change.get("unset", [])
    wanted = create or {**change.get("set", {}), **dict.fromkeys(unset, ABSENT)}
    missing = differing(there, wanted)
    if not missing:
        return _outcome(tmdb_id, "unchanged")
    expected = {**change.get("expected", {}), **dict.fromkeys(absent, ABSENT)}
    moved = missing if create else differing(there, expected)
    if moved:
        return _outcome(tmdb_id, "conflict", moved)
    for name in unset:
        there.pop(name, None)
    there.update(_with_floats(change.get("set", {})))
    return _outcome(tmdb_id, "updated")


def _with_floats(document: Document) -> Document:
    """Return a document with the numbers of our own fields as Convex writes them: 603.0.

    The `generated_schema.jsonl` of an export would make an Int64 of 603. Of the app's own fields,
    which are set only where a deletion is taken back, numbers are as they were read.
    """
    return {name: _floats(v) if name in _OURS else v for name, v in document.items()}


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _floats(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_floats(part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _outcome(tmdb_id: int, outcome: str, differs: Iterable[str] = ()) -> Document:
    return {"tmdb_id": tmdb_id, "outcome": outcome, "id": None, "differs": list(differs)}


def _by_key(rows: Sequence[Document], key: Callable[[Document], Any]) -> dict[Any, Document]:
    """Return rows by their key, the oldest of each; what has none that can be one is left out."""
    found: dict[Any, Document] = {}
    for row in reversed(rows):
        with suppress(TypeError):  # a list, or an object
            found[key(row)] = row
    return found


def _index(movies: Iterable[Document]) -> dict[int, list[Document]]:
    found: dict[int, list[Document]] = defaultdict(list)
    for row in movies:
        if (tmdb_id := id_of(row)) is not None:
            found[tmdb_id].append(row)
    return found
