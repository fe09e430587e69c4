"""A target as a source: its documents page by page, as a frame, and how much there is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.schema import MOVIE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tmdbkit.convex.target import Document, Target

PAGE = 200  # documents a query, some 4 KB each, of the 16 MiB that one may read
COLLECTED = {"documents": 32_000, "mib": 16.0}  # beyond either, a function that collects all fails
SIZES = pl.Schema(
    {"table": pl.String(), "documents": pl.Int64(), "mib": pl.Float64(), "too_large": pl.Boolean()}
)


def pages(target: Target, table: str) -> Iterator[list[Document]]:
    """Yield all documents of a table, a page at a time."""
    cursor, done = None, False
    while not done:
        page = target.page(table, cursor, PAGE)
        cursor, done = page.cursor, page.done
        yield page.documents


def movies_of(target: Target) -> pl.DataFrame:
    """Return all documents of movies, in `schema.MOVIE`; fields of the app's own are left out."""
    rows = [document for page in pages(target, "movies") for document in page]
    columns = {name: [row.get(name) for row in rows] for name in MOVIE.names()}
    return pl.DataFrame(columns, MOVIE, strict=False)


def ids_of(target: Target) -> list[int]:
    """Return the TMDB ids of all movies there, without repeats."""
    ids = (int(row["tmdb_id"]) for page in pages(target, "movies") for row in page)
    return list(dict.fromkeys(ids))


def measure(target: Target, tables: Sequence[str]) -> pl.DataFrame:
    """Return how many documents and MiB each table holds, and whether it is too large to collect.

    It reads every page, which costs database I/O. A Convex function may read 16 MiB and 32,000
    documents: one that collects a larger table fails.
    """
    rows = []
    for table in tables:
        documents, size = 0, 0
        for page in pages(target, table):
            documents += len(page)
            size += sum(len(json.dumps(row, ensure_ascii=False).encode()) for row in page)
        mib = size / 2**20
        too_large = documents > COLLECTED["documents"] or mib > COLLECTED["mib"]
        rows.append((table, documents, mib, too_large))
    return pl.DataFrame(rows, SIZES, orient="row")
