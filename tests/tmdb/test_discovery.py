from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tmdbkit.exceptions import PassingFault, UsageError
from tmdbkit.tmdb.client import LISTS, TMDBClient
from tmdbkit.tmdb.discovery import IDS, LAST_PAGE, list_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.tmdb import TMDBServer
    from tmdbkit.tmdb.session import TMDBSession

    Start = Callable[..., TMDBServer]
    Connect = Callable[..., TMDBSession]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_a_frame_of_ids_with_their_source_and_rank(
    name: str, start: Start, connect: Connect
) -> None:
    client = TMDBClient(connect(start(lists={name: [603, 550, 680]})))
    assert list_ids(client, name).equals(
        pl.DataFrame({"tmdb_id": [603, 550, 680], "source": [name] * 3, "rank": [1, 2, 3]}, IDS)
    )


def test_only_as_many_pages_are_read_as_were_asked_for(start: Start, connect: Connect) -> None:
    server = start(lists={"popular": range(1, 201)})
    found = list_ids(TMDBClient(connect(server)), "popular", pages=3)
    assert found["tmdb_id"].to_list() == list(range(1, 61))
    assert [request.params["page"] for request in server.requests] == ["1", "2", "3"]


def test_reading_ends_with_the_list(start: Start, connect: Connect) -> None:
    server = start(lists={"upcoming": range(1, 46)})
    assert list_ids(TMDBClient(connect(server)), "upcoming", pages=500).height == 45
    assert len(server.requests) == 3


def test_a_movie_that_a_moving_list_repeats_keeps_its_first_place(
    start: Start, connect: Connect
) -> None:
    first, second = list(range(1, 21)), [20, *range(21, 40)]
    found = list_ids(
        TMDBClient(connect(start(lists={"popular": first + second}))), "popular", pages=2
    )
    assert found["tmdb_id"].to_list() == list(range(1, 40))
    assert found["rank"].to_list() == list(range(1, 40))


def test_an_empty_list_is_an_empty_frame(start: Start, connect: Connect) -> None:
    found = list_ids(TMDBClient(connect(start(lists={"popular": []}))), "popular", pages=2)
    assert (found.height, found.schema) == (0, IDS)


def test_a_page_that_fails_for_a_moment_leaves_no_gap(start: Start, connect: Connect) -> None:
    server = start(
        lists={"popular": range(1, 61)},
        script={"/3/movie/popular": ["ok", "cut_json", "503", "ok", "reset"]},
    )
    found = list_ids(TMDBClient(connect(server)), "popular", pages=3)
    assert found["tmdb_id"].to_list() == list(range(1, 61))


def test_a_page_that_fails_for_good_is_an_error_and_no_shorter_list(
    start: Start, connect: Connect
) -> None:
    server = start(script={"/3/movie/popular": ["ok", *["500"] * 4]})
    with pytest.raises(PassingFault):
        list_ids(TMDBClient(connect(server)), "popular", pages=3)


def test_pages_that_were_read_are_read_from_the_cache(start: Start, connect: Connect) -> None:
    server = start(lists={"popular": range(1, 61)})
    client = TMDBClient(connect(server))
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
