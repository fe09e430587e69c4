"""A push through a storm of faults, under limits, amid edits, and killed: the end is the same."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.servers.convex import ConvexProxy, FakeTime
from tests.servers.trouble import chance
from tests.servers.wire import Answer
from tmdbkit import ConvexSnapshot, plan_push
from tmdbkit.convex import delivery
from tmdbkit.convex.plan import Plan
from tmdbkit.images import ImageForm
from tmdbkit.progress import Silent

from .bench import LATER, NOW, counts, deployment, movie, outcome, payload, push, staged, without
from .storm import SHARES, Storm, cli, cli_push, credited, ended_at, films, people, settings, stored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.convex import Run
    from tmdbkit import Stage
    from tmdbkit.convex.target import Target

    from .backend import ConvexBackend, Document

pytestmark = pytest.mark.once

STAMPS = ("created_at", "updated_at", "tmdb_data_imported_at")


def planned(stage: Stage, target: Target) -> Plan:
    """What a push at this moment would do."""
    return plan_push(stage, target, images=ImageForm(), progress=Silent(), now=lambda: NOW)


def wanted(plan: Plan) -> dict[int, list[Document]]:
    """What a target that was empty holds in the end: each document once, as it was planned."""
    return {change.tmdb_id: [change.set] for change in plan.changes}


# Faults


@pytest.fixture
def many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches, so that there are many calls to go wrong."""
    monkeypatch.setattr(delivery, "BATCH_MOVIES", 5)
    monkeypatch.setattr(delivery, "BATCH_ROWS", 10)


@pytest.mark.usefixtures("many_calls")
@pytest.mark.parametrize("count", [150, pytest.param(1_000, marks=pytest.mark.large)])
def test_through_lost_cut_and_refused_answers_every_movie_arrives_once_as_it_was_planned(
    backend: ConvexBackend, tmp_path: Path, count: int
) -> None:
    movies = films(count)
    stage = staged(tmp_path / "stage", *movies)
    plan = planned(stage, ConvexSnapshot(tmp_path))
    time = FakeTime()
    with Storm(backend.url, time, seed=8) as storm:
        assert counts(push(stage, deployment(storm.url, time=time))) == {"created": count}
    met = storm.met()
    assert all(met[fault] for fault in (*SHARES, "429"))
    assert met["lost"] + met["occ"] > 0.15 * (met.total() - met["429"])
    assert stored(backend) == wanted(plan)
    assert people(backend) == credited(movies)
    assert not planned(stage, deployment(backend.url))


# Limits


@pytest.mark.large
def test_four_hundred_movies_with_a_crew_of_a_hundred_and_fifty_meet_no_limit(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    movies = films(400, crew=150, known=2_000)
    stage = staged(tmp_path / "stage", *movies)
    plan = planned(stage, ConvexSnapshot(tmp_path))
    result = push(stage, deployment(backend.url))
    assert counts(result) == {"created": 400}
    assert result.batches == plan.batches()  # none had to be halved
    assert stored(backend) == wanted(plan)
    assert people(backend) == credited(movies)


def test_of_500_movies_the_one_that_the_tables_do_not_take_is_named_with_its_field_and_value(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", *films(499), payload(500, status="Rumored"))
    with ConvexProxy(backend.url) as proxy:
        proxy.script("contract", only_released)
        result = push(stage, deployment(proxy.url))
    assert counts(result) == {"created": 499, "withheld": 1}
    assert outcome(result, 500) == ("withheld", "status is 'Rumored', wanted 'Released'")
    assert sorted(stored(backend)) == list(range(1, 500))


def only_released(run: Run) -> Answer:
    """The contract of an app that takes released movies alone."""
    answer = json.loads(run().body)
    fields = answer["value"]["tables"]["movies"]["value"]
    fields["status"]["fieldType"] = {"type": "literal", "value": "Released"}
    return Answer(200, json.dumps(answer).encode())


def test_of_500_movies_the_one_that_the_deployment_refuses_is_named_with_its_field(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", *films(500))
    target = deployment(backend.url)
    plan = planned(stage, target)
    spoiled = [
        replace(change, set=without(change.set, "runtime_minutes"))
        if change.tmdb_id == 273
        else change
        for change in plan.changes
    ]
    result = push(stage, target, plan=replace(plan, changes=tuple(spoiled)))
    assert counts(result) == {"created": 499, "failed": 1}
    assert "missing the required field `runtime_minutes`" in outcome(result, 273)[1]
    assert stored(backend) == {n: rows for n, rows in wanted(plan).items() if n != 273}


# Edits by others


def test_no_edit_between_a_saved_plan_and_its_push_is_lost(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    target = deployment(backend.url)
    stage = staged(tmp_path / "stage", *films(400))
    push(stage, target)
    staged(
        stage.store.root.folder, *({**film, "popularity": 99.5} for film in films(400)), at=LATER
    )
    planned(stage, target).save(tmp_path / "plan.json")
    theirs = {n: EDITS[n % len(EDITS)] for n in range(1, 201)}
    for tmdb_id, edit in theirs.items():
        backend.patch("movies", tmdb_id, **edit)
    backend.remove("movies", *range(201, 301))

    result = push(stage, target, plan=Plan.load(tmp_path / "plan.json"), at=LATER)

    same_field = sum("popularity" in edit for edit in theirs.values())
    assert counts(result) == {"updated": 300 - same_field, "conflicts": 100 + same_field}
    there = stored(backend)
    assert there.keys() == {*range(1, 201), *range(301, 401)}
    assert all(holds(there[n], {"popularity": 99.5} | theirs.get(n, {})) for n in there)


@pytest.mark.usefixtures("many_calls")
def test_no_edit_during_a_push_through_a_storm_is_lost(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", *films(100))
    push(stage, deployment(backend.url))
    staged(
        stage.store.root.folder, *({**film, "popularity": 99.5} for film in films(200)), at=LATER
    )
    theirs: dict[int, Document] = {}

    def someone(batch: list[int]) -> None:
        for tmdb_id in batch:
            turn = theirs.setdefault(tmdb_id, {}).get("budget", 0)
            if chance(tmdb_id, turn) < 0.4:
                edit = {**EDITS[tmdb_id % len(EDITS)], "budget": turn + 1}
                if not backend.patch("movies", tmdb_id, **edit):
                    backend.insert("movies", movie(tmdb_id, **edit))
                theirs[tmdb_id] |= edit

    time = FakeTime()
    with Storm(backend.url, time, seed=11, someone=someone) as storm:
        result = push(stage, deployment(storm.url, time=time), at=LATER)
    assert storm.met()["lost"]
    assert set(counts(result)) == {"created", "updated", "conflicts"}
    there = stored(backend)
    assert there.keys() == set(range(1, 201))
    assert all(holds(there[n], edit) for n, edit in theirs.items())


# What others change: a field that the push sets, one that it does not, and one that is the app's.
EDITS: list[Document] = [{"popularity": 1.5}, {"tagline": "Theirs."}, {"mood": ["dark"]}]


def holds(documents: list[Document], values: Document) -> bool:
    """Whether there is one document, and it has these values."""
    return len(documents) == 1 and documents[0] == documents[0] | values


# Kills

# How often 400 movies call each function at least.
TURNS = {"moviesByTmdbIds": 2, "slugOwners": 1, "addPeople": 2, "applyMovies": 2}


@pytest.mark.parametrize(
    ("count", "kills"), [(300, 2), pytest.param(4_000, 20, marks=pytest.mark.large)]
)
def test_pushes_that_are_killed_end_the_same_and_store_nothing_twice(
    backend: ConvexBackend, tmp_path: Path, count: int, kills: int
) -> None:
    movies = films(count)
    stage = staged(tmp_path / "stage", *movies)
    plan = planned(stage, ConvexSnapshot(tmp_path))
    draw = random.Random(3)
    with ConvexProxy(backend.url) as proxy:
        for _ in range(kills):
            moment = draw.choice(list(TURNS))
            turn = draw.randint(1, TURNS[moment])
            assert killed(stage, backend, proxy, moment, turn, ran=draw.random() < 0.5)
        done = subprocess.run(
            cli_push(stage), env=settings(proxy.url, backend), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert unstamped(stored(backend)) == unstamped(wanted(plan))
        assert people(backend) == credited(movies)
        assert not planned(stage, deployment(proxy.url))
    assert stage.status()["pushed"] == count


@pytest.mark.parametrize(
    ("count", "ends"),
    [
        (600, [(2, signal.SIGKILL), (1, signal.SIGINT)]),
        pytest.param(
            2_000,
            [(2, signal.SIGKILL), (2, signal.SIGINT), (1, signal.SIGTERM), (1, signal.SIGKILL)],
            marks=pytest.mark.large,
        ),
    ],
)
def test_an_undo_that_is_ended_again_and_again_leaves_nothing_of_the_push(
    backend: ConvexBackend, tmp_path: Path, count: int, ends: list[tuple[int, signal.Signals]]
) -> None:
    movies = films(count)
    stage = staged(tmp_path / "stage", *movies)
    theirs = [movie(row["id"], title=row["title"], tagline="Theirs") for row in movies[::3]]
    backend.insert("movies", *theirs)
    before = unstamped(stored(backend))
    with ConvexProxy(backend.url) as proxy:
        assert ended_at(proxy, backend, cli_push(stage)) == 0
        assert len(stored(backend)) == count
        for place, (turn, how) in enumerate(ends):
            undo = [*cli("undo", stage), "--yes"]
            status = ended_at(proxy, backend, undo, turn, how, ran=place % 2 == 0)
            assert status == (-how if how == signal.SIGKILL else 130)
        assert ended_at(proxy, backend, [*cli("undo", stage), "--yes"]) == 0
        assert unstamped(stored(backend)) == before
        assert ended_at(proxy, backend, [*cli("undo", stage), "--yes"]) == 2


def killed(
    stage: Stage, backend: ConvexBackend, proxy: ConvexProxy, name: str, turn: int, *, ran: bool
) -> bool:
    """Push, and kill that with its so manieth call of a function, before or after it ran."""
    pushes: list[subprocess.Popen[bytes]] = []

    def kill(run: Run) -> Answer:
        answer = run() if ran else Answer(0, ending="reset")
        pushes[0].kill()
        return answer

    proxy.script(name, *["ok"] * (turn - 1), kill)
    pushes.append(
        subprocess.Popen(
            cli_push(stage),
            env=settings(proxy.url, backend),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    return pushes[0].wait(timeout=60) == -signal.SIGKILL


def unstamped(documents: dict[int, list[Document]]) -> dict[int, list[Document]]:
    """The same without the times that depend on when a push was made."""
    return {n: [without(row, *STAMPS) for row in rows] for n, rows in documents.items()}
