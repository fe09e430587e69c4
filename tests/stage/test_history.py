"""What became of movies over time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit.exceptions import UsageError
from tmdbkit.stage.history import DRIFT

from .conftest import T0, answers, movies, payload, people

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from tmdbkit import Stage

pytestmark = pytest.mark.once

DAY = timedelta(days=1)


def fetch(stage: Stage, at: datetime, tmdb_id: int = 603, **facts: Any) -> None:
    stage.store.add(answers((tmdb_id, payload(tmdb_id, **facts), at)))


def told(drift: pl.DataFrame) -> list[tuple[Any, ...]]:
    return drift.select("tmdb_id", "field", "old", "new").rows()


# One movie.


def test_a_history_is_the_movie_at_each_time_it_was_fetched(stage: Stage) -> None:
    fetch(stage, T0, title="The Matrix", status="Rumored", release_date="1999-01-01")
    fetch(stage, T0 + DAY, vote_average=8.0, vote_count=10, status="Released", title="Matrix")
    found = stage.history(603)
    assert found["fetched_at"].to_list() == [T0, T0 + DAY]
    assert found["title"].to_list() == ["The Matrix", "Matrix"]
    assert found["status"].to_list() == ["Rumored", "Released"]
    assert found["release_date"].to_list() == ["1999-01-01", ""]
    assert found["tmdb_points"].to_list() == [None, 8.0]
    assert found["tmdb_votes"].to_list() == [None, 10]


def test_a_compaction_keeps_the_history(stage: Stage) -> None:
    for days in range(4):
        fetch(stage, T0 + days * DAY, popularity=float(days))
    before, drifted = stage.history(603), stage.drift(T0)
    assert stage.compact() > 0
    assert stage.compact(now=T0 + 900 * DAY) == 0  # what was replaced is gone from the disk
    assert stage.history(603).equals(before)
    assert stage.drift(T0).equals(drifted)
    assert before["popularity"].to_list() == [0.0, 1.0, 2.0, 3.0]


def test_an_answer_that_two_runs_staged_is_one_line_of_the_history(stage: Stage) -> None:
    fetch(stage, T0)
    fetch(stage, T0)
    assert stage.history(603).height == 1


def test_a_movie_that_was_dropped_has_no_history_from_before(stage: Stage) -> None:
    fetch(stage, T0, title="Old")
    stage.drop([603])
    with pytest.raises(KeyError, match="603 is not staged"):
        stage.history(603)
    fetch(stage, T0 + DAY, title="New")
    assert stage.history(603)["title"].to_list() == ["New"]


# All movies.


def test_drift_is_old_and_new_of_each_field_that_changed(stage: Stage) -> None:
    fetch(stage, T0, vote_average=7.0, vote_count=10, runtime=130, status="Released")
    fetch(stage, T0 + 2 * DAY, vote_average=8.5, vote_count=12, runtime=136, status="Released")
    drift = stage.drift(T0 + DAY)
    assert told(drift) == [
        (603, "runtime_minutes", "130", "136"),
        (603, "tmdb_points", "7.0", "8.5"),
        (603, "tmdb_votes", "10", "12"),
    ]
    assert drift.schema == DRIFT
    assert drift.select("title", "old_at", "new_at").row(0) == ("Movie 603", T0, T0 + 2 * DAY)


def test_people_genres_and_collections_are_told_by_name(stage: Stage) -> None:
    genres = [{"id": 28, "name": "Action"}, {"id": 878, "name": "Science Fiction"}]
    series = {"id": 2344, "name": "The Matrix Collection"}
    fetch(stage, T0, genres=genres[:1], credits=people("Keanu Reeves"))
    later = people("Keanu Reeves", "Carrie-Anne Moss")
    fetch(stage, T0 + DAY, genres=genres, credits=later, belongs_to_collection=series)
    assert told(stage.drift(T0)) == [
        (603, "cast", "Keanu Reeves", "Keanu Reeves, Carrie-Anne Moss"),
        (603, "genres", "Action", "Action, Science Fiction"),
        (603, "collection", None, "The Matrix Collection"),
    ]


def test_the_versions_in_between_do_not_count(stage: Stage) -> None:
    for days, title in enumerate(("A", "B", "C", "A")):
        fetch(stage, T0 + days * DAY, title=title)
    assert told(stage.drift(T0)) == []
    assert told(stage.drift(T0 + DAY)) == [(603, "title", "B", "A")]


def test_a_movie_that_was_staged_since_is_compared_with_its_first_version(stage: Stage) -> None:
    fetch(stage, T0 + DAY, title="A")
    fetch(stage, T0 + 2 * DAY, title="B")
    assert told(stage.drift(T0)) == [(603, "title", "A", "B")]


def test_what_did_not_come_again_since_does_not_drift(stage: Stage) -> None:
    fetch(stage, T0, title="A")
    fetch(stage, T0 + DAY, title="B")
    stage.store.add(movies(1, 2))
    assert stage.drift(T0 + DAY).is_empty()
    assert stage.drift(T0)["tmdb_id"].to_list() == [603]


def test_a_day_stands_for_its_first_moment(stage: Stage) -> None:
    fetch(stage, T0, title="A")
    fetch(stage, T0 + DAY, title="B")
    assert stage.drift(date(2026, 1, 1)).equals(stage.drift(T0))


def test_an_empty_stage_drifts_nowhere(stage: Stage) -> None:
    assert stage.drift(T0).schema == DRIFT
    with pytest.raises(KeyError):
        stage.history(603)


def test_an_instant_without_a_zone_is_utc(stage: Stage) -> None:
    fetch(stage, T0, title="A")
    fetch(stage, T0 + 2 * DAY, title="B")
    at = T0 + DAY
    assert told(stage.drift(at.replace(tzinfo=None))) == told(stage.drift(at)) != []


@pytest.mark.parametrize("since", ["2026-01-31", None, 5])
def test_a_drift_since_what_is_no_day_is_one_line(stage: Stage, since: Any) -> None:
    with pytest.raises(UsageError, match=r"since is .*; a day is wanted, such as date"):
        stage.drift(since)
