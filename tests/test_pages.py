"""Pages whose commands run as they are written, from the first to the last, in an empty home.

TMDB, IMDb's data set, Convex and S3 are servers of this machine. What needs an account, a registry
or somebody at the screen is a stand-in on the path: `npx convex export` brings an export.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.convex.backend import ConvexBackend
from tests.servers.datasets import DatasetServer, tsv
from tests.servers.object_store import object_store
from tests.servers.tmdb import TMDBServer
from tests.test_docs import FENCED
from tests.test_readme import ROOT
from tmdbkit.demo import run_demo, sample_payloads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.once

RECIPES = ["duckdb", "distributed", "itables", "marimo", "pyarrow"]
# A failure of one that found something goes on, as in a terminal; any other ends the page.
GO_ON_AT_1 = "trap '[ $? -eq 1 ] || exit 99' ERR\n"
STAND_INS = {
    "tmdbkit": f"""
        status=0; {sys.executable} -m tmdbkit "$@" || status=$?
        echo "$status tmdbkit $*" >>"{{log}}"; exit $status""",
    "python3": f"""
        if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; ln -s "{{bin}}"/* "$3/bin"
        else exec {sys.executable} "$@"; fi""",
    "python": f'exec {sys.executable} "$@"',
    "npx": 'if [ "$2" = export ]; then cp "{export}" "$4"; fi',
    "marimo": f'exec {sys.executable} "$2"',
    **dict.fromkeys(("npm", "pip", "voila", "jupyter"), "exit 0"),
}


def fences(page: str) -> list[tuple[str, str]]:
    return FENCED.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def _backend() -> Iterator[ConvexBackend]:
    with ConvexBackend() as backend:
        yield backend


@pytest.fixture
def backend(_backend: ConvexBackend) -> ConvexBackend:
    """A deployment with nothing in it."""
    _backend.reset()
    return _backend


@pytest.fixture(scope="module")
def services(_backend: ConvexBackend) -> Iterator[dict[str, str]]:
    """What a process is told to find the servers, and their keys."""
    payloads = {tmdb_id: json.loads(text) for tmdb_id, text in sample_payloads().items()}
    rated = [(movie["imdb_id"], 8.1, 5000) for movie in payloads.values() if movie["imdb_id"]]
    with ExitStack() as stack:
        tmdb = stack.enter_context(TMDBServer(payloads=payloads))
        imdb = stack.enter_context(DatasetServer(tsv(rated)))
        yield {
            "TMDB_READ_ACCESS_TOKEN": tmdb.token or "",
            "TMDB_BASE_URL": tmdb.base_url,
            "TMDBKIT_RATE": "1000",
            "IMDB_DATASETS_URL": imdb.url,
            "CONVEX_URL": _backend.url,
            "CONVEX_DEPLOY_KEY": _backend.key,
        }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with nothing in it; beside it the stand-ins, and an export of an app."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    places = {
        "bin": bin_,
        "log": tmp_path / "log",
        "export": run_demo(tmp_path / "app").snapshot.path,
    }
    for name, text in STAND_INS.items():
        (bin_ / name).write_text(f"#!/usr/bin/env bash\n{text.format(**places)}\n")
        (bin_ / name).chmod(0o755)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    path = f"{home.parent / 'bin'}:/usr/bin:/bin"
    return {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", **more}


def script(page: str, services: Mapping[str, str]) -> str:
    """The page as one goes through it: commands, and `.env` with keys where it says so."""
    lines = "\n".join(f"{name}={value}" for name, value in services.items())
    done = {"": "{}", "ini": f"cat > .env <<'KEYS'\n{lines}\nKEYS\n"}
    return GO_ON_AT_1 + "".join(
        done[kind].replace("{}", text) for kind, text in fences(page) if kind in done
    )


def run(home: Path, command: str, more: Mapping[str, str], folder: str = "") -> str:
    """What a command prints; an error unless it ends with 0."""
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", command],
        cwd=home / folder,
        env=environment(home, more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def ended(home: Path) -> dict[str, list[int]]:
    """The statuses of each command of tmdbkit that was run."""
    found: dict[str, list[int]] = {}
    for line in (home.parent / "log").read_text().splitlines():
        status, _, command = line.partition(" ")
        found.setdefault(command, []).append(int(status))
    return found


def test_the_first_minute(home: Path, services: dict[str, str]) -> None:
    said = run(home, script("install", services), {})
    assert "96 created" in said
    assert (home / "audit.html").read_text().startswith("<!doctype html>")


def test_a_first_app(home: Path, services: dict[str, str], backend: ConvexBackend) -> None:
    run(home, script("tutorial", services), {})
    assert {movie["tmdb_id"] for movie in backend.dump("movies")} == {603, 155, 680, 496243, 62}
    assert (home / "cinema" / "app" / "convex" / "schema.ts").is_file()
    assert {status for statuses in ended(home).values() for status in statuses} == {0}


def test_what_the_app_s_own_scripts_made_is_staged(home: Path, services: dict[str, str]) -> None:
    run(home, script("coming-from", services), services)
    assert ended(home)["tmdbkit stage --from-target --snapshot prod.zip"] == [0]


@pytest.mark.skipif(
    not all(map(find_spec, RECIPES)) and os.environ.get("TMDBKIT_RECIPES") != "required",
    reason="recipes need what pip install -e '.[recipes]' brings",
)
def test_recipes(home: Path, services: dict[str, str]) -> None:
    run(home, "tmdbkit stage 603 155", services)
    assert "96 movies" in run(home, script("recipes", services), services)
    for kind, text in fences("recipes"):
        if kind == "python":
            (home / "recipe.py").write_text(text)
            run(home, f"{sys.executable} recipe.py", {})
    assert {path.suffix for path in home.glob("films.*")} == {".csv", ".html", ".py"}


def test_a_night_by_hand_and_then_by_cron(
    home: Path, services: dict[str, str], backend: ConvexBackend
) -> None:
    run(home, script("automation", services), {})
    sent = [document["tmdb_id"] for document in backend.dump("movies")]
    assert len(sent) == 20
    [line] = [text for kind, text in fences("automation") if kind == "text"]
    of_cron = line.split(maxsplit=5)[5]
    run(home, f"exec /bin/sh -c {shlex.quote(of_cron)}", {"PATH": "/usr/bin:/bin"})
    assert ended(home)["tmdbkit push --plan plan.json --yes"] == [0, 0]
    assert [document["tmdb_id"] for document in backend.dump("movies")] == sent


def test_a_night_that_would_change_too_much_sends_nothing(
    home: Path, services: dict[str, str], backend: ConvexBackend
) -> None:
    few = script("automation", services).replace("most=500", "most=5")
    run(home, few.removesuffix("./nightly.sh\n"), {})
    assert backend.dump("movies") == []


def test_a_night_in_ci(home: Path, services: dict[str, str], backend: ConvexBackend) -> None:
    page = fences("automation")
    job = yaml.safe_load(next(text for kind, text in page if kind == "yaml"))["jobs"]["nightly"]
    written = next(text for _, text in page if "cat > nightly.sh" in text)
    with object_store() as s3:
        s3.bucket("bucket")
        known = {**services, **s3.environment}
        told = {
            name: re.sub(r"\$\{\{ \w+\.(\w+) \}\}", lambda of: known[of[1]], value)
            for name, value in job["env"].items()
        }
        run(home, written.removesuffix("./nightly.sh\n"), {})
        run(home, "tmdbkit stage --list popular", known | told)
        for step in job["steps"]:
            run(home, step.get("run", "true"), known | told)
    assert len(backend.dump("movies")) == 20
