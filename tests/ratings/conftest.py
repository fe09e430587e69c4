"""A look-alike of MDBList and OMDb, and providers that ask it and never really wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.http.conftest import FakeClock
from tests.servers.ratings import KEY, RatingsServer
from tmdbkit.settings import Secret, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tmdbkit.ratings.mdblist import MDBList
    from tmdbkit.ratings.omdb import OMDb


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def serve(clock: FakeClock) -> Iterator[Callable[..., RatingsServer]]:
    """Start a server; it ends with the test."""
    started: list[RatingsServer] = []

    def start_one(**options: Any) -> RatingsServer:
        started.append(RatingsServer(clock=clock, **options).__enter__())
        return started[-1]

    yield start_one
    for server in started:
        server.__exit__()


@pytest.fixture
def ask(clock: FakeClock, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a provider of a server by its class; it ends with the test.

    `key` and `offline` are settings, all else goes to the provider.
    """
    opened: list[MDBList | OMDb] = []

    def open_one(
        kind: type[MDBList | OMDb],
        server: RatingsServer,
        *,
        key: str = KEY,
        offline: bool = False,
        **options: Any,
    ) -> MDBList | OMDb:
        settings = Settings(
            mdblist_api_key=Secret(key),
            omdb_api_key=Secret(key),
            mdblist_base_url=server.url,
            omdb_base_url=server.url,
            cache=tmp_path / "cache",
            offline=offline,
        )
        timed = {"clock": clock, "sleep": clock.sleep, "jitter": lambda: 1.0}
        opened.append(kind(settings, **{**timed, **options}))
        return opened[-1]

    yield open_one
    for provider in opened:
        provider.close()
