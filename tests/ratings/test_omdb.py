from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.leaks import leaks, told_by, told_by_files, told_by_logs
from tests.servers.ratings import omdb_error
from tests.servers.trouble import LASTS, PASSES
from tests.servers.wire import Answer
from tmdbkit.exceptions import (
    CredentialsRefused,
    HostUnreachable,
    Interrupted,
    QuotaUsedUp,
    SettingsError,
    StopError,
    TMDBKitError,
)
from tmdbkit.ratings.model import FAILED, RATINGS, Collected, Cost
from tmdbkit.ratings.omdb import THREADS, TOGETHER, OMDb
from tmdbkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.http.conftest import FakeClock
    from tests.servers.ratings import RatingsServer

    Serve = Callable[..., RatingsServer]
    Ask = Callable[..., OMDb]

pytestmark = pytest.mark.once

GOOD = {
    "Ratings": [
        {"Source": "Internet Movie Database", "Value": "6.4/10"},
        {"Source": "Rotten Tomatoes", "Value": "81%"},
        {"Source": "Metacritic", "Value": "57/100"},
    ],
    "Metascore": "57",
    "imdbRating": "6.4",
    "imdbVotes": "1,234,567",
}
ONE = "tt0000001"
ODD_KEY = "s3cr3t+/=&#ke y%41"


def imdb_id(number: int) -> str:
    return f"tt{number:07d}"


def movies(*numbers: int) -> pl.DataFrame:
    rows = [(number, imdb_id(number)) for number in numbers]
    return pl.DataFrame(rows, {"tmdb_id": pl.Int64, "imdb_id": pl.String}, orient="row")


def known(numbers: Sequence[int]) -> dict[str, Any]:
    return {imdb_id(number): GOOD for number in numbers}


def all_of(provider: OMDb, wanted: pl.DataFrame) -> tuple[list[int], pl.DataFrame, pl.DataFrame]:
    parts = list(provider.collect(wanted))
    asked = [tmdb_id for part in parts for tmdb_id in part.asked]
    ratings = pl.concat([RATINGS.to_frame(), *(part.ratings for part in parts)])
    return asked, ratings, pl.concat([FAILED.to_frame(), *(part.failed for part in parts)])


def until_stopped(
    provider: OMDb, numbers: Sequence[int], kind: type[TMDBKitError] = StopError
) -> tuple[list[Collected], TMDBKitError]:
    parts: list[Collected] = []
    with pytest.raises(kind) as raised:
        parts.extend(provider.collect(movies(*numbers)))
    return parts, raised.value


# What is asked.


def test_each_movie_is_asked_for_once_on_a_few_connections(serve: Serve, ask: Ask) -> None:
    numbers = range(1, 101)
    server = serve(movies=known(numbers))
    provider = ask(OMDb, server)
    asked, ratings, failed = all_of(provider, movies(*numbers, 7, 8))
    assert sorted(asked) == list(numbers)
    assert server.asked == [imdb_id(number) for number in numbers]
    assert (ratings.height, failed.height, provider.requests) == (300, 0, 100)
    assert server.connections <= THREADS


def test_who_has_no_imdb_id_cannot_be_asked_for(serve: Serve, ask: Ask) -> None:
    server = serve(movies=known([1]))
    wanted = pl.DataFrame({"tmdb_id": [1, 2, 3, 4], "imdb_id": [ONE, "", None, "603"]})
    asked, _, failed = all_of(ask(OMDb, server), wanted)
    assert (asked, failed["tmdb_id"].to_list()) == ([1], [2, 3, 4])
    assert server.asked == [ONE]


def test_what_it_costs_is_told_in_requests_and_in_days_of_the_plan(serve: Serve, ask: Ask) -> None:
    server = serve()
    wanted = movies(*range(1, 2502)).vstack(pl.DataFrame({"tmdb_id": [9000], "imdb_id": [""]}))
    assert ask(OMDb, server).cost(wanted) == Cost(2501, 3)
    assert ask(OMDb, server, daily=100_000).cost(wanted) == Cost(2501, 1)
    assert ask(OMDb, server).cost(movies()) == Cost(0, 0)
    assert server.requests == []


def test_without_a_key_one_line_says_where_to_get_one() -> None:
    with pytest.raises(SettingsError, match=r"set OMDB_API_KEY .* www\.omdbapi\.com"):
        OMDb(Settings())


# What is read.


def listed(source: str, value: str) -> dict[str, Any]:
    return {"Ratings": [{"Source": source, "Value": value}]}


@pytest.mark.parametrize(
    ("movie", "rows"),
    [
        (
            GOOD,
            [
                ("imdb", 6.4, 10.0, 64.0, 1_234_567),
                ("rotten_tomatoes", 81.0, 100.0, 81.0, None),
                ("metacritic", 57.0, 100.0, 57.0, None),
            ],
        ),
        ({}, []),
        ({"imdbVotes": "44"}, [("imdb", None, 10.0, None, 44)]),
        ({"imdbRating": "7.5", "imdbVotes": "21"}, [("imdb", 7.5, 10.0, 75.0, 21)]),
        ({"Metascore": "84"}, [("metacritic", 84.0, 100.0, 84.0, None)]),
        (listed("Rotten Tomatoes", "0%"), [("rotten_tomatoes", 0.0, 100.0, 0.0, None)]),
        (listed("Rotten Tomatoes", "N/A"), []),
        (listed("Another", "5/5"), []),
        ({"Ratings": None, "imdbRating": None}, []),
        ({**GOOD, "Type": "series", "Ratings": []},
         [("imdb", 6.4, 10.0, 64.0, 1_234_567), ("metacritic", 57.0, 100.0, 57.0, None)]),
    ],
)  # fmt: skip
def test_every_form_of_a_rating_is_read(
    movie: dict[str, Any], rows: list[Any], serve: Serve, ask: Ask
) -> None:
    asked, ratings, failed = all_of(ask(OMDb, serve(movies={ONE: movie})), movies(1))
    assert (asked, failed.height) == ([1], 0)
    assert ratings.select("system", "points", "scale", "score_100", "votes").rows() == rows
    assert set(ratings["provider"]) <= {"omdb"}


@pytest.mark.parametrize("words", ["Incorrect IMDb ID.", "Movie not found!"])
@pytest.mark.parametrize("status", [200, 404])
def test_a_movie_that_omdb_does_not_know_is_settled_without_a_rating(
    words: str, status: int, serve: Serve, ask: Ask
) -> None:
    server = serve(script={ONE: [omdb_error(words, status)]})
    asked, ratings, failed = all_of(ask(OMDb, server), movies(1))
    assert (asked, ratings.height, failed.height) == ([1], 0, 0)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "movie",
    [
        {"imdbID": "tt0000009"},
        {"Ratings": {"Source": "Rotten Tomatoes"}},
        {"Ratings": ["81%"]},
        listed("Rotten Tomatoes", "fresh"),
        listed("Rotten Tomatoes", "181%"),
        listed("Internet Movie Database", "64%"),
        listed("Internet Movie Database", "64/100"),
        listed("Internet Movie Database", "6.4.1/10"),
        listed("Metacritic", "5.7/10"),
        {"imdbRating": "64"},
        {"imdbRating": "high"},
        {"imdbVotes": "many"},
        {"Metascore": [57]},
    ],
)
def test_a_malformed_answer_spoils_its_movie_alone(
    movie: dict[str, Any], serve: Serve, ask: Ask
) -> None:
    server = serve(movies={**known([1, 3]), imdb_id(2): movie})
    asked, ratings, failed = all_of(ask(OMDb, server), movies(1, 2, 3))
    assert (asked, set(ratings["tmdb_id"])) == ([1, 3], {1, 3})
    [(tmdb_id, reason)] = failed.rows()
    assert tmdb_id == 2
    assert reason.startswith("OMDb: malformed answer: ")


# What ends a run.


@pytest.mark.parametrize("status", [200, 401, 429])
def test_a_used_up_quota_keeps_what_came_and_says_when_to_go_on(
    status: int, serve: Serve, ask: Ask, clock: FakeClock
) -> None:
    numbers = range(1, 3 * TOGETHER)
    server = serve(movies=known(numbers), script={})
    for number in numbers[TOGETHER + 10 :]:
        server.script[imdb_id(number)] = [omdb_error("Request limit reached!", status)]
    provider = ask(OMDb, server)
    parts, error = until_stopped(provider, numbers)
    assert type(error) is QuotaUsedUp
    assert "run the same command again tomorrow" in str(error)
    asked = [number for part in parts for number in part.asked]
    assert asked == list(numbers[: TOGETHER + 10])
    assert provider.requests < len(asked) + 2 * THREADS
    assert provider.session.cache is not None
    assert len(provider.session.cache) == len(asked)
    assert sum(clock.slept) < 60


def test_the_next_day_only_what_is_left_is_asked_for(serve: Serve, ask: Ask) -> None:
    numbers = range(1, 21)
    server = serve(movies=known(numbers), quota=12)
    until_stopped(ask(OMDb, server), numbers)
    server.quota = 1000
    before = len(server.requests)
    assert all_of(ask(OMDb, server), movies(*numbers))[0] == list(numbers)
    assert len(server.requests) - before == 8


@pytest.mark.parametrize(
    "answer",
    [
        omdb_error("Invalid API key!", 401),
        omdb_error("Invalid API key!"),
        omdb_error("No API key provided.", 401),
        Answer(401, b"<html>", "text/html"),
    ],
)
def test_a_refused_key_ends_the_run_and_names_its_setting(
    answer: Answer, serve: Serve, ask: Ask
) -> None:
    server = serve(script={imdb_id(number): [answer] for number in range(1, 100)})
    parts, error = until_stopped(ask(OMDb, server), range(1, 100))
    assert type(error) is CredentialsRefused
    assert "check OMDB_API_KEY" in str(error)
    assert [part.asked for part in parts] == [[]]
    assert len(server.requests) <= THREADS


def test_an_interrupt_ends_the_waits_and_the_next_run_goes_on(
    serve: Serve, ask: Ask, clock: FakeClock
) -> None:
    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if seconds > 10:
            provider.session.interrupt()

    server = serve(movies=known([1, 2]), script={ONE: [("503", {"Retry-After": "600"})]})
    provider = ask(OMDb, server, sleep=sleep)
    until_stopped(provider, [1, 2], Interrupted)
    assert all_of(provider, movies(1, 2))[0] == [1, 2]


def test_who_reads_no_further_is_asked_for_nothing_more(serve: Serve, ask: Ask) -> None:
    server = serve(movies=known(range(1, 3 * TOGETHER)))
    running = ask(OMDb, server).collect(movies(*range(1, 3 * TOGETHER)))
    next(running)
    running.close()
    assert len(server.requests) == TOGETHER


def test_a_host_that_cannot_be_reached_ends_the_run(serve: Serve, ask: Ask) -> None:
    server = serve()
    server.pause()
    _, error = until_stopped(ask(OMDb, server), range(1, 100))
    assert type(error) is HostUnreachable
    assert "OMDb cannot be reached" in str(error)
    assert "OMDB_BASE_URL" in str(error)


# What passes.


@pytest.mark.parametrize(
    "turn",
    [
        "500",
        "503html",
        "not_json",
        "cut",
        "cut_json",
        "close",
        pytest.param(Answer(200, b"[]"), id="a list"),
        pytest.param(Answer(200, b"{}"), id="an empty object"),
        pytest.param(omdb_error("Error getting data."), id="an error with a 200"),
        pytest.param(("429html", {"Retry-After": "2"}), id="429"),
    ],
)
def test_a_fault_that_may_pass_is_asked_again(turn: Any, serve: Serve, ask: Ask) -> None:
    server = serve(movies=known([1]), script={ONE: [turn]})
    asked, ratings, _ = all_of(ask(OMDb, server), movies(1))
    assert (asked, ratings.height, len(server.requests)) == ([1], 3, 2)


@pytest.mark.parametrize("status", PASSES)
@pytest.mark.parametrize(
    "words", ["Request limit reached!", "Invalid API key!", "Incorrect IMDb ID.", "Not found", ""]
)
def test_a_status_that_passes_passes_whatever_the_words_say(
    words: str, status: int, serve: Serve, ask: Ask
) -> None:
    server = serve(movies=known([1]), script={ONE: [omdb_error(words, status)] * 3})
    asked, ratings, _ = all_of(ask(OMDb, server), movies(1))
    assert (asked, ratings.height, len(server.requests)) == ([1], 3, 4)


@pytest.mark.parametrize("status", LASTS)
def test_what_a_server_cannot_do_is_asked_once(status: int, serve: Serve, ask: Ask) -> None:
    server = serve(script={ONE: [omdb_error("Try again later", status)] * 9})
    asked, _, failed = all_of(ask(OMDb, server), movies(1))
    assert (asked, failed.height, len(server.requests)) == ([], 1, 1)


def test_a_movie_that_keeps_failing_is_told_and_the_run_goes_on(serve: Serve, ask: Ask) -> None:
    server = serve(movies=known([1, 2]), script={ONE: ["503"] * 4})
    asked, _, failed = all_of(ask(OMDb, server), movies(1, 2))
    assert asked == [2]
    assert failed.rows() == [(1, "OMDb: answered 503 after 4 attempts")]


# The cache.


def test_an_answer_is_good_for_a_day(serve: Serve, ask: Ask) -> None:
    server = serve(movies=known([1]))
    for hours in (0, 23, 25):
        moment = datetime.now(UTC) + timedelta(hours=hours)
        all_of(ask(OMDb, server, now=lambda moment=moment: moment), movies(1))
    assert len(server.requests) == 2


def test_offline_the_cache_answers_without_a_key_and_a_miss_is_told(serve: Serve, ask: Ask) -> None:
    server = serve(movies=known([1]))
    all_of(ask(OMDb, server), movies(1))
    asked, _, failed = all_of(ask(OMDb, server, key="", offline=True), movies(1, 2))
    assert (asked, failed["tmdb_id"].to_list(), len(server.requests)) == ([1], [2], 1)


# Keys.

COURSES: dict[str, list[Any]] = {
    "success": [],
    "refused": [omdb_error("Invalid API key!", 401)],
    "repeated": [omdb_error(f"{ODD_KEY} is an invalid api key")],
    "limit": [omdb_error("Request limit reached!", 401)],
    "500s": ["500"] * 4,
    "pages": ["not_json"] * 4,
    "resets": ["reset"] * 4,
    "redirect": [Answer(301, headers={"Location": "/elsewhere"})],
}


@pytest.mark.parametrize("course", COURSES)
def test_the_key_shows_itself_nowhere(
    course: str, serve: Serve, ask: Ask, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(key=ODD_KEY, movies=known([1]), script={ONE: COURSES[course]})
    provider = ask(OMDb, server, key=ODD_KEY)
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


# What is odd loses only itself


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"Metascore": "soon"}, ["imdb", "rotten_tomatoes"]),
        ({"imdbRating": "9.9/10"}, ["rotten_tomatoes", "metacritic"]),
        ({"imdbVotes": "a few"}, ["rotten_tomatoes", "metacritic"]),
        ({"Ratings": [{"Source": "Rotten Tomatoes", "Value": "Fresh"}]}, ["imdb", "metacritic"]),
        ({"Ratings": "94%"}, ["imdb", "metacritic"]),
        ({"Ratings": [None, {"Source": "Rotten Tomatoes", "Value": "94%"}]}, None),
    ],
)
def test_an_odd_rating_beside_good_ones_loses_only_itself(
    fields: dict[str, Any], left: list[str] | None, serve: Serve, ask: Ask
) -> None:
    whole = {
        "Response": "True",
        "imdbID": ONE,
        "imdbRating": "8.7",
        "imdbVotes": "2,000",
        "Metascore": "73",
        "Ratings": [{"Source": "Rotten Tomatoes", "Value": "94%"}],
    }
    _, found, failed = all_of(ask(OMDb, serve(movies={ONE: {**whole, **fields}})), movies(1))
    assert found["system"].to_list() == (left or ["imdb", "rotten_tomatoes", "metacritic"])
    assert failed["reason"].item().startswith("OMDb: malformed answer: ")


@pytest.mark.parametrize(
    "text", ['{"Response":"True","Plot":"a "quoted" word"}', '{"Response":"True",}', "{'a': 1}"]
)
def test_json_that_a_plot_spoils_is_asked_for_once(text: str, serve: Serve, ask: Ask) -> None:
    server = serve(script={ONE: [Answer(200, text.encode())] * 4})
    provider = ask(OMDb, server)
    _, _, failed = all_of(provider, movies(1))
    assert failed["reason"].item() == "OMDb: answered with JSON that cannot be read"
    assert provider.requests == 1
