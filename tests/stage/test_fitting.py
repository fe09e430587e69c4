"""Which values fit which field: kinds, scales, forms; what does not fit is in no document."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit.exceptions import PassedOver, UsageError
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.decisions import PLAIN_FIELDS, decision, field_named
from tmdbkit.stage.fitting import fitting

from .conftest import T0, movies, reopened

if TYPE_CHECKING:
    from tmdbkit import Stage

pytestmark = pytest.mark.once

# One value that fits, of each field that a person sets.
GOOD = {
    "title": "Seven",
    "imdb_id": "tt0114369",
    "original_title": "Se7en",
    "original_language": "English",
    "synopsis": "7 sins.",
    "tagline": "7",
    "status": "Released",
    "release_date": "1995-09-22",
    "runtime_minutes": 127,
    "budget": 33_000_000,
    "revenue": 327_000_000,
    "popularity": 7.0,
    "mpaa_rating": "R",
    "trailer_url": "https://www.youtube.com/watch?v=znmZoVkCjpI",
}


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("imdb", "7.4", 7.4),
        ("imdb", 0, 0.0),
        ("letterboxd", 5, 5.0),
        ("metacritic", "100", 100.0),
        ("imdb", None, None),
        ("imdb_votes", "1200", 1200),
        ("imdb_votes", None, None),
        ("runtime_minutes", "136", 136),
        ("budget", 63e6, 63_000_000),
        ("popularity", 7, 7.0),
        ("imdb", Decimal("7.4"), 7.4),
        ("release_date", date(1999, 3, 31), "1999-03-31"),
        ("title", " The Matrix ", "The Matrix"),
        ("tagline", None, ""),
    ],
)
def test_a_value_becomes_what_its_field_holds(name: str, value: Any, fits: Any) -> None:
    held = fitting(field_named(name), value)
    assert (held, type(held)) == (fits, type(fits))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("imdb", 10.1, "goes from 0 to 10; 10.1 does not fit"),
        ("letterboxd", 7.4, "goes from 0 to 5"),
        ("imdb", -0.1, "goes from 0 to 10"),
        ("imdb", float("nan"), "does not fit"),
        ("imdb", "inf", "does not fit"),
        ("imdb", "7,4", "'7,4' is no number"),
        ("imdb", "7_4", "'7_4' is no number"),
        ("imdb", "1_0", "'1_0' is no number"),
        ("imdb_votes", "1_000", "'1_000' is no number"),
        ("title", float("nan"), "nan is no value of title"),
        ("tagline", float("-inf"), "-inf is no value of tagline"),
        ("title", Decimal("NaN"), "NaN is no value of title"),
        ("imdb_votes", -1, "does not fit"),
        ("imdb_votes", 12.5, "is a whole number"),
        ("runtime_minutes", "136.5", "is a whole number, and 136.5 is none"),
        ("runtime_minutes", "two hours", "is no number"),
        ("runtime_minutes", None, "is no number"),
        ("budget", 1e300, "does not fit"),
        ("title", "", "a movie has a title"),
        ("title", None, "a movie has a title"),
    ],
)
def test_a_value_that_does_not_fit_is_one_clear_line(name: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        fitting(field_named(name), value)
    assert "\n" not in str(raised.value)


def test_every_plain_field_takes_some_value_and_holds_it_in_its_document(stage: Stage) -> None:
    stage.store.add(movies(1))
    queue = ReviewQueue(stage, by="ann")
    for field, value in GOOD.items():
        queue.correct(field, value)
    row = stage.movies().row(0, named=True)
    assert {name: row[name] for name in PLAIN_FIELDS} == GOOD


@pytest.mark.parametrize("field", sorted(set(PLAIN_FIELDS) - {"title"}))
def test_every_text_but_the_title_can_be_emptied(field: str) -> None:
    if isinstance(GOOD[field], str):
        assert fitting(field, None) == fitting(field, " ") == ""


# The forms of texts.

BAD = {
    "release_date": [
        *("2005-13-45", "2005-02-30", "31.03.1999", "1999", "19990331", "1999-W13-3"),
        *("0199-03-31", "9999-12-31", "1999-03-31T00:00:00", "1999-O3-31", "unknown"),
    ],
    "imdb_id": [
        *("tt12", "0133093", "nm0000206", "tt0000000", "TT0133093", "tt0133093/", "tt01330930000"),
        *("https://www.imdb.com/title/tt0133093/", "tt" + "\N{ARABIC-INDIC DIGIT ONE}" * 7),
    ],
    "mpaa_rating": [
        *("PG-99", "NC-71", "99", "PG-13 for violence", "rated R for language", "R!", "7.4", "<b>"),
        *("-", "+", "/", "-+"),
        "https://x.org/R",
    ],
    "trailer_url": [
        *("znmZoVkCjpI", "www.youtube.com/watch?v=znmZoVkCjpI", "javascript:alert(1)", "https://"),
        *("https://youtube/watch", "https://a.b/c d", "file:///etc/passwd", "https://u:p@a.b/c"),
    ],
    "status": ["released", "Out", "7"],
    "original_language": ["english", "en", "Klingon", "7"],
}


NO_SUCH = r"is no (release date|IMDb id|mpaa rating|trailer URL|status|original language); "


@pytest.mark.parametrize("field", BAD)
def test_a_text_that_is_not_of_its_fields_form_is_one_line_and_in_no_log(
    field: str, stage: Stage
) -> None:
    stage.store.add(movies(1))
    queue = ReviewQueue(stage, by="ann")
    for value in BAD[field]:
        with pytest.raises(UsageError, match=NO_SUCH) as raised:
            queue.correct(field, value)
        assert str(raised.value).startswith(repr(value))
        assert "\n" not in str(raised.value)
    assert stage.decisions().is_empty()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("release_date", text) for text in ("1888-10-14", "2024-02-29", "2099-12-31")),
        *(("imdb_id", text) for text in ("tt0133093", "tt10872600", "tt99000012")),
        *(
            ("mpaa_rating", text)
            for text in (
                *("G", "PG", "PG-13", "R", "NC-17", "NR", "Not Rated", "Approved", "X", "M/12"),
                *("0", "6", "16", "FSK 16", "12A", "MA15+", "R18+", "VM14", "A/i", "UA 13+", "14+"),
                *("TV-MA", "R-13", "Públicos", "普遍級", "K-16", "KT/EA", "Livre"),
            )
        ),
        ("trailer_url", "https://youtu.be/znmZoVkCjpI?t=7"),
        ("status", "Post Production"),
        ("original_language", "Cantonese"),
        ("original_language", "No Language"),
    ],
)
def test_what_countries_and_services_write_fits(field: str, value: str) -> None:
    assert fitting(field, value) == value


@pytest.mark.parametrize(
    ("field", "value", "meant"),
    [("status", "Cancelled", "Canceled"), ("original_language", "Frensh", "French")],
)
def test_a_slip_in_one_of_a_few_names_is_asked_about(field: str, value: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"did you mean {meant}\?$"):
        fitting(field, value)


@pytest.mark.parametrize(
    ("field", "value", "most"),
    [
        ("runtime_minutes", 60_001, "60,000"),
        ("budget", 2e11, "100,000,000,000"),
        ("revenue", 2e11, "100,000,000,000"),
        ("popularity", 2e6, "1,000,000"),
        ("vote_count_system.imdb", 2e9, "1,000,000,000"),
        ("vote_pts_system.metacritic", 100.1, "100"),
    ],
)
def test_every_number_has_a_most(field: str, value: float, most: str) -> None:
    with pytest.raises(UsageError, match=f"goes from 0 to {most}; .* does not fit"):
        fitting(field, value)


@pytest.mark.parametrize("value", [-0.0, "-0", "-0.0"])
@pytest.mark.parametrize("name", ["imdb", "imdb_votes", "popularity"])
def test_minus_nought_is_nought(name: str, value: Any) -> None:
    assert str(fitting(field_named(name), value)) in ("0", "0.0")


NO_VALUES = [
    *(True, ["Heat"], ("Heat",), {"title": "Heat"}, {"Heat"}, b"Heat", b"7", bytearray(b"7")),
    *(object(), len, ..., pl.Series([7.4]), pl.DataFrame({"a": [1]}), 7j, str, iter("7")),
]


@pytest.mark.parametrize("value", NO_VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("field", ["title", "runtime_minutes", "vote_pts_system.imdb"])
def test_what_is_neither_a_text_nor_a_number_is_no_value(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match="give a text or a number") as raised:
        fitting(field, value)
    assert "\n" not in str(raised.value)


def test_what_another_program_wrote_past_its_form_is_passed_over_and_said(stage: Stage) -> None:
    stage.store.add(movies(1))
    made = decision(
        1, "override", name="a", by="ann", at=T0, field="release_date", value="2005-13-45"
    )
    stage.store.add_decisions(made.with_columns(value=pl.lit(json.dumps("2005-13-45"))))
    with pytest.warns(PassedOver, match='release_date "2005-13-45" of movie 1'):
        assert "2005-13-45" not in reopened(stage).movies()["release_date"].to_list()
