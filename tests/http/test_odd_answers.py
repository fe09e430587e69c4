"""Whatever a service answers is read, or is an error of ours; and nothing wrong is kept."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.wire import Answer, LocalServer
from tests.stage.conftest import payload
from tests.tmdb.test_shapes import ASK
from tmdbkit.convex.client import ConvexDeployment
from tmdbkit.exceptions import StopError, TMDBKitError
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.omdb import OMDb
from tmdbkit.settings import Secret, Settings
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.tmdb.session import TMDBSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.wire import Request
    from tmdbkit.http.session import Session

    Ask = Callable[[], object]

pytestmark = pytest.mark.once

WANTED = pl.DataFrame({"tmdb_id": [603], "imdb_id": ["tt0133093"]})
ENTRY = {"id": 603, "title": "The Matrix", "release_date": "1999-03-30", "media_type": "movie"}
LIST = {"page": 1, "results": [ENTRY, {**ENTRY, "id": 550}], "total_pages": 1, "total_results": 2}
CHANGE = {"tmdb_id": 603, "kind": "update", "set": {}}
GOOD: dict[str, Any] = {
    "list": LIST,
    "search": LIST,
    "discover": LIST,
    "changes": {**LIST, "results": [{"id": 603, "adult": False}]},
    "a person's list": {"id": 8136, "items": [ENTRY], "total_pages": 1},
    "collection": {"id": 10, "parts": [ENTRY]},
    "find": {"movie_results": [ENTRY], "tv_results": []},
    "genres": {"genres": [{"id": 28, "name": "Action"}]},
    "configuration": {"images": {"secure_base_url": "https://image.tmdb.org/t/p/"}},
    "movie": json.loads(payload(603)),
    "MDBList": [
        {"ids": {"tmdb": 603}, "ratings": [{"source": "imdb", "value": 8.7, "votes": 2_000_000}]}
    ],
    "OMDb": {
        "Response": "True",
        "imdbID": "tt0133093",
        "Ratings": [{"Source": "Rotten Tomatoes", "Value": "83%"}],
        "imdbRating": "8.7",
        "imdbVotes": "2,000,000",
        "Metascore": "73",
    },
    "check_admin_key": {"success": True, "allowedOps": [], "isReadOnly": False},
    "contract": {
        "version": 2,
        "tables": {"movies": {"type": "object", "value": {}}},
        "references": [{"table": "lists", "field": "movie", "index": "by_movie"}],
    },
    "documents": [{"tmdb_id": 603.0, "title": "The Matrix", "_id": "j1"}],
    "slug_owners": [{"slug": "the-matrix", "tmdb_id": 603.0}],
    "page": {"page": [{"tmdb_id": 603.0}], "cursor": None, "done": True},
    "apply_movies": [{"tmdb_id": 603.0, "outcome": "updated", "id": "j1", "differs": []}],
    "add_people": {"created": 1.0, "updated": 0.0, "unchanged": 0.0},
    "pointing_at": [{"tmdb_id": 603.0, "table": "lists", "field": "movie", "documents": 2.0}],
}
CONVEX: dict[str, Callable[[ConvexDeployment], object]] = {
    "check_admin_key": lambda target: target.preflight(writing=True),
    "contract": lambda target: target.contract(),
    "documents": lambda target: target.documents([603]),
    "slug_owners": lambda target: target.slug_owners(["the-matrix"]),
    "page": lambda target: target.page("movies", None, 10),
    "apply_movies": lambda target: target.apply_movies([CHANGE]),
    "add_people": lambda target: target.add_people([]),
    "pointing_at": lambda target: target.pointing_at([603]),
}
GOOD |= {
    kind: {"status": "success", "value": GOOD[kind]} for kind in CONVEX if kind != "check_admin_key"
}
ODD: list[Any] = [
    *(None, True, False, 0, -1, 7, 1.5, 1e300, 2**63, 10**400, float("nan"), float("inf")),
    *("", "x", "603", "tbd", "N/A", "1,5", "\ud800", "é" * 300, "\0", "<b>", "2026-02-30"),
    *([], {}, [[]], [None], {"": None}, {"success": False, "status_code": 11}, {"$float": "AA=="}),
    *(
        {"$integer": "x"},
        {"$bytes": 7},
        {"error": "no"},
        [1] * 50,
        "9" * 5000,
        "-0",
        "\uff18.\uff17",
    ),
]
PAGES = (
    b"",
    b"\xef\xbb\xbf{}",
    b"<html>Please stand by</html>",
    b"\xff\xfe{\x00}\x00",
    b"[" * 3000,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each thing in a value, and to all of it."""
    yield way
    parts = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else parts:
        yield from places(inner, (*way, key))


def spoilt(value: Any, dice: random.Random) -> Any:
    """The same with one to three things in it odd, missing or doubled."""
    value = deepcopy(value)
    for _ in range(dice.randint(1, 3)):
        *way, last = dice.choice([(), *places(value)]) or (None,)
        if last is None:
            return deepcopy(dice.choice(ODD))
        inside = value
        for step in way:
            inside = inside[step]
        if dice.random() < 0.2:
            del inside[last]
        elif dice.random() < 0.1 and isinstance(inside, list):
            inside.append(deepcopy(inside[last]))
        else:
            inside[last] = deepcopy(dice.choice(ODD))
    return value


def odd_answers(good: Any, count: int, seed: str) -> Iterator[Answer]:
    """Good answers that are spoilt, cut, of another encoding, and error pages."""
    dice = random.Random(seed)
    for _ in range(count):
        text = json.dumps(spoilt(good, dice)).encode()
        kind = dice.random()
        status = 200 if kind < 0.85 else dice.choice([400, 401, 403, 404, 405, 409, 422, 500, 503])
        if 0.7 < kind < 0.8:
            text = text[: dice.randrange(len(text) + 1)]
        elif 0.8 < kind < 0.93:
            text = dice.choice(PAGES)
        yield Answer(status, text)


class Odd(LocalServer):
    """Answers whatever is asked with one thing."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = Answer()

    def handle(self, request: Request) -> Answer:
        return Answer(self.answer.status, self.answer.body)


@pytest.fixture
def odd() -> Iterator[Odd]:
    with Odd() as server:
        yield server


@pytest.fixture
def known(odd: Odd, tmp_path: Path) -> Settings:
    urls = dict.fromkeys(
        ("tmdb_base_url", "convex_url", "omdb_base_url", "mdblist_base_url"), odd.url
    )
    names = ("tmdb_token", "convex_key", "omdb_api_key", "mdblist_api_key")
    keys = dict.fromkeys(names, Secret("a.b.c"))
    return Settings(cache=tmp_path / "cache", rate=1e6, **urls, **keys)


def opened(kind: str, known: Settings) -> tuple[Ask, Session]:
    """What asks for one thing, with no try more and no wait."""
    if kind in CONVEX:
        target = ConvexDeployment(settings=known, retries=0, sleep=lambda _: None)
        return lambda: CONVEX[kind](target), target.session
    if kind in ("MDBList", "OMDb"):
        provider = {"MDBList": MDBList, "OMDb": OMDb}[kind](known, sleep=lambda _: None)
        return lambda: list(provider.collect(WANTED)), provider.session
    session = TMDBSession(known, retries=0, sleep=lambda _: None)
    client = TMDBClient(session)
    ask = ASK.get(kind, lambda client: client.movie(603))
    return lambda: ask(client), session


def keeps_nothing_wrong(kind: str, odd: Odd, known: Settings, count: int) -> None:
    ask, session = opened(kind, known)
    for number, odd.answer in enumerate(odd_answers(GOOD[kind], count, kind)):
        failed = outcome(ask, f"answer {number}, {odd.answer.status} {odd.answer.body!r:.500}")
        assert failed is None or not len(session.cache or ()), (odd.answer, failed)
        if isinstance(failed, StopError):  # a session remembers it
            session.close()
            ask, session = opened(kind, known)
        if session.cache:
            session.cache.clear()
        odd.answer = Answer(200, json.dumps(GOOD[kind]).encode())
        assert outcome(ask, "good") is None
        if session.cache:
            session.cache.clear()
    session.close()


def outcome(ask: Ask, what: str) -> TMDBKitError | None:
    """What is raised of ours; anything else is a fault."""
    try:
        ask()
    except TMDBKitError as error:
        return error
    except Exception as error:
        raise AssertionError(what) from error
    return None


@pytest.mark.parametrize("kind", GOOD)
def test_an_odd_answer_is_read_or_an_error_of_ours_and_is_not_kept(
    kind: str, odd: Odd, known: Settings
) -> None:
    keeps_nothing_wrong(kind, odd, known, 20)


@pytest.mark.large
@pytest.mark.parametrize("kind", GOOD)
def test_five_hundred_are(kind: str, odd: Odd, known: Settings) -> None:
    keeps_nothing_wrong(kind, odd, known, 500)
