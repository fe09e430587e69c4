"""Carries batches to a target: cut to fit, several at once, halved where they are refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

import polars as pl

from tmdbkit.convex.changes import Change
from tmdbkit.convex.results import OUTCOMES
from tmdbkit.convex.target import Document, Target
from tmdbkit.exceptions import BatchTooLarge, PassingFault, RequestRefused, ServiceError
from tmdbkit.progress import stopping

Batch = list[Document]
Send = Callable[[Batch], object]
Tell = Callable[[str], None]
Ask = Callable[[Sequence[Any]], list[Any]]
Failure = tuple[Document, ServiceError]

# Documents of some 4 KB a query, or owners: half of what may run at once.
READ, READ_SLUGS = 250, 500
BATCH_MOVIES, BATCH_ROWS = 100, 500  # under 2,000 of the 4,096 index ranges of a mutation
BATCH_BYTES = 2**20
IN_FLIGHT, ASKED = 4, 2  # mutations, and queries beside them: the next part is planned meanwhile
LOOK_UP = 0.5  # seconds after which a wait looks up
WROTE = {"create": "created", "update": "updated", "delete": "deleted"}
STOPPED = "the push stopped before there was an answer"


class Delivery:
    """Asks and sends, several batches at once.

    Args:
        target: Whose waits end when the delivery does.

    Attributes:
        batches: How many batches were sent, halves included.
    """

    def __init__(self, target: Target) -> None:
        self.batches = 0
        self._target = target
        self._stopped = self._pressed = False
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(IN_FLIGHT, "tmdbkit-push")
        self._asking = ThreadPoolExecutor(ASKED, "tmdbkit-ask")

    def ask_all(self, *questions: tuple[Ask, Sequence[Any], int]) -> Iterator[list[Any]]:
        """Ask all questions at once, and yield what comes of each.

        A question is what to ask with, for which items, and for how many at a time.
        """
        asked = [
            [
                self._asking.submit(ask_in_halves, ask, items[start : start + size])
                for start in range(0, len(items), size)
            ]
            for ask, items, size in questions
        ]
        self._see_through([future for futures in asked for future in futures])
        return ([found for f in futures for found in f.result()] for futures in asked)

    def send(
        self,
        send: Send,
        items: Batch,
        cut: Callable[[Batch], Iterable[Batch]],
        tell: Tell = lambda _: None,
    ) -> list[Failure]:
        """Send the items in batches, and return what failed; passing faults get a second go.

        `tell` is called at every answer, with a note where it is about to stop.

        Raises:
            StopError: Going on is pointless; so far as they were sent, batches were answered.
        """
        failures = self._send_at_once(send, cut(items), tell)
        again = [item for item, error in failures if isinstance(error, PassingFault)]
        lasting = [failure for failure in failures if not isinstance(failure[1], PassingFault)]
        return lasting + self._send_at_once(send, cut(again), tell)

    def press(self) -> None:
        """Pass on a Ctrl-C that polars has raised in another thread than the main one."""
        self._pressed = True

    def _check_pressed(self) -> None:
        if self._pressed:
            raise KeyboardInterrupt

    def close(self) -> None:
        """End the threads, after the requests in flight."""
        try:
            for pool in (self._asking, self._pool):
                pool.shutdown(wait=True, cancel_futures=True)
        finally:
            self._target.resume()

    def _send_at_once(self, send: Send, batches: Iterable[Batch], tell: Tell) -> list[Failure]:
        failures: list[Failure] = []
        self._see_through(
            [self._pool.submit(self._carry, send, batch, failures) for batch in batches], tell
        )
        return failures

    def _see_through(self, futures: Sequence[Future[Any]], tell: Tell = lambda _: None) -> None:
        """Wait for all of them; a stop or Ctrl-C waits only for those in flight.

        Each wait has a time limit: polars has signals restart those that have none, and Ctrl-C
        would go unheard.
        """
        pending = set(futures)
        try:
            with stopping(tell):
                while pending:
                    self._check_pressed()
                    done, pending = wait(pending, LOOK_UP, FIRST_COMPLETED)
                    for future in done:
                        future.result()
                    tell("")
        except BaseException as error:
            if not isinstance(error, PassingFault):  # after one of these, the run goes on
                self._stopped = True
                self._target.interrupt()
            for future in futures:
                future.cancel()
            while wait(futures, LOOK_UP).not_done:
                pass
            raise

    def _carry(self, send: Send, batch: Batch, failures: list[Failure]) -> None:
        """Send a batch, unless one before it has ended the run."""
        if self._stopped:
            return
        try:
            self._halve(send, batch, failures)
        except BaseException:
            self._stopped = True
            raise

    def _halve(self, send: Send, batch: Batch, failures: list[Failure]) -> None:
        """Send a batch; where it is refused, halve it until what is refused stands alone."""
        with self._lock:
            self.batches += 1
        error = _error_of(send, batch)
        if error is None:
            return
        if len(batch) == 1 or isinstance(error, PassingFault):
            failures.extend((item, error) for item in batch)
            return
        middle = len(batch) // 2
        self._halve(send, batch[:middle], failures)
        self._halve(send, batch[middle:], failures)


def movie_batches(changes: Iterable[Document]) -> Iterator[Batch]:
    """Cut changes into batches by count and by bytes."""
    batch: Batch = []
    filled = 0
    for change in changes:
        size = len(json.dumps(change, ensure_ascii=False).encode())
        if batch and (len(batch) >= BATCH_MOVIES or filled + size > BATCH_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(change)
        filled += size
    if batch:
        yield batch


def row_batches(rows: Iterable[Document], *, key: str) -> Iterator[Batch]:
    """Cut rows, which are sorted by their id, into batches that no id straddles."""
    batch: Batch = []
    for row in rows:
        if len(batch) >= BATCH_ROWS and batch[-1][key] != row[key]:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _error_of(send: Send, batch: Batch) -> ServiceError | None:
    """Return what sending a batch ran into, unless that ends the run."""
    try:
        send(batch)
    except (PassingFault, BatchTooLarge, RequestRefused) as error:
        return error
    return None


def asked(ask: Ask, items: Sequence[Any]) -> list[Any]:
    """Return what comes of a question about many items, asked for some at a time."""
    starts = range(0, len(items), READ)
    return [found for n in starts for found in ask_in_halves(ask, items[n : n + READ])]


def ask_in_halves(ask: Ask, items: Sequence[Any]) -> list[Any]:
    """Ask for some items, or where they are more than one answer holds, for half of them twice."""
    try:
        return ask(items)
    except BatchTooLarge:
        if len(items) == 1:
            raise
    middle = len(items) // 2
    return ask_in_halves(ask, items[:middle]) + ask_in_halves(ask, items[middle:])


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
