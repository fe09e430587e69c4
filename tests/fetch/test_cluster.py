"""Staging and transforming on the workers of an executor: a pool's, and a real cluster's."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.datasets import DatasetServer, tsv
from tests.servers.tmdb import TMDBServer
from tests.stage.conftest import T0, answers, let_rows_be_old, movies, payload, titles
from tmdbkit import (
    Settings,
    Stage,
    TMDBSession,
    check,
    collect_ratings,
    refresh_movies,
    sample,
    stage_movies,
)
from tmdbkit.exceptions import CredentialsRefused, StopError, UsageError
from tmdbkit.executors import run_on, workers_of
from tmdbkit.fetch.cluster import FetchTask, SharedRate
from tmdbkit.ratings.table import Table
from tmdbkit.settings import Secret
from tmdbkit.workflows import checking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor
    from pathlib import Path

    from distributed import Client

    from tests.servers.object_store import ObjectStoreServer
    from tests.stage.conftest import Connect
    from tmdbkit.fetch.staging import StageResult

pytestmark = pytest.mark.once

IDS = range(1, 401)
# Python before 3.11.9 freezes in it now and then (python/cpython issue 106883).
WITHOUT_PROFILER = {"distributed.worker.profile.enabled": False}


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        yield executor


@pytest.fixture(scope="module")
def cluster(s3: ObjectStoreServer) -> Iterator[Client]:
    """Two worker processes of one thread each, which can reach the store, and a client."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set(WITHOUT_PROFILER),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            env=s3.environment,
        ) as workers,
        Client(workers) as client,
    ):
        yield client


def rows_in_log(stage: Stage) -> int:
    """How many payloads were ever written, repeats included."""
    return int(stage.store.movies.payloads.scan().collect().height)


# Any executor.


def test_a_pool_stages_what_one_process_would(
    pool: Executor, stage: Stage, connect: Connect
) -> None:
    with TMDBServer.process(missing=[7], size=2_000) as server:
        session = connect(server)
        result = stage_movies(session, stage, range(1, 301), executor=pool)
        again = stage_movies(session, stage, range(1, 301), executor=pool)
    assert result.counts() == {
        "requested": 300,
        "staged": 299,
        "skipped": 0,
        "missing": 1,
        "failed": 0,
        "http_requests": 300,
    }
    assert result.missing_ids["tmdb_id"].to_list() == [7]
    assert (again.staged, again.skipped, again.http_requests) == (0, 299, 0)
    assert rows_in_log(stage) == 300
    assert len(stage.store.movies.payloads.parts()) == 3  # a batch is a part
    assert len(titles(stage)) == 299


def test_threads_do_as_well(stage: Stage, connect: Connect) -> None:
    with TMDBServer.process(missing=[], size=2_000) as server, ThreadPoolExecutor(2) as threads:
        session = connect(server)
        assert stage_movies(session, stage, range(1, 151), executor=threads).staged == 150
        assert refresh_movies(session, stage, [1, 2], executor=threads).staged == 2


def test_what_fails_is_gone_over_once_more_and_then_noted(
    pool: Executor, stage: Stage, connect: Connect
) -> None:
    with TMDBServer.process(
        size=2_000, missing=[], script={"/3/movie/5": [("503", {"Retry-After": "0"})] * 40}
    ) as server:
        result = stage_movies(connect(server), stage, range(1, 11), executor=pool)
        assert server.stats()["total"] > 10 + 4  # four tries, and once more
    assert (result.staged, result.failed) == (9, 1)
    assert stage.failures()["tmdb_id"].to_list() == [5]


def test_refused_credentials_stop_it_with_one_line(
    pool: Executor, stage: Stage, connect: Connect
) -> None:
    with TMDBServer.process(missing=[], size=2_000) as server:
        session = connect(server, token="wrong.token.here")
        with pytest.raises(CredentialsRefused, match="the key was refused"):
            stage_movies(session, stage, IDS, executor=pool)
    assert len(stage) == 0


def test_the_rate_is_shared_and_what_one_learns_holds_for_all() -> None:
    allowance = SharedRate(38.0, 2)
    assert allowance.share == 19.0
    allowance.learn(7.0)
    assert allowance.share == 7.0
    for _ in range(100):
        allowance.learn(allowance.share)
    assert allowance.share == 19.0


def test_a_pool_makes_rows_anew(pool: Executor, stage: Stage) -> None:
    for number in range(4):
        stage.store.add(movies(number))
    let_rows_be_old(stage)
    other = Stage(stage.store.root.folder, settings=Settings())
    assert other.store.derive_all(executor=pool) == 4
    assert other.store.derive_all() == 0
    assert sorted(titles(other)) == [0, 1, 2, 3]


def test_a_check_that_a_pool_reads_finds_the_same(
    pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "PIECE", 30)
    stage = sample()
    alone = check(stage)
    assert check(stage, executor=pool).findings.equals(alone.findings)
    assert alone.findings.height > 20
    assert check(Stage("nothing"), executor=pool).movies == 0


def test_ratings_that_a_pool_looks_up_are_the_same(pool: Executor, stage: Stage) -> None:
    stage.store.add(movies(*range(1, 41)))
    rated = {"tmdb_id": range(2, 60), "stars": [n % 9 / 2 + 0.5 for n in range(2, 60)]}
    table = Table(pl.DataFrame(rated), points={"letterboxd": "stars"}, id="tmdb_id")
    result = collect_ratings(stage, [table], executor=pool)
    assert (result.movies, result.rated, result.missing) == (40, 39, 1)
    alone = Stage(stage.store.root.folder.parent / "alone", settings=Settings())
    alone.store.add(movies(*range(1, 41)))
    collect_ratings(alone, [table])
    by = ["tmdb_id", "system"]
    assert stage.ratings().sort(by).equals(alone.ratings().sort(by))


def test_a_provider_that_is_named_is_opened_by_each_worker(
    pool: Executor, stage: Stage, tmp_path: Path
) -> None:
    stage.store.add(answers(*((n, payload(n, imdb_id=f"tt{n:07}"), T0) for n in range(1, 11))))
    body = tsv([(f"tt{n:07}", 7.5, 100) for n in range(1, 9)])
    with DatasetServer(body) as server:
        settings = Settings(imdb_datasets_url=server.url, cache=tmp_path / "cache")
        result = collect_ratings(stage, ["imdb"], settings=settings, executor=pool)
    assert (result.rated, result.missing) == (8, 2)


def test_a_pool_that_forks_is_refused_before_it_hangs(stage: Stage, connect: Connect) -> None:
    context = multiprocessing.get_context("fork")
    with (
        TMDBServer.process(missing=[], size=2_000) as server,
        ProcessPoolExecutor(1, mp_context=context) as forking,
        pytest.raises(UsageError, match='get_context\\("spawn"\\)'),
    ):
        stage_movies(connect(server), stage, [1], executor=forking)


def test_a_worker_of_a_pool_that_dies_is_one_clear_line() -> None:
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as dying,
        pytest.raises(StopError, match="a worker died"),
    ):
        list(run_on(dying, os._exit, [1, 1, 1], 1))


def test_pieces_are_taken_only_as_workers_come_free() -> None:
    taken = []

    def pieces() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(2) as threads:
        results = run_on(threads, abs, pieces(), 2)
        next(results)
        assert len(taken) < 20
        assert sorted([0, *results])[-1] == 19


class Forgetful(ThreadPoolExecutor):
    """Loses results as Dask does where the worker dies that holds them: the future is cancelled."""

    losses = 3

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        if self.losses == 0:
            return super().submit(work, *given, **named)
        self.losses -= 1
        lost: Future[Any] = Future()
        lost.cancel()
        lost.set_running_or_notify_cancel()
        return lost


def test_a_piece_whose_result_was_lost_is_done_again() -> None:
    with Forgetful(2) as threads:
        assert sorted(run_on(threads, abs, range(20), 2)) == list(range(20))


def test_where_all_is_lost_again_and_again_there_is_an_end() -> None:
    with Forgetful(2) as threads:
        threads.losses = 1_000
        with pytest.raises(StopError, match="the workers keep dying"):
            list(run_on(threads, abs, range(20), 2))


def test_executors_say_how_many_workers_they_have(pool: Executor) -> None:
    assert workers_of(pool) == 2
    with ThreadPoolExecutor(5) as threads:
        assert workers_of(threads) == 5


def test_an_errand_carries_keys_and_shows_none(stage: Stage) -> None:
    session = TMDBSession(Settings(tmdb_token=Secret("of.a.kind")), cache=False)
    task = FetchTask(
        (603,), "part", stage.store.root.full, Settings(), session.as_settings(), 4, False, True
    )
    assert "of.a.kind" not in repr(task)
    assert pickle.loads(pickle.dumps(task)).asks.tmdb_token.reveal() == "of.a.kind"


def test_errors_reach_the_caller_whole() -> None:
    error = CredentialsRefused("answered 401", path="/movie/1", status=401, code=7, message="no")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.status == 401


# A cluster.


def test_a_cluster_stages_to_an_object_store_though_one_worker_is_killed(
    cluster: Client, bucket: str, connect: Connect
) -> None:
    stage = Stage(f"{bucket}/stage", settings=Settings())
    assert workers_of(cluster.get_executor()) == 2
    with TMDBServer.process(latency=0.01, missing=[7], size=4_000) as server:
        session = connect(server)
        came: list[StageResult] = []
        run = threading.Thread(
            target=lambda: came.append(
                stage_movies(session, stage, IDS, threads=4, executor=cluster.get_executor())
            ),
            daemon=True,
        )
        run.start()
        for _ in range(100_000):
            if server.stats()["total"] >= 150:
                break
        os.kill(next(iter(cluster.run(os.getpid).values())), signal.SIGKILL)
        run.join(timeout=60)
    [result] = came
    assert (result.staged, result.missing, result.failed) == (399, 1, 0)
    assert rows_in_log(stage) == 400  # each exactly once
    assert len(stage) == 399


def test_a_cluster_makes_rows_anew(cluster: Client, stage: Stage) -> None:
    for number in range(3):
        stage.store.add(movies(number))
    let_rows_be_old(stage)
    other = Stage(stage.store.root.folder, settings=Settings())
    assert other.store.derive_all(executor=cluster.get_executor()) == 3
    assert sorted(titles(other)) == [0, 1, 2]
