"""`--json` on every end of every command: one object, with its keys, `exit` and `error`."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tmdbkit
from tests.cli.terminal import COMMAND
from tests.servers.tmdb import TMDBServer
from tmdbkit.cli import output
from tmdbkit.cli.ending import KEYS
from tmdbkit.cli.main import main, parser

if TYPE_CHECKING:
    from collections.abc import Callable

    Ended = Callable[..., dict[str, Any]]

ENDS = ("exit", "error")
LINES = {  # each command, as one might type it
    "demo": "demo",
    "stage": "stage 603",
    "match": "match titles.txt --out matched.csv",
    "show": "show 603",
    "ratings": "ratings --table mine.csv --points imdb=rating",
    "check": "check",
    "rules": "rules",
    "review": "review",
    "plan": "plan --snapshot snap",
    "push": "push --snapshot snap",
    "verify": "verify --snapshot snap",
    "undo": "undo --snapshot snap",
    "refresh": "refresh",
    "delete": "delete 603 --snapshot snap",
    "import": "import 603 --snapshot snap",
    "export": "export films.csv",
    "apply": "apply films.csv",
    "status": "status",
    "doctor": "doctor",
    "settings": "settings",
    "functions": "functions nowhere/convex",
    "compact": "compact",
    "transform": "transform",
    "cache": "cache",
}
VERBS = next(a.choices for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
ROWS = [verb for verb, grammar in VERBS.items() if "--rows" in grammar._option_string_actions]
TARGETS = [verb for verb, line in LINES.items() if "--snapshot" in line]


@pytest.fixture
def ended(capsys: pytest.CaptureFixture[str]) -> Ended:
    """Type a line, and return the one object that it prints, whose `exit` is the status."""

    def type_(line: str, keys: str = "") -> dict[str, Any]:
        try:
            status: object = main(line.split())
        except SystemExit as left:
            status = left.code
        printed = capsys.readouterr()
        (told,) = map(json.loads, printed.out.splitlines())
        assert told["exit"] == status
        assert (told["error"] is None) == (status in (0, 1))
        assert told["error"] is None or told["error"] in printed.err
        assert list(KEYS[keys or line.split()[0]]) == list(told)[: -len(ENDS)]
        return dict(told)

    return type_


def test_every_command_is_tried_here() -> None:
    assert LINES.keys() == VERBS.keys()
    assert {name.partition(" ")[0] for name in KEYS} == VERBS.keys()


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_an_unknown_option_still_ends_with_the_object(line: str, ended: Ended) -> None:
    told = ended(f"{line} --json --bogus")
    assert (told["exit"], "there is no option --bogus" in told["error"]) == (2, True)


@pytest.mark.parametrize("verb", VERBS)
def test_a_word_too_many_still_ends_with_the_object(verb: str, ended: Ended) -> None:
    assert ended(f"{verb} --json --stage= a b c")["exit"] == 2


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_wrong_settings_still_end_with_the_object(
    line: str, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_REGION", "Atlantis")
    reads_none = line.split()[0] in ("demo", "rules", "functions")
    told = ended(f"{line} --json")
    assert reads_none or (told["exit"], "TMDBKIT_REGION" in told["error"]) == (2, True)


def test_a_value_for_the_option_itself_still_ends_with_the_object(ended: Ended) -> None:
    assert ended("show --json=1")["exit"] == 2


def test_a_film_of_the_name_of_the_option_asks_for_no_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main(["show", "--stage", "nowhere", "--", "--json"])
    assert (status, capsys.readouterr().out) == (2, "")


@pytest.mark.parametrize("stream", [1, 2])
def test_a_stream_that_is_closed_shows_nothing_and_changes_no_status(stream: int) -> None:
    ran = subprocess.run(
        [*COMMAND, "show", "603", "--stage=nowhere", "--json"],
        capture_output=True,
        preexec_fn=lambda: os.close(stream),
    )
    shown = (ran.stderr, ran.stdout)[stream - 1]
    assert (ran.returncode, len(shown.splitlines())) == (2, 1)


@pytest.mark.parametrize("line", [line for v, line in LINES.items() if v in TARGETS], ids=TARGETS)
def test_a_target_that_is_not_there_still_ends_with_the_object(line: str, ended: Ended) -> None:
    told = ended(f"{line}.zip --json")
    assert told["exit"] == 2


@pytest.mark.parametrize("line", [line for v, line in LINES.items() if v in TARGETS], ids=TARGETS)
def test_a_deployment_that_nothing_answers_for_still_ends_with_the_object(
    line: str, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEX_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", "k")
    told = ended(f"{line.replace(' --snapshot snap', '')} --json")
    assert told["exit"] in (2, 3)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_ctrl_c_still_ends_with_the_object(
    line: str, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = output.collected_warnings

    def begin_and_press() -> Any:
        signal.raise_signal(signal.SIGINT)
        return begin()

    monkeypatch.setattr(output, "collected_warnings", begin_and_press)
    told = ended(f"{line} --json")
    assert (told["exit"], told["error"].partition(";")[0]) == (130, "interrupted")


class Interrupted(io.BytesIO):
    """Standard input, at which somebody presses Ctrl-C instead of typing ids."""

    def read(self, _: int | None = -1, /) -> bytes:
        signal.raise_signal(signal.SIGINT)
        return b""


def test_ctrl_c_while_ids_are_typed_still_ends_with_the_object(
    ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted()))
    assert ended("stage --from-file - --json")["exit"] == 130


@pytest.mark.parametrize("verb", ROWS)
def test_rows_end_with_the_object_on_an_error_too(verb: str, ended: Ended) -> None:
    assert ended(f"{verb} --rows --stage typo --year=1 --snapshot=")["exit"] == 2


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("ratings --provider nobody --dry-run", "ratings --dry-run"),
        ("review --all hold", "review --all"),
        ("review --waive=scale_mix_up", "review --waive"),
        ("export --decisions=.", "export --decisions"),
        ("apply --undo nothing", "apply --undo"),
    ],
)
def test_an_option_that_makes_a_command_another_thing_brings_its_keys(
    line: str, keys: str, ended: Ended
) -> None:
    assert ended(f"{line} --json", keys)["exit"] == 2


@pytest.fixture(scope="module")
def pushed(demo_made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's stage, three movies of which were pushed to a snapshot."""
    folder = tmp_path_factory.mktemp("pushed")
    shutil.copytree(demo_made_once / "stage", folder / "stage")
    stage, target = tmdbkit.Stage(folder / "stage"), tmdbkit.ConvexSnapshot(folder / "snap")
    tmdbkit.push(stage, target, limit=3)
    return folder


@pytest.mark.once
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_what_goes_well_has_the_same_keys_in_the_same_order(
    line: str,
    pushed: Path,
    ended: Ended,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(pushed, ".", dirs_exist_ok=True)
    monkeypatch.setenv("TMDBKIT_STAGE", "stage")
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    Path("titles.txt").write_text("The Matrix\n")
    Path("mine.csv").write_text("tmdb_id,rating\n603,8.7\n")
    Path("nowhere/convex").mkdir(parents=True)
    if line.startswith("apply"):
        main(["export", "films.csv"])
    capsys.readouterr()
    told = ended(f"{line.replace('show 603', 'show')} --json")
    assert told["exit"] in (0, 1)


@pytest.mark.once
@pytest.mark.parametrize("log", ["payloads", "ratings"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_damaged_part_of_the_stage_still_ends_with_the_object(
    line: str, log: str, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    tmdbkit.sample("data/stage")
    for part in Path("data/stage", log).glob("*.parquet"):
        part.write_bytes(b"")
    Path("titles.txt").write_text("The Matrix\n")
    Path("mine.csv").write_text("tmdb_id,rating\n603,8.7\n")
    told = ended(f"{line} --json")
    assert told["exit"] in (0, 1, 2, 3)


def test_counts_so_far_are_told_where_a_signal_ends_it() -> None:
    with TMDBServer.process(latency=0.02, size=500, missing_share=0) as server:
        surroundings = {
            **os.environ,
            "TMDB_BASE_URL": server.base_url,
            "TMDB_READ_ACCESS_TOKEN": server.token,
            "TMDBKIT_RATE": "300",
        }
        running = subprocess.Popen(
            [sys.executable, "-m", "tmdbkit", "stage", *map(str, range(1, 2001)), "--json"],
            env=surroundings,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(200_000):
            if list(Path("data/stage/payloads").glob("*.parquet")) or running.poll() is not None:
                break
            os.sched_yield()
        running.send_signal(signal.SIGINT)
        told = json.loads(running.communicate(timeout=20)[0])
    assert (told["exit"], told["requested"]) == (130, 2000)
    assert 0 < told["staged"] == len(tmdbkit.Stage("data/stage"))
    assert told["http_requests"] >= told["staged"]
