"""What the first version left behind is read, pushed, verified and undone by this one.

`version1.zip` was made by it: a stage of layout 1 that was compacted twice, a snapshot with what
was pushed, a plan that was saved, and the functions as they were installed.
"""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.terminal import counts_in
from tmdbkit import ConvexSnapshot, Settings, Stage
from tmdbkit.cli.main import main
from tmdbkit.convex.plan import Plan
from tmdbkit.stage.decisions import overrides, verdicts

from .backend import ConvexBackend

if TYPE_CHECKING:
    from collections.abc import Iterator


ZIP = Path(__file__).with_name("version1.zip")
STAGED = [13, 28, 55, 62, 78, 80, 105, 122, 129, 155, 238]
PUSHED = [13, 28, 55, 62, 78, 80]
FIRST, TAKEN_BACK = "623be895985d0cef", "6dd9ad5f6c135627"
NOW = datetime(2026, 12, 1, tzinfo=UTC)

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("left")]


@pytest.fixture
def left() -> None:
    """All of it, in the working folder."""
    with zipfile.ZipFile(ZIP) as archive:
        archive.extractall()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConvexBackend]:
    """A deployment with the functions of then."""
    with ConvexBackend(functions=Path("convex").resolve()) as backend:
        for name, value in backend.environment().items():
            monkeypatch.setenv(name, value)
        yield backend


def opened() -> Stage:
    return Stage("stage", settings=Settings())


def ids(documents: list[dict[str, Any]]) -> list[int]:
    return sorted(int(document["tmdb_id"]) for document in documents)


def ran(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*words, "--stage", "stage", "--json"]) == status
    return counts_in(capsys.readouterr().out, status)


def in_snapshot(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    return ran(capsys, *words, "--snapshot", "snap", status=status)


def assert_read(stage: Stage) -> None:
    """All that stands in it, as the first version read it."""
    assert stage.movies()["tmdb_id"].to_list() == list(stage) == STAGED
    assert stage[238].heading() == "The Godfather (1972)"
    assert stage.history(13).height == 2
    assert stage.failures()["tmdb_id"].to_list() == [999]
    assert stage.ratings().filter(tmdb_id=28, system="imdb", chosen=True)["points"].item() == 7.4
    said = verdicts(stage.decisions()).select("tmdb_id", "kind", "note").rows()
    assert said == [(13, "hold", "wrong year"), (55, "approve", "")]
    assert overrides(stage.decisions())["value"].to_list() == ["7.4"]
    assert stage.pushes()["push"].to_list() == ["7591b66383736307", TAKEN_BACK, FIRST]


def test_the_stage_is_read_and_read_the_same_after_compactions() -> None:
    assert_read(opened())
    for days in range(3):
        opened().compact(now=NOW + timedelta(days=days))
        assert_read(opened())
    assert opened().doctor().problems == ()


def test_its_status_says_what_stands_and_what_is_due() -> None:
    status = opened().status()
    assert (status["staged"], status["rated"], status["pushed"]) == (11, 9, 6)
    assert status["targets"] == [
        {
            "target": "snapshot at snap/snapshot.zip",
            "standing": 6,
            "unknown": 0,
            "last_push": "7591b66383736307",
            "at": "2026-06-04T00:00:00+00:00",
        }
    ]
    assert opened().store.ages(NOW).due == 11
    assert opened().store.ages(datetime(2026, 11, 1, tzinfo=UTC)).due == 0


def test_the_snapshot_is_read() -> None:
    snapshot = ConvexSnapshot("snap")
    assert ids(snapshot.table("movies")) == PUSHED
    assert snapshot.movies().height == 6
    assert {"crew_id", "crew_name", "crew_type"} == set(snapshot.table("crew")[0])


def test_the_saved_plan_is_sent_exactly_so_and_taken_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = ConvexSnapshot("snap").table("movies")
    plan = Plan.load(Path("plan.json"))
    sent = in_snapshot(capsys, "push", "--plan", "plan.json")  # one is held
    found = [sent[name] for name in ("created", "updated", "unchanged", "withheld")]
    assert found == [3, 1, 4, 1]
    assert len(plan) == 9
    checked = in_snapshot(capsys, "verify", status=1)
    assert checked == {
        "checked": 11,
        "equal": 8,
        "different": 0,
        "absent": 2,
        "not_staged": 0,
        "withheld": 1,
    }
    assert in_snapshot(capsys, "push", "--plan", "plan.json")["unchanged"] == 8
    undone = in_snapshot(capsys, "undo")
    assert (undone["deleted"], undone["updated"]) == (3, 1)
    assert ConvexSnapshot("snap").table("movies") == before


@pytest.mark.parametrize("words", [["undo"], ["undo", FIRST]])
def test_a_push_of_then_is_taken_back(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert in_snapshot(capsys, *words)["deleted"] == 6
    assert ConvexSnapshot("snap").table("movies") == []
    assert opened().status()["pushed"] == 0


def test_so_it_is_after_a_compaction_and_in_another_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened().compact(now=NOW)
    Path("snap").rename("moved")
    Path("elsewhere").mkdir()
    Path("moved").rename("elsewhere/snap")
    assert ran(capsys, "undo", "--snapshot", "elsewhere/snap")["deleted"] == 6


def test_what_was_undone_then_is_not_undone_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["undo", TAKEN_BACK, "--stage", "stage", "--snapshot", "snap"]) == 2
    assert "is taken back already" in capsys.readouterr().err


def test_the_functions_of_then_take_what_is_pushed_now(
    installed: ConvexBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = ran(capsys, "push")
    assert (sent["created"], sent["withheld"]) == (10, 1)
    assert ids(installed.dump("movies")) == STAGED[1:]
    checked = ran(capsys, "verify")
    assert checked == {
        "checked": 11,
        "equal": 10,
        "different": 0,
        "absent": 0,
        "not_staged": 0,
        "withheld": 1,
    }
    installed.patch("movies", 155, title="Edited")
    undone = ran(capsys, "undo", "--yes", status=1)
    assert (undone["deleted"], undone["conflicts"]) == (9, 1)
    assert ids(installed.dump("movies")) == [155]


def test_the_functions_of_then_are_replaced_by_those_of_now(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["functions", "convex", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["changed"] == told["schema_lacks"] == []
