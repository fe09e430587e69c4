"""What TMDB took back: a finding of the stage, and a line of the plan with what to do."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.stage.conftest import T0, answers, payload
from tmdbkit import ConvexSnapshot, Settings, Stage, check, plan_push, push
from tmdbkit.convex.merge import Scope
from tmdbkit.stage.tables import MISSING

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

pytestmark = pytest.mark.once

COLLECTION = {"id": 5, "name": "Dogs", "poster_path": "/a.jpg", "backdrop_path": None}
HAD = {"belongs_to_collection": COLLECTION, "poster_path": "/p.jpg", "overview": "A dog."}
NONE = {"belongs_to_collection": None, "poster_path": None, "overview": ""}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "stage", settings=Settings())


def fetched(stage: Stage, day: int, **fields: Any) -> None:
    movie = {**json.loads(payload(1)), **fields}
    stage.store.add(answers((1, json.dumps(movie), T0 + timedelta(days=day))))


def findings(stage: Stage, rule: str) -> pl.DataFrame:
    return check(stage).findings.filter(rule=rule)


def test_it_is_a_finding_that_names_the_fields(stage: Stage) -> None:
    fetched(stage, 0, **HAD)
    assert findings(stage, "taken_back").is_empty()
    fetched(stage, 1, **NONE)
    assert findings(stage, "taken_back")["value"].to_list() == [
        "main_poster, synopsis, belong_to_collection"
    ]
    assert "taken_back" not in stage.table().columns
    fetched(stage, 2, **HAD)
    assert findings(stage, "taken_back").is_empty()


@pytest.mark.parametrize("name", HAD)
def test_each_is_found_alone(stage: Stage, name: str) -> None:
    fetched(stage, 0, **HAD)
    fetched(stage, 1, **HAD | {name: NONE[name]})
    (found,) = findings(stage, "taken_back")["value"]
    assert "," not in found


def test_what_was_never_there_and_another_value_are_none(stage: Stage) -> None:
    fetched(stage, 0, **NONE)
    fetched(stage, 1, **NONE)
    fetched(stage, 2, **HAD)
    fetched(stage, 3, **HAD | {"poster_path": "/other.jpg"})
    assert findings(stage, "taken_back").is_empty()


def test_what_was_written_last_counts_whatever_the_clock_said(stage: Stage) -> None:
    fetched(stage, 1, **HAD)
    fetched(stage, 0, **NONE)
    assert findings(stage, "taken_back")["value"].to_list() == [
        "main_poster, synopsis, belong_to_collection"
    ]
    fetched(stage, -1, **HAD)
    assert findings(stage, "taken_back").is_empty()


def test_a_movie_that_tmdb_dropped_is_one_too(stage: Stage) -> None:
    fetched(stage, 0, **HAD)
    stage.store.add(answers((1, "", T0 + timedelta(days=1), MISSING)))
    assert findings(stage, "not_on_tmdb")["tmdb_id"].to_list() == [1]
    assert stage.status()["missing"] == 1


def test_the_plan_says_what_of_the_target_it_is_and_clear_takes_it_away(
    stage: Stage, tmp_path: Path
) -> None:
    target = ConvexSnapshot(tmp_path / "snapshot")
    fetched(stage, 0, **HAD)
    push(stage, target)
    fetched(stage, 1, **NONE)
    plan = plan_push(stage, target)
    assert set(plan[1].change.taken_back) == {"belong_to_collection", "main_poster", "synopsis"}
    (note,) = [note for note in plan.notes if note.startswith("TMDB took back")]
    assert "main_poster of 1 movie" in note
    assert "--clear belong_to_collection,main_poster,synopsis erases it there, too" in note
    cleared = Scope.of(clear=plan[1].change.taken_back)
    assert push(stage, target, scope=cleared).updated == 1
    assert not [note for note in plan_push(stage, target).notes if "took back" in note]


def test_the_import_log_alone_tells_it_as_well(stage: Stage, tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path / "snapshot")
    fetched(stage, 0, **HAD)
    push(stage, target)
    stage.drop([1])
    fetched(stage, 1, **NONE)
    assert "synopsis" in plan_push(stage, target)[1].change.taken_back


def test_what_a_person_wrote_there_is_only_kept(stage: Stage, tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path / "snapshot")
    fetched(stage, 0, **HAD)
    push(stage, target)
    edit = {"tmdb_id": 1, "expected": {}, "absent": [], "set": {"synopsis": "Mine."}, "unset": []}
    target.apply_movies([edit])
    fetched(stage, 1, **NONE)
    change = plan_push(stage, target)[1].change
    assert "synopsis" in change.kept
    assert "synopsis" not in change.taken_back
