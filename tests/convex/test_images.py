"""The form of images: said at the first plan, converted where that is asked, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tmdbkit import plan_push, undo
from tmdbkit.exceptions import UsageError

from .bench import counts, payload, push

if TYPE_CHECKING:
    from .bench import Bench, Shelf

pytestmark = pytest.mark.once

FILMS = range(1, 61)


def films(stage: Shelf) -> Shelf:
    """Sixty films with a poster; every third has a backdrop as well."""
    return stage.put(
        *(
            payload(n, poster_path=f"/p{n}.jpg", backdrop_path=f"/b{n}.jpg" if n % 3 == 0 else None)
            for n in FILMS
        )
    )


def images(bench: Bench) -> list[tuple[object, object]]:
    found = sorted(bench.table("movies"), key=lambda row: row["tmdb_id"])
    return [(row.get("main_poster"), row.get("main_backdrop")) for row in found]


def test_sixty_films_get_bare_paths_and_their_addresses_back(bench: Bench, stage: Shelf) -> None:
    films(stage)
    push(stage, bench.target)
    before = images(bench)
    plan = plan_push(stage, bench.target, images="path")
    assert plan.counts()["images"] == 80
    assert "images: main_backdrop: 20 to path, main_poster: 60 to path" in repr(plan)
    assert counts(push(stage, bench.target, images="path")) == {"updated": 60}
    assert images(bench)[2] == ("/p3.jpg", "/b3.jpg")
    assert counts(push(stage, bench.target)) == {"unchanged": 60}
    assert counts(push(stage, bench.target, plan=undo(stage, bench.target))) == {"updated": 60}
    assert images(bench) == before
    assert before[0] == ("https://image.tmdb.org/t/p/w500/p1.jpg", None)


def test_movies_that_are_not_in_the_plan_are_counted(bench: Bench, stage: Shelf) -> None:
    push(films(stage), bench.target)
    plan = plan_push(stage, bench.target, range(1, 51), images="path")
    assert "10 movies there, not in this plan, keep images of the form url" in repr(plan)
    push(stage, bench.target, plan=plan)
    plan = plan_push(stage, bench.target, images="path")
    assert "keep images" not in repr(plan)
    assert (plan.counts()["update"], plan.counts()["unchanged"]) == (10, 50)


@pytest.mark.parametrize(
    ("form", "said"),
    [("url", "set as addresses; --images path"), ("path", "set as bare paths; --images url")],
)
def test_the_first_plan_says_the_form_and_how_to_get_the_other(
    bench: Bench, stage: Shelf, form: str, said: str
) -> None:
    stage.settings = stage.settings.__class__(images=form)
    films(stage)
    assert said in repr(plan_push(stage, bench.target))
    assert said in repr(push(stage, bench.target, ids=[1], images=None))
    assert said not in repr(plan_push(stage, bench.target))


@pytest.mark.parametrize("options", [{"images": "url"}, {"images": "path"}])
def test_nothing_is_said_where_it_was_asked_for(
    bench: Bench, stage: Shelf, options: dict[str, str]
) -> None:
    assert "--images" not in repr(plan_push(films(stage), bench.target, **options))


@pytest.mark.parametrize("form", ["urls", "", "PATH", "w500"])
def test_there_are_two_forms(bench: Bench, stage: Shelf, form: str) -> None:
    with pytest.raises(UsageError, match="it must be one of url, path"):
        plan_push(films(stage), bench.target, images=form)


def test_a_plan_has_its_form_already(bench: Bench, stage: Shelf) -> None:
    plan = plan_push(films(stage), bench.target)
    with pytest.raises(UsageError, match="leave out ids, approved, limit, images"):
        push(stage, bench.target, plan=plan, images="path")
