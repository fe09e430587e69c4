"""Staging against a server of its own process: how fast, and how polite."""

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
from tmdbkit.progress import Silent
from tmdbkit.settings import Secret
from tmdbkit.staging import THREADS
from tmdbkit.tmdb.client import movie_request

from .measure import Line, medians, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.tmdb import TMDBProcess

UNLIMITED = 1e6


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


def throughput(movies: int = 1_000) -> Iterator[Line]:
    """Staging against requests in a pool of as many threads, which keeps nothing."""
    ids = range(1, movies + 1)
    with TMDBServer.process(latency=0.05, missing=[]) as server:
        bare, ours = medians(3, lambda: _bare(server, ids), lambda: _staged(server, ids))
    parts = f"{movies / ours:.0f} movies/s of {movies / bare:.0f}"
    yield Line("staging, unlimited, of bare requests' speed", bare / ours, 0.8, parts=parts)


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
            path, params = movie_request(tmdb_id, "en-US")
            return len(session.get(server.base_url + path, params=params).content)

        return seconds(lambda: list(pool.map(get, ids)))


def rate(movies: int = 400) -> Iterator[Line]:
    """The default pace, where TMDB takes 40 requests in any second."""
    with TMDBServer.process(latency=0.05, missing=[], limit=40) as server, fresh(server) as ours:
        session, stage = ours
        took = seconds(
            lambda: stage_movies(session, stage, range(1, movies + 1), progress=Silent())
        )
        stats = server.stats()
    most = f"at most {stats['max_per_second']} in a second"
    yield Line("staging where 40 a second are allowed, movies/s", movies / took, 37, parts=most)
    yield Line("  answers 429 meanwhile", stats["too_many"], 0, at_most=True)
