"""Decisions as a file: JSON Lines with the columns of `stage.decisions()`, written and read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.files import write_text
from tmdbkit.schema import ROW
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.decisions import PLAIN_FIELDS, VERDICTS, field_named, standing
from tmdbkit.stage.fitting import fitting
from tmdbkit.stage.tables import DECISIONS
from tmdbkit.stage.validation import KINDS
from tmdbkit.stage.validation import TEXTS as FILLED_IN
from tmdbkit.surrogates import decoded, loads
from tmdbkit.tables import file_to_write, reading
from tmdbkit.workflows.pending import PendingDecisions, by_key, key_of, said_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tmdbkit.stage.stage import Stage
    from tmdbkit.workflows.pending import Key, Row

TEXTS = tuple(name for name, kind in DECISIONS.items() if kind == pl.String)
TEXT_FIELDS = tuple(name for name in PLAIN_FIELDS if ROW[name] == pl.String)
NEVER_NULL = ("kind", "decision", *FILLED_IN)


@checked
def export_decisions(stage: Stage, path: str | Path) -> int:
    """Write all decisions of a stage as JSON Lines, the oldest first; return how many."""
    file, rows = file_to_write(path), stage.decisions()
    text = partial(json.dumps, ensure_ascii=False, default=datetime.isoformat)
    lines = (f"{text(row)}\n" for row in rows.iter_rows(named=True))
    with reading(str(path), "written"):
        write_text(file, "".join(lines))
    return rows.height


@checked
def apply_decisions(stage: Stage, path: str | Path) -> PendingDecisions:
    """Write the decisions of a file that a stage does not have yet; return what became of them."""
    return read_decisions(stage, path).write(stage)


@checked
def read_decisions(stage: Stage, path: str | Path) -> PendingDecisions:
    """Return what applying a file of decisions would do; a decision is known by its name.

    What was decided here meanwhile, and the file does not know of, is not overruled: a conflict.

    Raises:
        UsageError: The file cannot be read.
    """
    with reading(str(path)):
        lines = decoded(Path(path).expanduser().read_bytes()).split("\n")  # others may be in texts
    here = stage.decisions()
    check = partial(_checked, stage.ids(), stage.store.now())
    file, refused = _Merge(here), []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                file.add(check(line), f"line {number}")
            except UsageError as error:
                refused.append(f"line {number}: {error}")
    fates = file.fates()
    new = [row for row, fate in zip(file.rows, fates, strict=True) if fate == "new"]
    return PendingDecisions(
        pl.DataFrame(new, DECISIONS, orient="row"),
        known=Counter(fates)["known"],
        conflicts=tuple(file.conflicts()),
        refused=tuple(refused),
        seen=standing(here),
    )


class _Merge:
    """The decisions of a file beside those of a stage.

    Of each movie and field the last that the file says decides about the others: they stand with
    it or not at all, so that two stages that exchange files agree.

    Args:
        here: The stage's decisions.
    """

    def __init__(self, here: pl.DataFrame) -> None:
        self.rows: list[Row] = []
        self._places: list[str] = []
        self._here = set(here["decision"])
        self._standing = by_key(standing(here))
        self._names: set[str] = set()

    def add(self, row: Row, place: str) -> None:
        """Take a row of the file.

        Raises:
            UsageError: It takes back what is nowhere.
        """
        if row["kind"] == "undo" and row["undoes"] not in self._here | self._names:
            raise UsageError(f"it takes back {row['undoes']!r}, which is no decision here")
        if row["decision"] not in self._names:
            self._names.add(row["decision"])
            self.rows.append(row)
            self._places.append(place)

    def fates(self) -> list[str]:
        """Return of each row whether it is `new`, `known` or a `conflict`."""
        last, undone = self._last(), {row["undoes"] for row in self.rows}
        return [
            "known"
            if row["decision"] in self._here
            else "new"
            if row["kind"] == "undo" or row["decision"] in undone
            else self._fate(last[key_of(row)])
            for row in self.rows
        ]

    def conflicts(self) -> Iterator[str]:
        """Yield a line for each movie and field on which somebody here decided otherwise."""
        for key, row in self._last().items():
            if self._fate(row) == "conflict":
                place = self._places[self.rows.index(row)]
                yield f"{place}: {said_of(self._standing[key])} here meanwhile; decide in review"

    def _last(self) -> dict[Key, Row]:
        undone = {row["undoes"] for row in self.rows}
        return {
            key_of(row): row
            for row in self.rows
            if row["kind"] != "undo" and row["decision"] not in undone
        }

    def _fate(self, row: Row) -> str:
        there = self._standing.get(key_of(row))
        if row["decision"] in self._here:
            return "known"
        if there is None or there["decision"] in self._names:
            return "new"
        if all(there[name] == row[name] for name in ("kind", "value")):
            return "known"
        is_own = there["by"] == row["by"] and there["at"] <= row["at"]
        return "new" if is_own else "conflict"


def _checked(staged: Iterable[int], now: datetime, line: str) -> Row:
    """Return a line of the file as a row of `DECISIONS`.

    Raises:
        UsageError: It is none, of no movie here, or of a value that its field does not take.
    """
    try:
        said = loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise UsageError("it is no object of JSON")
    tmdb_id, kind = said.get("tmdb_id"), said.get("kind")
    if kind not in KINDS:
        raise UsageError(f"no such kind {kind!r}{did_you_mean(str(kind), KINDS)}")
    of_all = tmdb_id == 0 and kind not in (*VERDICTS, "override")  # such as of a whole column
    if (
        isinstance(tmdb_id, bool)
        or not isinstance(tmdb_id, int)
        or not (of_all or tmdb_id in staged)
    ):
        raise UsageError(f"no such movie {tmdb_id}")
    row = {"tmdb_id": tmdb_id, "at": _instant(said.get("at"), now), "waived": _waived(said)}
    row |= {name: _text(said, name) for name in TEXTS}
    row["decision"] = row["decision"] or hashlib.sha256(line.strip().encode()).hexdigest()[:16]
    if kind == "override":
        row |= _correction(said)
    return {name: row[name] for name in DECISIONS}


def _correction(said: Row) -> Row:
    """Return field and value of a correction, as the log has them."""
    field = field_named(str(said.get("field")))
    if "value" not in said:
        raise UsageError(f"it has no value of {field}; null takes one away")
    value = said["value"]
    if isinstance(value, str):
        with suppress(ValueError):  # a text as a person writes it
            meant = loads(value)
            value = value if field in TEXT_FIELDS and not isinstance(meant, str) else meant
    if isinstance(value, bool | list | dict):
        raise UsageError(f"{field} is one value, and {json.dumps(value)} is none")
    return {"field": field, "value": json.dumps(fitting(field, value), ensure_ascii=False)}


def _text(said: Row, name: str) -> str | None:
    value = said.get(name)
    if name not in NEVER_NULL:
        return value if isinstance(value, str | None) else json.dumps(value)
    if not isinstance(value, str | None):
        raise UsageError(f"{name} is a text, and {json.dumps(value)} is none")
    return value or ""


def _waived(said: Row) -> list[str]:
    value = said.get("waived") or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"waived is a list of texts, and {json.dumps(value)} is none")
    return value


def _instant(value: Any, now: datetime) -> datetime:
    """Return a time; one without a zone is in UTC, and none at all is now."""
    if value is None:
        return now
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{value!r} is no time, such as 2026-01-31T12:00:00Z") from None
