"""Rows made by the workers of a Dask cluster: what a second worker is worth."""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import Settings, Stage
from tmdbkit.fetch.pool import PART_MOVIES

from .measure import Line, bests, seconds
from .payloads import payloads, portions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

MANY, MERGED = 100_000, 5_000  # payloads, and about as many as a compacted part has
FEW = 10_000  # in small parts these are as many as there may be before a compaction
SET_UP = {
    "distributed.nanny.pre-spawn-environ.POLARS_MAX_THREADS": "1",
    # Python before 3.11.9 freezes in it now and then (python/cpython issue 106883).
    "distributed.worker.profile.enabled": False,
}


def deriving() -> Iterator[Line]:
    """Two workers against one; what the process does that sends them to work counts as well."""
    with tempfile.TemporaryDirectory() as folder, _cluster(1) as one, _cluster(2) as two:
        merged = f"transform of {MANY:,} payloads, two Dask workers, of one's speed"
        yield _line(merged, Path(folder) / "merged", MANY, MERGED, one, two)
        fresh = f"  of {FEW:,} as they come in, in parts of {PART_MOVIES}"
        yield _line(fresh, Path(folder) / "fresh", FEW, PART_MOVIES, one, two)


@contextmanager
def _cluster(workers: int) -> Iterator[Client]:
    """Worker processes with one thread each, polars' threads included, that are warm."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set(SET_UP),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        if {*client.run(_threads).values()} != {1}:
            raise RuntimeError("polars has more than one thread in a worker")
        yield client


def _threads() -> int:
    """How many polars has here; what transforms is imported once this is called."""
    return pl.thread_pool_size()


def _line(what: str, folder: Path, movies: int, size: int, *clients: Client) -> Line:
    stage = Stage(folder, settings=Settings())
    for first, some in portions(movies, size):
        stage.store.append(payloads(first, some))
    alone, together = bests(3, *(partial(_derived, folder, client) for client in clients))
    parts = f"{movies / together:,.0f} payloads/s of {movies / alone:,.0f}"
    return Line(what, alone / together, 1.3, parts=parts)


def _derived(folder: Path, client: Client) -> float:
    """Make all rows anew."""
    shutil.rmtree(folder / "movies", ignore_errors=True)
    stage = Stage(folder, settings=Settings())
    return seconds(lambda: stage.store.derive_all(executor=client.get_executor()))
