"""A stage as large as all of TMDB, and one of 4 GB of JSON: what they take in time and memory."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit import Settings, Stage, TMDBSession, stage_movies
from tmdbkit.fetch.pool import PART_MOVIES
from tmdbkit.progress import Silent

from .measure import Line, apart, mib, seconds
from .payloads import payloads, portions, small
from .stage import ADDED, added, growth

if TYPE_CHECKING:
    from collections.abc import Iterator

MILLION, PAYLOADS = 1_000_000, 100_000


def million() -> Iterator[Line]:
    """Adding to a million movies, and telling which of a million ids are among them."""
    with tempfile.TemporaryDirectory() as folder:
        stage = _opened(folder)
        for first, count in portions(MILLION, 50_000):
            stage.store.add(small(first, count))
        stage.compact()
        told, peak = min(apart(__name__, "told", folder) for _ in range(3))
        skipped, _ = apart(__name__, "skipped", folder)
        parts = f"{skipped:.1f} s for a stage_movies of them, which asks for none"
        yield Line(f"which of {MILLION:,} ids are staged, s", told, 1, at_most=True, parts=parts)
        yield Line("  memory of that process, MiB", peak, 500, at_most=True)
        none, full = added(stage, Path(folder))
    yield growth(f"{ADDED} movies into a stage of {MILLION:,}, of the time into none", none, full)


def remembering() -> Iterator[Line]:
    """The rows of 4 GB of JSON: as they come in, while that is compacted, and again after that."""
    with tempfile.TemporaryDirectory() as folder:
        stage = _opened(folder)
        for first, count in portions(PAYLOADS, PART_MOVIES):
            stage.store.append(payloads(first, count))
        for work, what in {
            "derived": f"transform of {PAYLOADS:,} payloads, in parts of {PART_MOVIES}",
            "compacted": "  compacting them",
            "derived_again": "  transform of the compacted",
        }.items():
            took, peak = apart(__name__, work, folder)
            parts = f"{PAYLOADS / took:,.0f} payloads/s"
            yield Line(f"{what}, MiB", peak, 1_000, at_most=True, parts=parts)


def _opened(folder: str) -> Stage:
    return Stage(Path(folder) / "stage", settings=Settings())


def _summary(folder: str) -> None:
    if len(_opened(folder).ids().intersection(range(1, MILLION + 1))) != MILLION:
        raise RuntimeError("some are not")


def _skipped(folder: str) -> None:
    settings = Settings(offline=True, cache=Path(folder) / "cache")
    with TMDBSession(settings) as session:
        ids = range(1, MILLION + 1)
        result = stage_movies(session, _opened(folder), ids, progress=Silent())
    if result.skipped != MILLION:
        raise RuntimeError(result)


def _derived(folder: str) -> None:
    _opened(folder).store.derive_all()


def _derived_again(folder: str) -> None:
    shutil.rmtree(Path(folder) / "stage" / "movies")  # or all rows are those of today
    _opened(folder).store.derive_all()


def _compacted(folder: str) -> None:
    _opened(folder).compact()


if __name__ == "__main__":
    works = {
        "told": _summary,
        "skipped": _skipped,
        "derived": _derived,
        "derived_again": _derived_again,
        "compacted": _compacted,
    }
    took = seconds(lambda: works[sys.argv[1]](sys.argv[2]))
    print(json.dumps([took, mib("VmHWM")]))
