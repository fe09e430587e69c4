"""Payloads into rows, from Parquet to Parquet, against what others make of the same payloads."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import polars as pl

from tmdbkit import transform

from .measure import Line, bests, missing, seconds
from .payloads import payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANY, FEW = 10_000, 500  # payloads for the fast, and for the slow
DLT_ALONE = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


def transforming() -> Iterator[Line]:
    """Against parsing alone, pandas, and the normalisation of dlt, which are given the objects."""
    with tempfile.TemporaryDirectory() as folder:
        path, rows = Path(folder) / "payloads.parquet", Path(folder) / "rows.parquet"
        payloads(1, MANY).write_parquet(path, compression="zstd", compression_level=3)
        works: tuple[Callable[[], float], ...] = (
            partial(seconds, partial(_ours, path, rows)),
            partial(seconds, partial(_parsed, path)),
            partial(_flattened, path),
            partial(_normalised, path, folder),
        )
        ours, parsed, pandas, dlt = bests(3, *works)
    speed = MANY / ours
    parts = f"{speed:,.0f} payloads/s of {MANY / parsed:,.0f}"
    yield Line("transform, times the speed of orjson.loads alone", parsed / ours, 1.2, parts=parts)
    for name, bar, took in (("pandas", 5, pandas), ("dlt", 10, dlt)):
        parts = missing(name) or f"{speed:,.0f} payloads/s, it {FEW / took:,.0f}"
        what = {"pandas": "json_normalize of pandas", "dlt": "the normalisation of dlt"}[name]
        yield Line(f"  of {what}", took * speed / FEW, bar, parts=parts)


def _ours(path: Path, to: Path) -> None:
    rows = transform.transform(pl.read_parquet(path)).rows
    if rows.height != MANY:
        raise RuntimeError("some payloads were malformed")
    rows.write_parquet(to, compression="zstd", compression_level=3)


def _parsed(path: Path) -> None:
    for _ in [orjson.loads(text) for text in pl.read_parquet(path)["payload"]]:
        pass


def _few(path: Path) -> list[object]:
    return [orjson.loads(text) for text in pl.read_parquet(path, n_rows=FEW)["payload"]]


def _flattened(path: Path) -> float:
    if missing("pandas"):
        return float("nan")
    import pandas as pd

    return seconds(lambda: pd.json_normalize(_few(path)))


def _normalised(path: Path, folder: str) -> float:
    if missing("dlt"):
        return float("nan")
    os.environ.update(DLT_ALONE)  # it reads them when it is imported
    import dlt

    pipeline = dlt.pipeline("movies", destination="dummy", pipelines_dir=folder)
    pipeline.drop()
    pipeline.extract(_few(path), table_name="movies")
    return seconds(pipeline.normalize)
