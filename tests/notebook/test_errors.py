"""An error of ours in a cell: one line, and the traceback for whoever asks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

CELL = "import tmdbkit; tmdbkit.sample('.')"
LINE = "UsageError: . is not empty; name a new folder for the sample"


def shown(folder: Path, *command: str) -> str:
    """What is shown, in a folder with something in it."""
    (folder / "mine.txt").write_text("mine")
    # IPython warns where the shell says that another environment than this is active.
    active = {"IPYTHONDIR": str(folder / "ipython"), "VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, **active},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_an_error_is_one_line_in_a_cell(tmp_path: Path) -> None:
    told = shown(tmp_path, "-m", "IPython", "--colors=NoColor", "-c", CELL)
    assert told.strip() == LINE


@pytest.mark.parametrize("asked", ["%tb", "%tb Verbose"])
def test_its_traceback_is_there_for_whoever_asks(asked: str, tmp_path: Path) -> None:
    cells = f"for cell in ({CELL!r}, {asked!r}): get_ipython().run_cell(cell)"
    told = shown(tmp_path, "-m", "IPython", "--colors=NoColor", "-c", cells)
    assert told.startswith(f"{LINE}\nTraceback (most recent call last):\n")
    assert "in sample\n" in told
    assert told.strip().endswith(LINE)


def test_plain_python_shows_the_traceback_as_ever(tmp_path: Path) -> None:
    told = shown(tmp_path, "-c", CELL)
    assert told.startswith("Traceback (most recent call last):\n")
    assert told.strip().endswith(LINE)
