"""A proxy is called a proxy, and what names it is named."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.servers.dripping import HEAD, DrippingServer
from tmdbkit import Settings, TMDBSession
from tmdbkit.exceptions import HostUnreachable, SettingsError, StopError
from tmdbkit.settings import Secret

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.once
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def session(address: str = "http://api.example.org/3") -> TMDBSession:
    return TMDBSession(
        Settings(tmdb_base_url=address, tmdb_token=Secret("a.b.c")),
        cache=False,
        sleep=lambda _: None,
    )


@pytest.fixture
def port() -> Iterator[int]:
    """A port that refuses."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
def test_a_proxy_that_refuses_is_named_with_its_variable(
    variable: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"http://ann:secret@127.0.0.1:{port}")
    scheme = "https" if variable == "HTTPS_PROXY" else "http"
    with (
        session(f"{scheme}://api.example.org/3") as asking,
        pytest.raises(HostUnreachable) as raised,
    ):
        asking.get("/movie/603")
    named = variable if variable != "HTTP_PROXY" or "http_proxy" not in str(raised.value) else ""
    assert f"TMDB cannot be reached by the proxy 127.0.0.1:{port} (of {named})" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("socks5://127.0.0.1:9", "takes PySocks; pip install PySocks"),
        ("socks5h://ann:secret@127.0.0.1:9", "takes PySocks; pip install PySocks"),
        ("quic://127.0.0.1:9", "is no address of one"),
        ("ftp://127.0.0.1:9", "is no address of one"),
        ("http://:9", "is no address of one"),
        ("http://127.0.0.1:99999", "is no address of one"),
        ("http://[::1", "is no address of one"),
    ],
)
def test_one_that_cannot_be_used_is_said_at_once(
    proxy: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    began = time.monotonic()
    with session() as asking, pytest.raises(StopError, match=said) as raised:
        asking.get("/movie/603")
    assert "secret" not in str(raised.value)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_that_wants_a_login_ends_the_run(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wants_login(_: threading.Event) -> Iterator[bytes]:
        yield b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"

    with DrippingServer(wants_login) as server:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", server.url)
        with (
            session(f"{scheme}://api.example.org/3") as asking,
            pytest.raises(StopError, match=r"proxy.* wants a login; write it into the variable as"),
        ):
            asking.get("/movie/603")


def test_one_that_works_carries_the_request_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_: threading.Event) -> Iterator[bytes]:
        yield HEAD + b'Content-Length: 25\r\n\r\n{"id": 603, "title": "T"}'

    with DrippingServer(answer) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        with session() as asking:
            assert asking.get("/movie/603").value["id"] == 603
        assert b"GET http://api.example.org/3/movie/603 HTTP/1.1" in server.received
        assert b"Authorization: Bearer a.b.c\r\n" in server.received


# Certificates


@pytest.mark.parametrize("variable", BUNDLES)
def test_a_file_of_certificates_that_is_missing_is_said_with_its_variable(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "gone.pem"))
    with session("https://api.example.org/3") as asking, pytest.raises(SettingsError) as raised:
        asking.get("/movie/603")
    assert str(raised.value) == f"{variable} names {tmp_path / 'gone.pem'}, which is not there"
