from __future__ import annotations

import math
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.servers.trouble import LASTS, PASSES, error
from tests.servers.wire import HOST, Answer
from tmdbkit.exceptions import (
    CredentialsRefused,
    HostUnreachable,
    NotFound,
    PassingFault,
    RequestRefused,
    ServiceError,
    StopError,
)
from tmdbkit.http.retry import (
    FAULTS_IN_A_ROW,
    LONGEST_OUTAGE_PAUSE,
    OUTAGE_PATIENCE,
    PATIENCE,
    backoff,
    retry_after,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.http.conftest import FakeClock
    from tests.servers.tmdb import TMDBServer
    from tmdbkit.tmdb.session import TMDBSession

    Start = Callable[..., TMDBServer]
    Connect = Callable[..., TMDBSession]

NOW = datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC)
PATH = "/movie/603"
HTML = "<html><body>Service Unavailable</body></html>"
SLOT = 1 / 38


@pytest.fixture
def connect(connect: Connect) -> Connect:
    """As everywhere, and without a cache, which has no part in this."""
    return partial(connect, cache=False)


def failing(start: Start, *turns: Any, **options: Any) -> TMDBServer:
    """A server that answers the next requests to PATH so, and after that as usual."""
    return start(script={f"/3{PATH}": turns}, **options)


def told(text: str) -> requests.Response:
    response = requests.Response()
    response.headers["Retry-After"] = text
    return response


def waits(clock: FakeClock) -> list[float]:
    """What was slept for, slots of the schedule left out."""
    return [seconds for seconds in clock.slept if seconds > SLOT * 1.01]


# What the header says.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("2.5", 2.5),
        ("-3", 0),
        ("Sun, 01 Feb 2026 00:00:00 GMT", 10),
        ("Sunday, 01-Feb-26 00:00:00 GMT", 10),
        ("Sun, 01 Feb 2026 01:00:00 +0100", 10),
        ("Sat, 31 Jan 2026 23:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("Sun, 01 Feb 2026", None),
        ("Sun, 99 Feb 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(told(text), NOW) == seconds


def test_an_answer_without_the_header_wants_no_wait() -> None:
    assert retry_after(requests.Response(), NOW) is None


dates = st.from_regex(r"(Mon, )?\d{1,25} (Jan|Feb) \d{1,25} \d{1,22}:\d{1,3}(:\d+)? ([+-]\d+|GMT)")


@settings(deadline=None)
@given(st.text(max_size=40) | dates | st.floats().map(str) | st.integers().map(str))
@example("Wed, 21 Oct 99999999999999999999 07:28:00 GMT")
@example("Wed, 21 Oct 2015 07:28:00 +99999999")
def test_whatever_the_header_says_it_is_no_error_and_no_time_in_the_past(text: str) -> None:
    seconds = retry_after(told(text), NOW)
    assert seconds is None or seconds >= 0


@settings(deadline=None)
@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
def test_every_http_date_is_read_exactly(until: datetime) -> None:
    until = until.replace(microsecond=0, tzinfo=UTC)
    seconds = retry_after(told(format_datetime(until, usegmt=True)), NOW)
    assert seconds == max(0, (until - NOW).total_seconds())


def test_waits_double_up_to_the_longest() -> None:
    assert [backoff(attempt) for attempt in range(1, 8)] == [0.5, 1, 2, 4, 8, 16, 20]
    assert backoff(10_000, longest=3) == 3


# What passes is asked again.


@pytest.mark.parametrize(
    "turn",
    [
        "500",
        "502",
        "503",
        "504",
        "502html",
        "503html",
        "close",
        "reset",
        "cut",
        "cut_json",
        "not_json",
        "empty",
        pytest.param(Answer(408, b""), id="408"),
        pytest.param(error(46), id="maintenance"),
        pytest.param(Answer(200, b"null"), id="null"),
        pytest.param(Answer(200, b'"maintenance"'), id="json but no object"),
        pytest.param(Answer(200, b'{"title": "\xff"}'), id="not UTF-8"),
        pytest.param(
            Answer(200, b"not packed", headers={"Content-Encoding": "gzip"}), id="broken gzip"
        ),
    ],
)
def test_a_fault_that_may_pass_is_asked_again(turn: Any, start: Start, connect: Connect) -> None:
    server = failing(start, turn)
    assert connect(server).get(PATH).value["id"] == 603
    assert len(server.requests) == 2


def test_an_answer_that_does_not_come_is_asked_for_again(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.http.wire.READ_TIMEOUT", 0.2)
    server = failing(start, "hang", hang_seconds=5)
    assert connect(server).get(PATH).value["id"] == 603
    assert len(server.requests) == 2


def test_there_are_three_retries_by_default_each_after_a_longer_wait(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = failing(start, *["503"] * 9)
    with pytest.raises(PassingFault) as raised:
        connect(server).get(PATH)
    assert len(server.requests) == 4
    assert waits(clock) == [0.5, 1, 2]
    assert raised.value.attempts == 4


@pytest.mark.parametrize("retries", [0, 1, 7])
def test_the_number_of_retries_can_be_chosen(retries: int, start: Start, connect: Connect) -> None:
    server = failing(start, *["reset"] * 20)
    with pytest.raises(PassingFault):
        connect(server, retries=retries).get(PATH)
    assert len(server.requests) == retries + 1


def test_half_of_each_wait_is_by_chance(start: Start, connect: Connect, clock: FakeClock) -> None:
    draws = iter([0.0, 0.5])
    server = failing(start, "500", "500")
    connect(server, jitter=lambda: next(draws)).get(PATH)
    assert waits(clock) == [0.25, 0.75]


@pytest.mark.parametrize("text", ["7", format_datetime(NOW + timedelta(seconds=7), usegmt=True)])
@pytest.mark.parametrize("fault", ["503", "429"])
def test_a_server_says_itself_how_long_to_wait(
    fault: str, text: str, start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = failing(start, (fault, {"Retry-After": text}))
    connect(server, now=lambda: NOW).get(PATH)
    first, second = server.requests
    assert second.at - first.at == pytest.approx(7, abs=SLOT)


@pytest.mark.parametrize("text", ["86400", "1e300", "inf"])
def test_nobody_waits_for_hours_for_a_fault_that_may_pass(
    text: str, start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = failing(start, ("503", {"Retry-After": text}))
    with pytest.raises(PassingFault, match="answered 503"):
        connect(server).get(PATH)
    assert len(server.requests) == 1
    assert waits(clock) == []


@pytest.mark.parametrize("status", PASSES)
def test_a_status_that_passes_passes_whatever_the_words_say(
    status: int, start: Start, connect: Connect
) -> None:
    turns = [
        said(status, 7, "Invalid API key: You must be granted a valid key."),
        said(status, 45, "This user has been suspended."),
        said(status, 34, "The resource you requested could not be found."),
        said(status, 20, "Invalid date range"),
        Answer(status, b"<html>The ID is invalid. Check your API key.</html>", "text/html"),
        Answer(status, b'{"status_code": "44"}'),
    ]
    server = failing(start, *turns)
    assert connect(server, retries=len(turns)).get(PATH).value["id"] == 603
    assert len(server.requests) == len(turns) + 1


# A 429 is waited for, and is no failed try.


def test_a_429_uses_up_no_try(start: Start, connect: Connect) -> None:
    server = failing(start, *[("429", {"Retry-After": "1"})] * 12)
    assert connect(server, retries=0).get(PATH).value["id"] == 603
    assert len(server.requests) == 13


def test_tries_are_left_after_429s(start: Start, connect: Connect) -> None:
    turns = ["429", "503", "429html", "429", "reset", "429", "cut", "ok"]
    server = failing(start, *turns)
    assert connect(server).get(PATH).value["id"] == 603
    assert len(server.requests) == len(turns)


@pytest.mark.parametrize("fault", ["429", "429html"])
def test_a_429_that_says_nothing_is_waited_for_longer_each_time(
    fault: str, start: Start, connect: Connect
) -> None:
    server = failing(start, *[fault] * 4)
    connect(server).get(PATH)
    times = [request.at for request in server.requests]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert gaps == pytest.approx([1, 2, 4, 8], abs=SLOT)


@pytest.mark.parametrize("text", [str(int(PATIENCE) + 1), "86400", "1e300", "inf"])
def test_a_429_that_wants_hours_stops_with_a_clear_word(
    text: str, start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = failing(start, ("429", {"Retry-After": text}))
    with pytest.raises(StopError, match=r"minutes; run the same command again") as raised:
        connect(server).get(PATH)
    assert (raised.value.path, raised.value.status) == (PATH, 429)
    assert len(server.requests) == 1
    assert waits(clock) == []


def test_429s_without_end_stop_too(start: Start, connect: Connect, clock: FakeClock) -> None:
    server = start(limit=0, retry_after=30)
    began = clock()
    with pytest.raises(StopError, match="answers 429"):
        connect(server).get(PATH)
    assert clock() - began == pytest.approx(PATIENCE, abs=31)


# What never passes is asked once.


def said(status: int, code: int, message: str) -> Answer:
    body = f'{{"success":false,"status_code":{code},"status_message":"{message}"}}'
    return Answer(status, body.encode())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (said(401, 7, "Invalid API key"), CredentialsRefused),
        (said(401, 3, "Authentication failed"), CredentialsRefused),
        (Answer(401, HTML.encode(), "text/html"), CredentialsRefused),
        (said(403, 45, "This user has been suspended."), CredentialsRefused),
        (said(403, 38, "No permission"), RequestRefused),
        (Answer(403, HTML.encode(), "text/html"), RequestRefused),
        (said(404, 34, "Not found"), NotFound),
        (said(404, 6, "Invalid id"), NotFound),
        (said(404, 37, "Session not found"), NotFound),
        (Answer(404, HTML.encode(), "text/html"), RequestRefused),
        (said(400, 22, "Invalid page"), RequestRefused),
        (said(405, 42, "Not supported"), RequestRefused),
        (said(422, 20, "Invalid date range"), RequestRefused),
        (said(500, 44, "The ID is invalid."), RequestRefused),
        *((said(status, 9, "Try again later."), RequestRefused) for status in LASTS),
        *((Answer(status, HTML.encode(), "text/html"), RequestRefused) for status in LASTS),
        (Answer(204), RequestRefused),
        (Answer(301, headers={"Location": "/3/movie/604"}), StopError),
        (Answer(302, headers={"Location": "https://login.example/"}), StopError),
        (Answer(307), StopError),
    ],
)
def test_what_will_not_pass_is_asked_once(
    answer: Answer, kind: type[ServiceError], start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = failing(start, *[answer] * 4)
    with pytest.raises(kind) as raised:
        connect(server).get(PATH)
    assert type(raised.value) is kind
    assert raised.value.attempts == 1
    assert [request.path for request in server.requests] == [f"/3{PATH}"]
    assert waits(clock) == []


def test_a_redirect_that_nobody_can_read_is_no_error_of_another_library(
    start: Start, connect: Connect
) -> None:
    server = failing(start, Answer(302, headers={"Location": "http://[broken"}))
    with pytest.raises(ServiceError):
        connect(server, retries=0).get(PATH)
    assert len(server.requests) == 1


# What an error says.


def test_an_error_carries_path_status_and_tmdbs_own_words(start: Start, connect: Connect) -> None:
    server = failing(start, "404")
    with pytest.raises(NotFound) as raised:
        connect(server).get(PATH, {"append_to_response": "credits"})
    found = raised.value
    assert (found.path, found.status, found.code, found.attempts) == (PATH, 404, 34, 1)
    assert found.message == "The resource you requested could not be found."
    assert str(found) == f"{PATH}: answered 404 (34 {found.message})"


def test_an_error_says_how_often_was_tried(start: Start, connect: Connect) -> None:
    server = failing(start, "reset", "cut_json", "500", "504")
    with pytest.raises(PassingFault) as raised:
        connect(server).get(PATH)
    found = raised.value
    assert (found.path, found.status, found.code, found.attempts) == (PATH, 504, 24, 4)
    assert str(found).endswith("Try again.) after 4 attempts")


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ("reset", f"{PATH}: the answer broke off after 4 attempts"),
        ("cut", f"{PATH}: the answer broke off after 4 attempts"),
        ("not_json", f"{PATH}: answered 200 without JSON after 4 attempts"),
        ("503html", f"{PATH}: answered 503 after 4 attempts"),
    ],
)
def test_an_error_says_what_happened(turn: str, words: str, start: Start, connect: Connect) -> None:
    with pytest.raises(PassingFault) as raised:
        connect(failing(start, *[turn] * 4)).get(PATH)
    assert str(raised.value) == words


def test_an_answer_that_never_comes_is_named_so(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.http.wire.READ_TIMEOUT", 0.03)
    server = failing(start, "hang", hang_seconds=0.3)
    with pytest.raises(PassingFault, match=f"^{PATH}: did not answer in 30 s$"):
        connect(server, retries=0).get(PATH)


def test_whoever_looks_on_is_told_for_how_long_no_answer_came(
    start: Start, connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.http.wire.READ_TIMEOUT", 0.03)
    session = connect(failing(start, "hang", "ok", hang_seconds=0.3), retries=0)
    with pytest.raises(PassingFault):
        session.get(PATH)
    assert session.waiting == ""
    clock.sleep(40)
    assert session.waiting == "no answer for 40 s"
    session.get(PATH)
    assert session.waiting == ""


def test_a_long_word_of_an_edge_server_is_cut(start: Start, connect: Connect) -> None:
    with pytest.raises(RequestRefused) as raised:
        connect(failing(start, said(400, 5, "x" * 10_000))).get(PATH)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("body", ["[]", '"no"', "{}", "{", "", "<html>Bad Request</html>"])
def test_a_refusal_that_is_not_tmdbs_is_a_fault_that_passes(
    body: str, status: int, start: Start, connect: Connect
) -> None:
    with pytest.raises(PassingFault, match=f"answered {status}, but not as TMDB does") as raised:
        connect(failing(start, *[Answer(status, body.encode())] * 4)).get(PATH)
    assert (raised.value.code, raised.value.message) == (None, "")


@pytest.mark.parametrize("body", ['{"status_code": "x"}', '{"errors": ["page"]}'])
def test_one_in_its_own_words_is_refused_for_good(
    body: str, start: Start, connect: Connect
) -> None:
    with pytest.raises(RequestRefused) as raised:
        connect(failing(start, Answer(400, body.encode()))).get(PATH)
    assert (raised.value.code, raised.value.message) == (None, "")


# A host that cannot be reached.


def test_a_host_that_never_answered_is_given_up_within_ten_seconds(
    server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    session = connect(server)
    server.pause()
    began = clock()
    with pytest.raises(HostUnreachable) as raised:
        session.get(PATH)
    host = server.url.removeprefix("http://")
    assert str(raised.value) == (
        f"TMDB cannot be reached at {host} after 3 attempts; check the network and TMDB_BASE_URL"
    )
    assert raised.value.attempts == session.requests == 3
    assert clock() - began < 10


def test_a_host_without_an_address_is_one_that_cannot_be_reached(
    connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    session = connect(tmdb_base_url="https://user:word@tmdb.example/3")
    with pytest.raises(HostUnreachable, match=r"at tmdb\.example after"):
        session.get(PATH)
    assert session.requests <= 3


@pytest.mark.parametrize("addresses", [1, 2, 3, 4])
def test_a_host_that_swallows_everything_is_given_up_within_ten_seconds(
    addresses: int, connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def hangs(*_: object, timeout: tuple[float, float], **__: object) -> None:
        nonlocal tries
        tries += 1
        clock.sleep(addresses * timeout[0])  # urllib3 waits so long for each address of a host
        raise requests.ConnectTimeout("took too long")

    monkeypatch.setattr(requests.Session, "send", hangs)
    began = clock()
    with pytest.raises(HostUnreachable):
        connect().get(PATH)
    assert tries == (3, 2, 1, 1)[addresses - 1]
    assert clock() - began < 10


def test_an_address_that_speaks_no_tls_is_named_with_its_certificate(
    connect: Connect,
) -> None:
    def speak_plainly() -> None:
        for _ in range(3):
            with listener.accept()[0] as client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server((HOST, 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(speak_plainly)
        session = connect(tmdb_base_url=f"https://{HOST}:{listener.getsockname()[1]}/3")
        with pytest.raises(HostUnreachable, match="check the certificate and TMDB_BASE_URL"):
            session.get(PATH)
    assert session.requests == 3


def test_a_host_that_answered_before_is_waited_for(
    server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    session = connect(server, retries=0)
    session.get(PATH)
    server.pause()
    clock.at(3600, server.resume)
    began = clock()
    assert session.get("/movie/604").value["id"] == 604
    assert 3600 <= clock() - began < 3600 + 61


@pytest.mark.parametrize("turn", ["500", "404"])
def test_any_answer_at_all_shows_that_the_address_is_right(
    turn: str, start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = failing(start, turn)
    session = connect(server, retries=0)
    with pytest.raises(ServiceError):
        session.get(PATH)
    server.pause()
    clock.at(60, server.resume)
    assert session.get(PATH).value["id"] == 603


def test_an_outage_uses_up_no_patience_with_a_busy_server_after_it(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = start(script={f"/3{PATH}": [("429", {"Retry-After": "2"})]})
    session = connect(server)
    session.get("/movie/604")
    server.pause()
    clock.at(3600, server.resume)
    assert session.get(PATH).value["id"] == 603


def test_the_hours_that_a_laptop_slept_use_up_no_patience(
    server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    slept: list[float] = []
    session = connect(server, clock=lambda: clock() + sum(slept))
    session.get(PATH)
    server.pause()
    clock.at(10, lambda: slept.append(2 * OUTAGE_PATIENCE))
    clock.at(60, server.resume)
    assert session.get("/movie/604").value["id"] == 604


def test_a_server_that_wants_no_wait_for_ever_is_given_up(start: Start, connect: Connect) -> None:
    server = start(limit=0, retry_after=0)
    with pytest.raises(StopError, match="answers 429"):
        connect(server).get(PATH)
    assert 10 < len(server.requests) < 60  # rather than as many as fit into that time


def test_where_all_only_fails_everybody_waits_the_longer_the_more_failed(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = start(faults={"503": 1.0}, max_in_a_row=10**6)
    session = connect(server, retries=0)
    for movie_id in range(1, 10 * FAULTS_IN_A_ROW):
        with pytest.raises(PassingFault):
            session.get(f"/movie/{movie_id}")
    assert waits(clock)[-1] == LONGEST_OUTAGE_PAUSE
    assert session.waiting == "waiting: TMDB answered 503"


def test_an_hour_of_nothing_but_faults_costs_some_tries_a_minute(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    def ask(thread: int) -> None:
        for turn in count():
            if clock() - began > 3600:
                return
            with suppress(PassingFault):
                session.get(f"/movie/{thread + 20 * turn}")

    server = start(faults={"503": 1.0}, max_in_a_row=10**6)
    session, began = connect(server), clock()
    for done in clock.run(*(partial(ask, thread) for thread in range(20))):
        done.result()
    assert len(server.requests) < 1_000  # as fast as the pace allows, it would be 136,800


def test_a_good_answer_among_the_faults_lets_everybody_go_on(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    turns = (["503"] * (FAULTS_IN_A_ROW - 1) + ["ok"]) * 3
    session = connect(failing(start, *turns), retries=0)
    for turn in turns:
        with pytest.raises(PassingFault) if turn == "503" else nullcontext():
            session.get(PATH)
    assert waits(clock) == []
    assert session.waiting == ""


def test_an_outage_is_not_waited_for_for_ever(
    server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    session = connect(server)
    session.get(PATH)
    server.pause()
    began = clock()
    with pytest.raises(HostUnreachable):
        session.get("/movie/604")
    assert OUTAGE_PATIENCE < clock() - began < OUTAGE_PATIENCE + 61


def test_the_patience_is_counted_for_each_outage_anew(
    server: TMDBServer, connect: Connect, clock: FakeClock
) -> None:
    session = connect(server)
    session.get(PATH)
    for movie_id in (604, 605):
        server.pause()
        clock.at(0.9 * OUTAGE_PATIENCE, server.resume)
        assert session.get(f"/movie/{movie_id}").value["id"] == movie_id
    assert math.isclose(clock(), 1000 + 1.8 * OUTAGE_PATIENCE, rel_tol=0.01)


# Who has never answered as the service does.


def test_where_nothing_but_faults_ever_came_it_ends_with_what_it_looks_like(
    start: Start, connect: Connect, clock: FakeClock
) -> None:
    server = start(faults={"reset": 1.0}, max_in_a_row=10**6)
    session = connect(server, retries=3)
    began = clock()
    told = r"TMDB has not answered as itself yet: the answer broke off, \d+ times in \d+ s"

    def ask_for_sixty() -> None:
        for movie_id in range(1, 61):
            with suppress(PassingFault):
                session.get(f"/movie/{movie_id}")

    with pytest.raises(HostUnreachable, match=told):
        ask_for_sixty()
    assert clock() - began < 60


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "page",
    [
        Answer(403, HTML.encode(), "text/html"),
        Answer(403),
        Answer(403, b'{"error": "access denied by policy"}'),
        Answer(451, HTML.encode(), "text/html"),
        Answer(405, HTML.encode(), "text/html"),
        Answer(418, b"teapot", "text/plain"),
    ],
)
def test_where_a_page_refuses_everything_it_ends_with_what_to_check(
    page: Answer, known: bool, start: Start, connect: Connect
) -> None:
    server = start(script={f"/3/movie/{n}": [page] for n in range(1, 301)})
    session = connect(server)
    if known:
        session.get("/movie/603")
    told = (
        f"TMDB answered {page.status} to 12 requests in a row, and in none of its own words; it may"
    )

    def ask_for_all() -> None:
        for movie_id in range(1, 301):
            with suppress(RequestRefused):
                session.get(f"/movie/{movie_id}")

    with pytest.raises(HostUnreachable, match=told):
        ask_for_all()
    assert len(server.requests) == 12 + known


def test_what_it_refuses_in_its_own_words_ends_nothing(start: Start, connect: Connect) -> None:
    server = start(script={f"/3/movie/{n}": [said(403, 38, "No permission")] for n in range(60)})
    session = connect(server)
    for movie_id in range(60):
        with pytest.raises(RequestRefused):
            session.get(f"/movie/{movie_id}")


@pytest.mark.parametrize("known", ["an answer", "an error of its own", "nothing there"])
def test_once_it_has_answered_faults_are_waited_for(
    known: str, start: Start, connect: Connect
) -> None:
    first = {"an answer": [], "an error of its own": [said(503, 9, "offline")], "nothing there": []}
    server = start(
        script={f"/3{PATH}": first[known]}, missing=[603] if known == "nothing there" else []
    )
    session = connect(server, retries=0)
    with suppress(PassingFault, NotFound):
        session.get(PATH)
    server.script.update({f"/3/movie/{n}": ["reset"] for n in range(1, 60)})
    for movie_id in range(1, 60):
        with pytest.raises(PassingFault):
            session.get(f"/movie/{movie_id}")
