"""Decisions as a file: JSON Lines with the columns of `stage.decisions()`, written and read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.files import write_text
from tmdbkit.schema import ROW
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.decisions import (
    DIGITS,
    JUDGED,
    PLAIN_FIELDS,
    POINTS_FIELD,
    VERDICTS,
    changed_since,
    field_named,
    judged,
    moved,
    standing,
)
from tmdbkit.stage.fitting import fitting
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.tables import DECISIONS
from tmdbkit.stage.validation import KINDS
from tmdbkit.stage.validation import TEXTS as FILLED_IN
from tmdbkit.stage.waivers import WAIVERS
from tmdbkit.surrogates import decoded, loads
from tmdbkit.tables import file_to_write, reading
from tmdbkit.workflows.pending import Key, PendingDecisions, Row, by_key, key_of, said_of

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
                file.add(check(line), f"line {number}", line)
            except UsageError as error:
                refused.append(f"line {number}: {error}")
    file.compare(stage)
    fates = file.fates()
    new = [row for row, fate in zip(file.rows, fates, strict=True) if fate == "new"]
    file.fill_in(new)
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
        self._log = here
        self._here = dict(here.select("decision", "tmdb_id").rows())
        self._undone = set(here.filter(kind="undo")["undoes"])
        self._standing = by_key(standing(here))
        self._names: dict[str, int] = {}
        self._in_view: dict[int, str] = {}
        self._changed: set[int] = set()

    def add(self, row: Row, place: str, line: str) -> None:
        """Take a row of the file, which a line says.

        Raises:
            UsageError: It takes back what is nowhere, or is of another movie.
        """
        if row["kind"] == "undo":
            made_on = (self._here | self._names).get(row["undoes"])
            if made_on is None:
                raise UsageError(f"it takes back {row['undoes']!r}, which is no decision here")
            if made_on != row["tmdb_id"]:
                raise UsageError(f"it takes back {row['undoes']!r}, which is of movie {made_on}")
        row["decision"] = row["decision"] or self._name(line.strip())
        if row["decision"] not in self._names:
            self._names[row["decision"]] = row["tmdb_id"]
            self.rows.append(row)
            self._places.append(place)

    def _name(self, line: str) -> str:
        """Return a name for a line without one: a new one each time, and where it was undone."""
        while (name := hashlib.sha256(line.encode()).hexdigest()[:16]) in self._taken():
            line += "\n"
        return name

    def _taken(self) -> set[str]:
        return self._names.keys() | self._undone

    def compare(self, stage: Stage) -> None:
        """Look at the movies that the file has verdicts on, as they are here."""
        if ids := {row["tmdb_id"] for row in self.rows if row["kind"] in VERDICTS}:
            table, _ = stage.store.for_rules(ids)
            self._in_view = dict(table.select("tmdb_id", judged()).rows())
            self._changed = set(changed_since(table, self._log)["tmdb_id"])

    def fill_in(self, rows: Iterable[Row]) -> None:
        """Let verdicts of the file that do not say what they judged judge what is in view by then.

        Args:
            rows: What is applied, whose corrections are in view from then on.
        """
        views = {tmdb_id: loads(text) for tmdb_id, text in self._in_view.items()}
        for row in rows:
            view = views.get(row["tmdb_id"], {})
            if row["kind"] == "override":
                part, _, system = row["field"].partition(".")
                view[f"{system}_points" if part == POINTS_FIELD else part] = loads(row["value"])
            if row["judged"] is None:
                in_view = {name: view.get(name) for name in (*JUDGED, *DIGITS)}
                row["judged"] = json.dumps(in_view, ensure_ascii=False)

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
        is_same = all(there[name] == row[name] for name in ("kind", "value"))
        is_verdict = row["kind"] in VERDICTS
        if is_same and (not is_verdict or self._judges_the_same(there, row)):
            return "known"
        is_old = is_same and is_verdict and row["tmdb_id"] in self._changed
        is_own = there["by"] == row["by"] and there["at"] <= row["at"]
        return "new" if is_own or is_old else "conflict"

    def _judges_the_same(self, there: Row, row: Row) -> bool:
        """Tell whether a verdict here holds, and judged and waived what one of the file did."""
        if row["tmdb_id"] in self._changed:
            return False
        in_view = self._in_view.get(row["tmdb_id"], "") if row["judged"] is None else row["judged"]
        is_waived = row["kind"] == "approve"  # nothing else waives what it saw
        same_waived = set(there["waived"]) == set(row["waived"])
        return not moved(there["judged"], in_view) and (same_waived or not is_waived)


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
    of_all = tmdb_id == 0 and kind in ("waive", "undo")  # of a whole column
    if (
        isinstance(tmdb_id, bool)
        or not isinstance(tmdb_id, int)
        or not (of_all or tmdb_id in staged)
    ):
        raise UsageError(f"no such movie {tmdb_id}")
    row = {"tmdb_id": tmdb_id, "at": _instant(said.get("at"), now), "waived": _waived(said)}
    row |= {name: _text(said, name) for name in TEXTS}
    if kind == "override":
        row |= _correction(said)
    _check_field(row)
    if kind in VERDICTS and said.get("judged") is None:
        row["judged"] = None  # by whoever wrote the line: the movie as it is here
    return {name: row[name] for name in DECISIONS}


def _check_field(row: Row) -> None:
    """Stop a decision that is about what none of its kind can be about."""
    kind, field = row["kind"], row["field"]
    if kind in (*VERDICTS, "undecide") and field:
        raise UsageError(f"{kind} is of a whole movie, and {field!r} is a field")
    if kind == "waive" and (row["tmdb_id"] != 0 or field not in WAIVERS):
        raise UsageError(
            f"waive is of movie 0 and a field such as column_scale:imdb, not of {field!r}"
        )


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
