"""The examples in the docstrings are true: each runs, offline and on the sample."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import tmdbkit

pytestmark = pytest.mark.once

MODULES = ["tmdbkit", *(m.name for m in pkgutil.walk_packages(tmdbkit.__path__, "tmdbkit."))]


def examples() -> list[doctest.DocTest]:
    """Every docstring that has one; `tmdbkit` is there as if it had been imported."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = (
        test
        for name in MODULES
        if not name.endswith("__main__")
        for test in finder.find(import_module(name), name, extraglobs={"tmdbkit": tmdbkit})
    )
    return [test for test in found if test.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_an_example_runs_and_shows_what_it_says(example: doctest.DocTest) -> None:
    told: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=told.append)
    assert "".join(told) == ""


def test_the_main_verbs_have_an_example() -> None:
    names = {test.name.rpartition(".")[2] for test in examples()}
    assert {"sample", "find", "people", "check", "plan_push", "push", "ReviewQueue"} <= names
