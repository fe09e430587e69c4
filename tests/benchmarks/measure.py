"""Measuring by turns, so that a busy minute of the machine meets both sides of a ratio."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Line:
    """One line of the table.

    what: what was measured, with its unit. measured: the number that the bar is for.
    bar: what it must reach. at_most: whether it must stay below instead. parts: what it is made of.
    """

    what: str
    measured: float
    bar: float
    at_most: bool = False
    parts: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bar is kept."""
        return self.measured <= self.bar if self.at_most else self.measured >= self.bar

    def drawn(self) -> str:
        """The line as text."""
        sign = "<=" if self.at_most else ">="
        verdict = "ok" if self.holds else "MISSED"
        return (
            f"{self.what:<58} {self.measured:8.2f}  {sign} {self.bar:<6g} {verdict:<7} {self.parts}"
        )


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(times: int, *works: Callable[[], float]) -> list[float]:
    """The median of each measurement, taken by turns."""
    turns = [[work() for work in works] for _ in range(times)]
    return [statistics.median(turn) for turn in zip(*turns, strict=True)]
