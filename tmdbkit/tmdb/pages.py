"""Many requests of one kind: pages of an answer, several of them at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from tmdbkit.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tmdbkit.http.session import Session
    from tmdbkit.tmdb.client import TMDBClient

T = TypeVar("T")
R = TypeVar("R")
LAST_PAGE = 500  # TMDB serves no page above, whatever `total_pages` says
THREADS = 12
AT_ONCE = 200  # asked for and not yet taken, so that memory does not grow with the items


def read_pages(
    client: TMDBClient, ask: Callable[[int], Any], *, pages: int = LAST_PAGE, first: Any = None
) -> Iterator[Any]:
    """Yield the pages of an answer in order, as many as there are and at most `pages`.

    Args:
        client: What `ask` goes through, and whose progress is told.
        ask: Returns the page of a number; the first is 1.
        pages: How many are wanted.
        first: The first page, where it is there already.
    """
    first = ask(1) if first is None else first
    last = min(pages, LAST_PAGE, first.get("total_pages", 1))
    rest = _ask_each(client.session, ask, range(2, last + 1))
    yield from tracked(chain([first], rest), client.progress, "reading page", last)


def ask_each(
    client: TMDBClient, ask: Callable[[T], R], items: Sequence[T], what: str
) -> Iterator[R]:
    """Yield what `ask` returns for each item, in order; progress is told that this is `what`."""
    answers = _ask_each(client.session, ask, items)
    yield from tracked(answers, client.progress, what, len(items))


def _ask_each(session: Session, ask: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Ask on a few threads.

    The first error ends the waits of all threads, and is raised. The first item is asked for here,
    where a person can be asked for a missing key.
    """
    rest = iter(items)
    for item in islice(rest, 1):
        yield ask(item)
    try:
        with ThreadPoolExecutor(THREADS, "tmdbkit-pages") as pool:
            try:
                while some := list(islice(rest, AT_ONCE)):
                    yield from pool.map(ask, some)
            except BaseException:
                session.interrupt()
                raise
    finally:
        session.resume()
