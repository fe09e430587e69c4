"""A user's own fields on their way: planned, pushed, verified, undone; refused where none fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit import ConvexSnapshot, Stage, plan_push, undo, verify
from tmdbkit.cli.main import main
from tmdbkit.convex.merge import Scope
from tmdbkit.exceptions import TargetRefused

from .backend import HERE, ConvexBackend
from .bench import counts, deployment, payload, push, staged
from .test_kinds import SCHEMA, with_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tmdbkit.convex.target import Target

pytestmark = pytest.mark.once

TOML = '[homepage]\npath = "homepage"\ntype = "string"\n'


def schema_with(folder: Path, **kinds: str) -> Path:
    """Our schema, with fields of an app's own."""
    ours = f'"{HERE.parents[1] / "tmdbkit/convex/functions/schema"}"'
    path = folder / "schema.ts"
    path.write_text(SCHEMA.format(ours=ours, movies=with_fields(**kinds)))
    return path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Two movies, of which one has a homepage, and a number that was computed."""
    made = staged(
        tmp_path / "stage", payload(603, homepage="https://a.b"), payload(604, homepage="")
    )
    (tmp_path / "stage/fields.toml").write_text(TOML)
    made.set_field("score", pl.DataFrame({"tmdb_id": [603, 604], "score": [7, None]}))
    return made


@pytest.fixture(params=["snapshot", "deployment"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "snapshot":
        yield ConvexSnapshot(tmp_path / "snapshot")
        return
    own = schema_with(tmp_path, homepage="v.optional(v.string())", score="v.optional(v.number())")
    with ConvexBackend(own) as backend, deployment(backend.url, backend.key) as opened:
        yield opened


def there(target: Target, tmdb_id: int = 603) -> dict[str, Any]:
    (found,) = target.documents([tmdb_id])
    return found


def test_they_go_with_a_push_are_verified_and_taken_back(stage: Stage, target: Target) -> None:
    planned = plan_push(stage, target)
    assert planned[603].change.set["homepage"] == "https://a.b"
    assert counts(push(stage, target)) == {"created": 2}
    assert (there(target)["homepage"], there(target)["score"]) == ("https://a.b", 7.0)
    assert "score" not in there(target, 604)
    assert counts(push(stage, target)) == {"unchanged": 2}
    stage.set_field("score", pl.DataFrame({"tmdb_id": [603], "score": [8]}))
    assert verify(stage, target).counts()["different"] == 1
    sent = push(stage, target)
    assert counts(sent) == {"updated": 1, "unchanged": 1}
    assert there(target)["score"] == 8.0
    assert counts(push(stage, target, plan=undo(stage, target, sent.push))) == {"updated": 1}
    assert there(target)["score"] == 7.0


def test_alone_they_are_a_backfill_and_what_is_missing_here_stays_there(
    stage: Stage, target: Target
) -> None:
    push(stage, target)
    stage.set_field("score", pl.DataFrame({"tmdb_id": [603], "score": [None]}))
    scope = Scope.of(only=["score"], own=["score"])
    planned = plan_push(stage, target, scope=scope)
    assert planned[603].change.kept == ("score",)
    said = "the stage has no longer score of 1 movie; --clear score erases it there, too"
    assert said in planned.notes
    cleared = Scope.of(only=["score"], clear=["score"], own=["score"])
    assert counts(push(stage, target, scope=cleared)) == {"updated": 1, "unchanged": 1}
    assert "score" not in there(target)
    assert there(target)["homepage"] == "https://a.b"


def test_what_a_deployment_does_not_know_is_left_out_and_said(stage: Stage, tmp_path: Path) -> None:
    known = schema_with(tmp_path, homepage="v.optional(v.string())")
    with ConvexBackend(known) as backend, deployment(backend.url, backend.key) as target:
        assert plan_push(stage, target).left_out == ("movies.score",)
        assert counts(push(stage, target)) == {"created": 2}
        assert "score" not in there(target)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("v.optional(v.number())", r"movies\.homepage is v\.number\(\), which tmdbkit cannot fill"),
        ("v.array(v.string())", r"movies\.homepage is v\.array"),
        ("v.id('movies')", r"movies\.homepage is v\.id"),
    ],
)
def test_what_a_deployment_cannot_take_is_said_before_the_first_write(
    stage: Stage, tmp_path: Path, kind: str, said: str
) -> None:
    with (
        ConvexBackend(schema_with(tmp_path, homepage=kind)) as backend,
        deployment(backend.url, backend.key) as target,
    ):
        for act in (plan_push, push):
            with pytest.raises(TargetRefused, match=said):
                act(stage, target)
        assert backend.dump("movies") == backend.dump("crew") == []


def test_a_terminal_names_them_as_every_other_field(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--stage", str(tmp_path / "stage"), "--snapshot", str(tmp_path / "snapshot")]
    assert main(["push", *where]) == 0
    stage.set_field("score", pl.DataFrame({"tmdb_id": [603, 604], "score": [8, 9]}))
    assert main(["plan", *where, "--only", "score", "--save", str(tmp_path / "plan.json")]) == 0
    assert main(["push", *where, "--plan", str(tmp_path / "plan.json")]) == 0
    assert main(["plan", *where, "--only", "scores"]) == 2
    assert "--only scores: no such field; there are ratings" in capsys.readouterr().err
    assert [row["score"] for row in ConvexSnapshot(tmp_path / "snapshot").table("movies")] == [8, 9]


@pytest.mark.parametrize("text", [None, "[oops"])
def test_a_push_is_taken_back_whatever_became_of_the_file_of_fields(
    stage: Stage, target: Target, tmp_path: Path, text: str | None
) -> None:
    push(stage, target)
    stage.set_field("score", pl.DataFrame({"tmdb_id": [603], "score": [8]}))
    sent = push(stage, target)
    fields = tmp_path / "stage/fields.toml"
    fields.unlink() if text is None else fields.write_text(text)
    again = ConvexSnapshot(target.path) if isinstance(target, ConvexSnapshot) else target
    assert counts(push(stage, again, plan=undo(stage, again, sent.push))) == {"updated": 1}
    assert there(again)["score"] == 7.0
