"""A stage in which a payload is no movie: it is one bad row, and all others go on."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from tmdbkit import ConvexSnapshot, Settings, Stage, check, plan_push, push, verify
from tmdbkit.cli.main import main
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.log import Log
from tmdbkit.stage.tables import PAYLOADS, STAGED

from .conftest import T0, answers, movies, payload, titles

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

pytestmark = pytest.mark.once

QUIET = Silent()
LATER = T0 + timedelta(days=1)
BAD = 2
NOT_SOUND = {
    name: '{"id": 2, "title": "Two", ' + rest
    for name, rest in {
        "genres": '"genres": [{"id": 1e300, "name": "g"}]}',
        "cast": '"credits": {"cast": [{"id": 1e300, "name": "a"}]}}',
        "crew": '"credits": {"crew": [{"id": -1e300, "job": "Director"}]}}',
        "keywords": '"keywords": {"keywords": [{"id": 9223372036854775808}]}}',
        "companies": '"production_companies": [{"id": 18446744073709551616}]}',
        "collection": '"belongs_to_collection": {"id": 1e300}}',
        "budget": '"budget": 1e300}',
        "nested": '"zz": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "half a character": r'"overview": "\udc00"}',
        "no JSON": "",
    }.items()
}


def written(place: Stage, rows: pl.DataFrame) -> None:
    """A part of payloads alone, as a run leaves it that could make no rows of it."""
    place.store.root.write("stage.json", b'{"layout": 1}\n')
    Log(place.store.root.under("payloads"), PAYLOADS).append(rows)


@pytest.fixture(params=sorted(NOT_SOUND))
def spoiled(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """A stage of three movies, one of which is none."""
    bad = NOT_SOUND[request.param]
    written(stage, answers((1, payload(1), T0), (BAD, bad, T0), (3, payload(3), T0)))
    return Stage(stage.store.root.folder, settings=Settings())


def test_the_others_are_read_and_the_bad_one_is_a_failure_with_its_reason(spoiled: Stage) -> None:
    assert titles(spoiled) == {1: "Movie 1", 3: "Movie 3"}
    [(tmdb_id, reason, status, at)] = (
        spoiled.failures().select("tmdb_id", "reason", "http_status", "failed_at").rows()
    )
    assert (tmdb_id, status, at) == (BAD, STAGED, T0)
    assert reason
    assert spoiled.status()["failed"] == 1


@pytest.mark.parametrize(
    "read",
    [
        Stage.table,
        Stage.people,
        lambda stage: stage.names("genres"),
        lambda stage: stage.names("keywords"),
        lambda stage: stage.names("studios"),
        lambda stage: stage.names("collections"),
        Stage.ratings,
        Stage.payloads,
        Stage.files,
        Stage.status,
        lambda stage: stage[1],
        lambda stage: stage.history(1),
        lambda stage: stage.drift(date(2020, 1, 1)),
        lambda stage: stage.find("movie"),
        lambda stage: check(stage),
        lambda stage: len(ReviewQueue(stage)),
    ],
)
@pytest.mark.parametrize("bad", ["genres", "cast"])
def test_every_way_to_read_goes_on(read: Callable[[Stage], object], bad: str, stage: Stage) -> None:
    written(stage, answers((1, payload(1), T0), (BAD, NOT_SOUND[bad], T0)))
    read(Stage(stage.store.root.folder, settings=Settings()))


def test_a_compaction_keeps_what_it_cannot_read_and_all_others(spoiled: Stage) -> None:
    spoiled.store.add(movies(4, at=LATER))
    before, failed = spoiled.movies(), spoiled.failures()
    kept = sorted(spoiled.store.movies.payloads.scan().collect()["payload"])
    assert spoiled.compact(now=LATER) > 0
    for again in (spoiled, Stage(spoiled.store.root.folder, settings=Settings())):
        assert again.movies().equals(before)
        assert again.failures().equals(failed)
        assert sorted(again.store.movies.payloads.scan().collect()["payload"]) == kept


def test_its_reason_is_noted_once_however_often_rows_are_made(spoiled: Stage) -> None:
    for cast in (10, 2, 3, 10):
        assert len(Stage(spoiled.store.root.folder, settings=Settings(cast=cast))) == 2
    assert spoiled.store.movies.derived.failures.scan().collect().height == 1


def test_the_others_are_pushed_and_verified(spoiled: Stage, tmp_path: object) -> None:
    target = ConvexSnapshot(f"{tmp_path}/snapshot.zip")
    assert len(plan_push(spoiled, target, progress=QUIET)) == 2
    assert push(spoiled, target, progress=QUIET).counts()["created"] == 2
    assert verify(spoiled, target).counts()["equal"] == 2


def test_a_good_payload_of_before_stands_where_the_newest_is_none(spoiled: Stage) -> None:
    written(spoiled, answers((BAD, payload(BAD), T0 - timedelta(days=9))))
    assert titles(spoiled)[BAD] == "Movie 2"
    assert spoiled.failures()["tmdb_id"].to_list() == [BAD]


def test_a_good_answer_settles_it(spoiled: Stage) -> None:
    assert len(spoiled) == 2
    spoiled.store.add(movies(BAD, at=LATER))
    assert len(spoiled) == 3
    assert spoiled.failures().is_empty()


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "check",
        "transform",
        "compact",
        "plan --snapshot snapshot",
        "push --snapshot snapshot",
        "verify --snapshot snapshot",
        "undo --snapshot snapshot --yes",
        "delete 1 --snapshot snapshot --yes",
    ],
)
def test_no_command_ends_for_its_sake(
    words: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    written(stage, answers((1, payload(1), T0), (BAD, NOT_SOUND["genres"], T0)))
    if words.startswith(("undo", "verify", "delete")):
        main(["push", "--stage", str(stage.store.root.folder), "--snapshot", "snapshot"])
    capsys.readouterr()
    command, *rest = words.split()
    assert main([command, "--stage", str(stage.store.root.folder), *rest, "--json"]) in (0, 1)
    json.loads(capsys.readouterr().out)
