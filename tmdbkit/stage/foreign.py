"""Files that another program or another version wrote into a log, read with the log's columns."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.stage.parts import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable


def strange_columns(source: str, columns: pl.Schema) -> set[str]:
    """Return the columns of a file that a log does not have, or has of another type."""
    known = {**columns, "part": pl.String()}
    try:
        there = pl.read_parquet_schema(source)
    except DAMAGE:
        return set()  # whoever reads it is told
    return {name for name, kind in there.items() if known.get(name) != kind}


def read(source: str, columns: pl.Schema) -> pl.LazyFrame:
    """Return a file with a log's columns; what a column cannot hold is null.

    DuckDB and pandas have other numbers, categories, and times without a zone; a newer tmdbkit may
    have columns that nobody here knows.
    """
    rows = pl.read_parquet(source, glob=False, hive_partitioning=False)
    known = pl.Schema({**columns, "part": pl.String()})
    missing = pl.Series([None] * rows.height, dtype=pl.Null)
    there = set(rows.columns)
    found = {
        name: _held(rows[name] if name in there else missing, kind) for name, kind in known.items()
    }
    return pl.LazyFrame(found, known)


def _held(values: pl.Series, kind: pl.DataType) -> pl.Series:
    """Return values as a type holds them, null where it cannot."""
    with suppress(pl.exceptions.PolarsError):
        return _cast(values, kind)
    return pl.Series([None] * len(values), dtype=kind)


def _cast(values: pl.Series, kind: pl.DataType) -> pl.Series:
    if values.dtype == pl.String and kind.is_temporal():
        return pl.Series(_instants(values), dtype=kind)
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is None:
        values = values.dt.replace_time_zone("UTC")
    held = values.cast(kind, strict=False)
    if values.dtype.is_float() and kind.is_integer():  # 28.5 is no 28
        return held.set((held.cast(values.dtype) != values).fill_null(value=False), None)
    return held


def _instants(texts: Iterable[str | None]) -> list[datetime | None]:
    found: list[datetime | None] = []
    for text in texts:
        at = None
        with suppress(ValueError, OverflowError):
            at = datetime.fromisoformat(text) if text else None
            at = (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)) if at else None
        found.append(at)
    return found
