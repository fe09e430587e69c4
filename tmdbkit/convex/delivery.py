"""Carries batches to a target: cut to fit, several at once, halved where they are refused."""

from __future__ import annotations

import json
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from tmdbkit.exceptions import BatchTooLarge, PassingFault, RequestRefused, ServiceError
from tmdbkit.progress import stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tmdbkit.convex.target import Document, Target

    Batch = list[Document]
    Send = Callable[[Batch], object]
    Tell = Callable[[str], None]
    Ask = Callable[[Sequence[Any]], list[Any]]
    Failure = tuple[Document, ServiceError]

READ, READ_SLUGS = (
    250,
    500,
)  # documents of some 4 KB a query, or owners: half of what may run at once
BATCH_MOVIES, BATCH_ROWS = 100, 500  # under 2,000 of the 4,096 index ranges of a mutation
BATCH_BYTES = 2**20
IN_FLIGHT, ASKED = 4, 2  # mutations, and queries beside them: the next part is planned meanwhile
LOOK_UP = 0.5  # seconds after which a wait looks up


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

        Args:
            questions: Each what to ask with, for which items, and for how many at a time.
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


def asked(ask: Ask, items: Sequence[Any], size: int = READ) -> list[Any]:
    """Return what comes of a question about many items, asked for so many at a time."""
    starts = range(0, len(items), size)
    return [found for n in starts for found in ask_in_halves(ask, items[n : n + size])]


def ask_in_halves(ask: Ask, items: Sequence[Any]) -> list[Any]:
    """Ask for some items, or where they are more than one answer holds, for half of them twice."""
    try:
        return ask(items)
    except BatchTooLarge:
        if len(items) == 1:
            raise
    middle = len(items) // 2
    return ask_in_halves(ask, items[:middle]) + ask_in_halves(ask, items[middle:])
