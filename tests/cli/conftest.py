"""What the demo makes, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tmdbkit.demo import run_demo


@pytest.fixture(scope="session")
def demo_made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "tmdbkit-demo"
    run_demo(folder)
    return folder


@pytest.fixture
def demo(demo_made_once: Path) -> Path:
    """The working folder's `tmdbkit-demo`, as the command leaves it."""
    return Path(shutil.copytree(demo_made_once, "tmdbkit-demo"))
