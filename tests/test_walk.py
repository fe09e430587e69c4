"""A push read from top to bottom: whoever follows it comes back up only for what it draws from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .walk import changes, climbs, of_a_push

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

# Plans are made one ahead of those that are sent: each of these asks a generator for the next.
DRAWN_FROM = {
    ("executors", "workflows.pushing"),
    ("executors", "convex.importer"),
    ("convex.importer", "workflows.run"),
}


def test_a_push_climbs_only_to_draw_its_next_plan(tmp_path: Path) -> None:
    found = of_a_push(tmp_path)
    assert ("workflows.pushing", "workflows.run") in found
    assert ("workflows.run", "convex.importer") in found
    assert set(climbs(found)) <= DRAWN_FROM


def test_a_change_of_module_is_counted_once_and_one_upwards_is_a_climb() -> None:
    from tmdbkit.convex.changes import image_form
    from tmdbkit.images import ImageForm

    found = changes(lambda: [image_form([], ImageForm()) for _ in range(2)])
    assert found == [("convex.changes", "images")]
    assert climbs([("images", "convex.changes"), *found]) == [("images", "convex.changes")]
