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
from tmdbkit.transform.payloads import PAYLOAD

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
        with_bad = {every: _spoil(path, every) for every in (1_000, 100)}
        ours, few_bad, many_bad, parsed, typed, flattened, tables, normalised = bests(
            3,
            lambda: seconds(partial(_ours, path, rows)) / MANY,
            lambda: seconds(partial(_ours, with_bad[1_000], rows, MANY // 1_000)) / MANY,
            lambda: seconds(partial(_ours, with_bad[100], rows, MANY // 100)) / MANY,
            lambda: seconds(partial(_parsed, path)) / MANY,
            lambda: _typed(path) / MANY,
            lambda: _flattened(path, []) / FEW,
            lambda: _flattened(path, LISTS) / FEW,
            lambda: _normalised(path, folder) / FEW,
        )
    speed = f"{1 / ours:,.0f} payloads/s"
    threads = f"{pl.thread_pool_size()} threads, it one"
    parts = f"{speed} of {1 / parsed:,.0f}, {threads}"
    yield Line("transform, times the speed of orjson.loads alone", parsed / ours, 1.2, parts=parts)
    parts = missing("msgspec") or f"{speed} of {1 / typed:,.0f}, {threads}"
    yield Line("  of msgspec, which decodes typed structs", typed / ours, 0.6, parts=parts)
    for every, bar, spoiled in ((1_000, 0.9, few_bad), (100, 0.6, many_bad)):
        what = f"  of its own, one payload in {every:,} malformed"
        yield Line(what, ours / spoiled, bar, parts=f"{1 / spoiled:,.0f} of {speed}")
    alone = f"; {1 / flattened:,.0f} for the movie's own fields alone"
    parts = missing("pandas") or f"{speed}, it {1 / tables:,.0f}{alone}"
    yield Line("  of json_normalize of pandas", tables / ours, 5, parts=parts)
    parts = missing("dlt") or f"{speed}, it {1 / normalised:,.0f}"
    yield Line("  of the normalisation of dlt", normalised / ours, 10, parts=parts)


def _ours(path: Path, to: Path, malformed: int = 0) -> None:
    rows = transform.transform(pl.read_parquet(path)).rows
    if rows.height != MANY - malformed:
        raise RuntimeError("other payloads were malformed than should be")
    rows.write_parquet(to, compression="zstd", compression_level=3)


def _spoil(path: Path, every: int) -> Path:
    """Write the payloads once more, one in so many with a field of another shape."""
    spoiled = pl.col("payload").str.replace('"genres":', '"genres":7,"":', literal=True)
    place = pl.int_range(pl.len()) % every == every // 2
    to = path.with_name(f"{every}.parquet")
    frame = pl.read_parquet(path)
    frame.with_columns(
        pl.when(place).then(spoiled).otherwise("payload").alias("payload")
    ).write_parquet(to, compression="zstd", compression_level=3)
    return to


def _parsed(path: Path) -> None:
    for text in pl.read_parquet(path)["payload"]:
        orjson.loads(
            text
        )  # each dict goes at once, as that of a program that reads them one by one


def _typed(path: Path) -> float:
    """Decode what the transform reads, and no more, into structs: the fastest that there is."""
    if missing("msgspec"):
        return float("nan")
    import msgspec

    decoder = msgspec.json.Decoder(_struct(msgspec, "Movie", PAYLOAD))

    def work() -> None:
        for text in pl.read_parquet(path)["payload"]:
            decoder.decode(text)

    return seconds(work)


def _struct(msgspec: Any, name: str, kind: Any) -> Any:
    """Return the type that msgspec decodes for one of polars."""
    if isinstance(kind, pl.Struct):
        fields = [(n, _struct(msgspec, n, of), None) for n, of in kind.to_schema().items()]
        return msgspec.defstruct(name, fields) | None
    if isinstance(kind, pl.List):
        return list[_struct(msgspec, name, kind.inner)] | None  # type: ignore[misc]
    return {pl.Float64: float, pl.String: str, pl.Boolean: bool}[kind.base_type()] | None


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
