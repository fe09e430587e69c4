from __future__ import annotations

import base64
import logging
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.leaks import leaks, told_by, told_by_files, told_by_logs, unpacked
from tests.servers.wire import Answer
from tmdbkit.exceptions import SettingsError, TMDBKitError
from tmdbkit.settings import Secret
from tmdbkit.tmdb.client import TMDBClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.tmdb import TMDBServer
    from tmdbkit.tmdb.session import TMDBSession

    Start = Callable[..., TMDBServer]
    Connect = Callable[..., TMDBSession]

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiI5OTkifQ.Very-Secret_signature"
KEY = "0123456789abcdef0123456789abcdef"
ODD_KEY = "s3cr3t+/=&#ke y%41"  # another one once it stands in an address
PATH = "/movie/603"


COURSES: dict[str, list[Any]] = {
    "success": [],
    "401": ["401"],
    "404": ["404"],
    "id_invalid_500": ["id_invalid_500"],
    "500s": ["500"] * 4,
    "503 with html": ["503html"] * 4,
    "resets": ["reset"] * 4,
    "cut": ["cut"] * 4,
    "cut_json": ["cut_json"] * 4,
    "not_json": ["not_json"] * 4,
    "empty": ["empty"] * 4,
    "closed": ["close"] * 4,
    "429, then success": ["429", "429html"],
    "429 for hours": [("429", {"Retry-After": "99999"})],
    "redirect": [Answer(301, headers={"Location": "/elsewhere"})],
    "redirect that nobody can read": [Answer(301, headers={"Location": "http://[x"})] * 4,
    "broken gzip": [Answer(200, b"x", headers={"Content-Encoding": "gzip"})] * 4,
    "broken headers": [Answer(200, b"{}", headers={"X-Odd": "1\r\nno header at all"})] * 4,
}


@pytest.fixture(params=["token", "key", "odd key"])
def secret(request: pytest.FixtureRequest) -> str:
    return {"token": TOKEN, "key": KEY, "odd key": ODD_KEY}[request.param]


def given(secret: str) -> dict[str, Secret]:
    """The settings that hold it."""
    if secret == TOKEN:
        return {"tmdb_token": Secret(TOKEN)}
    return {"tmdb_token": Secret(), "tmdb_api_key": Secret(secret)}


def accepted(secret: str) -> dict[str, str]:
    """The server's options that accept it."""
    return {"token": TOKEN} if secret == TOKEN else {"api_key": secret}


def sent(secret: str, server: TMDBServer) -> bool:
    """Whether it was sent at all: a secret that is not cannot leak."""
    return any(
        secret in (request.params.get("api_key"), request.headers.get("authorization", "")[7:])
        for request in server.requests
    )


@pytest.mark.parametrize("course", COURSES)
def test_a_secret_shows_itself_nowhere(
    course: str,
    secret: str,
    start: Start,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    server = start(script={f"/3{PATH}": list(COURSES[course])}, **accepted(secret))
    client = TMDBClient(connect(server, **given(secret)))
    told: list[str] = []
    try:
        told.append(repr(client.movie_answer(603)))
    except TMDBKitError as error:
        told += told_by(error)
    session = client.session
    told += [repr(client), repr(session), repr(vars(session)), repr(vars(session.settings))]
    session.close()
    told += [*told_by_logs(caplog), *told_by_files(tmp_path), *capfd.readouterr()]
    assert sent(secret, server)
    assert leaks(secret, iter(told)) == []


@pytest.mark.parametrize("when", ["from the start", "later"])
def test_a_secret_shows_itself_nowhere_when_the_host_cannot_be_reached(
    when: str,
    secret: str,
    start: Start,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tmdbkit.http.retry.OUTAGE_PATIENCE", 60)
    caplog.set_level(logging.DEBUG)
    server = start(**accepted(secret))
    session = connect(server, **given(secret))
    if when == "later":
        session.get("/movie/1")
    server.pause()
    with pytest.raises(TMDBKitError) as raised:
        session.get(PATH)
    session.close()
    told = [*told_by(raised.value), *told_by_logs(caplog), *told_by_files(tmp_path)]
    assert leaks(secret, iter([*told, *capfd.readouterr()])) == []


def test_a_secret_shows_itself_nowhere_when_no_answer_comes(
    secret: str,
    start: Start,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tmdbkit.http.wire.READ_TIMEOUT", 0.03)
    caplog.set_level(logging.DEBUG)
    server = start(script={f"/3{PATH}": ["hang"]}, hang_seconds=0.3, **accepted(secret))
    with pytest.raises(TMDBKitError) as raised:
        connect(server, retries=0, **given(secret)).get(PATH)
    assert sent(secret, server)
    assert leaks(secret, iter([*told_by(raised.value), *told_by_logs(caplog)])) == []


@pytest.mark.parametrize("spoil", ["{}\n", "{}\r\nX: y", "{}\u2026", "\u201c{}\u201d", "{}\x00"])
def test_a_token_that_no_header_can_carry_is_not_shown_either(
    spoil: str, server: TMDBServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = connect(server, tmdb_token=Secret(spoil.format(TOKEN) + "x"))
    with pytest.raises(SettingsError) as raised:
        session.get(PATH)
    assert leaks(TOKEN, iter([*told_by(raised.value), *told_by_logs(caplog)])) == []


@pytest.mark.parametrize("secret", ["key", "odd key"], indirect=True)
def test_the_address_stays_in_the_log_without_its_key(
    secret: str, start: Start, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connect(start(**accepted(secret)), **given(secret)).get(PATH, {"page": 7})
    assert re.search(rf"{PATH}\?page=7&api_key=\*\*\* HTTP/1.1\" 200", caplog.text)


def test_one_cached_answer_serves_every_kind_of_credentials(start: Start, connect: Connect) -> None:
    server = start(token=TOKEN, api_key=KEY)
    connect(server, **given(TOKEN)).get(PATH)
    assert connect(server, **given(KEY)).get(PATH).cached
    assert len(server.requests) == 1


@pytest.mark.parametrize("secret", ["key", "odd key"], indirect=True)
def test_the_search_would_find_a_secret_that_shows_itself(
    secret: str,
    server: TMDBServer,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """What requests does on its own: without this, the tests above could not fail."""
    caplog.set_level(logging.DEBUG, "urllib3")
    watched = logging.getLogger("urllib3.connectionpool")
    filters, watched.filters = watched.filters, []
    try:
        requests.get(server.base_url + PATH, params={"api_key": secret}, timeout=5)
        server.pause()
        with pytest.raises(requests.ConnectionError) as raised:
            requests.get(server.base_url + PATH, params={"api_key": secret}, timeout=5)
    finally:
        watched.filters = filters
    with closing(sqlite3.connect(tmp_path / "kept.sqlite")) as kept:
        kept.execute("CREATE TABLE kept AS SELECT ? AS body", [base64.b64encode(secret.encode())])
    assert leaks(secret, told_by_logs(caplog))
    assert leaks(secret, told_by(raised.value))
    assert leaks(secret, told_by_files(tmp_path))
    assert leaks(secret, iter([unpacked(base64.b64encode(f"..{secret}..".encode()).decode())]))
