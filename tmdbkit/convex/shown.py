"""The changes of a plan in lines: title, field, old → new, as short as a terminal is wide."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import polars as pl

from tmdbkit.convex.changes import Change
from tmdbkit.display import brief, first_facts, plain
from tmdbkit.schema import RATINGS, STAMPS

Move = tuple[str, Any, Any]  # a field, old, new

FIRST = 10  # lines that are shown
TITLE, LEAST = 28, 8  # characters of a title, and at least of a value
ASIDE = len("different: ")  # what stands before a line
UNTOLD = STAMPS | {"created_at"}  # of a document: the times at which it is planned
DONE = {"create": "new", "delete": "deleted"}
NAMED = (
    ("crew", ("crew_id", "crew_name"), ("cast", "crew", "directors")),
    ("genres", ("genre_id", "name"), ("genres",)),
)


def first_lines(changes: Sequence[Change]) -> list[str]:
    """Return the first lines of what would change, and how many more there are."""
    lines = _lines(changes, shutil.get_terminal_size().columns - ASIDE)
    first = list(islice(lines, FIRST))
    rest = sum(1 for _ in lines)
    return [*first, *([f"and {rest:,} more"] if rest else [])]


def _lines(changes: Sequence[Change], width: int) -> Iterator[str]:
    for change in changes:
        title = plain(change.title, TITLE)
        if change.kind in DONE:
            yield f"{title} ({change.tmdb_id}) · {DONE[change.kind]}"
        else:
            yield from (_line(title, *move, width) for move in moves(change))


def _line(title: str, name: str, old: Any, new: Any, width: int) -> str:
    head = f"{title} · {name} · "
    room = max((width - len(head) - len(" → ")) // 2, LEAST)
    if isinstance(old, list) and isinstance(new, list):
        more, gone = (sum(x not in b for x in a) for a, b in ((new, old), (old, new)))
        return plain(f"{head}{len(old)} → {len(new)}: {more} new, {gone} gone", width)
    return plain(f"{head}{brief(old, room)} → {brief(new, room)}", width)


def document_lines(change: Change, names: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return a line for each field of a new document, as far as there is anything in it.

    Ids are told by the `names` that go with it.
    """
    known = {
        field: dict(names[table].select(columns).rows())
        for table, columns, fields in NAMED
        if table in names
        for field in fields
    }
    width = shutil.get_terminal_size().columns - ASIDE
    lines = []
    for name, value in change.set.items():
        parts = value.items() if name in RATINGS else [("", value)]
        for part, one in parts:
            if one not in (None, "", []) and name not in UNTOLD:
                label = f"{name}.{part}" if part else name
                told = [known[name].get(n, n) for n in one] if name in known else one
                lines.append(f"{label}: {brief(told, max(width - len(label), LEAST))}")
    return lines


def aside_facts(changes: Sequence[Change], kinds: Iterable[str]) -> list[tuple[str, str]]:
    """Return of some kinds of changes the first of each, with reasons, as facts of those names."""
    facts = []
    for kind in kinds:
        name = kind.replace("_", " ")
        some = (change for change in changes if change.kind == kind)
        facts += first_facts(
            name, [f"{c.title}: {c.reason.removeprefix(name + '; ')}" for c in some]
        )
    return facts


def moved(change: Change) -> list[str]:
    """Return the fields that an update changes, its stamps aside, or that a deletion takes away."""
    if change.kind == "delete":
        return list(change.before)
    if change.kind != "update":
        return []
    return [name for name in (*change.set, *change.unset) if name not in STAMPS]


def moves(change: Change) -> Iterator[Move]:
    """Yield each field that moves; of a group, such as the five ratings, each value."""
    for name in moved(change):
        yield from _moves(name, change.before.get(name), change.set.get(name))


def _moves(name: str, old: Any, new: Any) -> Iterator[Move]:
    if isinstance(old, dict) and isinstance(new, dict):
        for part in {**old, **new}:
            yield from _moves(f"{name}.{part}", old.get(part), new.get(part))
    elif old != new:
        yield name, old, new


def text_of(value: Any) -> str | None:
    """Return a value as JSON; None where there is none."""
    return None if value is None else json.dumps(plain_value(value), ensure_ascii=False)


def plain_value(value: Any) -> Any:
    """Return a value with whole numbers as such: Convex sends 603 as 603.0."""
    if isinstance(value, dict):
        return {name: plain_value(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain_value(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
