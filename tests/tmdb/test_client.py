from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit import Settings
from tmdbkit.exceptions import NotFound, RequestRefused
from tmdbkit.tmdb.client import APPENDED, LISTS, TMDBClient, movie_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.tmdb import TMDBServer
    from tmdbkit.tmdb.session import TMDBSession

    Start = Callable[..., TMDBServer]
    Connect = Callable[..., TMDBSession]

LANGUAGE = {"language": "en-US"}


@pytest.mark.parametrize(
    ("ask", "path", "params"),
    [
        (
            lambda client: client.movie(603),
            "/movie/603",
            LANGUAGE | {"append_to_response": "credits,keywords,release_dates,videos"},
        ),
        (
            lambda client: client.get("/movie/603/credits", page=2, region=None),
            "/movie/603/credits",
            {"page": "2"},
        ),
        *[
            (
                lambda client, name=name: client.movie_list(name, 3),
                f"/movie/{name}",
                LANGUAGE | {"page": "3"},
            )
            for name in LISTS
        ],
        (
            lambda client: client.discover(
                2, vote_count_gte=100, primary_release_date_lte="1999-12-31", sort_by="x"
            ),
            "/discover/movie",
            LANGUAGE
            | {
                "vote_count.gte": "100",
                "primary_release_date.lte": "1999-12-31",
                "sort_by": "x",
                "page": "2",
            },
        ),
        (
            lambda client: client.search("Léon: der Profi", year=1994),
            "/search/movie",
            LANGUAGE | {"query": "Léon: der Profi", "year": "1994", "page": "1"},
        ),
        (
            lambda client: client.search("x"),
            "/search/movie",
            LANGUAGE | {"query": "x", "page": "1"},
        ),
        (
            lambda client: client.changes("2026-01-01", "2026-01-14", 2),
            "/movie/changes",
            {"start_date": "2026-01-01", "end_date": "2026-01-14", "page": "2"},
        ),
        (
            lambda client: client.find("tt0133093"),
            "/find/tt0133093",
            {"external_source": "imdb_id"},
        ),
        (lambda client: client.genres(), "/genre/movie/list", LANGUAGE),
        (lambda client: client.configuration(), "/configuration", {}),
    ],
)
def test_each_method_asks_as_tmdb_documents_it(
    ask: Callable[[TMDBClient], Any],
    path: str,
    params: dict[str, str],
    server: TMDBServer,
    connect: Connect,
) -> None:
    payload = ask(TMDBClient(connect(server)))
    [request] = server.requests
    assert (request.method, request.path, request.params) == ("GET", f"/3{path}", params)
    assert payload == json.loads(server.catalogue.answer(f"/3{path}", params).body)


def test_a_payload_comes_back_unchanged_whatever_is_in_it(start: Start, connect: Connect) -> None:
    payload = {
        "id": 603,
        "softcore": False,
        "vote_average": 8,
        "imdb_id": None,
        "title": "マトリックス \u2028\U0001f48a",
        "a key of tomorrow": {"deep": [1.50, None, ""]},
    }
    server = start(payloads={603: json.dumps(payload).encode()})
    assert TMDBClient(connect(server)).movie(603) == payload


def test_the_stage_gets_the_text_and_nothing_is_stored_twice(
    server: TMDBServer, connect: Connect
) -> None:
    client = TMDBClient(connect(server))
    answer = client.movie_answer(603, store=False)
    assert json.loads(answer.text) == answer.value == client.movie(603)
    assert len(server.requests) == 2
    assert client.movie_answer(603, store=False).cached
    assert not client.movie_answer(603, refresh=True).cached


def test_a_cached_movie_is_found_by_the_method_and_by_its_request(
    server: TMDBServer, connect: Connect
) -> None:
    client = TMDBClient(connect(server))
    client.movie(603)
    path, params = movie_request(603, Settings())
    assert client.session.get(path, params).cached
    assert params["append_to_response"] == APPENDED


@pytest.mark.parametrize(
    ("language", "videos"),
    [("en-US", None), ("en-GB", None), ("de-DE", "de,en"), ("pt-BR", "pt,en"), ("cn", "cn,en")],
)
def test_videos_are_asked_for_in_the_language_and_in_english(
    language: str, videos: str | None, server: TMDBServer, connect: Connect
) -> None:
    TMDBClient(connect(server, languages=(language,))).movie(603)
    [request] = server.requests
    assert request.params["language"] == language
    assert request.params.get("include_video_language") == videos


def test_what_tmdb_does_not_have_is_not_found(start: Start, connect: Connect) -> None:
    client = TMDBClient(connect(start(missing=[9])))
    with pytest.raises(LookupError) as raised:
        client.movie(9)
    assert type(raised.value) is NotFound


def test_a_page_that_tmdb_does_not_serve_is_refused(server: TMDBServer, connect: Connect) -> None:
    with pytest.raises(RequestRefused) as raised:
        TMDBClient(connect(server)).movie_list("popular", 501)
    assert raised.value.code == 22


def test_a_client_opens_a_session_of_its_own_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    monkeypatch.setenv("TMDBKIT_CACHE", str(tmp_path / "cache"))
    client = TMDBClient()
    with client.session as session:
        assert session.offline
        assert repr(client) == f"TMDBClient({session!r})"
