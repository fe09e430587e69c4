"""The sample that comes with tmdbkit, and the corridor walked with it from end to end."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.convex.snapshot import ConvexSnapshot
from tmdbkit.exceptions import UsageError
from tmdbkit.files import atomic_write, make_folder
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.settings import Settings
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.marker import Marker
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.storage import root_of
from tmdbkit.stage.tables import PAYLOADS, STAGED
from tmdbkit.tmdb.client import movie_request
from tmdbkit.tmdb.export import Exports, file_name
from tmdbkit.tmdb.session import TMDBSession
from tmdbkit.workflows import push, stage_movies

if TYPE_CHECKING:
    from tmdbkit.convex.results import PushResult
    from tmdbkit.fetch.staging import StageResult
    from tmdbkit.progress import Progress

RECORDED_AT = datetime(2026, 1, 15, tzinfo=UTC)  # the sample's payloads are of that winter
SEEN_AT = datetime(2026, 1, 20, tzinfo=UTC)  # its own present, or it would be stale by and by
SHOWN = 155  # a film that all five systems rate
EXPORTED_ON = (date(2026, 1, 14), date(2026, 1, 15))


@dataclass(frozen=True)
class Demo:
    """What the demo did, and where."""

    folder: Path
    session: str
    staged: StageResult
    stage: Stage
    pushed: PushResult
    snapshot: ConvexSnapshot


@checked
def sample(folder: str | Path | None = None) -> Stage:
    """Open a writable copy of the sample as a stage, offline.

    Args:
        folder: Where the copy goes; default a temporary folder, which is gone when Python ends.

    Raises:
        UsageError: The folder has something in it.

    Example:
        >>> stage = tmdbkit.sample()
        >>> stage[603].heading()
        'The Matrix (1999)'
    """
    if folder is None:
        home = _folder_until_the_end("tmdbkit-sample-")
    else:
        home = Path(folder).expanduser()
        if home.exists() and (not home.is_dir() or any(home.iterdir())):
            raise UsageError(f"{home} is not empty; name a new folder for the sample")
    stage = Stage(home, settings=Settings(), name="a copy of the sample", now=lambda: SEEN_AT)
    rows = [(tmdb_id, text, RECORDED_AT, STAGED) for tmdb_id, text in sample_payloads().items()]
    stage.store.add(pl.DataFrame(rows, PAYLOADS, orient="row"))
    stage.store.add_ratings(sample_ratings())
    shutil.copytree(shipped("sample") / "posters", home / "posters")
    return stage


def _folder_until_the_end(prefix: str) -> Path:
    """Make a temporary folder that goes when this process ends: a stage or frame may be in use."""
    home = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(_remove, home, os.getpid())
    return home


def _remove(home: Path, owner: int) -> None:
    if os.getpid() == owner:  # and no child of it, which is a copy of it
        shutil.rmtree(home, ignore_errors=True)


def sample_ratings() -> pl.DataFrame:
    """Return the sample's ratings, in `RATINGS`; the faults in them are listed in its README."""
    rows = pl.read_csv(
        shipped("sample") / "ratings.csv",
        schema_overrides={"points": pl.Float64, "votes": pl.Int64},
    ).with_columns(pl.col("fetched_at").str.to_datetime(time_zone="UTC"))
    of_each = rows.partition_by("provider", as_dict=True, maintain_order=True)
    return pl.concat([as_ratings(some, str(name)) for (name,), some in of_each.items()])


def planted_faults() -> pl.DataFrame:
    """Return `tmdb_id, rule, system`: which fault was planted where in the sample's ratings."""
    return pl.read_csv(shipped("sample") / "faults.csv")


def sample_table(name: str) -> Path:
    """Return one of the sample's tables of ratings whose columns are wrong; see its README."""
    return shipped("sample") / "tables" / f"{name}.csv"


def sample_payloads() -> dict[int, str]:
    """Return the sample's payloads as text, by id."""
    lines = (shipped("sample") / "movies.jsonl").read_text(encoding="utf-8").splitlines()
    return {int(json.loads(line)["id"]): line for line in lines}


def shipped(name: str) -> Path:
    """Return the folder of the `sample` or the `notebooks`: in a wheel inside of the package."""
    package = Path(__file__).parent
    in_wheel = package / f"_{name}"
    in_checkout = package.parent / {"sample": "data/sample", "notebooks": "notebooks"}[name]
    return in_wheel if in_wheel.is_dir() else in_checkout


def sample_session(folder: str | Path | None = None) -> TMDBSession:
    """Open an offline session whose cache has the answers for every movie of the sample.

    Args:
        folder: Where the cache goes; default a new temporary folder.

    Example:
        >>> with sample_session() as session:
        ...     tmdbkit.TMDBClient(session).movie(603)["title"]
        'The Matrix'
    """
    home = Path(folder) if folder else _folder_until_the_end("tmdbkit-cache-")
    return _remembering(TMDBSession(replace(Settings(), cache=home, offline=True)))


def _remembering(session: TMDBSession, received_at: datetime | None = None) -> TMDBSession:
    """Put the sample's answers into a session's cache, as received then; default now."""
    for tmdb_id, text in sample_payloads().items():
        path, params = movie_request(tmdb_id, session.settings)
        session.remember(path, params, text, received_at)
    return session


def sample_exports(folder: str | Path | None = None) -> Exports:
    """Open TMDB's exports of two days, cut down to the sample, offline.

    Args:
        folder: Where the cache goes; default a new temporary folder.

    Example:
        >>> sample_exports().latest()
        Export(2026-01-15, 99 movies)
    """
    home = Path(folder) if folder else _folder_until_the_end("tmdbkit-cache-")
    exports = Exports(replace(Settings(), cache=home, offline=True))
    for day in EXPORTED_ON:
        exports.remember(day, shipped("sample") / "exports" / file_name(day))
    return exports


def run_demo(folder: Path, *, progress: Progress | None = None) -> Demo:
    """Walk the sample through the offline session, the stage, the transform and a snapshot."""
    settings = replace(Settings(), cache=folder / "cache", offline=True)
    with _remembering(TMDBSession(settings, now=lambda: SEEN_AT), RECORDED_AT) as session:
        Marker(root_of(folder / "stage")).stand_still(SEEN_AT)
        stage = Stage(folder / "stage", settings=session.settings)
        staged = stage_movies(session, stage, sample_payloads(), progress=progress)
        if not stage.status()["rated"]:
            stage.store.add_ratings(sample_ratings())
        seen = repr(session)
    if not (folder / "stage" / "posters").exists():
        shutil.copytree(shipped("sample") / "posters", folder / "stage" / "posters")
    snapshot = ConvexSnapshot(folder / "snapshot")
    pushed = push(stage, snapshot, progress=progress)
    return Demo(folder, seen, staged, stage, pushed, snapshot)


def copy_gallery(folder: Path) -> list[Path]:
    """Copy the notebooks into a folder; those that are there already stay as they are."""
    make_folder(folder)
    copied = []
    for source in sorted(shipped("notebooks").glob("*.ipynb")):
        if not (folder / source.name).exists():
            with atomic_write(folder / source.name) as aside:
                shutil.copyfile(source, aside)
            copied.append(folder / source.name)
    return copied
