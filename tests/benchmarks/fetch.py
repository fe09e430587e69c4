"""How fast staging is where nothing limits it, against a server of its own process."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from tests.servers.tmdb import TMDBServer
from tmdbkit import Settings, Stage, TMDBSession, stage_movies
from tmdbkit.fetch.staging import THREADS
from tmdbkit.progress import Silent
from tmdbkit.settings import Secret
from tmdbkit.tmdb.client import APPENDED, movie_request

from .measure import Line, bests, missing, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.tmdb import TMDBProcess

UNLIMITED = 1e6
LATENCY = 0.05
MANY, FEW = 1_000, 60


@contextmanager
def fresh(server: TMDBProcess, **settings: Any) -> Iterator[tuple[TMDBSession, Stage]]:
    """A session and an empty stage in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings(
            tmdb_base_url=server.base_url,
            tmdb_token=Secret(str(server.token)),
            cache=Path(folder) / "cache",
            **settings,
        )
        with TMDBSession(chosen) as session:
            yield session, Stage(Path(folder) / "stage", settings=chosen)


def throughput() -> Iterator[Line]:
    """Staging against requests in a pool of as many threads, which keeps nothing, and a loop."""
    ids, few = range(1, MANY + 1), range(1, FEW + 1)
    lacking = missing("tmdbsimple")
    with TMDBServer.process(latency=LATENCY, missing=[]) as server:
        bare, ours, looped = bests(
            3,
            lambda: _bare(server, ids) / MANY,
            lambda: _staged(server, ids) / MANY,
            lambda: float("nan") if lacking else _looped(server, few) / FEW,
        )
    parts = f"{1 / ours:.0f} movies/s of {1 / bare:.0f}"
    yield Line("staging, unlimited, of bare requests' speed", bare / ours, 0.8, parts=parts)
    parts = lacking or f"{1 / ours:.0f} movies/s, it {1 / looped:.0f}"
    yield Line("  times the speed of tmdbsimple in a loop", looped / ours, 15, parts=parts)


def _staged(server: TMDBProcess, ids: range) -> float:
    with fresh(server, rate=UNLIMITED) as (session, stage):
        took = seconds(lambda: stage_movies(session, stage, ids, progress=Silent()))
        if len(stage) != len(ids):
            raise RuntimeError(f"only {len(stage)} of {len(ids)} were staged")
    return took


def _bare(server: TMDBProcess, ids: range) -> float:
    with requests.Session() as session, ThreadPoolExecutor(THREADS) as pool:
        session.mount("http://", HTTPAdapter(pool_maxsize=64))
        session.headers["Authorization"] = f"Bearer {server.token}"

        def get(tmdb_id: int) -> int:
            path, params = movie_request(tmdb_id, Settings())
            return len(session.get(server.base_url + path, params=params).content)

        return seconds(lambda: list(pool.map(get, ids)))


def _looped(server: TMDBProcess, ids: range) -> float:
    import tmdbsimple

    tmdbsimple.API_KEY, tmdbsimple.USE_BEARER_AUTH = server.token, True

    def get(tmdb_id: int) -> object:
        movie = tmdbsimple.Movies(tmdb_id)
        movie.base_uri = server.base_url
        return movie.info(language="en-US", append_to_response=APPENDED)

    return seconds(lambda: [get(tmdb_id) for tmdb_id in ids])
