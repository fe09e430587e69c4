"""A push that is ended at any moment, in any way: what it did is known, and can be taken back."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.servers.convex import ConvexProxy, FakeTime
from tests.servers.wire import Answer
from tmdbkit import workflows
from tmdbkit.convex import delivery
from tmdbkit.exceptions import StopError, UsageError

from .bench import LATER, counts, deployment, movie, outcome, payload, planned_by, push, staged
from .storm import cli, cli_push, ended_at, films, settings, stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from tests.servers.convex import Run
    from tmdbkit import Stage

    from .backend import ConvexBackend
    from .bench import Bench, Shelf

pytestmark = pytest.mark.once

# Ends: each of a push of all that is staged, at its so manieth batch of movies


def by_signal(how: signal.Signals) -> Callable[..., None]:
    def end(proxy: ConvexProxy, backend: ConvexBackend, stage: Stage, turn: int) -> None:
        status = ended_at(proxy, backend, cli_push(stage), turn, how, ran=turn % 2 == 1)
        assert status == (-how if how == signal.SIGKILL else 130)

    return end


def by_a_log_that_cannot_be_written(
    proxy: ConvexProxy, _: ConvexBackend, stage: Stage, turn: int
) -> None:
    def block(run: Run) -> Answer:
        block_log(stage)
        return run()

    proxy.script("applyMovies", *["ok"] * (turn - 1), block)
    with pytest.raises(StopError, match="cannot be written"):
        push(stage, deployment(proxy.url))
    free_log(stage)


def block_log(stage: Stage) -> None:
    """Put a file where the folder of the import log is: not even root writes into that."""
    log = stage.store.root.folder / "imports"
    if log.exists():
        log.rename(log.with_name("aside"))
    log.parent.mkdir(exist_ok=True)
    log.touch()


def free_log(stage: Stage) -> None:
    log = stage.store.root.folder / "imports"
    log.unlink()
    if log.with_name("aside").exists():
        log.with_name("aside").rename(log)


def by_answers_that_are_lost(proxy: ConvexProxy, _: ConvexBackend, stage: Stage, turn: int) -> None:
    def lose_all_from_now_on(run: Run) -> Answer:
        proxy.always("applyMovies", "lost")
        return run()

    proxy.script("applyMovies", *["ok"] * (turn - 1), lose_all_from_now_on)
    result = push(stage, deployment(proxy.url, time=FakeTime()))
    last = len(stage) * BATCHES // 2_000  # after it no answer is left to lose
    assert result.unknown > 0 or turn == last
    proxy.always("applyMovies", "ok")


ENDS = {
    "SIGKILL": by_signal(signal.SIGKILL),
    "SIGHUP": by_signal(signal.SIGHUP),
    "SIGTERM": by_signal(signal.SIGTERM),
    "unwritable log": by_a_log_that_cannot_be_written,
    "lost answers": by_answers_that_are_lost,
}
LIKE_CTRL_C = ("SIGHUP", "SIGTERM")  # which end a push by the same way
LARGE = pytest.mark.large
BATCHES = 20  # of 2,000 movies


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[LARGE] * (way in LIKE_CTRL_C)) for way in ENDS]
)
@pytest.mark.parametrize(
    ("count", "there", "turns"),
    [
        (400, 3, [3]),
        pytest.param(400, 3, [1, 2, 4], marks=LARGE),
        pytest.param(2_000, 0, range(1, BATCHES + 1, 2), marks=LARGE),  # created
        pytest.param(2_000, 1, range(2, BATCHES + 1, 2), marks=LARGE),  # updated
    ],
    ids=["some", "others", "creations", "updates"],
)
def test_after_its_undo_the_table_is_as_it_was_before_the_push(
    backend: ConvexBackend, tmp_path: Path, way: str, count: int, there: int, turns: list[int]
) -> None:
    movies = films(count)
    theirs = [movie(row["id"], title=row["title"], tagline="Theirs") for row in movies]
    backend.insert("movies", *(theirs[::there] if there else []))
    before = stored(backend)
    stage = staged(tmp_path / "stage", *movies)
    for turn in turns:
        with ConvexProxy(backend.url) as proxy:
            ENDS[way](proxy, backend, stage, turn)
            assert stored(backend) != before or turn == 1
            undo = [*cli("undo", stage), "--yes"]
            if turn > 1:
                ended_at(proxy, backend, undo, 1, ran=turn % 2 == 0)
            ended_at(proxy, backend, undo)
            assert stored(backend) == before
            assert stage.pushes()["unknown"].sum() == 0


@pytest.mark.parametrize(
    ("count", "turns"),
    [(400, [2]), pytest.param(2_000, range(1, BATCHES + 1, 2), marks=LARGE)],
    ids=["some", "many"],
)
def test_a_deletion_that_is_killed_and_run_again_is_whole_and_its_undos_bring_all_back(
    backend: ConvexBackend, tmp_path: Path, count: int, turns: list[int]
) -> None:
    movies = films(count)
    backend.insert("movies", *(movie(row["id"], title=row["title"], mood=["m"]) for row in movies))
    before = stored(backend)
    stage = staged(tmp_path / "stage")
    delete = [*cli("delete", stage), *(str(row["id"]) for row in movies), "--yes"]
    undo = [*cli("undo", stage), "--yes"]
    for turn in turns:
        with ConvexProxy(backend.url) as proxy:
            ended_at(proxy, backend, delete, turn, ran=turn % 2 == 0)
            assert len(stored(backend)) < count or turn == 1
            assert ended_at(proxy, backend, delete) == 0
            assert stored(backend) == {}
            ended_at(proxy, backend, undo, 1, ran=True)
            for _ in range(2):  # of the second deletion, and of the first
                ended_at(proxy, backend, undo)
            assert stored(backend) == before
            assert stage.pushes()["unknown"].sum() == 0


def test_a_closed_terminal_does_not_end_what_was_begun_with_nohup(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", *films(300))
    with ConvexProxy(backend.url) as proxy:
        command = ["nohup", *cli_push(stage)]
        assert ended_at(proxy, backend, command, 1, signal.SIGHUP, ran=True) == 0
    assert len(stored(backend)) == 300


def test_a_mutation_that_arrives_while_its_push_is_taken_back_is_taken_back_too(
    backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", *films(200))
    under_way: list[Run] = []

    def hold(run: Run) -> Answer:
        under_way.append(run)
        running[0].kill()
        return Answer(0, ending="reset")

    def let_it_arrive(run: Run) -> Answer:
        under_way[0]()
        return run()

    with ConvexProxy(backend.url) as proxy:
        proxy.script("applyMovies", "ok", hold)
        running = [subprocess.Popen(cli_push(stage), env=settings(proxy.url, backend))]
        assert running[0].wait(60) == -signal.SIGKILL
        back = workflows.undo(stage, deployment(proxy.url))
        proxy.script("applyMovies", let_it_arrive)
        result = push(stage, deployment(proxy.url), plan=back)
    assert (len(back), result.deleted) == (100, 200)
    assert stored(backend) == {}


# Before the first mutation


@pytest.mark.parametrize("people", ["named", "none"])
def test_a_log_that_cannot_be_written_ends_a_push_before_anything_is_sent(
    proxy: ConvexProxy, backend: ConvexBackend, tmp_path: Path, people: str
) -> None:
    stage = staged(tmp_path / "stage", *films(3))
    command = [*cli_push(stage), "--people", people]
    no_files = ["sh", "-c", 'ulimit -f 0; "$@"', "sh", *command]
    environment = settings(proxy.url, backend)
    done = subprocess.run(no_files, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "imports cannot be written" in done.stderr.splitlines()[-1]
    assert not {call.name for call in proxy.calls} & {"addPeople", "addGenres", "applyMovies"}


def test_a_push_that_stops_leaves_no_thread_behind(
    backend: ConvexBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned_by(monkeypatch, 20)
    stage = staged(tmp_path / "stage", *films(200))
    stopped = None
    with ConvexProxy(backend.url) as proxy:

        def block(run: Run) -> Answer:
            block_log(stage)
            return run()

        proxy.script("applyMovies", block)
        try:
            push(stage, deployment(proxy.url))
        except StopError as error:
            stopped = error  # its traceback holds all that was under way
        assert stopped is not None
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("tmdbkit")]


def test_what_is_about_to_be_sent_is_in_the_log_before_it_is(
    proxy: ConvexProxy, backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", payload(1), payload(2), payload(3, tagline="New"))
    backend.insert("movies", movie(1), movie(3, tagline="Old"))
    seen: list[pl.DataFrame] = []

    def look(run: Run) -> Answer:
        seen.append(stage.imports())
        return run()

    proxy.script("addPeople", look)
    push(stage, deployment(proxy.url))
    told = seen[0].select("tmdb_id", "kind", "title", "outcome").rows()
    assert told == [(2, "create", "The Matrix", "unknown"), (3, "update", "The Matrix", "unknown")]
    values = ["tmdb_id", "push", "target", "before", "after"]
    assert stage.imports().filter(tmdb_id=2).select(values).rows() == (
        seen[0].filter(tmdb_id=2).select(values).rows()
    )


def test_a_stop_leaves_no_intent_without_an_outcome(
    proxy: ConvexProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(tmp_path / "stage", *films(30))
    planned_by(monkeypatch, 10)
    proxy.script("applyMovies", "ok", "paused")
    with pytest.raises(StopError):
        push(stage, deployment(proxy.url))
    assert set(stage.imports()["outcome"]) == {"created", "failed"}


# What became of it, by the documents


DONE, NOT_DONE = "lost", "reset"


def ended(proxy: ConvexProxy, stage: Stage | Shelf, fault: str) -> None:
    """Push; every answer is lost, and what was asked for is done, or is not."""
    proxy.always("applyMovies", fault)
    result = push(stage, deployment(proxy.url, time=FakeTime()))
    assert set(result.outcomes["outcome"]) == {"unknown"}
    proxy.always("applyMovies", "ok")


def by_plan(stage: Stage, url: str) -> object:
    return workflows.plan_push(stage, deployment(url))


def by_verify(stage: Stage, url: str) -> object:
    return workflows.verify(stage, deployment(url))


def by_push(stage: Stage, url: str) -> object:
    return push(stage, deployment(url), at=LATER)


def by_undo(stage: Stage, url: str) -> object:
    try:
        return workflows.undo(stage, deployment(url))
    except UsageError:  # there is nothing to take back, it finds
        return None


READERS = [by_plan, by_verify, by_push, by_undo]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("fault", "outcomes"), [(DONE, ["created", "updated"]), (NOT_DONE, ["failed", "failed"])]
)
def test_what_became_of_an_intent_is_settled_by_whoever_reads_the_documents(
    proxy: ConvexProxy,
    backend: ConvexBackend,
    tmp_path: Path,
    reader: Callable[[Stage, str], object],
    fault: str,
    outcomes: list[str],
) -> None:
    stage = staged(tmp_path / "stage", payload(1), payload(2))
    backend.insert("movies", movie(2, tagline="Old"))
    ended(proxy, stage, fault)
    [first] = stage.pushes()["push"]
    reader(stage, proxy.url)
    settled = stage.imports().filter(push=first)
    assert settled.sort("tmdb_id")["outcome"].to_list() == outcomes
    assert stage.imports().filter(outcome="unknown").is_empty()


@pytest.mark.parametrize("reader", READERS)
def test_what_someone_edited_meanwhile_stays_unknown_and_is_said(
    proxy: ConvexProxy,
    backend: ConvexBackend,
    tmp_path: Path,
    reader: Callable[[Stage, str], object],
) -> None:
    stage = staged(tmp_path / "stage", payload(1))
    ended(proxy, stage, DONE)
    [first] = stage.pushes()["push"]
    backend.patch("movies", 1, tagline="Edited by hand")
    said = repr(reader(stage, proxy.url))
    assert f"unknown: The Matrix: push {first} may have changed it; other values now: tagline" in (
        said
    )
    assert stage.imports().filter(push=first)["outcome"].to_list() == ["unknown"]


def test_what_nobody_can_tell_is_counted_by_the_undo_and_left_alone(
    proxy: ConvexProxy, backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", payload(1), payload(2))
    push(stage, deployment(proxy.url))
    staged(tmp_path / "stage", payload(1, tagline="A"), payload(2, tagline="B"), at=LATER)
    ended(proxy, stage, DONE)
    backend.patch("movies", 1, tagline="Edited by hand")
    target = deployment(proxy.url)
    back = workflows.undo(stage, target)
    assert counts(push(stage, target, plan=back)) == {"updated": 1, "unknown": 1}
    assert stored(backend)[1][0]["tagline"] == "Edited by hand"
    assert len(workflows.undo(stage, target)) == 2  # the push before it


def test_a_plan_of_a_stage_that_cannot_be_written_works_all_the_same(
    proxy: ConvexProxy, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", payload(1))
    ended(proxy, stage, DONE)
    stage.store.add_imports = refuse  # type: ignore[method-assign, assignment]
    assert workflows.plan_push(stage, deployment(proxy.url)).counts()["unchanged"] == 1


def refuse(_: pl.DataFrame) -> None:
    raise StopError("it cannot be written to")


# Whose doing it is


def test_a_plan_that_is_sent_twice_says_unchanged_the_second_time(
    bench: Bench, stage: Shelf
) -> None:
    bench.plant(movie(2, tagline="Old"))
    plan = workflows.plan_push(stage.put(payload(1), payload(2)), bench.target)  # type: ignore[arg-type]
    assert counts(push(stage, bench.target, plan=plan)) == {"created": 1, "updated": 1}
    assert counts(push(stage, bench.target, plan=plan)) == {"unchanged": 2}
    assert counts(push(stage, bench.target, plan=workflows.undo(stage, bench.target))) == {  # type: ignore[arg-type]
        "deleted": 1,
        "updated": 1,
    }


@pytest.mark.parametrize("faults", [["lost"], ["lost"] * 9, ["cut"], ["occ", "lost", "429"]])
def test_what_a_try_did_whose_answer_was_lost_is_credited_to_the_push(
    proxy: ConvexProxy, stage: Shelf, faults: list[str]
) -> None:
    proxy.script("applyMovies", *faults)
    result = push(stage.put(payload()), deployment(proxy.url, time=FakeTime()))
    assert counts(result) == {"created": 1}


def test_a_batch_that_was_only_turned_away_credits_nothing(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    stage.put(payload(1), payload(2))
    plan = workflows.plan_push(stage, deployment(proxy.url))  # type: ignore[arg-type]
    push(stage, deployment(proxy.url), plan=plan)
    proxy.script("applyMovies", "occ", "429", "too_many_reads", "occ")
    target = deployment(proxy.url, time=FakeTime())
    assert counts(push(stage, target, plan=plan)) == {"unchanged": 2}


def test_what_a_killed_push_of_the_same_plan_had_found_done_is_not_its_own(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    plan = workflows.plan_push(stage.put(payload()), deployment(proxy.url))  # type: ignore[arg-type]
    push(stage, deployment(proxy.url), plan=plan)
    proxy.always("applyMovies", "lost")
    assert counts(push(stage, deployment(proxy.url, time=FakeTime()), plan=plan)) == {"unknown": 1}
    proxy.always("applyMovies", "ok")
    by_plan(stage, proxy.url)  # type: ignore[arg-type]
    assert sorted(stage.imports()["outcome"]) == ["created", "unchanged"]


# What it came to


def test_a_result_has_the_name_of_its_push_and_counts_what_is_unknown(
    proxy: ConvexProxy, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "BATCH_MOVIES", 1)
    monkeypatch.setattr(delivery, "IN_FLIGHT", 1)
    proxy.script("applyMovies", *["lost"] * 18)
    result = push(stage.put(payload(1)), deployment(proxy.url, time=FakeTime()))
    keys = "target push created updated deleted unchanged withheld conflicts failed unknown batches"
    assert list(result.counts()) == keys.split()
    assert (result.unknown, result.failed) == (1, 0)
    assert stage.imports()["push"].to_list() == [result.push]
    assert outcome(result, 1)[1].startswith("tmdbkit:applyMovies: the answer broke off")
