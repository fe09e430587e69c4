from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from traceback import walk_tb

import polars as pl
import pytest

from tmdbkit.exceptions import StageError, StopError
from tmdbkit.stage import log as logs
from tmdbkit.stage.log import Log, reading
from tmdbkit.stage.storage import Folder

COLUMNS = pl.Schema({"tmdb_id": pl.Int64(), "name": pl.String()})
NOW = datetime.now(UTC)
DAY = timedelta(hours=24)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log", COLUMNS)


def rows(*tmdb_ids: int) -> pl.DataFrame:
    return pl.DataFrame({"tmdb_id": tmdb_ids, "name": [f"row {n}" for n in tmdb_ids]}, COLUMNS)


def ids(log: Log, parts: list[str] | None = None) -> list[int]:
    return log.scan(parts).collect()["tmdb_id"].to_list()


def files(log: Log) -> set[str]:
    return {path.name for path in log.root.folder.iterdir()}


def path(log: Log, part: str) -> Path:
    return Path(log.source(part))


def pile(log: Log, *tmdb_ids: int) -> list[str]:
    """One part for each id."""
    return [log.append(rows(tmdb_id)) for tmdb_id in tmdb_ids]


# Writing.


def test_a_part_is_one_file_and_says_which_rows_are_in_it(log: Log) -> None:
    part = log.append(rows(1, 2))
    assert files(log) == {f"{part}.parquet"}
    assert log.scan().collect().rows() == [(1, "row 1", part), (2, "row 2", part)]


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_write_that_fails_leaves_nothing_behind(
    log: Log, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    log.append(rows(1))
    before = files(log)
    monkeypatch.setattr(step, full)
    with pytest.raises(StopError, match=r"log cannot be written to \(No space left on device\)"):
        log.append(rows(2))
    assert files(log) == before
    assert ids(log) == [1]


def test_the_error_of_a_write_that_fails_keeps_no_buffer_from_closing(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "write", full)
    with pytest.raises(StopError) as caught:
        log.append(rows(1))
    kept = [value for frame, _ in walk_tb(caught.tb) for value in frame.f_locals.values()]
    [buffer] = [value for value in kept if isinstance(value, BytesIO)]
    buffer.close()  # a BufferError where a view of it is left: Python 3.12.1 dies of that


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(StopError, match="log cannot be written to"):
        Log(tmp_path / "log", COLUMNS).append(rows(1))


def test_a_part_that_is_being_written_is_not_read(log: Log) -> None:
    part = log.append(rows(1))
    half = path(log, part).read_bytes()[:40]
    (log.root.folder / ".20990101T000000000000-0badcafe.parquet.aaaa.tmp").write_bytes(half)
    assert ids(log) == [1]


def test_names_of_parts_sort_by_time(log: Log) -> None:
    parts = pile(log, *range(1, 21))
    assert parts == sorted(parts) == log.parts()
    assert ids(log) == list(range(1, 21))


def test_a_part_of_the_same_name_replaces_the_old_one(log: Log) -> None:
    part = log.append(rows(1), tags={"made by": "1"})
    log.append(rows(2), name=part, tags={"made by": "2"})
    assert ids(log) == [2]
    assert log.tag(part, "made by") == "2"


def test_a_part_that_is_missing_or_damaged_has_no_tags(log: Log) -> None:
    part = log.append(rows(1))
    assert log.tag(part, "made by") is None
    assert log.tag("20990101T000000000000-0badcafe", "made by") is None
    path(log, part).write_bytes(b"")
    assert log.tag(part, "made by") is None


# Reading.


def test_a_log_without_parts_has_its_schema_all_the_same(log: Log) -> None:
    assert log.parts() == []
    empty = log.scan().collect()
    assert empty.schema == {**COLUMNS, "part": pl.String()}
    assert empty.is_empty()


def test_a_column_that_came_later_reads_as_null_in_older_parts(log: Log) -> None:
    log.append(rows(1))
    newer = Log(log.root, pl.Schema({**COLUMNS, "year": pl.Int32()}))
    newer.append(rows(2).with_columns(year=pl.lit(1999, pl.Int32)))
    assert newer.scan().drop("part").collect().rows() == [(1, "row 1", None), (2, "row 2", 1999)]


def test_a_column_of_a_newer_tmdbkit_is_passed_over(log: Log) -> None:
    newer = Log(log.root, pl.Schema({**COLUMNS, "year": pl.Int32()}))
    newer.append(rows(1).with_columns(year=pl.lit(1999, pl.Int32)))
    assert log.scan().drop("part").collect().rows() == [(1, "row 1")]


@pytest.mark.parametrize("left", [0, 3, 200])
def test_a_damaged_part_is_one_clear_error_that_names_the_file(log: Log, left: int) -> None:
    part = pile(log, 1, 2, 3)[1]
    path(log, part).write_bytes(path(log, part).read_bytes()[:left])
    with pytest.raises(StageError) as caught, reading(log.root):
        log.scan().collect()
    assert str(path(log, part)) in str(caught.value)
    assert "move that file away" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damage_that_only_the_data_shows_names_the_folder(log: Log) -> None:
    part = log.append(rows(*range(1000)))
    whole = path(log, part).read_bytes()
    path(log, part).write_bytes(whole[:4] + bytes(60) + whole[64:])
    said = f"a part of {log.root.folder} cannot be read"
    with pytest.raises(StageError, match=said), reading(log.root):
        log.scan().collect()


# Compacting.


def test_compaction_changes_neither_rows_nor_their_order(log: Log) -> None:
    pile(log, 3, 1, 2)
    before = log.scan().drop("part").collect()
    assert log.compact(NOW) == 3
    assert len(log.parts()) == 1
    assert log.scan().drop("part").collect().equals(before)


def test_one_part_alone_is_not_rewritten(log: Log) -> None:
    part = log.append(rows(1))
    assert log.compact(NOW) == 0
    assert log.parts() == [part]


def test_rows_that_are_written_after_a_compaction_come_after_its_own(log: Log) -> None:
    pile(log, 1, 2)
    log.compact(NOW)
    pile(log, 3)
    assert ids(log) == [1, 2, 3]


def test_who_listed_the_parts_before_a_compaction_reads_them_after_it(log: Log) -> None:
    listed = pile(log, 1, 2, 3)
    lazily = log.scan(listed)
    log.compact(NOW)
    assert lazily.collect()["tmdb_id"].to_list() == [1, 2, 3]
    assert ids(log, listed) == [1, 2, 3]


def test_replaced_parts_are_kept_for_a_day_and_swept_then(log: Log) -> None:
    old = set(pile(log, 1, 2, 3))
    log.compact(NOW)
    log.compact(NOW + DAY - timedelta(seconds=1))
    assert old < log.all_parts()
    log.compact(NOW + DAY)
    assert log.all_parts() == set(log.parts())
    assert ids(log) == [1, 2, 3]


def test_a_chain_of_compactions_leaves_the_last_and_its_manifest(log: Log) -> None:
    for number in range(1, 5):
        pile(log, number)
        log.compact(NOW + number * timedelta(hours=1))
        assert ids(log) == list(range(1, number + 1))
    for day in (2, 3):
        log.compact(NOW + day * DAY)
        assert ids(log) == [1, 2, 3, 4]
    [part] = log.parts()
    assert files(log) == {f"{part}.parquet", f"{part}.json"}


def test_a_merged_part_counts_from_the_moment_it_has_a_manifest(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Folder.write

    def killed(self: Folder, name: str, content: bytes) -> None:
        if name.endswith(".json"):
            raise KeyboardInterrupt
        write(self, name, content)

    pile(log, 1, 2)
    monkeypatch.setattr(Folder, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        log.compact(NOW)
    assert len(log.all_parts()) == 3
    assert ids(log) == [1, 2]


def test_the_rests_of_a_killed_run_are_deleted_once_they_are_a_day_old(log: Log) -> None:
    pile(log, 1, 2)
    rests = {".x.parquet.aaaa.tmp", f"20260101T000000000000-0badcafe{logs.MERGED}.parquet"}
    for name in rests:
        (log.root.folder / name).write_bytes(b"half")
        os.utime(log.root.folder / name, (NOW.timestamp(), NOW.timestamp()))
    log.compact(NOW + DAY - timedelta(seconds=1))
    assert rests < files(log)
    log.compact(NOW + DAY + timedelta(seconds=1))
    assert not rests & files(log)
    assert ids(log) == [1, 2]


def test_two_compactions_at_once_lose_nothing_and_leave_no_repeats_for_long(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    pile(log, 1, 2, 3)
    append = log.append

    def overtaken(*args: object, **more: object) -> str:
        Log(log.root, COLUMNS).compact(NOW)  # starts later, from the same parts, and ends first
        return append(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "append", overtaken)
    log.compact(NOW)
    assert set(ids(log)) == {1, 2, 3}
    monkeypatch.undo()
    log.compact(NOW)
    assert ids(log) == [1, 2, 3]


def test_a_part_that_appears_during_a_compaction_counts(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    pile(log, 1, 2)
    append = log.append

    def overtaken(*args: object, **more: object) -> str:
        append(rows(3))
        return append(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "append", overtaken)
    log.compact(NOW)
    assert ids(log) == [1, 2, 3]


def test_nothing_is_lost_on_who_lists_while_a_compaction_ends(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    pile(log, 1, 2, 3)
    listed = log._listed
    turns = iter([lambda: None, lambda: Log(log.root, COLUMNS).compact(NOW)])

    def slowly(suffix: str) -> dict[str, object]:
        next(turns)()  # between the first listing and the second, another process compacts
        return listed(suffix)

    monkeypatch.setattr(log, "_listed", slowly)
    assert ids(log, log.parts()) == [1, 2, 3]


def test_full_parts_are_left_alone_and_only_neighbours_are_merged(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = pile(log, 1, 2)
    big = log.append(rows(*range(10, 5000)))
    small += pile(log, 3, 4)
    monkeypatch.setattr(logs, "FULL", path(log, big).stat().st_size)
    assert log.compact(NOW) == 4
    first, middle, last = log.parts()
    assert middle == big
    assert (ids(log, [first]), ids(log, [last])) == ([1, 2], [3, 4])


def test_small_parts_pile_up_and_a_compaction_clears_them_away(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PILE", 3)
    pile(log, 1, 2)
    assert not log.is_piled_up()
    pile(log, 3)
    assert log.is_piled_up()
    log.compact(NOW)
    assert not log.is_piled_up()


def test_a_damaged_manifest_is_one_clear_error(log: Log) -> None:
    pile(log, 1, 2)
    log.compact(NOW)
    manifest = log.root.folder / f"{log.parts()[0]}.json"
    manifest.write_text("{")
    with pytest.raises(StageError, match=manifest.name):
        Log(log.root, COLUMNS).parts()
