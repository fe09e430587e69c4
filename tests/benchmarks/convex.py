"""A push, against one requests.Session that posts the same documents in ready-made batches."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from tests.convex.bench import staged
from tests.convex.storm import films
from tests.servers.convex_process import KEY, deployed
from tmdbkit import ConvexDeployment, ConvexSnapshot, Settings, Stage, plan_push, push
from tmdbkit.images import ImageForm
from tmdbkit.progress import Silent

from .measure import Line, medians, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tmdbkit.convex.plan import Plan

LATENCY = 0.05  # about what a mutation takes on a deployment in the cloud
READY = 100  # documents a batch
PART = 1_000  # movies that are staged at a time


def pushing(movies: int = 5_000) -> Iterator[Line]:
    """Documents a second, with and without the time that a real deployment takes to answer."""
    with tempfile.TemporaryDirectory() as folder:
        stage = filled(Path(folder) / "stage", movies)
        plan = plan_push(stage, ConvexSnapshot(folder), images=ImageForm(), progress=Silent())
        for latency in (0.0, LATENCY):
            yield _line(stage, _creations(plan), latency, "movies")
        everything = _creations(plan) + _people(plan)
        yield _line(stage, everything, LATENCY, "movies and people")


def _line(stage: Stage, bodies: list[bytes], latency: float, what: str) -> Line:
    bare, ours = medians(3, lambda: _bare(bodies, latency), lambda: _pushed(stage, latency))
    parts = f"{len(stage) / ours:,.0f} movies/s of {len(stage) / bare:,.0f}"
    named = f"push, {latency * 1000:.0f} ms a call, of {what} posted bare"
    return Line(named, bare / ours, 0.8, parts=parts)


def filled(folder: Path, movies: int) -> Stage:
    """A stage of movies with seven credits each."""
    made = films(movies, known=movies * 2)
    for start in range(0, movies, PART):
        staged(folder, *made[start : start + PART])
    return Stage(folder, settings=Settings())


def _creations(plan: Plan) -> list[bytes]:
    changes = [change.arguments() for change in plan.changes]
    return _bodies("applyMovies", "changes", changes)


def _people(plan: Plan) -> list[bytes]:
    return _bodies("addPeople", "people", plan.rows_of("crew"))


def _bodies(name: str, argument: str, documents: list[dict[str, Any]]) -> list[bytes]:
    slices = (documents[n : n + READY] for n in range(0, len(documents), READY))
    sent = {"path": f"tmdbkit:{name}", "format": "convex_encoded_json"}
    calls = (sent | {"args": [{argument: some}]} for some in slices)
    return [json.dumps(call).encode() for call in calls]


def _bare(bodies: list[bytes], latency: float) -> float:
    with deployed(latency) as url, requests.Session() as session:
        session.headers.update(
            {"Authorization": f"Convex {KEY}", "Content-Type": "application/json"}
        )

        def post(body: bytes) -> None:
            answer = session.post(f"{url}/api/mutation", data=body).json()
            if answer["status"] != "success":
                raise RuntimeError(answer)

        return seconds(lambda: [post(body) for body in bodies])


def _pushed(stage: Stage, latency: float) -> float:
    with deployed(latency) as url, ConvexDeployment(url, KEY, settings=Settings()) as target:

        def work() -> None:
            result = push(stage, target, images=ImageForm(), progress=Silent())
            if result.created != len(stage):
                raise RuntimeError(result)

        return seconds(work)


FEW, MANY = 10_000, 40_000
PUSH = """
import sys
from tests.benchmarks.measure import mib
from tests.benchmarks.convex import pushed
print(pushed(*sys.argv[1:]), mib("VmHWM"))
"""


def remembering() -> Iterator[Line]:
    """What a push of many more documents keeps in memory, each."""
    few, many = _peak(FEW), _peak(MANY)
    parts = f"{many:.0f} MiB of {few:.0f} at {MANY:,} and {FEW:,} movies"
    grown = (many - few) / (MANY - FEW) * 2**10
    yield Line("memory of a push, KiB a movie more", grown, 1.0, at_most=True, parts=parts)


def _peak(movies: int) -> float:
    """The most memory that a process needs to push so many movies, in MiB."""
    with tempfile.TemporaryDirectory() as folder, deployed() as url:
        stage = filled(Path(folder), movies)
        done = subprocess.run(
            [sys.executable, "-c", PUSH, str(stage.store.root.folder), url],
            capture_output=True,
            text=True,
            check=True,
        )
    created, peak = done.stdout.split()
    if int(created) != movies:
        raise RuntimeError(f"only {created} of {movies} were created")
    return float(peak)


def pushed(folder: str, url: str) -> int:
    """Push a stage, and return how many movies were created."""
    target = ConvexDeployment(url, KEY, settings=Settings())
    stage = Stage(folder, settings=Settings())
    return push(stage, target, images=ImageForm(), progress=Silent()).created
