from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from tmdbkit import ConvexSnapshot, Settings, Stage, check, plan_push, sample
from tmdbkit.exceptions import (
    DamageError,
    NoSuchMovie,
    SettingsWarning,
    StageError,
    UsageError,
)
from tmdbkit.schema import ROW
from tmdbkit.stage import log as logs
from tmdbkit.stage.pushes import Ages
from tmdbkit.stage.tables import FAILURES, IMPORTS, MISSING, PAYLOADS

from .conftest import (
    T0,
    answers,
    let_rows_be_old,
    movies,
    payload,
    people,
    released,
    reopened,
    titles,
)

pytestmark = pytest.mark.once

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = T0 + HOUR


def failure(tmdb_id: int, at: datetime, reason: str = "answered 500") -> pl.DataFrame:
    row = (tmdb_id, reason, True, 4, 500, at)
    return pl.DataFrame([row], FAILURES, orient="row")


def parts(stage: Stage, log: str = "payloads") -> list[Path]:
    return sorted((stage.store.root.folder / log).glob("*.parquet"))


def plan_of(stage: Stage, ids: Any) -> Any:
    return plan_push(stage, ConvexSnapshot(stage.store.root.folder / "snapshot"), ids)


# The newest row wins.


@pytest.mark.parametrize("order", [(T0, LATER), (LATER, T0)])
def test_the_answer_that_was_written_last_wins_whatever_its_clock_said(
    stage: Stage, order: tuple[datetime, datetime]
) -> None:
    for name, at in zip(("old", "new"), order, strict=True):
        stage.store.add(answers((1, payload(1, name), at)))
    assert titles(stage) == {1: "new"}
    stage.compact(now=T0)
    assert titles(stage) == {1: "new"}


def test_of_two_answers_in_one_part_the_last_row_wins(stage: Stage) -> None:
    stage.store.add(
        answers((1, payload(1, "a"), T0), (1, payload(1, "b"), T0), (2, payload(2), T0))
    )
    stage.store.add(answers((2, payload(2, "c"), LATER), (2, payload(2, "d"), T0)))
    for again in range(2):
        assert titles(stage) == {1: "b", 2: "d"}, again
        stage.compact(now=T0)


def test_of_two_answers_of_one_instant_the_one_written_last_wins(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1, "first"), T0)))
    stage.store.add(answers((1, payload(1, "last"), T0)))
    assert titles(stage) == {1: "last"}
    stage.compact(now=T0)
    assert titles(stage) == {1: "last"}
    stage.store.add(answers((1, payload(1, "after"), T0)))
    assert titles(stage) == {1: "after"}


def test_a_movie_in_several_parts_is_one_movie(stage: Stage) -> None:
    for hour in range(3):
        stage.store.add(movies(1, 2, at=T0 + hour * HOUR))
    assert len(stage) == 2
    assert list(stage) == [1, 2]
    assert stage.movies().height == stage.payloads().height == stage.table().height == 2
    assert stage.payloads()["fetched_at"].unique().to_list() == [T0 + 2 * HOUR]


def test_movies_are_in_order_of_their_ids_whatever_the_order_of_writing(stage: Stage) -> None:
    stage.store.add(movies(3, 1))
    stage.store.add(movies(2))
    assert stage.movies()["tmdb_id"].to_list() == [1, 2, 3]


def test_a_scan_has_the_same_rows_as_movies(stage: Stage) -> None:
    stage.store.add(movies(2, 1))
    assert stage.scan().sort("tmdb_id").collect().equals(stage.movies())


def test_movies_fetched_before_an_instant_are_known_by_their_newest_answer(stage: Stage) -> None:
    stage.store.add(movies(1, 2, at=T0))
    stage.store.add(movies(1, at=LATER))
    assert stage.store.movies.fetched_before(LATER, stage.store.now()) == {2}


# The order is the log's own, whatever a clock says.


def a_year(monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """Set the clock of whoever writes a year ahead, or back."""
    at = datetime.now(UTC) + ahead * 365 * DAY
    monkeypatch.setattr("tmdbkit.stage.parts._now", lambda: at)


@pytest.mark.parametrize("ahead", [1, -1])
@pytest.mark.parametrize("compacted", [False, True])
def test_a_refresh_counts_though_the_one_before_came_by_a_clock_that_was_wrong(
    stage: Stage, ahead: int, compacted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_year(monkeypatch, ahead)
    stage.store.add(answers((1, payload(1, "old"), T0 + ahead * 365 * DAY)))
    a_year(monkeypatch, 0)
    stage.store.add(answers((1, payload(1, "new"), T0)))
    if compacted:
        stage.compact(now=T0)
        assert titles(stage) == {1: "new"}
        stage.store.add(answers((1, payload(1, "newer"), T0)))
    assert titles(reopened(stage)) == {1: "newer" if compacted else "new"}


@pytest.mark.parametrize("ahead", [1, -1])
def test_a_drop_is_a_drop_and_what_comes_after_it_is_back_whatever_the_clock_says(
    stage: Stage, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.store.add(movies(1, 2))
    a_year(monkeypatch, ahead)
    stage.drop([1, 2])
    a_year(monkeypatch, 0)
    assert list(reopened(stage)) == []
    stage.store.add(movies(2))
    for _ in range(2):
        assert list(reopened(stage)) == [2]
        stage.compact(now=T0)


@pytest.mark.parametrize("ahead", [1, -1])
def test_a_failure_is_settled_by_what_comes_after_it_whatever_the_clock_says(
    stage: Stage, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_year(monkeypatch, ahead)
    stage.store.add(movies(1, at=T0 + ahead * 365 * DAY))
    stage.store.add_failures(failure(1, T0))
    assert stage.failures()["tmdb_id"].to_list() == [1]
    a_year(monkeypatch, 0)
    stage.store.add(movies(1, at=T0))
    assert reopened(stage).failures().is_empty()


def test_an_id_is_missing_by_the_answer_that_was_written_last(stage: Stage) -> None:
    stage.store.add(movies(1, at=LATER))
    stage.store.add(answers((1, "not found", T0, MISSING)))
    assert stage.missing()["tmdb_id"].to_list() == [1]


def test_what_was_fetched_later_than_now_is_stale(stage: Stage) -> None:
    now = datetime.now(UTC)
    stage.store.add(movies(1, at=now + DAY))
    stage.store.add(movies(2, at=now - HOUR))
    stage.store.add(answers((3, "not found", now + DAY, MISSING), (4, "not found", now, MISSING)))
    assert stage.store.movies.fetched_before(now - DAY, stage.store.now()) == {1}
    assert stage.store.movies.lately_missing(now) == {4}


def test_what_tmdb_changed_is_told_in_the_order_in_which_it_came(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1, "first"), T0 + DAY)))
    stage.store.add(answers((1, payload(1, "last"), T0)))
    assert stage.history(1)["title"].to_list() == ["first", "last"]
    assert stage.drift(T0 + 2 * DAY).is_empty()
    found = stage.drift(T0 - DAY).filter(field="title")
    assert found.select("old", "new").rows() == [("first", "last")]


# Dropping.


def test_a_dropped_movie_is_nowhere_any_more(stage: Stage) -> None:
    stage.store.add(movies(1, 2, 3))
    assert stage.drop([2, 3, 4]) == 2
    assert list(stage) == stage.movies()["tmdb_id"].to_list() == [1]
    assert stage.payloads()["tmdb_id"].to_list() == [1]
    assert 2 not in stage
    with pytest.raises(KeyError):
        stage[2]


def test_dropping_what_is_not_there_writes_nothing(stage: Stage) -> None:
    assert stage.drop([1]) == 0
    assert not stage.store.root.folder.exists()


@pytest.mark.parametrize("at", [T0 - DAY, T0, T0 + DAY], ids=["older", "same", "newer"])
def test_a_dropped_movie_can_be_staged_again_from_the_cache_too(stage: Stage, at: datetime) -> None:
    stage.store.add(movies(1, at=T0))
    stage.drop([1], now=T0 + HOUR)
    stage.store.add(answers((1, payload(1, "again"), at)))
    assert titles(stage) == {1: "again"}


def test_compaction_brings_no_dropped_movie_back_and_loses_none_that_is(stage: Stage) -> None:
    stage.store.add(movies(1, 2, 3))
    stage.drop([1, 2])
    stage.store.add(movies(2))
    for hour in range(2):
        stage.compact(now=T0 + hour * HOUR)
        assert list(reopened(stage)) == [2, 3]


def test_compaction_brings_no_dropped_movie_of_a_full_part_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.store.add(movies(*range(1, 500)))
    monkeypatch.setattr(logs, "FULL", parts(stage)[0].stat().st_size)
    stage.drop([1])
    stage.store.add(movies(1000))
    assert stage.compact(now=T0) == 2
    assert list(reopened(stage)) == [*range(2, 500), 1000]


def test_what_was_dropped_leaves_the_disk_with_the_parts_that_a_compaction_replaced(
    stage: Stage,
) -> None:
    stage.store.add(answers((1, payload(1, "a secret title"), T0)))
    stage.drop([1])
    stage.compact(now=T0)
    stage.compact(now=T0 + DAY)
    kept = pl.concat(pl.read_parquet(path) for path in parts(stage))
    assert not kept["payload"].str.contains("secret").any()


# Missing ids.


def test_an_id_that_tmdb_does_not_have_is_missing_and_not_staged(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1), T0), (2, "not found", T0, MISSING)))
    assert stage.missing().rows() == [(2, T0)]
    assert list(stage) == [1]


def test_an_id_is_missing_by_the_latest_answer(stage: Stage) -> None:
    stage.store.add(answers((1, "not found", T0, MISSING), (2, payload(2), T0)))
    stage.store.add(answers((1, payload(1), LATER), (2, "not found", LATER, MISSING)))
    assert stage.missing()["tmdb_id"].to_list() == [2]
    assert list(stage) == [1, 2]


def test_a_missing_id_is_worth_asking_again_after_thirty_days(stage: Stage) -> None:
    stage.store.add(answers((1, "not found", T0, MISSING)))
    assert stage.store.movies.lately_missing(T0 + 30 * DAY - HOUR) == {1}
    assert stage.store.movies.lately_missing(T0 + 30 * DAY) == set()


# Failures.


def test_a_failure_is_listed_until_the_movie_is_staged(stage: Stage) -> None:
    stage.store.add_failures(failure(1, T0))
    assert stage.failures().rows() == [(1, "answered 500", True, 4, 500, T0)]
    stage.store.add(movies(1, at=LATER))
    assert stage.failures().is_empty()


def test_a_failure_is_listed_until_tmdb_says_that_there_is_no_such_movie(stage: Stage) -> None:
    stage.store.add_failures(failure(1, T0))
    stage.store.add(answers((1, "not found", LATER, MISSING)))
    assert stage.failures().is_empty()


def test_of_several_failures_the_last_is_told(stage: Stage) -> None:
    stage.store.add_failures(failure(1, LATER, "first"))
    stage.store.add_failures(failure(1, T0, "last"))
    assert stage.failures()["reason"].to_list() == ["last"]


def test_a_refresh_that_failed_is_a_failure_of_a_staged_movie(stage: Stage) -> None:
    stage.store.add(movies(1, at=T0))
    stage.store.add_failures(failure(1, LATER))
    assert stage.failures()["tmdb_id"].to_list() == [1]
    assert list(stage) == [1]


def test_a_malformed_payload_is_a_failure_and_the_others_go_on(stage: Stage) -> None:
    bad = stage.store.add(
        answers((1, payload(1), T0), (2, '{"id": 2}', T0), (3, "{", T0), (4, payload(4), T0))
    )
    assert bad["tmdb_id"].to_list() == [2, 3]
    assert list(stage) == [1, 4]
    assert stage.failures()["reason"].to_list()[0] == "not a movie: it has no title"
    assert stage.failures()["passing"].to_list() == [False, False]


def test_a_malformed_answer_does_not_hide_the_good_one_of_before(stage: Stage) -> None:
    stage.store.add(movies(1, at=T0))
    stage.store.add(answers((1, "{", LATER)))
    assert titles(stage) == {1: "Movie 1"}
    assert stage.failures()["tmdb_id"].to_list() == [1]


# Rows are made from payloads, and made again.


def test_rows_of_another_transform_are_made_again_by_themselves(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1, credits=people("Ann", "Bob", "Cid")), T0)))
    let_rows_be_old(stage)
    for opened in (stage, reopened(stage)):
        assert opened.movies()["cast"].to_list() == [[1, 2, 3]]


def test_rows_that_are_up_to_date_are_not_made_again(stage: Stage) -> None:
    stage.store.add(movies(1))
    [rows] = parts(stage, "movies")
    before = rows.stat().st_ino
    assert len(reopened(stage)) == 1
    assert rows.stat().st_ino == before


@pytest.mark.parametrize("opened", ["before", "after"])
def test_rows_that_were_deleted_are_made_again(stage: Stage, opened: str) -> None:
    stage.store.add(movies(1, 2))
    before = stage.movies()
    shutil.rmtree(stage.store.root.folder / "movies")
    stage = stage if opened == "before" else reopened(stage)
    assert stage.movies().equals(before)


def test_rows_that_are_damaged_are_made_again(stage: Stage) -> None:
    stage.store.add(movies(1, 2))
    [path] = parts(stage, "movies")
    path.write_bytes(b"")
    assert list(reopened(stage)) == [1, 2]


def test_a_run_that_was_killed_between_payloads_and_rows_has_lost_nothing(stage: Stage) -> None:
    stage.store.append(movies(1, 2))
    assert parts(stage, "movies") == []
    assert list(reopened(stage)) == [1, 2]


def test_compaction_changes_nothing_that_is_read(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1), T0), (9, "not found", T0, MISSING), (8, "{", T0)))
    stage.store.add(answers((1, payload(1, "Newer"), LATER), (2, payload(2), LATER)))
    stage.store.add_failures(failure(7, LATER))
    read = (stage.movies, stage.missing, stage.failures, stage.payloads, stage.table)
    before = [frame() for frame in read]
    assert stage.compact(now=T0) == 4
    for again in (stage, reopened(stage)):
        after = (again.movies, again.missing, again.failures, again.payloads, again.table)
        assert all(old.equals(new()) for old, new in zip(before, after, strict=True))


def test_rows_of_parts_that_nobody_reads_any_more_are_deleted_with_them(stage: Stage) -> None:
    stage.store.add(movies(1))
    stage.store.add(movies(2))
    stage.compact(now=T0)
    assert len(parts(stage, "movies")) == 3
    stage.compact(now=T0 + DAY)
    names = [[path.name for path in parts(stage, log)] for log in ("movies", "payloads")]
    assert names[0] == names[1]
    assert len(names[0]) == 1


@pytest.mark.parametrize("name", ["movies", "payloads", "failures", "ids", "table"])
def test_a_compaction_in_the_middle_of_a_read_changes_nothing(
    stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.store.add(movies(1, 2))
    stage.store.add(movies(2, 3, at=LATER))
    stage.store.add(answers((4, "{", T0)))
    before = getattr(stage, name)()
    listed = stage.store.movies.payloads.parts

    def overtaken() -> list[str]:
        found = listed()
        reopened(stage).compact(now=T0)  # another process, right after the parts were listed
        return found

    monkeypatch.setattr(stage.store.movies.payloads, "parts", overtaken)
    after = getattr(stage, name)()
    assert before.equals(after) if isinstance(before, pl.DataFrame) else before == after


def test_a_damaged_part_is_one_clear_error(stage: Stage) -> None:
    stage.store.add_failures(failure(2, T0))
    stage.store.add(movies(1))
    [path] = parts(stage)
    path.write_bytes(path.read_bytes()[:-20])
    for read in (stage.movies, stage.ids, stage.payloads, stage.table, stage.failures):
        with pytest.raises(StageError, match=path.name) as caught:
            read()
        assert "\n" not in str(caught.value)


# An empty stage.


@pytest.mark.filterwarnings("ignore:nothing is staged")
def test_an_empty_stage_has_the_schemas_of_a_full_one(stage: Stage) -> None:
    full = sample()
    assert stage.movies().schema == full.movies().schema == ROW
    assert stage.table().schema == full.table().schema
    assert stage.payloads().schema == full.payloads().schema
    assert stage.missing().schema == {"tmdb_id": pl.Int64, "asked_at": PAYLOADS["fetched_at"]}
    assert stage.failures().schema == FAILURES
    assert stage.imports().schema == IMPORTS
    assert list(stage.store.batches(size=10)) == []
    assert stage.find("matrix").is_empty()
    counts = stage.status()
    assert counts.pop("targets") == []
    assert set(counts.values()) == {0}
    assert stage.store.ages(LATER) == Ages(None, None, 0)


@pytest.mark.filterwarnings("ignore:nothing is staged")
def test_looking_at_a_stage_makes_no_folder(stage: Stage) -> None:
    assert len(stage) == stage.movies().height == stage.compact() == 0
    assert not stage.store.root.folder.exists()


def test_an_empty_stage_is_true(stage: Stage) -> None:
    assert stage


# Where it is.


@pytest.mark.parametrize("mark", [".env", "data/stage/", ".git/"])
def test_the_default_folder_is_found_upward(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / mark).mkdir(parents=True) if mark.endswith("/") else (tmp_path / mark).touch()
    deep = tmp_path / "notebooks" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert Stage().store.root.folder == tmp_path / "data" / "stage"


def test_an_empty_stage_says_where_it_looked_and_how_to_fill_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    assert f"looked in {tmp_path / 'data' / 'stage'}" in repr(Stage())
    assert "tmdbkit stage 603" in repr(Stage())


def test_a_file_is_no_stage(tmp_path: Path) -> None:
    (tmp_path / "stage").write_text("")
    with pytest.raises(StageError, match="is a file; a stage is a folder"):
        Stage(tmp_path / "stage", settings=Settings())


def test_a_stage_of_a_newer_tmdbkit_is_refused(stage: Stage) -> None:
    stage.store.add(movies(1))
    marker = stage.store.root.folder / "stage.json"
    assert json.loads(marker.read_text()) == {"layout": 2}
    marker.write_text('{"layout": 3}')
    with pytest.raises(StageError, match="newer tmdbkit"):
        reopened(stage)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layout": null}', '{"layout": "new"}'])
def test_a_marker_that_says_nothing_is_one_clear_error(stage: Stage, text: str) -> None:
    stage.store.root.folder.mkdir()
    (stage.store.root.folder / "stage.json").write_text(text)
    with pytest.raises(StageError, match=r"stage\.json cannot be read"):
        reopened(stage)


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from tests.stage.conftest import T0, movies
from tmdbkit import Settings, Stage

folder, first, count = sys.argv[1], *map(int, sys.argv[2:])
stage = Stage(folder, settings=Settings())
for number in range(first, first + count):
    stage.store.add(movies(number, 1000, at=T0 + timedelta(seconds=number)))
    if number % 5 == 4:
        stage.compact(now=T0)
"""


def test_two_processes_that_write_and_compact_at_once_lose_nothing(stage: Stage) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(stage.store.root.folder), str(first), "20"],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (100, 200)
    ]
    complaints = [writer.communicate(timeout=30)[1] for writer in writers]
    assert complaints == ["", ""]
    assert list(stage) == [*range(100, 120), *range(200, 220), 1000]
    [last] = stage.payloads([1000])["fetched_at"]  # of whichever of them was the last to write
    assert last in {T0 + timedelta(seconds=seconds) for seconds in (119, 219)}


# Looking things up.


def a_few(stage: Stage) -> Stage:
    stage.store.add(
        answers(
            (1, payload(1, "The Matrix", credits=people("Keanu Reeves", director="Ann Lee")), T0),
            (2, payload(2, "Straße", original_title="ΣΊΣΥΦΟΣ", credits=people("Zoë Kravitz")), T0),
            (3, payload(3, "What? (No.*)"), T0),
        )
    )
    return stage


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("matrix", [1]),
        ("MATRIX", [1]),
        ("keanu", [1]),
        ("ann l", [1]),
        ("strasse", [2]),
        ("STRASSE", [2]),
        ("zoë", [2]),
        ("σίς", [2]),
        ("σίσ", [2]),
        ("σίσυφος", [2]),
        ("(no.*)", [3]),
        ("reeves ann", []),
        ("nobody", []),
        ("", [1, 2, 3]),
    ],
)
def test_find_looks_in_titles_and_people_in_any_case(
    stage: Stage, text: str, found: list[int]
) -> None:
    assert a_few(stage).find(text)["tmdb_id"].to_list() == found


def test_a_card_shows_one_movie(stage: Stage) -> None:
    card = repr(a_few(stage)[1])
    assert card.splitlines()[0] == "The Matrix"
    assert "directed by: Ann Lee" in card


def test_a_movie_that_is_not_staged_is_a_key_error_that_says_so(stage: Stage) -> None:
    with pytest.raises(KeyError, match=r"^604 is not staged in"):
        a_few(stage)[604]


def test_the_table_has_names_in_the_order_of_their_ids_and_empty_lists(stage: Stage) -> None:
    genres = [{"id": 2, "name": "Drama"}, {"id": 1, "name": "Action"}, {"id": 2, "name": "Drama"}]
    cast = {"cast": [{"id": 7, "name": "Second", "order": 2}, {"id": 9, "name": "First"}]}
    cast["cast"][1]["order"] = 1
    stage.store.add(answers((1, payload(1, genres=genres, credits=cast), T0), (2, payload(2), T0)))
    table = stage.table().select("genres", "cast", "directors")
    assert table.rows() == [(["Drama", "Action"], ["First", "Second"], []), ([], [], [])]
    assert stage.movies()["cast"].to_list() == [[9, 7], []]


def test_the_table_names_as_many_of_the_cast_as_the_rows_hold(stage: Stage) -> None:
    nameless = {"cast": [{"id": 1, "name": None, "order": 0}, {"id": 2, "name": "Bob", "order": 1}]}
    stage.store.add(answers((1, payload(1, credits=people("Ann", "Bob", "Cid")), T0)))
    stage.store.add(answers((2, payload(2, credits=nameless), T0)))
    assert reopened(stage, cast=2).table()["cast"].to_list() == [["Ann", "Bob"], ["Bob"]]
    assert reopened(stage, cast=1).table()["cast"].to_list() == [["Ann"], []]


def test_a_person_is_called_what_the_movie_s_own_payload_calls_them(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1, credits=people("Ann")), T0)))
    stage.store.add(answers((2, payload(2, credits=people("Anna")), T0)))
    assert stage.table()["cast"].to_list() == [["Ann"], ["Anna"]]


# Its files, read by others.

NEWEST = """
    select tmdb_id, title from read_parquet($files, union_by_name = true)
    where tmdb_id in (select unnest($staged))
    qualify row_number() over (partition by tmdb_id order by part desc) = 1
"""


def by_duckdb(stage: Stage) -> dict[int, str]:
    """The titles by id, as docs/stage.md has the query."""
    given = {"files": stage.files(), "staged": list(stage.ids())}
    return dict(duckdb.sql(NEWEST, params=given).fetchall())


def test_duckdb_reads_of_each_staged_movie_the_row_that_counts(stage: Stage) -> None:
    stage.store.add(movies(1, 2, 3))
    stage.store.add(answers((1, payload(1, "later"), LATER)))
    stage.store.add(answers((2, payload(2, "of the same instant"), T0)))
    stage.drop([3], now=LATER)
    assert by_duckdb(stage) == titles(stage) == {1: "later", 2: "of the same instant"}
    stage.compact(now=T0)
    assert by_duckdb(stage) == titles(stage)


def test_files_that_a_compaction_replaced_are_not_named_while_they_are_kept(stage: Stage) -> None:
    stage.store.add(movies(1))
    stage.store.add(movies(2))
    assert stage.files() == [str(path) for path in parts(stage, "movies")]
    stage.compact(now=T0)
    assert len(stage.files()) == 1
    assert set(stage.files()) < {str(path) for path in parts(stage, "movies")}


def test_files_have_what_rows_of_any_settings_are_made_of(stage: Stage) -> None:
    more = {"poster_path": "/p.jpg", "release_dates": released(US="R", DE="16")}
    credited = people("Ann", "Bob", *map(str, range(30)))
    stage.store.add(answers((1, payload(1, credits=credited, **more), T0)))
    [row] = pl.read_parquet(reopened(stage, cast=2, images="url").files()).to_dicts()
    names = ["Ann", "Bob", *map(str, range(30))]
    for tier, count in (("", 10), ("_of_20", 20), ("_of_all", 32)):
        assert row[f"cast{tier}"] == [*range(1, count + 1)]
        assert row[f"cast_names{tier}"] == names[:count]
    assert (row["main_poster"], row["certifications"]) == ("/p.jpg", "US=R\nDE=16")


# In batches.


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("compacted", [False, True])
def test_batches_yield_every_movie_once_with_its_payload(
    stage: Stage, size: int, compacted: bool
) -> None:
    stage.store.add(movies(5, 1, 3))
    stage.store.add(movies(3, 9, at=LATER))
    stage.store.add(movies(7, 2))
    if compacted:
        stage.compact(now=T0)
    seen = list(stage.store.batches(size=size))
    rows = pl.concat(rows for rows, _ in seen)
    texts = pl.concat(texts for _, texts in seen)
    assert all(rows.height <= size for rows, _ in seen)
    assert all(set(r["tmdb_id"]) == set(t["tmdb_id"]) for r, t in seen)
    assert rows.sort("tmdb_id").equals(stage.movies())
    assert texts.sort("tmdb_id").equals(stage.payloads())


def test_batches_come_in_the_order_of_the_parts_each_time(stage: Stage) -> None:
    stage.store.add(movies(*range(40, 0, -1)))
    stage.store.add(movies(*range(80, 40, -1)))
    for _ in range(20):
        [(rows, _texts)] = stage.store.batches(size=100)
        assert rows["tmdb_id"].to_list() == [*range(40, 0, -1), *range(80, 40, -1)]


def test_batches_of_some_ids_have_those_alone(stage: Stage) -> None:
    stage.store.add(movies(1, 2, 3))
    stage.store.add(movies(4))
    some = [rows["tmdb_id"].to_list() for rows, _ in stage.store.batches([4, 2, 77, 2], size=10)]
    assert some == [[2, 4]]
    assert list(stage.store.batches([], size=10)) == []


def test_batches_go_on_while_others_write_and_compact(stage: Stage) -> None:
    for number in range(1, 6):
        stage.store.add(movies(number))
    seen = []
    for rows, texts in stage.store.batches(size=1):
        seen += rows["tmdb_id"].to_list()
        assert texts["tmdb_id"].to_list() == rows["tmdb_id"].to_list()
        reopened(stage).store.add(movies(100 + len(seen)))
        reopened(stage).compact(now=T0)
    assert seen == [1, 2, 3, 4, 5]


# How it looks.

NASTY = "<img src=x onerror=alert(1)>"


def test_a_stage_tells_the_same_as_text_and_as_html(stage: Stage) -> None:
    a_few(stage)
    assert repr(stage) == f"staged: 3 movies\nfolder: {stage.store.root.folder}"
    html = stage._repr_html_()
    assert "3 movies" in html
    assert str(stage.store.root.folder) in html
    assert (repr(stage), html) == (repr(stage), stage._repr_html_())


def test_a_stage_s_name_is_escaped(tmp_path: Path) -> None:
    stage = Stage(tmp_path / NASTY, settings=Settings())
    assert "<img" not in stage._repr_html_()
    assert NASTY in repr(stage)


def test_everything_that_tmdb_says_is_escaped_on_a_card(stage: Stage) -> None:
    genres = [{"id": 1, "name": NASTY}]
    credits_ = people(NASTY, director=NASTY)
    poster = '/x" onerror="alert(1).jpg'
    more = {"genres": genres, "credits": credits_, "imdb_id": NASTY, "poster_path": poster}
    stage.store.add(answers((1, payload(1, NASTY, original_language=NASTY, **more), T0)))
    html = stage[1]._repr_html_()
    assert "<img src=x" not in html
    assert 'x" onerror' not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 6


# The sample.


def test_the_sample_is_a_writable_copy_that_needs_no_network(tmp_path: Path) -> None:
    first, second = sample(tmp_path / "one"), sample()
    assert len(first) == len(second) > 50
    first.drop(first.ids())
    assert (len(first), len(second)) == (0, second.movies().height)
    assert second[603].picture is not None


def test_the_sample_does_not_go_into_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UsageError, match="is not empty"):
        sample(tmp_path)


# What was pushed.


def test_the_import_log_is_in_order_of_time_and_counts_what_was_pushed(stage: Stage) -> None:
    def pushed(tmdb_id: int, outcome: str, at: datetime) -> pl.DataFrame:
        row = (tmdb_id, "p", None, "t", outcome, "", 0, "{}", "{}", "", at)
        return pl.DataFrame([row], IMPORTS.names()[: len(row)], orient="row")

    stage.store.add_imports(pushed(2, "created", LATER))
    stage.store.add_imports(pushed(1, "failed", T0))
    stage.store.add_imports(pushed(2, "updated", LATER + HOUR))
    assert stage.imports()["outcome"].to_list() == ["failed", "created", "updated"]
    assert stage.status()["pushed"] == 1
    stage.compact(now=T0)
    assert stage.imports()["outcome"].to_list() == ["failed", "created", "updated"]


def test_settings_of_a_stage_can_be_given(tmp_path: Path) -> None:
    settings = replace(Settings(), stage=tmp_path / "elsewhere")
    assert Stage(settings=settings).store.root.folder == tmp_path / "elsewhere"


def test_a_compaction_leaves_a_damaged_file_alone_and_says_so_once_all_else_is_merged(
    stage: Stage,
) -> None:
    for tmdb_id in (1, 2, 3):
        stage.store.add(movies(tmdb_id))
    damaged = parts(stage)[1]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    with pytest.raises(DamageError, match=damaged.name):
        stage.compact(now=T0)
    damaged.write_bytes(content)
    assert list(stage) == [1, 2, 3]
    assert len(stage.files()) == 2


NO_MOVIES = [603.0, None, True, [603], slice(3), (603, 550)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *((given, "a movie is wanted, such as 603, 'tt0133093'") for given in NO_MOVIES),
        (0, "0 is not a TMDB id, a whole number above 0 such as 603"),
        (2**70, "is not a TMDB id, a whole number above 0 such as 603"),
    ],
)
@pytest.mark.parametrize("asked", [Stage.__getitem__, Stage.history])
def test_what_is_no_movie_is_one_line(
    stage: Stage, asked: Callable[[Stage, Any], Any], given: Any, said: str
) -> None:
    stage.store.add(movies(603))
    with pytest.raises(UsageError, match=said):
        asked(stage, given)


@pytest.mark.parametrize(
    ("asked", "given", "said"),
    [
        *(
            (asked, given, said)
            for asked in (Stage.payloads, plan_of)
            for given, said in (
                ("603", r"ids is '603', a str; a list of TMDB ids is wanted, such as \[603, 550\]"),
                (["603"], "'603' is not a TMDB id"),
                ([2**70], f"{2**70} is not a TMDB id"),
            )
        ),
        (Stage.drop, "no such film", "'no such film' is not staged"),
        (Stage.drop, [603, "no such film"], "'no such film' is not staged"),
        (Stage.drop, 5.0, "movies is 5.0, a float; a movie, or several, is wanted"),
        (Stage.drop, [2**70], f"{2**70} is not a TMDB id"),
    ],
)
def test_what_is_no_list_of_ids_is_one_line(
    stage: Stage, asked: Callable[[Stage, Any], Any], given: Any, said: str
) -> None:
    stage.store.add(movies(603))
    with pytest.raises(UsageError, match=said):
        asked(stage, given)


@pytest.mark.parametrize("text", [None, 5, ["a"]])
def test_what_is_found_is_found_by_a_text(stage: Stage, text: Any) -> None:
    with pytest.raises(UsageError, match=r"^Stage\.find: text is .*; a text is wanted"):
        stage.find(text)


# A text that names a movie.


def test_a_text_that_is_the_id_of_one_and_the_title_of_another_names_both(stage: Stage) -> None:
    stage.store.add(answers((1917, payload(1917, "Intolerance"), T0), (5, payload(5, "1917"), T0)))
    with pytest.raises(UsageError, match=r"^'1917' is the title of 1917 .*5\) and the id of Into"):
        stage["1917"]
    assert stage[1917].title == stage["themoviedb.org/movie/1917"].title == "Intolerance"


@pytest.mark.parametrize(
    ("named", "is_there"),
    [
        (1, True),
        (3, False),
        ("1", True),
        ("3", False),
        ("dune", True),  # two, and either is staged
        (" Heat ", True),
        ("themoviedb.org/movie/3", False),
        ("themoviedb.org/movie/2", True),
        ("Hea", False),
        ("", False),
        (" ", False),  # an original title that is empty is no name
        (None, False),
        (1.5, False),
    ],
)
def test_a_movie_is_in_a_stage_by_whatever_names_it(
    stage: Stage, named: Any, is_there: bool
) -> None:
    titles = {1: "Dune", 2: "DUNE", 4: "Heat"}
    stage.store.add(answers(*((number, payload(number, t), T0) for number, t in titles.items())))
    assert (named in stage) == is_there


def test_a_title_of_several_names_them(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1, "Dune"), T0), (2, payload(2, "DUNE"), T0)))
    with pytest.raises(UsageError, match=r"the title of Dune .*1\) and the title of DUNE .*2\); "):
        stage["dune"]


def test_digits_that_are_no_id_here_are_a_title(stage: Stage) -> None:
    stage.store.add(answers((5, payload(5, "1917"), T0)))
    assert stage["1917"].row["tmdb_id"] == 5


def test_a_movie_of_an_empty_stage_says_where_it_was_looked_for(stage: Stage) -> None:
    for movie in (603, "The Matrix"):
        with pytest.raises(NoSuchMovie, match=f"is empty; looked in {stage.store.root.folder}"):
            stage[movie]


@pytest.mark.parametrize(
    "read", [Stage.movies, Stage.table, Stage.people, Stage.credits, lambda s: s.names("genres")]
)
def test_a_stage_in_which_nothing_is_says_so_once_and_where_it_looked(
    stage: Stage, read: Callable[[Stage], pl.DataFrame]
) -> None:
    said = f"nothing is staged; looked in {stage.store.root.folder}"
    with pytest.warns(SettingsWarning, match=said):
        assert read(stage).is_empty()
    assert read(stage).is_empty()  # a warning is an error here


def test_a_card_has_what_is_known_of_it() -> None:
    stage = sample()
    card = stage["Fight Club"]
    assert (card.title, card.ratings["imdb"]) == ("Fight Club", 8.8)
    assert card.findings.is_empty()
    faulty = tmdb_id_of_a_fault(stage)
    assert stage[faulty].findings["rule"].to_list() == ["scale_mix_up", "far_off", "too_fine"]


def tmdb_id_of_a_fault(stage: Stage) -> int:
    found = check(stage).findings
    return int(found.filter(rule="scale_mix_up")["tmdb_id"][0])
