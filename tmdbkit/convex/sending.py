"""One push from beginning to end, wherever its plans come from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from tmdbkit import progress as progresses
from tmdbkit.convex.answers import corrected
from tmdbkit.convex.contact import Contact
from tmdbkit.convex.delivery import LOOK_UP
from tmdbkit.convex.importer import Importer
from tmdbkit.convex.merge import ALL, Scope
from tmdbkit.convex.results import TOLD, add_up

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator
    from datetime import datetime

    import polars as pl

    from tmdbkit.convex.importer import Named
    from tmdbkit.convex.intents import Unsettled
    from tmdbkit.convex.planned import Plan
    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Target
    from tmdbkit.images import ImageForm
    from tmdbkit.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Sending:
    """What a push needs besides its plans: of a stage's rows, of rows just fetched, or a saved one.

    Attributes:
        target: Where it goes.
        people: `named`, `all` or `none`; None as the target's tables suggest.
        images: The form of images in an empty target.
        progress: What is told how far it is.
        log: Is given what is about to be sent, and the outcomes as they come.
        now: The time of day.
        interrupt: Ends the waits of whoever makes the plans.
        push: Its name in the log.
        unsettled: Intents of earlier pushes.
        contact: Asks the target what its tables accept.
        terms: Says what a person minds of ratings, given the systems that are rated there already.
    """

    target: Target
    people: str | None
    images: ImageForm
    progress: Progress | None
    log: Callable[[pl.DataFrame], None]
    now: Callable[[], datetime]
    interrupt: Callable[[], None] = lambda: None
    push: str = ""
    unsettled: Unsettled | None = None
    contact: Callable[[Target], Contact] = Contact.of
    terms: Callable[[Collection[str]], tuple[str, ...]] = lambda _: ()

    def run(
        self,
        plans: Callable[[Importer], Generator[Plan]],
        total: int,
        *,
        scope: Scope = ALL,
        limit: int | None = None,
    ) -> PushResult:
        """Send all plans; of what came of them only what the result tells is kept in memory."""
        self.target.preflight(writing=True)
        shown = self.progress or progresses.default()
        outcomes: list[pl.DataFrame] = []
        done = 0
        shown.begin("pushing", total)
        try:
            with (
                Importer(
                    self.target,
                    people=self.people,
                    images=self.images,
                    now=self.now,
                    scope=scope,
                    limit=limit,
                    log=self.log,
                    unsettled=self.unsettled,
                    contact=self.contact(self.target),
                ) as importer,
                self._stopping(_named(importer, plans(importer))) as planned,
            ):
                for named in planned:
                    outcomes.append(importer.send(named).select(TOLD))
                    done += outcomes[-1].height
                    shown.update(done)
        finally:
            shown.end()
        result = add_up(
            str(self.target.title),
            self.push,
            [corrected(some, importer.otherwise) for some in outcomes],
            batches=importer.batches,
            left_out=importer.left_out(),
            advice=self.target.advice(),
        )
        wrote = result.created or result.updated
        terms = self.terms(importer.rated) if wrote and not self.target.deferred else ()
        return replace(result, notes=(*importer.notes(), *terms))

    @contextmanager
    def _stopping(self, planned: Generator[T]) -> Iterator[Generator[T]]:
        """Yield what is made elsewhere, and end all waits there where the sending ends early."""
        try:
            yield planned
        except BaseException:
            self.target.interrupt()
            self.interrupt()
            raise
        finally:
            planned.close()


def _named(importer: Importer, plans: Generator[Plan]) -> Generator[Named]:
    """Yield plans whose people and genres were sent; what makes the plans ends with it.

    Left to the garbage collector, its thread would be waited for wherever that happens to run.
    """
    with closing(plans):
        yield from one_ahead(map(importer.send_names, plans), importer.press)


def one_ahead(items: Iterator[T], press: Callable[[], None]) -> Generator[T]:
    """Yield items, each made in a thread of its own while the one before it is used.

    The wait has a time limit: one without would be deaf to Ctrl-C, as polars leaves signals.

    Args:
        items: What makes them.
        press: Is told of a Ctrl-C that strikes in that thread, where polars computes.
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
            while not wait([coming], LOOK_UP).done:
                pass
            item = coming.result()
            if item is None:
                return
            coming = pool.submit(make)
            yield item
