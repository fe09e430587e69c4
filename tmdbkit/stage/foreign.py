"""Files of a log that are not as it writes them: damaged, or of another program or version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import polars as pl

from tmdbkit.exceptions import StageError
from tmdbkit.stage.parts import DAMAGE, fault
from tmdbkit.stage.storage import Root, said_in_one_line

MADE_AGAIN = "delete that file; it is made again by itself"
FOUND_AGAIN = "move that file away; what it said is found out again on the way"
REMEDIES = {
    "payloads": "move that file away, and fetch what was in it again",
    "movies": MADE_AGAIN,
    "assessed": MADE_AGAIN,
    "failures": FOUND_AGAIN,
    "checks": FOUND_AGAIN,
    "ratings": "put that file back from a backup; or move that file away, and collect its ratings "
    "again",
    "decisions": "put that file back from a backup, for nothing else has what people decided; "
    "without one, keep it elsewhere, and decide again",
    "asked": "move that file away, and stage from the same list again",
    "imports": "put that file back from a backup, for its pushes cannot be undone without it; "
    "without one, keep it elsewhere",
}
ELSE = "put that file back from a backup; or move that file away, and do without what was in it"
NAMED = 3  # damaged files that one line names


@contextmanager
def reading(root: Root) -> Iterator[None]:
    """Turn what polars or an object store says of a part into one clear line, which names it."""
    try:
        yield
    except DAMAGE as error:
        which, why, do = _summary(root, said_in_one_line(error))
        raise StageError(
            f"{which} cannot be read ({why}); {do}; tmdbkit doctor says what is lost"
        ) from error


def _summary(root: Root, said: str) -> tuple[str, str, str]:
    """Return which parts are damaged, what is wrong with the first, and what to do."""
    found = _damaged(root)
    if not found:
        return f"a part of {root}", said, "run the same again"
    sources = [root.source(name) for name in found]
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    first, why = next(iter(found.items()))
    return f"{', '.join(sources[:NAMED])}{more}", why, REMEDIES.get(_log_of(root, first), ELSE)


def _log_of(root: Root, file: str) -> str:
    """Return the log that a file is of: the folder that it stands in."""
    return f"{root.full}/{file}".replace("\\", "/").split("/")[-2]


def _damaged(root: Root) -> dict[str, str]:
    """Return the parts that are not what was written, and what is wrong with them.

    Polars does not say which it was that it could not read.

    Raises:
        StageError: Their place cannot be reached.
    """
    try:
        checked = ((name, fault(root.read(name))) for name in root.walk() if _is_part(name))
        return {name: wrong for name, wrong in checked if wrong}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StageError(
            f"{root} cannot be reached ({error.strerror}); run the same again"
        ) from None


def _is_part(name: str) -> bool:
    return name.endswith(".parquet") and not name.rpartition("/")[2].startswith(".")


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
