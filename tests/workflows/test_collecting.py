"""Ratings collected into a stage: what came is kept, and nobody is asked for twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.convex.bench import SnapshotBench, movie
from tests.servers.datasets import DatasetServer, tsv
from tests.servers.ratings import KEY, mdblist_error
from tests.servers.wire import Answer
from tests.stage.conftest import answers, correct, payload
from tmdbkit import Stage, workflows
from tmdbkit.exceptions import SettingsError, UsageError
from tmdbkit.progress import Silent
from tmdbkit.ratings.imdb import IMDb
from tmdbkit.ratings.mdblist import BATCH, MDBList
from tmdbkit.ratings.omdb import OMDb
from tmdbkit.ratings.table import Table
from tmdbkit.settings import Secret, Settings
from tmdbkit.workflows.collecting import collect, costs, due, wanted_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.ratings import RatingsServer
    from tmdbkit.ratings.model import Provider
    from tmdbkit.workflows.collecting import RatingsResult

    Serve = Callable[..., RatingsServer]
    Ask = Callable[..., Any]

pytestmark = pytest.mark.once

NOON = datetime(2031, 5, 7, 12, tzinfo=UTC)
IMDB = [{"source": "imdb", "value": 6.4, "score": 64, "votes": 812}]
OF_OMDB = [*IMDB, {"source": "tomatoes", "score": 81}, {"source": "metacritic", "score": 57}]
GOOD = {
    "Ratings": [{"Source": "Rotten Tomatoes", "Value": "81%"}],
    "Metascore": "57",
    "imdbRating": "6.4",
    "imdbVotes": "812",
}


def tt(number: int) -> str:
    return f"tt{number:07d}"


@dataclass
class Told:
    """Remembers how far long work says it is."""

    total: int = 0
    done: int = 0

    def begin(self, _: str, total: int) -> None:
        self.total = total

    def update(self, done: int) -> None:
        assert self.done <= done <= self.total
        self.done = done

    def end(self) -> None:
        pass


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage of the movies 1 to 5, each with an IMDb id."""
    stage = Stage(tmp_path / "stage", settings=Settings())
    rows = ((n, payload(n, imdb_id=tt(n)), NOON - timedelta(days=400)) for n in range(1, 6))
    stage.store.add(answers(*rows))
    return stage


@pytest.fixture
def imdb(tmp_path: Path) -> Iterator[Callable[..., IMDb]]:
    """Open IMDb's data set of these ratings; server and provider end with the test."""
    opened: list[Any] = []

    def open_one(*rated: tuple[str, float, int], **options: Any) -> IMDb:
        server = DatasetServer(tsv(rated), **options).__enter__()
        settings = Settings(imdb_datasets_url=server.url, cache=tmp_path / f"imdb{len(opened)}")
        provider = IMDb(settings, now=lambda: NOON, sleep=lambda _: None, jitter=lambda: 0.0)
        opened.extend([server, provider])
        return provider

    yield open_one
    for one in opened:
        one.__exit__()


def run(
    stage: Stage,
    *providers: Provider,
    ids: list[int] | None = None,
    older_than: timedelta | None = None,
    at: datetime = NOON,
    progress: Any = None,
) -> RatingsResult:
    return collect(
        providers,
        wanted_of(stage, None, ids),
        stage,
        older_than=older_than,
        progress=progress or Silent(),
        now=at,
    )


def counts(result: RatingsResult) -> tuple[int, int, int, int]:
    return result.movies, result.rated, result.missing, result.failed


def kept(stage: Stage, provider: str) -> dict[tuple[int, str], float]:
    rows = stage.ratings().filter(provider=provider).select("tmdb_id", "system", "points").rows()
    return {(tmdb_id, system): points for tmdb_id, system, points in rows}


def lines(stage: Stage) -> int:
    """How many rows the log has."""
    return pl.read_parquet(stage.store.root.folder / "ratings" / "*.parquet").height


# What comes.


def test_each_provider_s_ratings_are_kept_and_counted(
    stage: Stage, serve: Serve, ask: Ask, imdb: Callable[..., IMDb]
) -> None:
    server = serve(ratings={1: IMDB, 2: OF_OMDB})
    progress = Told()
    dataset = imdb((tt(1), 6.4, 812), (tt(3), 7.0, 9))
    result = run(stage, dataset, ask(MDBList, server), progress=progress)
    assert counts(result) == (5, 3, 2, 0)
    assert result.by_system == {"imdb": 3, "metacritic": 1, "rotten_tomatoes": 1}
    assert result.http_requests == 2
    assert kept(stage, "imdb") == {(1, "imdb"): 6.4, (3, "imdb"): 7.0}
    assert kept(stage, "mdblist")[2, "rotten_tomatoes"] == 81.0
    assert progress.done == progress.total == 10


def test_a_second_run_asks_a_metered_provider_for_nobody(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    server = serve(ratings={1: IMDB})
    provider = ask(MDBList, server)
    assert run(stage, provider).http_requests == 1
    again = run(stage, provider)
    assert again.http_requests == 0
    assert counts(again) == (5, 1, 4, 0)
    assert server.batches == [[1, 2, 3, 4, 5]]


def test_only_the_ids_that_are_named_are_asked_for(stage: Stage, serve: Serve, ask: Ask) -> None:
    server = serve(ratings={1: IMDB, 9: IMDB})
    result = run(stage, ask(MDBList, server), ids=[9, 1, 9])
    assert server.batches == [[9, 1]]
    assert counts(result) == (2, 2, 0, 0)
    assert stage.store.rated_only()["tmdb_id"].to_list() == [9]


def test_who_has_no_imdb_id_has_failed_with_the_reason_and_is_asked_for_once_it_has_one(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    stage.store.add(answers((6, payload(6), NOON)))
    server = serve(movies={tt(6): GOOD})
    result = run(stage, ask(OMDb, server), ids=[6])
    assert result.failures.rows() == [("omdb", 6, "has no IMDb id")]
    assert "failed: 1: omdb: has no IMDb id" in repr(result)
    stage.store.add(answers((6, payload(6, imdb_id=tt(6)), NOON + timedelta(days=1))))
    assert counts(run(stage, ask(OMDb, server), ids=[6])) == (1, 1, 0, 0)


# What goes wrong.


def test_a_quota_that_ends_in_the_middle_keeps_what_came_and_the_next_run_goes_on(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    ids = list(range(1, 2 * BATCH + 51))
    resets_at = NOON + timedelta(hours=12)
    server = serve(ratings=dict.fromkeys(ids, IMDB), quota=2, resets_at=int(resets_at.timestamp()))
    first = run(stage, ask(MDBList, server, now=lambda: NOON), ids=ids)
    assert counts(first) == (450, 400, 0, 50)
    (line,) = first.stopped
    assert line.startswith("mdblist: MDBList's quota of requests is used up; run the same command")
    assert "after 2031-05-08 00:00 UTC" in line
    assert set(first.failures["reason"]) == {"the provider stopped before it came to this movie"}
    server.quota = 1000
    second = run(stage, ask(MDBList, server, now=lambda: resets_at), ids=ids, at=resets_at)
    assert counts(second) == (450, 450, 0, 0)
    assert second.stopped == ()
    assert [len(batch) for batch in server.batches] == [200, 200, 50]
    assert sorted(n for batch in server.batches for n in batch) == ids


def test_a_provider_that_is_down_stops_none_of_the_others(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    down, up = serve(), serve(movies={tt(1): GOOD})
    down.pause()
    progress = Told()
    result = run(stage, ask(MDBList, down), ask(OMDb, up), progress=progress)
    assert result.stopped[0].startswith("mdblist: MDBList cannot be reached")
    assert "stopped: mdblist: MDBList cannot be reached" in repr(result)
    assert counts(result) == (5, 1, 0, 4)
    assert set(kept(stage, "omdb")) == {(1, "imdb"), (1, "metacritic"), (1, "rotten_tomatoes")}
    down.resume()
    down.ratings = {2: IMDB}
    assert counts(run(stage, ask(MDBList, down))) == (5, 1, 4, 0)


def test_a_refused_key_is_said_and_asks_no_further(stage: Stage, serve: Serve, ask: Ask) -> None:
    server = serve()
    result = run(stage, ask(MDBList, server, key="another-key"))
    assert "check MDBLIST_API_KEY" in result.stopped[0]
    assert counts(result) == (5, 0, 0, 5)
    assert len(server.requests) == 1
    assert "another-key" not in repr((result, result.failures.rows(), result._repr_html_()))


@pytest.mark.parametrize(
    "turn",
    [
        Answer(200, b'{"response": true}'),
        mdblist_error("Error getting data."),
        "not_json",
        "503",
    ],
    ids=["an object", "an error", "a page", "503"],
)
def test_movies_whose_answer_has_the_wrong_shape_are_asked_for_again_next_time(
    stage: Stage, serve: Serve, ask: Ask, turn: Any
) -> None:
    server = serve(ratings={1: IMDB}, script={"1": [turn] * 4})
    first = run(stage, ask(MDBList, server))
    assert counts(first) == (5, 0, 0, 5)
    assert all(reason.startswith("MDBList: ") for reason in first.failures["reason"])
    assert stage.store.asked("mdblist").is_empty()
    server.script.clear()
    assert counts(run(stage, ask(MDBList, server))) == (5, 1, 4, 0)


def test_one_movie_s_malformed_answer_leaves_the_others_settled(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    server = serve(ratings={1: IMDB, 2: [{"source": "imdb", "score": "high"}]})
    result = run(stage, ask(MDBList, server))
    assert counts(result) == (5, 1, 3, 1)
    server.ratings[2] = IMDB
    assert counts(run(stage, ask(MDBList, server))) == (5, 2, 3, 0)
    assert server.batches == [[1, 2, 3, 4, 5], [2]]


def test_a_data_set_that_does_not_come_fails_all_and_says_so(
    stage: Stage, imdb: Callable[..., IMDb]
) -> None:
    result = run(stage, imdb((tt(1), 6.4, 812), script=["not_json"]))
    assert "that is not the data set" in result.stopped[0]
    assert counts(result) == (5, 0, 0, 5)


# Who is due.


def test_omdb_is_asked_only_for_movies_that_lack_one_of_its_systems(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    server = serve(ratings={1: OF_OMDB, 2: IMDB}, movies={tt(2): GOOD})
    result = run(stage, ask(MDBList, server), ask(OMDb, server))
    asked = [request.params["i"] for request in server.requests if request.method == "GET"]
    assert sorted(asked) == [tt(2), tt(3), tt(4), tt(5)]
    assert result.by_system == {"imdb": 2, "metacritic": 2, "rotten_tomatoes": 2}


def test_a_rating_set_by_hand_counts_as_one_that_is_there(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    server = serve(ratings={1: OF_OMDB[:2]})
    run(stage, ask(MDBList, server), ids=[1])
    correct(stage, "metacritic", 60, 1)
    assert run(stage, ask(OMDb, server), ids=[1]).http_requests == 0


def test_older_than_asks_again_for_older_answers_alone(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    server = serve(ratings={1: IMDB})

    def on(day: int, ids: list[int] | None, **options: Any) -> None:
        at = NOON + timedelta(days=day)
        run(stage, ask(MDBList, server, now=lambda: at), ids=ids, at=at, **options)

    on(0, [1, 2])
    on(20, [3])
    on(40, [1, 2, 3, 4], older_than=timedelta(days=30))
    assert server.batches == [[1, 2], [3], [1, 2, 4]]
    on(41, [1, 2, 3, 4], older_than=timedelta(days=30))
    assert len(server.batches) == 3


def test_older_than_asks_a_fallback_again_for_its_own_older_ratings(
    stage: Stage, serve: Serve, ask: Ask
) -> None:
    server = serve(movies={tt(1): GOOD})
    run(stage, ask(OMDb, server, now=lambda: NOON), ids=[1])
    later = NOON + timedelta(days=40)
    server.movies[tt(1)] = {**GOOD, "imdbRating": "6.6"}
    again = ask(OMDb, server, now=lambda: later)
    assert run(stage, again, ids=[1], at=later).http_requests == 0
    run(stage, again, ids=[1], at=later, older_than=timedelta(days=30))
    assert kept(stage, "omdb")[1, "imdb"] == 6.6


def test_a_table_is_read_whole_each_time_and_only_what_is_new_is_kept(stage: Stage) -> None:
    def table(*points: float | None) -> Table:
        frame = pl.DataFrame({"tmdb_id": [1, 2, 3], "mine": points})
        return Table(frame, points={"imdb": "mine"})

    assert counts(run(stage, table(6.0, 7.0, None))) == (5, 2, 3, 0)
    assert lines(stage) == 2
    assert counts(run(stage, table(6.0, 7.0, None))) == (5, 2, 3, 0)
    assert lines(stage) == 2
    assert counts(run(stage, table(6.0, 7.5, 8.0))) == (5, 3, 2, 0)
    assert lines(stage) == 4
    assert kept(stage, "table") == {(1, "imdb"): 6.0, (2, "imdb"): 7.5, (3, "imdb"): 8.0}


# Without a stage in between, and without asking.


def test_what_a_target_holds_is_rated_by_its_own_ids_and_need_not_be_staged(
    tmp_path: Path, serve: Serve, ask: Ask
) -> None:
    bench = SnapshotBench(tmp_path)
    bench.plant(movie(7, imdb_id=tt(7)), movie(8, imdb_id=""))
    stage = Stage(tmp_path / "empty", settings=Settings())
    server = serve(movies={tt(7): GOOD})
    result = workflows.collect_ratings(
        stage, [ask(OMDb, server)], target=bench.target, progress=Silent()
    )
    assert counts(result) == (2, 1, 0, 1)
    assert server.asked == [tt(7)]
    assert stage.store.rated_only()["tmdb_id"].to_list() == [7]


def test_what_a_run_would_take_is_said_and_nobody_is_asked(
    stage: Stage, serve: Serve, ask: Ask, imdb: Callable[..., IMDb]
) -> None:
    server = serve(ratings={1: OF_OMDB})
    run(stage, ask(MDBList, server), ids=[1])
    ids = list(range(1, 402))
    providers = [imdb(), ask(MDBList, server), ask(OMDb, server, daily=2)]
    asked = costs(providers, wanted_of(stage, None, ids), stage, None)
    assert asked.drop("terms").rows() == [
        ("imdb", 401, 1, 0),
        ("mdblist", 400, 2, 1),
        ("omdb", 400, 4, 2),  # movies that are not staged have no IMDb id to ask for
    ]
    assert all("." in terms for terms in asked["terms"])
    assert len(server.requests) == 1


def test_it_costs_what_a_run_then_takes(stage: Stage, serve: Serve, ask: Ask) -> None:
    server = serve(movies={tt(1): GOOD})
    provider = ask(OMDb, server)
    asked = workflows.rating_costs(stage, [provider])
    assert asked["requests"].item() == run(stage, provider).http_requests == 5
    assert due(provider, wanted_of(stage, None, None), stage, None).is_empty()


# Providers by name.


def test_without_a_name_all_are_asked_that_need_no_key_or_have_theirs(stage: Stage) -> None:
    none, one = Settings(), Settings(omdb_api_key=Secret(KEY))
    assert workflows.rating_costs(stage, settings=none)["provider"].to_list() == ["imdb"]
    assert workflows.rating_costs(stage, settings=one)["provider"].to_list() == ["imdb", "omdb"]


def test_a_fallback_comes_last_however_they_are_named(stage: Stage) -> None:
    settings = Settings(omdb_api_key=Secret(KEY), mdblist_api_key=Secret(KEY))
    table = Table(pl.DataFrame({"tmdb_id": [1], "p": [5.0]}), points={"imdb": "p"}, name="mine")
    asked = workflows.rating_costs(stage, ["omdb", table, "mdblist"], settings=settings)
    assert asked["provider"].to_list() == ["mine", "mdblist", "omdb"]


def test_a_name_that_is_none_and_a_key_that_is_missing_are_one_clear_line(stage: Stage) -> None:
    with pytest.raises(UsageError, match="no provider 'trakt'; there are imdb, mdblist, omdb"):
        workflows.collect_ratings(stage, ["imdb", "trakt"], settings=Settings())
    with pytest.raises(SettingsError, match="set MDBLIST_API_KEY"):
        workflows.collect_ratings(stage, ["mdblist"], settings=Settings())


def test_a_rating_that_is_confirmed_a_month_later_is_noted_again_and_earlier_it_is_not(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path / "stage", settings=Settings())
    mine = pl.DataFrame({"tmdb_id": [603], "imdb": [8.7]})

    def collected(at: datetime) -> list[datetime]:
        table = Table(mine, points={"imdb": "imdb"}, fetched_at=at)
        workflows.collect_ratings(stage, [table], [603], settings=Settings(), progress=Silent())
        return stage.ratings()["fetched_at"].to_list()

    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert collected(first) == [first]
    assert collected(first + timedelta(days=29)) == [first]
    assert collected(first + timedelta(days=31)) == [first + timedelta(days=31)]
