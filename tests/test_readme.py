"""The README and the page of verbs tell the truth: Python runs, commands and names exist."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

import tmdbkit
from tmdbkit.cli.main import parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
VERBS = (ROOT / "docs" / "verbs.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BLOCKS = "".join(re.findall(r"```\n(.*?)```", README, re.DOTALL))
COMMANDS = re.findall(r"(?:^|bin/)tmdbkit ([^#&\n]*)", BLOCKS, re.MULTILINE)


def commands() -> set[str]:
    actions = parser()._actions
    return {
        name for a in actions if isinstance(a, argparse._SubParsersAction) for name in a.choices
    }


@pytest.mark.parametrize("block", PYTHON)
def test_its_python_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(block, {})
    assert "The Matrix (1999)" in capsys.readouterr().out


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_are_commands(line: str) -> None:
    parser().parse_args(line.split())


def test_it_begins_with_what_installs_it_and_with_what_needs_no_key() -> None:
    assert BLOCKS.startswith("pip install tmdbkit\ntmdbkit demo\n")


def test_the_page_of_verbs_names_every_command() -> None:
    assert {name for name in commands() if f"`tmdbkit {name}`" not in VERBS} == set()


def test_the_page_of_verbs_names_every_verb_of_the_front_door() -> None:
    verbs = [name for name in tmdbkit.__all__ if name[0].islower()]
    assert [name for name in verbs if f"{name}(" not in VERBS] == []


def test_its_pictures_are_there() -> None:
    assert all((ROOT / path).is_file() for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))
