"""Asks for ids on a bounded pool of threads, and hands over what comes in small batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TypeVar

from tmdbkit.exceptions import Interrupted, SettingsError, StopError, TMDBKitError
from tmdbkit.tmdb.client import TMDBClient

T = TypeVar("T")
PART_MOVIES, PART_SECONDS = 50, 0.5
CTRL_C_TRIES = 100
OUTSTANDING = 70  # asked for and not yet on the disk: what a kill can cost


@dataclass(frozen=True)
class Fetched:
    """What came of one id: a payload's text, or an error."""

    tmdb_id: int
    received_at: datetime
    text: str = ""
    error: TMDBKitError | None = None
    cached: bool = False


class Gate:
    """What the threads pass before each request: a person can hold them there, and let them on."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """Let nobody through; what is under way is finished."""
        self._open.clear()

    def let_on(self) -> None:
        """Let everybody through."""
        self._open.set()

    def wait(self) -> None:
        """Wait while it is held."""
        self._open.wait()


class Fetching:
    """Asks for ids on threads, and hands over what came in batches of 50 movies or half a second.

    At most `OUTSTANDING` ids are asked for and not settled, so memory does not grow with the number
    of ids. The threads take the ids themselves and wait for nobody while there is room, but for a
    gate that somebody holds. What `interrupt` does ends their waits.
    """

    def __init__(
        self,
        ask: Callable[[int], Fetched],
        *,
        threads: int,
        interrupt: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        gate: Gate | None = None,
    ) -> None:
        self._ask = ask
        self._gate = gate or Gate()
        self._threads = threads
        self._interrupt = interrupt
        self._clock = clock
        self._room = threading.Semaphore(OUTSTANDING)
        self._came: SimpleQueue[Fetched | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._stopped: BaseException | None = None

    def batches(self, ids: Iterable[int]) -> Generator[list[Fetched]]:
        """Yield what comes; each batch is to be `settled`.

        A stop first hands over what came, then goes on its way.
        """
        queue = iter(ids)
        workers = [  # daemons: whoever forgets to close this can end the process all the same
            threading.Thread(target=self._work, args=(queue,), name="tmdbkit-fetch", daemon=True)
            for _ in range(self._threads)
        ]
        try:
            for worker in workers:
                worker.start()
            yield from self._gather()
        except BaseException as error:  # Ctrl-C here, or a reader who reads no further
            self.stop(error)
            raise
        finally:
            for worker in filter(threading.Thread.is_alive, workers):
                worker.join()
        self.check()

    def check(self) -> None:
        """Raise what stopped it, if anything did."""
        if self._stopped is not None:
            raise self._stopped

    def settled(self, count: int) -> None:
        """Make room: so many ids need not be kept in mind any more."""
        self._room.release(count)

    def stop(self, error: BaseException) -> None:
        """Ask for nothing more, and end all waits; the first error is what `batches` raises."""
        self._stopped = self._stopped or error
        self._gate.let_on()
        self._room.release(self._threads)
        self._interrupt()

    def despite_ctrl_c(self, write: Callable[[], T]) -> T:
        """Stop at a Ctrl-C, but write first: polars raises it in whichever thread computes.

        It may raise one Ctrl-C several times, as long as any other thread is computing.
        """
        for _ in range(CTRL_C_TRIES):
            try:
                return write()
            except KeyboardInterrupt as error:
                self.stop(error)
        return write()

    def _work(self, queue: Iterator[int]) -> None:
        """Ask for one id after the other until there is none, or a stop; then say so."""
        try:
            while (tmdb_id := self._next(queue)) is not None:
                item = self._ask(tmdb_id)
                if isinstance(item.error, StopError | SettingsError | Interrupted):
                    self.stop(item.error)
                else:
                    self._came.put(item)
        except BaseException as error:
            self.stop(error)
        finally:
            self._came.put(None)

    def _next(self, queue: Iterator[int]) -> int | None:
        with self._lock:
            tmdb_id = next(queue, None)
        if tmdb_id is not None:
            self._room.acquire()
            self._gate.wait()
        return None if self._stopped else tmdb_id

    def _gather(self) -> Iterator[list[Fetched]]:
        batch: list[Fetched] = []
        working, closes = self._threads, self._clock() + PART_SECONDS
        while working:
            with suppress(Empty):
                item = self._came.get(timeout=max(0.0, closes - self._clock()))
                if item is None:
                    working -= 1
                else:
                    batch.append(item)
            if len(batch) >= PART_MOVIES or self._clock() >= closes or not working:
                if batch:
                    yield batch
                batch, closes = [], self._clock() + PART_SECONDS


def asker(client: TMDBClient, *, refresh: bool) -> Callable[[int], Fetched]:
    """Return what asks for one movie, and makes its error a part of what comes of it."""

    def ask(tmdb_id: int) -> Fetched:
        try:
            answer = client.movie_answer(tmdb_id, store=False, refresh=refresh)
        except TMDBKitError as error:
            return Fetched(tmdb_id, datetime.now(UTC), error=error)
        return Fetched(tmdb_id, answer.received_at, answer.text, cached=answer.cached)

    return ask
