"""Run the benchmarks that are named, or all, and print one table of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .fetching import rate, throughput
from .panel import reviewing
from .pushing import pushing, remembering
from .quality import finding
from .rating import joining
from .working import appending, importing, transforming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .measure import Line

BENCHMARKS: dict[str, Callable[[], Iterator[Line]]] = {
    "throughput": throughput,
    "rate": rate,
    "transform": transforming,
    "append": appending,
    "import": importing,
    "push": pushing,
    "memory": remembering,
    "ratings": joining,
    "quality": finding,
    "panel": reviewing,
}


def main(names: Sequence[str]) -> int:
    """0 when every bar is kept, 1 when one is missed, 2 when there is no such benchmark."""
    if unknown := set(names) - set(BENCHMARKS):
        print(f"no such benchmark: {sorted(unknown)}; there are {', '.join(BENCHMARKS)}")
        return 2
    held = True
    print(f"{'':<58} {'measured':>8}  bar")
    for name in names or BENCHMARKS:
        for line in BENCHMARKS[name]():
            print(line.drawn(), flush=True)
            held &= line.holds
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
