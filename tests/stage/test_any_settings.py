"""One stage, any settings: they are applied where rows are read."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit import ConvexSnapshot, push
from tmdbkit.images import image_path
from tmdbkit.schema import ROW
from tmdbkit.transform import Options, transform

from .conftest import (
    NAMES,
    PREFIX,
    T0,
    answers,
    let_rows_be_old,
    movies,
    payload,
    people,
    released,
    reopened,
    results,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit import Stage

pytestmark = pytest.mark.once

ANY: list[dict[str, Any]] = [
    {},
    {"cast": 0, "images": "path", "region": "DE"},
    {"cast": 15, "poster_size": "w92", "region": "FR"},
    {"cast": 500, "backdrop_size": "w300", "region": "XX"},
]


def files(stage: Stage) -> dict[Path, int]:
    """The files of rows, and which they are: a file that is written again is another one."""
    assert stage.store.root.folder is not None
    return {path: path.stat().st_ino for path in (stage.store.root.folder / "movies").iterdir()}


@pytest.mark.parametrize("changes", ANY)
def test_a_stage_has_the_rows_that_the_transform_makes_with_its_settings(
    full: Stage, changes: dict[str, Any]
) -> None:
    made = transform(full.payloads(), Options(**changes)).rows.select(ROW.names())
    stage = reopened(full, **changes)
    assert stage.movies().equals(made)
    assert stage.scan().sort("tmdb_id").collect().equals(made)
    batches = pl.concat(rows for rows, _ in stage.store.batches(size=1))
    assert batches.sort("tmdb_id").equals(made)


def test_each_who_reads_sees_what_their_own_settings_say(full: Stage) -> None:
    def seen(stage: Stage) -> list[Any]:
        card = stage[1].row
        drift = stage.drift(T0).filter(field="mpaa_rating").select("old", "new").rows()
        return [
            len(card["cast"]),
            card["mpaa_rating"],
            card["main_poster"],
            stage.table()["mpaa_rating"].to_list(),
            stage.find("Person 12").height,
            stage.history(1)["mpaa_rating"].to_list(),
            drift,
        ]

    of_us = [10, "PG", f"{PREFIX}/w500/p.jpg", ["PG", ""], 0, ["R", "PG"], [("R", "PG")]]
    of_de = [12, "6", "/p.jpg", ["6", ""], 1, ["16", "6"], [("16", "6")]]
    other = reopened(full, cast=12, images="path", region="DE")
    assert [seen(stage) for stage in (full, other, full)] == [of_us, of_de, of_us]


def test_an_open_stage_keeps_to_its_settings_whatever_others_read(full: Stage) -> None:
    opened = [reopened(full, **changes) for changes in ANY]
    before = [stage.movies() for stage in opened]
    for changes in ANY:  # as other commands, with other settings
        reopened(full, **changes).table()
    assert all(old.equals(stage.movies()) for old, stage in zip(before, opened, strict=True))


def test_a_push_sends_its_own_stage_s_cast_and_images_whatever_others_read(
    full: Stage, tmp_path: Path
) -> None:
    stage = reopened(full, cast=2, images="path", region="DE")
    stage.movies()
    reopened(full).movies()
    target = ConvexSnapshot(tmp_path / "snapshot")
    assert push(stage, target).created == 2
    [sent] = [row for row in target.table("movies") if row["tmdb_id"] == 1]
    told = (sent["cast"], sent["main_poster"], sent["mpaa_rating"])
    assert told == ([1, 2], "/p.jpg", "6")


def test_settings_never_make_each_other_s_rows_again(full: Stage) -> None:
    before = files(full)
    for changes in ANY:
        assert reopened(full, **changes).store.derive_all() == 0
        reopened(full, **changes).table()
    assert files(full) == before


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 21, 44, 45, 46, 500])
def test_as_many_of_the_cast_as_are_wanted_come_in_order_with_their_names(
    full: Stage, count: int
) -> None:
    stage = reopened(full, cast=count)
    assert stage.movies()["cast"].to_list() == [[*range(1, 46)][:count], []]
    assert stage.table()["cast"].to_list() == [[*NAMES][:count], []]


@pytest.mark.parametrize("place", [0, 9, 10, 19, 20, 24])
def test_who_has_no_name_has_an_id_and_a_place_all_the_same(stage: Stage, place: int) -> None:
    credited = people(*NAMES[:25])
    credited["cast"][place]["name"] = None
    stage.store.add(answers((1, payload(1, credits=credited), T0)))
    named = [name for name in NAMES[:25] if name != NAMES[place]]
    for count in (place, place + 1, 25):
        other = reopened(stage, cast=count)
        assert other.movies()["cast"].to_list() == [[*range(1, count + 1)]]
        assert other.table()["cast"].to_list() == [[n for n in NAMES[:count] if n in named]]


@pytest.mark.parametrize(
    ("region", "rating"),
    [("US", "R"), ("us", "R"), ("De", "16"), ("XX", ""), ("", ""), (".*", ""), ("U.", "")],
)
def test_a_region_is_known_in_any_case_and_an_unknown_one_certifies_nothing(
    stage: Stage, region: str, rating: str
) -> None:
    stage.store.add(answers((1, payload(1, release_dates=released(US="R", DE="16")), T0)))
    assert reopened(stage, region=region).movies()["mpaa_rating"].to_list() == [rating]


@pytest.mark.parametrize(
    ("code", "certification", "rating"),
    [
        ("US", "R\nDE=16", "R DE=16"),
        ("US\nDE=16\nUS", "R", ""),
        ("US=R", "18", ""),
        (None, "R", ""),
        ("US", "a=b", "a=b"),
    ],
)
def test_no_oddity_of_one_region_is_taken_for_another_s(
    stage: Stage, code: str | None, certification: str, rating: str
) -> None:
    dates = [{"certification": certification, "type": 3}]
    results = [{"iso_3166_1": code, "release_dates": dates}]
    stage.store.add(answers((1, payload(1, release_dates={"results": results}), T0)))
    found = [reopened(stage, region=region).movies()["mpaa_rating"][0] for region in ("US", "DE")]
    assert found == [rating, ""]


def test_four_settings_read_in_two_threads_at_once_each_get_their_own(full: Stage) -> None:
    let_rows_be_old(full)  # so that all make the same files, at once
    stages = [reopened(full, **changes) for changes in ANY]

    def read(stage: Stage) -> list[pl.DataFrame]:
        return [stage.movies() for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(read, stages * 2))
    made = [transform(full.payloads(), Options(**changes)).rows for changes in ANY] * 2
    for frames, rows in zip(found, made, strict=True):
        assert all(frame.equals(rows.select(ROW.names())) for frame in frames)


COMPACTS = """
import sys
from tests.stage.conftest import T0, movies
from tmdbkit import Settings, Stage

stage = Stage(sys.argv[1], settings=Settings(cast=3, region="DE"))
for number in range(100, 110):
    stage.store.add(movies(number))
    stage.compact(now=T0)
    stage.table()
"""


def test_a_compaction_by_another_process_with_other_settings_changes_nothing(full: Stage) -> None:
    command = [sys.executable, "-c", COMPACTS, str(full.store.root.folder)]
    other = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    stage = reopened(full, cast=500, images="path")
    expected = transform(full.payloads(), Options(cast=500, images="path")).rows
    reads = 0
    while other.poll() is None or not reads:
        found = stage.movies().filter(pl.col("tmdb_id") < 100)
        assert found.equals(expected.select(ROW.names()))
        reads += 1
    assert other.returncode == 0
    assert len(stage) == 12


# No file of rows is needed.


@pytest.mark.parametrize("at_once", [1, pytest.param(2, marks=pytest.mark.large), None])
@pytest.mark.parametrize("opened", ["before", "after"])
def test_whichever_files_of_rows_are_gone_all_results_are_as_before(
    eventful: Stage, opened: str, at_once: int | None
) -> None:
    before = results(eventful)
    every = sorted(files(eventful))
    assert len(every) > 4
    for gone in combinations(every, at_once or len(every)):
        for path in gone:
            path.unlink(missing_ok=True)
        stage = eventful if opened == "before" else reopened(eventful)
        assert results(stage) == before, gone


def shortened(content: bytes) -> bytes:
    return content[: len(content) // 2]


def of_others(content: bytes) -> bytes:
    return b"PAR1 and nothing that is Parquet PAR1"


@pytest.mark.parametrize("spoil", [shortened, of_others, lambda _: b""])
@pytest.mark.parametrize("opened", ["before", "after"])
def test_rows_that_are_spoiled_are_made_again(
    eventful: Stage, opened: str, spoil: Callable[[bytes], bytes]
) -> None:
    before = results(eventful)
    for path in files(eventful):
        path.write_bytes(spoil(path.read_bytes()))
    stage = eventful if opened == "before" else reopened(eventful)
    assert results(stage) == before


def test_rows_that_another_tmdbkit_made_anew_meanwhile_are_noticed(eventful: Stage) -> None:
    before = results(eventful)
    let_rows_be_old(eventful)
    assert results(eventful) == before


def test_batches_go_on_though_the_rows_are_deleted_meanwhile(stage: Stage) -> None:
    for number in range(1, 5):
        stage.store.add(movies(number))
    seen = []
    for rows, _ in stage.store.batches(size=1):
        seen += rows["tmdb_id"].to_list()
        for path in files(stage):
            path.unlink()
    assert seen == [1, 2, 3, 4]


def test_images_of_any_settings_are_of_one_path(full: Stage) -> None:
    for size in ("w92", "w780", "original"):
        [found, none] = reopened(full, poster_size=size).movies()["main_poster"]
        assert (found, none) == (f"{PREFIX}/{size}/p.jpg", None)
        assert image_path(found) == "/p.jpg"
