"""Movies, stages and targets for the tests of pushing."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, cast

import polars as pl

from tests.servers.convex import FakeTime
from tmdbkit import ConvexDeployment, ConvexSnapshot, transform, workflows
from tmdbkit.images import ImageForm
from tmdbkit.progress import Silent
from tmdbkit.ratings.model import RATINGS
from tmdbkit.schema import ROW
from tmdbkit.settings import Settings
from tmdbkit.stage.card import flat
from tmdbkit.stage.own_fields import OwnValues
from tmdbkit.stage.pushes import read, unsettled
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.tables import DECISIONS, IMPORTS, PAYLOADS, STAGED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    import pytest

    from tmdbkit.convex.contract import Contract
    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Target
    from tmdbkit.stage.storage import Root

    from .backend import ConvexBackend, Document

SYSTEMS = ("imdb", "letterboxd", "metacritic", "rotten_tomatoes", "tmdb")
FETCHED = datetime(2026, 1, 15, tzinfo=UTC)
NOW = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
NOW_ISO = "2026-02-03T04:05:06.789Z"
LATER = NOW + timedelta(days=1)
LATER_ISO = "2026-02-04T04:05:06.789Z"
NOBODY: Document = {"cast": [], "crew": []}

KEANU = {"id": 6384, "name": "Keanu Reeves", "order": 0}
LANA = {"id": 9340, "name": "Lana Wachowski", "job": "Director"}
LANA_WRITES = {**LANA, "job": "Writer"}


def payload(tmdb_id: int = 603, /, **fields: Any) -> Document:
    """A movie as TMDB tells it, with a small crew."""
    return {
        "id": tmdb_id,
        "imdb_id": "tt0133093",
        "title": "The Matrix",
        "original_title": "The Matrix",
        "original_language": "en",
        "overview": "Set in the 22nd century.",
        "tagline": "Welcome to the Real World.",
        "status": "Released",
        "release_date": "1999-03-31",
        "runtime": 136,
        "budget": 63_000_000,
        "revenue": 463_517_383,
        "popularity": 83.25,
        "vote_average": 8.2,
        "vote_count": 26_000,
        "poster_path": "/poster.jpg",
        "backdrop_path": "/backdrop.jpg",
        "genres": [{"id": 28, "name": "Action"}],
        "production_companies": [{"id": 79}],
        "production_countries": [{"name": "United States of America"}],
        "spoken_languages": [{"english_name": "English", "iso_639_1": "en", "name": "English"}],
        "belongs_to_collection": {
            "id": 2344,
            "name": "The Matrix Collection",
            "poster_path": "/collection.jpg",
            "backdrop_path": None,
        },
        "credits": {"cast": [KEANU], "crew": [LANA, LANA_WRITES]},
        "keywords": {"keywords": [{"id": 310}]},
        "release_dates": {
            "results": [
                {"iso_3166_1": "US", "release_dates": [{"certification": "R", "type": 3}]},
            ]
        },
        "videos": {
            "results": [{"site": "YouTube", "type": "Trailer", "key": "vKQi3bBA1y8"}],
        },
    } | fields


def movie(tmdb_id: int = 603, /, **fields: Any) -> Document:
    """The document that `payload` becomes, where it was pushed at another time."""
    return {
        "title": "The Matrix",
        "tmdb_id": tmdb_id,
        "imdb_id": "tt0133093",
        "slug": "the-matrix",
        "original_title": "The Matrix",
        "original_language": "English",
        "synopsis": "Set in the 22nd century.",
        "tagline": "Welcome to the Real World.",
        "status": "Released",
        "release_date": "1999-03-31",
        "runtime_minutes": 136,
        "budget": 63_000_000,
        "revenue": 463_517_383,
        "popularity": 83.25,
        "mpaa_rating": "R",
        "main_poster": "https://image.tmdb.org/t/p/w500/poster.jpg",
        "main_backdrop": "https://image.tmdb.org/t/p/w1280/backdrop.jpg",
        "screenshots": [],
        "trailer_url": "https://www.youtube.com/watch?v=vKQi3bBA1y8",
        "cast": [6384],
        "crew": [9340],
        "directors": [9340],
        "genres": [28],
        "keywords": [310],
        "production_studio": [79],
        "country": ["United States of America"],
        "language": ["English"],
        "mood": [],
        "belong_to_collection": {
            "id": 2344,
            "name": "The Matrix Collection",
            "poster_path": "/collection.jpg",
            "backdrop_path": None,
        },
        "vote_count_system": dict.fromkeys(SYSTEMS) | {"tmdb": 26_000},
        "vote_pts_system": dict.fromkeys(SYSTEMS) | {"tmdb": 8.2},
        "created_at": "2025-01-01T00:00:00.000Z",
        "updated_at": "2025-01-01T00:00:00.000Z",
        "tmdb_data_imported_at": "2025-01-01T00:00:00.000Z",
    } | fields


def without(document: Document, *names: str) -> Document:
    """A document without some fields."""
    return {name: value for name, value in document.items() if name not in names}


def staged(folder: Path, *payloads: Document, at: datetime = FETCHED) -> Stage:
    """A stage with these movies, added to what is there."""
    stage = Stage(folder, settings=Settings())
    rows = [(movie["id"], json.dumps(movie), at, STAGED) for movie in payloads]
    stage.store.add(pl.DataFrame(rows, PAYLOADS, orient="row"))
    return stage


@lru_cache
def _transformed(
    staged: tuple[tuple[int, str, datetime], ...],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows and payloads, as a stage hands them over."""
    payloads = pl.DataFrame(staged, without(PAYLOADS, "http_status"), orient="row")
    return transform.transform(payloads).rows.select(ROW.names()), payloads


class _Memory:
    """A folder in memory, as far as contracts need one."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def under(self, _: str) -> Self:
        return self

    def names_after(self, name: str) -> list[str]:
        return [found for found in self._files if found > name]

    def read(self, name: str) -> bytes:
        return self._files[name]

    def write(self, name: str, content: bytes) -> None:
        self._files[name] = content


class Shelf:
    """A stage in memory, as far as a push needs one; its tests are many, and files are slow."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._payloads: dict[int, tuple[str, datetime]] = {}
        self._imports = [IMPORTS.to_frame()]
        self.root = cast("Root", _Memory())
        self.store = self  # one object has both faces of a stage
        self.own = self  # which has no fields of its own

    def put(self, *payloads: Document, at: datetime = FETCHED) -> Self:
        """Stage movies."""
        for movie in payloads:
            self._payloads.pop(movie["id"], None)
            self._payloads[movie["id"]] = (json.dumps(movie), at)
        return self

    def read(self) -> OwnValues:
        """The fields of a user's own: none."""
        return OwnValues((), pl.DataFrame(schema={"tmdb_id": pl.Int64}))

    def ids(self) -> set[int]:
        """The ids that are staged."""
        return set(self._payloads)

    def batches(
        self, tmdb_ids: Iterable[int] | None = None, *, size: int
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Rows and payloads of some movies at a time."""
        wanted = self.ids() if tmdb_ids is None else set(tmdb_ids)
        staged = [(n, *entry) for n, entry in self._payloads.items() if n in wanted]
        for start in range(0, len(staged), size):
            yield _transformed(tuple(staged[start : start + size]))

    def earlier(self, _: Collection[int]) -> dict[int, list[Document]]:
        """What TMDB gave of movies before: nothing."""
        return {}

    def look_up(self, names: Sequence[str]) -> pl.DataFrame:
        """Columns of the flat table: of no movie, so that nothing is wrong."""
        return flat(transform.ROWS.to_frame()).select(names)

    def for_errors(self, names: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """The same, and the ratings of all systems: none."""
        return self.look_up(names), RATINGS.to_frame(), RATINGS.to_frame()

    def ratings(self) -> pl.DataFrame:
        """The ratings of all systems, and which count: none."""
        return pl.DataFrame(schema={**RATINGS, "chosen": pl.Boolean})

    def decisions(self) -> pl.DataFrame:
        """What people decided: nothing."""
        return DECISIONS.to_frame()

    def now(self) -> datetime:
        """The time of day."""
        return NOW

    def add_imports(self, rows: pl.DataFrame) -> None:
        """Log outcomes."""
        self._imports.append(rows)

    def imports(self) -> pl.DataFrame:
        """The import log."""
        return read(self._logged())

    def unsettled(self) -> pl.DataFrame:
        """The same of movies with a change of which it is not known if it went."""
        return unsettled(self._logged())

    def _logged(self) -> pl.LazyFrame:
        return pl.concat(self._imports, how="diagonal_relaxed").lazy()


def push(stage: Stage | Shelf, target: Target, *, at: datetime = NOW, **options: Any) -> PushResult:
    """Push at a fixed time, with the default form of images."""
    options.setdefault("images", ImageForm())
    return workflows.push(
        cast("Stage", stage), target, progress=Silent(), now=lambda: at, **options
    )


def planned_by(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Plan and send so many movies at a time."""
    for module in (workflows.run, workflows.outgoing):
        monkeypatch.setattr(module, "CHUNK", size)


def counts(result: PushResult) -> dict[str, int]:
    """What a push came to, as far as it came to anything."""
    named = {n: c for n, c in result.counts().items() if n != "batches" and isinstance(c, int)}
    return {name: count for name, count in named.items() if count}


def outcome(result: PushResult, tmdb_id: int = 603) -> tuple[str, str]:
    """What became of one movie, and why."""
    (row,) = result.outcomes.filter(pl.col("tmdb_id") == tmdb_id).rows(named=True)
    return row["outcome"], row["reason"]


def deployment(
    url: str, key: str = "dev:tmdbkit-tests|0123456789abcdef", time: FakeTime | None = None
) -> ConvexDeployment:
    """A deployment whose waits take no time."""
    time = time or FakeTime()
    return ConvexDeployment(
        url, key, settings=Settings(), sleep=time.sleep, clock=time.clock, jitter=lambda: 1.0
    )


def own(document: Document) -> Document:
    """A document without the fields that Convex adds."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


class Bench:
    """A target, and what somebody else does to it."""

    target: Target

    def plant(self, *movies: Document) -> None:
        """Let there be movies, as somebody else made them."""
        raise NotImplementedError

    def table(self, name: str) -> list[Document]:
        """All of a table, without Convex's own fields."""
        raise NotImplementedError

    def change(self, tmdb_id: int = 603, **fields: Any) -> None:
        """Change a movie, as somebody else would."""
        change = {"tmdb_id": tmdb_id, "expected": {}, "absent": [], "set": fields, "unset": []}
        (answer,) = self.target.apply_movies([change])
        assert answer["outcome"] == "updated"

    def remove(self, tmdb_id: int = 603) -> None:
        """Delete a movie, as somebody else would."""
        change = {"tmdb_id": tmdb_id, "expected": self.movie(tmdb_id), "delete": True}
        (answer,) = self.target.apply_movies([change])
        assert answer["outcome"] == "deleted"

    def movie(self, tmdb_id: int = 603) -> Document:
        """One movie."""
        (found,) = [row for row in self.table("movies") if row["tmdb_id"] == tmdb_id]
        return found


class SnapshotBench(Bench):
    """The embedded target."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "snapshot.zip"
        self.target = self.snapshot = ConvexSnapshot(self.path)

    def plant(self, *movies: Document) -> None:
        rows = [*self.table("movies"), *movies]
        with zipfile.ZipFile(self.path, "w") as archive:
            archive.writestr("movies/documents.jsonl", "\n".join(map(json.dumps, rows)))
        self.target = self.snapshot = ConvexSnapshot(self.path)

    def knows(self, contract: Contract) -> None:
        self.target = self.snapshot = ConvexSnapshot(self.path, contract=contract)

    def table(self, name: str) -> list[Document]:
        return [dict(row) for row in self.snapshot.table(name)]


class DeploymentBench(Bench):
    """A deployment over HTTP."""

    def __init__(self, backend: ConvexBackend) -> None:
        self.backend = backend
        self.target = deployment(backend.url, backend.key)

    def plant(self, *movies: Document) -> None:
        self.backend.insert("movies", *movies)

    def table(self, name: str) -> list[Document]:
        return [own(document) for document in self.backend.dump(name)]
