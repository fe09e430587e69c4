"""Half a surrogate pair comes in as U+FFFD wherever a text does, and costs nothing.

Neither Parquet nor UTF-8 can hold one; JSON's escapes, the environment and widgets can.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.convex.bench import deployment, movie, outcome, payload, push, staged
from tests.servers.convex import ConvexProxy, function_error, success
from tests.servers.ratings import KEY, RatingsServer
from tests.servers.tmdb import TMDBServer
from tests.servers.wire import Answer
from tmdbkit import ConvexSnapshot, Settings, TMDBClient, TMDBSession, plan_push
from tmdbkit.cli.main import main
from tmdbkit.convex.contract import FUNCTIONS
from tmdbkit.convex.plan import Plan
from tmdbkit.exceptions import RequestRefused, UsageError
from tmdbkit.progress import Silent
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.omdb import OMDb
from tmdbkit.ratings.table import Table
from tmdbkit.review import ReviewQueue
from tmdbkit.schema import validator
from tmdbkit.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tmdbkit import Stage
    from tmdbkit.convex.target import Document

pytestmark = pytest.mark.once

HALF, SIGN = "\ud83d", "\ufffd"
SAID = f"Oh {HALF} no"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage of one movie."""
    return staged(tmp_path / "stage", payload(603))


# What people say.


@pytest.mark.parametrize("verb", ["approve", "hold", "reject"])
def test_a_note_and_the_name_of_who_decided(stage: Stage, verb: str) -> None:
    getattr(ReviewQueue(stage, by=f"ann {HALF}"), verb)(603, note=f"fine {HALF}")
    assert stage.decisions().select("note", "by").rows() == [(f"fine {SIGN}", f"ann {SIGN}")]


def test_a_value_that_a_person_set(stage: Stage) -> None:
    ReviewQueue(stage).correct("title", f"Matrix {HALF}", 603, note=HALF)
    assert stage.movies()["title"].to_list() == [f"Matrix {SIGN}"]


def test_a_note_that_is_typed_in_a_terminal_of_another_encoding(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMDBKIT_REVIEWER", "Andr\udce9")  # as os.environ has a byte of Latin-1
    monkeypatch.setattr(sys, "stdin", io.StringIO("h caf\udce9\n"))
    assert main(["review", "--stage", str(stage.store.root.folder)]) == 0
    assert stage.decisions().select("note", "by").rows() == [(f"caf{SIGN}", f"Andr{SIGN}")]


def test_a_region_of_the_environment_is_none_in_one_line(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMDBKIT_REGION", "U\udce9")
    assert main(["status", "--stage", str(stage.store.root.folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tmdbkit: TMDBKIT_REGION is ")


# Files of theirs.


@pytest.mark.parametrize("half", [b"\xed\xa0\xbd", b"\xed\xb0\x80", b"x\xed\xa0\xbdx\xed\xa0\xbd"])
def test_a_title_in_a_table_of_ratings(half: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"tmdb_id,title,lb\n603," + half + b",4.2\n550,Fight,4.3\n")
    [found] = Table(path, points={"letterboxd": "lb"}).collect(
        pl.DataFrame({"tmdb_id": [603, 550]})
    )
    assert found.ratings["points"].to_list() == [4.2, 4.3]


def test_a_rating_in_a_table_spoils_its_movie_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"tmdb_id,lb\n603,\xed\xa0\xbd\n550,4.3\n")
    [found] = Table(path, points={"letterboxd": "lb"}).collect(
        pl.DataFrame({"tmdb_id": [603, 550]})
    )
    assert found.failed.rows() == [(603, f"letterboxd: '{SIGN}' is no number")]
    assert found.ratings["tmdb_id"].to_list() == [550]


def test_a_column_of_a_table_that_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"tmdb_id,\xed\xa0\xbd\n603,4.2\n")
    with pytest.raises(UsageError, match=f"has no column 'lb'; it has tmdb_id, {SIGN}"):
        Table(path, points={"letterboxd": "lb"})


def test_a_comment_in_a_file_of_ids(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.txt").write_bytes(b"603  # \xed\xa0\xbd\n")
    where = ("--stage", str(stage.store.root.folder), "--snapshot", str(tmp_path / "snapshot"))
    assert main(["plan", *where, "--from-file", str(tmp_path / "ids.txt")]) == 0


def test_a_word_in_a_file_of_ids_is_named_with_its_line(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.txt").write_bytes(b"603\n\xed\xa0\xbd\n")
    where = ("--stage", str(stage.store.root.folder), "--snapshot", str(tmp_path / "snapshot"))
    assert main(["plan", *where, "--from-file", str(tmp_path / "ids.txt")]) == 2
    assert f"'{SIGN}' in line 2 of" in capsys.readouterr().err


def test_a_value_in_a_plan_that_was_saved_and_edited(stage: Stage, tmp_path: Path) -> None:
    path, target = tmp_path / "plan.json", ConvexSnapshot(tmp_path / "snapshot")
    plan_push(stage, target, progress=Silent()).save(path)
    path.write_text(path.read_text("utf-8").replace("The Matrix", r"Matrix \ud83d"), "utf-8")
    push(stage, target, plan=Plan.load(path))
    assert [row["title"] for row in target.table("movies")] == [f"Matrix {SIGN}"]


def test_a_title_in_a_snapshot(stage: Stage, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "prod.zip", "w") as archive:
        documents = json.dumps(movie(603, title=f"Matrix {HALF}"))
        archive.writestr("movies/documents.jsonl", documents)
    target = ConvexSnapshot(tmp_path / "prod.zip")
    assert target.movies()["title"].to_list() == [f"Matrix {SIGN}"]
    assert outcome(push(stage, target))[0] == "updated"


# What services say.


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TMDBSession]:
    """A session with a server that says halves."""
    titles = {
        "/3/search/movie": rb'{"results": [{"id": 603, "title": "Matrix \ud83d"}]}',
        "/3/movie/1": b'{"id": 1, "zz": ' + b"9" * 5_000 + b"}",
    }
    script = {path: [Answer(200, body)] for path, body in titles.items()}
    with TMDBServer(script=script) as server:
        settings = Settings(
            tmdb_base_url=server.base_url, tmdb_token=Secret(server.token or ""), cache=tmp_path
        )
        with TMDBSession(settings) as opened:
            yield opened


def test_a_title_that_tmdb_finds_and_what_it_was_searched_by(session: TMDBSession) -> None:
    found = TMDBClient(session).search(f"matrix {HALF}")
    assert found["results"][0]["title"] == f"Matrix {SIGN}"


def test_an_answer_that_only_python_cannot_read_is_one_clear_error(session: TMDBSession) -> None:
    with pytest.raises(RequestRefused, match="answered with JSON that cannot be read"):
        TMDBClient(session).movie(1)


@pytest.mark.parametrize("status", [200, 400, 403])
def test_the_words_of_a_provider(status: int, tmp_path: Path) -> None:
    told = {"response": False, "Response": "False"} | dict.fromkeys(("error", "Error"), SAID)
    answer = Answer(status, json.dumps(told).encode())
    script = {"1": [answer] * 9, "tt0000001": [answer] * 9}
    wanted = pl.DataFrame({"tmdb_id": [1], "imdb_id": ["tt0000001"]})
    with RatingsServer(script=script) as server:
        settings = Settings(
            mdblist_api_key=Secret(KEY),
            omdb_api_key=Secret(KEY),
            mdblist_base_url=server.url,
            omdb_base_url=server.url,
            cache=tmp_path,
        )
        for kind in (MDBList, OMDb):
            with kind(settings, sleep=lambda _: None) as provider:
                [found] = provider.collect(wanted)
            assert f"(Oh {SIGN} no)" in found.failed["reason"].item()


ADDED = {"created": 0, "updated": 0, "unchanged": 0}
VALUES: Document = {
    "contract": {
        "version": FUNCTIONS,
        "tables": {name: validator(name) for name in ("movies", "crew", "genres")},
    },
    "addPeople": ADDED,
    "addGenres": ADDED,
    "moviesByTmdbIds": [],
    "slugOwners": [],
    "page": {"page": [], "cursor": "end", "done": True},
}


@pytest.mark.parametrize("name", ["applyMovies", "addPeople"])
def test_the_words_of_a_function(name: str, stage: Stage) -> None:
    with ConvexProxy(values=VALUES) as proxy:
        proxy.script(name, *[lambda _run: function_error(SAID)] * 9)
        result = push(stage, deployment(proxy.url), people="all")
    assert outcome(result)[0] == "failed"
    assert f"Oh {SIGN} no" in stage.imports()["reason"].item()


def test_the_values_of_a_function(stage: Stage) -> None:
    there = {"page": [movie(603, title=f"Matrix {HALF}")], "cursor": "end", "done": True}
    with ConvexProxy(values=VALUES) as proxy:
        proxy.script("page", lambda _run: success(there))
        assert deployment(proxy.url).movies()["title"].to_list() == [f"Matrix {SIGN}"]
