"""Progress reporters: a status line on a terminal, a line now and then in a log, or nothing."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO, TypeVar

from tmdbkit.display import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
LOG_SECONDS = 300.0  # between two lines of a log
STOPPING = "stopping once what is under way has come"


class Progress(Protocol):
    """Long work calls `begin` once, `update` often and `end` once, from one thread."""

    def begin(self, what: str, total: int) -> None:
        """Say what begins, and of how many."""

    def update(self, done: int, note: str = "") -> None:
        """Say how many are done, and what else is worth knowing."""

    def end(self) -> None:
        """Say that it is over; the result's own drawing tells the rest."""


class Pace:
    """How fast work goes, and how long the rest of it will take.

    Args:
        total: Of how many.
        clock: Seconds that only grow.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock = total, clock
        self._began: tuple[int, float] | None = None

    def describe(self, done: int) -> str:
        """Return it as `38 a second, 2 min left`; what was done at first took no time of ours."""
        if self._began is None:
            self._began = (done, self._clock())
        first, at = self._began
        seconds = self._clock() - at
        if done <= first or seconds <= 0 or done >= self._total:
            return ""
        rate = (done - first) / seconds
        shown = f"{rate:.3g}" if rate < 100 else f"{rate:,.0f}"
        return f"{shown} a second, {_duration((self._total - done) / rate)} left"


def counted(count: int, noun: str) -> str:
    """Return a number and what it counts: 1 movie, 1,000 movies."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


class Silent:
    """Reports nothing."""

    def begin(self, what: str, total: int) -> None:
        """Nothing."""

    def update(self, done: int, note: str = "") -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Work:
    """What is under way, in one line: `staging 50 of 100 · 10 a second, 5 s left · 2 missing`."""

    def __init__(self, what: str, total: int, clock: Callable[[], float]) -> None:
        self._what, self._total, self._pace = what, total, Pace(total, clock)

    def describe(self, done: int, note: str) -> str:
        """Return the line."""
        parts = (f"{done:,} of {self._total:,}", self._pace.describe(done), note)
        return plain(f"{self._what} {' · '.join(part for part in parts if part)}")


class _Written:
    """Work that is told on a stream.

    Args:
        stream: Default standard error.
        clock: Seconds that only grow.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._work = Work("", 0, clock)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class TerminalLine(_Written):
    """Keeps one line of a terminal up to date, and clears it at the end."""

    def begin(self, what: str, total: int) -> None:
        """Draw the line."""
        self._work = Work(what, total, self._clock)
        self._draw(f"{what} 0 of {total:,}")

    def update(self, done: int, note: str = "") -> None:
        """Draw it anew."""
        self._draw(self._work.describe(done, note))

    def end(self) -> None:
        """Clear it."""
        self._draw("")

    def _draw(self, text: str) -> None:
        self._write(f"\r\x1b[K{_cut(text, _columns(self._stream))}")


class LogLines(_Written):
    """Writes a line every few minutes, for a log that is read in the morning."""

    def begin(self, what: str, total: int) -> None:
        """Nothing yet: most work is over before a line is due."""
        self._work, self._written_at = Work(what, total, self._clock), self._clock()

    def update(self, done: int, note: str = "") -> None:
        """Write how it stands, where a line is due."""
        text = self._work.describe(done, note)
        if self._clock() - self._written_at >= LOG_SECONDS:
            self._written_at = self._clock()
            self._write(f"{text}\n")

    def end(self) -> None:
        """Nothing."""


def _columns(stream: TextIO) -> int:
    """Return how wide a terminal is, or 0 where it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def _cut(text: str, columns: int) -> str:
    """Return what fits in one line: a terminal goes on in the next, and cannot clear that."""
    return plain(text, max(columns - 1, 0))


@contextmanager
def stopping(tell: Callable[[str], None]) -> Iterator[None]:
    """Say at a Ctrl-C that it was heard: what is under way may take a while to come."""
    try:
        yield
    except KeyboardInterrupt:
        tell(STOPPING)
        raise


@contextmanager
def showing(progress: Progress, what: str, total: int) -> Iterator[Callable[..., None]]:
    """Yield what says how far work is, from its begin to its end."""
    progress.begin(what, total)
    try:
        yield progress.update
    finally:
        progress.end()


def tracked(items: Iterable[T], progress: Progress, what: str, total: int) -> Iterator[T]:
    """Yield the items as they come, and tell how many did; a single one is not worth a word."""
    with showing(progress if total > 1 else Silent(), what, total) as update:
        for done, item in enumerate(items, start=1):
            update(done)
            yield item


_factory: list[Callable[[], Progress]] = []


def register(factory: Callable[[], Progress]) -> None:
    """Let `factory` make the progress of all later work; a notebook brings its widget here."""
    _factory[:] = [factory]


def default() -> Progress:
    """Return what fits where we run: the registered one, a terminal's line, or a log's."""
    if _factory:
        return _factory[0]()
    return TerminalLine() if sys.stderr.isatty() else LogLines()


_askers: list[Callable[[str], str]] = []


def register_asker(asker: Callable[[str], str]) -> None:
    """Let `asker` ask a person: it takes the question and returns what was typed, or ""."""
    _askers[:] = [asker]


def ask(question: str) -> str:
    """Return what a person typed, "" where nobody can be asked: a notebook brings its prompt."""
    return _askers[0](question) if _askers else ""
