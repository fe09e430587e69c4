"""The live notebook of the gallery: harmless, and clear about what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.test_readme import ROOT
from tmdbkit.demo import shipped
from tmdbkit.exceptions import SettingsError

from .bench import movie

if TYPE_CHECKING:
    from .backend import ConvexBackend

pytestmark = pytest.mark.once

LIVE = shipped("notebooks") / "06_your_own_convex.ipynb"


def run() -> None:
    """Run its cells, one after the other, up to the first that raises."""
    names: dict[str, object] = {}
    for cell in json.loads(LIVE.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), LIVE.name, "exec"), names)


@pytest.fixture
def _connected(backend: ConvexBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in backend.environment().items():
        monkeypatch.setenv(variable, value)


@pytest.mark.usefixtures("_connected")
def test_a_deployment_has_the_same_movies_and_people_after_it_as_before(
    backend: ConvexBackend,
) -> None:
    backend.insert("movies", movie(603))
    before = backend.dump("movies")
    run()
    assert backend.dump("movies") == before
    assert backend.dump("crew") == []
    assert {row["name"] for row in backend.dump("genres")} == {"Documentary", "Mystery", "Romance"}


@pytest.mark.usefixtures("_connected")
def test_it_touches_nothing_where_one_of_its_films_is_already(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(900000006, tagline="edited in the app"))
    before = backend.dump("movies")
    with pytest.raises(AssertionError, match="there already"):
        run()
    assert backend.dump("movies") == before


@pytest.mark.usefixtures("_connected")
def test_it_touches_nothing_of_a_deployment_of_production(
    backend: ConvexBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", "prod:happy-animal-123|0123456789abcdef")
    with pytest.raises(AssertionError, match="use a dev deployment"):
        run()
    assert backend.dump("movies") == []


def test_without_a_deployment_it_says_in_one_line_what_to_set() -> None:
    with pytest.raises(SettingsError, match="set CONVEX_URL and CONVEX_DEPLOY_KEY") as refused:
        run()
    assert "\n" not in str(refused.value)


def test_a_command_runs_beside_a_deployment_and_ends_as_it_does() -> None:
    code = "import os, sys; print(os.environ['CONVEX_URL']); sys.exit(3)"
    command = [sys.executable, "-m", "tests.convex", sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("http://127.0.0.1:")
