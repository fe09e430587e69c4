"""What a stage costs: to add to it, and on the disk."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.tmdb import TMDBServer
from tmdbkit import Settings, Stage, stage_movies
from tmdbkit.fetch.pool import PART_MOVIES
from tmdbkit.progress import Silent

from .fetch import LATENCY, UNLIMITED, fresh
from .measure import Line, medians, seconds
from .payloads import payloads, portions

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE, ADDED, STAGED = 10_000, 100, 2_000


def added(large: Stage, folder: Path) -> list[float]:
    """How long a few more movies take into an empty stage, and into a large one."""
    rows = payloads(LARGE + 1, ADDED)
    empties = (Stage(folder / f"{n}", settings=Settings()) for n in range(100))
    return medians(
        9,
        lambda: seconds(partial(next(empties).store.add, rows)),
        lambda: seconds(partial(large.store.add, rows)),
    )


def appending() -> Iterator[Line]:
    """A few more movies on a large stage, against the same on an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        large = Stage(Path(folder) / "large", settings=Settings())
        for first, count in portions(LARGE, 500):
            large.store.add(payloads(first, count))
        none, full = added(large, Path(folder))
        yield growth(f"{ADDED} movies into a stage of {LARGE:,}, of the time into none", none, full)
        none, full = _fetched(large)
    yield growth("  the same, fetched", none, full)


def growth(what: str, none: float, full: float) -> Line:
    """The line that says how much longer it takes where much is staged."""
    parts = f"{full * 1000:.0f} ms of {none * 1000:.0f}"
    return Line(what, full / none, 1.2, at_most=True, parts=parts)


def _fetched(large: Stage) -> list[float]:
    with (
        TMDBServer.process(latency=LATENCY, missing=[]) as server,
        fresh(server, rate=UNLIMITED) as (session, _),
    ):
        firsts = iter(range(2 * LARGE, 100 * LARGE, ADDED))

        def into(stage: Stage) -> float:
            first = next(firsts)
            ids = range(first, first + ADDED)
            return seconds(lambda: stage_movies(session, stage, ids, progress=Silent()))

        def into_none() -> float:
            with tempfile.TemporaryDirectory() as folder:
                return into(Stage(Path(folder) / "stage", settings=Settings()))

        return medians(7, into_none, lambda: into(large))


def filling() -> Iterator[Line]:
    """What a movie takes on the disk, its payload, its row and the folders included."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder) / "stage", settings=Settings())
        for first, count in portions(STAGED, PART_MOVIES):
            stage.store.add(payloads(first, count))
        taken = sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*"))
    size = int(payloads(1, STAGED)["payload"].str.len_bytes().sum())
    parts = f"of payloads of {size / STAGED / 1000:.1f} KB, in parts of {PART_MOVIES}"
    what = "disk for a staged movie, KB"
    yield Line(what, taken / STAGED / 1000, 12, at_most=True, parts=parts)
