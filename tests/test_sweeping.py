"""What killed writers leave behind goes, once no living one can own it; and temporary folders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.convex.bench import movie, payload, push, staged
from tests.convex.test_snapshot import export
from tests.servers.datasets import DatasetServer, tsv
from tests.servers.tmdb import TMDBServer, export_of
from tmdbkit import ConvexSnapshot, Settings
from tmdbkit.files import atomic_write, sweep, write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.once

HOUR = 3600


def left(path: Path, *, hours: float = 2) -> Path:
    """What a writer of a file left when it was killed, so many hours ago."""
    aside = path.with_name(f".{path.name}.0badcafe.tmp")
    aside.parent.mkdir(parents=True, exist_ok=True)
    aside.write_bytes(b"half")
    at = time.time() - hours * HOUR
    os.utime(aside, (at, at))
    return aside


def test_what_nobody_touched_for_an_hour_goes(tmp_path: Path) -> None:
    old, fresh = left(tmp_path / "a.json"), left(tmp_path / "b.json", hours=0.5)
    sweep(tmp_path)
    assert (old.exists(), fresh.exists()) == (False, True)
    sweep(tmp_path, now=datetime.now(UTC) + timedelta(hours=1))
    assert not fresh.exists()


@pytest.mark.parametrize(
    "name",
    [
        "plan.json",
        ".plan.json",
        ".plan.json.tmp",
        "plan.json.0badcafe.tmp",
        ".plan.json.0badcafe",
        ".plan.json.notahex8.tmp",
        ".plan.json.0badcafe.tmp.txt",
        ".0badcafe.tmp",
    ],
)
def test_a_users_file_stays(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("mine")
    os.utime(file, (0, 0))
    sweep(tmp_path)
    assert file.read_text() == "mine"


def test_a_folder_or_a_link_of_such_a_name_stays(tmp_path: Path) -> None:
    folder, link = tmp_path / ".a.0badcafe.tmp", tmp_path / ".b.0badcafe.tmp"
    folder.mkdir()
    link.symlink_to(folder)
    sweep(tmp_path, now=datetime.now(UTC) + timedelta(days=9))
    assert folder.is_dir()
    assert link.is_symlink()


def test_a_folder_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    sweep(tmp_path / "none")


def test_where_a_user_has_files_only_what_is_of_that_file_goes(tmp_path: Path) -> None:
    own, other = left(tmp_path / "plan.json"), left(tmp_path / "other.json")
    write_text(tmp_path / "plan.json", "{}")
    assert (own.exists(), other.exists()) == (False, True)


def test_whoever_writes_for_long_keeps_the_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a") as aside:
        aside.write_text("a")
        sweep(tmp_path)
        assert aside.exists()


@pytest.mark.parametrize("name", ["prod.zip", "prod.export.zip", "prod.import.zip"])
def test_a_push_sweeps_beside_its_snapshot(tmp_path: Path, name: str) -> None:
    path = tmp_path / "prod.zip"
    export(path, movie())
    aside, others = left(tmp_path / name), left(tmp_path / "mine.zip")
    push(staged(tmp_path / "s", payload(tagline="New")), ConvexSnapshot(path))
    assert (aside.exists(), others.exists()) == (False, True)


def test_a_compaction_sweeps_the_stage(tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload())
    asides = [left(tmp_path / "s" / name) for name in ("stage.json", "assessed/table.parquet")]
    stage.compact()
    assert not any(aside.exists() for aside in asides)


def _imdb(cache: Path) -> None:
    from tmdbkit.ratings.imdb import IMDb

    with DatasetServer(tsv([("tt0133093", 8.7, 9)])) as server:
        settings = replace(Settings(), cache=cache, imdb_datasets_url=server.url)
        with IMDb(settings) as provider:
            list(provider.collect(pl.DataFrame({"tmdb_id": [603], "imdb_id": ["tt0133093"]})))


def _exports(cache: Path) -> None:
    from tmdbkit.tmdb.export import Exports

    day = date(2026, 1, 15)
    with TMDBServer(exports={str(day): export_of((603, 80.0))}) as server:
        settings = replace(Settings(), cache=cache, tmdb_exports_url=server.exports_url)
        with Exports(settings) as exports:
            exports.of(day)


@pytest.mark.parametrize(("folder", "download"), [("imdb", _imdb), ("exports", _exports)])
def test_a_download_sweeps_what_downloads_of_other_days_left(
    tmp_path: Path, folder: str, download: Callable[[Path], None]
) -> None:
    aside = left(tmp_path / folder / "movie_ids_01_01_2025.json.gz")
    download(tmp_path)
    assert [path for path in (tmp_path / folder).iterdir() if path.name.startswith(".")] == []
    assert not aside.exists()


# Temporary folders.

SCRIPT = """
import gc, os, tmdbkit
from tmdbkit.demo import sample_exports, sample_session
rows = tmdbkit.sample().scan()
gc.collect()
assert rows.collect().height > 50  # nobody holds the stage any more
if os.fork() == 0:
    raise SystemExit
os.wait()
assert rows.collect().height > 50
session, exports = sample_session(), sample_exports()
assert len(os.listdir(os.environ["TMPDIR"])) == 3
"""


def test_temporary_folders_are_there_until_python_ends_and_then_gone(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
