"""The pages in docs/ tell the truth: their Python runs, their commands exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tmdbkit
from tests.test_readme import ROOT
from tmdbkit.cli import parser
from tmdbkit.quality import RULES

PAGES = sorted((ROOT / "docs").glob("*.md"))
SOURCES = sorted(Path(tmdbkit.__file__).parent.rglob("*.py"))
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


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"](docs/{page.name})" not in readme] == []


def test_what_errors_are_quoted_to_say_is_what_the_code_says() -> None:
    said = "\n".join(texts())
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    pieces = [piece.strip() for quote in quoted for piece in quote.split("…")]
    assert [piece for piece in pieces if piece not in said] == []
    assert len(quoted) > 10


def texts() -> list[str]:
    """Every text in the code as a person would read it, without the values that it is given."""
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    constants = [n for n in nodes if isinstance(n, ast.Constant) and n not in docstrings]
    plain = [node.value for node in constants if isinstance(node.value, str)]
    formed = [
        "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        for node in nodes
        if isinstance(node, ast.JoinedStr)
    ]
    return plain + formed


def test_every_rule_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence[0].isupper() for rule in RULES)
