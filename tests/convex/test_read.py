"""Reading a table of a deployment page by page, whatever comes between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.convex import CURSOR, FakeTime, success
from tmdbkit.convex.read import TRIES, ids_of, pages
from tmdbkit.exceptions import BatchTooLarge, CursorLost, FunctionsMissing, StopError

from .bench import Shelf, counts, deployment, movie, payload, push

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.convex import ConvexProxy, Run
    from tests.servers.wire import Answer
    from tmdbkit import ConvexDeployment

    from .backend import ConvexBackend

pytestmark = pytest.mark.once

IDS = [*range(1, 8)]


@pytest.fixture
def target(backend: ConvexBackend, proxy: ConvexProxy) -> ConvexDeployment:
    """A deployment with some movies, behind a proxy that misbehaves."""
    backend.insert("movies", *(movie(n, slug=str(n)) for n in IDS))
    return deployment(proxy.url, time=FakeTime())


def read(target: ConvexDeployment, size: int) -> list[int]:
    return [int(found["tmdb_id"]) for page in pages(target, "movies", size) for found in page]


def test_a_page_that_is_too_large_is_asked_for_in_halves_and_so_are_those_after_it(
    target: ConvexDeployment, proxy: ConvexProxy
) -> None:
    proxy.script("page", "return_value", "too_many_bytes")
    assert read(target, 4) == IDS
    assert [call.args["size"] for call in proxy.called("page")] == [4, 2, *[1] * 7]


def test_one_document_that_is_more_than_an_answer_holds_is_said(
    target: ConvexDeployment, proxy: ConvexProxy
) -> None:
    proxy.always("page", "return_value")
    with pytest.raises(BatchTooLarge, match="return value is too large"):
        read(target, 200)
    assert len(proxy.called("page")) == 8


@pytest.mark.parametrize("fault", sorted(CURSOR))
def test_a_cursor_that_counts_no_longer_begins_again_and_nothing_comes_twice(
    target: ConvexDeployment, proxy: ConvexProxy, fault: str
) -> None:
    proxy.script("page", "ok", "ok", fault, "ok", fault)
    assert read(target, 2) == IDS


def test_where_cursors_never_last_it_ends(target: ConvexDeployment, proxy: ConvexProxy) -> None:
    proxy.script("page", *["ok", "cursor"] * TRIES)
    with pytest.raises(CursorLost):
        read(target, 2)
    assert len(proxy.called("page")) == 2 * TRIES


def moved(*cursors: str) -> list[Callable[[Run], Answer]]:
    """Pages whose cursors are these."""

    def answer(cursor: str) -> Callable[[Run], Answer]:
        def edited(run: Run) -> Answer:
            value: dict[str, Any] = json.loads(run().body)["value"]
            return success(value | {"cursor": cursor, "done": False})

        return edited

    return [answer(cursor) for cursor in cursors]


@pytest.mark.parametrize("cursors", [("a", "a"), ("a", "b", "a"), ("a", "b", "b")])
def test_a_cursor_that_does_not_move_or_goes_in_a_circle_ends(
    proxy: ConvexProxy, cursors: tuple[str, ...]
) -> None:
    proxy.backend, proxy.values["page"] = "", {"page": []}
    proxy.script("page", *moved(*cursors))
    with pytest.raises(FunctionsMissing, match="answer as those of another version"):
        read(deployment(proxy.url), 2)
    assert len(proxy.called("page")) == len(cursors)


def test_a_push_reads_and_plans_all_the_same(
    target: ConvexDeployment, proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.script("page", "return_value")
    proxy.script("moviesByTmdbIds", "return_value")
    proxy.script("slugOwners", "return_value")
    stage.put(*(payload(n) for n in (8, 9)))
    assert counts(push(stage, target)) == {"created": 2}
    assert ids_of(target) == [*IDS, 8, 9]


@pytest.mark.parametrize("fault", ["staged_index", "backfilling", "old_functions", "usage_limit"])
def test_what_ends_a_push_is_said_once_and_sends_nothing_more(
    target: ConvexDeployment, proxy: ConvexProxy, stage: Shelf, fault: str
) -> None:
    proxy.always("applyMovies", fault)
    stage.put(*(payload(n) for n in range(100, 700)))
    with pytest.raises(StopError, match="tmdbkit:applyMovies") as caught:
        push(stage, target)
    assert "\n" not in str(caught.value)
    assert len(proxy.called("applyMovies")) <= 4  # those in flight
