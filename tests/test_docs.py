"""The pages in docs/ tell the truth: their Python runs, their commands exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tmdbkit
from tests.test_readme import ROOT
from tmdbkit import exceptions
from tmdbkit.cli.main import parser
from tmdbkit.quality import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once

PAGES = sorted((ROOT / "docs").glob("*.md"))
SOURCES = sorted(Path(tmdbkit.__file__).parent.rglob("*.py"))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HERE_DOCUMENT = r"<<'(\w+)'\n.*?^\1$"
APART = {"recipes.md"}  # needs what an extra brings; tests/test_pages.py runs it


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, text)
        for page in PAGES
        for kind, text in FENCED.findall(page.read_text(encoding="utf-8"))
        if kind == language
    ]


@pytest.mark.parametrize(
    ("page", "block"), [given for given in blocks("python") if given[0] not in APART]
)
def test_its_python_runs(page: str, block: str) -> None:
    exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize(("page", "block"), blocks(""))
def test_its_commands_are_commands(page: str, block: str) -> None:
    for line in re.findall(r"^(?:\w+=\S+ |[./\w]+/)?tmdbkit ([^#&|>\n]*)", block, re.MULTILINE):
        parser().parse_args(line.split())


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_what_is_typed_has_no_comment_which_a_mac_s_shell_takes_for_words(page: Path) -> None:
    typed = [text for kind, text in FENCED.findall(page.read_text("utf-8")) if kind == ""]
    outside_of_files = re.sub(HERE_DOCUMENT, "", "".join(typed), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"^.*(?<!\S)#.*$", outside_of_files, re.MULTILINE) == []


def test_its_links_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "README.md"]:
        for path in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / path).exists(), f"{page.name} links to {path}"


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"](docs/{page.name})" not in readme] == []


def test_the_page_from_the_docstrings_has_every_name_of_the_front_door() -> None:
    page = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    assert [name for name in tmdbkit.__all__ if f":: tmdbkit.{name}\n" not in page] == []


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
    formed = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    return [text_of(node) for node in (*constants, *formed)]


def text_of(node: ast.AST) -> str:
    """A text as a person would read it, without the values that it is given; "" of the rest."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "…" for part in node.values)
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else ""


STATUS = re.compile(r", with status (\d)[;:](.*?)(?=, with status|\| status \|)", re.DOTALL)


def test_what_errors_are_quoted_to_say_ends_with_the_status_that_they_stand_under() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    ends = list(endings())
    apart = {
        quote: found
        for status, table in STATUS.findall(page)
        for quote in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
        if int(status) not in (found := {end for text, end in ends if said_by(quote, text)} or {1})
    }
    assert apart == {}


def said_by(quote: str, text: str) -> bool:
    return all(piece.strip() in text for piece in quote.split("…"))


def endings() -> Iterator[tuple[str, int]]:
    """Each text that an error is made of, with the exit status that it leads to."""
    for node in (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text("utf-8")))):
        parts = [node.func, *node.args] if isinstance(node, ast.Call) else getattr(node, "elts", ())
        for name in (part.id for part in parts if isinstance(part, ast.Name)):
            kind = getattr(exceptions, name, None)
            if isinstance(kind, type) and issubclass(kind, exceptions.TMDBKitError):
                end = 2 if issubclass(kind, exceptions.UsageError) else 1
                end = 3 if issubclass(kind, exceptions.StopError) else end
                yield from ((text, end) for part in parts if (text := text_of(part)))


def test_every_rule_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence[0].isupper() for rule in RULES)
