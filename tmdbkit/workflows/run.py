"""A run between a stage and a target: what all verbs that plan, send or take back share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from secrets import token_hex
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from tmdbkit import progress as progresses
from tmdbkit.convex.changes import Earlier, note_of
from tmdbkit.convex.delivery import corrected
from tmdbkit.convex.importer import CHUNK, Importer, PlanWithNames
from tmdbkit.convex.intents import UnsettledIntents
from tmdbkit.convex.merge import PushOptions
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.read import Contact
from tmdbkit.convex.results import PushResult, add_up
from tmdbkit.convex.target import Target
from tmdbkit.exceptions import StageError, StopError, carrying
from tmdbkit.executors import prefetch
from tmdbkit.progress import Progress, showing
from tmdbkit.stage.pushes import PushLog
from tmdbkit.stage.stage import Stage
from tmdbkit.workflows.contracts import contact

if TYPE_CHECKING:
    from tmdbkit.workflows.outgoing import Outgoing

T = TypeVar("T")


class Run:
    """One run between a stage and a target.

    Args:
        stage: Whose import log keeps what is done, and whose contracts are those of exports.
        target: What is read and written.
        options: What may be touched, and in which form.
        progress: Progress reporter; default a widget, a status line, or nothing.
        now: The clock; default the system's.

    Attributes:
        push: The name that it has in the import log.
    """

    def __init__(
        self,
        stage: Stage,
        target: Target,
        options: PushOptions,
        *,
        progress: Progress | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.stage = stage
        self.target = target
        self.options = options
        self.now = now or _now
        self.push = token_hex(8)
        self._progress = progress or progresses.default()

    @cached_property
    def contact(self) -> Contact:
        """What the target said at the first contact."""
        return contact(self.stage, self.target, self.options.own)

    def unsettled(self, *, needed: bool = True) -> UnsettledIntents:
        """Return the intents of earlier pushes of which it is not known whether they were done.

        Args:
            needed: Whether what becomes known has to be logged; a plan works on a read-only stage.
        """

        def log(settled: pl.DataFrame) -> None:
            with suppress(*(() if needed else (StopError, StageError))):
                self.stage.store.add_imports(settled)

        return UnsettledIntents(
            self.target.title.rows_of(self.stage.store.unsettled()), log, self.now
        )

    def plan(self, outgoing: Outgoing) -> Plan:
        """Plan to send what of a stage is to go, and change nothing."""
        self.target.preflight(writing=False)
        parts = [outgoing.plan_of_failures(self.target)]
        with (
            showing(self._progress, "planning", outgoing.total) as update,
            self._importer(
                self.unsettled(needed=False), earlier=self.stage.store.earlier
            ) as importer,
        ):
            for piece in outgoing.pieces():
                parts.append(importer.plan(*piece))
                update(sum(map(len, parts)))
        joined = Plan.joined(str(self.target.title), parts)
        notes = (*joined.notes, *note_of(joined.changes), *outgoing.waived_in(joined.changes))
        return replace(joined, contract=self.contact.contract.source, notes=notes)

    def send(
        self,
        plans: Callable[[Importer], Generator[Plan]],
        total: int,
        *,
        plan: Plan | None = None,
        interrupt: Callable[[], None] = lambda: None,
    ) -> PushResult:
        """Send all plans; of what came of them only what the result tells is kept in memory.

        Args:
            plans: Makes them, with what is going to send them.
            total: How many movies they are of.
            plan: The saved plan that they are parts of.
            interrupt: Ends the waits of whoever makes them.
        """
        self.target.preflight(writing=True)
        title = self.target.title
        log = PushLog(
            self.stage.store,
            self.push,
            None if plan is None else plan.id,
            str(title),
            title.identity,
        )
        done = 0

        def result(importer: Importer) -> PushResult:
            return add_up(
                str(title),
                self.push,
                [corrected(some, importer.otherwise) for some in importer.outcomes],
                batches=importer.batches,
                left_out=importer.left_out(),
                advice=self.target.advice(),
            )

        def tell(settled: int, note: str) -> None:
            update(done + settled, note or f"batches sent: {importer.batches:,}")

        with showing(self._progress, "pushing", total) as update:
            importer = self._importer(self.unsettled(), log.append)
            with (
                carrying(lambda: result(importer).counts()),
                importer,
                self._stopping(
                    _named(importer, plans(importer), partial(tell, 0)), interrupt
                ) as planned,
            ):
                for named in planned:
                    done += importer.send(named, tell).height
                    tell(0, "")
        return replace(result(importer), notes=importer.notes())

    def send_parts(self, plan: Plan) -> PushResult:
        """Send a saved plan, exactly as it is."""
        return self.send(lambda _: plan.parts(CHUNK), len(plan), plan=plan)

    def _importer(
        self,
        unsettled: UnsettledIntents,
        log: Callable[[pl.DataFrame], None] = lambda _: None,
        earlier: Earlier = lambda _: {},
    ) -> Importer:
        return Importer(self.target, self.options, self.contact, unsettled, log, self.now, earlier)

    @contextmanager
    def _stopping(
        self, planned: Generator[T], interrupt: Callable[[], None]
    ) -> Iterator[Generator[T]]:
        """Yield what is made elsewhere, and end all waits there where the sending ends early."""
        try:
            yield planned
        except BaseException:
            self.target.interrupt()
            interrupt()
            raise
        finally:
            planned.close()


def _named(
    importer: Importer, plans: Generator[Plan], tell: Callable[[str], None]
) -> Generator[PlanWithNames]:
    """Yield plans whose people and genres were sent; what makes the plans ends with it.

    Left to the garbage collector, its thread would be waited for wherever that happens to run.
    """
    with closing(plans):
        yield from prefetch(map(importer.send_names, plans), importer.press, tell)


def _now() -> datetime:
    return datetime.now(UTC)
