"""Ratings of others stand under terms of theirs, which are said when they first go public."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tmdbkit import ConvexSnapshot, workflows
from tmdbkit.ratings.imdb import IMDb
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.omdb import OMDb
from tmdbkit.ratings.rows import as_ratings

from .bench import FETCHED, deployment, payload, push, staged

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit import Stage

    from .backend import ConvexBackend

pytestmark = pytest.mark.once


def rate(stage: Stage, system: str, points: float, provider: str) -> None:
    votes = 1_900_000 if system == "imdb" else 60  # about what the film's 26,000 of TMDB suggest
    rows = pl.DataFrame(
        {"tmdb_id": [603], "system": [system], "points": [points], "votes": [votes]}
    ).with_columns(fetched_at=pl.lit(FETCHED))
    stage.store.add_ratings(as_ratings(rows, provider))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return staged(tmp_path / "stage", payload())


def test_the_first_push_of_ratings_of_others_says_their_terms_in_one_line(
    stage: Stage, backend: ConvexBackend
) -> None:
    target = deployment(backend.url)
    assert "terms" not in repr(push(stage, target))  # TMDB's own
    rate(stage, "imdb", 8.7, "imdb")
    rate(stage, "letterboxd", 4.1, "mdblist")
    first = push(stage, target)
    assert first.notes == (f"mind the terms of these ratings: {IMDb.terms} · {MDBList.terms}",)
    assert f"note: {first.notes[0]}" in repr(first).splitlines()
    rate(stage, "imdb", 8.6, "imdb")
    again = push(stage, target)
    assert (again.updated, again.notes) == (1, ())


def test_those_of_a_system_that_came_later_are_said_alone(
    stage: Stage, backend: ConvexBackend
) -> None:
    target = deployment(backend.url)
    rate(stage, "imdb", 8.7, "imdb")
    push(stage, target)
    rate(stage, "metacritic", 73, "omdb")
    assert push(stage, target).notes[-1] == f"mind the terms of these ratings: {OMDb.terms}"


def test_a_plan_that_was_looked_at_says_them_as_well_and_its_way_back_does_not(
    stage: Stage, backend: ConvexBackend
) -> None:
    target = deployment(backend.url)
    rate(stage, "imdb", 8.7, "imdb")
    sent = push(stage, target, plan=workflows.plan_push(stage, target))
    assert sent.notes[-1] == f"mind the terms of these ratings: {IMDb.terms}"
    assert push(stage, target, plan=workflows.undo(stage, target)).notes == ()


@pytest.mark.parametrize("provider", ["table", "by hand"])
def test_of_what_a_person_brings_no_terms_are_known(
    stage: Stage, backend: ConvexBackend, provider: str
) -> None:
    rate(stage, "imdb", 8.7, provider)
    assert "terms" not in repr(push(stage, deployment(backend.url)))


def test_a_rehearsal_publishes_nothing(stage: Stage, tmp_path: Path) -> None:
    rate(stage, "imdb", 8.7, "imdb")
    assert not any("terms" in line for line in push(stage, ConvexSnapshot(tmp_path / "s")).notes)
