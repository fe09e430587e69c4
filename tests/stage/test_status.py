"""How a stage stands: what stands in which target, what is due, what to type next."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit import ConvexSnapshot, push, undo
from tmdbkit.cli.main import main
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.pushes import Ages, Status, next_command
from tmdbkit.stage.tables import IMPORTS

from .conftest import T0, movies, reopened

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit import Stage

pytestmark = pytest.mark.once

DAY = timedelta(days=1)
KEYS = [
    *("staged", "missing", "failed", "rated", "approved", "held", "rejected", "undecided"),
    *("pushed", "targets"),
]


def log(stage: Stage, push: str, *outcomes: tuple[int, str | None], **parts: Any) -> None:
    """What a push left in the import log, a row for each movie."""
    row = {"push": push, "target": "dev at a", "pushed_at": T0} | parts
    rows = [row | {"tmdb_id": tmdb_id, "outcome": outcome} for tmdb_id, outcome in outcomes]
    stage.store.add_imports(pl.DataFrame(rows, IMPORTS))


def target(stage: Stage) -> dict[str, Any]:
    (only,) = reopened(stage).status()["targets"]
    found: dict[str, Any] = only
    return found


def stands(stage: Stage) -> tuple[int, int]:
    status = reopened(stage).status()
    assert status["pushed"] == target(stage)["standing"]
    return status["pushed"], target(stage)["unknown"]


def test_it_has_the_keys_that_scripts_rely_on(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.store.add(movies(1))
    log(stage, "p1", (1, "created"))
    assert main(["status", "--stage", str(stage.store.root.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == [*KEYS, "exit", "error"]
    assert told["targets"] == [
        {
            "target": "dev at a",
            "standing": 1,
            "unknown": 0,
            "last_push": "p1",
            "at": "2026-01-01T00:00:00+00:00",
        }
    ]


def test_what_was_created_or_updated_stands(stage: Stage) -> None:
    log(stage, "p1", (1, "created"), (2, "updated"), (3, "withheld"), (4, "failed"))
    log(stage, "p2", (1, "unchanged"), (2, "conflict"))
    assert stands(stage) == (2, 0)


def test_what_was_deleted_since_does_not_and_what_came_back_does(stage: Stage) -> None:
    log(stage, "p1", (1, "created"), (2, "created"))
    log(stage, "p2", (1, "deleted"), (2, "deleted"))
    log(stage, "p3", (2, "created"))
    assert stands(stage) == (1, 0)


def test_what_an_undo_took_back_does_not_stand(stage: Stage) -> None:
    log(stage, "p1", (1, "created"), (2, "updated"))
    log(stage, "p2", (1, "updated"), (2, "updated"))
    log(stage, "u2", (1, "updated"), (2, "updated"), plan="undo-p2")
    assert stands(stage) == (2, 0)
    log(stage, "u1", (1, "deleted"), (2, "updated"), plan="undo-p1")
    assert stands(stage) == (0, 0)
    log(stage, "r1", (1, "created"), plan="undo-u1")
    assert stands(stage) == (1, 0)


def test_an_intent_that_nobody_settled_is_unknown(stage: Stage) -> None:
    intent = {"kind": "update", "before": "{}", "after": "{}"}
    log(stage, "p1", (1, None), (2, None), (3, None), **intent)
    assert stands(stage) == (0, 3)
    log(stage, "p1", (1, "updated"), (2, "unknown"))
    assert stands(stage) == (1, 2)
    log(stage, "p2", (2, "updated"))
    assert stands(stage) == (2, 1)


def test_each_target_is_told_the_latest_first_and_a_movie_in_two_counts_once(stage: Stage) -> None:
    log(stage, "p1", (1, "created"))
    log(stage, "p2", (1, "created"), (2, "created"), target="prod at b", pushed_at=T0 + DAY)
    status = reopened(stage).status()
    assert status["pushed"] == 2
    told = [(t["target"], t["standing"], t["last_push"]) for t in status["targets"]]
    assert told == [("prod at b", 2, "p2"), ("dev at a", 1, "p1")]


def test_a_snapshot_is_one_target_however_its_path_was_written(stage: Stage) -> None:
    log(stage, "p1", (1, "created"), target="snapshot at s")
    log(stage, "p2", (2, "created"), target="snapshot at s", identity="i")
    log(stage, "p3", (3, "created"), target="snapshot at ../s", identity="i")
    assert target(stage)["target"] == "snapshot at ../s"
    assert stands(stage) == (3, 0)


def test_a_push_and_its_undo_are_told(stage: Stage, tmp_path: Path) -> None:
    stage.store.add(movies(1, 2))
    snapshot = ConvexSnapshot(tmp_path / "snap")
    push(stage, snapshot, progress=Silent())
    assert stands(stage) == (2, 0)
    push(stage, snapshot, plan=undo(stage, snapshot), progress=Silent())
    assert stands(stage) == (0, 0)


def test_it_is_drawn_without_what_differs_at_each_run(stage: Stage) -> None:
    log(stage, "p1", (1, "created"), (2, None), kind="create")
    drawn = repr(reopened(stage).status())
    assert drawn.splitlines()[-1] == "target: dev at a: 1 standing, 1 unknown"
    assert "p1" not in drawn
    assert "2026" not in drawn
    assert "standing" in reopened(stage).status()._repr_html_()


# What is due.


@pytest.mark.parametrize(
    ("now", "due"),
    [(T0, 0), (T0 + 180 * DAY, 0), (T0 + 181 * DAY, 1), (T0 + 400 * DAY, 2), (T0 - DAY, 2)],
)
def test_what_is_kept_for_more_than_six_months_is_due(
    stage: Stage, now: datetime, due: int
) -> None:
    stage.store.add(movies(1))
    stage.store.add(movies(2, at=T0 + (3 * DAY if due == 1 or now > T0 else timedelta())))
    found = stage.store.ages(now)
    assert found.due == due
    assert stage.store.movies.fetched_before(now - 180 * DAY, now=now) == set([1, 2][:due])


def test_of_a_movie_that_was_fetched_again_the_last_payload_counts(stage: Stage) -> None:
    stage.store.add(movies(1, 2))
    stage.store.add(movies(1, at=T0 + 300 * DAY))
    assert stage.store.ages(T0 + 300 * DAY) == Ages(T0, T0 + 300 * DAY, 1)


# What to type.


def status_of(**counts: Any) -> Status:
    return Status(dict.fromkeys(KEYS, 0) | {"targets": []} | counts)


STOOD = {"target": "dev at a", "standing": 2, "unknown": 0, "last_push": "p", "at": ""}
DOUBT = STOOD | {"target": "snapshot at some/snapshot.zip", "unknown": 1}


@pytest.mark.parametrize(
    ("counts", "due", "changing", "moved", "command"),
    [
        ({}, 0, None, False, "stage 603"),
        ({"staged": 2}, 0, "de-DE", False, "refresh --language de-DE"),
        (
            {"staged": 2, "targets": [STOOD, DOUBT]},
            *(1, None, True, "verify --snapshot some/snapshot.zip"),
        ),
        ({"staged": 2, "targets": [STOOD]}, 1, None, True, "refresh --older-than 180d"),
        ({"staged": 2}, 0, None, False, "plan"),
        ({"staged": 2, "pushed": 2, "targets": [STOOD]}, 0, None, True, "plan"),
        ({"staged": 2, "pushed": 2, "targets": [STOOD]}, 0, None, False, "refresh --changed"),
    ],
)
def test_the_next_command_is_the_most_pressing_one(
    counts: dict[str, Any], due: int, changing: str | None, moved: bool, command: str
) -> None:
    assert next_command(status_of(**counts), due, changing, moved=moved) == command


def next_of(stage: Stage, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["status", "--stage", str(stage.store.root.folder)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    return last.removeprefix("next: tmdbkit ").partition(" --stage ")[0]


def moved_by(how: str, stage: Stage) -> None:
    match how:
        case "a correction":
            ReviewQueue(stage, by="Ann").correct("runtime_minutes", 99, 1)
        case "an approval":
            ReviewQueue(stage, by="Ann").approve(1)
        case "a payload":
            stage.store.add(movies(1, at=datetime.now(UTC)))


@pytest.mark.parametrize("how", ["a correction", "an approval", "a payload"])
def test_what_moved_since_a_push_is_to_be_planned(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    stage.store.add(movies(1, at=datetime.now(UTC)))
    push(stage, ConvexSnapshot(tmp_path / "there"))
    assert next_of(stage, capsys) == "refresh --changed"
    moved_by(how, stage)
    assert next_of(stage, capsys) == f"plan --snapshot {tmp_path}/there/snapshot.zip"


def test_a_status_ends_with_ages_what_is_due_and_the_next_command(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.store.add(movies(1))
    stage.store.add(movies(2, at=T0 + 9 * DAY))
    stage.store.marker.stand_still(T0 + 185 * DAY)
    assert main(["status", "--stage", str(stage.store.root.folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "payloads: the oldest of 2026-01-01, the newest of 2026-01-10, 185 and 176 days ago, as of "
        "2026-07-05: a sample does not age",
        "due: 1 movie; TMDB's terms: nothing is kept for more than six months",
        f"next: tmdbkit refresh --older-than 180d --stage {stage.store.root.folder}",
    ]
