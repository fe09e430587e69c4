"""A stage of layout 1, whose merged parts are named by manifests beside them, is read as it was."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tmdbkit import Settings, Stage
from tmdbkit.stage import log as logs
from tmdbkit.stage.tables import DROPPED, FAILURES, MISSING, PAYLOADS

from .conftest import T0, payload, reopened, titles

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = T0 + 10 * DAY
Row = tuple[int, str, datetime, int]


def part(at: datetime, ending: str = "") -> str:
    return f"{at:%Y%m%dT%H%M%S%f}-0badcafe{ending}"


def answer(tmdb_id: int, title: str, at: datetime, status: int = 200) -> Row:
    text = payload(tmdb_id, title) if status == 200 else ""
    return (tmdb_id, text, at, status)


def written(stage: Stage, at: datetime, *rows: Row, ending: str = "", log: str = "payloads") -> str:
    """A part as layout 1 wrote it: no checksum, no part of each row."""
    folder = stage.store.root.folder / log
    folder.mkdir(parents=True, exist_ok=True)
    (stage.store.root.folder / "stage.json").write_text('{"layout": 1}')
    columns = PAYLOADS if log == "payloads" else FAILURES
    name = part(at, ending)
    frame = pl.DataFrame(list(rows), columns, orient="row").sort("tmdb_id")
    frame.write_parquet(folder / f"{name}.parquet")
    return name


def merged(
    stage: Stage, at: datetime, replaces: list[str], *rows: Row, log: str = "payloads"
) -> str:
    name = written(stage, at, *rows, ending="-merged", log=log)
    manifest = {"replaces": replaces, "at": at.isoformat()}
    (stage.store.root.folder / log / f"{name}.json").write_text(json.dumps(manifest))
    return name


@pytest.fixture
def old(stage: Stage) -> Stage:
    """Parts of 1 and 2 merged, then with 3; and 4 since."""
    rows = [answer(number, f"Movie {number}", T0 + number * HOUR) for number in range(1, 5)]
    names = [written(stage, row[2], row) for row in rows[:2]]
    first = merged(stage, rows[1][2], names, *rows[:2])
    third = written(stage, rows[2][2], rows[2])
    merged(stage, rows[2][2], [first, third], *rows[:3])
    written(stage, rows[3][2], rows[3])
    return reopened(stage)


def files(stage: Stage, log: str = "payloads") -> list[Path]:
    return sorted((stage.store.root.folder / log).iterdir())


def read(stage: Stage) -> list[int]:
    return sorted(stage.store.movies.payloads.scan().collect()["tmdb_id"])


def test_a_merged_part_hides_what_its_manifest_names(old: Stage) -> None:
    assert read(old) == list(old) == [1, 2, 3, 4]


def test_reading_changes_nothing_but_the_rows_that_are_made_from_it(old: Stage) -> None:
    before = {path: path.read_bytes() for path in files(old)}
    assert old.movies().height == 4
    assert {path: path.read_bytes() for path in files(old)} == before
    assert json.loads((old.store.root.folder / "stage.json").read_text()) == {"layout": 1}


@pytest.mark.parametrize("change", ["compact", "append", "drop"])
def test_what_an_older_tmdbkit_would_misread_makes_it_a_stage_of_today(
    old: Stage, change: str
) -> None:
    if change == "drop":
        old.drop([1])
    elif change == "append":
        old.store.append(pl.DataFrame([answer(6, "Six", T0)], PAYLOADS, orient="row"))
    else:
        old.compact(now=NOW)
    assert json.loads((old.store.root.folder / "stage.json").read_text()) == {"layout": 2}


def test_a_compaction_folds_it_in_and_the_manifests_go(old: Stage) -> None:
    old.compact(now=NOW)
    assert len(old.store.movies.payloads.parts()) == 1
    old.compact(now=NOW + DAY)
    [left] = files(old)
    assert read(old) == list(reopened(old)) == [1, 2, 3, 4]
    assert left.suffix == ".parquet"


def test_a_full_merged_part_is_folded_in_too(old: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FULL", 1)
    for day in range(3):
        old.compact(now=NOW + day * DAY)
        assert read(old) == [1, 2, 3, 4]
    assert {path.suffix for path in files(old)} == {".parquet"}
    assert len(files(old)) == 2


def test_whatever_files_are_deleted_nothing_is_lost_that_stands_in_another(
    old: Stage, tmp_path: Path
) -> None:
    names = [path.name for path in files(old)]
    held = {
        path.name: set(pl.read_parquet(path)["tmdb_id"])
        for path in files(old)
        if path.suffix == ".parquet"
    }
    for number, going in enumerate(product([False, True], repeat=len(names))):
        left = [name for name, gone in zip(names, going, strict=True) if not gone]
        folder = tmp_path / str(number) / "payloads"
        folder.mkdir(parents=True)
        for name in left:
            shutil.copy(old.store.root.folder / "payloads" / name, folder)
        some = Stage(folder.parent, settings=Settings())
        expected = set[int]().union(*(held.get(name, set()) for name in left))
        assert set(read(some)) == expected
        for day in range(2):
            some.store.movies.payloads.compact(NOW + day * DAY)
            assert read(some) == sorted(expected)  # once each, whatever was there twice


def test_a_manifest_that_cannot_be_read_hides_nothing(old: Stage) -> None:
    for path in files(old):
        if path.suffix == ".json":
            path.write_text("{")
    assert list(reopened(old)) == [1, 2, 3, 4]


def test_of_rows_that_were_merged_the_newest_by_its_time_counts(stage: Stage) -> None:
    rows = [answer(1, "new", T0 + HOUR), answer(1, "old", T0), answer(2, "Two", T0)]
    merged(stage, T0 + HOUR, [], *rows)
    assert titles(reopened(stage)) == {1: "new", 2: "Two"}
    reopened(stage).compact(now=NOW)
    stage.store.add(pl.DataFrame([answer(2, "Later", T0)], PAYLOADS, orient="row"))
    stage.compact(now=NOW)
    assert titles(reopened(stage)) == {1: "new", 2: "Later"}


def test_a_movie_that_came_back_after_its_drop_is_there_though_it_came_from_the_cache(
    stage: Stage,
) -> None:
    written(stage, T0, answer(1, "Movie 1", T0), answer(2, "Movie 2", T0))
    drops = [(n, "", T0 + 2 * HOUR, DROPPED) for n in (1, 2)]
    merged(stage, T0 + 3 * HOUR, [], *drops, answer(1, "again", T0))
    for hour in range(2):
        assert titles(reopened(stage)) == {1: "again"}
        reopened(stage).compact(now=NOW + hour * HOUR)


def test_failures_and_answers_that_were_merged_are_told_apart_by_their_times(stage: Stage) -> None:
    failures = [(n, "answered 500", True, 4, 500, T0 + 2 * HOUR) for n in (1, 2)]
    merged(stage, T0 + 9 * HOUR, [], *failures, log="failures")  # type: ignore[arg-type]
    none = (2, "", T0 + 3 * HOUR, MISSING)
    merged(stage, T0 + 8 * HOUR, [], answer(1, "Movie 1", T0 + HOUR), none)
    assert reopened(stage).failures()["tmdb_id"].to_list() == [1]
    stage.compact(now=NOW)
    assert reopened(stage).failures()["tmdb_id"].to_list() == [1]
