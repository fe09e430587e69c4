"""Numbers that JSON has no word for, in fields of ours: somebody divided by zero there."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit import workflows

from .bench import SYSTEMS, counts, deployment, movie, payload, push

if TYPE_CHECKING:
    from .backend import ConvexBackend
    from .bench import Shelf


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
