"""A terminal, a pipe or a person with an encoding of their own never ends a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.convex.bench import payload, staged

pytestmark = pytest.mark.once

TITLE = "架空の猫は夜を測る"
SHOWN = "".join(f"\\u{ord(letter):04x}" for letter in TITLE)
ENCODINGS = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},  # a pipe on Windows
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
COMMANDS = {  # and the status that each has
    "stage 603": 0,
    "status": 0,
    "check": 1,
    "plan --snapshot there": 0,
    "plan --snapshot there --movie 603": 0,
    "push --snapshot there": 0,
    "verify --snapshot there": 0,
    "review --state all": 0,
    "demo": 0,
    "stage --help": 0,
}
IN_WINDOWS = [("status", "cp1252"), ("check", "cp1252")]
LARGE = [("plan --snapshot there --movie 603", "ascii"), ("stage --help", "ascii")]
LARGE += [("status", "ascii"), ("check", "cp1252")]  # what is one more of a kind


@pytest.fixture(autouse=True)
def stage() -> None:
    """A stage with a title in Japanese, of a movie whose points are wrong: so it is named."""
    named = payload(603, title=TITLE, original_title=TITLE, vote_average=11.0)
    staged(Path("data/stage"), named)


def run(words: str, encoding: str, typed: bytes = b"") -> tuple[int, str, str]:
    """Run a command in a process of its own: its status, and what it said on both outputs."""
    command = [sys.executable, "-m", "tmdbkit", *words.split()]
    surroundings = {**os.environ, **ENCODINGS[encoding], "TMDB_READ_ACCESS_TOKEN": "t"}
    done = subprocess.run(command, env=surroundings, input=typed, capture_output=True, check=False)
    said = [text.decode("cp1252") for text in (done.stdout, done.stderr)]
    return done.returncode, said[0], said[1]


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        pytest.param(*case, marks=[pytest.mark.large] * (case in LARGE))
        for case in (*((words, "ascii") for words in COMMANDS), *IN_WINDOWS)
    ],
)
def test_a_letter_that_the_output_lacks_ends_no_command(words: str, encoding: str) -> None:
    if words.startswith("verify"):
        run("push --snapshot there", encoding)
    status, _, err = run(words, encoding)
    assert (status, "Traceback" in err) == (COMMANDS[words], False)


@pytest.mark.parametrize("words", ["stage 603", "check", "push --snapshot there"])
def test_json_is_the_same_in_every_encoding(words: str) -> None:
    status, out, err = run(f"{words} --json", "ascii")
    assert (status, "Traceback" in err) == (COMMANDS[words], False)
    assert isinstance(json.loads(out), dict)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_letter_that_the_output_lacks_is_shown_by_its_number(encoding: str) -> None:
    _, out, _ = run("plan --snapshot there --movie 603", encoding)
    assert out.startswith(SHOWN)


def test_a_push_says_what_it_did_after_it_was_done() -> None:
    _, out, _ = run("push --snapshot there", "cp1252")
    assert "created" in out
    assert Path("there/snapshot.zip").exists()


def test_a_mistake_is_named_whatever_letters_are_in_it() -> None:
    status, _, err = run(f"stage {TITLE}", "ascii")
    assert (status, err.count("\n")) == (2, 1)
    assert SHOWN in err


def test_a_note_that_was_typed_in_another_encoding_is_kept() -> None:
    status, out, err = run("review", "ascii", "h café\n".encode())
    assert (status, "Traceback" in err) == (0, False)
    assert out.endswith("1 of 1 movie decided\n")
