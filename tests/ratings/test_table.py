from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit.exceptions import UsageError
from tmdbkit.ratings.model import AUDIENCE, RATINGS, Collected, Cost
from tmdbkit.ratings.table import Table

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

THEN = datetime(2026, 1, 2, tzinfo=UTC)
LETTERBOXD = {"letterboxd": "lb"}


def collected(table: Table, *ids: int, imdb_ids: tuple[str, ...] = ()) -> Collected:
    names = imdb_ids or [""] * len(ids)
    [all_at_once] = table.collect(pl.DataFrame({"tmdb_id": ids, "imdb_id": names}))
    return all_at_once


def rated(table: Table, *ids: int) -> list[tuple[Any, ...]]:
    columns = ("tmdb_id", "system", "points", "votes")
    return collected(table, *ids).ratings.select(columns).sort(columns[:2]).rows()


def reasons(table: Table, *ids: int) -> dict[int, str]:
    return dict(collected(table, *ids).failed.rows())


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("tmdb_id,title,lb,im,im_votes\n603,The Matrix,4.2,8.7,2100000\n550,,4.3,,\n")
    return path


def test_columns_of_a_csv_file_become_ratings(csv: Path) -> None:
    table = Table(csv, points={**LETTERBOXD, "imdb": "im"}, votes={"imdb": "im_votes"})
    assert rated(table, 603, 550) == [
        (550, "letterboxd", 4.3, None),
        (603, "imdb", 8.7, 2_100_000),
        (603, "letterboxd", 4.2, None),
    ]
    assert collected(table, 603).ratings.schema == RATINGS
    assert table.cost(pl.DataFrame()) == Cost(0)


def test_a_parquet_file_and_frames_are_read_the_same(csv: Path) -> None:
    frame = pl.read_csv(csv)
    frame.write_parquet(parquet := csv.with_suffix(".PARQUET"))
    by_csv = rated(Table(str(csv), points=LETTERBOXD), 603, 550)
    assert len(by_csv) == 2
    for source in (parquet, frame, frame.lazy()):
        assert rated(Table(source, points=LETTERBOXD), 603, 550) == by_csv


def test_movies_that_the_table_lacks_or_has_no_value_for_are_settled(csv: Path) -> None:
    came = collected(Table(csv, points={"imdb": "im"}), 603, 550, 1)
    assert came.asked == [603, 550, 1]
    assert (came.ratings.height, came.failed.height) == (1, 0)


def test_movies_that_nobody_wants_are_left_out(csv: Path) -> None:
    assert rated(Table(csv, points=LETTERBOXD), 550) == [(550, "letterboxd", 4.3, None)]


def test_movies_may_be_named_by_their_imdb_id() -> None:
    frame = pl.DataFrame({"const": ["tt0133093", "tt0137523"], "lb": [4.2, 4.3]})
    table = Table(frame, points=LETTERBOXD, id="const", id_of="imdb")
    came = collected(table, 603, 604, 1, imdb_ids=("tt0133093", "tt0133093", ""))
    assert came.ratings.select("tmdb_id", "points").rows() == [(603, 4.2), (604, 4.2)]
    assert (came.asked, came.failed.rows()) == ([603, 604], [(1, "has no IMDb id")])


def test_the_audience_of_rotten_tomatoes_may_have_a_column() -> None:
    frame = pl.DataFrame({"tmdb_id": [603], "popcorn": [85]})
    assert rated(Table(frame, points={AUDIENCE: "popcorn"}), 603) == [(603, AUDIENCE, 85.0, None)]


def test_votes_without_points_are_kept_and_the_points_stay_unknown() -> None:
    frame = pl.DataFrame({"tmdb_id": [603], "mc": [None], "n": [35]})
    table = Table(frame, points={"metacritic": "mc"}, votes={"metacritic": "n"})
    assert rated(table, 603) == [(603, "metacritic", None, 35)]


def test_points_stay_as_they_are_unless_another_scale_is_named() -> None:
    frame = pl.DataFrame({"tmdb_id": [603], "lb": [8.3], "rt": [83]})
    points = {**LETTERBOXD, "rotten_tomatoes": "rt"}
    assert rated(Table(frame, points=points), 603) == [
        (603, "letterboxd", 8.3, None),
        (603, "rotten_tomatoes", 83.0, None),
    ]
    assert rated(Table(frame, points=points, scales={"letterboxd": 10}), 603) == [
        (603, "letterboxd", 4.15, None),
        (603, "rotten_tomatoes", 83.0, None),
    ]


@pytest.mark.parametrize("value", ["N/A", "7,5", "4.2/5", "nan", "inf", "four", "1 2"])
def test_a_value_that_is_no_number_fails_its_movie_and_spoils_no_other_rating(value: str) -> None:
    frame = pl.DataFrame({"tmdb_id": [603, 550], "lb": [value, "4.3"], "im": ["8.7", "8.8"]})
    table = Table(frame, points={**LETTERBOXD, "imdb": "im"})
    came = collected(table, 603, 550)
    assert reasons(table, 603, 550) == {603: f"letterboxd: '{value}' is no number"}
    assert came.asked == [550]
    assert [row[:2] for row in rated(table, 603)] == [(603, "imdb")]


@pytest.mark.parametrize("value", ["many", "1,216,349", "2.5", "-1", "1e30", "1000000001"])
def test_votes_that_are_no_whole_number_fail_their_movie(value: str) -> None:
    frame = pl.DataFrame({"tmdb_id": [603], "lb": ["4.2"], "n": [value]})
    table = Table(frame, points=LETTERBOXD, votes={"letterboxd": "n"})
    assert reasons(table, 603) == {603: f"letterboxd: '{value}' is no number of votes"}
    assert rated(table, 603) == []


def test_all_that_is_wrong_with_a_movie_is_one_row() -> None:
    frame = pl.DataFrame({"tmdb_id": [603], "lb": ["?" * 50], "im": ["-"]})
    table = Table(frame, points={**LETTERBOXD, "imdb": "im"})
    assert reasons(table, 603) == {
        603: f"letterboxd: '{'?' * 40}' is no number; imdb: '-' is no number"
    }


@pytest.mark.parametrize(
    "values", [[None, 4.3], [math.nan, 4.3], ["", "4.3"], [" \t", " 4.3 "]], ids=repr
)
def test_a_blank_value_is_a_rating_that_is_not_there(values: list[Any]) -> None:
    frame = pl.DataFrame({"tmdb_id": [603, 550], "lb": values})
    table = Table(frame, points=LETTERBOXD)
    assert rated(table, 603, 550) == [(550, "letterboxd", 4.3, None)]
    assert reasons(table, 603, 550) == {}


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([4], dtype=pl.UInt8),
        pl.Series([4.0], dtype=pl.Float32),
        pl.Series(["4.00"], dtype=pl.Categorical),
        pl.Series(["4"]).str.to_decimal(scale=2),
    ],
    ids=lambda column: str(column.dtype),
)
def test_points_may_be_numbers_or_text_of_any_kind(column: pl.Series) -> None:
    table = Table(pl.DataFrame({"tmdb_id": [603], "lb": column}), points=LETTERBOXD)
    assert rated(table, 603) == [(603, "letterboxd", 4.0, None)]


def test_whole_numbers_that_a_gap_has_made_floats_are_whole_numbers() -> None:
    frame = pl.DataFrame({"tmdb_id": [603.0, None], "lb": [4.2, 4.3], "n": [12.0, None]})
    table = Table(frame, points=LETTERBOXD, votes={"letterboxd": "n"})
    assert rated(table, 603) == [(603, "letterboxd", 4.2, 12)]


def test_a_movie_that_stands_there_twice_with_other_values_has_failed() -> None:
    frame = pl.DataFrame({"tmdb_id": [603, 550, 603], "lb": [4.2, 4.3, 1.0], "im": [8, 8, 8]})
    table = Table(frame, points={**LETTERBOXD, "imdb": "im"})
    assert reasons(table, 603, 550) == {603: "stands on 2 rows of the table that differ"}
    assert {row[0] for row in rated(table, 603, 550)} == {550}


def test_a_movie_that_stands_there_twice_with_the_same_values_is_rated_once() -> None:
    frame = pl.DataFrame({"tmdb_id": [603, 603], "lb": [4.2, 4.2], "seen": ["May", "June"]})
    assert rated(Table(frame, points=LETTERBOXD), 603) == [(603, "letterboxd", 4.2, None)]


def test_rows_without_an_id_are_counted() -> None:
    frame = pl.DataFrame({"tmdb_id": ["603", "", None, "1997-08-20", "-1"], "lb": [4.2] * 5})
    table = Table(frame, points=LETTERBOXD)
    assert table.left_out == 4
    assert repr(table) == "Table(the frame: letterboxd of 1 movies, 4 rows without an id)"


def test_the_ratings_of_a_file_are_of_its_last_change_and_those_of_a_frame_of_now(
    csv: Path,
) -> None:
    os.utime(csv, (THEN.timestamp(), THEN.timestamp()))
    assert collected(Table(csv, points=LETTERBOXD), 603).ratings["fetched_at"].to_list() == [THEN]
    before = datetime.now(UTC)
    [made] = collected(Table(pl.read_csv(csv), points=LETTERBOXD), 603).ratings["fetched_at"]
    assert before <= made <= datetime.now(UTC)
    table = Table(
        csv, points=LETTERBOXD, name="friends", fetched_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    [row] = collected(table, 603).ratings.select("provider", "fetched_at").rows()
    assert row == ("friends", datetime(2025, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"points": {}}, "points names no column"),
        ({"points": {"rt": "lb"}}, "there is no system 'rt'; there are imdb, letterboxd, "),
        ({"votes": {"imdb": "im_votes"}}, "points names no column for imdb"),
        ({"scales": {"imdb": 100}}, "points names no column for imdb"),
        ({"scales": {"letterboxd": 0}}, "the scale of letterboxd is 0; it must be above 0"),
        ({"scales": {"letterboxd": math.nan}}, "the scale of letterboxd is nan"),
        ({"points": {"imdb": "imdb"}}, "has no column 'imdb'; it has tmdb_id, title, lb, im, im_v"),
        ({"votes": {"letterboxd": "n"}}, "has no column 'n'; it has tmdb_id, title, lb, im, im_v"),
        ({"id": "id"}, "has no column 'id'; it has tmdb_id, title, lb, im, im_votes"),
        ({"id": "title"}, "'title' of .*mine.csv holds no TMDB ids, such as 603"),
        ({"id": "title", "id_of": "imdb"}, "'title' of .*mine.csv holds no IMDb ids, such as tt01"),
        ({"id_of": "imdb_id"}, "id_of is 'imdb_id'; it must be tmdb or imdb"),
        ({"fetched_at": datetime(2026, 1, 1)}, "fetched_at has no time zone"),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_clear_line(
    wrong: dict[str, Any], words: str, csv: Path
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Table(csv, **{"points": LETTERBOXD, **wrong})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.csv", None, "there is no file "),
        ("mine.xlsx", b"PK", "its name must end in .csv, .tsv, .json, .jsonl, .ndjson or .parquet"),
        ("mine.parquet", b"tmdb_id,lb\n603,4.2\n", "cannot be read: "),
        ("mine.csv", b"", "cannot be read: "),
        ("mine.csv", b"tmdb_id,lb\n603,4.2,5\n", "cannot be read: "),
        ("mine.csv", b"tmdb_id,lb\n603,\xff\xfe\n", "cannot be read: "),
        ("mine.csv", b"tmdb_id lb\n603 4.2\n", "has no column 'tmdb_id'; it has tmdb_id lb"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_line(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        Table(path, points=LETTERBOXD)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_csv_file_of_a_spreadsheet_with_its_mark_in_front_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("tmdb_id,lb\r\n603,4.2\r\n", encoding="utf-8-sig", newline="")
    assert rated(Table(path, points=LETTERBOXD), 603) == [(603, "letterboxd", 4.2, None)]


def test_a_column_of_neither_numbers_nor_text_is_named_with_all_others() -> None:
    frame = pl.DataFrame({"tmdb_id": [603], "lb": [[4.2]], "seen": [True]})
    with pytest.raises(UsageError, match=r"'lb' of the frame holds .*lb \(List\(Float64\)\), seen"):
        Table(frame, points=LETTERBOXD)


def test_what_is_no_frame_of_polars_is_said_by_its_type() -> None:
    source: Any = {"tmdb_id": [603], "lb": [4.2]}
    with pytest.raises(UsageError, match="dict is no table; give a path or a frame of polars"):
        Table(source, points=LETTERBOXD)


def test_an_empty_table_rates_nobody() -> None:
    frame = pl.DataFrame(schema={"tmdb_id": pl.Int64, "lb": pl.Float64})
    came = collected(Table(frame, points=LETTERBOXD), 603)
    assert (came.asked, came.ratings.height, came.ratings.schema) == ([603], 0, RATINGS)
