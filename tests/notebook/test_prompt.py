from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

from tests.servers.tmdb import API_KEY, TMDBServer
from tmdbkit import Settings, Stage, progress, stage_movies
from tmdbkit.exceptions import SettingsError
from tmdbkit.notebook.prompt import ask_hidden

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stage.conftest import Connect

pytestmark = pytest.mark.once


@pytest.fixture
def server() -> Iterator[TMDBServer]:
    with TMDBServer() as server:
        yield server


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person who types the API key was asked."""
    asked: list[str] = []

    def typed(question: str) -> str:
        asked.append(question)
        return API_KEY

    monkeypatch.setattr(progress, "_askers", [typed])
    return asked


def test_a_missing_key_is_asked_for_at_the_first_request_and_once(
    asked: list[str], server: TMDBServer, connect: Connect
) -> None:
    session = connect(server, token="")
    assert asked == []
    for tmdb_id in (11, 12):
        session.get(f"/movie/{tmdb_id}")
    assert len(asked) == 1
    assert "not shown" in asked[0]


def test_what_the_cache_has_needs_no_key(
    asked: list[str], server: TMDBServer, connect: Connect
) -> None:
    connect(server).get("/movie/11")
    assert connect(server, token="").get("/movie/11").cached
    assert asked == []


def test_nobody_is_asked_offline(asked: list[str], server: TMDBServer, connect: Connect) -> None:
    session = connect(server, token="", offline=True)
    with pytest.raises(LookupError, match="offline"):
        session.get("/movie/11")
    assert not session.ask_for_key()
    assert asked == []


def test_nobody_is_asked_who_has_a_key(
    asked: list[str], server: TMDBServer, connect: Connect
) -> None:
    connect(server).get("/movie/11")
    assert asked == []


def test_a_token_goes_where_tokens_go(
    monkeypatch: pytest.MonkeyPatch, server: TMDBServer, connect: Connect
) -> None:
    server.token = "a.read.token"
    monkeypatch.setattr(progress, "_askers", [lambda _: "a.read.token"])
    connect(server, token="").get("/movie/11")
    assert "api_key" not in server.requests[0].params


def test_where_nobody_can_be_asked_the_error_is_the_usual_one(
    server: TMDBServer, connect: Connect
) -> None:
    assert ask_hidden("a key, please") == ""  # no kernel runs here
    with pytest.raises(SettingsError, match="no TMDB credentials: set TMDB_READ_ACCESS_TOKEN"):
        connect(server, token="").get("/movie/11")


def test_staging_asks_in_its_own_thread_and_goes_on(
    asked: list[str], server: TMDBServer, connect: Connect, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "stage", settings=Settings())
    came = stage_movies(connect(server, token=""), stage, range(101, 201))
    assert came.staged + came.missing == 100
    assert len(asked) == 1


# A real kernel.


class Kernel:
    """A kernel, with a person at the keyboard or without."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def run(self, code: str, answer: str | None = None) -> tuple[str, list[dict[str, Any]]]:
        """What a cell says, or the value of its error; and what it asked."""
        said: list[str] = []
        asked: list[dict[str, Any]] = []

        def keyboard(message: dict[str, Any]) -> None:
            asked.append(message["content"])
            self.client.input(answer or "")

        def output(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(str(content.get("data", {}).get("text/plain") or content.get("evalue", "")))

        self.client.execute_interactive(
            code,
            allow_stdin=answer is not None,
            stdin_hook=keyboard,
            output_hook=output,
            timeout=60,
        )
        return "".join(said), asked

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(server: TMDBServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
    kernel = Kernel()
    yield kernel
    kernel.close()


def test_a_live_notebook_asks_unseen_and_one_without_a_keyboard_does_not(kernel: Kernel) -> None:
    kernel.run("import tmdbkit\nclient = tmdbkit.TMDBClient()")
    said, asked = kernel.run("client.movie(11)['id']")
    assert said.startswith("no TMDB credentials")
    assert asked == []
    said, asked = kernel.run("client.movie(11)['id']", API_KEY)
    assert said == "11"
    assert [question["password"] for question in asked] == [True]
    said, _ = kernel.run("client.session, vars(client.session), vars(client.session.service)")
    assert API_KEY not in said
