"""Run the benchmarks that are named, or all, and print one table of them."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from . import (
    cli,
    convex,
    fetch,
    fetch_cluster,
    http,
    large,
    notebook,
    quality,
    ratings,
    stage,
    transform,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .measure import Line

BENCHMARKS: dict[str, Callable[[], Iterator[Line]]] = {
    "throughput": fetch.throughput,
    "rate": http.rate,
    "lowered-rate": http.lowering,
    "transform": transform.transforming,
    "transform-memory": large.remembering,
    "workers": fetch_cluster.deriving,
    "append": stage.appending,
    "million": large.million,
    "disk": stage.filling,
    "import": cli.importing,
    "push": convex.pushing,
    "push-memory": convex.remembering,
    "ratings": ratings.joining,
    "quality": quality.finding,
    "panel": notebook.reviewing,
}


def main(arguments: Sequence[str]) -> int:
    """0 when every bar is kept, 1 when one is missed, 2 when there is no such benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--markdown", action="store_true", help="print it for a page")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {sorted(unknown)}; there are {', '.join(BENCHMARKS)}")
    print(_markdown_head(datetime.now(UTC).date()) if given.markdown else _head())
    held = True
    for name in given.names or BENCHMARKS:
        for line in BENCHMARKS[name]():
            print(line.markdown() if given.markdown else line.drawn(), flush=True)
            held &= line.holds
    return 0 if held else 1


def _head() -> str:
    return f"{'':<62} {'measured':>8}  bar"


def _markdown_head(today: date) -> str:
    """Where and when it is measured, and the head of the table."""
    python, cores = platform.python_version(), os.cpu_count()
    machine = f"{_processor()}, {cores} cores, Python {python}, polars {pl.__version__}"
    return f"{machine}, {today}.\n\n| what | measured | bar | made of |\n|---|--:|--:|---|"


def _processor() -> str:
    """The processor's name, where Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
