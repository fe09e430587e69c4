"""How batches travel: cut to fit, halved, tried again, and what is left when a push stops."""

from __future__ import annotations

import itertools
import signal
import threading
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from tests.servers.convex import MISLEADING, ConvexProxy, FakeTime, system_error
from tests.servers.wire import Answer
from tmdbkit import ConvexSnapshot, workflows
from tmdbkit.convex import delivery, importer
from tmdbkit.convex.changes import plan_changes
from tmdbkit.convex.contract import Contract
from tmdbkit.exceptions import StopError, TargetRefused, so_far
from tmdbkit.progress import Silent

from .bench import (
    NOBODY,
    Bench,
    DeploymentBench,
    Shelf,
    SnapshotBench,
    counts,
    deployment,
    movie,
    outcome,
    payload,
    planned_by,
    push,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tmdbkit import Stage
    from tmdbkit.convex.target import Target

    from .backend import ConvexBackend, Document

pytestmark = pytest.mark.once


# Sizes


def crowd(tmdb_id: int, size: int = 100) -> Document:
    """A movie with as many people, a tenth of them its own."""
    ids = [n if n % 10 else 1000 * tmdb_id + n for n in range(size)]
    cast = [{"id": n, "name": f"Person {n}", "order": n} for n in ids]
    return payload(tmdb_id, credits={"cast": cast, "crew": []})


def test_sixty_movies_with_a_hundred_people_each_go_through(
    backend: ConvexBackend, stage: Shelf
) -> None:
    bench = DeploymentBench(backend)
    result = push(stage.put(*map(crowd, range(1, 66))), bench.target)
    assert counts(result) == {"created": 65}
    assert len(bench.table("crew")) == 90 + 65 * 10


def test_a_batch_has_at_most_a_hundred_movies() -> None:
    batches = delivery.movie_batches({"tmdb_id": n} for n in range(220))
    assert [len(batch) for batch in batches] == [100, 100, 20]


def test_a_batch_has_at_most_a_mebibyte() -> None:
    changes = [{"tmdb_id": n, "create": {"synopsis": "é" * 150_000}} for n in range(7)]
    assert [len(batch) for batch in delivery.movie_batches(changes)] == [3, 3, 1]


def test_what_is_larger_than_a_mebibyte_goes_alone() -> None:
    changes = [{"tmdb_id": n, "text": "x" * size} for n, size in enumerate((1, 2**20, 1))]
    assert [len(batch) for batch in delivery.movie_batches(changes)] == [1, 1, 1]


def test_no_person_straddles_two_batches() -> None:
    rows = [{"crew_id": n // 7, "crew_type": str(n)} for n in range(1_500)]
    batches = list(delivery.row_batches(rows, key="crew_id"))
    assert [row for batch in batches for row in batch] == rows
    assert all(
        before[-1]["crew_id"] != after[0]["crew_id"]
        for before, after in itertools.pairwise(batches)
    )
    assert max(map(len, batches)) < 510


def test_a_batch_that_is_too_large_for_one_function_is_halved(
    backend: ConvexBackend, stage: Shelf
) -> None:
    backend.reset(databaseQueries=20)
    bench = DeploymentBench(backend)
    stage.put(*(payload(n, credits=NOBODY) for n in range(1, 31)))
    assert counts(push(stage, bench.target)) == {"created": 30}
    assert len(bench.table("movies")) == 30


def test_people_that_are_too_many_for_one_function_are_halved(
    backend: ConvexBackend, stage: Shelf
) -> None:
    backend.reset(databaseQueries=20)
    bench = DeploymentBench(backend)
    assert counts(push(stage.put(crowd(1)), bench.target)) == {"created": 1}
    assert len(bench.table("crew")) == 100


@pytest.mark.parametrize("fault", ["too_many_bytes", "timed_out", "length_limit"])
def test_however_it_is_said_that_a_batch_is_too_large(
    proxy: ConvexProxy, stage: Shelf, fault: str
) -> None:
    proxy.script("applyMovies", fault)
    result = push(stage.put(payload(1), payload(2)), deployment(proxy.url))
    assert counts(result) == {"created": 2}
    assert [len(call.args["changes"]) for call in proxy.called("applyMovies")] == [2, 1, 1]


def test_one_movie_that_is_too_large_by_itself_fails_alone(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.script("applyMovies", "too_many_reads", "too_many_reads")
    result = push(stage.put(payload(1), payload(2)), deployment(proxy.url))
    assert counts(result) == {"created": 1, "failed": 1}
    assert "Too many reads" in outcome(result, 1)[1]


def test_what_is_too_much_to_read_at_once_is_read_in_halves(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.script("moviesByTmdbIds", "too_many_bytes")
    result = push(stage.put(payload(1), payload(2)), deployment(proxy.url))
    assert counts(result) == {"created": 2}
    asked = [call.args["tmdb_ids"] for call in proxy.called("moviesByTmdbIds")]
    assert asked == [[1, 2], [1], [2]]


# One bad document among many


class Unguarded(Contract):
    """A contract that lets everything through, so that the target has to refuse it."""

    def faults(self, *_: Any, **__: Any) -> list[str]:
        return []


def test_of_many_movies_the_bad_one_is_named_and_the_others_arrive(
    bench: Bench, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 7)
    result = push(stage.put(*(payload(n) for n in range(1, 21))), bench.target)
    assert counts(result) == {"created": 19, "withheld": 1}
    assert outcome(result, 7) == ("withheld", "imdb_id is 7, wanted a string")


def test_what_only_the_target_finds_bad_is_found_by_halving(
    bench: Bench, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 7)
    monkeypatch.setattr(
        importer,
        "plan_changes",
        lambda rows, there, contract, **kw: plan_changes(
            rows, there, Unguarded(contract.tables), **kw
        ),
    )
    result = push(stage.put(*(payload(n) for n in range(1, 21))), bench.target)
    assert counts(result) == {"created": 19, "failed": 1}
    assert outcome(result, 7)[0] == "failed"
    assert "imdb_id" in outcome(result, 7)[1] or "Value: 7" in outcome(result, 7)[1]
    assert len(bench.table("movies")) == 19


def spoil(monkeypatch: pytest.MonkeyPatch, tmdb_id: int) -> None:
    """Give one movie a field of another type, as a provider or an override might."""
    to_dicts = pl.DataFrame.to_dicts

    def spoiled(frame: pl.DataFrame) -> list[Document]:
        return [
            {**row, "imdb_id": 7} if row.get("tmdb_id") == tmdb_id and "imdb_id" in row else row
            for row in to_dicts(frame)
        ]

    monkeypatch.setattr(pl.DataFrame, "to_dicts", spoiled)


# Answers that are lost, and faults that pass


@pytest.mark.parametrize("fault", ["lost", "cut", "cut_json"])
def test_a_movie_whose_answer_was_lost_is_counted_as_created(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf, fault: str
) -> None:
    proxy.script("applyMovies", fault)
    result = push(stage.put(payload()), deployment(proxy.url))
    assert counts(result) == {"created": 1}
    assert len(backend.dump("movies")) == 1


def test_a_movie_whose_answer_was_lost_is_counted_as_updated(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf
) -> None:
    backend.insert("movies", movie(popularity=1.0))
    proxy.script("applyMovies", "lost")
    result = push(stage.put(payload()), deployment(proxy.url))
    assert counts(result) == {"updated": 1}
    assert backend.dump("movies")[0]["popularity"] == 83.25


def test_people_whose_answer_was_lost_are_stored_once(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf
) -> None:
    proxy.script("addPeople", "lost")
    push(stage.put(payload()), deployment(proxy.url))
    assert len(backend.dump("crew")) == 3


def test_any_call_of_a_push_may_meet_a_fault_that_passes(proxy: ConvexProxy, stage: Shelf) -> None:
    names = ["check_admin_key", "contract", "page", "moviesByTmdbIds", "slugOwners"]
    for name in (*names, "addPeople", "addGenres", "applyMovies"):
        proxy.script(name, "occ", "429", "reset")
    assert counts(push(stage.put(payload()), deployment(proxy.url))) == {"created": 1}


@pytest.mark.parametrize("fault", ["occ", "system_timeout"])
def test_a_movie_that_fails_to_the_last_try_is_said_to_have_failed(
    proxy: ConvexProxy, stage: Shelf, fault: str
) -> None:
    proxy.always("applyMovies", fault)
    result = push(stage.put(payload(), payload(604)), deployment(proxy.url))
    assert counts(result) == {"failed": 2}
    assert "after 9 attempts" in outcome(result)[1]


def test_what_failed_for_passing_reasons_is_gone_over_once_more(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.script("applyMovies", *["occ"] * 9)
    result = push(stage.put(payload()), deployment(proxy.url))
    assert counts(result) == {"created": 1}


def test_movies_whose_people_could_not_be_sent_wait_for_the_next_push(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf
) -> None:
    proxy.always("addPeople", "occ")
    stage.put(payload(), payload(604, credits=NOBODY))
    result = push(stage, deployment(proxy.url))
    assert counts(result) == {"created": 1, "failed": 1}
    assert outcome(result)[1].startswith("its crew could not be sent: tmdbkit:addPeople: ")
    proxy.always("addPeople", "ok")
    assert counts(push(stage, deployment(proxy.url))) == {"created": 1, "unchanged": 1}
    assert len(backend.dump("crew")) == 3


def test_movies_whose_genres_could_not_be_sent_wait_too(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf
) -> None:
    proxy.always("addGenres", "redacted")
    result = push(stage.put(payload(), payload(604, genres=[])), deployment(proxy.url))
    assert counts(result) == {"created": 1, "failed": 1}
    assert outcome(result)[1].startswith("its genres could not be sent: ")


def test_a_person_who_failed_is_sent_again_with_the_next_movie(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned_by(monkeypatch, 1)
    proxy.script("addPeople", *["occ"] * 18)
    result = push(stage.put(payload(1), payload(2)), deployment(proxy.url))
    assert counts(result) == {"created": 1, "failed": 1}
    assert len(backend.dump("crew")) == 3


def test_movies_that_could_not_be_looked_up_failed_and_the_others_go_on(
    proxy: ConvexProxy, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned_by(monkeypatch, 1)
    proxy.script("moviesByTmdbIds", *["occ"] * 9)
    stage.put(payload(1), payload(2))
    result = push(stage, deployment(proxy.url))
    assert [row[0] for row in result.outcomes.select("outcome").rows()] == ["failed", "created"]
    assert stage.imports()["outcome"].to_list() == ["failed", "created"]


def test_a_table_without_its_index_ends_the_push_and_says_what_to_do(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.always("addPeople", "no_index")
    with pytest.raises(TargetRefused, match="tmdbkit functions says what to add"):
        push(stage.put(crowd(1)), deployment(proxy.url))
    assert len(proxy.called("addPeople")) == 1


@pytest.mark.usefixtures("small_batches")
def test_a_deployment_that_is_busy_now_and_then_gets_every_movie(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf
) -> None:
    busy = [
        lambda _run, words=words: system_error(503, "TextIndexTooLarge", words)
        for words in MISLEADING
    ]
    proxy.script("applyMovies", busy[0], "ok", *busy, "ok", lambda _run: Answer(522), "ok")
    result = push(stage.put(*(payload(n) for n in range(1, 61))), deployment(proxy.url))
    assert counts(result) == {"created": 60}
    assert len(backend.dump("movies")) == 60
    assert len(proxy.called("applyMovies")) == 6 + len(busy) + 2  # nothing was halved


# A push that stops in the middle


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten movies a batch and one batch in flight, so that it is known what came before what."""
    monkeypatch.setattr(delivery, "BATCH_MOVIES", 10)
    monkeypatch.setattr(delivery, "IN_FLIGHT", 1)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("fault", ["401", "403", "paused", "free_plan", "missing"])
def test_a_push_that_stops_in_the_middle_has_logged_what_was_sent(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf, fault: str
) -> None:
    proxy.script("applyMovies", "ok", "ok", fault)
    stage.put(*(payload(n) for n in range(1, 41)))
    with pytest.raises(StopError):
        push(stage, deployment(proxy.url))
    logged = stage.imports().group_by("outcome").len().sort("outcome").rows()
    assert logged == [("created", 20), ("failed", 20)]
    assert len(backend.dump("movies")) == 20
    assert len(proxy.called("applyMovies")) == 3


@pytest.mark.usefixtures("small_batches")
def test_what_ends_a_push_carries_the_counts_so_far(proxy: ConvexProxy, stage: Shelf) -> None:
    proxy.script("applyMovies", "ok", "ok", "paused")
    stage.put(*(payload(n) for n in range(1, 41)))
    with pytest.raises(StopError) as stopped:
        push(stage, deployment(proxy.url))
    told = so_far(stopped.value)
    assert (told["created"], told["failed"], told["push"]) == (20, 20, stage.imports()["push"][0])


@pytest.mark.usefixtures("small_batches")
def test_what_was_not_answered_before_the_stop_is_said_so(proxy: ConvexProxy, stage: Shelf) -> None:
    proxy.script("applyMovies", "paused")
    stage.put(payload())
    with pytest.raises(TargetRefused):
        push(stage, deployment(proxy.url))
    (row,) = stage.imports().rows(named=True)
    assert row["reason"] == "the push stopped before there was an answer"


@pytest.mark.usefixtures("small_batches")
def test_half_of_a_batch_that_was_sent_before_the_stop_is_logged(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.script("applyMovies", "too_many_reads", "ok", "paused")
    stage.put(*(payload(n) for n in range(1, 11)))
    with pytest.raises(TargetRefused):
        push(stage, deployment(proxy.url))
    assert stage.imports().filter(pl.col("outcome") == "created")["tmdb_id"].to_list() == [
        *range(1, 6)
    ]


@pytest.mark.usefixtures("small_batches")
def test_a_push_that_stopped_goes_on_where_it_was(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf
) -> None:
    proxy.script("applyMovies", "ok", "paused")
    stage.put(*(payload(n) for n in range(1, 41)))
    with pytest.raises(TargetRefused):
        push(stage, deployment(proxy.url))
    assert counts(push(stage, deployment(proxy.url))) == {"created": 30, "unchanged": 10}
    assert len(backend.dump("movies")) == 40


def test_a_stop_ends_the_waits_of_the_others_in_flight(
    proxy: ConvexProxy, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "BATCH_MOVIES", 1)
    proxy.script("applyMovies", "429", "429", "paused", "429", *["429"] * 1000)
    time = FakeTime()
    with pytest.raises(TargetRefused):
        push(stage.put(*(payload(n) for n in range(1, 5))), deployment(proxy.url, time=time))
    assert sum(time.waits()) < 900


def press_ctrl_c() -> None:
    """Interrupt the main thread, whichever thread we are in."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class Held:
    """A target whose second batch is under way when somebody presses Ctrl-C."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._calls = 0
        self._may_end = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def apply_movies(self, changes: Sequence[Document]) -> list[Document]:
        self._calls += 1
        if self._calls == 2:
            press_ctrl_c()
            assert self._may_end.wait(5)
        return self._target.apply_movies(changes)

    def interrupt(self) -> None:
        self._may_end.set()


@pytest.mark.usefixtures("small_batches")
def test_ctrl_c_lets_what_is_in_flight_arrive_logs_it_and_writes_the_snapshot(
    snapshot: SnapshotBench, stage: Shelf
) -> None:
    stage.put(*(payload(n) for n in range(1, 41)))
    with pytest.raises(KeyboardInterrupt):
        push(stage, Held(snapshot.target))
    logged = stage.imports().group_by("outcome").len().sort("outcome").rows()
    assert logged == [("created", 20), ("failed", 20)]
    assert len(ConvexSnapshot(snapshot.path).table("movies")) == 20


class Heard(Silent):
    """What is told of how far work is; `moved` once some of it is done and some is not."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.moved = threading.Event()
        self._total = 0

    def begin(self, what: str, total: int) -> None:
        self._total = total

    def update(self, done: int, note: str = "") -> None:
        self.notes.append(note)
        if 0 < done < self._total:
            self.moved.set()


class Patient:
    """A target that takes the second batch once somebody was told of the first."""

    def __init__(self, target: Target, told: threading.Event) -> None:
        self._target, self._told, self._calls = target, told, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def apply_movies(self, changes: Sequence[Document]) -> list[Document]:
        self._calls += 1
        assert self._calls != 2 or self._told.wait(5)
        return self._target.apply_movies(changes)


def pushed(stage: Stage, target: Target, progress: Heard) -> object:
    return workflows.push(stage, target, progress=progress)


def taken_back(stage: Stage, target: Target, progress: Heard) -> object:
    way_back = workflows.undo(stage, target)
    return workflows.push(stage, target, plan=way_back, progress=progress)


def deleted(stage: Stage, target: Target, progress: Heard) -> object:
    return workflows.delete_movies(stage, target, range(1, 41), progress=progress)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("send", [pushed, taken_back, deleted])
def test_what_is_sent_is_told_with_every_batch(
    send: Callable[[Stage, Target, Heard], object], bench: Bench, stage: Shelf
) -> None:
    shelf = cast("Stage", stage.put(*(payload(n) for n in range(1, 41))))
    if send is not pushed:
        push(shelf, bench.target)
    heard = Heard()
    send(shelf, cast("Target", Patient(bench.target, heard.moved)), heard)
    assert heard.notes[-1].startswith("batches sent: ")


@pytest.mark.usefixtures("small_batches")
def test_ctrl_c_is_said_to_be_heard_while_the_rest_arrives(
    snapshot: SnapshotBench, stage: Shelf
) -> None:
    heard = Heard()
    stage.put(*(payload(n) for n in range(1, 41)))
    with pytest.raises(KeyboardInterrupt):
        pushed(cast("Stage", stage), cast("Target", Held(snapshot.target)), heard)
    assert heard.notes[-1] == "stopping once what is under way has come"


def test_ctrl_c_ends_the_wait_for_another_try(proxy: ConvexProxy, stage: Shelf) -> None:
    proxy.always("applyMovies", "occ")
    stage, time, interrupted = stage.put(payload()), FakeTime(), threading.Event()
    target = deployment(proxy.url, time=time)
    end_waits = target.interrupt

    def hold() -> None:
        if len(time.waits()) == 3:
            time.on_sleep = None
            press_ctrl_c()
            assert interrupted.wait(5)

    def interrupt() -> None:
        end_waits()
        interrupted.set()

    time.on_sleep, target.interrupt = hold, interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        push(stage, target)
    assert len(proxy.called("applyMovies")) == 3
    assert stage.imports()["outcome"].to_list() == ["failed"]
    proxy.always("applyMovies", "ok")
    assert counts(push(stage, target)) == {"created": 1}
