"""What a target said to the changes of a plan, and what became of each by that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.convex.results import OUTCOMES
from tmdbkit.exceptions import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from tmdbkit.convex.changes import Change
    from tmdbkit.convex.target import Document
    from tmdbkit.exceptions import ServiceError

WROTE = {"create": "created", "update": "updated", "delete": "deleted"}
STOPPED = "the push stopped before there was an answer"


class Answers:
    """Collects what a target says to changes, from several threads.

    A change is in doubt from when it is sent until an answer tells for certain: where the target
    then says that it finds all as wanted, that may be our own doing; else it is somebody else's.

    Args:
        waiting: Movies that are not sent, and why.
    """

    def __init__(self, waiting: Mapping[int, str]) -> None:
        self._said = {tmdb_id: _failed(reason) for tmdb_id, reason in waiting.items()}
        self._doubtful: set[int] = set()

    def hear(self, send: Callable[[Sequence[Document]], list[Document]]) -> Callable[..., None]:
        """Return how a batch is sent so that what is said to it is heard."""

        def apply(batch: Sequence[Document]) -> None:
            sent = {int(change["tmdb_id"]) for change in batch} - self._doubtful
            self._doubtful |= sent
            try:
                answers = send(batch)
            except BaseException as error:
                if not getattr(error, "lost", True):
                    self._doubtful -= sent
                raise
            for answer in answers:
                self._said[int(answer["tmdb_id"])] = answer
            if not any(answer.get("lost") for answer in answers):
                self._doubtful -= sent

        return apply

    def __len__(self) -> int:
        return len(self._said)

    def fail(self, failures: Iterable[tuple[Document, ServiceError]]) -> None:
        """Take in what could not be sent; what is refused once was not done before either."""
        for change, error in failures:
            tmdb_id = int(change["tmdb_id"])
            self._said[tmdb_id] = _failed(str(error))
            if isinstance(error, RequestRefused):
                self._doubtful.discard(tmdb_id)

    def outcomes(self, changes: Iterable[Change], at: datetime) -> pl.DataFrame:
        """Return what became of planned changes, in `OUTCOMES`."""
        rows = []
        for change in changes:
            outcome, reason = self._outcome(change)
            reason = reason or "; ".join(change.withheld)
            rows.append((change.tmdb_id, change.title, outcome, reason, len(change.withheld), at))
        return pl.DataFrame(rows, OUTCOMES, orient="row")

    def _outcome(self, change: Change) -> tuple[str, str]:
        if change.kind == "not_staged":
            return "failed", change.reason
        if not change.goes:
            return change.kind, change.reason
        doubtful = change.tmdb_id in self._doubtful
        answer = self._said.get(change.tmdb_id, _failed(STOPPED))
        said, reason = _summary(answer)
        if said == "unchanged":
            said = WROTE[change.kind] if doubtful else said
        if said == "failed":
            said = "unknown" if doubtful else said
        return said, reason


def corrected(outcomes: pl.DataFrame, otherwise: Mapping[int, Document]) -> pl.DataFrame:
    """Return outcomes with what turned out otherwise when the target was made durable."""
    if not otherwise:
        return outcomes
    rows = outcomes.to_dicts()
    for row in rows:
        if row["outcome"] in WROTE.values() and row["tmdb_id"] in otherwise:
            row["outcome"], row["reason"] = _summary(otherwise[row["tmdb_id"]])
    return pl.DataFrame(rows, outcomes.schema)


def _summary(answer: Document) -> tuple[str, str]:
    """Return the outcome that an answer tells, and why."""
    if answer["outcome"] == "conflict":
        return "conflict", f"changed by someone else since: {', '.join(answer['differs'])}"
    return str(answer["outcome"]), str(answer.get("reason", ""))


def _failed(reason: str) -> Document:
    return {"outcome": "failed", "reason": reason}
