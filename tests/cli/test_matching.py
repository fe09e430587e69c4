"""`match` on the command line, and lists of ids in any table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.servers.titles import film
from tests.servers.tmdb import TMDBServer
from tmdbkit.cli.main import main

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
        return status, json.loads(said.out or "{}"), said.err

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
    assert said.startswith("1 row of m.csv to decide")
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
