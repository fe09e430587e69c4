"""Payloads into rows, from Parquet to Parquet, against what others make of the same payloads."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from tmdbkit import transform

from .measure import Line, bests, missing, seconds
from .payloads import payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY, FEW = 10_000, 500  # payloads for the fast, and for the slow
LISTS = [
    ["credits", "cast"],
    ["credits", "crew"],
    ["genres"],
    ["keywords", "keywords"],
    ["production_companies"],
    ["production_countries"],
    ["release_dates", "results"],
    ["spoken_languages"],
    ["videos", "results"],
]
DLT_ALONE = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


def transforming() -> Iterator[Line]:
    """Against parsing alone, and against pandas and dlt, which put all lists into tables, too."""
    with tempfile.TemporaryDirectory() as folder:
        path, rows = Path(folder) / "payloads.parquet", Path(folder) / "rows.parquet"
        payloads(1, MANY).write_parquet(path, compression="zstd", compression_level=3)
        ours, parsed, flattened, tables, normalised = bests(
            3,
            lambda: seconds(partial(_ours, path, rows)) / MANY,
            lambda: seconds(partial(_parsed, path)) / MANY,
            lambda: _flattened(path, []) / FEW,
            lambda: _flattened(path, LISTS) / FEW,
            lambda: _normalised(path, folder) / FEW,
        )
    speed = f"{1 / ours:,.0f} payloads/s"
    parts = f"{speed} of {1 / parsed:,.0f}"
    yield Line("transform, times the speed of orjson.loads alone", parsed / ours, 1.2, parts=parts)
    alone = f"; {1 / flattened:,.0f} for the movie's own fields alone"
    parts = missing("pandas") or f"{speed}, it {1 / tables:,.0f}{alone}"
    yield Line("  of json_normalize of pandas", tables / ours, 5, parts=parts)
    parts = missing("dlt") or f"{speed}, it {1 / normalised:,.0f}"
    yield Line("  of the normalisation of dlt", normalised / ours, 10, parts=parts)


def _ours(path: Path, to: Path) -> None:
    rows = transform.transform(pl.read_parquet(path)).rows
    if rows.height != MANY:
        raise RuntimeError("some payloads were malformed")
    rows.write_parquet(to, compression="zstd", compression_level=3)


def _parsed(path: Path) -> None:
    for _ in [orjson.loads(text) for text in pl.read_parquet(path)["payload"]]:
        pass


def _few(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(text) for text in pl.read_parquet(path, n_rows=FEW)["payload"]]


def _flattened(path: Path, lists: list[list[str]]) -> float:
    if missing("pandas"):
        return float("nan")
    import pandas as pd

    def work() -> None:
        movies = _few(path)
        pd.json_normalize(movies)
        for keys in lists:
            pd.json_normalize(movies, record_path=keys, meta=["id"], record_prefix="of.")

    return seconds(work)


def _normalised(path: Path, folder: str) -> float:
    if missing("dlt"):
        return float("nan")
    os.environ.update(DLT_ALONE)  # it reads them when it is imported
    import dlt

    pipeline = dlt.pipeline("movies", destination="dummy", pipelines_dir=folder)
    pipeline.drop()
    pipeline.extract(_few(path), table_name="movies")
    return seconds(pipeline.normalize)
