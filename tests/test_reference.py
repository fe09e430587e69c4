"""The pages name every public thing, and nothing that is not there.

Public is what has no underscore before it: of the front door, of the objects that a user gets hold
of, of the modules that the reference names, of the settings, and of the command line.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from contextlib import ExitStack
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tmdbkit
from tests.test_readme import ROOT
from tmdbkit import notebook
from tmdbkit.cli.main import parser
from tmdbkit.convex.merge import Scope
from tmdbkit.demo import sample_session
from tmdbkit.exceptions import ServiceError
from tmdbkit.plots import Picture
from tmdbkit.progress import Silent
from tmdbkit.quality import RULES
from tmdbkit.ratings.imdb import IMDb
from tmdbkit.ratings.imdb_titles import IMDbTitles
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.omdb import OMDb
from tmdbkit.ratings.table import Table
from tmdbkit.review import ReviewQueue
from tmdbkit.settings import _VARIABLES, Secret, Settings
from tmdbkit.tmdb.export import Export, Exports

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once

CODE = re.compile(r"`([^`]+)`")


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, their headings left out."""
    found = [line.strip("|").split("|") for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)]
    return [cells for cells in found if "`" in cells[0]]


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def sections() -> dict[str, dict[str, str]]:
    """What stands under each heading of the reference: each name, and how it is written."""
    parts = (part.partition("\n") for part in page("reference").split("\n### ")[1:])
    return {
        heading: {
            re.split(r"\W", code)[0]: code
            for cells in rows(text.split("\n## ")[0])
            for code in CODE.findall(cells[0])
        }
        for heading, _, text in parts
    }


SECTIONS = sections()
MODULES = [name for name in SECTIONS if name.startswith("tmdbkit")]


def of_module(name: str) -> dict[str, Any]:
    """What a module gives: as it says itself, or else the functions and classes of its own."""
    module = import_module(name)
    own = [n for n, value in vars(module).items() if getattr(value, "__module__", "") == name]
    public = [n for n in getattr(module, "__all__", own) if not n.startswith("_")]
    return {n: getattr(module, n) for n in public}


def of_object(thing: object) -> dict[str, Any]:
    """What an object has, but for what it has from a class that is not of tmdbkit."""
    kinds = [kind for kind in type(thing).__mro__ if not kind.__module__.startswith("tmdbkit")]
    foreign = {name for kind in kinds for name in dir(kind)}
    public = [n for n in dir(thing) if not n.startswith("_") and n not in foreign]
    return {n: inspect.getattr_static(type(thing), n, None) for n in public}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """Every kind of object that a user gets hold of, by the name of its class."""
    with ExitStack() as stack:
        things = [*_opened(tmp_path_factory.mktemp("held"), stack)]
        yield {type(thing).__name__: thing for thing in things}


def _opened(home: Path, stack: ExitStack) -> Iterator[object]:
    quiet = Silent()
    settings = Settings(cache=home, omdb_api_key=Secret("k"), mdblist_api_key=Secret("k"))
    session = stack.enter_context(sample_session(home / "cache"))
    yield from (
        settings,
        settings.omdb_api_key,
        session,
        session.cache,
        tmdbkit.TMDBClient(session),
    )

    stage, target = tmdbkit.sample(home / "stage"), tmdbkit.ConvexSnapshot(home / "snapshot")
    plan = tmdbkit.plan_push(stage, target, [603], progress=quiet)
    yield from (stage, stage[603], stage.doctor(), target, plan, plan[603], Scope())
    titles = pl.DataFrame(schema={"title": pl.String})
    matches = tmdbkit.match_titles(session, titles, progress=quiet)
    yield from (matches, notebook.match(session, matches))
    yield tmdbkit.check(stage)
    yield tmdbkit.collect_ratings(stage, [], progress=quiet)
    both = tmdbkit.run_local_import(session, stage, target, [603], progress=quiet)
    yield from (both, both.staged, both.pushed)
    yield tmdbkit.verify(stage, target, [603], progress=quiet)
    yield tmdbkit.delete_movies(stage, target, [603], progress=quiet)

    queue = ReviewQueue(stage, by="Ann")
    yield from (
        queue,
        queue.current,
        queue.batch("approve"),
        RULES[0],
        Picture(None, ""),
        ServiceError("answered 500"),
    )
    yield notebook.review(stage, by="Ann")
    yield notebook.stage(stage, session)
    yield notebook.push(stage, target, [603])

    deployment = tmdbkit.ConvexDeployment("https://a-b-1.convex.cloud", "dev:a-b-1|k")
    for opened in (
        deployment,
        IMDb(settings),
        IMDbTitles(settings),
        MDBList(settings),
        OMDb(settings),
        Exports(settings),
    ):
        stack.callback(opened.close)
        yield opened
    yield Table(pl.DataFrame({"tmdb_id": [603], "of": [8.7]}), points={"imdb": "of"})
    yield Export(date(2026, 1, 1), home / "export.parquet")


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_has_what_a_module_gives_and_no_more(module: str) -> None:
    assert set(SECTIONS[module]) == set(of_module(module))


def test_the_reference_has_what_objects_have_and_no_more(held: dict[str, object]) -> None:
    apart = {
        name: sorted(SECTIONS.get(name, {}).keys() ^ of_object(thing).keys())
        for name, thing in held.items()
    }
    assert {name: names for name, names in apart.items() if names} == {}
    assert set(SECTIONS) == {*MODULES, *held}


def test_the_reference_has_a_section_on_whatever_a_verb_returns() -> None:
    called = [getattr(tmdbkit, name) for name in tmdbkit.__all__ if name.islower()]
    returned = {str(inspect.signature(verb).return_annotation) for verb in called}
    assert returned <= set(SECTIONS)


def test_what_the_reference_calls_can_be_called_so(held: dict[str, object]) -> None:
    for heading, calls in SECTIONS.items():
        there = of_module(heading) if heading in MODULES else of_object(held[heading])
        for name, code in calls.items():
            value = there[name]
            if inspect.isfunction(value) or isinstance(value, classmethod):
                assert code.endswith(")"), f"{heading}: {name} is called"
                _bind(value, code, of_class=heading not in MODULES)


def _bind(function: Any, code: str, *, of_class: bool) -> None:
    """Make sure that a call fits: the arguments by the names that they have."""
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    given = [*([None] if of_class else []), *map(ast.unparse, call.args)]
    function = getattr(function, "__func__", function)
    bound = inspect.signature(function).bind(*given, **{str(k.arg): None for k in call.keywords})
    by_place = {name: value for name, value in bound.arguments.items() if isinstance(value, str)}
    assert all(name == value for name, value in by_place.items()), code


def test_the_settings_page_has_every_variable_with_its_field_and_default() -> None:
    there = {
        CODE.findall(c[0])[0]: [code for cell in c[1:3] for code in CODE.findall(cell)]
        for c in rows(page("settings"))
    }
    defaults = vars(Settings())
    assert there == {
        variable: [field, *_written(defaults[field])] for variable, (field, _) in _VARIABLES.items()
    }


def _written(default: object) -> list[str]:
    if isinstance(default, tuple):
        return [",".join(default)] if default else []
    if isinstance(default, Secret | Path | bool) or default == "":
        return []
    return [f"{default:g}" if isinstance(default, float) else str(default)]


def verbs() -> dict[str, argparse.ArgumentParser]:
    found = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(next(found).choices)


def options() -> dict[str, set[str]]:
    """The commands that take each option, as the page on the command line has it."""
    found: dict[str, set[str]] = {}
    taken: set[str] = set()
    for cells in rows(page("commands")):
        if "every command" in cells[1]:
            taken = set(verbs())
        elif "the same" not in cells[1]:
            taken = set(CODE.findall(cells[1]))
        found |= dict.fromkeys(re.findall(r"`(--[\w-]+)", cells[0]), taken)
    return found


def test_the_command_line_s_page_has_every_command_and_no_other() -> None:
    named = re.findall(r"^\| `tmdbkit (\w+)", page("commands"), re.MULTILINE)
    assert sorted(named) == sorted(verbs())


def test_it_has_every_option_of_every_command_and_no_other() -> None:
    taken: dict[str, set[str]] = {}
    for name, verb in verbs().items():
        for flag in verb._option_string_actions.keys() - {"-h", "--help"}:
            taken.setdefault(flag, set()).add(name)
    assert options() == taken
