"""`match` on the command line, and lists of ids in any table."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.cli.terminal import counts_in
from tests.servers.titles import film
from tests.servers.tmdb import TMDBServer
from tests.servers.trouble import error
from tmdbkit import Stage
from tmdbkit.cli.main import main
from tmdbkit.workflows import note_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, dict[str, int], str]]

pytestmark = pytest.mark.once

FILMS = [
    film(603, "The Matrix", "1999-03-31", votes=26000, director="Lana Wachowski", runtime=136),
    film(77, "Memento", "2000-10-11", votes=15000, imdb_id="tt0209144"),
    film(401, "Emma", "2020-02-13", votes=1500, director="Autumn de Wilde", runtime=125),
    film(402, "Emma", "2020-05-01", votes=900, director="Somebody Else", runtime=20),
]


@pytest.fixture
def tmdb(monkeypatch: pytest.MonkeyPatch) -> Iterator[TMDBServer]:
    with TMDBServer(films={one["id"]: one for one in FILMS}) as server:
        monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
        monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", server.token or "")
        monkeypatch.setenv("TMDBKIT_RATE", "1000")
        yield server


@pytest.fixture
def run(tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]) -> Run:
    def once(*words: str) -> tuple[int, dict[str, int], str]:
        status = main([*words, "--json"])
        said = capsys.readouterr()
        return status, counts_in(said.out, status), said.err

    return once


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_a_list_that_is_sure_is_status_0(run: Run) -> None:
    titles = written("titles.txt", "The Matrix (1999)\nMemento (2000)\n")
    status, counts, said = run("match", titles, "--out", "m.csv")
    assert (status, said) == (0, "")
    assert counts == {
        "rows": 2,
        "sure": 2,
        "unsure": 0,
        "none": 0,
        "claimed_twice": 0,
        "http_requests": 2,
    }
    assert pl.read_csv("m.csv")["tmdb_id"].to_list() == [603, 77]


def test_what_is_to_decide_is_status_1_until_somebody_did(run: Run) -> None:
    titles = written("titles.csv", "Film;When\nEmma;2020\nMemento;2000\n")
    columns = ("--title", "Film", "--year", "When")
    status, counts, said = run("match", titles, *columns, "--out", "m.csv")
    assert (status, counts["unsure"]) == (1, 1)
    assert said.startswith("1 row of m.csv to decide: say --pick")
    pl.read_csv("m.csv").with_columns(tmdb_id=pl.Series([402, 77])).write_csv("m.csv")
    assert run("match", "m.csv")[0] == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["titles.csv"], "name the file to write, such as --out matched.csv"),
        (["titles.csv", "--out", "m.csv", "--title", "Fil"], "there is no column 'Fil'"),
        (["titles.csv", "--out", "titles.csv"], "is no list that was matched; name another file"),
        (["nothing.csv", "--out", "m.csv"], "there is no file nothing.csv"),
        (["titles.csv", "--out", "no/m.csv"], "no folder to write to"),
    ],
)
def test_a_mistake_is_one_clear_line_and_nothing_is_asked(
    words: list[str], complaint: str, run: Run, tmdb: TMDBServer
) -> None:
    written("titles.csv", "Title\nEmma\n")
    status, _, said = run("match", *words)
    assert (status, said.count("\n"), tmdb.requests) == (2, 1, [])
    assert complaint in said
    assert Path("titles.csv").read_text(encoding="utf-8") == "Title\nEmma\n"


# Deciding.


@pytest.fixture
def answer(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Match a text and answer what is asked: the status, what was shown, and the file after it."""

    def once(titles: str, *lines: str) -> tuple[int, str, pl.DataFrame]:
        monkeypatch.setattr("sys.stdin", StringIO("".join(f"{line}\n" for line in lines)))
        status = main(["match", written("t.txt", titles), "--out", "m.csv", "--pick"])
        return status, capsys.readouterr().out, pl.read_csv("m.csv")

    return once


def test_candidates_are_shown_side_by_side_and_a_digit_chooses(answer: Any) -> None:
    status, shown, rows = answer("Emma (2020)\nMemento (2000)\n", "2")
    assert "1 of 1: Emma (2020)" in shown
    line = next(line for line in shown.splitlines() if line.startswith("  1  "))
    assert line.split() == (
        ["1", "Emma", "2020", "Autumn", "de", "Wilde", "125", "min", "1,500", "votes", "401"]
    )
    assert (status, rows["tmdb_id"].to_list()) == (0, [402, 77])
    assert rows.select("how", "sure").row(0) == ("id", True)


@pytest.mark.parametrize(
    ("keys", "tmdb_id", "how", "status"),
    [
        (["n"], None, "none", 0),
        ([""], 401, "exact", 1),
        (["q"], 401, "exact", 1),
        ([], 401, "exact", 1),
        (["?", "7", "x", "1"], 401, "id", 0),
        (["s matrix", "1"], 603, "id", 0),
        (["s tt0209144", "1"], 77, "id", 0),
        (["s nothing at all", "s Memento", "1"], 77, "id", 0),
    ],
)
def test_each_key_does_what_it_says(
    keys: list[str], tmdb_id: int | None, how: str, status: int, answer: Any
) -> None:
    ended, _, rows = answer("Emma (2020)\n", *keys)
    assert (ended, rows["tmdb_id"][0], rows["how"][0]) == (status, tmdb_id, how)


def test_a_row_that_could_not_be_asked_for_says_so_and_a_search_that_fails_is_one_line(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    status, shown, rows = answer("Emma (2020)\nMemento\n", "s Emma", "", "n")
    assert shown.count("  it could not be asked for; s TITLE asks again") == 2
    assert "offline, and the cache has no answer for /search/movie" in shown
    assert (status, rows["how"].to_list()) == (1, ["", "none"])


def test_candidates_whose_details_do_not_come_are_shown_all_the_same(
    answer: Any, tmdb: TMDBServer
) -> None:
    tmdb.script = {f"/3/movie/{tmdb_id}": [error(34)] for tmdb_id in (401, 402)}
    status, shown, rows = answer("Emma (2020)\n", "2")
    assert [line.split()[:3] for line in shown.splitlines() if line.startswith("  1  ")] == [
        ["1", "Emma", "2020"]
    ]
    assert (status, rows["tmdb_id"].to_list()) == (0, [402])


def test_titles_that_strangers_wrote_steer_no_terminal(answer: Any, tmdb: TMDBServer) -> None:
    tmdb.payloads[401]["title"] = "Emma\x1b\u202e"
    shown = answer("Emma\x1b (2020)\n", "q")[1]
    assert "1 of 1: Emma  (2020)" in shown
    assert not {"\x1b", "\u202e"} & set(shown)


def test_what_was_decided_is_not_asked_again(answer: Any) -> None:
    answer("Emma (2020)\n", "n")
    assert answer("Emma (2020)\n")[:2][0] == 0


def test_two_rows_that_a_person_gives_one_film_are_said(answer: Any) -> None:
    status, _, rows = answer("Memento (2000)\nEmma (2020)\n", "s tt0209144", "1")
    assert (status, rows["sure"].to_list()) == (1, [False, False])


# What was asked for.


def test_what_a_list_asked_for_stays_with_the_movie_and_wakes_its_rules(run: Run) -> None:
    rows = "Title,Year,tmdb_id\nThe Matrix,1999,603\nHeat,1995,77\n"
    run("stage", "--from-file", written("list.csv", rows))
    found = {rule["rule"] for rule in run("check")[1]["rules"]}
    assert {"title_not_asked_for", "year_not_asked_for"} <= found
    asked = Stage().table().filter(tmdb_id=77).select("title", "asked_title", "asked_year")
    assert asked.row(0) == ("Memento", "Heat", 1995)


def test_of_two_rows_on_one_movie_the_one_that_is_farthest_off_is_compared(run: Run) -> None:
    rows = "Title,Year,Const\nEmma,1996,tt0000401\nEmma,2020,tt0000401\n"
    run("stage", "--from-file", written("list.csv", rows))
    assert Stage().table()["asked_year"].to_list() == [1996]
    assert [rule["rule"] for rule in run("check")[1]["rules"]].count("year_not_asked_for") == 1


def test_the_same_list_again_is_noted_once_and_another_one_counts_from_then_on(run: Run) -> None:
    stage = Stage()
    run("stage", "--from-file", written("list.csv", "Title,tmdb_id\nMatrix,603\n"))
    table = pl.DataFrame({"Title": ["Matrix"], "tmdb_id": ["603"]})
    assert note_asked(stage, table) == 0
    assert note_asked(stage, table.with_columns(Title=pl.lit("The Matrix"))) == 1
    assert stage.table()["asked_title"].to_list() == ["The Matrix"]
    stage.compact()
    assert stage.table()["asked_title"].to_list() == ["The Matrix"]
    assert stage.doctor().problems == ()


# Lists of ids.


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("imdb.csv", "Const,Your Rating,Title\ntt0000603,9,The Matrix\nTT0209144,8,Memento\n", []),
        ("links.csv", "movieId,imdbId,tmdbId\n1,0000603,603\n2,0209144,\n", []),
        ("urls.tsv", "Film\tWhere\nMatrix\thttps://www.themoviedb.org/movie/603-the-matrix\n"
                     "Memento\thttps://imdb.com/title/tt0209144/?a=b\n", []),
        ("trakt.json", '[{"movie": {"title": "The Matrix", "ids": {"trakt": 1, "tmdb": 603}}},'
                       ' {"movie": {"title": "Memento", "ids": {"imdb": "tt0209144"}}}]', []),
        ("ids.json", "[603, 77]", []),
        ("app.json", '{"movies": [{"id": 603}, {"id": 77}]}', []),
        ("lines.jsonl", '{"tmdb_id": 603}\n{"tmdb_id": 77}\n', []),
        ("named.csv", "no;film\n1;603\n2;77\n", ["--id", "film"]),
        ("bare.csv", "603,77\n", []),
        ("heading.txt", "tmdb_id\n603\n77\n", []),
        ("urls.txt", "https://www.themoviedb.org/movie/603\nimdb.com/title/tt0209144/ # it\n", []),
    ],
)  # fmt: skip
def test_a_table_with_a_column_of_ids_is_staged(
    name: str, text: str, words: list[str], run: Run
) -> None:
    status, counts, said = run("stage", "--from-file", written(name, text), *words)
    assert (status, counts["staged"], said) == (0, 2, "")


def test_parquet_is_a_table_as_well(run: Run) -> None:
    pl.DataFrame({"tmdbId": [603, 77]}).write_parquet("ids.parquet")
    assert run("stage", "--from-file", "ids.parquet")[1]["staged"] == 2


def test_rows_without_an_id_are_named_and_counted(run: Run) -> None:
    rows = "Title,tmdb_id\nThe Matrix,603\nMystery,\nHeat,soon\n"
    status, counts, said = run("stage", "--from-file", written("list.csv", rows))
    assert (status, counts["staged"]) == (1, 1)
    assert said == "tmdbkit: 2 rows of list.csv left out, without an id: 2 (Mystery), 3 (Heat)\n"


def test_of_a_matched_list_only_what_is_sure_is_staged_or_what_a_person_typed(run: Run) -> None:
    run("match", written("t.txt", "Memento\nEmma (2020)\n"), "--out", "m.csv")
    status, counts, said = run("stage", "--from-file", "m.csv")
    assert (status, counts["requested"]) == (1, 1)
    assert said == "tmdbkit: 1 row of m.csv left out, not sure: 2 (Emma)\n"
    pl.read_csv("m.csv").with_columns(tmdb_id=pl.Series([77, 402])).write_csv("m.csv")
    assert run("stage", "--from-file", "m.csv")[:2][0] == 0


@pytest.mark.parametrize(
    ("text", "words", "complaint"),
    [
        ("Title\nEmma\n", [], "no column of ids is recognised; there are Title: name it"),
        ("Title\nEmma\n", ["--id", "Film"], "there is no column 'Film'; there are Title"),
        ("", [], "ids.csv has no ids in it"),
    ],
)
def test_a_table_without_ids_is_one_clear_line(
    text: str, words: list[str], complaint: str, run: Run, tmdb: TMDBServer
) -> None:
    status, _, said = run("stage", "--from-file", written("ids.csv", text), *words)
    assert (status, said.count("\n"), tmdb.requests) == (2, 1, [])
    assert complaint in said


def test_ratings_are_taken_by_whatever_ids_a_table_has(run: Run) -> None:
    run("stage", "603", "77")
    rows = "Const;Mine\ntt0000603;4.5\nTT0209144;4\n;3\n"
    words = ("--table", written("mine.csv", rows), "--points", "letterboxd=Mine")
    status, counts, said = run("ratings", *words)
    assert (status, counts["rated"]) == (1, 2)
    assert said == "tmdbkit: 1 row of mine.csv left out, without an id: 3\n"
