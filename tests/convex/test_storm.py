"""A push through a storm of faults, and pushes that are killed: the same end as in calm weather."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from tmdbkit import Stage
from tmdbkit.convex import delivery

from .bench import counts, deployment, movie, payload, push, staged, without

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers.convex import ConvexProxy

    from .backend import ConvexBackend, Document

MOVIES = 200
STAMPS = ("created_at", "updated_at", "tmdb_data_imported_at")
# Of a hundred calls: ten answers lost after execution, ten 503s, five resets, ten cut, five 429s.
STORM = ["lost"] * 10 + ["occ"] * 10 + ["reset"] * 5 + ["cut"] * 5 + ["cut_json"] * 5 + ["429"] * 5


def films(count: int = MOVIES) -> list[Document]:
    """Movies of their own title, each with a person of its own."""
    return [
        payload(
            number,
            title=f"Film {number}",
            credits={"cast": [{"id": number, "name": f"P{number}", "order": 0}], "crew": []},
        )
        for number in range(1, count + 1)
    ]


def wanted(number: int) -> Document:
    return without(
        movie(
            number,
            title=f"Film {number}",
            slug=f"film-{number}",
            cast=[number],
            crew=[],
            directors=[],
        ),
        *STAMPS,
    )


def stored(backend: ConvexBackend) -> list[Document]:
    rows = sorted(backend.dump("movies"), key=lambda row: row["tmdb_id"])
    return [without(row, "_id", "_creationTime", *STAMPS) for row in rows]


def test_through_lost_cut_and_refused_answers_every_movie_arrives_once_as_it_was_planned(
    proxy: ConvexProxy,
    backend: ConvexBackend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "BATCH_MOVIES", 4)  # so that there are many calls to go wrong
    monkeypatch.setattr(delivery, "BATCH_ROWS", 8)
    draw = random.Random(7)
    proxy.script("*", *(draw.choice([*STORM, *["ok"] * 60]) for _ in range(2000)))
    stage = staged(tmp_path / "stage", *films())
    target = deployment(proxy.url)
    assert counts(push(stage, target)) == {"created": MOVIES}
    met = Counter(call.met for call in proxy.calls)
    assert {"lost", "occ", "reset", "cut", "429"} <= met.keys()
    assert stored(backend) == [wanted(number) for number in range(1, MOVIES + 1)]
    people = [(row["crew_id"], row["crew_type"]) for row in backend.dump("crew")]
    assert sorted(people) == [(number, "Actor") for number in range(1, MOVIES + 1)]
    assert counts(push(stage, target)) == {"unchanged": MOVIES}


def test_pushes_that_are_killed_end_the_same_and_store_nothing_twice(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", *films())
    environment = {
        **os.environ,
        "CONVEX_URL": backend.url,
        "CONVEX_DEPLOY_KEY": backend.key,
    }
    command = [sys.executable, "-m", "tmdbkit", "push", "--stage", str(stage.folder)]
    for moment in (1, 60, 130):
        running = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(2000):
            if running.poll() is not None or len(backend.dump("movies")) >= moment:
                break
        running.kill()
        running.wait()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "failed: 0" in done.stdout
    assert stored(backend) == [wanted(number) for number in range(1, MOVIES + 1)]
    assert len(backend.dump("crew")) == MOVIES
    assert Stage(stage.folder).status()["pushed"] == MOVIES
