"""The layout: one direction through the package, a front door, modules that say why they exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tmdbkit

PACKAGE = Path(tmdbkit.__file__).parent
ROOT = PACKAGE.parent

# The layers, lowest first. A module imports from its own subpackage and from layers below: from
# none above, and from no neighbour on its own layer. What has no place here may not be there.
LAYERS = (
    {
        "exceptions",
        "settings",
        "schema",
        "progress",
        "display",
        "images",
        "executors",
        "files",
        "surrogates",
        "tables",
    },
    {"transform", "http", "plots"},
    {"ratings", "tmdb", "matching"},
    {"quality"},
    {"stage"},
    {"convex", "fetch"},
    {"workflows"},
    {"demo"},
    {"review"},
    {"notebook", "cli"},
    {"__main__"},
)
# Of the layers below, what each subpackage is made of; the lowest layer is open to all.
MADE_OF = {
    "transform": set(),
    "http": set(),
    "plots": set(),
    "ratings": {"http"},
    "tmdb": {"http"},
    "matching": set(),
    "quality": {"transform", "ratings", "matching"},
    "stage": {"transform", "ratings", "quality"},
    "convex": {"transform", "http"},
    "fetch": {"http", "tmdb", "stage"},
    "workflows": {
        *("transform", "ratings", "tmdb", "matching"),
        *("quality", "stage", "convex", "fetch"),
    },
    "demo": {"ratings", "tmdb", "stage", "convex", "fetch", "workflows"},
    "review": {"transform", "ratings", "quality", "stage"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def home_of(module: str) -> str:
    """The subpackage, or the module at the top, that a module is in; "" is the front door."""
    return module.partition(".")[0]


def layer_of(home: str) -> int:
    """Where a subpackage stands, or one of the modules at the top."""
    places = [place for place, homes in enumerate(LAYERS) if home in homes]
    assert len(places) == 1, f"{home} has no place in the layers, or two"
    return places[0]


def imports_of(path: Path) -> set[str]:
    """All modules of ours that a module imports: at the top, in functions, and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tmdbkit"):
            inner = (node.module or "").removeprefix("tmdbkit").removeprefix(".")
            found |= {f"{inner}.{alias.name}".strip(".") for alias in node.names}
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            found |= {n.removeprefix("tmdbkit.") for n in names if n.startswith("tmdbkit.")}
    return found - {"__version__"}


def imported_homes(path: Path) -> set[str]:
    """The subpackages and modules at the top that a module imports, but for its own."""
    own = home_of(name_of(path))
    return {home_of(module) for module in imports_of(path)} - {own}


INSIDE = [path for path in MODULES if name_of(path)]


@pytest.mark.parametrize("path", INSIDE, ids=name_of)
def test_a_module_imports_from_its_own_subpackage_and_from_layers_below(path: Path) -> None:
    own = layer_of(home_of(name_of(path)))
    others = {home for home in imported_homes(path) if layer_of(home) >= own}
    assert own == 0 or not others
    assert own != 0 or all(layer_of(home) == 0 for home in others)


@pytest.mark.parametrize("home", MADE_OF)
def test_a_subpackage_is_made_of_what_is_said_here_and_no_more(home: str) -> None:
    modules = [path for path in INSIDE if home_of(name_of(path)) == home]
    used = {other for path in modules for other in imported_homes(path)}
    assert {other for other in used if layer_of(other) > 0} == MADE_OF[home]


def test_no_two_modules_of_the_lowest_layer_need_each_other() -> None:
    needs = {home_of(name_of(p)): imported_homes(p) for p in INSIDE if name_of(p) in LAYERS[0]}
    while free := {name for name, others in needs.items() if not others & needs.keys()}:
        needs = {name: others for name, others in needs.items() if name not in free}
    assert needs == {}


def test_every_place_in_the_layers_is_taken_and_at_most_ten_modules_lie_at_the_top() -> None:
    homes = {home_of(name_of(path)) for path in INSIDE}
    assert homes == set().union(*LAYERS)
    at_the_top = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert len(at_the_top) <= 10
    assert len(homes - at_the_top - {"__main__"}) == 15


def test_no_module_or_subpackage_is_named_like_a_name_of_the_front_door() -> None:
    assert {home_of(name_of(path)) for path in INSIDE}.isdisjoint(tmdbkit.__all__)


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


def test_the_package_shows_its_front_door_and_the_subpackages_that_the_docs_name() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    named = set(re.findall(r"tmdbkit\.([a-z_]+)", reference)) - set(tmdbkit.__all__)
    shown = set(dir(tmdbkit)) - set(tmdbkit.__all__)
    assert shown == {name for name in named if (PACKAGE / name).is_dir()}


@pytest.mark.parametrize(
    "written",
    [
        "tmdbkit.notebook.review",
        "tmdbkit.review.queue.ReviewQueue",
        "tmdbkit.plots.coverage",
        "tmdbkit.transform.transform",
        "tmdbkit.convex.install.install_functions",
    ],
)
def test_what_the_docs_write_works_after_importing_the_package_alone(written: str) -> None:
    subprocess.run([sys.executable, "-c", f"import tmdbkit; {written}"], check=True)


def test_the_front_door_says_no_to_other_names() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = tmdbkit.nothing_of_the_kind


@pytest.mark.parametrize("module", ["tmdbkit", "tmdbkit.cli.main"])
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
