"""A refresh that costs what changed, and what a next run does with failures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.tmdb import TMDBServer
from tests.servers.wire import Answer
from tests.stage.conftest import answers, movies, payload, titles
from tmdbkit import refresh_movies, stage_movies
from tmdbkit.exceptions import CredentialsRefused
from tmdbkit.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stage.conftest import Connect
    from tmdbkit import Stage, TMDBSession
    from tmdbkit.fetch.staging import StageResult

    Refresh = Callable[..., tuple[StageResult, list[int]]]

pytestmark = pytest.mark.once

QUIET = Silent()
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def day(ago: int) -> str:
    return f"{NOW - ago * DAY:%Y-%m-%d}"


@pytest.fixture
def server() -> Iterator[TMDBServer]:
    with TMDBServer(missing=(), size=2_000, changes={}) as started:
        yield started


@pytest.fixture
def refresh(stage: Stage, server: TMDBServer, connect: Connect) -> Refresh:
    """Refresh what changed; return what came of it, and the ids that were asked for."""

    def once(*ids: int, session: TMDBSession | None = None) -> tuple[StageResult, list[int]]:
        server.reset()
        result = refresh_movies(
            session or connect(server), stage, ids or None, changed=True, progress=QUIET
        )
        return result, sorted(server.by_id)

    return once


@pytest.mark.parametrize("staged", [2_000, pytest.param(100_000, marks=pytest.mark.large)])
def test_twenty_changes_cost_twenty_requests_and_the_pages_however_many_are_staged(
    staged: int, stage: Stage, server: TMDBServer, refresh: Refresh
) -> None:
    stage.store.append(movies(*range(1, staged + 1), at=NOW - 3 * DAY))
    changed = list(range(100, 2_100, 100))
    elsewhere = range(200_000, 200_180)  # that are not ours
    server.catalogue.changes = {day(2): changed[:15], day(1): [*changed[15:], *elsewhere]}
    result, asked = refresh()
    assert asked == changed
    assert (result.requested, result.staged, result.http_requests) == (20, 20, 20 + 2)


def test_changes_that_were_gone_through_are_not_gone_through_again(
    stage: Stage, server: TMDBServer, refresh: Refresh
) -> None:
    stage.store.add(movies(1, 2, 3, at=NOW - 40 * DAY))
    server.catalogue.changes = {day(30): [1], day(2): [2]}
    assert refresh()[1] == [1, 2]
    result, asked = refresh()
    assert asked == []
    assert result.http_requests == 1  # the page of today's changes
    assert stage.store.movies.as_of()["as_of"].min() >= NOW  # type: ignore[operator]


def test_a_check_outlives_a_compaction_and_ends_with_the_payload(
    stage: Stage, server: TMDBServer, refresh: Refresh
) -> None:
    stage.store.add(movies(1, 2, at=NOW - 10 * DAY))
    refresh()
    refresh()
    before = stage.store.movies.as_of()
    assert stage.compact() > 0
    assert stage.store.movies.as_of().equals(before)
    stage.drop([1])
    stage.store.add(
        movies(1, at=NOW - 5 * DAY)
    )  # from a cache, after the changes were gone through
    assert dict(stage.store.movies.as_of().select("tmdb_id", "as_of").rows())[1] == NOW - 5 * DAY


@pytest.mark.parametrize("how", [{"changed": True}, {"older_than": 30 * DAY}, {}])
def test_a_movie_that_was_fetched_by_a_clock_a_year_ahead_is_fetched_again_and_counts(
    stage: Stage, server: TMDBServer, connect: Connect, how: dict[str, Any]
) -> None:
    stage.store.add(answers((1, payload(1, "old"), NOW + 365 * DAY)))
    stage.store.add(movies(2, at=NOW - DAY))
    with connect(server) as session:
        refresh_movies(session, stage, progress=QUIET, **how)
        assert titles(stage)[1] != "old"
        assert 1 not in stage.store.movies.fetched_before(NOW, stage.store.now())
        if how:
            assert set(server.by_id) == {1}


def test_only_some_movies_can_be_looked_at(
    stage: Stage, server: TMDBServer, refresh: Refresh
) -> None:
    stage.store.add(movies(1, 2, at=NOW - 5 * DAY))
    server.catalogue.changes = {day(1): [1, 2]}
    assert refresh(1, 9)[1] == [1]
    assert refresh()[1] == [2]


def test_what_failed_for_passing_reasons_is_found_changed_again(
    stage: Stage, server: TMDBServer, refresh: Refresh
) -> None:
    stage.store.add(movies(1, 2, at=NOW - 5 * DAY))
    server.catalogue.changes = {day(3): [1, 2]}
    server.script["/3/movie/1"] = ["500"] * 8
    result, _ = refresh()
    assert (result.staged, result.failed) == (1, 1)
    assert refresh()[1] == [1]
    assert refresh()[1] == []


def test_a_run_that_was_stopped_has_noted_nothing(
    stage: Stage,
    server: TMDBServer,
    connect: Connect,
    refresh: Refresh,
) -> None:
    stage.store.add(movies(1, 2, at=NOW - 5 * DAY))
    server.catalogue.changes = {day(3): [1, 2]}
    server.script = {"/3/movie/1": ["401"], "/3/movie/2": ["401"]}
    with pytest.raises(CredentialsRefused):
        refresh()
    server.script.clear()
    assert refresh()[1] == [1, 2]


def test_a_movie_that_tmdb_deleted_is_missing_and_asked_for_once(
    stage: Stage, server: TMDBServer, refresh: Refresh
) -> None:
    stage.store.add(movies(1, at=NOW - 5 * DAY))
    server.catalogue.changes = {day(3): [1]}
    server.script["/3/movie/1"] = ["404"]
    assert refresh()[0].missing == 1
    assert refresh()[1] == []


def test_an_empty_stage_costs_nothing(
    refresh: Refresh,
) -> None:
    result, _ = refresh()
    assert (result.requested, result.http_requests) == (0, 0)


# The next run.


def test_what_failed_the_last_time_comes_first(stage: Stage, connect: Connect) -> None:
    with TMDBServer(missing=(), size=2_000, script={"/3/movie/9": ["500"] * 8}) as server:
        stage_movies(connect(server), stage, [8, 9], progress=QUIET)
        server.reset()
        stage_movies(connect(server), stage, range(1, 10), threads=1, progress=QUIET)
        assert [request.path for request in server.requests][:2] == ["/3/movie/9", "/3/movie/1"]


def test_what_tmdb_will_never_answer_is_asked_for_again_only_by_refresh(
    stage: Stage, connect: Connect
) -> None:
    script = {"/3/movie/2": ["id_invalid_500"] * 2}
    with TMDBServer(missing=(), size=2_000, script=script) as server:
        first = stage_movies(connect(server), stage, [1, 2], progress=QUIET)
        server.reset()
        again = stage_movies(connect(server), stage, [1, 2, 3], progress=QUIET)
        assert sorted(server.by_id) == [3]
        assert (again.requested, again.staged, again.skipped, again.failed) == (3, 1, 1, 1)
        assert again.failures.equals(first.failures)
        server.script.clear()
        asked = stage_movies(connect(server), stage, [2], refresh=True, progress=QUIET)
        assert (asked.staged, asked.failed) == (1, 0)
        assert stage_movies(connect(server), stage, [2], progress=QUIET).skipped == 1


def test_what_failed_because_of_an_address_or_the_network_is_asked_for_again(
    stage: Stage, connect: Connect
) -> None:
    page = Answer(404, b"<html>No such site</html>", "text/html")
    with TMDBServer(missing=(), size=2_000, script={"/3/movie/2": [page]}) as server:
        stage_movies(connect(server, offline=True), stage, [1], progress=QUIET)
        stage_movies(connect(server), stage, [2], progress=QUIET)
        assert stage.failures().height == 2
        assert stage_movies(connect(server), stage, [1, 2], progress=QUIET).staged == 2


def test_a_status_can_be_told_while_a_run_is_under_way(stage: Stage, connect: Connect) -> None:
    told: list[int] = []

    class Watcher(Silent):
        def update(self, done: int, note: str = "") -> None:
            told.append(stage.status()["staged"])

    with TMDBServer(missing=(), size=2_000) as server:
        stage_movies(connect(server), stage, range(1, 301), progress=Watcher())
    assert told == sorted(told)
    assert any(0 < count < 300 for count in told)


def test_refreshing_keeps_the_newest_whatever_the_order(
    stage: Stage, server: TMDBServer, refresh: Refresh
) -> None:
    stage.store.add(movies(1, at=NOW - 5 * DAY))
    server.catalogue.changes = {day(0): [1]}
    server.payloads[1] = payload(1, "Renamed")
    refresh()
    assert titles(stage) == {1: "Renamed"}
    assert stage.history(1)["title"].to_list() == ["Movie 1", "Renamed"]
