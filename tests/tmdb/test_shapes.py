"""Answers are looked at before they are believed or kept: one of no shape passes, as a fault."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers.wire import Answer, LocalServer
from tmdbkit.exceptions import PassingFault, TMDBKitError
from tmdbkit.settings import Secret, Settings
from tmdbkit.tmdb.changes import changed_ids
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.tmdb.discovery import (
    collection_ids,
    discover_ids,
    imdb_ids,
    list_ids,
    search_ids,
    shared_list_ids,
)
from tmdbkit.tmdb.session import SECTIONS, TMDBService, TMDBSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.wire import Request

pytestmark = pytest.mark.once

DAY = date(2026, 3, 31)
ASK: dict[str, Callable[[TMDBClient], Any]] = {
    "list": lambda client: list_ids(client, "popular", pages=2),
    "search": lambda client: search_ids(client, "matrix"),
    "discover": discover_ids,
    "a person's list": lambda client: shared_list_ids(client, 8136),
    "collection": lambda client: collection_ids(client, 10),
    "find": lambda client: imdb_ids(client, ["tt0133093"]),
    "changes": lambda client: changed_ids(client, DAY, DAY),
    "genres": TMDBClient.genres,
    "configuration": TMDBClient.configuration,
}


class Odd(LocalServer):
    """Answers whatever is asked with one text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = "{}"
        self.asked = 0

    def handle(self, request: Request) -> Answer:
        self.asked += 1
        return Answer(200, self.text.encode())


@pytest.fixture
def odd() -> Iterator[Odd]:
    with Odd() as server:
        yield server


@pytest.fixture
def client(odd: Odd, tmp_path: Path) -> Iterator[TMDBClient]:
    """One that waits for nothing."""
    known = Settings(
        tmdb_token=Secret("a.b.c"), tmdb_base_url=odd.url, cache=tmp_path / "cache", rate=1e6
    )
    with TMDBSession(known, sleep=lambda _: None) as session:
        yield TMDBClient(session)


@pytest.mark.parametrize("text", ["{}", "[]", '{"results": null}', '{"success": false}'])
@pytest.mark.parametrize("kind", ASK)
def test_an_answer_of_another_shape_passes_and_is_not_kept(
    kind: str, text: str, odd: Odd, client: TMDBClient
) -> None:
    odd.text = text
    for asked in (4, 8):  # again, and not from the cache
        with pytest.raises(PassingFault, match="answered 200, but without "):
            ASK[kind](client)
        assert odd.asked == asked
    assert len(client.session.cache or ()) == 0


@pytest.mark.parametrize(
    "pages", ["1", None, True, -1, [], {}], ids=["text", "null", "true", "minus", "list", "object"]
)
def test_a_list_that_does_not_count_its_pages_is_none(
    pages: object, odd: Odd, client: TMDBClient
) -> None:
    odd.text = json.dumps({"results": [], "items": [], "total_pages": pages})
    for kind in ("list", "a person's list"):
        with pytest.raises(PassingFault, match="answered 200, but without a number of pages"):
            ASK[kind](client)


ENTRIES = [None, 3, "x", [], {}, {"id": None}, {"id": "603"}, {"id": -1}, {"id": True}, {"id": 1e3}]


@pytest.mark.parametrize(
    "kind", ["list", "search", "discover", "a person's list", "find", "changes"]
)
def test_an_odd_entry_loses_nothing_but_itself(kind: str, odd: Odd, client: TMDBClient) -> None:
    entries = [{"id": 603, "title": 7, "release_date": []}, *ENTRIES, {"id": 550}]
    lists = dict.fromkeys(("results", "items", "movie_results"), entries)
    odd.text = json.dumps({**lists, "total_pages": 1})
    assert ASK[kind](client)["tmdb_id"].to_list() == [603, 550]


def test_an_answer_that_was_kept_by_an_older_tmdbkit_is_not_believed(
    odd: Odd, client: TMDBClient
) -> None:
    odd.text = json.dumps({"results": [{"id": 603}], "total_pages": 1})
    params = {"language": "en-US", "page": 1}
    client.session.remember("/movie/popular", params, '{"results": null}')
    assert list_ids(client, "popular")["tmdb_id"].to_list() == [603]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                sorted({"results", "items", "parts", "movie_results", "genres", "images", "id"})
                + sorted({"total_pages", "title", "release_date", "media_type", "success"})
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", ASK)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=VALUES)
def test_whatever_comes_is_read_or_is_an_error_of_ours(
    kind: str, odd: Odd, client: TMDBClient, value: Any
) -> None:
    odd.text = json.dumps(value)
    if client.session.cache:
        client.session.cache.clear()
    try:
        ASK[kind](client)
    except TMDBKitError:
        assert client.session.cache is None or len(client.session.cache) == 0


# The sections of a movie


def movie(**sections: Any) -> str:
    whole = {name: {part: [] for part in parts} for name, parts in SECTIONS.items()}
    found = {"id": 603, "title": "The Matrix", **whole, **sections}
    return json.dumps(found, separators=(",", ":"))


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    "broken",
    [
        {"success": False, "status_code": 11},
        {"success": False},
        {},
        None,
        [],
        "later",
        {"cast": None, "crew": None, "results": None, "keywords": None},
        {"cast": [], "crew": None, "keywords": {}, "results": {}},
    ],
)
def test_a_section_that_is_an_error_is_a_fault_of_that_movie(
    section: str, broken: object, odd: Odd, client: TMDBClient
) -> None:
    odd.text = movie(**{section: broken})
    with pytest.raises(PassingFault, match=f"answered 200, but with an error for {section}"):
        client.movie(603)
    assert len(client.session.cache or ()) == 0


@pytest.mark.parametrize(
    "text",
    [
        movie(),
        json.dumps(json.loads(movie()), indent=2),
        movie(title='a "success":false thing', overview='"credits":null'),
        '{"id":603,"title":"The Matrix"}',
        movie(credits={"crew": [], "cast": []}),
        movie(credits={"id": 603, "cast": [{"id": 1}], "crew": []}),
    ],
)
def test_a_whole_movie_is_none_whatever_it_looks_like(text: str) -> None:
    assert TMDBService.of(Settings()).misfit("/movie/603", text) == ""


@pytest.mark.parametrize("path", ["/person/6384", "/movie/603/similar", "/tv/1399", "/x"])
def test_what_nobody_knows_the_shape_of_may_be_anything(path: str) -> None:
    assert TMDBService.of(Settings()).misfit(path, "[]") == ""
