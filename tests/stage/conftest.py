"""Small payloads, frames of them, and a session against a look-alike of TMDB."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.object_store import object_store
from tests.servers.tmdb import TOKEN
from tmdbkit import Settings, Stage, TMDBSession
from tmdbkit.settings import Secret
from tmdbkit.stage.decisions import decision, field_named
from tmdbkit.stage.derived import TAG
from tmdbkit.stage.fitting import fitting
from tmdbkit.stage.tables import PAYLOADS, STAGED
from tmdbkit.transform import STORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.object_store import ObjectStoreServer
    from tests.servers.tmdb import TMDBProcess, TMDBServer

    Connect = Callable[..., TMDBSession]

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = tuple(f"Person {number}" for number in range(1, 46))
PREFIX = "https://image.tmdb.org/t/p"
SURROUNDINGS = ("TMDB", "CONVEX", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own settings reaches a test."""
    for name in os.environ:
        if name.upper().startswith(SURROUNDINGS):
            monkeypatch.delenv(name)


def payload(tmdb_id: int, title: str | None = None, **more: Any) -> str:
    """A small payload, as TMDB would send it."""
    return json.dumps({"id": tmdb_id, "title": title or f"Movie {tmdb_id}", **more})


def people(*cast: str, director: str = "") -> dict[str, Any]:
    """A payload's credits: ids count from 1."""
    crew = [{"id": 99, "name": director, "job": "Director"}] if director else []
    roles = [{"id": n, "name": name, "order": n} for n, name in enumerate(cast, 1)]
    return {"cast": roles, "crew": crew}


def released(**certified: str) -> dict[str, Any]:
    """A payload's release dates: what each region certified for theaters."""
    dates = {region: [{"certification": word, "type": 3}] for region, word in certified.items()}
    entries = [{"iso_3166_1": region, "release_dates": some} for region, some in dates.items()]
    return {"results": entries}


def answers(*rows: tuple[int, str, datetime] | tuple[int, str, datetime, int]) -> pl.DataFrame:
    """A frame of answers; those without a status are good ones."""
    whole = [row if len(row) == 4 else (*row, STAGED) for row in rows]
    return pl.DataFrame(whole, PAYLOADS, orient="row")


def movies(*tmdb_ids: int, at: datetime = T0) -> pl.DataFrame:
    """A frame of good answers with the titles `Movie 1`, `Movie 2`."""
    return answers(*((tmdb_id, payload(tmdb_id), at) for tmdb_id in tmdb_ids))


def titles(stage: Stage) -> dict[int, str]:
    """The staged titles by id."""
    return dict(stage.movies().select("tmdb_id", "title").rows())


def correct(stage: Stage, field: str, value: Any, tmdb_id: int = 1) -> str:
    """Let a person set a value by hand, and return the decision's name."""
    name = token_hex(8)
    field = field_named(field)
    fits = fitting(field, value)
    made = decision(
        tmdb_id,
        "override",
        name=name,
        by="ann",
        at=datetime.now(UTC),
        field=field,
        value=fits,
    )
    stage.store.add_decisions(made)
    return name


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage with nothing in it, whatever the environment says."""
    return Stage(tmp_path / "stage", settings=Settings())


@pytest.fixture
def full(stage: Stage) -> Stage:
    """A movie with all that a setting chooses from, fetched twice, and one without any of it."""
    more = {
        "credits": people(*NAMES),
        "poster_path": "/p.jpg",
        "backdrop_path": "/b.jpg",
        "release_dates": released(US="R", DE="16", FR="12"),
    }
    stage.store.add(answers((1, payload(1, "Before", **more), T0), (2, payload(2), T0)))
    changed = {**more, "release_dates": released(US="PG", DE="6")}
    stage.store.add(answers((1, payload(1, **changed), T0 + timedelta(days=1))))
    return stage


@pytest.fixture
def eventful(full: Stage) -> Stage:
    """Drops, malformed payloads, missing ids; some of it merged."""
    full.store.add(answers((3, "{", T0), (4, payload(4), T0), (5, "", T0, 404)))
    full.compact(now=T0)
    full.drop([4], now=T0)
    full.store.add(answers((6, payload(6), T0), (1, "{", T0)))
    return full


def reopened(stage: Stage, **changes: Any) -> Stage:
    """The same folder, as the next process opens it."""
    return Stage(stage.store.root.folder, settings=replace(Settings(), **changes))


def results(stage: Stage) -> list[object]:
    """All that is read of a stage which rows have a part in."""
    frames = (
        stage.movies,
        stage.table,
        stage.failures,
        stage.missing,
        stage.ratings,
        stage.store.movies.as_of,
    )
    texts = [frame().write_json() for frame in frames]
    batches = [rows.write_json() for rows, _ in stage.store.batches(size=2)]
    return [texts, batches, sorted(stage.ids()), stage.status(), stage.history(1).write_json()]


def let_rows_be_old(stage: Stage) -> None:
    """Let all rows be such as an older tmdbkit made, with other columns, or none that are right."""
    log = stage.store.movies.derived.log
    for part in log.parts():
        log.append(STORED.to_frame(), name=part, tags={TAG: "2/url/w500/w1280/10/US"})


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Open sessions that wait for nothing: `connect(server)`."""
    opened: list[TMDBSession] = []

    def connect(
        server: TMDBServer | TMDBProcess, *, token: str = TOKEN, **more: Any
    ) -> TMDBSession:
        settings = Settings(
            tmdb_base_url=server.base_url,
            tmdb_token=Secret(token),
            cache=tmp_path / "cache",
            rate=1e6,
        )
        no_waits: dict[str, Any] = {"sleep": lambda _: None, "jitter": lambda: 0.0}
        session = TMDBSession(settings, **{**no_waits, **more})
        opened.append(session)
        return session

    yield connect
    for session in opened:
        session.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[ObjectStoreServer]:
    """One S3 server for all tests; each has a bucket of its own."""
    with object_store() as server:
        yield server


@pytest.fixture
def bucket(s3: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a new bucket, which this process and its children can speak to."""
    for name, text in s3.environment.items():
        monkeypatch.setenv(name, text)
    return s3.bucket(f"tmdbkit-{token_hex(6)}")
