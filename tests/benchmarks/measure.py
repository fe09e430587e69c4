"""Measuring by turns, so that a busy minute of the machine meets both sides of a ratio."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Line:
    """One line of the table.

    what: what was measured, with its unit. measured: the number that the bar is for, nan where it
    could not be measured. bar: what it must reach. at_most: whether it must stay below instead.
    parts: what it is made of.
    """

    what: str
    measured: float
    bar: float
    at_most: bool = False
    parts: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bar is kept, as far as is known."""
        kept = self.measured <= self.bar if self.at_most else self.measured >= self.bar
        return kept or math.isnan(self.measured)

    @property
    def sign(self) -> str:
        """How the number is to compare with the bar."""
        return "<=" if self.at_most else ">="

    def drawn(self) -> str:
        """The line as text."""
        verdict = "-" if math.isnan(self.measured) else "ok" if self.holds else "MISSED"
        compared = f"{self.measured:8.2f}  {self.sign} {self.bar:<6g} {verdict:<7}"
        return f"{self.what:<62} {compared} {self.parts}".rstrip()

    def markdown(self) -> str:
        """The line as a row of a Markdown table."""
        number = "-" if math.isnan(self.measured) else f"{self.measured:.2f}"
        measured = number if self.holds else f"**{number}**"
        bar = f"{'≤' if self.at_most else '≥'} {self.bar:g}"
        return f"| {self.what.strip()} | {measured} | {bar} | {self.parts} |"


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(times: int, *works: Callable[[], float]) -> list[float]:
    """The median of each measurement, taken by turns."""
    return [statistics.median(turns) for turns in _turns(times, works)]


def bests(times: int, *works: Callable[[], float]) -> list[float]:
    """The least of each measurement, taken by turns: the one that others disturbed least."""
    return [min(turns) for turns in _turns(times, works)]


def _turns(times: int, works: tuple[Callable[[], float], ...]) -> list[tuple[float, ...]]:
    turns = [[work() for work in works] for _ in range(times)]
    return list(zip(*turns, strict=True))


def missing(package: str) -> str:
    """What to say of a package that is not there to be compared with, or "" where it is."""
    return "" if find_spec(package) else f"{package} is missing: pip install -e '.[bench]'"


def mib(name: str) -> float:
    """What Linux knows of this process: `VmRSS` now, `VmHWM` at most."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


def apart(module: str, *arguments: str) -> Any:
    """The JSON that a module prints in a process of its own, whose memory nobody else used."""
    command = [sys.executable, "-m", module, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
