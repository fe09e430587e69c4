"""From titles to films, asked of a look-alike of TMDB's search."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.titles import film
from tests.servers.tmdb import TMDBServer
from tests.servers.trouble import error
from tmdbkit import TMDBSession, match_titles
from tmdbkit.exceptions import CredentialsRefused, UsageError
from tmdbkit.matching.matched import COLUMNS
from tmdbkit.settings import Secret, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tmdbkit.workflows.matching import Matches

    Match = Callable[..., Matches]

pytestmark = pytest.mark.once

FILMS = [
    film(603, "The Matrix", "1999-03-31", votes=26000, director="Lana Wachowski", runtime=136),
    film(604, "The Matrix Reloaded", "2003-05-15", votes=11000),
    film(1091, "The Thing", "1982-06-25", votes=7000, director="John Carpenter", runtime=109),
    film(60935, "The Thing", "2011-10-12", votes=3500, director="Matthijs van Heijningen Jr."),
    film(14161, "2012", "2009-10-10", votes=11000),
    film(2012, "Some Other Film", "1990-01-01", votes=3),
    film(19995, "Avatar", "2009-12-15", votes=31000),
    film(129, "Spirited Away", "2001-07-20", votes=17000, original="千と千尋の神隠し"),
    film(77, "Memento", "2000-10-11", votes=15000),
    film(11, "Star Wars", "1977-05-25", votes=21000, others=["Star Wars: Episode IV - A New Hope"]),
    film(137113, "Edge of Tomorrow", "2014-05-27", votes=14000, others=["Live. Die. Repeat."]),
    film(12208, "Casino Royale", "1967-04-13", votes=700),
    film(36557, "Casino Royale", "2006-11-14", votes=11000),
    film(401, "Emma", "2020-02-13", votes=1500, director="Autumn de Wilde", runtime=125),
    film(402, "Emma", "2020-05-01", votes=900, director="Somebody Else", runtime=20),
    film(
        671,
        "Harry Potter and the Philosopher's Stone",
        "2001-11-16",
        votes=27000,
        others=["Harry Potter and the Sorcerer's Stone"],
    ),
    film(1367, "Rocky II", "1979-06-15", votes=4000),
    film(557, "Spider-Man", "2002-05-01", votes=19000),
    film(954, "Mission: Impossible", "1996-05-22", votes=9000),
    film(353081, "Mission: Impossible - Fallout", "2018-07-13", votes=8000),
]


@pytest.fixture
def tmdb() -> Iterator[TMDBServer]:
    with TMDBServer(films={one["id"]: one for one in FILMS}) as server:
        yield server


@pytest.fixture
def session(tmdb: TMDBServer, tmp_path: Path) -> Iterator[TMDBSession]:
    settings = Settings(
        tmdb_token=Secret(tmdb.token or ""),
        tmdb_base_url=tmdb.base_url,
        cache=tmp_path / "cache",
        rate=10_000,
    )
    with TMDBSession(settings) as opened:
        yield opened


@pytest.fixture
def match(session: TMDBSession) -> Match:
    """Match a frame of these columns, or a file."""

    def once(source: Any = None, *, out: Path | None = None, **columns: Any) -> Matches:
        table = source if source is not None else pl.DataFrame(columns)
        return match_titles(session, table, out=out)

    return once


def others(matches: Matches, row: int = 0) -> list[int]:
    return [one["tmdb_id"] for one in json.loads(matches.frame["others"][row])]


def test_a_list_may_have_columns_that_are_called_as_those_of_an_answer(match: Match) -> None:
    found = match(title=["matrix"], asked_title=["the first one"], year=[1999])
    assert found.frame.columns == ["asked_title", "asked_asked_title", "asked_year", *COLUMNS]
    assert found.frame["tmdb_id"].to_list() == [603]


def test_a_title_and_its_year_are_one_request_and_sure(match: Match) -> None:
    found = match(title=["matrix"], year=[1999])
    assert found.frame.columns == ["asked_title", "asked_year", *COLUMNS]
    assert found.frame.row(0, named=True) == {
        "asked_title": "matrix",
        "asked_year": 1999,
        "tmdb_id": 603,
        "imdb_id": None,
        "title": "The Matrix",
        "year": 1999,
        "confidence": 0.98,
        "margin": 1.0,
        "how": "exact",
        "sure": True,
        "others": "[]",
    }
    assert found.http_requests == 1


@pytest.mark.parametrize(
    ("title", "year", "tmdb_id", "how"),
    [
        ("Matrix, The", 1999, 603, "exact"),
        ("The Matrix (1999)", None, 603, "exact"),
        ("The Matrix", 2000, 603, "exact"),
        ("Mèmento", 2000, 77, "exact"),
        ("千と千尋の神隠し", 2001, 129, "other_title"),
        ("Star Wars: Episode IV - A New Hope", 1977, 11, "near"),
        ("Live Die Repeat", 2014, 137113, "other_title"),
        ("A New Hope", 1977, 11, "near"),
        ("Harry Potter and the Sorcerer's Stone", 2001, 671, "other_title"),
        ("Rocky 2", 1979, 1367, "exact"),
        ("Spiderman", 2002, 557, "exact"),
        ("Mission: Impossible", 2018, 353081, "near"),
        ("The Thing", 1982, 1091, "exact"),
        ("The Thing", 2011, 60935, "exact"),
        ("Avatra", 2009, 19995, "near"),
        ("2012", 2009, 14161, "exact"),
    ],
)
def test_a_title_is_found_however_it_is_written(
    title: str, year: int | None, tmdb_id: int, how: str, match: Match
) -> None:
    row = match(title=[title], year=[year]).frame.row(0, named=True)
    assert (row["tmdb_id"], row["how"]) == (tmdb_id, how)


@pytest.mark.parametrize(
    ("title", "year", "shown"),
    [
        ("The Thing", None, {1091, 60935}),  # a remake
        ("Emma", 2020, {401, 402}),  # one title in one year
        ("The Matrix", 1950, {603}),  # another year altogether
    ],
)
def test_what_may_be_several_films_is_not_sure_and_all_are_shown(
    title: str, year: int | None, shown: set[int], match: Match
) -> None:
    found = match(title=[title], year=[year])
    assert not found.frame["sure"][0]
    assert shown <= {*others(found)}


@pytest.mark.parametrize("more", [{"director": ["Autumn de Wilde"]}, {"runtime": ["2h 5m"]}])
def test_a_director_or_a_length_tells_films_of_one_title_apart(
    more: dict[str, list[str]], match: Match
) -> None:
    found = match(title=["Emma"], year=[2020], **more)
    assert found.frame.select("tmdb_id", "imdb_id", "sure").row(0) == (401, "tt0000401", True)


def test_digits_are_a_title_and_the_film_of_that_id_is_named_as_well(match: Match) -> None:
    found = match(title=["2012"], year=[2009])
    assert found.frame.select("tmdb_id", "sure").row(0) == (14161, True)
    assert others(found) == [2012]
    assert not match(title=["2012"]).frame["sure"][0]


def test_two_rows_on_one_film_are_never_sure(match: Match) -> None:
    found = match(title=["The Matrix", "Memento", "Matrix"], year=[1999, 2000, 1999])
    assert found.frame["sure"].to_list() == [False, True, False]
    assert others(found)[0] == others(found, 2)[0] == 603
    assert found.counts() == {
        "rows": 3,
        "sure": 1,
        "unsure": 2,
        "none": 0,
        "claimed_twice": 1,
        "http_requests": 2,
    }


def test_what_tmdb_does_not_have_is_none(match: Match) -> None:
    found = match(title=["Nothing of the Kind"], year=[2001])
    assert found.frame.select("tmdb_id", "how", "sure").row(0) == (None, "none", False)
    assert found.counts()["none"] == 1


def test_a_series_is_not_taken_for_a_film_of_its_title(match: Match) -> None:
    found = match(
        Title=["Emma", "Memento"], Year=[2020, 2000], **{"Title Type": ["TV Series", "Movie"]}
    )
    assert found.frame["tmdb_id"].to_list() == [None, 77]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("watched.csv", "Date,Name,Year,Letterboxd URI\n2024-01-05,The Thing,1982,https://boxd.it/1\n"),
        (
            "list.csv",
            "Letterboxd list export v7\nDate,Name,Tags,URL,Description\n2024-01-05,Mine,,u,\n\n"
            "Position,Name,Year,URL,Description\n1,The Thing,1982,https://boxd.it/1,\n",
        ),
        ("trakt.json", '[{"type":"movie","movie":{"title":"The Thing","year":1982,"ids":{}}}]'),
        (
            "shows.json",
            '[{"type":"show","show":{"title":"The Matrix","year":1999,"ids":{"tmdb":603}}},'
            '{"type":"movie","movie":{"title":"The Thing","year":1982,"ids":{"tmdb":1091}}}]',
        ),
        ("trakt.csv", "rated_at,type,title,year,trakt_id\n2024,movie,The Thing,1982,8\n"),
        ("imdb.csv", "Const,Title,Title Type,Runtime (mins),Year,Directors\n"
                     "tt0001091,The Thing,Movie,109,1982,John Carpenter\n"),
        ("excel.csv", "Titel;Jahr\nThe Thing;1982\n"),
        ("tabs.tsv", "film\treleased\nThe Thing\t1982-06-25\n"),
        ("app.json", '{"movies": [{"name": "The Thing", "year": 1982}]}'),
        ("lines.jsonl", '{"movie": "The Thing", "release_date": "1982-06-25"}\n'),
        ("titles.json", '["The Thing (1982)"]'),
        ("titles.txt", "The Thing (1982)\n\n"),
        ("titles", "https://www.themoviedb.org/movie/1091-the-thing\n"),
    ],
)  # fmt: skip
def test_lists_are_recognised_by_their_columns(
    name: str, text: str, match: Match, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert match(str(tmp_path / name)).frame.select("tmdb_id", "sure").row(-1) == (1091, True)


def test_an_id_in_the_list_is_kept_where_the_film_fits_the_title(match: Match) -> None:
    found = match(
        title=["Casino Royale", "Casino Royale"], year=[1967, 2006], tmdb_id=["12208", "12208"]
    )
    first, second = found.frame.select("tmdb_id", "how", "sure").rows()
    assert first == second == (12208, "id", False)
    assert others(found, 1) == [12208, 36557]


def test_what_was_matched_goes_on_where_it_was_killed(
    match: Match, tmdb: TMDBServer, session: TMDBSession, tmp_path: Path
) -> None:
    titles, out = pl.DataFrame({"title": ["The Matrix", "Memento"]}), tmp_path / "out.csv"
    tmdb.script = {"/3/search/movie": ["ok", "401"]}
    with pytest.raises(CredentialsRefused):
        match(titles, out=out)
    assert pl.read_csv(out)["tmdb_id"].to_list() == [603, None]
    with TMDBSession(session.settings, cache=False) as again:
        found = match_titles(again, titles, out=out)
    assert (found.frame["tmdb_id"].to_list(), found.http_requests) == ([603, 77], 1)


def test_ids_that_a_person_typed_stay_and_are_sure(match: Match, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    match(title=["Emma", "The Thing", "Nobody Knows"], year=[2020, None, None], out=out)
    rows = pl.read_csv(out)
    typed = rows.with_columns(tmdb_id=pl.Series([402, 77, 19995]))
    typed.write_csv(out)
    found = match(out)
    assert found.frame.select("tmdb_id", "title", "how", "sure").rows() == [
        (402, "Emma", "id", True),
        (77, "Memento", "id", True),
        (19995, "Avatar", "id", True),
    ]
    assert found.frame.columns == rows.columns


@pytest.mark.parametrize("typed", ["402", "402.0", "https://www.themoviedb.org/movie/402-emma"])
def test_an_id_may_be_typed_as_a_spreadsheet_or_a_browser_has_it(
    typed: str, match: Match, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    match(title=["Emma"], year=[2020], out=out)
    pl.read_csv(out).with_columns(tmdb_id=pl.lit(typed)).write_csv(out)
    assert match(out).frame.select("tmdb_id", "how", "sure").row(0) == (402, "id", True)


@pytest.mark.parametrize(
    ("written", "confidence"),
    [("0,9", 0.9), ("0.9", 0.9), ("high", 0.0), ("nan", 0.0), ("-1", 0.0), ("7", 0.0), ("", 0.0)],
)
def test_how_sure_it_was_may_come_back_as_a_spreadsheet_writes_it(
    written: str, confidence: float, match: Match, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    match(title=["The Matrix"], out=out)
    pl.read_csv(out).with_columns(confidence=pl.lit(written)).write_csv(out)
    assert match(out).frame.select("tmdb_id", "confidence").row(0) == (603, confidence)


@pytest.mark.parametrize("typed", ["9" * 20, "9" * 5000, "-5", "0", "soon"])
def test_what_is_no_id_is_none_that_a_person_typed(
    typed: str, match: Match, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    match(title=["The Matrix", "Memento"], out=out)
    pl.read_csv(out).with_columns(
        tmdb_id=pl.lit(typed), sure=pl.lit("false"), others=pl.lit(f'[{{"tmdb_id": {10**20}}}]')
    ).write_csv(out)
    assert match(out).frame["tmdb_id"].to_list() == [603, 77]


@pytest.mark.parametrize("name", ["out.parquet", "out.tsv", "out.txt", "out"])
def test_a_list_is_written_as_csv_and_under_no_other_name(
    name: str, match: Match, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"{name} is no CSV file; name one such as matched.csv"):
        match(title=["The Matrix"], out=tmp_path / name)
    assert list(tmp_path.glob("out*")) == []


def test_a_guess_that_nobody_touched_stays_a_guess(match: Match, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    match(title=["Emma", "The Thing"], year=[2020, None], out=out)
    assert match(out).counts()["unsure"] == 2


def test_matching_again_into_the_same_file_keeps_what_is_decided(
    match: Match, tmp_path: Path
) -> None:
    titles, out = (
        pl.DataFrame({"title": ["Emma", "Memento"], "year": [2020, 2000]}),
        tmp_path / "o.csv",
    )
    match(titles, out=out)
    pl.read_csv(out).with_columns(tmdb_id=pl.Series([402, 77])).write_csv(out)
    found = match(titles, out=out)
    assert found.frame["tmdb_id"].to_list() == [402, 77]
    assert found.counts()["sure"] == 2


def test_rows_and_columns_may_come_and_go_and_what_is_decided_stays(
    match: Match, tmp_path: Path
) -> None:
    titles, out = pl.DataFrame({"title": ["Emma (2020)", "Memento"]}), tmp_path / "out.csv"
    match(titles, out=out)
    pl.read_csv(out).with_columns(tmdb_id=pl.Series([402, 77])).write_csv(out)
    more = pl.DataFrame(
        {
            "seen": [datetime(2024, 1, 5, tzinfo=UTC), None],
            "title": ["Star Wars (1977)", "Emma (2020)"],
        }
    )
    for _ in range(2):
        assert match(more, out=out).frame["tmdb_id"].to_list() == [11, 402]


def test_a_film_of_those_shown_may_be_typed_where_none_was_likely(
    match: Match, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    assert others(match(title=["The Matrix"], year=[1950], out=out)) == [603, 604]
    pl.read_csv(out).with_columns(tmdb_id=pl.Series([603])).write_csv(out)
    assert match(out).frame.select("tmdb_id", "how", "sure").row(0) == (603, "id", True)


@pytest.mark.parametrize("trouble", ["404", "500"])
def test_a_typed_id_is_not_lost_where_tmdb_does_not_answer_with_it(
    trouble: str, match: Match, tmdb: TMDBServer, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    match(title=["Emma"], year=[2020], out=out)
    pl.read_csv(out).with_columns(tmdb_id=pl.Series([77])).write_csv(out)
    tmdb.script = {"/3/movie/77": [error(34) if trouble == "404" else error(44)]}
    assert match(out).frame["tmdb_id"].to_list() == [77]
    assert pl.read_csv(out)["tmdb_id"].to_list() == [77]


def test_what_is_shown_beside_a_film_is_the_same_after_matching_again(
    match: Match, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    first = match(title=["2012", "Emma"], year=[2009, 2020], out=out).frame["others"]
    assert match(out).frame["others"].to_list() == first.to_list()


def test_an_imdb_id_is_trusted_where_the_title_is_another_one_of_the_film(match: Match) -> None:
    found = match(Const=["tt0137113"], Title=["Live Die Repeat"], Year=[2014])
    assert found.frame.select("tmdb_id", "imdb_id", "sure").row(0) == (137113, "tt0137113", True)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"a": ["x"], "b": ["y"]}, "no column of titles is recognised; there are a, b: name it"),
        ({}, "no column of titles is recognised; there are none: name it"),
        ("nowhere.csv", "there is no file nowhere.csv"),
        ("nowhere.txt", "nowhere.txt cannot be read"),
    ],
)
def test_what_is_no_list_of_titles_is_one_clear_line(source: Any, words: str, match: Match) -> None:
    with pytest.raises(UsageError, match=words):
        match(pl.DataFrame(source) if isinstance(source, dict) else source)


def test_a_column_that_is_not_there_is_said(session: TMDBSession) -> None:
    with pytest.raises(UsageError, match="there is no column 'Film'; there are Name, Year"):
        match_titles(session, pl.DataFrame({"Name": ["x"], "Year": [1999]}), title="Film")


def test_a_row_that_cannot_be_asked_for_is_said_and_asked_again(
    match: Match, tmdb: TMDBServer
) -> None:
    tmdb.script = {"/3/search/movie": [error(5)]}
    found = match(title=["Memento"], year=[2000])
    assert found.frame.select("tmdb_id", "how").row(0) == (None, "")
    assert found.failures["title"].to_list() == ["Memento"]
    assert match(title=["Memento"], year=[2000]).frame["sure"][0]


def test_a_column_that_is_not_there_is_told_by_the_names_that_the_list_has(
    session: TMDBSession,
) -> None:
    table = pl.DataFrame({"tmdb_id": [603], "title": ["The Matrix"]})
    with pytest.raises(UsageError, match=r"there is no column 'nope'; there are tmdb_id, title$"):
        match_titles(session, table, title="nope")
