"""How long it takes until anything can be done."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from .measure import Line, medians

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPORT = "import time; t = time.perf_counter(); import tmdbkit; print(time.perf_counter() - t)"


def importing() -> Iterator[Line]:
    """`import tmdbkit` in a fresh interpreter."""

    def once() -> float:
        done = subprocess.run(
            [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
        )
        return float(done.stdout)

    [took] = medians(5, once)
    yield Line("import tmdbkit, ms", took * 1000, 100, at_most=True)
