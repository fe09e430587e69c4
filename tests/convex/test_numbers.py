"""Numbers that JSON has no word for, in fields of ours: somebody divided by zero there."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit import workflows
from tmdbkit.convex.read import movies_of
from tmdbkit.exceptions import PassedOver

from .bench import SYSTEMS, counts, deployment, movie, payload, push

if TYPE_CHECKING:
    from .backend import ConvexBackend
    from .bench import Bench, Shelf

pytestmark = pytest.mark.once


def odd(number: float) -> dict[str, str]:
    """A number as Convex writes those that JSON lacks."""
    return {"$float": base64.b64encode(struct.pack("<d", number)).decode()}


NAN = odd(float("nan"))
VOTES = dict.fromkeys(SYSTEMS)


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"popularity": NAN}, {"popularity": 83.25}),
        ({"popularity": odd(float("inf"))}, {"popularity": 83.25}),
        ({"budget": odd(-0.0)}, {"budget": 63_000_000}),
        ({"cast": [NAN]}, {"cast": [6384]}),
        ({"vote_pts_system": VOTES | {"tmdb": NAN}}, {"vote_pts_system": VOTES | {"tmdb": 8.2}}),
        (
            {"vote_count_system": VOTES | {"tmdb": NAN}},
            {"vote_count_system": VOTES | {"tmdb": 26_000}},
        ),
    ],
)
def test_what_is_no_number_there_is_replaced_once_and_comes_back_by_an_undo(
    backend: ConvexBackend, stage: Shelf, fields: dict[str, Any], after: dict[str, Any]
) -> None:
    backend.insert("movies", movie(**fields))
    (before,) = backend.dump("movies")
    target = deployment(backend.url)
    stage.put(payload())
    assert counts(push(stage, target)) == {"updated": 1}
    (there,) = backend.dump("movies")
    assert {name: there[name] for name in after} == after
    assert counts(push(stage, target)) == {"unchanged": 1}
    back = workflows.undo(stage, target)
    assert counts(push(stage, target, plan=back)) == {"updated": 1}
    assert {name: backend.dump("movies")[0][name] for name in fields} == {
        name: before[name] for name in fields
    }


@pytest.mark.parametrize("field", ["vote_pts_system", "vote_count_system"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.0])
def test_one_of_a_system_that_nobody_rates_here_stays_and_hinders_nothing(
    bench: Bench, stage: Shelf, field: str, number: float
) -> None:
    bench.plant(movie(**{field: VOTES | {"letterboxd": odd(number)}}))
    assert counts(push(stage.put(payload()), bench.target)) == {"updated": 1}
    (there,) = bench.table("movies")
    assert there[field]["letterboxd"] == odd(number)
    assert there[field]["tmdb"] is not None
    assert counts(push(stage, bench.target)) == {"unchanged": 1}


def test_a_target_with_such_numbers_is_read_without_them(bench: Bench) -> None:
    bench.plant(movie(popularity=NAN, vote_pts_system=VOTES | {"imdb": 8.7, "tmdb": NAN}))
    with pytest.warns(PassedOver, match="2 values of popularity, vote_pts_system"):
        (found,) = movies_of(bench.target).to_dicts()
    assert found["popularity"] is None
    assert (found["vote_pts_system"]["imdb"], found["vote_pts_system"]["tmdb"]) == (8.7, None)
