"""The command line and the person before it: prompts, mistakes in one line, help that helps."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import COMMAND, Terminal
from tests.convex.bench import payload, staged
from tests.test_reference import verbs
from tmdbkit.cli.main import main, parser

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.once

VERBS = verbs()
FULL = Path("/dev/full")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its status, and what it said on both outputs."""

    def run_one(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as left:
            status = int(left.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run_one


# Prompts.


def test_ctrl_c_at_the_prompt_of_a_review_ends_it_at_once_and_changes_nothing() -> None:
    stage = staged(Path("data/stage"), payload(603))
    with closing(Terminal("review")) as terminal:
        assert "> " in terminal.shows("> ")
        assert terminal.ends() == 130
        assert "\ntmdbkit: interrupted" in terminal.shows("from here").replace("\r", "")
    assert stage.decisions().is_empty()


# Mistakes.


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("push --snapshto snap", "tmdbkit push: there is no option --snapshto; did you mean"),
        ("push --snap snap", "there is no option --snap; did you mean --snapshot?"),
        ("plan --yes", "tmdbkit plan: there is no option --yes; see tmdbkit plan --help"),
        ("verify --yes", "there is no option --yes"),
        ("stage -603x", "there is no option -603x"),
        ("status now", "tmdbkit status: 'now' is a word too many; see tmdbkit status --help"),
        ("pussh", "; did you mean push? see tmdbkit --help"),
        ("plan --people al", "'al' is none of named, all, none; did you mean all?"),
        ("push --snapshot", "--snapshot: expected one argument; see tmdbkit push --help"),
        ("--versoin", "tmdbkit: there is no option --versoin; did you mean --version?"),
    ],
)  # fmt: skip
def test_a_mistyped_command_is_one_line_with_what_may_have_been_meant(
    words: str, says: str, run: Run
) -> None:
    status, out, err = run(*words.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("functions /proc", "/proc cannot be written to"),
        ("functions /proc/convex", "/proc/convex cannot be written to"),
        ("plan --snapshot snap --save /proc/x.json", "/proc is no folder to write to"),
        ("plan --snapshot snap --movie 99999", "99999 is not in the plan; stage it with"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(words: str, says: str, run: Run) -> None:
    staged(Path("data/stage"), payload(603))
    status, out, err = run(*words.split())
    assert (status, out) == (2, "")
    assert says in err.splitlines()[-1]
    status, out, err = run(*words.split(), "--json")
    assert (status, json.loads(out)["error"]) == (2, err.splitlines()[-1].removeprefix("tmdbkit: "))


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_an_output_that_is_full_is_one_line_and_status_3() -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [*COMMAND, "status"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (3, "tmdbkit: the output: No space left on device\n")


@pytest.mark.parametrize(
    ("folder", "doubted"), [("docs", True), ("convex", False), ("app", False), ("new", False)]
)
def test_functions_are_copied_into_any_folder_with_a_word_where_it_looks_like_another(
    folder: str, doubted: bool, run: Run
) -> None:
    for there in ("docs", "convex", "app/_generated"):
        Path(there).mkdir(parents=True)
    status, _, err = run("functions", folder)
    assert (status, (Path(folder) / "tmdbkit.ts").exists()) == (0, True)
    assert err.count("\n") == doubted
    assert ("does not look like an app's convex folder" in err) == doubted


def test_one_movie_is_not_movies(run: Run) -> None:
    staged(Path("data/stage"), payload(603), payload(604))
    run("push", "604", "--snapshot", "snap")
    assert run("delete", "603", "--snapshot", "snap")[2].endswith("\n1 movie: 603\n")
    assert run("delete", "--absent", "--snapshot", "snap")[2].endswith("\n0 movies\n")


# Help.


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_help_of_a_command_has_examples_that_are_commands(verb: ArgumentParser) -> None:
    examples = [line.split()[1:] for line in (verb.epilog or "").splitlines()[1:]]
    assert examples
    for words in examples:
        assert parser().parse_args(words).run is verb.get_default("run")


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_help_says_what_a_command_does_without_ids(verb: ArgumentParser) -> None:
    told = [action.help or "" for action in verb._actions if action.dest == "ids"]
    assert all("; needed" in text or "; default all that are staged" in text for text in told)


def test_where_movies_come_from_stands_apart_from_what_a_command_does(run: Run) -> None:
    own, _, sources = run("push", "--help")[1].partition("\nwhich movies")
    assert "\n  --approved" in own
    assert "\n  --discover" in sources
    assert "\n  --discover" not in own
