from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import product
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tmdbkit.exceptions import StageError, StopError
from tmdbkit.stage import log as logs
from tmdbkit.stage.foreign import reading
from tmdbkit.stage.log import Log
from tmdbkit.stage.parts import Order, fault
from tmdbkit.stage.storage import Folder

if TYPE_CHECKING:
    from tmdbkit.stage.storage import Entry

pytestmark = pytest.mark.once

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


def test_damage_that_only_the_data_shows_is_named_too(log: Log) -> None:
    part = log.append(rows(*range(1000)))
    whole = path(log, part).read_bytes()
    path(log, part).write_bytes(whole[:4] + bytes(60) + whole[64:])
    with pytest.raises(StageError) as caught, reading(log.root):
        log.scan().collect()
    assert str(caught.value).startswith(f"{path(log, part)} cannot be read (its checksum")


def test_several_damaged_parts_are_all_named(log: Log) -> None:
    damaged = pile(log, 1, 2, 3)[:2]
    for part in damaged:
        path(log, part).write_bytes(b"PAR1")
    with pytest.raises(StageError) as caught, reading(log.root):
        log.scan().collect()
    assert all(str(path(log, part)) in str(caught.value) for part in damaged)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("payloads", "fetch what was in it again"),
        ("decisions", "put that file back from a backup, for nothing else has what people decided"),
        ("imports", "its pushes cannot be undone"),
        ("movies", "it is made again by itself"),
    ],
)
def test_what_to_do_about_damage_is_said_for_the_log_that_it_is_in(
    tmp_path: Path, name: str, remedy: str
) -> None:
    log = Log(tmp_path / name, COLUMNS)
    path(log, log.append(rows(1))).write_bytes(b"PAR1")
    for root in (log.root, Folder(tmp_path)):  # as the log, or as the whole stage is read
        with pytest.raises(StageError) as caught, reading(root):
            log.scan().collect()
        assert remedy in str(caught.value)


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


def test_a_chain_of_compactions_leaves_the_last_alone(log: Log) -> None:
    for number in range(1, 5):
        pile(log, number)
        log.compact(NOW + number * timedelta(hours=1))
        assert ids(log) == list(range(1, number + 1))
    for day in (2, 3):
        log.compact(NOW + day * DAY)
        assert ids(log) == [1, 2, 3, 4]
    [part] = log.parts()
    assert files(log) == {f"{part}.parquet"}


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_compaction_that_is_killed_leaves_all_as_it_was(
    log: Log, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    parts = pile(log, 1, 2)
    monkeypatch.setattr(step, killed)
    with pytest.raises(KeyboardInterrupt):
        log.compact(NOW)
    monkeypatch.undo()
    assert Log(log.root, COLUMNS).parts() == parts
    assert ids(log) == [1, 2]


def test_the_rests_of_a_killed_run_are_deleted_once_they_are_a_day_old(log: Log) -> None:
    pile(log, 1, 2)
    rest = log.root.folder / ".x.parquet.aaaa.tmp"
    rest.write_bytes(b"half")
    os.utime(rest, (NOW.timestamp(), NOW.timestamp()))
    log.compact(NOW + DAY - timedelta(seconds=1))
    assert rest.exists()
    log.compact(NOW + DAY + timedelta(seconds=1))
    assert not rest.exists()
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
    entries = Folder.entries

    def overtaken(self: Folder) -> list[Entry]:
        listed = entries(self)
        monkeypatch.undo()
        Log(log.root, COLUMNS).compact(NOW)  # another process, before a footer is read
        return listed

    monkeypatch.setattr(Folder, "entries", overtaken)
    assert ids(log, log.parts()) == [1, 2, 3]
    assert ids(log) == [1, 2, 3]


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


# Nothing is lost: a file that is missing is no leave to hide or delete another.


def twice_compacted(log: Log) -> dict[str, set[int]]:
    """Eight files, and the ids in each: parts, two of them merged, those and others, two parts."""
    pile(log, 1, 2)
    log.compact(NOW - timedelta(hours=3))
    pile(log, 3, 4)
    log.compact(NOW - timedelta(hours=2))
    pile(log, 5, 6)
    whole = pl.concat(
        [pl.read_parquet(file).select("tmdb_id", file=pl.lit(file.name)) for file in all_of(log)]
    )
    return {name: set(some["tmdb_id"]) for (name,), some in whole.group_by("file")}


def all_of(log: Log) -> list[Path]:
    return sorted(log.root.folder.glob("*.parquet"))


def test_whatever_files_are_deleted_no_row_is_lost_that_stands_in_another_and_none_counts_twice(
    log: Log, tmp_path: Path
) -> None:
    held = twice_compacted(log)
    assert len(held) == 8
    for number, going in enumerate(product([False, True], repeat=len(held))):
        left = {name: of for (name, of), gone in zip(held.items(), going, strict=True) if not gone}
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in left:
            os.link(log.root.folder / name, folder / name)
        some, expected = Log(folder, COLUMNS), sorted(set().union(*left.values()))
        assert sorted(ids(some)) == expected
        for hours in (0, 25, 50):
            some.compact(NOW + timedelta(hours=hours))
            assert ids(some) == expected


def test_a_source_is_swept_only_once_what_replaced_it_has_just_passed_its_checksum(
    log: Log,
) -> None:
    sources = set(pile(log, 1, 2))
    log.compact(NOW)
    [merged] = log.parts()
    content = path(log, merged).read_bytes()
    path(log, merged).write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    log.compact(NOW + DAY)
    assert sources <= log.all_parts()
    assert log.damaged.keys() == {merged}
    path(log, merged).unlink()
    assert ids(log) == [1, 2]


def test_a_damaged_part_is_left_out_of_a_compaction_and_left_alone(log: Log) -> None:
    damaged = pile(log, 1, 2, 3)[1]
    content = path(log, damaged).read_bytes()
    path(log, damaged).write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    assert log.compact(NOW) == 2
    assert list(log.damaged) == [damaged]
    assert damaged in log.parts()
    log.compact(NOW + DAY)
    assert len(log.all_parts()) == 2
    path(log, damaged).write_bytes(content)
    assert sorted(ids(log)) == [1, 2, 3]


def test_a_merged_part_that_does_not_read_as_it_was_written_takes_no_place(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = pile(log, 1, 2)
    write = Folder.write
    monkeypatch.setattr(Folder, "write", lambda self, name, text: write(self, name, text[:-9]))
    with pytest.raises(StopError, match="does not read as it was written"):
        log.compact(NOW)
    assert log.parts() == parts
    assert log.all_parts() == set(parts)


def test_a_part_that_is_put_back_after_it_was_merged_counts_once(log: Log) -> None:
    [first, _] = pile(log, 1, 2)
    content = path(log, first).read_bytes()
    log.compact(NOW)
    log.compact(NOW + DAY)
    path(log, first).write_bytes(content)
    assert ids(log) == [1, 2]


# The order is the log's own.


@pytest.mark.parametrize("ahead", [timedelta(days=365), timedelta(microseconds=5), -DAY])
def test_a_new_part_comes_after_all_there_are_whatever_the_clock_says(
    log: Log, ahead: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.stage.parts._now", lambda: NOW + ahead)
    first = log.append(rows(1))
    monkeypatch.setattr("tmdbkit.stage.parts._now", lambda: NOW)
    others = [Log(log.root, COLUMNS).append(rows(number)) for number in (2, 3)]
    assert [first, *others] == sorted([first, *others])
    log.compact(NOW)
    pile(log, 4)
    assert log.scan().collect()["part"].to_list()[:3] == [first, *others]
    assert ids(log) == [1, 2, 3, 4]


def test_two_logs_of_one_order_give_names_that_can_be_compared(tmp_path: Path) -> None:
    order = Order(Folder(tmp_path / "a"), Folder(tmp_path / "b"))
    one, other = (Log(tmp_path / name, COLUMNS, order=order) for name in "ab")
    names = [log.append(rows(1)) for log in (one, other, one, one, other)]
    assert names == sorted(names)


@pytest.mark.parametrize(
    "name", ["zzz", "99991231T235959999999-0badcafe", "20269999T999999999999-0badcafe", "9"]
)
def test_a_foreign_name_is_read_and_keeps_no_part_from_being_written(log: Log, name: str) -> None:
    log.append(rows(1), name=name)
    later = [log.append(rows(number)) for number in (2, 3)]
    assert later == sorted(later)
    assert sorted(ids(log)) == [1, 2, 3]


def test_merged_rows_keep_the_part_that_they_came_in_and_say_the_file_they_stand_in(
    log: Log,
) -> None:
    first, second = pile(log, 1, 2)
    log.compact(NOW)
    third = log.append(rows(3))
    [merged, _] = log.parts()
    found = log.scan_files().select("tmdb_id", "part", "file").collect()
    assert found.rows() == [(1, first, merged), (2, second, merged), (3, third, third)]
    log.compact(NOW)
    assert log.scan().collect()["part"].to_list() == [first, second, third]


# The checksum.


def test_any_bit_that_flips_is_found(log: Log) -> None:
    part = log.append(rows(*range(40)), tags={"made by": "1"})
    whole = path(log, part).read_bytes()
    assert fault(whole) == ""
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        assert fault(bytes(flipped)) != "", bit


def test_the_text_of_a_seal_in_the_rows_is_none(log: Log) -> None:
    text = "tmdbkit.sha256\x18Gsha256:" + "0" * 64
    part = log.append(pl.DataFrame({"tmdb_id": [1], "name": [text]}, COLUMNS))
    assert fault(path(log, part).read_bytes()) == ""


def test_a_part_of_an_older_tmdbkit_has_no_checksum_and_is_whole_if_it_can_be_decoded(
    tmp_path: Path,
) -> None:
    rows(*range(999)).write_parquet(tmp_path / "old.parquet")
    whole = (tmp_path / "old.parquet").read_bytes()
    assert fault(whole) == ""
    assert fault(whole[:-20]) != ""
    assert fault(whole[:4] + bytes(60) + whole[64:]) != ""
