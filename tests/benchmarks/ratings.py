"""IMDb's data set onto a stage, against pandas; each side in a process of its own."""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tests.servers.datasets import tsv
from tmdbkit.ratings.imdb import COLUMNS, FILE, join
from tmdbkit.ratings.imdb_files import Version, convert

from .measure import Line, apart, mib, missing, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATED, MOVIES, KNOWN = 1_600_000, 100_000, 60_000
HIGHEST = 35_000_000  # about as far as IMDb has counted
PARQUET, STAGED = "title.ratings.parquet", "staged.csv"
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def joining(turns: int = 5) -> Iterator[Line]:
    """From IMDb's file as it comes, the Parquet file that is kept included, to rated movies."""
    sides = ("ours_first", "theirs", "ours_again")
    time, memory = (
        f"{what} of pandas' for IMDb's file onto {MOVIES:,} movies" for what in ("time", "memory")
    )
    if lacking := missing("pandas"):
        yield Line(time, float("nan"), 0.4, at_most=True, parts=lacking)
        return
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder))
        runs = [[apart(__name__, side, folder) for side in sides] for _ in range(turns)]
    (first, first_mib), (theirs, their_mib), (again, _) = (
        [statistics.median(values) for values in zip(*side, strict=True)]
        for side in zip(*runs, strict=True)
    )
    parts = f"{first * 1000:.0f} ms of {theirs * 1000:.0f}, {again * 1000:.0f} later that day"
    yield Line(time, first / theirs, 0.4, at_most=True, parts=parts)
    parts = f"{first_mib:.0f} MiB of {their_mib:.0f}"
    yield Line(memory, first_mib / their_mib, 0.5, at_most=True, parts=parts)


def _write(folder: Path) -> None:
    """Write a data set, and movies of which it rates 60 %."""
    draw = random.Random(1)
    numbers = draw.sample(range(1, HIGHEST), RATED + MOVIES - KNOWN)
    rated, unrated = sorted(numbers[:RATED]), numbers[RATED:]
    rows = (
        (f"tt{number:07}", round(draw.uniform(1, 10), 1), int(5 + draw.expovariate(1) ** 4 * 100))
        for number in rated
    )
    (folder / FILE).write_bytes(tsv(rows))
    wanted = draw.sample(rated, KNOWN) + unrated
    draw.shuffle(wanted)
    ids = [f"tt{number:07}" for number in wanted]
    pl.DataFrame({"tmdb_id": range(1, MOVIES + 1), "imdb_id": ids}).write_csv(folder / STAGED)


def _ours_first(folder: Path) -> Callable[[], int]:
    wanted = pl.read_csv(folder / STAGED)

    def work() -> int:
        convert(folder / FILE, folder / PARQUET, COLUMNS, Version("", THEN, THEN))
        return join(wanted, pl.scan_parquet(folder / PARQUET)).height

    return work


def _ours_again(folder: Path) -> Callable[[], int]:
    wanted = pl.read_csv(folder / STAGED)
    return lambda: join(wanted, pl.scan_parquet(folder / PARQUET)).height


def _theirs(folder: Path) -> Callable[[], int]:
    import pandas as pd

    wanted = pd.read_csv(folder / STAGED)

    def work() -> int:
        ratings = pd.read_csv(folder / FILE, sep="\t", na_values=[r"\N"])
        joined = wanted.merge(ratings, left_on="imdb_id", right_on="tconst", how="left")
        return int(joined["averageRating"].notna().sum())

    return work


def _measure(work: Callable[[], int]) -> tuple[float, float]:
    """The seconds of one side, and the MiB by which its process grew."""
    before = mib("VmRSS")

    def checked() -> None:
        if (found := work()) != KNOWN:
            raise RuntimeError(f"{found} movies are rated, not {KNOWN}")

    return seconds(checked), mib("VmHWM") - before


if __name__ == "__main__":
    sides = {"ours_first": _ours_first, "ours_again": _ours_again, "theirs": _theirs}
    print(json.dumps(_measure(sides[sys.argv[1]](Path(sys.argv[2])))))
