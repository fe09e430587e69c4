"""A target as a source: what it accepts, its documents page by page, and how much there is."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tmdbkit.convex.contract import Contract
from tmdbkit.convex.parsing import id_of, not_understood
from tmdbkit.convex.target import Document, Page, Target
from tmdbkit.exceptions import BatchTooLarge, CursorLost, PassedOver
from tmdbkit.progress import counted
from tmdbkit.schema import MOVIE, RATINGS, SYSTEMS, validator

TRIES = 4  # to read a table whose cursors are lost on the way
MOST_IDLE = 100  # pages in a row that are empty, or begin like the one before
PAGE = 200  # documents a query, some 4 KB each, of the 16 MiB that one may read
COLLECTED = {"documents": 32_000, "mib": 16.0}  # what one function may read
TOO_LARGE = "too large for a function that collects it"
_OURS = Contract({"movies": validator("movies")})
SIZES = pl.Schema(
    {"table": pl.String(), "documents": pl.Int64(), "mib": pl.Float64(), "too_large": pl.Boolean()}
)
OLDEST = 50  # movies: enough to see in which form images are held, and to know an export by


def pages(target: Target, table: str, size: int | None = None) -> Iterator[list[Document]]:
    """Yield all documents of a table once, a page at a time.

    A page that is more than one answer holds is asked for in halves. After a deploy a cursor may
    count no longer: then it begins again, and yields what did not come before.

    Raises:
        FunctionsMissing: The pages there lead nowhere.
    """
    came: set[object] = set()
    for tries_left in reversed(range(TRIES)):
        try:
            for page in _from_the_first(target, table, size or PAGE):
                yield [document for document in page.documents if document.get("_id") not in came]
                came |= {document["_id"] for document in page.documents if "_id" in document}
        except CursorLost:
            if not tries_left:
                raise
        else:
            return


def _from_the_first(target: Target, table: str, size: int) -> Iterator[Page]:
    cursor: str | None = None
    passed: set[str | None] = set()
    last, idle = None, 0
    while True:
        page, size = _page(target, table, cursor, size)
        yield page
        if page.done:
            return
        first = page.documents[0].get("_id") if page.documents else last
        last, idle = first, idle + 1 if first == last else 0
        if page.cursor in passed or idle > MOST_IDLE:
            raise not_understood("page")  # whoever went on would go on for ever
        cursor = page.cursor
        passed.add(cursor)


def _page(target: Target, table: str, cursor: str | None, size: int) -> tuple[Page, int]:
    """Return a page, and the size that it came in."""
    try:
        return target.page(table, cursor, size), size
    except BatchTooLarge:
        if size == 1:
            raise
    return _page(target, table, cursor, size // 2)


def movies_of(target: Target) -> pl.DataFrame:
    """Return all documents of movies, in `schema.MOVIE`; fields of the app's own are left out.

    A value of another type than ours is read as none, and said. Of the ratings each system is read
    by itself: an app's objects may lack some, or have more.
    """
    rows, odd = [], Counter[str]()
    for document in _movies(target):
        own = {name: document[name] for name in MOVIE.names() if name in document}
        read = own if _OURS.fits(own, partial=True) else _readable(own)
        odd.update(name for name, value in own.items() if _is_lost(value, read.get(name)))
        rows.append(read)
    if odd:
        _pass_over(f"{counted(odd.total(), 'value')} of {', '.join(sorted(odd))}, of other types")
    columns = {name: [row.get(name) for row in rows] for name in MOVIE.names()}
    return pl.DataFrame(columns, MOVIE, strict=False)


def _readable(own: Document) -> Document:
    """Return a document without what is of other types than ours."""
    by_system = {
        name: _of_systems(name, value)
        for name, value in own.items()
        if name in RATINGS and isinstance(value, dict)
    }
    return {n: v for n, v in (own | by_system).items() if _OURS.fits({n: v}, partial=True)}


def _of_systems(name: str, ratings: Document) -> Document:
    """Return the ratings of each system; none where there is none, or something else."""
    unknown: Document = dict.fromkeys(SYSTEMS)
    return {
        system: found if _OURS.fits({name: unknown | {system: found}}, partial=True) else None
        for system, found in (unknown | ratings).items()
        if system in unknown
    }


def _is_lost(value: Any, read: Any) -> bool:
    """Tell whether a value was not read, or not all that is in it; null is nothing."""
    if isinstance(value, dict) and isinstance(read, dict):
        return any(_is_lost(value.get(name), part) for name, part in read.items())
    return value is not None and read is None


def ids_of(target: Target) -> list[int]:
    """Return the TMDB ids of all movies there, without repeats."""
    return list(dict.fromkeys(id_of(row) or 0 for row in _movies(target)))


def _movies(target: Target) -> list[Document]:
    """Return all documents of movies with an id; how many there are without one is said."""
    every = [document for page in pages(target, "movies") for document in page]
    found = [document for document in every if id_of(document) is not None]
    if without := len(every) - len(found):
        _pass_over(f"{counted(without, 'movie')} without a tmdb_id that is a number")
    return found


def _pass_over(what: str) -> None:
    warnings.warn(f"in the target, passed over: {what}", PassedOver, stacklevel=4)


def is_too_large(documents: int, mib: float) -> bool:
    """Tell whether a Convex function that collects so much fails."""
    return documents > COLLECTED["documents"] or mib > COLLECTED["mib"]


def measure(target: Target, tables: Sequence[str]) -> pl.DataFrame:
    """Return how many documents and MiB each table holds, and whether it is too large to collect.

    It reads every page, which costs database I/O.
    """
    rows = []
    for table in tables:
        documents, size = 0, 0
        for page in pages(target, table):
            documents += len(page)
            size += sum(len(json.dumps(row, ensure_ascii=False).encode()) for row in page)
        mib = size / 2**20
        rows.append((table, documents, mib, is_too_large(documents, mib)))
    return pl.DataFrame(rows, SIZES, orient="row")


@dataclass(frozen=True)
class Contact:
    """What a target said: what its tables accept, and its oldest documents of movies."""

    contract: Contract
    movies: list[Document]

    def rated(self) -> set[str]:
        """Return the systems whose ratings these movies have."""
        found = [document.get("vote_pts_system") for document in self.movies]
        points = [each for each in found if isinstance(each, dict)]
        return {name for each in points for name, value in each.items() if value is not None}

    @classmethod
    def of(cls, target: Target) -> Contact:
        """Ask a target."""
        return cls(target.contract(), next(pages(target, "movies", OLDEST)))
