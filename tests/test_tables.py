"""Files of rows as people have them, and which of their columns hold ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tmdbkit.exceptions import UsageError
from tmdbkit.matching.asked import minutes_of
from tmdbkit.tables import id_columns, id_in, ids_in, texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("603", 603),
        ("00603", 603),
        ("603.0", 603),
        ("tt0133093", "tt0133093"),
        ("TT0133093", "tt0133093"),
        ("https://www.themoviedb.org/movie/603-the-matrix?language=de", 603),
        ("themoviedb.org/movie/603", 603),
        ("https://www.imdb.com/title/tt0133093/", "tt0133093"),
        ("https://m.imdb.com/de/title/tt0133093/fullcredits", "tt0133093"),
        ("HTTPS://WWW.IMDB.COM/title/tt0133093", "tt0133093"),
        ("0", None),
        ("-603", None),
        ("6.5", None),
        ("tt12", None),
        ("2012-05-01", None),
        ("https://www.themoviedb.org/tv/603", None),
        ("https://www.themoviedb.org/person/603", None),
        ("https://www.imdb.com/name/nm0000206/", None),
        ("https://example.org/?of=themoviedb.org/movie/603", None),
        ("1" * 30, None),
    ],
)
def test_an_id_is_read_by_itself_or_from_an_address(word: str, found: int | str | None) -> None:
    assert id_in(word) == found


@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        ({"tmdb_id": ["603", None], "imdb_id": ["tt1", "tt0133093"]}, ["603", "tt0133093"]),
        ({"imdb": ["7.4", "8.1"], "tmdbId": ["603", "604"]}, ["603", "604"]),
        ({"tmdb": ["7.4", "8"], "id": ["603", "604"]}, ["603", "604"]),
        ({"tmdb": ["7", "8", "10"], "id": ["603", "604", "605"]}, ["603", "604", "605"]),
        ({"tmdb": ["75", "75"], "imdb_id": ["tt0133093", None]}, ["tt0133093", None]),
        ({"tmdb": ["11", "13", "62"]}, ["11", "13", "62"]),  # three of the oldest there
        ({"tmdb_id": ["5", "6"]}, ["5", "6"]),
        ({"tmdb": ["5"]}, ["5"]),  # alone it rates nothing
        ({"TMDB": ["5", "6", "9"]}, ["5", "6", "9"]),
        ({"tmdb": ["62", "62", "11"]}, ["62", "62", "11"]),
        ({"tmdb": ["7", "nan", "8"], "id": ["603", "604", "605"]}, ["603", "604", "605"]),
        ({"imdb": ["5", "tt0133093"], "title": ["a", "b"]}, [None, "tt0133093"]),
        ({"imdb": ["imdb.com/title/tt0133093", "9"], "n": ["a", "b"]}, ["tt0133093", None]),
        ({"TMDb ID": ["603", "n/a"]}, ["603", None]),
        ({"movieId": ["1", "2"], "imdbId": ["0133093", "0234215"]}, ["tt0133093", "tt0234215"]),
        ({"Year": ["1999", "2003"], "Const": ["tt0133093", ""]}, ["tt0133093", None]),
        ({"Position": ["1", "2"], "Page": ["imdb.com/title/tt0133093", None]}, ["tt0133093", None]),
        ({"Film": ["603", "tt0234215", "77"]}, ["603", "tt0234215", "77"]),
        ({"Page": ["www.themoviedb.org/movie/603", "604"]}, ["603", "604"]),
        ({"value": ["603", "604"]}, ["603", "604"]),  # a list of JSON
    ],
)
def test_the_column_of_ids_is_recognised(
    columns: dict[str, list[str | None]], ids: list[str | None]
) -> None:
    table = pl.DataFrame(columns)
    assert ids_in(table, id_columns(table)).to_list() == ids


@pytest.mark.parametrize(
    "columns",
    [
        {"Year": ["1999"]},
        {"Rating": ["7"]},
        {"imdb": ["7.4"]},
        {"Title": ["2012"]},
        {"movieId": ["603"]},  # MovieLens has its own
        {"id": ["1", "2", "3"]},
        {"Note": ["9,5", "8", "7"]},
        {"Rating": ["8", "n/a", "7"]},
        {"Rating": ["8/10", "8", "7"]},
        {"Votes": ["1,204", "870", "99"]},
        {"Length": ["136 min", "109", "120"]},
        {"Stars": ["-", "4", "5"]},
        {"Film": ["2012", "1917", "Heat"]},
        {"Title": ["Heat", "Alien"], "Value": ["8", "9"]},
    ],
)
def test_numbers_of_another_kind_are_no_ids(columns: dict[str, list[str]]) -> None:
    assert id_columns(pl.DataFrame(columns)) == []


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", b"\xef\xbb\xbfName,Year\n Heat ,\n", [("Heat", None)]),
        ("a.csv", 'Name;Year\n"Me; you";1995\n'.encode("utf-16"), [("Me; you", "1995")]),
        ("a.csv", b'"Name, of it"\tYear\nHeat\t1995\n', [("Heat", "1995")]),
        ("a.TSV", b"Name\tYear\nHeat, again\t1995\n", [("Heat, again", "1995")]),
        ("a.json", b'[{"a": {"b": [{"name": "X"}, "Y"]}, "c": 1.5}]', [("X, Y", "1.5")]),
        ("a.json", b'{"total": 1, "rows": [{"a": true, "b": null}]}', [("True", None)]),
        ("a.ndjson", b'{"a": 1}\n\n{"a": 2, "b": "x"}\n', [("1", None), ("2", "x")]),
    ],
)
def test_every_kind_of_table_is_read_as_texts(
    name: str, content: bytes, rows: list[tuple[str | None, ...]], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert texts(tmp_path / name).rows() == rows


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"[1, 2", "a.json cannot be read: "),
        ("a.json", b"7", "there is no list of rows in it"),
        ("a.jsonl", b"\xff\xff{}", "it is not text in UTF-8"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.csv", b"", "cannot be read"),
        ("a.xlsx", b"PK", "its name must end in .csv"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        texts(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("136", 136), ("136 min", 136), ("2h 16m", 136), ("2:16", 136), ("2h", 120), ("", None)],
)
def test_a_length_is_read_however_it_is_written(text: str, minutes: int | None) -> None:
    assert minutes_of(text) == minutes


def test_json_lines_are_apart_by_line_ends_alone(tmp_path: Path) -> None:
    path = tmp_path / "films.jsonl"
    path.write_text('{"id": 603, "note": "one\u2028two\x85"}\r\n{"id": 550}\n', encoding="utf-8")
    assert texts(path)["id"].to_list() == ["603", "550"]
