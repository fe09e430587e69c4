"""What long work reports to: a line on a terminal, nothing in a pipe; notebooks bring their own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress(Protocol):
    """Long work calls `begin` once, `update` often and `end` once, from one thread."""

    def begin(self, what: str, total: int) -> None:
        """Say what begins, and of how many."""

    def update(self, done: int, note: str = "") -> None:
        """Say how many are done, and what else is worth knowing."""

    def end(self) -> None:
        """Say that it is over; the result's own drawing tells the rest."""


class Silent:
    """Reports nothing."""

    def begin(self, what: str, total: int) -> None:
        """Nothing."""

    def update(self, done: int, note: str = "") -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class TerminalLine:
    """Keeps one line of a terminal up to date, and clears it at the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._what = ""
        self._total = 0

    def begin(self, what: str, total: int) -> None:
        """Draw the line."""
        self._what, self._total = what, total
        self.update(0)

    def update(self, done: int, note: str = "") -> None:
        """Draw it anew."""
        text = f"{self._what} {done:,} of {self._total:,}"
        self._stream.write(f"\r\x1b[K{text} · {note}" if note else f"\r\x1b[K{text}")
        self._stream.flush()

    def end(self) -> None:
        """Clear it."""
        self._stream.write("\r\x1b[K")
        self._stream.flush()


_factory: list[Callable[[], Progress]] = []


def register(factory: Callable[[], Progress]) -> None:
    """Let `factory` make the progress of all later work; a notebook brings its widget here."""
    _factory[:] = [factory]


def default() -> Progress:
    """Return what fits where we run: the registered one, a terminal's line, or silence."""
    if _factory:
        return _factory[0]()
    return TerminalLine() if sys.stderr.isatty() else Silent()
