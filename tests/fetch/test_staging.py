from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.tmdb import TMDBServer
from tests.servers.trouble import LASTS, PASSES
from tests.servers.wire import Answer
from tests.stage.conftest import T0, movies, payload, titles
from tmdbkit import refresh_movies, stage_movies
from tmdbkit.exceptions import (
    CredentialsRefused,
    HostUnreachable,
    SettingsError,
    StopError,
    UsageError,
)
from tmdbkit.fetch.pool import OUTSTANDING, PART_MOVIES, Fetched, Fetching
from tmdbkit.fetch.staging import fetch_movies, stage_ids
from tmdbkit.progress import Silent
from tmdbkit.settings import Settings
from tmdbkit.stage import log as logs
from tmdbkit.stage.storage import Folder
from tmdbkit.tmdb.client import movie_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.stage.conftest import Connect
    from tmdbkit import Stage, TMDBSession
    from tmdbkit.fetch.staging import StageResult

QUIET = Silent()
FAULTS = dict.fromkeys(("500", "502html", "503", "cut", "not_json", "reset"), 0.05)


def stage_all(session: TMDBSession, stage: Stage, ids: Any, **more: Any) -> StageResult:
    return stage_movies(session, stage, ids, progress=QUIET, **more)


def request_of(tmdb_id: int) -> tuple[str, dict[str, str]]:
    return movie_request(tmdb_id, Settings())


def there(server: TMDBServer, ids: Any) -> list[int]:
    return [tmdb_id for tmdb_id in ids if server.catalogue.has(tmdb_id)]


def staged_times(stage: Stage) -> list[int]:
    """All ids that were ever staged, repeats included."""
    rows = stage.store.movies.payloads.scan().collect()
    return sorted(rows.filter(rows["http_status"] == 200)["tmdb_id"])


class Recorder:
    """A progress that remembers, and at some update does something."""

    def __init__(self, at: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.told: list[Any] = []
        self.at, self.act, self.moved = at, act, 0
        self.note = ""

    def begin(self, what: str, total: int) -> None:
        self.told.append((what, total))

    def update(self, done: int, note: str = "") -> None:
        self.told.append(done)
        self.note = note
        self.moved += done > 0  # on a slow machine it is told several times that nothing came yet
        if self.moved == self.at and done:
            self.act()

    def end(self) -> None:
        self.told.append("end")


# What comes of ids.


def test_through_all_faults_every_movie_is_staged_once_and_every_other_is_missing(
    stage: Stage, connect: Connect
) -> None:
    ids = range(1, 501)
    with TMDBServer(size=2_000, faults=FAULTS, seed=3, max_in_a_row=7) as server:
        result = stage_all(connect(server), stage, ids)
        known = there(server, ids)
        assert staged_times(stage) == list(stage) == known
        assert set(stage.missing()["tmdb_id"]) == set(ids) - set(known)
        assert result.counts() == {
            "requested": 500,
            "staged": len(known),
            "skipped": 0,
            "missing": 500 - len(known),
            "failed": 0,
            "http_requests": len(server.requests),
        }
        assert stage.failures().is_empty()
        assert server.by_kind["reset"] > 0


def test_a_second_run_makes_no_request(stage: Stage, connect: Connect) -> None:
    with TMDBServer(size=1) as server:
        first = stage_all(connect(server), stage, range(1, 101))
        server.reset()
        second = stage_all(connect(server), stage, range(1, 101))
        assert server.requests == []
    assert (second.skipped, second.missing) == (first.staged, first.missing)
    assert (second.staged, second.http_requests) == (0, 0)
    assert second.missing_ids.equals(first.missing_ids)


def test_a_missing_id_is_asked_for_again_after_thirty_days(stage: Stage, connect: Connect) -> None:
    with TMDBServer(payloads={}) as server:
        stage_all(connect(server), stage, [1])
        server.payloads[1] = payload(1)
        for days, found in ((29, []), (31, [1])):
            now = datetime.now(UTC) + timedelta(days=days)
            stage_ids(
                connect(server), stage, [1], refresh=False, threads=2, progress=QUIET, now=now
            )
            assert list(stage) == found


def test_a_refresh_fetches_what_is_staged_and_the_newer_payload_wins(
    stage: Stage, connect: Connect
) -> None:
    with TMDBServer(payloads={n: payload(n) for n in (1, 2)}) as server:
        stage_all(connect(server), stage, [1, 2])
        server.payloads[2] = payload(2, "Renamed")
        result = stage_all(connect(server), stage, [1, 2], refresh=True)
    assert (result.staged, result.skipped, result.http_requests) == (2, 0, 2)
    assert titles(stage) == {1: "Movie 1", 2: "Renamed"}


def test_a_refresh_by_age_leaves_the_younger_ones_alone(stage: Stage, connect: Connect) -> None:
    stage.store.add(movies(1, at=datetime.now(UTC) - timedelta(days=31)))
    stage.store.add(movies(2, at=datetime.now(UTC)))
    with TMDBServer(payloads={n: payload(n, "New") for n in (1, 2, 3)}) as server:
        session = connect(server)
        refresh_movies(session, stage, [1, 2, 3], older_than=timedelta(days=30), progress=QUIET)
    assert titles(stage) == {1: "New", 2: "Movie 2"}


def test_a_movie_that_is_gone_from_tmdb_stays_staged_and_is_missing(
    stage: Stage, connect: Connect
) -> None:
    stage.store.add(movies(1))
    with TMDBServer(payloads={}) as server:
        result = stage_all(connect(server), stage, [1], refresh=True)
    assert (result.staged, result.missing) == (0, 1)
    assert (list(stage), stage.missing()["tmdb_id"].to_list()) == ([1], [1])


def test_a_dropped_movie_is_staged_again_when_it_is_asked_for(
    stage: Stage, connect: Connect
) -> None:
    with TMDBServer(payloads={1: payload(1)}) as server:
        session = connect(server)
        session.remember(*request_of(1), payload(1, "from the cache"))
        for _ in range(2):
            stage_all(session, stage, [1])
            assert titles(stage) == {1: "from the cache"}
            stage.drop([1])
            assert list(stage) == []


def test_repeats_count_once_and_what_is_no_id_is_refused_before_any_request(
    stage: Stage, connect: Connect
) -> None:
    with TMDBServer(missing=[], size=1) as server:
        assert stage_all(connect(server), stage, [5, 5, 6]).requested == 2
        with pytest.raises(UsageError, match="'7' is not a TMDB id"):
            stage_all(connect(server), stage, [8, "7"])
        assert len(server.requests) == 2


def test_no_ids_are_no_work(stage: Stage, connect: Connect) -> None:
    with TMDBServer() as server:
        assert stage_all(connect(server), stage, []).requested == 0
    assert not stage.store.root.folder.exists()


# What fails.


BEYOND = '{"id": 9, "title": "Nine", "genres": [{"id": 1e300}]}'


def test_a_payload_with_an_id_beyond_all_numbers_costs_that_movie_alone(
    stage: Stage, connect: Connect
) -> None:
    ids = range(1, 121)
    answered: dict[int, Any] = {n: payload(n) for n in ids} | {9: BEYOND.encode()}
    with TMDBServer(payloads=answered) as server:
        result = stage_all(connect(server), stage, ids)
        assert (result.staged, result.failed) == (119, 1)
        assert stage_all(connect(server), stage, ids).counts()["skipped"] == 119
    assert len(stage) == 119
    assert result.failures.rows() == [(9, "a number that cannot be meant: genres")]


@pytest.mark.parametrize("status", [404, 400, 422, 500])
def test_an_error_whose_words_hold_half_a_character_costs_that_id_alone(
    status: int, stage: Stage, connect: Connect
) -> None:
    code = 44 if status == 500 else 34
    words = rf'{{"status_code": {code}, "status_message": "not found \ud800 \ud83d\ude00"}}'
    ids = range(1, 301)
    script = {"/3/movie/7": [Answer(status, words.encode())]}
    with TMDBServer(payloads={n: payload(n) for n in ids}, script=script) as server:
        result = stage_all(connect(server), stage, ids)
    assert (result.staged, result.missing + result.failed) == (299, 1)
    if status == 404:
        told = stage.store.movies.payloads.scan().collect().filter(http_status=404)["payload"]
    else:
        told = stage.failures()["reason"]
    assert "not found \ufffd \U0001f600" in told.item()


def test_half_a_character_in_a_payload_is_one_sign_in_its_row(
    stage: Stage, connect: Connect
) -> None:
    texts = {
        1: rb'{"id": 1, "title": "One \ud83d", "overview": "\udc00 and \ud83d\ude00 \\ud83d"}',
        2: b'{"id": 2, "title": "Two \xed\xa0\xbd"}',
    }
    with TMDBServer(payloads=texts) as server:
        assert stage_all(connect(server), stage, [1, 2]).staged == 2
    assert titles(stage) == {1: "One \ufffd", 2: "Two \ufffd"}
    assert stage.movies()["synopsis"][0] == "\ufffd and \U0001f600 \\ud83d"


def test_a_malformed_payload_is_a_failure_and_the_others_are_staged(
    stage: Stage, connect: Connect
) -> None:
    broken = {1: payload(1), 2: b'{"id": 2}', 3: payload(4), 4: payload(4)}
    with TMDBServer(payloads=broken) as server:
        result = stage_all(connect(server), stage, [1, 2, 3, 4])
    assert (result.staged, result.failed) == (2, 2)
    assert result.failures.rows() == [
        (2, "not a movie: it has no title"),
        (3, "not this movie: its id is 4"),
    ]
    assert stage.failures()["tmdb_id"].to_list() == [2, 3]


def test_what_failed_for_a_passing_reason_is_gone_over_once_more_at_the_end(
    stage: Stage, connect: Connect
) -> None:
    script = {"/3/movie/2": ["500"] * 4, "/3/movie/3": ["id_invalid_500"]}
    with TMDBServer(missing=[], size=1, script=script) as server:
        result = stage_all(connect(server), stage, [1, 2, 3])
        assert (server.by_id[2], server.by_id[3]) == (5, 1)
    assert (list(stage), result.failed) == ([1, 2], 1)


def test_through_every_status_that_passes_every_movie_is_staged(
    stage: Stage, connect: Connect
) -> None:
    key_refused = b'{"status_code": 7, "status_message": "Invalid API key"}'
    script = {f"/3/movie/{status}": [Answer(status, key_refused)] * 3 for status in PASSES}
    with TMDBServer(payloads={n: payload(n) for n in PASSES}, script=script) as server:
        result = stage_all(connect(server), stage, PASSES)
    assert (result.staged, result.failed) == (len(PASSES), 0)
    assert result.http_requests == 4 * len(PASSES)


def test_a_page_that_refuses_every_movie_is_one_reason_and_then_a_stop(
    stage: Stage, connect: Connect
) -> None:
    page = Answer(403, b"<html>Forbidden</html>", "text/html")
    script = {f"/3/movie/{tmdb_id}": [page] * 9 for tmdb_id in range(1, 301)}
    with TMDBServer(script=script) as server:
        some = stage_all(connect(server), stage, range(1, 6))
        assert "failed: 5: answered 403" in repr(some)
        with pytest.raises(HostUnreachable, match="check the network and TMDB_BASE_URL"):
            stage_all(connect(server), stage, range(1, 301))
        assert len(server.requests) < 50
        server.script.clear()
        assert stage_all(connect(server), stage, range(1, 301)).failed == 0


def test_what_will_never_be_answered_is_asked_once_and_the_others_are_staged(
    stage: Stage, connect: Connect
) -> None:
    script: dict[str, Any] = {f"/3/movie/{n}": [Answer(n, b"{}")] * 9 for n in LASTS}
    script["/3/movie/500"] = ["id_invalid_500"] * 9
    ids = (*LASTS, 500, 603)
    with TMDBServer(payloads={n: payload(n) for n in ids}, script=script) as server:
        result = stage_all(connect(server), stage, ids)
    assert (list(stage), result.failed, result.http_requests) == ([603], 3, 4)


def test_a_failure_says_why_how_often_and_whether_it_may_pass(
    stage: Stage, connect: Connect
) -> None:
    script = {"/3/movie/1": ["503"] * 8}
    with TMDBServer(missing=[], size=1, script=script) as server:
        result = stage_all(connect(server), stage, [1])
        [failure] = stage.failures().to_dicts()
        assert failure["reason"] == result.failures["reason"][0]
        assert "503" in failure["reason"]
        assert (failure["attempts"], failure["http_status"], failure["passing"]) == (4, 503, True)
        stage_all(connect(server), stage, [1])
    assert stage.failures().is_empty()


def test_a_stop_in_the_second_round_forgets_no_failure_of_the_first(
    stage: Stage, connect: Connect
) -> None:
    script = {"/3/movie/1": ["500"] * 4, "/3/movie/2": ["500"] * 4 + ["401"]}
    with TMDBServer(missing=[], size=1, script=script) as server:
        with pytest.raises(CredentialsRefused):
            stage_all(connect(server, retries=3), stage, [2, 1], threads=1)
        assert stage.failures()["tmdb_id"].to_list() == [1, 2]


def test_offline_misses_are_failures_that_say_what_to_do(stage: Stage, connect: Connect) -> None:
    with TMDBServer() as server:
        session = connect(server, offline=True)
        session.remember(*request_of(1), payload(1))
        result = stage_all(session, stage, [1, 2])
        assert server.requests == []
    assert (result.staged, result.failed, result.http_requests) == (1, 1, 0)
    [reason] = result.failures["reason"]
    assert "offline, and the cache has no answer for /movie/2" in reason
    assert "without TMDBKIT_OFFLINE=1" in reason


# What stops a run.


def test_with_a_wrong_key_nothing_is_asked_beyond_what_was_on_its_way(
    stage: Stage, connect: Connect
) -> None:
    with TMDBServer(size=1, latency=0.01) as server:
        with pytest.raises(CredentialsRefused):
            stage_all(connect(server, token="wrong"), stage, range(1, 501), threads=8)
        assert 1 <= len(server.requests) <= 8
    assert list(stage) == []


def test_what_came_before_the_key_was_revoked_is_staged(stage: Stage, connect: Connect) -> None:
    ids = range(1, 501)
    with TMDBServer(size=1, missing=[], revoke_after=120) as server:
        with pytest.raises(CredentialsRefused):
            stage_all(connect(server), stage, ids, threads=8)
        assert len(stage) == server.by_status[200] == 119
        assert server.by_status[401] <= 8
        server.revoke_after = None
        server.reset()
        assert stage_all(connect(server), stage, ids).skipped == 119
        assert len(server.requests) == 381
    assert list(stage) == list(ids)


def test_without_credentials_nothing_is_asked(stage: Stage, connect: Connect) -> None:
    with TMDBServer() as server:
        with pytest.raises(SettingsError, match="TMDB_READ_ACCESS_TOKEN"):
            stage_all(connect(server, token=""), stage, range(1, 101))
        assert server.requests == []


def test_a_host_that_does_not_answer_stops_the_run(stage: Stage, connect: Connect) -> None:
    with TMDBServer() as server:
        server.pause()
        with pytest.raises(HostUnreachable):
            stage_all(connect(server), stage, range(1, 101))
        server.resume()


def test_a_full_disk_stops_the_run_and_a_later_one_goes_on(
    stage: Stage, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    stage.store.add(movies(1))
    with TMDBServer(size=1, missing=[]) as server:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(StopError, match="No space left"):
                stage_all(connect(server), stage, range(1, 301))
        assert len(server.requests) <= OUTSTANDING
        stage_all(connect(server), stage, range(1, 301))
    assert len(stage) == 300
    assert threads_left() == []


def test_a_disk_with_no_room_for_merging_does_not_spoil_a_run_that_is_complete(
    stage: Stage, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Folder.write

    def nearly_full(folder: Folder, name: str, content: bytes) -> None:
        if logs.MERGED in name:
            raise OSError(28, "No space left on device")
        write(folder, name, content)

    monkeypatch.setattr(logs, "PILE", 2)
    monkeypatch.setattr(Folder, "write", nearly_full)
    with TMDBServer(size=1, missing=[]) as server:
        for first in (1, 101):
            assert stage_all(connect(server), stage, range(first, first + 100)).staged == 100
    assert len(stage) == 200
    with pytest.raises(StopError, match="No space left on device"):
        stage.compact()


def threads_left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "tmdbkit" in thread.name]


# Ctrl-C.


def pressed() -> None:
    signal.raise_signal(signal.SIGINT)


def raised() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("press", [pressed, raised])
@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_writes_what_came_and_a_later_run_finishes(
    stage: Stage, connect: Connect, press: Callable[[], None], at: int
) -> None:
    ids, progress = range(1, 451), Recorder(at, press)
    with TMDBServer(size=1, missing=[], latency=0.001) as server:
        session = connect(server)
        with pytest.raises(KeyboardInterrupt):
            stage_movies(session, stage, ids, progress=progress)
        assert progress.told[-1] == "end"
        assert progress.note == "stopping once what is under way has come"
        assert 0 < len(stage) == len(server.requests) < len(ids)
        result = stage_all(session, stage, ids)
        assert len(server.requests) == len(ids)
    assert result.skipped + result.staged == len(ids)
    assert staged_times(stage) == list(ids)
    assert threads_left() == []


@pytest.mark.parametrize("step", ["append", "derive", "add_failures"])
def test_ctrl_c_that_polars_raises_in_a_write_comes_after_it(
    stage: Stage, connect: Connect, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, turns = getattr(stage.store, step), count()

    def struck(*rows: Any) -> Any:
        if next(turns) == 0:
            raise KeyboardInterrupt
        return write(*rows)

    monkeypatch.setattr(stage.store, step, struck)
    with TMDBServer(size=1, missing=[], script={"/3/movie/1": ["id_invalid_500"]}) as server:
        with pytest.raises(KeyboardInterrupt):
            stage_all(connect(server), stage, range(1, 201))
        assert len(stage) == server.by_status[200]
    assert stage.failures()["tmdb_id"].to_list() == [1]


def test_ctrl_c_ends_the_waits_before_retries(stage: Stage, connect: Connect) -> None:
    script = {"/3/movie/1": [("503", {"Retry-After": "600"})]}
    with TMDBServer(size=1, missing=[], script=script) as server:
        with pytest.raises(KeyboardInterrupt):
            stage_movies(
                connect(server, sleep=None), stage, range(1, 501), progress=Recorder(1, raised)
            )
        assert len(stage) == server.by_status[200]
    assert 1 not in stage


# Progress.


def test_progress_begins_and_ends_once_and_counts_up_to_all(stage: Stage, connect: Connect) -> None:
    stage.store.add(movies(1, 2))
    script = {"/3/movie/9": ["500"] * 4}
    progress = Recorder()
    with TMDBServer(size=1, missing=[5], script=script) as server:
        stage_movies(connect(server), stage, range(1, 121), progress=progress)
    begin, *done, end = progress.told
    assert (begin, end) == (("staging", 120), "end")
    assert done == sorted(done)
    assert done[-1] == 120


def test_progress_is_told_from_the_thread_that_called(stage: Stage, connect: Connect) -> None:
    threads = []
    progress = Recorder(1, lambda: threads.append(threading.current_thread()))
    with TMDBServer(size=1) as server:
        stage_movies(connect(server), stage, range(1, 11), progress=progress)
    assert threads == [threading.current_thread()]


def test_a_progress_that_fails_ends_the_run_with_its_own_error(
    stage: Stage, connect: Connect
) -> None:
    def fail() -> None:
        raise RuntimeError("the widget is gone")

    with TMDBServer(size=1) as server, pytest.raises(RuntimeError, match="the widget is gone"):
        stage_movies(connect(server), stage, range(1, 501), progress=Recorder(1, fail))
    assert threads_left() == []


# How ids are asked for.


def fetched(tmdb_id: int) -> Fetched:
    return Fetched(tmdb_id, T0, "{}")


def test_never_more_than_seventy_ids_are_under_way() -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    full = threading.Semaphore(0)

    def ask(tmdb_id: int) -> Fetched:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        full.release()
        return fetched(tmdb_id)

    seen: list[int] = []
    fetching, asked = Fetching(ask, threads=20), 0
    for batch in fetching.batches(range(1, 1001)):
        while asked < min(1000, len(seen) + OUTSTANDING):  # let the threads run into the bound
            assert full.acquire(timeout=10)
            asked += 1
        seen += [item.tmdb_id for item in batch]
        assert len(batch) <= PART_MOVIES
        with lock:
            under_way -= len(batch)
        fetching.settled(len(batch))
    assert sorted(seen) == list(range(1, 1001))
    assert most == OUTSTANDING == 70


def test_ids_are_taken_from_an_iterator_only_as_there_is_room() -> None:
    taken: list[int] = []

    def ids() -> Any:
        for number in range(10_000):
            taken.append(number)
            yield number

    fetching = Fetching(fetched, threads=4)
    batches = fetching.batches(ids())
    next(batches)
    batches.close()
    assert len(taken) <= OUTSTANDING + 4


def test_half_a_second_closes_a_part_of_whatever_size() -> None:
    ticks = count()  # at each look, the clock has gone on by a twentieth of a second
    fetching = Fetching(fetched, threads=1, clock=lambda: next(ticks) / 20)
    sizes = []
    for batch in fetching.batches(range(1, 31)):
        sizes.append(len(batch))
        fetching.settled(len(batch))
    assert sum(sizes) == 30
    assert max(sizes) <= 5


def test_a_reader_who_reads_no_further_leaves_no_thread_behind() -> None:
    interrupted: list[bool] = []
    fetching = Fetching(fetched, threads=4, interrupt=lambda: interrupted.append(True))
    batches = fetching.batches(range(1, 1001))
    next(batches)
    batches.close()
    assert threads_left() == []
    assert interrupted


def drained(fetching: Fetching, ids: Iterable[int]) -> Iterator[Fetched]:
    for batch in fetching.batches(ids):
        yield from batch
        fetching.settled(len(batch))


def test_an_error_that_nobody_foresaw_ends_the_run_as_itself() -> None:
    def ask(tmdb_id: int) -> Fetched:
        if tmdb_id == 30:
            raise ZeroDivisionError
        return fetched(tmdb_id)

    with pytest.raises(ZeroDivisionError):
        list(drained(Fetching(ask, threads=4), range(1, 1001)))
    assert threads_left() == []


def test_without_a_stage_payloads_and_failures_come_as_they_are(connect: Connect) -> None:
    script = {"/3/movie/2": ["500"] * 4, "/3/movie/3": ["500"] * 8}
    with TMDBServer(missing=[4], size=1, script=script) as server:
        session, came, failed = connect(server), [], []
        for payloads, reasons in fetch_movies(session, list(range(1, 101)), threads=8):
            came += payloads["tmdb_id"].to_list()
            failed += reasons
    assert sorted(came) == [n for n in range(1, 101) if n not in (3, 4)]
    assert sorted(tmdb_id for tmdb_id, _ in failed) == [3, 4]


def test_without_a_stage_a_refused_key_stops_after_what_came(connect: Connect) -> None:
    came: list[int] = []
    with TMDBServer(missing=[], size=1, revoke_after=60) as server:
        batches = fetch_movies(connect(server), list(range(1, 501)), threads=8)
        with pytest.raises(CredentialsRefused):
            came.extend(payloads.height for payloads, _ in batches)
        assert sum(came) == server.by_status[200] == 59


# How the result looks.


def test_a_result_tells_its_counts_and_the_commonest_reasons(
    stage: Stage, connect: Connect
) -> None:
    nasty = dict.fromkeys((1, 2), b'{"id": "<img src=x onerror=alert(1)>", "title": "x"}')
    with TMDBServer(payloads=nasty) as server:
        result = stage_all(connect(server), stage, [1, 2, 3])
    text, html = repr(result), result._repr_html_()
    assert text.splitlines()[:5] == [
        "requested: 3",
        "staged: 0",
        "skipped: 0",
        "missing: 1",
        "failed: 2",
    ]
    assert "failed: 2: not this movie" in text
    assert "<img" not in html
    assert "&lt;img" in html
