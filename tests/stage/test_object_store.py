"""A stage whose root is an address: as one in a folder, against a real S3 server."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.servers.tmdb import TMDBServer
from tmdbkit import ConvexSnapshot, Settings, Stage, check, push, stage_movies
from tmdbkit.cli.main import main
from tmdbkit.exceptions import StageError
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.decisions import decision
from tmdbkit.stage.foreign import reading
from tmdbkit.stage.log import Log
from tmdbkit.stage.storage import root_of, said_in_one_line

from .conftest import T0, let_rows_be_old, movies, titles
from .test_stage import WRITER

if TYPE_CHECKING:
    from .conftest import Connect

pytestmark = pytest.mark.once

COLUMNS = pl.Schema({"tmdb_id": pl.Int64(), "name": pl.String()})
DAY = timedelta(hours=24)


@pytest.fixture
def stage(bucket: str) -> Stage:
    return Stage(f"{bucket}/movies/stage one", settings=Settings())


@pytest.fixture
def log(bucket: str) -> Log:
    return Log(root_of(f"{bucket}/log"), COLUMNS)


def rows(*tmdb_ids: int) -> pl.DataFrame:
    return pl.DataFrame({"tmdb_id": tmdb_ids, "name": [f"row {n}" for n in tmdb_ids]}, COLUMNS)


def ids(log: Log) -> list[int]:
    return log.scan().collect()["tmdb_id"].to_list()


def names(log: Log) -> set[str]:
    return {entry.name for entry in log.root.entries()}


# The log.


def test_parts_are_objects_and_are_read_in_their_order(log: Log) -> None:
    parts = [log.append(rows(number)) for number in (3, 1, 2)]
    assert log.parts() == parts
    assert names(log) == {f"{part}.parquet" for part in parts}
    assert log.scan().collect().rows() == [
        (number, f"row {number}", part) for number, part in zip((3, 1, 2), parts, strict=True)
    ]


def test_a_part_carries_its_tags_there_too(log: Log) -> None:
    part = log.append(rows(1), tags={"made by": "1"})
    assert log.tag(part, "made by") == "1"
    assert log.tag("20990101T000000000000-0badcafe", "made by") is None


def test_a_log_without_parts_has_its_schema(log: Log) -> None:
    assert log.parts() == []
    assert log.scan().collect().schema == {**COLUMNS, "part": pl.String()}


def test_a_compaction_replaces_parts_at_one_moment_and_sweeps_them_a_day_later(log: Log) -> None:
    listed = [log.append(rows(number)) for number in (1, 2, 3)]
    now = datetime.now(UTC)
    assert log.compact(now) == 3
    assert ids(log) == [1, 2, 3]
    assert log.scan(listed).collect().height == 3  # whoever had listed them
    log.compact(now + DAY)
    [part] = log.parts()
    assert names(log) == {f"{part}.parquet"}


def test_a_source_goes_only_where_what_replaced_it_is_whole(log: Log) -> None:
    parts = [log.append(rows(number)) for number in (1, 2)]
    now = datetime.now(UTC)
    log.compact(now)
    [merged] = log.parts()
    content = log.root.read(f"{merged}.parquet")
    log.root.write(f"{merged}.parquet", content[:40] + bytes([content[40] ^ 1]) + content[41:])
    log.compact(now + DAY)
    assert log.all_parts() == {*parts, merged}
    log.root.remove(f"{merged}.parquet")
    assert ids(log) == [1, 2]


def test_a_new_object_comes_after_all_there_are_whatever_the_clock_says(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    monkeypatch.setattr("tmdbkit.stage.parts._now", lambda: now + 365 * DAY)
    first = log.append(rows(1))
    monkeypatch.setattr("tmdbkit.stage.parts._now", lambda: now)
    parts = [first, *(Log(log.root, COLUMNS).append(rows(number)) for number in (2, 3))]
    assert parts == sorted(parts) == log.parts()


def test_what_a_store_says_at_length_is_marked_where_it_is_cut() -> None:
    told = said_in_one_line(OSError(f"error sending a request {'again ' * 40}"))
    assert told.endswith("…")
    assert len(told) == 160


def test_a_damaged_object_is_one_clear_line_that_names_it(log: Log) -> None:
    part = log.append(rows(1))
    log.root.write(f"{part}.parquet", b"PAR1 and no more")
    with pytest.raises(StageError) as caught, reading(log.root):
        log.scan().collect()
    assert str(caught.value).startswith(f"{log.source(part)} cannot be read (")
    assert "\n" not in str(caught.value)


# The stage.


def test_what_is_staged_is_there_for_the_next_process(stage: Stage) -> None:
    stage.store.add(movies(603, 550))
    again = Stage(str(stage.store.root), settings=Settings())
    assert titles(again) == {550: "Movie 550", 603: "Movie 603"}
    assert again[603].row["title"] == "Movie 603"
    assert again.find("movie 550").height == 1
    assert repr(again) == f"staged: 2 movies\nfolder: {stage.store.root}"
    assert again.store.poster(603) is None


def test_rows_are_made_anew_where_the_transform_changed(stage: Stage) -> None:
    stage.store.add(movies(603))
    let_rows_be_old(stage)
    other = Stage(str(stage.store.root), settings=Settings())
    assert other.store.derive_all() == 1
    assert other.store.derive_all() == 0


def test_a_newer_layout_is_refused(stage: Stage) -> None:
    stage.store.root.write("stage.json", b'{"layout": 99}')
    with pytest.raises(StageError, match="newer tmdbkit"):
        Stage(str(stage.store.root), settings=Settings())


def test_staging_review_check_and_push_work_there(
    stage: Stage, connect: Connect, tmp_path: Path
) -> None:
    with TMDBServer(missing=[7], size=2_000) as server:
        result = stage_movies(connect(server), stage, range(1, 121))
    assert (result.staged, result.missing, len(stage)) == (119, 1, 119)
    assert check(stage).counts()["movies"] == 119
    queue = ReviewQueue(stage, by="ann")
    first = next(iter(queue)).tmdb_id
    queue.reject(first, note="no")
    assert Stage(str(stage.store.root)).decisions()["kind"].to_list() == ["reject"]
    pushed = push(stage, ConvexSnapshot(tmp_path / "snapshot"))
    assert pushed.created == 118
    assert stage.status()["pushed"] == 118


def test_decisions_are_read_anew_where_an_object_of_as_many_bytes_took_ones_place(
    stage: Stage,
) -> None:
    log = stage.store.decisions
    found = []
    for tmdb_id in (1, 2):  # within a second, which is all that a store's times tell
        made = decision(tmdb_id, "hold", name="d", by="Ann", at=T0)
        log.append(made, name="d0")
        found += stage.decisions()["tmdb_id"].to_list()
    assert found == [1, 2]


def test_two_processes_that_write_and_compact_at_once_lose_nothing(stage: Stage) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(stage.store.root), str(first), "6"],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (100, 200)
    ]
    complaints = [writer.communicate(timeout=60)[1] for writer in writers]
    assert complaints == ["", ""]
    assert list(stage) == [*range(100, 106), *range(200, 206), 1000]
    [last] = stage.payloads([1000])["fetched_at"]  # of whichever of them was the last to write
    assert last in {T0 + timedelta(seconds=seconds) for seconds in (105, 205)}


def test_the_command_line_takes_an_address(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.store.add(movies(603))
    monkeypatch.setenv("TMDBKIT_STAGE", str(stage.store.root))
    assert main(["status"]) == 0
    assert "staged" in capsys.readouterr().out
    assert main(["status", "--stage", f"{stage.store.root}/other", "--json"]) == 0
    assert '"staged": 0' in capsys.readouterr().out


# What can be wrong.


@pytest.mark.parametrize("address", ["ftp://host/stage", "https://host/stage", "s3://", "s3:/"])
def test_an_address_that_cannot_be_a_stage_is_one_clear_line(address: str) -> None:
    with pytest.raises(StageError, match=r"cannot be a stage; .*s3://, gs://, az://"):
        Stage(address, settings=Settings())


def test_an_address_that_a_path_swallowed_a_slash_of_is_still_one(stage: Stage) -> None:
    assert str(root_of(Path(str(stage.store.root)))) == str(stage.store.root)


def test_without_obstore_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(StageError, match=r"pip install 'tmdbkit\[cloud\]'"):
        Stage("s3://bucket/stage", settings=Settings())


def test_a_bucket_that_is_not_there_is_one_clear_line(bucket: str, connect: Connect) -> None:
    stage = Stage(f"{bucket}-not-there/stage", settings=Settings())
    with pytest.raises(StageError, match="cannot be made") as caught:
        stage.store.add(movies(1))
    assert "\n" not in str(caught.value)


def test_an_address_where_nothing_answers_is_one_clear_line_in_seconds(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("tmdbkit.stage.storage.RETRIES", 0)
    with pytest.raises(StageError) as caught:
        Stage(f"{bucket}/stage", settings=Settings())
    said = str(caught.value)
    assert "cannot be read" in said
    assert "\n" not in said
    assert "shown-nowhere" not in said


# Addresses.


@pytest.mark.parametrize(
    "name", ["a+b", "a&b=c", "a,b;c", "it's", "Ä é", "a@b", "a:b", "[1]", "{1}", "a*b", "~x", "$y"]
)
def test_an_address_means_what_it_says(name: str, bucket: str) -> None:
    log = Log(root_of(f"{bucket.replace('s3:', 'S3:')}/{name}/log/"), COLUMNS)
    log.append(rows(7))
    assert ids(log) == [7]
    root = root_of(bucket)
    assert any(path.startswith(f"{name}/log/") for path in root.walk())


@pytest.mark.parametrize(
    "place",
    [
        "s3://bucket/a#b",
        "s3://bucket/a?b=c",
        "s3://bucket/a%20b",
        "s3://bucket/../other",
        "s3://bucket/a/./b",
        "s3://bucket/a//b",
        "s3://bucket/a\\b",
        "s3://bucket/a\nb",
        "S3://bucket?x",
    ],
)
def test_one_that_means_something_else_is_refused_before_anything_is_written(place: str) -> None:
    with pytest.raises(StageError, match=r"cannot be a stage; #, \?, %"):
        Stage(place, settings=Settings())


@pytest.mark.parametrize(
    "place",
    [
        "s3://AKIAKEY:SeCrEt@bucket/movies",
        "s3://AKIAKEY:Se/Cr+Et@bucket",
        "S3://AKIAKEY:SeCrEt@bucket",
        "gs://:SeCrEt@bucket",
        "r2://AKIAKEY:SeCrEt@bucket",
        "s3:/AKIAKEY:SeCrEt@bucket",
    ],
)
def test_one_with_a_key_in_it_is_refused_and_not_repeated(place: str) -> None:
    settings = Settings(stage=place)
    with pytest.raises(
        StageError, match=r"has a key or a port in it; .*AWS_ACCESS_KEY_ID"
    ) as raised:
        Stage(settings=settings)
    shown = repr(settings) if "//" in place else ""
    assert not any(part in str(raised.value) + shown for part in ("SeCrEt", "Cr+Et", "AKIA"))
