"""Nothing is waited for without end, and nothing is read without end."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import threading
import time
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.dripping import HEAD, DrippingServer, trickle
from tmdbkit.convex.client import ConvexDeployment
from tmdbkit.exceptions import PassingFault, ServiceError, TMDBKitError
from tmdbkit.http import answers, files, wire
from tmdbkit.http import session as session_module
from tmdbkit.settings import Secret, Settings
from tmdbkit.tmdb.session import TMDBSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Drops = Callable[[threading.Event], Iterator[bytes]]

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = HEAD + b"Connection: close\r\n\r\n"


def head(ended: threading.Event) -> Iterator[bytes]:
    yield from trickle(HEAD + b"X-Slow: ", ended)


def body(ended: threading.Event) -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 100000\r\n\r\n"
    yield from trickle(b'{"id": 603', ended)


def chunks(ended: threading.Event) -> Iterator[bytes]:
    yield CHUNKED
    for _ in trickle(b"", ended):
        yield b"1\r\n \r\n"


def status_line(ended: threading.Event) -> Iterator[bytes]:
    yield from trickle(b"HTTP/1.1 " + b"2" * 1000, ended)


def redirected(ended: threading.Event) -> Iterator[bytes]:
    yield b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 100000\r\n\r\n"
    yield from trickle(b"moved", ended)


def not_there(ended: threading.Event) -> Iterator[bytes]:
    yield b"HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\n"
    yield from trickle(b'{"status_code": 34', ended)


def silence(ended: threading.Event) -> Iterator[bytes]:
    ended.wait(60)
    yield b""


def tmdb(url: str, folder: Path, **options: Any) -> TMDBSession:
    known = Settings(
        tmdb_token=Secret("a.b.c"), tmdb_base_url=url, cache=folder / "cache", rate=1e6
    )
    return TMDBSession(known, retries=1, sleep=lambda _: None, jitter=lambda: 0.0, **options)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second instead of two minutes, for all tries of a request."""
    monkeypatch.setattr(wire, "LEAST_SECONDS", 0.1)
    made = wire.Call.__init__

    def quick(self: wire.Call[Any], *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        self.seconds = min(self.seconds, 0.5)

    monkeypatch.setattr(wire.Call, "__init__", quick)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("drops", [head, body, chunks, status_line, not_there, silence])
def test_an_answer_that_trickles_ends_in_time(drops: Drops, tmp_path: Path) -> None:
    with DrippingServer(drops) as server, tmdb(server.url, tmp_path) as session:
        began = time.monotonic()
        with pytest.raises(PassingFault, match=r"did not answer in full in [01] s") as raised:
            session.get("/movie/603")
        assert time.monotonic() - began < 3
        assert raised.value.attempts == 1


def handshake(ended: threading.Event) -> Iterator[bytes]:
    """The greeting of a TLS server, of 16 KiB as it says, a byte now and then."""
    yield from trickle(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", ended)


def tunnel(ended: threading.Event) -> Iterator[bytes]:
    yield from trickle(b"HTTP/1.1 200 Connected\r\nX-Slow: ", ended)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("proxy", [False, True])
def test_a_handshake_that_trickles_ends_in_time(
    proxy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LEAST_SECONDS", 0.5)
    with DrippingServer(tunnel if proxy else handshake) as server:
        url = server.url.replace("http:", "https:")
        if proxy:
            monkeypatch.setenv("HTTPS_PROXY", server.url)
            url = "https://api.example.org"
        began = time.monotonic()
        with (
            tmdb(url, tmp_path) as session,
            pytest.raises(PassingFault, match=r"did not answer in full in [01] s"),
        ):
            session.get("/movie/603")
        assert time.monotonic() - began < 3


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("drops", [head, body, chunks, silence])
def test_so_does_convex_and_says_that_it_may_be_done(drops: Drops) -> None:
    with DrippingServer(drops) as server:
        known = Settings(convex_url=server.url, convex_key=Secret("dev:n|k"))
        target = ConvexDeployment(settings=known, retries=0, sleep=lambda _: None)
        with pytest.raises(PassingFault) as raised:
            target.mutation("addPeople", people=[])
        assert raised.value.lost


def test_a_redirect_is_not_read(tmp_path: Path) -> None:
    with (
        DrippingServer(redirected) as server,
        tmdb(server.url, tmp_path) as session,
        pytest.raises(ServiceError, match="answered 302, a redirect"),
    ):
        session.get("/movie/603")


def endless(ended: threading.Event) -> Iterator[bytes]:
    yield UNTIL_CLOSED + b'{"a": "'
    while not ended.is_set():
        yield b"x" * 65536


def bomb(ended: threading.Event) -> Iterator[bytes]:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        for piece in repeat(b" " * 2**20, 80):
            file.write(piece)
    yield HEAD + b"Content-Encoding: gzip\r\n"
    yield b"Content-Length: %d\r\n\r\n" % len(packed.getvalue())
    yield packed.getvalue()


@pytest.mark.parametrize("drops", [endless, bomb])
@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found", b"503 Busy"])
def test_a_body_without_end_is_read_to_32_mib_and_no_further(
    drops: Drops, status: bytes, tmp_path: Path
) -> None:
    def answered(ended: threading.Event) -> Iterator[bytes]:
        for number, drop in enumerate(drops(ended)):
            yield drop.replace(b"200 OK", status) if number == 0 else drop

    with (
        DrippingServer(answered) as server,
        tmdb(server.url, tmp_path) as session,
        pytest.raises(PassingFault, match="sends more than 32 MiB"),
    ):
        session.get("/movie/603")


def suffered(*arguments: str) -> tuple[str, int, float]:
    """What comes of a service whose server does its worst, in a process of its own."""
    run = [sys.executable, "-m", "tests.http.hostile", *arguments]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT)
    told = json.loads(done.stdout)
    return told["said"], told["mib"], told["seconds"]


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says it of one process")


@on_linux
@pytest.mark.parametrize(
    ("service", "attack", "said"),
    [
        ("tmdb", "bomb", "sends more than 32 MiB"),
        pytest.param("tmdb", "pages", "answered 10000", marks=pytest.mark.large),
        ("convex", "pages", "answer as those of another version"),
        ("imdb", "bomb", "it has a line of more than 1 MiB"),
        pytest.param("imdb", "endless", "sends more than", marks=pytest.mark.large),
    ],
)
def test_no_server_fills_the_memory(service: str, attack: str, said: str) -> None:
    told, mebibytes, seconds = suffered(service, attack, "20")
    assert said in told
    assert mebibytes < 300
    assert seconds < 30


@on_linux
@pytest.mark.large
@pytest.mark.parametrize("attack", ["endless", "bomb", "head", "body", "chunks", "pages"])
@pytest.mark.parametrize("service", ["tmdb", "convex", "mdblist", "imdb"])
def test_nor_holds_anybody_up_for_longer_than_two_minutes_and_a_half(
    service: str, attack: str
) -> None:
    _, mebibytes, seconds = suffered(service, attack)
    assert mebibytes < 300
    assert seconds < 150


def test_a_good_answer_may_be_as_large_as_it_is(tmp_path: Path) -> None:
    text = b'{"overview": "' + b"x" * (answers.MOST_BYTES // 8) + b'"}'

    def large(_: threading.Event) -> Iterator[bytes]:
        yield HEAD + b"Content-Length: %d\r\n\r\n" % len(text) + text

    with DrippingServer(large) as server, tmdb(server.url, tmp_path) as session:
        assert len(session.get("/movie/603").text) == len(text)


# Files


def slow_file(ended: threading.Event) -> Iterator[bytes]:
    yield UNTIL_CLOSED
    yield from trickle(b"", ended)


def test_a_file_that_hardly_comes_along_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.FileCall, "__init__", _with_half_a_second(wire.FileCall.__init__))
    with DrippingServer(slow_file) as server, tmdb(server.url, tmp_path) as session:
        began = time.monotonic()
        with pytest.raises(PassingFault, match="did not answer in full"):
            session.download("/file.gz", tmp_path / "file.gz")
        assert time.monotonic() - began < 5
    assert not (tmp_path / "file.gz").exists()


def _with_half_a_second(made: Callable[..., None]) -> Callable[..., None]:
    def quick(self: wire.FileCall[Any], *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        self.seconds = 0.5

    return quick


def test_one_that_comes_along_takes_as_long_as_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.FileCall, "__init__", _with_half_a_second(wire.FileCall.__init__))
    monkeypatch.setattr(files, "PATIENCE", 0.5)

    def steady(ended: threading.Event) -> Iterator[bytes]:
        yield HEAD + b"Content-Length: 163840\r\n\r\n"
        for _ in range(10):
            ended.wait(0.15)
            yield b"x" * 16384

    with DrippingServer(steady) as server, tmdb(server.url, tmp_path) as session:
        session.download("/file.gz", tmp_path / "file.gz")
    assert (tmp_path / "file.gz").stat().st_size == 163840


def test_a_file_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 2**22)
    with (
        DrippingServer(endless) as server,
        tmdb(server.url, tmp_path) as session,
        pytest.raises(PassingFault, match="sends more than 0 GiB"),
    ):
        session.download("/file.gz", tmp_path / "file.gz")
    assert not (tmp_path / "file.gz").exists()


# Ctrl-C


@pytest.mark.parametrize("drops", [head, body, silence])
def test_an_interrupt_soon_ends_what_is_under_way(
    drops: Drops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session_module.GRACE == 2.0
    monkeypatch.setattr(session_module, "GRACE", 0.2)
    with DrippingServer(drops) as server, tmdb(server.url, tmp_path) as session:
        failed: list[TMDBKitError] = []

        def ask() -> None:
            try:
                session.get("/movie/603")
            except TMDBKitError as error:
                failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert server.asked.wait(10)
        began = time.monotonic()
        session.interrupt()
        asking.join(10)
        assert time.monotonic() - began < 1.5
        assert failed
        session.resume()


def test_no_thread_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "GRACE", 0.2)
    with DrippingServer(body) as server, tmdb(server.url, tmp_path) as session:
        threading.Timer(0.2, session.interrupt).start()
        with pytest.raises(TMDBKitError):
            session.get("/movie/603")
        assert "tmdbkit-watchdog" not in [thread.name for thread in threading.enumerate()]
