"""Films named on the line by title or IMDb id, of those that are staged; and changes row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.convex.bench import payload, staged
from tmdbkit.cli.main import main

if TYPE_CHECKING:
    from tmdbkit import Stage

pytestmark = pytest.mark.once


def film(tmdb_id: int, title: str, imdb_id: str, year: int, original: str = "") -> dict[str, Any]:
    return payload(
        tmdb_id,
        title=title,
        original_title=original or title,
        imdb_id=imdb_id,
        release_date=f"{year}-03-31",
    )


FILMS = [
    film(603, "The Matrix", "tt0133093", 1999),
    film(604, "The Matrix Reloaded", "tt0234215", 2003),
    film(841, "Dune", "tt0087182", 1984),
    film(438631, "Dune", "tt1160419", 2021),
    film(129, "Spirited Away", "tt0245429", 2001, "千と千尋の神隠し"),
    film(530915, "1917", "tt8579674", 2019),
]


@pytest.fixture(autouse=True)
def stage() -> Stage:
    return staged(Path("data/stage"), *FILMS)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main([*words, "--snapshot", "there"])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize(
    ("word", "tmdb_id"),
    [
        ("the matrix", 603),  # a whole title before a part of one
        ("Matrix Reloaded", 604),
        ("tt0234215", 604),
        ("https://www.imdb.com/title/tt0245429/", 129),
        ("千と千尋の神隠し", 129),
        ("spirited", 129),
        ("Dune (2021)", 438631),
        ("603", 603),
    ],
)
def test_a_film_is_named_by_its_title_where_it_is_one(
    word: str, tmdb_id: int, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "plan", word, "--rows")
    *rows, counts = map(json.loads, out.splitlines())
    assert (status, counts["create"]) == (0, 1)
    assert {row["tmdb_id"] for row in rows} == {tmdb_id}
    assert rows[0]["new"]["tmdb_id"] == tmdb_id


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("dune", "'dune' may be Dune (1984, 841), Dune (2021, 438631); say which by its id"),
        ("the mat", "may be The Matrix (1999, 603), The Matrix Reloaded (2003, 604); say which"),
        ("xyzzy", "no movie here is called 'xyzzy'"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "push", "verify"])
def test_a_title_of_several_or_of_none_does_nothing(
    verb: str, word: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, verb, word)
    assert (status, out, says in err) == (2, "", True)
    assert not Path("there").exists()


def test_two_staged_films_with_one_imdb_id_are_told_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    staged(Path("data/stage"), film(5, "Copy", "tt0133093", 1999))
    status, _, err = run(capsys, "plan", "tt0133093")
    assert (status, "may be Copy (1999, 5), The Matrix (1999, 603)" in err) == (2, True)


@pytest.mark.parametrize("verb", ["plan", "verify"])
def test_ids_that_are_not_staged_are_named_with_status_1(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "push", "603")
    status, out, _ = run(capsys, verb, "7777777", "603")
    assert status == 1
    assert "not_staged: 1" in out.splitlines()
    assert "not staged: movie 7777777: tmdbkit stage 7777777 fetches it" in out.splitlines()
    assert json.loads(run(capsys, verb, "7777777", "--json")[1])["not_staged"] == 1


def test_a_creation_is_shown_with_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "plan", "the matrix")
    assert 'document: title: "The Matrix"' in out.splitlines()
    assert "  cast: Keanu Reeves" in run(capsys, "plan", "--movie", "603")[1].splitlines()


def test_a_push_by_title_sends_that_film_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert "created: 1" in run(capsys, "push", "the matrix")[1].splitlines()
    status, out, _ = run(capsys, "verify", "the matrix", "dune (1984)", "--rows")
    *rows, counts = map(json.loads, out.splitlines())
    assert (status, counts["equal"], counts["absent"]) == (1, 1, 1)
    found = {(row["tmdb_id"], row["change"]) for row in rows if row["change"] != "withheld"}
    assert found == {(841, "absent")}
