"""The gallery keeps its rules: listed, short, run, and the same on every machine."""

from __future__ import annotations

import ast
import json
import re
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit.demo import shipped

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

GALLERY = sorted(shipped("notebooks").glob("*.ipynb"))
OF_ONE_RUN = (tempfile.gettempdir() + "/", "127.0.0.1", "localhost")
every_notebook = pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def test_its_readme_lists_every_notebook_once_and_in_order() -> None:
    readme = (shipped("notebooks") / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)
    assert listed == [path.stem for path in GALLERY]


@every_notebook
def test_it_says_first_what_it_promises_and_whether_it_is_offline_or_live(path: Path) -> None:
    first = read(path)["cells"][0]
    assert first["cell_type"] == "markdown"
    assert re.match(r"# .+\n\n\*\*This notebook is (offline|live)\.?\*\*", "".join(first["source"]))


@every_notebook
def test_it_is_short_and_defines_nothing(path: Path) -> None:
    code = ["".join(cell["source"]) for cell in cells(path, "code")]
    assert len(code) <= 12
    defined = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
    assert not any(isinstance(node, defined) for text in code for node in ast.walk(ast.parse(text)))


@every_notebook
def test_it_was_run_from_top_to_bottom_and_keeps_no_widgets(path: Path) -> None:
    numbers = [cell["execution_count"] for cell in cells(path, "code")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "widgets" not in read(path)["metadata"]


@every_notebook
def test_what_it_shows_tells_nothing_of_the_machine_that_ran_it(path: Path) -> None:
    outputs = json.dumps([cell["outputs"] for cell in cells(path, "code")])
    assert [place for place in OF_ONE_RUN if place in outputs] == []


@pytest.mark.parametrize("form", ["stage", "review", "push"])
def test_every_form_can_be_found_in_it(form: str) -> None:
    code = "".join("".join(cell["source"]) for path in GALLERY for cell in cells(path, "code"))
    assert f"notebook.{form}(" in code
