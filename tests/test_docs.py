"""The pages in docs/ tell the truth: their Python runs, their commands exist."""

from __future__ import annotations

import re

import pytest

from tests.test_readme import ROOT
from tmdbkit.cli import parser
from tmdbkit.quality import RULES

PAGES = sorted((ROOT / "docs").glob("*.md"))
FENCED = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, text)
        for page in PAGES
        for kind, text in FENCED.findall(page.read_text(encoding="utf-8"))
        if kind == language
    ]


@pytest.mark.parametrize(("page", "block"), blocks("python"))
def test_its_python_runs(page: str, block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize(("page", "block"), blocks(""))
def test_its_commands_are_commands(page: str, block: str) -> None:
    for line in re.findall(r"^tmdbkit ([^#&\n]*)", block, re.MULTILINE):
        parser().parse_args(line.split())


def test_its_links_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "README.md"]:
        for path in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / path).exists(), f"{page.name} links to {path}"


def test_every_rule_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence[0].isupper() for rule in RULES)
