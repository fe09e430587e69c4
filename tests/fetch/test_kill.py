"""Kill -9 at any moment, again and again: what was staged stays, and the next run goes on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.catalogue import Catalogue
from tests.servers.tmdb import TMDBServer
from tests.stage.conftest import reopened
from tmdbkit.fetch.pool import OUTSTANDING

if TYPE_CHECKING:
    from tests.servers.tmdb import TMDBProcess
    from tmdbkit import Stage

pytestmark = pytest.mark.once

IDS = range(1, 601)
KILLS = 4


def start(server: TMDBProcess, stage: Stage, folder: Path) -> subprocess.Popen[str]:
    ids = folder / "ids.txt"
    ids.write_text("\n".join(map(str, IDS)))
    environment = {
        **os.environ,
        "TMDB_BASE_URL": server.base_url,
        "TMDB_READ_ACCESS_TOKEN": str(server.token),
        "TMDBKIT_CACHE": str(folder / "cache"),
        "TMDBKIT_RATE": "10000",
    }
    arguments = [
        "stage",
        "--from-file",
        str(ids),
        "--stage",
        str(stage.store.root.folder),
        "--json",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "tmdbkit", *arguments],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(server: TMDBProcess, requests: int, run: subprocess.Popen[str]) -> None:
    """Ask the server how far the run is, until it is that far."""
    for _ in range(20_000):
        if server.stats()["total"] >= requests:
            return
        assert run.poll() is None, run.communicate()
    raise TimeoutError(requests)


def test_runs_that_are_killed_stage_every_movie_once_and_ask_little_twice(
    stage: Stage, tmp_path: Path
) -> None:
    moments, known = random.Random(1), set[int]()
    with TMDBServer.process(size=8_000, latency=0.01) as server:
        for _ in range(KILLS):
            run = start(server, stage, tmp_path)
            wait_for(server, server.stats()["total"] + moments.randrange(1, 150), run)
            run.kill()
            run.communicate()
            staged = reopened(stage).ids()
            assert known <= staged
            known = staged
        run = start(server, stage, tmp_path)
        said, complaints = run.communicate(timeout=60)
        stats = server.stats(ids=True)
    assert (run.returncode, complaints) == (0, "")
    counts = json.loads(said)
    assert counts["requested"] == counts["staged"] + counts["skipped"] + counts["missing"]
    assert set(stats["by_status"]) == {"200", "404"}
    assert stats["total"] <= len(IDS) + KILLS * OUTSTANDING
    last = reopened(stage)
    missing = set(last.missing()["tmdb_id"])
    assert {tmdb_id for tmdb_id in IDS if not Catalogue().has(tmdb_id)} == missing
    assert last.ids() == set(IDS) - missing
    logged = last.store.movies.payloads.scan().collect()["tmdb_id"].sort().to_list()
    assert logged == list(IDS)
