"""No key where a debugger, a traceback with its locals, or an echo could show it."""

from __future__ import annotations

import json
import pickle
import re
import signal
import sys
import threading
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import polars as pl
import pytest

from tests.leaks import leaks, told_by, told_by_files
from tests.servers.dripping import HEAD, DrippingServer, trickle
from tests.servers.tmdb import TMDBServer
from tests.servers.wire import Answer
from tests.stage.conftest import payload
from tmdbkit import Settings, Stage, TMDBSession, stage_movies
from tmdbkit.convex.client import ConvexDeployment
from tmdbkit.exceptions import SettingsError, TMDBKitError
from tmdbkit.fetch import cluster
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.omdb import OMDb
from tmdbkit.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType, TracebackType

pytestmark = pytest.mark.once

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiI5OTkifQ.Very-Secret_signature"
KEY = "0123456789abcdef0123456789abcdef"
ODD = "S3cr3T+/=ke<y"
DEPLOY = "dev:happy-animal-123|eyJ2MiI6IjEyMyJ9/+=="
LOGIN = "ann:p4ss.w0rd"  # as the environment has it, and the proxy is sent it in base64
PACKED = "YW5uOnA0c3MudzByZA=="
WANTED = pl.DataFrame({"tmdb_id": [603], "imdb_id": ["tt0133093"]})


def of_tmdb(url: str, **keys: Secret) -> Callable[[], object]:
    session = TMDBSession(Settings(tmdb_base_url=url, **keys), cache=False, retries=0)
    return lambda: session.get("/movie/603")


def of_omdb(url: str) -> Callable[[], object]:
    provider = OMDb(Settings(omdb_base_url=url, omdb_api_key=Secret(ODD)))
    return lambda: provider.session.get("/", {"i": "tt0133093"})


def of_mdblist(url: str) -> Callable[[], object]:
    provider = MDBList(Settings(mdblist_base_url=url, mdblist_api_key=Secret(KEY)))
    return lambda: list(provider.collect(WANTED))


def of_convex(url: str) -> Callable[[], object]:
    target = ConvexDeployment(settings=Settings(convex_url=url, convex_key=Secret(DEPLOY)))
    return lambda: target.mutation("addPeople", people=[{"name": "x" * 100_000}])


SERVICES: dict[str, tuple[str, Callable[[str], Callable[[], object]]]] = {
    "TMDB's token": (TOKEN, lambda url: of_tmdb(url, tmdb_token=Secret(TOKEN))),
    "TMDB's key": (KEY, lambda url: of_tmdb(url, tmdb_api_key=Secret(KEY))),
    "OMDb's": (ODD, of_omdb),
    "MDBList's": (KEY, of_mdblist),
    "Convex's": (DEPLOY, of_convex),
}


def silence(ended: threading.Event) -> Iterator[bytes]:
    ended.wait(60)
    yield b""


def body(ended: threading.Event) -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 100000\r\n\r\n"
    yield from trickle(b'{"id": 603', ended)


def told_by_frames(frames: list[FrameType]) -> Iterator[str]:
    """What a debugger shows of each variable that is not a test's, and of what is in it."""
    for frame in frames:
        if "/tests/" in frame.f_code.co_filename:
            continue
        for name, value in list(frame.f_locals.items()):
            inside = vars(value) if hasattr(value, "__dict__") else {}
            yield from (f"{frame.f_code.co_qualname} {name}: {x!r}" for x in (value, inside))


def below(frame: FrameType | None) -> list[FrameType]:
    found = []
    while frame is not None and "/tests/" not in frame.f_code.co_filename:
        found.append(frame)
        frame = frame.f_back
    return found


def of_traceback(link: TracebackType | None) -> list[FrameType]:
    found = []
    while link is not None:
        found.append(link.tb_frame)
        link = link.tb_next
    return found


def interrupted(ask: Callable[[], object], asked: threading.Event) -> list[str]:
    """All that can be seen of a request that waits, and once Ctrl-C has ended it."""
    told: list[str] = []
    main = threading.main_thread().ident
    assert main

    def look() -> None:
        assert asked.wait(10)
        told.extend(told_by_frames(below(sys._current_frames()[main])))
        signal.pthread_kill(main, signal.SIGINT)

    looking = threading.Thread(target=look)
    looking.start()
    with pytest.raises(KeyboardInterrupt) as raised:
        ask()
    looking.join()
    assert any("Wire.exchange" in line for line in told), "it looked at no request"
    return [*told, *told_by_frames(of_traceback(raised.value.__traceback__))]


@pytest.mark.parametrize("drops", [silence, body])
@pytest.mark.parametrize("service", SERVICES)
def test_no_variable_holds_a_key_while_a_request_waits_and_when_it_is_interrupted(
    service: str, drops: Callable[[threading.Event], Iterator[bytes]]
) -> None:
    key, opened = SERVICES[service]
    with DrippingServer(drops) as server:
        told = interrupted(opened(server.url), server.asked)
        sent = {key, quote_plus(key)}
        assert any(form in server.received.decode("latin-1") for form in sent)
    assert leaks(key, iter(told)) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nor_the_password_of_a_proxy(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with DrippingServer(silence) as server:
        proxy = server.url.replace("//", f"//{quote(LOGIN, safe=':')}@")
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
        ask = of_tmdb(f"{scheme}://api.example.org/3", tmdb_token=Secret(TOKEN))
        told = interrupted(ask, server.asked)
        assert f"Proxy-Authorization: Basic {PACKED}\r\n" in server.received.decode()
    for secret in (TOKEN, PACKED, LOGIN, LOGIN[4:]):
        assert leaks(secret, iter(told)) == []


@pytest.mark.parametrize(
    "slip",
    ["TMDBKIT_RATE=fast", "TMDB_BASE_URL=ftp://x", "TMDBKIT_CAST=${NOT_SET}", "no line", "X='"],
)
def test_a_slip_in_the_settings_shows_no_other_line_of_them(slip: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TMDB_READ_ACCESS_TOKEN={TOKEN}\nOMDB_API_KEY={KEY}\n{slip}\n")
    with pytest.raises(SettingsError) as raised:
        Settings.from_env(folder=tmp_path)
    told = [*told_by(raised.value)]
    told += told_by_frames(of_traceback(raised.value.__traceback__))
    assert leaks(TOKEN, iter(told)) == leaks(KEY, iter(told)) == []


# What comes back


def echoed(key: str) -> str:
    """The key as it is, as in an address, a form, HTML, small letters, and as PHP writes JSON."""
    quoted = quote(key, safe="")
    small = re.sub("%..", lambda code: code[0].lower(), quoted)
    return " ".join((key, quoted, quote_plus(key), escape(key), small))


@pytest.mark.parametrize("key", [KEY, ODD, TOKEN])
def test_a_key_that_the_server_repeats_in_every_field_is_kept_nowhere(
    key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    echo = echoed(key)
    movie = json.loads(payload(603))
    texts = (name for name, value in movie.items() if isinstance(value, str))
    fields = {name: f"_{echo}_" for name in texts if name not in ("release_date", "imdb_id")}
    slashed = {"title": "a title", "tagline": echo}
    text = json.dumps({**movie, **fields, **slashed, echo: echo}).encode()
    text = text.replace(b"a title", json.dumps(key)[1:-1].replace("/", r"\/").encode())
    words = json.dumps({"status_code": 34, "status_message": echo})
    good = Answer(200, text, headers={"ETag": echo, "X-Key": echo})
    script = {
        "/3/movie/603": [good, good],
        "/3/movie/604": [Answer(404, words.encode())],
        "/3/movie/605": [Answer(422, words.encode())],
        "/3/movie/606": [Answer(200, words.encode())] * 9,
        "/3/movie/607": [Answer(500, echo.encode(), headers={"Retry-After": echo})] * 9,
        "/3/movie/608": [Answer(200, text, headers={"X": f"1\r\n{echo} no header"})] * 9,
    }
    given = {"tmdb_token" if key == TOKEN else "tmdb_api_key": Secret(key)}
    accepted = {"token" if key == TOKEN else "api_key": key}
    with TMDBServer(script=script, **accepted) as server:
        known = Settings(tmdb_base_url=server.base_url, cache=tmp_path / "cache", **given)
        stage = Stage(tmp_path / "stage", settings=known)
        with TMDBSession(known, sleep=lambda _: None) as session:
            result = stage_movies(session, stage, range(603, 609))
            answer = session.get("/movie/603")
    told = [repr(result), repr(result.failures.rows()), answer.text, repr(vars(answer))]
    told += [repr(stage.payloads().rows()), repr(stage[603])]
    told += [repr(stage.movies().rows()), stage[603]._repr_html_(), *capfd.readouterr()]
    told += told_by_files(tmp_path)
    assert "***" in answer.text
    assert leaks(key, iter(told)) == []
    assert [form for form in echo.split() if form in "\n".join(told)] == []


def test_a_text_that_holds_a_very_short_key_by_chance_is_left_as_it_is(tmp_path: Path) -> None:
    good = Answer(200, json.dumps({**json.loads(payload(603)), "title": "A short key"}).encode())
    with TMDBServer(script={"/3/movie/603": [good]}, api_key="key") as server:
        known = Settings(tmdb_base_url=server.base_url, cache=tmp_path, tmdb_api_key=Secret("key"))
        with TMDBSession(known) as session:
            assert session.get("/movie/603").value["title"] == "A short key"


# What goes elsewhere


ALL_KEYS = {
    "tmdb_token": Secret(TOKEN),
    "tmdb_api_key": Secret(KEY),
    "convex_key": Secret(DEPLOY),
    "omdb_api_key": Secret("omdb-secret"),
    "mdblist_api_key": Secret("mdblist-secret"),
}


def test_a_task_carries_the_key_alone_that_it_sends_to_tmdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Settings(cache=tmp_path / "cache", **ALL_KEYS)
    assert {n for n, v in vars(known).items() if isinstance(v, Secret) and v} == set(ALL_KEYS)
    session = TMDBSession(known, cache=False)
    allowance = cluster.SharedRate(38, 2)
    [task] = cluster._tasks([603], session, Stage(tmp_path, settings=known), allowance, 4, False)
    packed = pickle.dumps(task).decode("latin-1")
    assert TOKEN in packed
    for other in (KEY, DEPLOY, "omdb-secret", "mdblist-secret"):
        assert other not in packed


def test_the_password_of_an_address_shows_itself_nowhere(tmp_path: Path) -> None:
    with TMDBServer(token=TOKEN) as server:
        url = server.base_url.replace("//", f"//{LOGIN}@")
        known = Settings(tmdb_base_url=url, tmdb_token=Secret(TOKEN), cache=tmp_path / "cache")
        with TMDBSession(known) as session:
            session.get("/movie/603")
            told = [repr(known), repr(session), repr(session.service), session.base_url]
        server.pause()
        with TMDBSession(known) as session, pytest.raises(TMDBKitError) as raised:
            session.get("/movie/604")
    target = ConvexDeployment(url.replace("/3", ""), DEPLOY, settings=known)
    told += [*told_by(raised.value), *told_by_files(tmp_path), repr(target), repr(target.title)]
    assert leaks(LOGIN[4:], iter(told)) == []


def test_a_poster_that_leads_out_of_the_stage_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "private.png").write_bytes(b"private")
    stage = Stage(tmp_path / "stage")
    posters = tmp_path / "stage" / "posters"
    posters.mkdir(parents=True)
    (posters / "1.png").symlink_to(tmp_path / "private.png")
    (posters / "2.png").write_bytes(b"its own")
    (posters / "3.png").symlink_to("2.png")
    (posters / "4.png").symlink_to("../../private.png")
    (posters / "5.png").symlink_to("nowhere.png")
    shown = [number for number in range(1, 6) if stage.store.poster(number)]
    assert shown == [2, 3]
