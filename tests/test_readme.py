"""The README tells the truth: its Python runs, its commands and names exist."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

import tmdbkit
from tmdbkit.cli.main import parser
from tmdbkit.settings import _VARIABLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
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


def test_it_names_every_command() -> None:
    assert {name for name in commands() if f"`tmdbkit {name}`" not in README} == set()


def test_it_names_every_verb_of_the_front_door() -> None:
    verbs = [name for name in tmdbkit.__all__ if name[0].islower()]
    assert [name for name in verbs if f"{name}(" not in README] == []


def test_it_names_every_variable() -> None:
    assert {name for name in _VARIABLES if f"`{name}`" not in README} == set()


def test_its_pictures_are_there() -> None:
    assert all((ROOT / path).is_file() for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))
