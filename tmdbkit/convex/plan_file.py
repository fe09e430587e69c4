"""Saved plans as they are read: each part as it was meant, or refused before anything is sent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import polars as pl

from tmdbkit.convex.changes import Change, Kind
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.target import Document
from tmdbkit.exceptions import UsageError
from tmdbkit.schema import LAST_ID, MOVIE, NULLABLE, RATINGS, validator
from tmdbkit.surrogates import loads

LAYOUT = 1
# What a target may have more in, and a plan then has as well.
_JOINED = RATINGS | NULLABLE


def read_saved(path: Path, names: Mapping[str, pl.Schema]) -> Document:
    """Return what a saved plan says; `names` are the tables that go with its movies.

    Raises:
        UsageError: It cannot be sent as it was meant.
    """
    saved = _parsed(path)
    if not isinstance(saved, dict) or "plan" not in saved:
        raise UsageError(f"{path} is not a plan of tmdbkit; make one with --save")
    if saved["plan"] != LAYOUT or isinstance(saved["plan"], bool):
        raise UsageError(f"{path} is a plan of another tmdbkit; make it anew")
    try:
        fault = next(_faults(saved, names), None)
    except RecursionError:
        fault = "it is nested too deeply"
    if fault:
        raise UsageError(
            f"{path} is a plan of another tmdbkit, or was edited ({fault}); make it anew"
        )
    return saved


def _parsed(path: Path) -> Any:
    """Return what a file of JSON says; None where it is no JSON."""
    try:
        return loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        return None


def _faults(saved: Document, names: Mapping[str, pl.Schema]) -> Iterator[str]:
    """Yield what is wrong with a plan; what is looked at later relies on what was before."""
    yield from Contract(
        {"plan": _object(_PLAN, optional={"identity", "notes", "contract"})}
    ).faults(saved, "plan")
    if not isinstance(saved["names"], dict):
        yield "names is no object"
    yield from _name_faults(saved["names"], names)
    for place, change in enumerate(saved["changes"]):
        for fault in _change_faults(change, is_way_back=bool(saved["undoes"])):
            yield f"changes[{place}]: {fault}"
    ids = Counter(change["tmdb_id"] for change in saved["changes"] if change["kind"] != "unknown")
    yield from (f"movie {tmdb_id} is in it twice" for tmdb_id, count in ids.items() if count > 1)


def _change_faults(change: Document, *, is_way_back: bool) -> Iterator[str]:
    tmdb_id = change["tmdb_id"]
    if not (isinstance(tmdb_id, int) and 0 < tmdb_id <= LAST_ID):
        yield f"{tmdb_id} is no id"
    if change["kind"] not in get_args(Kind):
        yield f"{change['kind']!r} is no kind of change"
    for part in ("set", "before"):
        yield from _document_faults(part, change[part], tmdb_id)
    if not is_way_back:  # which brings back whatever was there
        if not _is_finite([change["set"], change["before"]]):
            yield "a number in it is none"
        own = {n: v for n, v in change["set"].items() if n in MOVIE and n not in _JOINED}
        yield from Contract({"movies": validator("movies")}).faults(own, partial=True)


def _document_faults(part: str, values: object, tmdb_id: int) -> Iterator[str]:
    if not isinstance(values, dict):
        yield f"{part} is no object"
    elif values.get("tmdb_id", tmdb_id) != tmdb_id:
        yield f"{part} is of another movie"
    elif any(name.startswith("_") for name in values):
        yield f"{part} has a field of Convex's own"


def _name_faults(found: Document, names: Mapping[str, pl.Schema]) -> Iterator[str]:
    for table, rows in found.items():
        if table not in names:
            yield f"names has a table {table}"
            return
        kinds = [str if kind == pl.String else int for kind in names[table].values()]
        for row in rows if isinstance(rows, list) else [None]:
            if not (isinstance(row, list) and list(map(type, row)) == kinds):
                yield f"names.{table} has {row!r:.60}"


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _object(members: Document, optional: set[str]) -> Document:
    value = {
        name: {"fieldType": kind, "optional": name in optional} for name, kind in members.items()
    }
    return {"type": "object", "value": value}


_TEXT, _NUMBER, _NULL, _ANY = ({"type": kind} for kind in ("string", "number", "null", "any"))
_TEXTS = {"type": "array", "value": _TEXT}
_BY_ANNOTATION = {"int": _NUMBER, "str": _TEXT, "Kind": _TEXT, "tuple[str, ...]": _TEXTS}
_CHANGE = _object(
    {part.name: _BY_ANNOTATION.get(str(part.type), _ANY) for part in fields(Change)},
    # What came later, plans of before do not have.
    optional={part.name for part in fields(Change)} - {"tmdb_id", "title", "kind", "set", "before"},
)
_SCOPE = {
    "only": {"type": "union", "value": [_NULL, _TEXTS]},
    "keep": _TEXTS,
    "clear": _TEXTS,
    "own": _TEXTS,
}
_PLAN = {
    "plan": _NUMBER,
    "target": _TEXT,
    "identity": _TEXT,
    "left_out": _TEXTS,
    "notes": _TEXTS,
    "contract": _TEXT,
    "undoes": _TEXT,
    "scope": _object(_SCOPE, optional={"own"}),
    "names": _ANY,
    "changes": {"type": "array", "value": _CHANGE},
}
