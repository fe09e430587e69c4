"""What a command says beside its result: what to type next, what it left out, what is mistyped."""

from __future__ import annotations

import json
import os
import re
import subprocess
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tmdbkit
from tests.cli.terminal import COMMAND
from tests.servers.tmdb import TMDBServer
from tmdbkit.cli.main import main
from tmdbkit.exceptions import NoSuchMovie, UsageError
from tmdbkit.review import ReviewQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

MINE = ("--stage", "my films")
REHEARSED = (*MINE, "--snapshot", "rehearsal")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Type a line, and return its status and what it printed."""

    def once(*words: str) -> tuple[int, str, str]:
        status = main(words)
        said = capsys.readouterr()
        return status, said.out, said.err

    return once


@pytest.fixture
def mine(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample's movies in a stage whose name has a space."""
    (demo / "stage").rename("my films")
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")


@pytest.mark.usefixtures("mine")
def test_what_check_says_to_run_next_means_the_same_stage(run: Run) -> None:
    assert (
        "tmdbkit check --html report.html --stage 'my films' shows more" in run("check", *MINE)[1]
    )


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["--snapshot", "my app"], "--snapshot 'my app'"),
        (["--snapshot", "my app", *MINE], "--snapshot 'my app'"),
        ([*MINE, "--skip", "stale,too_fine"], "--skip stale,too_fine --stage 'my films'"),
        (["--skip", "stale", "--snapshot", "my app"], "--skip stale --snapshot 'my app'"),
    ],
)
def test_what_check_says_to_run_next_finds_the_same(run: Run, words: list[str], same: str) -> None:
    Path("tmdbkit-demo/snapshot").rename("my app")
    assert f"tmdbkit check --html report.html {same} shows more" in run("check", *words)[1]


@pytest.mark.usefixtures("mine")
def test_what_doctor_says_to_run_next_means_the_same_stage(run: Run) -> None:
    part = next(Path("my films/payloads").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-100])
    assert "tmdbkit stage --stage 'my films' --refresh" in run("doctor", *MINE)[1]


def test_doctor_of_a_stage_that_is_not_there_is_one_line_and_status_2(run: Run) -> None:
    status, out, err = run("doctor", "--stage", "typo")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"there is no stage at {Path('typo').resolve()}" in err


def test_a_queue_of_a_stage_that_is_not_there_leaves_no_folder_behind() -> None:
    assert len(ReviewQueue(tmdbkit.Stage("typo"), by="Ann")) == 0
    assert not Path("typo").exists()


@pytest.mark.usefixtures("mine")
def test_a_snapshot_that_is_new_is_said_to_be(run: Run) -> None:
    assert "which is new: nothing is there yet" in run("plan", *REHEARSED)[2]
    run("push", "603", *REHEARSED)
    assert "which is new" not in run("plan", *REHEARSED)[2]


@pytest.mark.usefixtures("mine")
def test_decisions_of_a_file_are_shown_and_asked_for_as_a_sheet_is(run: Run) -> None:
    line = {"tmdb_id": 603, "kind": "hold"}
    Path("said.jsonl").write_text(json.dumps(line))
    status, _, err = run("apply", "said.jsonl", *MINE)
    assert (status, "say --yes if it is meant" in err) == (2, True)
    assert tmdbkit.Stage("my films").decisions().is_empty()
    assert run("apply", "said.jsonl", "--yes", *MINE)[0] == 0
    assert tmdbkit.Stage("my films").decisions()["kind"].to_list() == ["hold"]


def test_one_setting_that_is_wrong_hides_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("TMDBKIT_CAST=many\nTMDBKIT_POSTER_SIZE=w92\n")
    monkeypatch.setenv("TMDBKIT_RATE", "0")
    monkeypatch.setenv("TMDBKIT_REGION", "GB")
    status, out, err = run("settings")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    told = [
        lines[f"TMDBKIT_{name}"].split()[0] for name in ("CAST", "RATE", "REGION", "POSTER_SIZE")
    ]
    assert (status, told) == (2, ["wrong", "wrong", "GB", "w92"])
    assert "TMDBKIT_RATE" in err
    assert "TMDBKIT_CAST" in err


def test_what_could_not_be_looked_up_is_not_to_be_decided_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    Path("titles.txt").write_text("The Matrix\nEmma\n")
    status, _, err = run("match", "titles.txt", "--out", "matched.csv")
    assert status == 1
    assert err.splitlines() == ["2 rows could not be looked up: run the same again"]


def test_a_refresh_says_how_many_of_its_ids_are_not_staged(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TMDBServer() as server:
        monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
        monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", server.token or "")
        run("stage", "603")
        assert "2 movies not staged: left out" in run("refresh", "603", "550", "13")[2]
        assert "left out" not in run("refresh", "603")[2]


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    "column",
    ["tmdb_id,rating\n603,8\n1,7\n2,6\n", "const,rating\ntt0133093,8\ntt9999998,7\ntt9999999,6\n"],
)
def test_ratings_of_a_table_say_how_many_of_its_movies_are_not_staged(
    run: Run, column: str
) -> None:
    Path("mine.csv").write_text(column)
    words = ("ratings", "--table", "mine.csv", "--points", "imdb=rating", *MINE)
    assert "2 movies not staged: left out" in run(*words)[2]


@pytest.mark.usefixtures("mine")
def test_the_rows_of_one_movie_are_of_that_alone(run: Run) -> None:
    *rows, last = map(
        json.loads, run("plan", "--movie", "603", "--rows", *REHEARSED)[1].splitlines()
    )
    assert {row["tmdb_id"] for row in rows} == {603}
    assert last["create"] == 1


@pytest.mark.usefixtures("mine")
def test_a_title_is_taken_wherever_a_staged_movie_is_meant(run: Run) -> None:
    stage, target = tmdbkit.Stage("my films"), tmdbkit.ConvexSnapshot("rehearsal")
    assert repr(tmdbkit.plan_push(stage, target)["the matrix"]).startswith("The Matrix (603)")
    run("push", *REHEARSED)
    assert "deleted: 1" in run("delete", "the matrix", "--yes", *REHEARSED)[1]
    assert (stage.drop(["Fight Club", 155]), len(stage)) == (2, 94)


@pytest.mark.usefixtures("mine")
def test_a_title_that_is_none_of_a_plan_s_or_of_two_is_one_line() -> None:
    plan = tmdbkit.plan_push(tmdbkit.Stage("my films"), tmdbkit.ConvexSnapshot("rehearsal"))
    with pytest.raises(NoSuchMovie, match="'no such film' is not in the plan"):
        plan["no such film"]
    twice = tmdbkit.convex.plan.Plan.joined("there", [plan, plan])
    with pytest.raises(UsageError, match="'Fight Club' may be 550, 550; say which by its id"):
        twice["Fight Club"]


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    "line", ["check", "rules", "plan --snapshot rehearsal", "show", "settings"]
)
def test_no_line_is_wider_than_the_terminal(line: str) -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    here = [] if line in ("rules", "settings") else MINE
    command = [*COMMAND, *line.split(), *here]
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while some := os.read(ours, 65_536):
            seen += some
    except OSError:  # the command has ended, and its terminal with it
        running.wait()
    os.close(ours)
    shown = re.sub(r"\x1b\[\d*[mK]", "", seen.decode()).splitlines()
    assert [row for row in shown if len(row) > 80 and " " in row.strip()] == []
