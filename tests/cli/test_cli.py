"""The command line: exit statuses, one clear line for a mistake, JSON and nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tmdbkit
from tests.cli.terminal import counts_in
from tests.servers.tmdb import TMDBServer
from tmdbkit.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tmdb(monkeypatch: pytest.MonkeyPatch) -> Iterator[TMDBServer]:
    with TMDBServer(lists={"popular": [603, 550, 603, 13]}, missing=[60]) as server:
        monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
        monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", server.token)
        monkeypatch.setenv("TMDBKIT_RATE", "1000")
        yield server


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(words)
    said = capsys.readouterr()
    return status, said.out, said.err


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    status, out, _ = run(capsys, *words, "--json")
    return status, counts_in(out, status)


def test_stage_says_what_became_of_every_id(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(capsys, "stage", "603", "550", "60", "603") == (
        0,
        {"requested": 3, "staged": 2, "skipped": 0, "missing": 1, "failed": 0, "http_requests": 3},
    )


def test_a_second_run_asks_for_nothing(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "stage", "603", "60")
    status, counts = asked(capsys, "stage", "603", "60")
    assert status == 0
    assert (counts["skipped"], counts["missing"], counts["http_requests"]) == (1, 1, 0)


def test_ids_come_from_a_file_and_from_a_list(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("ids.txt").write_text("\ufeff603, 155  # the first two\n\n13\n", encoding="utf-8")
    assert asked(capsys, "stage", "--from-file", "ids.txt")[1]["staged"] == 3
    assert asked(capsys, "stage", "--list", "popular")[1]["requested"] == 3


def test_refresh_asks_again(tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "stage", "603", "550")
    assert asked(capsys, "refresh")[1]["staged"] == 2
    assert asked(capsys, "refresh", "--older-than", "30d")[1]["requested"] == 0


def test_push_import_delete_and_status_agree(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "stage", "603", "550")
    status, pushed = asked(capsys, "push", "--snapshot", "snap")
    assert (status, pushed["created"], pushed["unchanged"]) == (0, 2, 0)
    assert set(pushed) == {
        "target",
        "push",
        "created",
        "updated",
        "deleted",
        "unchanged",
        "withheld",
        "conflicts",
        "failed",
        "unknown",
        "batches",
    }
    assert asked(capsys, "push", "--snapshot", "snap")[1]["unchanged"] == 2
    status, imported = asked(capsys, "import", "603", "13", "60", "--snapshot", "snap")
    assert (status, imported["created"], imported["failed"]) == (1, 1, 1)
    status, deleted = asked(capsys, "delete", "13", "99", "--snapshot", "snap")
    assert (status, deleted["deleted"], deleted["absent"]) == (0, 1, 1)
    status, counts = asked(capsys, "status")
    assert set(counts) == {
        "staged",
        "missing",
        "failed",
        "rated",
        "approved",
        "held",
        "rejected",
        "undecided",
        "pushed",
        "targets",
    }
    assert (counts["staged"], counts["pushed"]) == (2, 2)


@pytest.mark.parametrize(
    "words",
    [
        ["push", "--yes", "--snapshot", ""],
        ["push", "--snapshot="],
        ["push", "--snapshot", " "],
        ["push", "--snapshot", "snap", "--plan", ""],
        ["plan", "--snapshot", "snap", "--save", ""],
        ["plan", "--snapshot", "snap", "--only", ""],
        ["undo", "--snapshot", "snap", ""],
        ["stage", "603", "--stage", ""],
        ["stage", "603", ""],
        ["check", "--html", ""],
        ["functions", ""],
        ["stage", "--search", " "],
    ],
)
def test_a_word_that_is_empty_is_refused_and_never_means_what_leaving_it_out_means(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert "it is empty; give a value, or leave it out" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["plan", "--only", ","], "',' names none"),
        (["plan", "--movie", "x"], "'x' is not a number above 0"),
        (["plan", "--limit", "\u00b2"], "'\u00b2' is not a number above 0"),
        (["plan", "--limit", "9" * 5000], "is not a number above 0"),
        (["refresh", "--older-than", f"{10**12}d"], "is no age; write 30d or 12h"),
        (["refresh", "--older-than", "999999d"], "is no age; write 30d or 12h"),
        (["review", "--decade", "\u0661\u0669\u0669\u0660"], "is no year, such as 1990"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["stage", "matrix"], "'matrix' in the arguments is not a TMDB id"),
        (["stage", "-603x"], None),
        (["stage", "0"], "is not a TMDB id"),
        (["stage"], "no ids"),
        (["stage", "--from-file", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["stage", "--from-file", "empty.txt"], "empty.txt has no ids in it"),
        (["stage", "--from-file", "words.txt"], "line 2 of words.txt"),
        (["stage", "--from-file", "."], "cannot be read"),
        (["stage", "603", "--stage", "empty.txt"], "empty.txt is a file; a stage is a folder"),
        (["stage", "603", "--stage", "ftp://host/stage"], "cannot be a stage"),
        (["stage", "603", "--stage", "newer"], "of a newer tmdbkit"),
        (["stage", "--list", "best"], "there is no list 'best'"),
        (["stage", "--list", "popular", "--pages", "501"], "pages 1 to 500"),
        (["push", "--snapshot", "snap"], "the stage is empty; looked in"),
        (["refresh", "--changed", "--stage", "typo"], "the stage is empty; looked in"),
        (["push", "--snapshot", "empty.txt"], "the stage is empty"),
        (["delete", "603"], "no deployment: set CONVEX_URL"),
        (["delete", "603", "--snapshot", "empty.txt"], "--snapshot takes a folder or a .zip"),
        (["import", "603", "--snapshot", "prdo.zip"], "there is no prdo.zip; name a folder"),
        (["delete", "603", "--snapshot", "prdo.zip"], "there is no snapshot at prdo.zip"),
        (["delete", "603", "--snapshot", "typo"], "there is no snapshot at typo/snapshot.zip"),
        (["undo", "--snapshot", "typo"], "there is no snapshot at typo/snapshot.zip"),
        (["undo", "--snapshot", "prdo.zip"], "there is no snapshot at prdo.zip"),
        (["demo", "empty.txt"], "is a file"),
        (["functions", "no/such/app/convex"], "does not exist"),
        (["refresh", "--older-than", "soon"], None),
        (["bogus"], None),
    ],
)
def test_wrong_usage_is_one_clear_line_and_status_2(
    tmdb: TMDBServer, words: list[str], says: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.txt").write_text("# nothing\n")
    Path("words.txt").write_text("603\nmatrix\n")
    Path("newer").mkdir()
    Path("newer/stage.json").write_text('{"layout": 99}')
    if says is None:  # argparse says it, with the usage
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 2
        return
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert says in err
    assert err.strip().count("\n") <= 1  # the target's name may stand before it
    assert tmdb.requests == []


def test_a_mistyped_convex_url_is_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEX_URL", "htp//happy.convex.cloud")
    status, _, err = run(capsys, "delete", "603")
    assert (status, "CONVEX_URL is not an address" in err) == (2, True)


def test_no_key_is_status_2_and_says_where_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "stage", "603")
    assert (status, "TMDB_READ_ACCESS_TOKEN" in err) == (2, True)


def test_a_refused_key_is_status_3_and_says_what_to_do(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", "s3cret")
    status, out, err = run(capsys, "stage", *map(str, range(1, 200)))
    assert (status, out) == (3, "")
    assert "check TMDB_READ_ACCESS_TOKEN" in err
    assert "s3cret" not in err
    assert len(tmdb.requests) <= 20


def test_offline_a_miss_is_a_failure_that_names_the_way(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    status, out, _ = run(capsys, "stage", "603")
    assert status == 1
    assert "TMDBKIT_OFFLINE" in out
    assert tmdb.requests == []


def test_the_cache_is_shown_and_emptied(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with tmdbkit.TMDBSession() as session:
        tmdbkit.TMDBClient(session).movie(603)
    assert asked(capsys, "cache")[1]["answers"] == 1
    assert asked(capsys, "cache", "clear")[1] == {
        "answers": 0,
        "bytes": asked(capsys, "cache")[1]["bytes"],
        "removed": 1,
    }


def test_functions_are_copied_and_what_comes_next_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys, "functions", "convex")
    assert status == 0
    assert {path.name for path in Path("convex").iterdir()} == {"tmdbkit.ts", "schema.ts"}
    assert out.index("ships the whole folder") < out.index("npx convex dev")
    assert "TMDBKIT_IMAGES=path" in out


def test_the_demo_says_what_it_did_and_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "demo")
    assert status == 0
    assert "96 created" in out
    assert "The Dark Knight (2008)" in out
    assert "Letterboxd: 4.5 of 5" in out
    assert "snapshot.zip" in out
    offered = re.findall(r"tmdbkit ((?:check|push) .*)", out)
    assert [run(capsys, *words.split())[0] for words in offered] == [1, 0]  # three are wrong
    status, out, _ = run(capsys, "demo", "gallery")
    assert out.strip().endswith("jupyter lab gallery")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tmdbkit", *words]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_one_line_and_the_next_run_goes_on(sent: signal.Signals) -> None:
    with TMDBServer.process(latency=0.02, size=500, missing_share=0) as server:
        surroundings = {
            **os.environ,
            "TMDB_BASE_URL": server.base_url,
            "TMDB_READ_ACCESS_TOKEN": server.token,
            "TMDBKIT_RATE": "300",
        }
        ids = [str(number) for number in range(1, 2001)]
        running = subprocess.Popen(
            command("stage", *ids), env=surroundings, stderr=subprocess.PIPE, text=True
        )
        for _ in range(200_000):
            if list(Path("data/stage/payloads").glob("*.parquet")) or running.poll() is not None:
                break
            os.sched_yield()
        running.send_signal(sent)
        _, err = running.communicate(timeout=20)
        assert running.returncode == 130
        assert err.strip() == "tmdbkit: interrupted; run the same again, it goes on from here"
        staged = tmdbkit.Stage("data/stage").ids()
        assert 0 < len(staged) < 2000
        before = server.stats()["total"]
        again = subprocess.run(
            command("stage", *ids[: len(ids) // 20], "--json"),
            env=surroundings,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(again.stdout)["skipped"] == len(staged & set(range(1, 101)))
        assert server.stats()["total"] - before == json.loads(again.stdout)["http_requests"]


def test_a_host_that_cannot_be_reached_is_status_3_within_ten_seconds() -> None:
    surroundings = {
        **os.environ,
        "TMDB_BASE_URL": "http://127.0.0.1:9/3",
        "TMDB_READ_ACCESS_TOKEN": "t",
        "CONVEX_URL": "http://127.0.0.1:9",
        "CONVEX_DEPLOY_KEY": "k",
    }
    runs = [
        subprocess.Popen(command(*words), env=surroundings, stderr=subprocess.PIPE, text=True)
        for words in (["stage", "603"], ["delete", "603", "--yes"])
    ]
    for running in runs:
        _, err = running.communicate(timeout=10)
        assert running.returncode == 3
        assert "cannot be reached at 127.0.0.1:9" in err
        assert "Traceback" not in err


def test_a_closed_pipe_is_no_error() -> None:
    line = f"{sys.executable} -m tmdbkit demo | head -1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_settings_says_each_with_its_source_and_no_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("TMDBKIT_CAST=3\n")
    monkeypatch.setenv("TMDB_API_KEY", "s3cret")
    status, out, err = run(capsys, "settings")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (status, err) == (0, "")
    assert lines["TMDBKIT_CAST"] == f"3  ({Path('.env').resolve()})"
    assert lines["TMDB_API_KEY"] == "set  (the environment)"
    assert lines["OMDB_API_KEY"] == "not set"
    assert "s3cret" not in out
    status, told = asked(capsys, "settings")
    assert (status, told["folder"]) == (0, str(Path.cwd()))


def test_a_slip_in_a_name_is_said_once_and_is_no_matter_of_the_status(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_REGOIN", "DE")
    status, _, err = run(capsys, "stage", "603")
    assert status == 0
    assert err.splitlines() == [
        "TMDBKIT_REGOIN in the environment is none of tmdbkit's settings; "
        "did you mean TMDBKIT_REGION?"
    ]


def test_a_region_that_does_not_exist_is_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_REGION", "UK")
    status, _, err = run(capsys, "status")
    assert (status, "did you mean GB?" in err) == (2, True)


def test_requests_count_those_that_said_which_movies(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = asked(capsys, "stage", "--list", "popular")[1]
    assert (counts["staged"], counts["http_requests"]) == (3, 4)


@pytest.mark.parametrize(
    ("ids", "after"),
    [
        (["603"], "tmdbkit show, tmdbkit ratings"),
        (["60"], "tmdbkit show --not-on-tmdb"),
        (["603", "60"], "tmdbkit show, tmdbkit ratings, tmdbkit show --not-on-tmdb"),
    ],
)
def test_what_stage_says_is_next_shows_something(
    tmdb: TMDBServer, ids: list[str], after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    last = run(capsys, "stage", *ids)[1].splitlines()[-1]
    assert last.partition("; next: ")[2] == after
    for line in after.split(", ")[:1]:
        assert run(capsys, *line.split()[1:])[0] == 0


def test_a_fetch_that_failed_is_shown_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    last = run(capsys, "stage", "603")[1].splitlines()[-1]
    assert last.endswith("; next: tmdbkit show --failed")
    assert run(capsys, "show", "--failed")[0] == 0


def test_a_command_that_is_mistyped_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["statsu"])
    said = capsys.readouterr().err
    assert said.startswith("tmdbkit: argument COMMAND: 'statsu' is none of demo, stage, ")
    assert said.endswith("did you mean status? see tmdbkit --help\n")


def test_stage_says_where_it_staged_and_what_is_next(
    tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Path("some stage").resolve()
    told = run(capsys, "stage", "603", "--stage", "some stage")[1]
    assert told.splitlines()[-1].startswith(f"in {where}; next: tmdbkit show --stage 'some stage'")
