from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.read_only import run
from tests.servers.tmdb import TOKEN
from tests.servers.wire import Answer
from tmdbkit.exceptions import OfflineError, SettingsWarning, TMDBKitError, UsageError
from tmdbkit.http.cache import AnswerCache
from tmdbkit.settings import Settings
from tmdbkit.tmdb.session import TMDBService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.http.conftest import FakeClock
    from tests.servers.tmdb import TMDBServer
    from tmdbkit.tmdb.session import TMDBSession

    Start = Callable[..., TMDBServer]
    Connect = Callable[..., TMDBSession]

PATH = "/movie/603"
BODY = '{"id":603,"title":"L\u00e9on"}'
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
MOMENT = timedelta(minutes=1)


def later(by: timedelta) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + by


def sql(folder: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement on the cache's file, as somebody else."""
    with closing(sqlite3.connect(folder / "cache" / "tmdb.sqlite", isolation_level=None)) as other:
        return other.execute(statement, values).fetchall()


@pytest.fixture
def quick_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process holds is waited for, but not for five seconds."""
    monkeypatch.setattr("tmdbkit.http.cache.BUSY_TIMEOUT", 20)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Callable[[str], object]]:
    """Let another process hold the file: one that reads, that writes or that wants it alone."""
    path = tmp_path / "cache" / "tmdb.sqlite"
    others: list[sqlite3.Connection] = []

    def lock(how: str) -> None:
        path.parent.mkdir(exist_ok=True)
        other = sqlite3.connect(path, isolation_level=None)
        others.append(other)
        if how == "alone":
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
        if how == "reads":
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM responses").fetchall()
        else:
            other.execute("BEGIN IMMEDIATE")
            other.execute("CREATE TABLE IF NOT EXISTS theirs (a)")

    yield lock
    for other in others:
        other.close()


# How long an answer is fresh.

LIFETIMES = [
    ("/movie/popular", HOUR),
    ("/movie/top_rated", HOUR),
    ("/movie/changes", HOUR),
    ("/discover/movie", HOUR),
    ("/search/movie", HOUR),
    ("/movie/603", DAY),
    ("/movie/603/credits", DAY),
    ("/person/6384", DAY),
    ("/collection/2344", DAY),
    ("/find/tt0133093", DAY),
    ("/configuration", WEEK),
    ("/configuration/languages", WEEK),
    ("/genre/movie/list", WEEK),
]


@pytest.mark.parametrize(("path", "fresh"), LIFETIMES)
def test_lists_live_an_hour_details_a_day_configuration_a_week(path: str, fresh: timedelta) -> None:
    assert TMDBService.of(Settings()).lifetime(path) == fresh


@pytest.mark.parametrize(
    ("path", "fresh"), [(PATH, DAY), ("/movie/popular", HOUR), ("/configuration", WEEK)]
)
def test_an_answer_is_asked_for_again_when_its_time_is_over(
    path: str, fresh: timedelta, server: TMDBServer, connect: Connect
) -> None:
    connect(server).get(path)
    assert connect(server, now=later(fresh - MOMENT)).get(path).cached
    assert len(server.requests) == 1
    assert not connect(server, now=later(fresh + MOMENT)).get(path).cached
    assert len(server.requests) == 2


def test_offline_an_old_answer_is_better_than_none(server: TMDBServer, connect: Connect) -> None:
    connect(server).get("/movie/popular")
    assert connect(server, offline=True, now=later(179 * DAY)).get("/movie/popular").cached


def test_nothing_is_answered_past_six_months(server: TMDBServer, connect: Connect) -> None:
    connect(server).get("/configuration")
    session = connect(server, offline=True, now=later(181 * DAY))
    with pytest.raises(OfflineError):
        session.get("/configuration")


def test_nothing_is_read_past_six_months_even_by_who_would_take_it(tmp_path: Path) -> None:
    request = requests.Request("GET", "http://127.0.0.1/3/configuration").prepare()
    cache = AnswerCache.open(tmp_path, "tmdb")
    assert cache is not None
    with closing(cache):
        cache.store(request, "{}")
        assert cache.read(request, 999 * DAY, later(179 * DAY)()) is not None
        assert cache.read(request, 999 * DAY, later(181 * DAY)()) is None


def test_nothing_is_kept_past_six_months(
    server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    with connect(server) as session:
        session.get("/movie/1")
        session.get("/movie/2")
    [(key, expires)] = sql(tmp_path, "SELECT key, expires FROM responses LIMIT 1")
    in_six_months = datetime.now(UTC) + 180 * DAY
    assert expires == pytest.approx(in_six_months.timestamp(), abs=60)
    sql(tmp_path, "UPDATE responses SET expires = ? WHERE key = ?", int(time.time()) - 1, key)
    with connect(server):
        assert sql(tmp_path, "SELECT count(*) FROM responses") == [(1,)]
        assert sql(tmp_path, "SELECT key FROM responses WHERE key = ?", key) == []


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be changed here")
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_an_age_does_not_depend_on_the_time_zone(
    zone: str, server: TMDBServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        try:
            session = connect(server)
            session.get("/movie/popular")
            kept = session.get("/movie/popular")
        finally:
            patch.undo()
            time.tzset()
    assert kept.cached
    assert abs(datetime.now(UTC) - kept.received_at) < MOMENT


# What is kept, and under which key.


def test_a_hit_is_the_same_text_and_value(start: Start, connect: Connect) -> None:
    session = connect(start(payloads={603: BODY.encode()}))
    first, kept = session.get(PATH), session.get(PATH)
    assert (first.cached, kept.cached) == (False, True)
    assert (kept.text, kept.value) == (first.text, first.value) == (BODY, json.loads(BODY))


def test_answers_are_found_again_by_the_next_session(server: TMDBServer, connect: Connect) -> None:
    for _ in range(2):
        with connect(server) as session:
            session.get(PATH, {"language": "en-US", "append_to_response": "credits,videos"})
    assert len(server.requests) == 1


def test_the_order_of_parameters_does_not_matter(server: TMDBServer, connect: Connect) -> None:
    session = connect(server)
    session.get("/search/movie", {"query": "matrix", "page": 1, "year": None})
    assert session.get("/search/movie", {"page": 1, "query": "matrix"}).cached


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (PATH, {"language": "de-DE"}),
        (PATH, None),
        ("/movie/604", {"language": "en-US"}),
        (PATH, {"language": "en-US", "append_to_response": "credits"}),
    ],
)
def test_what_is_asked_otherwise_is_another_answer(
    path: str, params: dict[str, str] | None, server: TMDBServer, connect: Connect
) -> None:
    session = connect(server)
    session.remember(PATH, {"language": "en-US"}, BODY)
    assert not session.get(path, params).cached


def test_two_addresses_do_not_share_answers(start: Start, connect: Connect) -> None:
    connect(start()).get(PATH)
    assert not connect(start()).get(PATH).cached


def test_what_was_remembered_is_answered(connect: Connect) -> None:
    session = connect(offline=True)
    session.remember("/movie/5", {"language": "en-US", "year": None}, BODY)
    answer = session.get("/movie/5", {"language": "en-US"})
    assert (answer.text, answer.value, answer.cached) == (BODY, json.loads(BODY), True)


def test_what_is_remembered_without_a_cache_is_forgotten(connect: Connect) -> None:
    session = connect(offline=True, cache=False)
    session.remember(PATH, None, BODY)
    with pytest.raises(OfflineError):
        session.get(PATH)


def test_an_answer_is_stored_only_where_that_is_wanted(
    server: TMDBServer, connect: Connect
) -> None:
    session = connect(server)
    session.get(PATH, store=False)
    assert not session.get(PATH, store=False).cached
    session.get(PATH)
    assert session.get(PATH, store=False).cached


def test_refresh_asks_anew_and_keeps_the_new_answer(start: Start, connect: Connect) -> None:
    server = start(payloads={603: b'{"version":1}'})
    session = connect(server)
    session.get(PATH)
    server.payloads[603] = b'{"version":2}'
    assert session.get(PATH).value == {"version": 1}
    assert session.get(PATH, refresh=True).value == {"version": 2}
    assert session.get(PATH).value == {"version": 2}
    assert len(server.requests) == 2


@pytest.mark.parametrize("turn", ["cut", "cut_json", "not_json", "empty", "reset", "404", "503"])
def test_only_a_whole_good_answer_is_kept(turn: str, start: Start, connect: Connect) -> None:
    server = start(script={f"/3{PATH}": [turn]})
    session = connect(server, retries=0)
    with pytest.raises(TMDBKitError):
        session.get(PATH)
    assert session.cache is not None
    assert len(session.cache) == 0
    assert session.get(PATH).value["id"] == 603
    assert len(server.requests) == 2


def test_headers_of_a_server_do_not_change_how_long_an_answer_is_kept(
    start: Start, connect: Connect
) -> None:
    headers = {"Cache-Control": "no-store, max-age=0", "ETag": 'W/"1"', "Vary": "*"}
    server = start(script={f"/3{PATH}": [Answer(200, BODY.encode(), headers=headers)]})
    session = connect(server)
    session.get(PATH)
    assert session.get(PATH).cached


def test_the_file_holds_json_and_no_pickle(
    server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    session = connect(server)
    answer = session.get(PATH, {"language": "en-US"})
    [(value,)] = sql(tmp_path, "SELECT value FROM responses")
    row = json.loads(value)
    assert b64decode(row["_content"]).decode() == answer.text
    assert row["url"] == f"{server.base_url}{PATH}?language=en-US"
    assert sql(tmp_path, "SELECT count(*) FROM redirects") == [(0,)]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert b"\x80\x04\x95" not in stored
    assert b"\x80\x05\x95" not in stored


def test_a_closed_session_leaves_one_whole_file(
    server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    with connect(server) as session:
        session.get(PATH)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["tmdb.sqlite"]


def test_many_threads_read_and_write_at_once(
    server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    session = connect(server, rate=10_000.0)

    def work(first: int) -> list[int]:
        return [session.get(f"/movie/{1 + (first + step) % 40}").value["id"] for step in range(40)]

    for future in clock.run(*[partial(work, 5 * number) for number in range(8)]):
        assert sorted(future.result()) == list(range(1, 41))
    assert session.hits + session.requests == 8 * 40
    assert session.cache is not None
    assert len(session.cache) == 40


# What is wrong with the disk is a miss, and never an error.


@pytest.mark.parametrize(
    "value",
    [
        "",
        "{",
        "[]",
        "{}",
        "\x80\x04\x95",
        '{"status_code": "x", "created_at": 5}',
        pytest.param(None, id="null"),
        pytest.param("no base64", id="content that is not base64"),
        pytest.param(b64encode(b'{"id":60').decode(), id="a body that is cut"),
        pytest.param(b64encode(b'{"id":"\xff"}').decode(), id="a body that is not UTF-8"),
    ],
)
def test_a_damaged_row_is_a_miss_and_is_replaced(
    value: str | None,
    server: TMDBServer,
    connect: Connect,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    session = connect(server)
    session.get(PATH)
    [(whole,)] = sql(tmp_path, "SELECT value FROM responses")
    if "content" in request.node.name or "body" in request.node.name:
        value = json.dumps(json.loads(whole) | {"_content": value})
    sql(tmp_path, "UPDATE responses SET value = ?", value)
    assert session.get(PATH).value["id"] == 603
    assert len(server.requests) == 2
    assert session.get(PATH).cached


@pytest.mark.usefixtures("quick_to_give_up")
@pytest.mark.parametrize("how", ["writes", "alone"])
def test_a_file_that_somebody_locks_meanwhile_keeps_nothing_and_holds_up_nobody(
    how: str, server: TMDBServer, connect: Connect, locked: Callable[[str], object], tmp_path: Path
) -> None:
    session = connect(server)
    if how == "alone":  # as long as we have it open, nobody can have it alone
        assert session.cache is not None
        session.cache.close()
    locked(how)
    assert [session.get(PATH).value["id"] for _ in range(2)] == [603, 603]
    assert len(server.requests) == 2


@pytest.mark.usefixtures("quick_to_give_up")
def test_what_is_kept_can_be_read_while_somebody_writes(
    server: TMDBServer, connect: Connect, locked: Callable[[str], object]
) -> None:
    session = connect(server)
    session.get(PATH)
    locked("writes")
    assert session.get(PATH).cached


@pytest.mark.usefixtures("quick_to_give_up")
def test_answers_are_kept_while_somebody_reads(
    server: TMDBServer, connect: Connect, locked: Callable[[str], object]
) -> None:
    session = connect(server)
    locked("reads")
    session.get(PATH)
    assert session.get(PATH).cached


@pytest.mark.usefixtures("quick_to_give_up")
@pytest.mark.parametrize("how", ["writes", "alone"])
def test_a_file_that_is_locked_from_the_start_is_no_error(
    how: str, server: TMDBServer, connect: Connect, locked: Callable[[str], object]
) -> None:
    locked(how)
    assert connect(server).get(PATH).value["id"] == 603


def _a_file_for_a_folder(folder: Path) -> None:
    folder.write_text("")


def test_a_place_that_cannot_be_used_is_no_error(
    server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    _a_file_for_a_folder(tmp_path / "cache")
    session = connect(server)
    assert [session.get(PATH).value["id"] for _ in range(2)] == [603, 603]
    assert "no cache" in repr(session)


def _a_folder(path: Path) -> None:
    path.unlink()
    (path / "within").mkdir(parents=True)


def _other_columns(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE responses (key TEXT, text TEXT)")


def _other_columns_and_the_same_key(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE responses (name TEXT, value BLOB, expires INTEGER)")


BROKEN: dict[str, Callable[[Path], object]] = {
    "no database": lambda path: path.write_bytes(b"no database at all" * 1000),
    "a text": lambda path: path.write_text("{}"),
    "cut in the middle": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut after the first page": lambda path: os.truncate(path, 4096),
    "cut within the first page": lambda path: os.truncate(path, 2000),
    "zeros in the head": lambda path: path.write_bytes(bytes(100) + path.read_bytes()[100:]),
    "noise behind the head": lambda path: path.write_bytes(
        path.read_bytes()[:100] + b"\xa5" * (path.stat().st_size - 100)
    ),
    "a folder": _a_folder,
    "other columns": _other_columns,
    "another key": _other_columns_and_the_same_key,
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_set_aside_and_a_new_one_begun(
    how: str, server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "cache" / "tmdb.sqlite"
    with connect(server) as session:
        for movie_id in range(1, 60):
            session.remember(f"/movie/{movie_id}", None, json.dumps({"text": "x" * 2_000}))
    BROKEN[how](path)
    with pytest.warns(SettingsWarning, match=r"it is tmdb\.sqlite\.broken-1 now, and a new one"):
        session = connect(server)
    assert [session.get(PATH).cached for _ in range(2)] == [False, True]
    session.close()
    assert connect(server).get(PATH).cached
    assert path.with_name("tmdb.sqlite.broken-1").exists()


def test_one_that_turns_out_to_be_broken_is_no_error_and_set_aside_at_the_end(
    server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "cache" / "tmdb.sqlite"
    with connect(server) as session:
        for movie_id in range(1, 60):
            session.remember(f"/movie/{movie_id}", None, json.dumps({"text": "x" * 9_000}))
        session.get(PATH)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xa5" * (len(whole) - len(whole) // 2))
    session = connect(server)
    assert session.get("/movie/50").value["id"] == 50
    with pytest.warns(SettingsWarning, match="a new one is begun"):
        session.close()
    assert len(connect(server).cache or ()) == 0


# How much is kept.


def test_of_more_than_there_may_be_the_newest_are_left(
    server: TMDBServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.http.cache.MOST_BYTES", 400_000)
    with connect(server) as session:
        for movie_id in range(1, 101):
            at = datetime.now(UTC) - timedelta(minutes=200 - movie_id)
            session.remember(f"/movie/{movie_id}", None, json.dumps({"x": "x" * 9_000}), at)
    assert (tmp_path / "cache" / "tmdb.sqlite").stat().st_size < 400_000
    with connect(server, offline=True) as session:
        kept = len(session.cache or ())
        assert 10 < kept < 50
        assert session.get("/movie/100").cached
        with pytest.raises(OfflineError):
            session.get("/movie/1")


# What may only be read.


@pytest.mark.parametrize("what", ["folder", "file", "both"])
def test_offline_what_may_only_be_read_is_read(
    what: str, server: TMDBServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(server) as session:
        session.get(PATH)
    folder = tmp_path / "cache"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    closed = {"folder": [folder], "file": [folder / "tmdb.sqlite"]}
    closed["both"] = [*closed["folder"], *closed["file"]]
    monkeypatch.setattr(os, "access", lambda place, _: place not in closed[what])
    with connect(server, offline=True) as session:
        assert session.get(PATH).cached
        with pytest.raises(OfflineError):
            session.get("/movie/604")
        assert session.cache is not None
        with pytest.raises(UsageError, match="may only be read"):
            session.cache.clear()
    with connect(server) as session:
        assert [session.get("/movie/604").value["id"] for _ in range(2)] == [604, 604]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


ASKS = """
import sys
from pathlib import Path
from tmdbkit import Settings, TMDBSession
from tmdbkit.settings import Secret

folder, address, token, path = sys.argv[1:]
settings = Settings(tmdb_token=Secret(token), tmdb_base_url=address, cache=Path(folder))
with TMDBSession(settings) as session:
    print(session.get(path).value["id"])
"""


@pytest.mark.parametrize("part", ["", "tmdb.sqlite"])
def test_a_place_that_is_read_only_is_no_error(
    part: str, server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    connect(server).close()
    cache = tmp_path / "cache"
    asked = [str(cache), server.base_url, TOKEN, PATH]
    done = run("no permission", cache / part, sys.executable, "-W", "error", "-c", ASKS, *asked)
    subprocess.run(["chmod", "-R", "u+w", str(cache)], check=True)
    assert (done.stdout, done.stderr) == ("603\n", "")


def test_a_folder_that_the_system_calls_read_only_is_not_written_to(
    server: TMDBServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert connect(server).get(PATH).value["id"] == 603
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("quick_to_give_up")
def test_a_disk_that_is_full_is_no_error(
    server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    session = connect(server)
    assert session.cache is not None
    with session.cache._store.responses.connection() as connection:
        connection.execute("PRAGMA max_page_count = 1")
    ids = [session.get(f"/movie/{movie_id}").value["id"] for movie_id in range(1, 30)]
    assert ids == list(range(1, 30))
    assert len(session.cache) < 29


# What is shown and emptied.


def test_a_cache_tells_its_size_and_can_be_emptied(
    server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    session = connect(server)
    for movie_id in range(1, 101):
        session.remember(f"/movie/{movie_id}", None, json.dumps({"text": "x" * 10_000}))
    session.close()
    cache = AnswerCache.open(tmp_path / "cache", "tmdb")
    assert cache is not None
    with closing(cache):
        before = cache.size()
        assert before > 100 * 10_000
        assert (len(cache), cache.clear(), len(cache)) == (100, 100, 0)
        assert cache.size() < before / 5
    assert not connect(server).get("/movie/1").cached


@pytest.mark.usefixtures("quick_to_give_up")
def test_a_cache_that_somebody_writes_to_is_not_emptied_and_one_line_says_so(
    server: TMDBServer, connect: Connect, locked: Callable[[str], object], tmp_path: Path
) -> None:
    session = connect(server)
    session.get(PATH)
    locked("writes")
    assert session.cache is not None
    with pytest.raises(UsageError, match=r"tmdb\.sqlite cannot be emptied: database is locked"):
        session.cache.clear()
    assert session.get(PATH).cached
