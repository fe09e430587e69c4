"""Work on other threads, processes and machines: spread over an executor, or one item ahead."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ThreadPoolExecutor, wait
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from tmdbkit.exceptions import StopError, UsageError
from tmdbkit.progress import stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Executor, Future

T = TypeVar("T")
R = TypeVar("R")
LISTEN_SECONDS = 0.5  # a wait without end would be deaf to Ctrl-C
AHEAD = 2  # pieces a worker: one under way, and one that waits for it
LOST_IN_A_ROW = 10  # pieces, with no other done: the workers die of the work itself


def run_on(
    executor: Executor, work: Callable[[T], R], pieces: Iterable[T], workers: int
) -> Generator[R]:
    """Yield what becomes of each piece, in the order in which they are done.

    Pieces are taken as workers come free, so they may be made from what came of those before. One
    that is lost is done again: Dask cancels it where the worker dies that holds its result.

    Args:
        executor: Any of `concurrent.futures`, or one that behaves so, such as Dask's.
        work: A function of a module, so that it can be sent to another process.
        pieces: What can be sent there as well.
        workers: How many pieces are under way at once.

    Raises:
        UsageError: A process pool that forks.
        StopError: A worker died, and the executor with it; or all of them, again and again.
    """
    _refuse_fork(executor)
    queue = iter(pieces)
    pending: dict[Future[R], T] = {}
    lost = 0
    try:
        while True:
            free = workers * AHEAD - len(pending)
            pending |= {executor.submit(work, piece): piece for piece in islice(queue, free)}
            if not pending:
                return
            for future in wait(pending, LISTEN_SECONDS, FIRST_COMPLETED).done:
                piece = pending.pop(future)
                if future.cancelled():
                    lost += 1
                    queue = chain([piece], queue)
                else:
                    lost = 0
                    yield future.result()
            if lost >= LOST_IN_A_ROW:
                raise StopError(
                    "the workers keep dying; what was finished is kept: look at their logs, "
                    "and run the same again"
                )
    except BrokenExecutor:
        raise StopError(
            "a worker died, and the pool with it; what was finished is kept: run the same again "
            "with a new pool"
        ) from None
    finally:
        for future in pending:
            future.cancel()


def prefetch(
    items: Iterator[T], press: Callable[[], None], tell: Callable[[str], None] = lambda _: None
) -> Generator[T]:
    """Yield items, each made in a thread of its own while the one before it is used.

    Args:
        items: What makes them.
        press: Is told of a Ctrl-C that strikes in that thread, where polars computes, and of
            whatever ends the wait for it.
        tell: Is told again and again that an item is waited for, and where that is to stop.
    """

    def make() -> T | None:
        try:
            return next(items, None)
        except KeyboardInterrupt:
            press()
            raise

    with ThreadPoolExecutor(1, "tmdbkit-plan") as pool:
        coming = pool.submit(make)
        while True:
            try:
                with stopping(tell):
                    while not wait([coming], LISTEN_SECONDS).done:
                        tell("")
            except BaseException:  # the thread is waited for, and so must not wait itself
                press()
                raise
            item = coming.result()
            if item is None:
                return
            coming = pool.submit(make)
            yield item


def workers_of(executor: Executor) -> int:
    """Return how many pieces an executor works on at once, or the cores here where it is silent."""
    client = getattr(executor, "_client", None)  # Dask's says it by its client
    if client is not None:
        threads = sum(client.nthreads().values())
        if not threads:
            raise UsageError("the cluster has no workers yet; wait for them, or name `workers`")
        return int(threads)
    return getattr(executor, "_max_workers", None) or os.cpu_count() or 1


def _refuse_fork(executor: Executor) -> None:
    """Refuse a pool whose workers would wait for ever: polars' threads do not survive a fork."""
    context = getattr(executor, "_mp_context", None)
    if context is not None and context.get_start_method() == "fork":
        raise UsageError(
            "this pool forks, and polars cannot be used in a forked process; make it with "
            'ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))'
        )
