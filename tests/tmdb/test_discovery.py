from __future__ import annotations

import io
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit.exceptions import NotFound, PassingFault, UsageError
from tmdbkit.progress import TerminalLine
from tmdbkit.tmdb.changes import changed_ids, stale_ids
from tmdbkit.tmdb.client import LAST_PAGE, LISTS, TMDBClient
from tmdbkit.tmdb.discovery import (
    IDS,
    collection_ids,
    discover_ids,
    imdb_ids,
    list_ids,
    search_ids,
    shared_list_ids,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.tmdb import TMDBServer
    from tmdbkit.tmdb.session import TMDBSession

    Start = Callable[..., TMDBServer]
    Connect = Callable[..., TMDBSession]

pytestmark = pytest.mark.once

TODAY = date(2026, 3, 31)


@pytest.fixture
def ask(start: Start, connect: Connect) -> Callable[..., tuple[TMDBServer, TMDBClient]]:
    """Start a server, and a client that waits for nothing, on as many threads as it likes."""

    def ask_one(**known: Any) -> tuple[TMDBServer, TMDBClient]:
        server = start(clock=time.monotonic, **known)
        unhurried: dict[str, Any] = {"clock": time.monotonic, "sleep": lambda _: None}
        return server, TMDBClient(connect(server, rate=1e6, **unhurried))

    return ask_one


# Lists.


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_a_frame_of_ids_with_their_source_and_rank(
    name: str, start: Start, connect: Connect
) -> None:
    client = TMDBClient(connect(start(lists={name: [603, 550, 680]})))
    rows = [(i, name, rank, f"Movie {i}", 1999, 0) for rank, i in enumerate((603, 550, 680), 1)]
    assert list_ids(client, name).equals(pl.DataFrame(rows, IDS, orient="row"))


def test_only_as_many_pages_are_read_as_were_asked_for(ask: Any) -> None:
    server, client = ask(lists={"popular": range(1, 201)})
    found = list_ids(client, "popular", pages=3)
    assert found["tmdb_id"].to_list() == list(range(1, 61))
    assert sorted(request.params["page"] for request in server.requests) == ["1", "2", "3"]


def test_reading_ends_with_the_list(ask: Any) -> None:
    server, client = ask(lists={"upcoming": range(1, 46)})
    assert list_ids(client, "upcoming", pages=500).height == 45
    assert len(server.requests) == 3


def test_a_movie_that_a_moving_list_repeats_keeps_its_first_place_and_is_counted(ask: Any) -> None:
    _, client = ask(lists={"popular": [*range(1, 21), 20, *range(21, 40)]})
    found = list_ids(client, "popular", pages=2)
    assert found["tmdb_id"].to_list() == list(range(1, 40))
    assert found["rank"].to_list() == list(range(1, 40))
    assert found.filter(pl.col("repeats") > 0)["tmdb_id"].to_list() == [20]


def test_an_empty_list_is_an_empty_frame(start: Start, connect: Connect) -> None:
    found = list_ids(TMDBClient(connect(start(lists={"popular": []}))), "popular", pages=2)
    assert (found.height, found.schema) == (0, IDS)


def test_a_page_that_fails_for_a_moment_leaves_no_gap(ask: Any) -> None:
    script = {"/3/movie/popular": ["ok", "cut_json", "503", "ok", "reset"]}
    _, client = ask(lists={"popular": range(1, 61)}, script=script)
    found = list_ids(client, "popular", pages=3)
    assert found["tmdb_id"].to_list() == list(range(1, 61))


def test_a_page_that_fails_for_good_is_an_error_and_no_shorter_list(ask: Any) -> None:
    server, client = ask(script={"/3/movie/popular": ["ok", *["500"] * 9]})
    with pytest.raises(PassingFault):
        list_ids(client, "popular", pages=3)
    server.script.clear()
    assert list_ids(client, "popular", pages=3).height == 60  # the session can be used again


def test_pages_that_were_read_are_read_from_the_cache(ask: Any) -> None:
    server, client = ask(lists={"popular": range(1, 61)})
    once = list_ids(client, "popular", pages=3)
    assert list_ids(client, "popular", pages=3).equals(once)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("name", "pages", "words"),
    [
        ("best", 1, r"there is no list 'best'; TMDB has popular, top_rated, now_playing, upcoming"),
        ("popular", 0, "--pages is 0; TMDB serves pages 1 to 500"),
        ("popular", -1, "--pages is -1"),
        ("popular", LAST_PAGE + 1, "--pages is 501"),
    ],
)
def test_what_tmdb_does_not_have_is_seen_before_any_request(
    name: str, pages: int, words: str, server: TMDBServer, connect: Connect
) -> None:
    with pytest.raises(UsageError, match=words):
        list_ids(TMDBClient(connect(server)), name, pages=pages)
    assert server.connections == 0


# Filters, titles, other lists.


def test_discover_takes_tmdb_s_filters_and_reads_all_pages(ask: Any) -> None:
    server, client = ask(lists={"discover": range(1, 46)})
    found = discover_ids(client, vote_count_gte=1000, with_genres="18")
    assert found["tmdb_id"].to_list() == list(range(1, 46))
    asked = server.requests[0].params
    assert (asked["vote_count.gte"], asked["with_genres"]) == ("1000", "18")


def test_discover_reads_only_some_pages_where_that_is_wanted(ask: Any) -> None:
    server, client = ask(lists={"discover": range(1, 20_001)})
    assert discover_ids(client, pages=2).height == 40
    assert len(server.requests) == 2


def test_beyond_ten_thousand_discover_slices_release_dates_until_each_slice_fits(ask: Any) -> None:
    first = date(1990, 1, 1)
    dates = {i: (first + timedelta(days=i % 9000)).isoformat() for i in range(1, 10_101)}
    server, client = ask(lists={"discover": list(dates)}, dates=dates)
    found = discover_ids(client, vote_count_gte=0)
    assert found.height == found["tmdb_id"].n_unique() == len(dates)
    assert found["repeats"].sum() == 0
    assert max(int(request.params["page"]) for request in server.requests) <= LAST_PAGE
    assert len(server.requests) < 505 + 20  # each page once, and a few to find the slices


def test_slices_stay_within_the_dates_that_were_asked_for(ask: Any) -> None:
    dates = {i: f"{1950 + i % 50}-01-01" for i in range(1, 20_003)}
    _, client = ask(lists={"discover": list(dates)}, dates=dates)
    span = {"primary_release_date.gte": "1960-01-01", "primary_release_date.lte": "1969-12-31"}
    found = discover_ids(client, **span)
    assert set(found["tmdb_id"]) == {i for i, day in dates.items() if "1960" <= day[:4] <= "1969"}


def test_a_day_with_more_than_tmdb_serves_is_one_clear_error(ask: Any) -> None:
    dates = dict.fromkeys(range(1, 10_002), "2000-01-01")
    _, client = ask(lists={"discover": list(dates)}, dates=dates)
    with pytest.raises(UsageError, match=r"10,000 movies were released on 2000-01-01.*narrow"):
        discover_ids(client)


def test_a_day_that_is_none_is_seen_before_slices_are_made(ask: Any) -> None:
    _, client = ask(lists={"discover": range(1, 10_002)}, dates={})
    with pytest.raises(UsageError, match=r"primary_release_date\.gte is '1999'"):
        discover_ids(client, **{"primary_release_date.gte": "1999", "primary_release_date.lte": ""})


def test_a_search_finds_titles_the_likeliest_first(ask: Any) -> None:
    _, client = ask(lists={"search": range(1, 61)})
    found = search_ids(client, "movie 5", pages=2)
    assert found["tmdb_id"].to_list() == [5, *range(50, 60)]
    assert found["source"].unique().to_list() == ["search"]


def test_searching_for_nothing_is_a_mistake(ask: Any) -> None:
    server, client = ask()
    with pytest.raises(UsageError, match="nothing to search for"):
        search_ids(client, " ")
    assert server.requests == []


def test_a_list_that_someone_made_is_read_to_its_end_without_series(ask: Any) -> None:
    _, client = ask(shared={8136: range(1, 46)})
    assert shared_list_ids(client, 8136)["tmdb_id"].to_list() == list(range(1, 46))


def test_a_collection_is_its_movies(ask: Any) -> None:
    _, client = ask(collections={2344: [603, 604, 605]})
    found = collection_ids(client, 2344)
    assert found["tmdb_id"].to_list() == [603, 604, 605]
    assert found["source"].unique().to_list() == ["collection 2344"]


@pytest.mark.parametrize("look", [shared_list_ids, collection_ids])
def test_a_list_or_a_collection_that_is_not_there_is_not_found(look: Any, ask: Any) -> None:
    _, client = ask()
    with pytest.raises(NotFound):
        look(client, 1)


def test_imdb_ids_become_tmdb_s_and_unknown_ones_have_no_row(ask: Any) -> None:
    server, client = ask(missing=[7])
    asked = ["tt0000603", "tt0000007", "tt0000550", "tt0000603"]
    found = imdb_ids(client, asked)
    assert found.select("tmdb_id", "imdb_id").rows() == [(603, "tt0000603"), (550, "tt0000550")]
    assert len(server.requests) == 3


def test_it_is_told_how_many_imdb_ids_were_looked_up(ask: Any) -> None:
    _, client = ask()
    stream = io.StringIO()
    client.progress = TerminalLine(stream)
    imdb_ids(client, ["tt0000603", "tt0000550", "tt0000013"])
    assert "looking up IMDb id 2 of 3" in stream.getvalue()


def test_no_imdb_ids_are_no_requests(ask: Any) -> None:
    server, client = ask()
    assert imdb_ids(client, []).is_empty()
    assert server.requests == []


# Changes.


def days(first: int, last: int) -> list[str]:
    """Days of March 2026."""
    return [f"2026-03-{day:02d}" for day in range(first, last + 1)]


def test_changes_of_any_span_are_read_in_windows_of_fourteen_days(ask: Any) -> None:
    changes = {day: [number, 100] for number, day in enumerate(days(1, 31), 1)}
    server, client = ask(changes=changes)
    found = changed_ids(client, date(2026, 3, 1), TODAY)
    assert set(found["tmdb_id"]) == {*range(1, 32), 100}
    spans = [(r.params["start_date"], r.params["end_date"]) for r in server.requests]
    assert spans == [
        ("2026-03-01", "2026-03-15"),
        ("2026-03-15", "2026-03-29"),
        ("2026-03-29", "2026-04-01"),
    ]


def test_a_movie_that_is_gone_is_told_apart(ask: Any) -> None:
    _, client = ask(changes={"2026-03-30": [1, 2]}, missing=[2])
    found = changed_ids(client, date(2026, 3, 30), TODAY)
    assert dict(found.select("tmdb_id", "deleted").rows()) == {1: False, 2: True}


def test_a_window_of_more_pages_than_tmdb_serves_is_halved(ask: Any) -> None:
    changes = {day: range(n * 6_000 + 1, n * 6_000 + 6_001) for n, day in enumerate(days(1, 10))}
    _, client = ask(changes=changes)
    found = changed_ids(client, date(2026, 3, 1), date(2026, 3, 10))
    assert found.height == 60_000


def test_changes_of_days_to_come_are_a_mistake(ask: Any) -> None:
    server, client = ask()
    with pytest.raises(UsageError, match="2026-04-01 is still to come"):
        changed_ids(client, date(2026, 4, 1), TODAY)
    assert server.requests == []


def test_a_movie_is_stale_by_changes_of_its_own_day_and_after(ask: Any) -> None:
    _, client = ask(changes={"2026-03-05": [1, 2, 3], "2026-03-20": [3, 4], "2026-03-31": [9]})
    last = {1: 4, 2: 7, 3: 5, 4: 25}
    known = pl.DataFrame(
        [(i, datetime(2026, 3, day, 12, tzinfo=UTC)) for i, day in last.items()],
        {"tmdb_id": pl.Int64, "as_of": pl.Datetime("us", "UTC")},
        orient="row",
    )
    assert stale_ids(client, known, TODAY) == [1, 3]


def test_changes_are_never_answered_from_the_cache(ask: Any) -> None:
    server, client = ask(changes={"2026-03-31": [1]})
    changed_ids(client, TODAY, TODAY)
    server.catalogue.changes["2026-03-31"] = [1, 2]
    assert changed_ids(client, TODAY, TODAY)["tmdb_id"].to_list() == [1, 2]
