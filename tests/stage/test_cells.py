"""Cells of a spreadsheet: what it would run or rewrite is kept from it, what it wrote is read."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tmdbkit.exceptions import UsageError
from tmdbkit.stage.cells import Reader, as_cells, unescaped

pytestmark = pytest.mark.once

POINT, COMMA = Reader(".", gone="", day_first=None), Reader(",", gone="", day_first=None)
NARROW = Reader(".", gone=".{1,2}", day_first=None)
NUMBER, TEXT = pl.Float64(), pl.String()


def cell(value: Any, name: str = "title") -> str | None:
    """The cell of one value."""
    return as_cells(pl.DataFrame({name: [value]})).item()


RUN = ["=1+1", "+1", "-1", "@SUM(A1)", '=cmd|" /C calc"!A0', "'71", "\uff1dHYPERLINK(1)"]
REWRITTEN = ["007", "7:35", "9/11", "50/50", "1.000", "3-4", ".45",
             "100%", "1 1/2", "$9.99", "2E10",
             "True", "FALSE", "Wahr", "March 15", "Sept 5", "15 August", "1984-2", "0", "12:08 am",
             "1234567890123456"]  # fmt: skip


@pytest.mark.parametrize("text", [*RUN, *(text for text in REWRITTEN if text != "0")])
def test_a_text_that_a_spreadsheet_runs_or_rewrites_begins_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["The Matrix", "1917", "300", "0", "2001: A Space Odyssey", "12 Angry Men", "PG-13", "8½",
     "tt0133093", "16", "10,000 BC", "May", "Se7en", "千と千尋の神隠し", "M*A*S*H", "#Alive"],
)  # fmt: skip
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    "text", [*RUN, *REWRITTEN, "''", "'", "'Tis", "''71", "The Matrix", "''=1"]
)
def test_a_text_that_went_out_comes_back_the_same(text: str) -> None:
    assert unescaped(str(cell(text))) == text
    assert POINT.says(cell(text), text, "title")


@pytest.mark.parametrize(
    ("value", "text"),
    [(-5.5, "-5.5"), (8.0, "8"), (-3, "-3"), (None, None), (True, "yes"), (["A", "B"], "A | B"),
     (["-1"], "'-1"), ("1999-03-31", "'1999-03-31")],
)  # fmt: skip
def test_a_value_is_written_as_a_person_reads_it_and_a_negative_number_is_one(
    value: Any, text: str | None
) -> None:
    assert cell(value) == text


def test_a_date_is_left_to_the_spreadsheet() -> None:
    assert cell("1999-03-31", "release_date") == "1999-03-31"
    assert cell("=1", "release_date") == "'=1"


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        (COMMA, "8,463", 8.463),
        (COMMA, "8.463", 8.463),  # left alone as a text
        (COMMA, "8463", 8.463),  # the point was taken for one between thousands
        (POINT, "8463", 8.463),
        (COMMA, "1000123", 1000.123),
        (COMMA, "463", 0.463),
        (COMMA, "63.000.000", 63_000_000),
        (POINT, "63,000,000", 63_000_000),
        (COMMA, "63000000,00", 63_000_000),
        (COMMA, "4,64E+08", 463_517_383),
        (POINT, "4.64E+08", 463_517_383),
        (COMMA, "8", 8.0),
        (COMMA, "63 000 000", 63_000_000),
    ],
)
def test_a_number_in_another_dress_is_the_same(reader: Reader, text: str, value: float) -> None:
    assert reader.says(text, value, "popularity")


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        (COMMA, "8,47", 8.463),
        (POINT, "8.46", 8.463),
        (COMMA, "8,5", 8.463),
        (COMMA, "4,65E+08", 463_517_383),
        (POINT, "63000001", 63_000_000),
        (POINT, None, 8.0),
        (POINT, "8", None),
    ],
)
def test_another_number_is_another(reader: Reader, text: str | None, value: float) -> None:
    assert not reader.says(text, value, "popularity")


@pytest.mark.parametrize(
    "text", ["1999-03-31", "31.12.1999", "31.12.99", "31. 12. 1999", "12/31/1999", "31/12/1999"]
)
def test_a_date_as_spreadsheets_write_it_is_a_date(text: str) -> None:
    day = "1999-03-31" if text.startswith("1999") else "1999-12-31"
    assert POINT.says(text, day, "release_date")


@pytest.mark.parametrize(
    ("text", "day"), [("31.12.2003", "2003-12-31"), ("2003-1-2", "2003-01-02"), ("", None)]
)
def test_a_date_that_a_person_wrote_is_read(text: str, day: str | None) -> None:
    assert POINT.read(text or None, TEXT, "release_date") == day


@pytest.mark.parametrize(
    ("text", "was", "day"),
    [
        ("31.12.99", "", "1999-12-31"),
        ("31.12.25", "2025-12-30", "2025-12-31"),
        ("31.12.25", "1925-12-30", "1925-12-31"),
        ("31.12.35", "2035-01-01", "2035-12-31"),
    ],
)
def test_a_year_of_two_digits_is_the_one_that_was_there_or_one_since_1930(
    text: str, was: str, day: str
) -> None:
    assert POINT.read(text, TEXT, "release_date", was) == day


@pytest.mark.parametrize("text", ["03/04/1999", "01.02.03", "31.12.25"])
def test_a_date_that_may_mean_two_is_asked_back(text: str) -> None:
    with pytest.raises(UsageError, match=r"may be .* or .*; write one of these"):
        POINT.read(text, TEXT, "release_date")


@pytest.mark.parametrize("text", ["eight", "8.7.1", "08. Jul", "--", "1e", "8,,7"])
def test_what_is_no_number_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no number, and imdb_points is one"):
        COMMA.read(text, NUMBER, "imdb_points")


@pytest.mark.parametrize(
    ("was", "text"), [("Łódź", "?\u00f3d?"), ("Łódź", "Lódz"), ("千と😀", "????")]
)
def test_letters_that_a_narrow_file_lost_are_no_edit(was: str, text: str) -> None:
    assert NARROW.says(text, was, "title")
    assert not POINT.says(text, was, "title")


def test_an_edit_beside_lost_letters_is_one() -> None:
    assert not NARROW.says("?ódz Story", "Łódź", "title")


def sheet(separator: str, *cells: str) -> Reader:
    table = pl.DataFrame({"imdb_points": cells, "title": ["a,b"] * len(cells)})
    return Reader.of(table, ["imdb_points"], "", semicolons=separator == ";")


@pytest.mark.parametrize(
    ("separator", "cells", "decimal"),
    [
        (";", ["8,7", "9"], ","),
        (";", ["8.7", "9.1"], "."),
        (";", ["8.7", "9.1", "8,5"], ","),
        (",", ["8.7", "9.1"], "."),
        (",", ["8,7", "9,1"], ","),
        ("\t", ["8,7", "9"], ","),
        (";", ["8"], ","),
        (",", ["8"], "."),
    ],
)
def test_the_decimal_mark_of_a_sheet_is_seen(
    separator: str, cells: list[str], decimal: str
) -> None:
    assert sheet(separator, *cells).decimal == decimal


FORMULA = '=HYPERLINK("http://example.org";"y")'


@pytest.mark.parametrize("separator", [";", "\t", "|", "\n", ';"', ';""', ";;"])
@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "'=", "''@", "\uff1d"])
def test_no_part_of_a_text_is_a_formula_where_another_separator_is_told(
    separator: str, mark: str
) -> None:
    text = f"x{separator}{mark}1{separator}y"
    said = cell(text)
    assert said == f"x{separator}'{mark}1{separator}y"
    assert (unescaped(said), POINT.says(said, text, "title")) == (text, True)
    assert POINT.says(text, text, "title") or mark.startswith("'")


def test_a_text_may_be_a_formula_at_both_places() -> None:
    text = f"{FORMULA};{FORMULA}"
    assert cell(text) == f"'{FORMULA};'{FORMULA}"
    assert unescaped(f"'{FORMULA};'{FORMULA}") == text


@pytest.mark.parametrize("text", ["a; b", "a | -b", "x;y=1", "a-b;c", "it;'s", "a\nb"])
def test_other_texts_with_separators_stay_as_they_are(text: str) -> None:
    assert cell(text) == unescaped(text) == text
