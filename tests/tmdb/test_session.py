from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import pytest
from requests.adapters import HTTPAdapter

from tests.http.conftest import HOST
from tests.servers.tmdb import API_KEY, TOKEN
from tests.servers.wire import Answer
from tmdbkit.exceptions import (
    CredentialsRefused,
    Interrupted,
    NotFound,
    OfflineError,
    SettingsError,
    StopError,
    TMDBKitError,
)
from tmdbkit.settings import Secret
from tmdbkit.tmdb.session import TMDBSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.http.conftest import FakeClock
    from tests.servers.tmdb import TMDBServer

    Start = Callable[..., TMDBServer]
    Connect = Callable[..., TMDBSession]

PATH = "/movie/603"
PACE = 38.0


def ask(session: TMDBSession, first: int, count: int) -> list[int]:
    """Get so many movies from an id on; 404s count, too."""
    got = []
    for movie_id in range(first, first + count):
        try:
            got.append(session.get(f"/movie/{movie_id}", store=False).value["id"])
        except NotFound:
            got.append(-movie_id)
    return got


def share(session: TMDBSession, threads: int, each: int) -> list[Callable[[], list[int]]]:
    """Work for threads, each with movies of its own."""
    return [partial(ask, session, 1 + each * number, each) for number in range(threads)]


# What is sent.


def test_a_token_goes_into_the_header_and_a_key_into_the_query(
    server: TMDBServer, connect: Connect
) -> None:
    connect(server).get(PATH)
    connect(server, tmdb_token=Secret(), tmdb_api_key=Secret(API_KEY)).get(PATH, refresh=True)
    by_token, by_key = server.requests
    assert (by_token.headers["authorization"], by_token.query) == (f"Bearer {TOKEN}", "")
    assert ("authorization" in by_key.headers, by_key.query) == (False, f"api_key={API_KEY}")


def test_a_request_that_is_sent_again_carries_its_key_once(start: Start, connect: Connect) -> None:
    server = start(script={f"/3{PATH}": ["500", "429", "reset"]})
    connect(server, tmdb_token=Secret(), tmdb_api_key=Secret(API_KEY)).get(PATH, {"page": 1})
    assert [request.query for request in server.requests] == [f"page=1&api_key={API_KEY}"] * 4


def test_a_token_is_preferred_to_a_key(server: TMDBServer, connect: Connect) -> None:
    connect(server, tmdb_api_key=Secret("another")).get(PATH)
    [request] = server.requests
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.query == ""


def test_without_credentials_nothing_is_sent_and_one_line_says_where_to_get_them(
    server: TMDBServer, connect: Connect
) -> None:
    session = connect(server, tmdb_token=Secret())
    with pytest.raises(SettingsError, match=r"TMDB_READ_ACCESS_TOKEN .* themoviedb\.org"):
        session.get(PATH)
    assert (server.connections, session.requests) == (0, 0)


@pytest.mark.parametrize("token", ["one\ntwo", "one\r\nX-Other: two", "on\u2026e", "one\x00"])
def test_a_token_that_no_header_can_carry_is_a_wrong_setting(
    token: str, server: TMDBServer, connect: Connect
) -> None:
    session = connect(server, tmdb_token=Secret(token))
    with pytest.raises(SettingsError, match="TMDB_READ_ACCESS_TOKEN"):
        session.get(PATH)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"query": "Léon & co", "page": 2}, {"query": "Léon & co", "page": "2"}),
        ({"year": None, "page": 1}, {"page": "1"}),
        ({"include_adult": True}, {"include_adult": "true"}),
        ({"include_adult": False}, {"include_adult": "false"}),
        ({}, {}),
        (None, {}),
    ],
)
def test_parameters_are_sent_as_tmdb_writes_them(
    params: dict[str, Any] | None, sent: dict[str, str], server: TMDBServer, connect: Connect
) -> None:
    connect(server).get("/search/movie", params)
    [request] = server.requests
    assert request.path == "/3/search/movie"
    assert request.params == sent


def test_a_login_of_netrc_is_not_sent(
    server: TMDBServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"machine {HOST} login someone password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    connect(server, tmdb_token=Secret(), tmdb_api_key=Secret(API_KEY)).get(PATH)
    assert "authorization" not in server.requests[0].headers


def test_cookies_are_not_sent_back(start: Start, connect: Connect) -> None:
    cookie = {"Set-Cookie": "track=1; Path=/"}
    server = start(script={f"/3{PATH}": [Answer(200, b'{"id":603}', headers=cookie)]})
    session = connect(server)
    ask(session, 603, 2)
    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


def test_a_proxy_of_the_environment_is_used(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://tmdb.example/3"
    proxy = start(script={address + PATH: [Answer(200, b'{"id":603}')]})
    monkeypatch.setenv("http_proxy", proxy.url)
    assert connect(tmdb_base_url=address).get(PATH).value == {"id": 603}
    assert [request.path for request in proxy.requests] == [address + PATH]


def test_a_certificate_bundle_of_the_environment_is_used(
    server: TMDBServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted: list[object] = []
    send = HTTPAdapter.send

    def watched(self: HTTPAdapter, request: Any, **options: Any) -> Any:
        trusted.append(options["verify"])
        return send(self, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", watched)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "company.pem")
    connect(server).get(PATH)
    assert trusted == ["company.pem"]


def test_a_connection_is_kept_for_the_next_request(server: TMDBServer, connect: Connect) -> None:
    ask(connect(server), 1, 5)
    assert (len(server.requests), server.connections) == (5, 1)


def test_settings_are_read_from_the_environment_by_default(
    server: TMDBServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TMDBKIT_OFFLINE", "TMDB_API_KEY", "TMDBKIT_RATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
    monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("TMDBKIT_CACHE", str(tmp_path / "cache"))
    with TMDBSession() as session:
        assert session.get(PATH).value["id"] == 603
        assert session.pacer.rate == PACE


# What comes back.


def test_an_answer_is_the_text_as_received_and_its_time(start: Start, connect: Connect) -> None:
    body = b'{ "id":5,\n "title":"L\xc3\xa9on", "vote_average":7.0, "unknown":[1e2] }'
    now = datetime(2026, 1, 31, tzinfo=UTC)
    answer = connect(start(payloads={5: body}), now=lambda: now).get("/movie/5")
    assert answer.text == body.decode()
    assert answer.value == {"id": 5, "title": "Léon", "vote_average": 7.0, "unknown": [100.0]}
    assert (answer.received_at, answer.cached) == (now, False)


def test_a_byte_order_mark_does_not_spoil_an_answer(start: Start, connect: Connect) -> None:
    server = start(payloads={5: b'\xef\xbb\xbf{"id":5}'})
    assert connect(server).get("/movie/5").text == '{"id":5}'


def test_answers_may_be_compressed(start: Start, connect: Connect) -> None:
    server = start(gzip=True)
    assert connect(server).get(PATH).value["id"] == 603
    assert "gzip" in server.requests[0].headers["accept-encoding"]


def test_a_session_shows_what_it_did(server: TMDBServer, connect: Connect) -> None:
    session = connect(server)
    for movie_id in (1, 2, 1):
        session.get(f"/movie/{movie_id}")
    assert (
        repr(session)
        == "TMDBSession(live, 2 cached answers, 1 hits, 2 requests, 38 a second at most)"
    )
    without = connect(server, cache=False, offline=True)
    assert (
        repr(without) == "TMDBSession(offline, no cache, 0 hits, 0 requests, 38 a second at most)"
    )


# Cache, pace and guard, in that order.


def test_a_hit_costs_no_request_and_no_slot(
    server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    session = connect(server, rate=0.001)
    session.remember(PATH, {"language": "en-US"}, '{"id":603}')
    for _ in range(10):
        assert session.get(PATH, {"language": "en-US"}).cached
    assert (session.hits, session.requests) == (10, 0)
    assert (server.connections, clock.slept) == (0, [])


def test_a_hit_needs_no_credentials(server: TMDBServer, connect: Connect) -> None:
    session = connect(server, tmdb_token=Secret())
    session.remember(PATH, None, '{"id":603}')
    assert session.get(PATH).value == {"id": 603}


def test_offline_a_hit_is_answered(server: TMDBServer, connect: Connect) -> None:
    connect(server).get(PATH)
    answer = connect(server, offline=True, tmdb_token=Secret()).get(PATH)
    assert (answer.value["id"], answer.cached) == (603, True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("options", [{"offline": True}, {"offline": True, "cache": False}])
def test_offline_a_miss_says_what_is_missing_and_what_to_do_and_sends_nothing(
    options: dict[str, Any], server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    session = connect(server, **options)
    for movie_id in (603, 604, 605):
        with pytest.raises(OfflineError, match=rf"/movie/{movie_id}; .+ TMDBKIT_OFFLINE=1"):
            session.get(f"/movie/{movie_id}")
    assert (server.connections, server.requests, session.requests) == (0, [], 0)
    assert clock.slept == []


def test_offline_nothing_is_asked_anew(server: TMDBServer, connect: Connect) -> None:
    session = connect(server, offline=True)
    session.remember(PATH, None, '{"id":603}')
    with pytest.raises(OfflineError):
        session.get(PATH, refresh=True)
    assert server.connections == 0


def test_an_argument_can_take_a_session_back_online(server: TMDBServer, connect: Connect) -> None:
    session = connect(server)
    assert not session.offline
    settings = session.settings
    assert TMDBSession(settings, offline=True, cache=False).offline


def test_many_threads_together_keep_below_what_tmdb_allows(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = start(limit=40)
    session, began = connect(server), clock()
    futures = clock.run(*share(session, threads=8, each=40))
    assert sorted(chain.from_iterable(future.result() for future in futures)) == list(range(1, 321))
    assert server.too_many == 0
    assert server.max_per_second() <= 39
    assert 320 / (clock() - began) > 37.5


def test_a_429_pauses_every_thread(start: Start, connect: Connect, clock: FakeClock) -> None:
    server = start(limit=10, retry_after=5)
    futures = clock.run(*share(connect(server), threads=8, each=10))
    assert [future.result() for future in futures]
    assert server.too_many > 0
    assert server.inside_retry_after == 0


def test_the_pace_is_learned_from_404s_as_well(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = start(missing=lambda _: True, limit=15, retry_after=1)
    session = connect(server)
    assert ask(session, 1, 300) == list(range(-1, -301, -1))
    assert server.too_many < 5
    assert session.pacer.rate < 15


# What ends everything.


@pytest.mark.parametrize("after", [1, 50])
def test_no_request_begins_after_the_first_401(
    after: int, start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = start(revoke_after=after)
    session = connect(server)
    futures = clock.run(*share(session, threads=20, each=10))
    assert [type(future.exception()) for future in futures] == [CredentialsRefused] * 20
    assert server.by_status[401] == 1
    assert len(server.requests) == session.requests == after


def test_a_refusal_says_which_settings_to_check(start: Start, connect: Connect) -> None:
    session = connect(start(token="another"))
    with pytest.raises(CredentialsRefused, match="check TMDB_READ_ACCESS_TOKEN") as raised:
        session.get(PATH)
    assert (raised.value.path, raised.value.status, raised.value.code) == (PATH, 401, 7)


def test_a_refusal_that_is_told_again_is_told_afresh(start: Start, connect: Connect) -> None:
    session = connect(start(token="another"))
    words, lengths = [], []
    for _ in range(4):
        with pytest.raises(CredentialsRefused) as raised:
            session.get(PATH)
        words.append(str(raised.value))
        lengths.append(len(list(walk_tb(raised.value.__traceback__))))
    assert len(set(words)) == 1
    assert lengths[1] == lengths[2] == lengths[3]


def test_what_is_cached_is_answered_even_after_a_refusal(start: Start, connect: Connect) -> None:
    session = connect(start(revoke_after=2))
    session.get(PATH)
    with pytest.raises(CredentialsRefused):
        session.get("/movie/604")
    assert session.get(PATH).cached


@pytest.mark.parametrize("fault", ["503", "429"])
def test_interrupt_ends_the_waits_of_all_threads(
    fault: str, start: Start, connect: Connect
) -> None:
    paths = [f"/movie/{movie_id}" for movie_id in range(1, 5)]
    turn = (fault, {"Retry-After": "600"})
    server = start(script={f"/3{path}": [turn] for path in paths})
    session = connect(server, clock=time.monotonic, sleep=None)
    waiting, sleep = threading.Semaphore(0), session.pacer._sleep

    def wait_long(seconds: float) -> None:
        if seconds > 10:
            waiting.release()
        sleep(seconds)

    session.pacer._sleep = wait_long
    with ThreadPoolExecutor(len(paths)) as pool:
        futures = [pool.submit(session.get, path) for path in paths]
        for _ in paths:
            assert waiting.acquire(timeout=5)
        session.interrupt()
        assert [type(future.exception(timeout=5)) for future in futures] == [Interrupted] * 4
    before = len(server.requests)
    with pytest.raises(Interrupted):
        session.get("/movie/9")
    assert len(server.requests) == before


def test_a_session_goes_on_after_resume(server: TMDBServer, connect: Connect) -> None:
    session = connect(server)
    session.interrupt()
    with pytest.raises(Interrupted):
        session.get(PATH)
    session.resume()
    assert session.get(PATH).value["id"] == 603


@pytest.mark.parametrize("location", ["/3/movie/604", "http://127.0.0.1:1/3/movie/603"])
def test_a_redirect_is_not_followed_and_stops(
    location: str, start: Start, connect: Connect
) -> None:
    turn = Answer(302, headers={"Location": location})
    server = start(script={f"/3{PATH}": [turn]})
    with pytest.raises(StopError, match="a redirect; check TMDB_BASE_URL"):
        connect(server).get(PATH)
    assert [request.path for request in server.requests] == [f"/3{PATH}"]


def test_whatever_a_server_does_every_error_is_one_of_ours(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    names = ("500", "429", "404", "id_invalid_500", "not_json", "cut", "cut_json", "reset", "close")
    server = start(faults=dict.fromkeys(names, 0.09), seed=11, max_in_a_row=20)
    session = connect(server)

    def outcome(movie_id: int) -> type | int:
        try:
            return session.get(f"/movie/{movie_id}").value["id"]
        except TMDBKitError as error:
            return type(error)

    works = [partial(lambda ids: [outcome(i) for i in ids], range(n, 200, 4)) for n in range(1, 5)]
    outcomes = list(chain.from_iterable(future.result() for future in clock.run(*works)))
    good = {movie_id for movie_id in outcomes if isinstance(movie_id, int)}
    assert len(outcomes) == 199
    assert 20 < len(good) < 199
    assert session.cache is not None
    assert len(session.cache) == len(good)
    for movie_id in good:
        assert session.get(f"/movie/{movie_id}").value["id"] == movie_id
    assert session.hits == len(good)


def test_a_cached_answer_tells_when_it_was_received(server: TMDBServer, connect: Connect) -> None:
    session = connect(server)
    session.get(PATH)
    kept = session.get(PATH)
    assert kept.cached
    assert abs(datetime.now(UTC) - kept.received_at) < timedelta(seconds=30)
