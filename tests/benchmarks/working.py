"""What is done with payloads once they are here, and what an import costs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from tests.servers.tmdb import TMDBServer
from tmdbkit import Settings, Stage, stage_movies, transform
from tmdbkit.demo import sample_payloads
from tmdbkit.logs import PAYLOADS, STAGED
from tmdbkit.progress import Silent

from .fetching import UNLIMITED, fresh
from .measure import Line, medians, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE, MANY = 40_000, 10_000
AT = datetime(2026, 1, 1, tzinfo=UTC)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@cache
def payloads() -> pl.DataFrame:
    """Payloads of 40 KB: the sample's, with more of its cast and crew under other ids."""
    movies = [json.loads(text) for text in sample_payloads().values()]
    people = {role: [p for m in movies for p in m["credits"][role]] for role in ("cast", "crew")}
    draw = random.Random(1)
    rows = []
    for number in range(1, MANY + 1):
        text = _padded(movies[number % len(movies)], number, people, draw)
        rows.append((number, text, AT, STAGED))
    return pl.DataFrame(rows, PAYLOADS, orient="row")


def _padded(
    movie: dict[str, Any],
    tmdb_id: int,
    people: dict[str, list[dict[str, Any]]],
    draw: random.Random,
) -> str:
    credited = {role: list(movie["credits"][role]) for role in people}
    size = len(_text(movie))
    while size < SIZE:
        for role, known in people.items():
            credited[role].append({**draw.choice(known), "id": draw.randrange(1, 5_000_000)})
            size += len(_text(credited[role][-1])) + 1
    return _text({**movie, "id": tmdb_id, "credits": credited})


def transforming() -> Iterator[Line]:
    """Parquet to rows, against Parquet to parsed objects."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "payloads.parquet"
        payloads().write_parquet(path, compression="zstd", compression_level=3)

        def rows() -> None:
            if transform.transform(pl.read_parquet(path)).rows.height != MANY:
                raise RuntimeError("some payloads were malformed")

        def objects() -> None:
            for _ in [orjson.loads(text) for text in pl.read_parquet(path)["payload"]]:
                pass

        theirs, ours = medians(3, partial(seconds, objects), partial(seconds, rows))
    parts = f"{MANY / ours:,.0f} payloads/s of {MANY / theirs:,.0f}"
    yield Line("transform, of the speed of orjson.loads alone", theirs / ours, 1.0, parts=parts)


def appending(movies: int = 100) -> Iterator[Line]:
    """A few more movies on a large stage, against the same on an empty one."""
    rows = payloads().head(movies)
    with tempfile.TemporaryDirectory() as folder:
        large = Stage(Path(folder) / "large", settings=Settings())
        for part in payloads().iter_slices(500):
            large.add(part)
        empties = (Stage(Path(folder) / f"{n}", settings=Settings()) for n in range(100))
        none, full = medians(
            7,
            lambda: seconds(partial(next(empties).add, rows)),
            lambda: seconds(partial(large.add, rows)),
        )
        parts = f"{full * 1000:.0f} ms of {none * 1000:.0f}"
        yield Line(
            "100 movies into a stage of 10,000, of the time into none",
            full / none,
            1.2,
            at_most=True,
            parts=parts,
        )
        none, full = _runs(large, movies)
    parts = f"{full * 1000:.0f} ms of {none * 1000:.0f}"
    yield Line("  the same, fetched", full / none, 1.2, at_most=True, parts=parts)


def _runs(large: Stage, movies: int) -> list[float]:
    with (
        TMDBServer.process(latency=0.05, missing=[]) as server,
        fresh(server, rate=UNLIMITED) as (
            session,
            _,
        ),
    ):
        firsts = iter(range(MANY + 1, 10 * MANY, movies))

        def into(stage: Stage) -> float:
            first = next(firsts)
            ids = range(first, first + movies)
            return seconds(lambda: stage_movies(session, stage, ids, progress=Silent()))

        def into_none() -> float:
            with tempfile.TemporaryDirectory() as folder:
                return into(Stage(Path(folder) / "stage", settings=Settings()))

        return medians(7, into_none, lambda: into(large))


IMPORT = "import time; t = time.perf_counter(); import tmdbkit; print(time.perf_counter() - t)"


def importing() -> Iterator[Line]:
    """`import tmdbkit` in a fresh interpreter."""

    def once() -> float:
        done = subprocess.run(
            [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
        )
        return float(done.stdout)

    [took] = medians(5, once)
    yield Line("import tmdbkit, ms", took * 1000, 100, at_most=True)
