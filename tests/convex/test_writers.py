"""A snapshot has one writer at a time, agrees with the log after a kill, and is one by any path."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from tmdbkit import ConvexSnapshot, Stage, plan_push, workflows
from tmdbkit.convex.plan import Plan
from tmdbkit.exceptions import StopError, UsageError
from tmdbkit.settings import Settings
from tmdbkit.stage.tables import IMPORTS

from .bench import LATER, NOW, counts, movie, outcome, payload, push, staged
from .storm import cli, films

pytestmark = pytest.mark.once


def documents(path: Path) -> dict[int, dict[str, object]]:
    return {row["tmdb_id"]: row for row in ConvexSnapshot(path).table("movies")}


# Two writers


def test_who_was_open_before_another_push_sees_it_at_the_flush_and_overwrites_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "snap"
    first = ConvexSnapshot(path)
    first.apply_movies([{"tmdb_id": n, "create": movie(n, tagline="Old")} for n in (1, 2, 3)])
    first.flush()
    ours, theirs = ConvexSnapshot(path), ConvexSnapshot(path)
    their_stage = staged(tmp_path / "theirs", payload(1, tagline="Theirs"), payload(4))
    assert counts(push(their_stage, theirs, at=LATER)) == {"updated": 1, "created": 1}
    stage = staged(tmp_path / "stage", *(payload(n, tagline="Ours") for n in (1, 2, 4, 5)))
    result = push(stage, ours)
    assert counts(result) == {"updated": 1, "created": 1, "conflicts": 2}
    assert outcome(result, 1)[1].startswith("changed by someone else since: ")
    assert result.anew is not None
    taglines = {n: row["tagline"] for n, row in documents(path).items()}
    assert taglines == {1: "Theirs", 2: "Ours", 3: "Old", 4: movie()["tagline"], 5: "Ours"}
    logged = stage.imports().sort("tmdb_id")
    assert logged["outcome"].to_list() == ["conflict", "updated", "conflict", "created"]
    assert {row["crew_id"] for row in ConvexSnapshot(path).table("crew")} == {6384, 9340}


def test_an_undo_after_two_writers_takes_back_what_was_ones_own(tmp_path: Path) -> None:
    ours, theirs = ConvexSnapshot(tmp_path), ConvexSnapshot(tmp_path)
    their_stage, stage = staged(tmp_path / "t", payload(1)), staged(tmp_path / "s", payload(2))
    push(their_stage, theirs)
    push(stage, ours)
    assert documents(tmp_path).keys() == {1, 2}
    late = ConvexSnapshot(tmp_path)
    assert counts(push(stage, late, plan=workflows.undo(stage, late))) == {"deleted": 1}
    assert documents(tmp_path).keys() == {1}


def test_what_another_tool_wrote_meanwhile_is_seen_too(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    target = ConvexSnapshot(path)
    stage = staged(tmp_path / "s", payload(1))
    push(stage, target)
    with zipfile.ZipFile(path, "a") as archive:  # the comment stays as it is
        archive.writestr("users/documents.jsonl", '{"name": "Ann"}\n')
    staged(tmp_path / "s", payload(2))
    assert counts(push(stage, target)) == {"unchanged": 1, "created": 1}
    with zipfile.ZipFile(path) as archive:
        assert archive.read("users/documents.jsonl") == b'{"name": "Ann"}\n'


def test_what_is_no_zip_any_more_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    target = ConvexSnapshot(path)
    path.write_text("notes")
    with pytest.raises(StopError, match="cannot be read as a snapshot of Convex; somebody wrote"):
        push(staged(tmp_path / "s", payload(1)), target)
    assert path.read_text() == "notes"


def test_a_flush_that_failed_after_it_saw_another_push_still_tells_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ConvexSnapshot(tmp_path), ConvexSnapshot(tmp_path)
    theirs.apply_movies([{"tmdb_id": 1, "create": movie(1, tagline="Theirs")}])
    theirs.flush()
    ours.apply_movies([{"tmdb_id": n, "create": movie(n)} for n in (1, 2)])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "open", full)
        with pytest.raises(StopError):
            ours.flush()
    assert ours.flush()[1]["outcome"] == "conflict"
    assert documents(tmp_path)[1]["tagline"] == "Theirs"


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.large)])
def test_two_processes_that_push_to_one_snapshot_at_once_lose_nothing(
    tmp_path: Path, count: int
) -> None:
    halves = [films(2 * count)[:count], films(2 * count)[count:]]
    stages = [staged(tmp_path / str(n), *half) for n, half in enumerate(halves)]
    commands = [[*cli("push", stage), "--snapshot", str(tmp_path / "snap")] for stage in stages]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [each.wait(120) for each in running] == [0, 0]
    assert documents(tmp_path / "snap").keys() == set(range(1, 2 * count + 1))


# A kill

DIES = """
import os, signal, sys
from tmdbkit.cli.main import main
from tmdbkit.convex import zip_file
from tmdbkit.stage.store import StageStore

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def after(run):
    return lambda *args, **named: (run(*args, **named), die())

moment, *words = sys.argv[1:]
if moment == "lock":
    zip_file.single_writer = die
elif moment == "middle":
    zip_file._write = after(zip_file._write)
elif moment == "rename":
    zip_file.write = after(zip_file.write)
elif moment == "written":
    zip_file.writing_of = lambda path, seen=[], real=zip_file.writing_of: (
        die() if seen else seen.append(path), real(path))[1]
elif moment == "log":
    add = StageStore.add_imports
    StageStore.add_imports = lambda store, rows: (
        die() if "outcome" in rows.columns else add(store, rows))
main(words)
"""


@pytest.mark.parametrize(
    ("moment", "there"),
    [
        *((moment, "an export") for moment in ("lock", "middle", "rename", "written", "log")),
        *(pytest.param(moment, "nothing", marks=pytest.mark.large) for moment in ("middle", "log")),
    ],
)
def test_after_a_kill_at_any_moment_of_a_flush_log_and_zip_agree_and_an_undo_restores_it(
    tmp_path: Path, moment: str, there: str
) -> None:
    path = tmp_path / "snap" / "snapshot.zip"
    path.parent.mkdir()
    if there == "an export":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("movies/documents.jsonl", OLD)
            archive.writestr("users/documents.jsonl", '{"_id": "u1"}\n')
    before = documents(path)
    stage = staged(tmp_path / "stage", payload(1), payload(2))
    command = [sys.executable, "-c", DIES, moment, "push", "--stage", str(stage.store.root.folder)]
    done = subprocess.run(
        [*command, "--snapshot", str(path.parent)], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert set(stage.imports()["outcome"]) == {"unknown"}
    plan_push(stage, ConvexSnapshot(path))
    was_done = moment in ("written", "log")
    assert (documents(path) != before) is was_done
    assert set(stage.imports()["outcome"]) == (DONE[there] if was_done else {"failed"})
    if was_done:
        target = ConvexSnapshot(path)
        push(stage, target, plan=workflows.undo(stage, target))
    assert documents(path) == before


OLD = json.dumps(movie(1, _id="a", tagline="Old")) + "\n"
DONE = {"nothing": {"created"}, "an export": {"created", "updated"}}


# The same snapshot by another path


def another_way(path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, written in another way."""
    if how == "relative":
        monkeypatch.chdir(path.parent)
        return Path(path.name)
    if how == "from another folder":
        (path.parent / "deep").mkdir()
        monkeypatch.chdir(path.parent / "deep")
        return Path("..") / path.name
    if how == "the ZIP itself":
        return path / "snapshot.zip"
    if how == "moved":
        return path.rename(path.with_name("elsewhere"))
    link = path.with_name("link")
    link.symlink_to(path)
    return link


WAYS = ["relative", "from another folder", "the ZIP itself", "a link", "moved"]


@pytest.mark.parametrize("how", WAYS)
def test_undo_and_a_saved_plan_know_a_snapshot_however_its_path_is_written(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "snap"
    stage = staged(tmp_path / "stage", payload(1))
    push(stage, ConvexSnapshot(place))
    staged(tmp_path / "stage", payload(2))
    plan_push(stage, ConvexSnapshot(place)).save(tmp_path / "plan.json")
    target = ConvexSnapshot(another_way(place, how, monkeypatch))
    plan = Plan.load(tmp_path / "plan.json")
    assert counts(push(stage, target, plan=plan, at=LATER)) == {"unchanged": 1, "created": 1}
    for _ in range(2):
        target = ConvexSnapshot(target.path)
        assert push(stage, target, plan=workflows.undo(stage, target)).deleted == 1
    stage.drop([1])
    push(stage, target, at=LATER)
    assert workflows.deleting.absent_from_stage(stage, target) == []
    stage.drop([2])
    assert workflows.deleting.absent_from_stage(stage, target) == [2]


def test_a_plan_for_a_snapshot_that_was_never_written_is_known_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(tmp_path / "stage", payload(1))
    monkeypatch.chdir(tmp_path)
    plan = plan_push(stage, ConvexSnapshot("snap"))
    assert counts(push(stage, ConvexSnapshot(tmp_path / "snap"), plan=plan)) == {"created": 1}


def test_another_snapshot_is_another_target_even_beside_it(tmp_path: Path) -> None:
    stage = staged(tmp_path / "stage", payload(1))
    plan = plan_push(stage, ConvexSnapshot(tmp_path / "a.zip"))
    push(stage, ConvexSnapshot(tmp_path / "a.zip"), plan=plan)
    other = ConvexSnapshot(tmp_path / "b.zip")
    with pytest.raises(UsageError, match="the plan is for"):
        push(stage, other, plan=plan)
    with pytest.raises(UsageError, match="has no push that changed"):
        workflows.undo(stage, other)


@pytest.mark.parametrize("logged", ["snap/snapshot.zip", "{place}", "./snap/snapshot.zip"])
def test_a_push_that_an_older_tmdbkit_logged_by_the_path_alone_is_known(
    tmp_path: Path, logged: str
) -> None:
    place = tmp_path / "snap" / "snapshot.zip"
    target = ConvexSnapshot(place)
    target.apply_movies([{"tmdb_id": 1, "create": movie(1)}])
    target.flush()
    stage = Stage(tmp_path / "stage", settings=Settings())
    title = f"snapshot at {Path(logged.format(place=place))}"
    after = json.dumps(movie(1))
    row = (1, "p", None, title, "created", "", 0, None, after, "", NOW)
    stage.store.add_imports(pl.DataFrame([row], IMPORTS.names()[: len(row)], orient="row"))
    assert push(stage, target, plan=workflows.undo(stage, target)).deleted == 1
