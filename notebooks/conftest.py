"""Notebooks run offline and without anybody's settings; their kernels inherit this environment.

The live one runs too: beside tmdbkit's own Convex functions, on this machine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from nbval.plugin import IPyNbFile

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LIVE = "06_your_own_convex.ipynb"

for name in list(os.environ):
    if name.startswith(("TMDB", "CONVEX", "OMDB", "MDBLIST")):
        del os.environ[name]
os.environ["TMDBKIT_OFFLINE"] = "1"


class LiveNotebook(IPyNbFile):
    """A notebook whose kernel, and no other, finds a deployment, empty and its own."""

    def setup(self) -> None:
        """Start the deployment, and the kernel in its environment.

        Without Node or its packages the notebook is skipped; CI does not pass then, for the tests
        of the functions fail.
        """
        from tests.convex.backend import ConvexBackend, ensure_packages, tool

        try:
            tool("node")
            ensure_packages()
        except RuntimeError as missing:
            pytest.skip(f"no Convex deployment on this machine: {missing}")
        backend = ConvexBackend()
        self.addfinalizer(backend.stop)
        with pytest.MonkeyPatch.context() as environment:
            for variable, value in backend.environment().items():
                environment.setenv(variable, value)
            super().setup()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, list, list]:
    """Collect the live notebook as one."""
    collected = yield
    if collected and file_path.name == LIVE:
        return [LiveNotebook.from_parent(parent, path=file_path)]
    return collected
