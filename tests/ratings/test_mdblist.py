from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.leaks import leaks, told_by, told_by_files, told_by_logs
from tests.servers.generated import dumps
from tests.servers.ratings import KEY, mdblist_error
from tests.servers.trouble import LASTS, PASSES
from tests.servers.wire import Answer
from tmdbkit.exceptions import (
    CredentialsRefused,
    QuotaUsedUp,
    SettingsError,
    StopError,
    TMDBKitError,
    UsageError,
)
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.model import AUDIENCE, FAILED, RATINGS, Collected, Cost
from tmdbkit.settings import Secret, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.http.conftest import FakeClock
    from tests.servers.ratings import RatingsServer

    Serve = Callable[..., RatingsServer]
    Ask = Callable[..., MDBList]

pytestmark = pytest.mark.once

GOOD = [{"source": "imdb", "value": 6.4, "score": 64, "votes": 812}]
MIDNIGHT = datetime(2031, 5, 7, tzinfo=UTC)
EVENING = MIDNIGHT - timedelta(hours=3)
ODD_KEY = "s3cr3t+/=&#ke y%41"


def movies(*ids: int) -> pl.DataFrame:
    return pl.DataFrame({"tmdb_id": ids, "imdb_id": [""] * len(ids)})


def rated(ids: Sequence[int]) -> dict[int, Any]:
    return dict.fromkeys(ids, GOOD)


def all_of(provider: MDBList, wanted: pl.DataFrame) -> tuple[list[int], pl.DataFrame, pl.DataFrame]:
    parts = list(provider.collect(wanted))
    asked = [tmdb_id for part in parts for tmdb_id in part.asked]
    ratings = pl.concat([RATINGS.to_frame(), *(part.ratings for part in parts)])
    return asked, ratings, pl.concat([FAILED.to_frame(), *(part.failed for part in parts)])


def until_stopped(provider: MDBList, ids: Sequence[int]) -> tuple[list[Collected], StopError]:
    parts: list[Collected] = []
    with pytest.raises(StopError) as raised:
        parts.extend(provider.collect(movies(*ids)))
    return parts, raised.value


# What is sent.


def test_two_hundred_movies_go_into_a_request_and_each_is_asked_for_once(
    serve: Serve, ask: Ask
) -> None:
    server = serve(ratings=rated(range(1, 451)))
    provider = ask(MDBList, server)
    asked, ratings, failed = all_of(provider, movies(*range(1, 451), 7, 8))
    assert [len(batch) for batch in server.batches] == [200, 200, 50]
    assert sorted(asked) == ratings["tmdb_id"].sort().to_list() == list(range(1, 451))
    assert (failed.height, provider.requests) == (0, 3)


def test_nothing_wanted_is_nothing_asked(serve: Serve, ask: Ask) -> None:
    server = serve()
    assert all_of(ask(MDBList, server), movies())[0] == []
    assert server.requests == []


@pytest.mark.parametrize(
    ("count", "daily", "cost"),
    [
        (0, 1000, Cost(0, 0)),
        (1, 1000, Cost(1, 1)),
        (200, 1000, Cost(1, 1)),
        (201, 1000, Cost(2, 1)),
        (200_001, 1000, Cost(1001, 2)),
        (200_001, 100_000, Cost(1001, 1)),
    ],
)
def test_what_it_costs_is_told_in_requests_and_in_days_of_the_plan(
    count: int, daily: int, cost: Cost, serve: Serve, ask: Ask
) -> None:
    server = serve()
    assert ask(MDBList, server, daily=daily).cost(movies(*range(1, count + 1))) == cost
    assert server.requests == []


def test_without_a_key_one_line_says_where_to_get_one() -> None:
    with pytest.raises(SettingsError, match=r"set MDBLIST_API_KEY .* mdblist\.com"):
        MDBList(Settings())


def test_a_plan_without_requests_is_no_plan() -> None:
    with pytest.raises(UsageError, match="daily is 0"):
        MDBList(Settings(mdblist_api_key=Secret(KEY)), daily=0)


# What is read.


@pytest.mark.parametrize(
    ("rating", "system", "points", "votes"),
    [
        ({"source": "imdb", "value": 6.4, "score": 64, "votes": 812}, "imdb", 6.4, 812),
        ({"source": "tmdb", "value": 71, "score": 71, "votes": 40}, "tmdb", 7.1, 40),
        ({"source": "letterboxd", "value": 3.1, "score": 62, "votes": 9}, "letterboxd", 3.1, 9),
        ({"source": "letterboxd", "value": 2.2, "score": 22, "votes": 9}, "letterboxd", 1.1, 9),
        ({"source": "metacritic", "value": 81, "score": 81, "votes": 30}, "metacritic", 81, 30),
        ({"source": "tomatoes", "value": 0, "score": 0, "votes": 11}, "rotten_tomatoes", 0, 11),
        ({"source": "tomatoes", "value": 93, "score": 93}, "rotten_tomatoes", 93, None),
        ({"source": "tomatoesaudience", "value": 55, "score": 55, "votes": 5}, AUDIENCE, 55, 5),
        ({"source": "popcorn", "value": 55, "score": 55}, AUDIENCE, 55, None),
        ({"source": "imdb", "value": 6.4, "score": 64, "votes": "1,812"}, "imdb", 6.4, 1812),
        ({"source": "imdb", "value": 6.4, "score": "64", "votes": "812"}, "imdb", 6.4, 812),
        ({"source": "imdb", "value": 6.4, "score": 64.5, "votes": 812.0}, "imdb", 6.45, 812),
        ({"source": "metacritic", "votes": 3, "url": "/a-film"}, "metacritic", None, 3),
        ({"source": "imdb", "value": 0, "score": None, "votes": 4}, "imdb", None, 4),
        ({"source": "letterboxd", "value": 7.2, "votes": 4}, "letterboxd", None, 4),
    ],
)
def test_points_come_from_the_score_on_the_systems_own_scale(
    rating: dict[str, Any],
    system: str,
    points: float | None,
    votes: int | None,
    serve: Serve,
    ask: Ask,
) -> None:
    _, ratings, failed = all_of(ask(MDBList, serve(ratings={5: [rating]})), movies(5))
    assert failed.rows() == []
    [row] = ratings.rows(named=True)
    assert (row["tmdb_id"], row["system"], row["provider"]) == (5, system, "mdblist")
    assert (row["points"], row["votes"]) == (points, votes)
    assert row["score_100"] == (None if points is None else pytest.approx(float(rating["score"])))
    assert abs(row["fetched_at"] - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "ratings",
    [
        None,
        [],
        [{"source": "letterboxd"}],
        [{"source": "imdb", "value": 0, "score": None, "votes": None}],
        [{"source": "tmdb", "value": 0, "score": 0, "votes": 0}],
        [{"source": "metacriticuser", "value": 9.2, "score": 92, "votes": 610}],
        [{"source": "trakt", "score": 81, "votes": 4}, {"source": "tvmaze", "score": "odd"}],
        [{"source": "rogerebert", "value": None}, {"value": 3}],
    ],
)
def test_what_nobody_rated_and_what_others_rated_is_no_rating_of_ours(
    ratings: Any, serve: Serve, ask: Ask
) -> None:
    asked, found, failed = all_of(ask(MDBList, serve(ratings={5: ratings})), movies(5))
    assert (asked, found.height, failed.height) == ([5], 0, 0)


@pytest.mark.parametrize(("score", "single"), [(90, 4.5), (46, 2.3), (22, 1.1), (3, 0.15)])
def test_both_endpoints_give_one_letterboxd_rating(
    score: int, single: float, serve: Serve, ask: Ask
) -> None:
    rating = {"source": "letterboxd", "score": score, "votes": 10}
    answers = {n: [{**rating, "value": n * single}] for n in (1, 2)}
    _, found, _ = all_of(ask(MDBList, serve(ratings=answers)), movies(1, 2))
    assert found.select("system", "points", "votes").rows() == [("letterboxd", single, 10)] * 2


@pytest.mark.parametrize(
    "odd",
    [
        {"source": "metacritic", "score": "soon"},
        {"source": "metacritic", "score": 250},
        {"source": "metacritic", "score": {}},
        {"source": "metacritic", "score": 73, "votes": "many"},
        {"source": "metacritic", "score": True},
        7,
        None,
        [],
    ],
)
def test_an_odd_rating_beside_two_good_ones_loses_only_itself(
    odd: Any, serve: Serve, ask: Ask
) -> None:
    good = [{"source": name, "score": 80, "votes": 5} for name in ("imdb", "letterboxd")]
    given = {1: [good[0], odd, good[1]]}
    _, found, failed = all_of(ask(MDBList, serve(ratings=given)), movies(1))
    assert found["system"].to_list() == ["imdb", "letterboxd"]
    assert failed["reason"].item().startswith("MDBList: malformed answer: ")


@pytest.mark.parametrize("nothing", ["tbd", "TBD", "N/A", "", "null", None])
def test_what_is_not_known_yet_is_nothing_odd(nothing: Any, serve: Serve, ask: Ask) -> None:
    given = {1: [{"source": "metacritic", "score": nothing, "votes": nothing}]}
    asked, found, failed = all_of(ask(MDBList, serve(ratings=given)), movies(1))
    assert (asked, found.height, failed.height) == ([1], 0, 0)


def test_movies_that_the_answer_lacks_are_settled_without_a_rating(serve: Serve, ask: Ask) -> None:
    asked, ratings, failed = all_of(ask(MDBList, serve(ratings=rated([2]))), movies(1, 2, 3))
    assert (asked, ratings["tmdb_id"].to_list(), failed.height) == ([1, 2, 3], [2], 0)


def test_ratings_go_to_their_movies_in_whatever_order_they_come(serve: Serve, ask: Ask) -> None:
    entries = [
        {"ids": {"tmdb": str(n)}, "ratings": [{"source": "imdb", "score": n, "votes": n}]}
        for n in (30, 99, 10, 20)
    ]
    legacy = {"tmdbid": 40, "ratings": [{"source": "imdb", "score": 40, "votes": 40}]}
    script = {"10": [Answer(200, dumps([*entries, None, legacy]))]}
    _, ratings, _ = all_of(ask(MDBList, serve(script=script)), movies(10, 20, 30, 40))
    rows = ratings.select("tmdb_id", "votes", "points").rows()
    assert rows == [(n, n, n / 10) for n in (10, 20, 30, 40)]


@pytest.mark.parametrize(
    "ratings",
    [
        "none",
        {"imdb": 7},
        ["imdb"],
        [{"source": "imdb", "score": "high", "votes": 9}],
        [{"source": "imdb", "score": 640, "votes": 9}],
        [{"source": "imdb", "score": -1, "votes": 9}],
        [{"source": "imdb", "score": True, "votes": 9}],
        [{"source": "imdb", "score": [64], "votes": 9}],
        [{"source": "imdb", "score": 64, "votes": "many"}],
        [{"source": "imdb", "score": 64, "votes": -3}],
        [{"source": "imdb", "score": 64, "votes": 10**30}],
        [{"source": "imdb", "score": float("nan"), "votes": 9}],
    ],
)
def test_a_malformed_entry_spoils_its_movie_alone(ratings: Any, serve: Serve, ask: Ask) -> None:
    server = serve(ratings={1: GOOD, 2: ratings, 3: GOOD})
    asked, found, failed = all_of(ask(MDBList, server), movies(1, 2, 3))
    assert (asked, found["tmdb_id"].to_list()) == ([1, 3], [1, 3])
    [(tmdb_id, reason)] = failed.rows()
    assert tmdb_id == 2
    assert reason.startswith("MDBList: malformed answer: ")


@pytest.mark.parametrize("entry", [{"ratings": GOOD}, {"ids": {"imdb": "tt7"}}, "x", {"ids": 2}])
def test_an_entry_that_names_no_movie_leaves_those_that_are_missing_open(
    entry: Any, serve: Serve, ask: Ask
) -> None:
    body = dumps([{"ids": {"tmdb": 1}, "ratings": GOOD}, entry])
    server = serve(script={"1": [Answer(200, body)]})
    asked, _, failed = all_of(ask(MDBList, server), movies(1, 2))
    assert (asked, failed["tmdb_id"].to_list()) == ([1], [2])


# The quota.


@pytest.mark.parametrize("status", [200, 400, 403, 429])
def test_the_word_that_the_limit_is_reached_ends_the_run_unless_the_status_passes(
    status: int, serve: Serve, ask: Ask, clock: FakeClock
) -> None:
    words = mdblist_error("API Limit Reached!", status)
    server = serve(ratings=rated(range(1, 401)), script={"201": [words]})
    provider = ask(MDBList, server)
    parts, error = until_stopped(provider, range(1, 601))
    assert [part.asked for part in parts] == [list(range(1, 201))]
    assert type(error) is QuotaUsedUp
    assert "run the same command again tomorrow" in str(error)
    assert len(server.requests) == 2
    assert provider.session.cache is not None
    assert len(provider.session.cache) == 1
    assert max(clock.slept, default=0) < 1


def test_a_used_up_quota_says_when_it_begins_anew(serve: Serve, ask: Ask) -> None:
    server = serve(quota=0, resets_at=int(MIDNIGHT.timestamp()))
    _, error = until_stopped(ask(MDBList, server, now=lambda: EVENING), [1])
    assert str(error) == (
        "MDBList's quota of requests is used up (API Limit Reached!); run the same command again "
        "after 2031-05-07 00:00 UTC, it goes on from here"
    )
    assert error.retry_after == 3 * 3600


@pytest.mark.parametrize("told", ["", "soon", "nan", "1e300", "0", "86400"])
def test_a_time_that_cannot_be_meant_is_not_repeated(told: str, serve: Serve, ask: Ask) -> None:
    answer = mdblist_error("API Limit Reached!")
    answer.headers = {"X-RateLimit-Reset": told}
    _, error = until_stopped(ask(MDBList, serve(script={"1": [answer]})), [1])
    assert "again tomorrow" in str(error)


def test_after_the_last_request_of_the_day_none_is_sent_in_vain(serve: Serve, ask: Ask) -> None:
    server = serve(ratings=rated(range(1, 601)), quota=2, resets_at=int(MIDNIGHT.timestamp()))
    parts, error = until_stopped(ask(MDBList, server, now=lambda: EVENING), range(1, 601))
    assert [len(part.asked) for part in parts] == [200, 200]
    assert "after 2031-05-07 00:00 UTC" in str(error)
    assert len(server.requests) == 2


def test_a_quota_that_is_just_enough_is_enough(serve: Serve, ask: Ask) -> None:
    server = serve(ratings=rated(range(1, 401)), quota=2)
    assert len(all_of(ask(MDBList, server), movies(*range(1, 401)))[0]) == 400


def test_a_429_of_a_used_up_quota_is_not_waited_for(serve: Serve, ask: Ask) -> None:
    server = serve(script={"1": [("429html", {"X-RateLimit-Remaining": "0"})]})
    _, error = until_stopped(ask(MDBList, server), [1])
    assert type(error) is QuotaUsedUp
    assert len(server.requests) == 1


def test_the_next_day_only_what_is_left_is_asked_for(serve: Serve, ask: Ask) -> None:
    server = serve(ratings=rated(range(1, 401)), quota=1)
    until_stopped(ask(MDBList, server), range(1, 401))
    server.quota = 1000
    asked, _, _ = all_of(ask(MDBList, server), movies(*range(1, 401)))
    assert len(asked) == 400
    assert [batch[0] for batch in server.batches] == [1, 201]


# What goes wrong.


@pytest.mark.parametrize(
    "turn",
    [
        "500",
        "502html",
        "not_json",
        "cut",
        "cut_json",
        "reset",
        "empty",
        pytest.param(Answer(200, b"{}"), id="an empty object"),
        pytest.param(Answer(200, b'{"movies": []}'), id="an object"),
        pytest.param(Answer(200, b'"no"'), id="a text"),
        pytest.param(mdblist_error("Something went wrong"), id="an error with a 200"),
    ],
)
def test_a_fault_that_may_pass_is_asked_again(turn: Any, serve: Serve, ask: Ask) -> None:
    server = serve(ratings=rated([1]), script={"1": [turn]})
    asked, ratings, failed = all_of(ask(MDBList, server), movies(1))
    assert (asked, ratings.height, failed.height) == ([1], 1, 0)
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", PASSES)
@pytest.mark.parametrize("words", ["API Limit Reached!", "Invalid API key!", "Too many ids", ""])
def test_a_status_that_passes_passes_whatever_the_words_say(
    words: str, status: int, serve: Serve, ask: Ask
) -> None:
    none_left = (mdblist_error(words, status), {"X-RateLimit-Remaining": "0"})
    server = serve(ratings=rated([1]), script={"1": [with_headers(*none_left)] * 3})
    asked, ratings, _ = all_of(ask(MDBList, server), movies(1))
    assert (asked, ratings.height, len(server.requests)) == ([1], 1, 4)


@pytest.mark.parametrize("status", LASTS)
def test_what_a_server_cannot_do_is_asked_once(status: int, serve: Serve, ask: Ask) -> None:
    server = serve(script={"1": [mdblist_error("Try again later", status)] * 9})
    asked, _, failed = all_of(ask(MDBList, server), movies(1))
    assert (asked, failed.height, len(server.requests)) == ([], 1, 1)


def with_headers(answer: Answer, headers: dict[str, str]) -> Answer:
    return replace(answer, headers=headers)


def test_a_batch_that_keeps_failing_is_told_and_the_run_goes_on(serve: Serve, ask: Ask) -> None:
    server = serve(ratings=rated(range(1, 401)), script={"1": ["503"] * 4})
    asked, ratings, failed = all_of(ask(MDBList, server), movies(*range(1, 401)))
    assert asked == ratings["tmdb_id"].to_list() == list(range(201, 401))
    assert failed["tmdb_id"].to_list() == list(range(1, 201))
    [reason] = failed["reason"].unique()
    assert reason == "MDBList: /tmdb/movie: answered 503 after 4 attempts"


def test_a_429_is_waited_for_as_long_as_it_says(serve: Serve, ask: Ask, clock: FakeClock) -> None:
    server = serve(ratings=rated([1]), script={"1": [("429html", {"Retry-After": "70"})] * 9})
    began = clock()
    assert all_of(ask(MDBList, server), movies(1))[0] == [1]
    assert clock() - began == pytest.approx(9 * 70, rel=0.01)


@pytest.mark.parametrize(
    "words", [mdblist_error("Invalid API key!", 403), mdblist_error("Invalid API key!"),
              Answer(401, b'{"detail": "Unauthorized"}'), Answer(401)]
)  # fmt: skip
def test_a_refused_key_ends_the_run_and_names_its_setting(
    words: Answer, serve: Serve, ask: Ask
) -> None:
    server = serve(script={"1": [words]})
    parts, error = until_stopped(ask(MDBList, server), range(1, 401))
    assert parts == []
    assert type(error) is CredentialsRefused
    assert "check MDBLIST_API_KEY" in str(error)
    assert len(server.requests) == 1


# The cache.


def test_an_answer_is_good_for_a_day_for_the_same_movies(serve: Serve, ask: Ask) -> None:
    server = serve(ratings=rated([1, 2]))
    first = all_of(ask(MDBList, server), movies(1, 2))
    again = all_of(ask(MDBList, server), movies(1, 2))
    assert again[1].drop("fetched_at").equals(first[1].drop("fetched_at"))
    assert len(server.requests) == 1
    all_of(ask(MDBList, server), movies(1))
    assert server.batches == [[1, 2], [1]]
    later = ask(MDBList, server, now=lambda: datetime.now(UTC) + timedelta(hours=25))
    all_of(later, movies(1, 2))
    assert server.batches == [[1, 2], [1], [1, 2]]


def test_offline_the_cache_answers_without_a_key_and_a_miss_is_told(serve: Serve, ask: Ask) -> None:
    server = serve(ratings=rated([1]))
    all_of(ask(MDBList, server), movies(1))
    offline = ask(MDBList, server, key="", offline=True)
    assert all_of(offline, movies(1))[1]["points"].to_list() == [6.4]
    asked, _, failed = all_of(offline, movies(2))
    assert (asked, failed["tmdb_id"].to_list()) == ([], [2])
    assert "offline" in failed["reason"][0]
    assert len(server.requests) == 1


# Keys.

COURSES: dict[str, list[Any]] = {
    "success": [],
    "refused": [mdblist_error("Invalid API key!", 403)],
    "repeated": [mdblist_error(f"{ODD_KEY} is an invalid api key")],
    "limit": [mdblist_error(f"API Limit Reached! {ODD_KEY}")],
    "500s": ["500"] * 4,
    "pages": ["503html"] * 4,
    "resets": ["reset"] * 4,
    "cut": ["cut"] * 4,
    "redirect": [Answer(301, headers={"Location": "http://[x"})] * 4,
    "hours": [("429html", {"Retry-After": "99999"})],
}


@pytest.mark.parametrize("course", COURSES)
def test_the_key_shows_itself_nowhere(
    course: str, serve: Serve, ask: Ask, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(key=ODD_KEY, ratings=rated([1]), script={"1": COURSES[course]})
    provider = ask(MDBList, server, key=ODD_KEY)
    told: list[str] = []
    try:
        for part in provider.collect(movies(1)):
            told.append(repr((part, part.failed.rows())))
    except TMDBKitError as error:
        told += told_by(error)
    told += [repr(provider), repr(vars(provider)), repr(vars(provider.session))]
    provider.close()
    told += [*told_by_logs(caplog), *told_by_files(tmp_path)]
    assert server.requests[0].params["apikey"] == ODD_KEY
    assert leaks(ODD_KEY, iter(told)) == []
