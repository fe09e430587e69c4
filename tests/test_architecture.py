"""The house: one direction through it, a front door, and modules that say why they are there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tmdbkit

PACKAGE = Path(tmdbkit.__file__).parent
ROOT = PACKAGE.parent

# A module may import from its own layer and from those above it, never from below.
LAYERS = (
    ("exceptions", "progress", "asking", "counts", "surrogates"),
    ("settings", "schema", "languages", "slugs", "ids"),
    ("payloads",),
    (
        "tmdb",
        "transform",
        "ratings",
        "quality",
        "root",
        "marker",
        "workers",
        "log",
        "logs",
        "decisions",
        "views",
        "convex.client",
        "convex.contract",
        "convex.merge",
        "convex.plan",
        "convex.reading",
        "convex.target",
        "convex.verdict",
    ),
    ("report", "plots", "fetching"),
    ("item",),
    ("holdings", "history", "overlay", "names"),
    ("archive",),
    ("stage",),
    ("assessment",),
    (
        "staging",
        "distributing",
        "checking",
        "review",
        "collecting",
        "convex.delivery",
        "convex.importer",
        "convex.install",
        "convex.planned",
        "convex.results",
        "convex.sending",
        "convex.snapshot",
        "convex.undo",
        "convex.verification",
    ),
    ("workflows",),
    ("demo",),
    ("notebook", "inputs", "commands", "rating_commands", "review_command", "cli", "__main__"),
)
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def layer_of(module: str) -> int | None:
    for place, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return place
    return None


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tmdbkit"):
            inner = (node.module or "").removeprefix("tmdbkit").removeprefix(".")
            found |= {f"{inner}.{alias.name}".strip(".") for alias in node.names}
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            found |= {n.removeprefix("tmdbkit.") for n in names if n.startswith("tmdbkit.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_its_layer_and_from_those_above(path: Path) -> None:
    own = layer_of(name_of(path))
    if own is None:
        assert name_of(path) in ("", "convex"), f"{name_of(path)} has no place in the layers"
        return
    below = {name for name in imports_of(path) if (layer_of(name) or 0) > own}
    assert not below


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_in_its_first_line_why_it_is_there(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert docstring.splitlines()[0].rstrip().endswith((".", ":"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_outgrows_450_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 450


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_widgets_are_imported_under_notebook_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "notebook" in path.parts or ("import ipywidgets" not in text and "IPython" not in text)


def test_the_front_door_has_at_most_twenty_names_sorted_and_each_opens() -> None:
    assert tmdbkit.__all__ == sorted(tmdbkit.__all__)
    assert len(tmdbkit.__all__) <= 20
    for name in tmdbkit.__all__:
        assert getattr(tmdbkit, name).__name__ == name


def test_the_front_door_says_no_to_other_names() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = tmdbkit.nothing_of_the_kind


@pytest.mark.parametrize("module", ["tmdbkit", "tmdbkit.cli"])
def test_importing_the_package_or_its_commands_imports_nothing_heavy(module: str) -> None:
    heavy = "{'polars', 'requests', 'ipywidgets'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_has_a_place_in_the_tree_that_is_drawn() -> None:
    from tmdbkit import exceptions

    drawn = exceptions.__doc__ or ""
    kinds = [v for v in vars(exceptions).values() if isinstance(v, type)]
    assert all(kind.__name__ in drawn for kind in kinds if issubclass(kind, Exception))


def test_the_version_is_the_newest_of_the_changelog() -> None:
    headings = [
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    ]
    assert headings[0].removeprefix("## ").split()[0] == tmdbkit.__version__
