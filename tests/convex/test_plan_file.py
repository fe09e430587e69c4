"""A saved plan that was cut, edited, or made by another version is refused before anything goes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit.cli.main import main
from tmdbkit.convex.plan import Plan
from tmdbkit.exceptions import UsageError

from .bench import Bench, movie, payload, staged
from .test_plan import plan, push

if TYPE_CHECKING:
    from tmdbkit.convex.target import Document

    from .bench import SnapshotBench

pytestmark = pytest.mark.once

Edit = Callable[[Any], Any]


@pytest.fixture
def saved(snapshot: SnapshotBench, tmp_path: Path) -> Document:
    """A plan that creates movie 1 and changes movie 2, as it is saved."""
    snapshot.plant(movie(2, tagline="Old"))
    stage = staged(tmp_path / "s", payload(1), payload(2))
    plan(stage, snapshot.target).save(Path("plan.json"))
    read: Document = json.loads(Path("plan.json").read_text())
    assert [change["kind"] for change in read["changes"]] == ["create", "update"]
    return read


def top(**parts: Any) -> Edit:
    return lambda plan: plan | parts


def without(name: str) -> Edit:
    return lambda plan: {part: value for part, value in plan.items() if part != name}


def change(place: int = 1, **parts: Any) -> Edit:
    def edit(plan: Any) -> Any:
        plan["changes"][place] |= parts
        return plan

    return edit


def values(**parts: Any) -> Edit:
    def edit(plan: Any) -> Any:
        plan["changes"][1]["set"] |= parts
        return plan

    return edit


def people(*row: Any) -> Edit:
    return top(names={"crew": [list(row)]})


ODD: dict[str, tuple[Edit, str]] = {
    "an empty file": (lambda _: "", "not a plan"),
    "a file cut short": (lambda plan: json.dumps(plan)[:2000], "not a plan"),
    "a list": (lambda _: [], "not a plan"),
    "a number": (lambda _: 7, "not a plan"),
    "depth": (lambda _: "[" * 99_999, "not a plan"),
    "depth inside": (values(mood=json.loads("[" * 900 + "]" * 900)), "nested too deeply"),
    "a number of many digits": (
        lambda plan: json.dumps(plan).replace('"budget": ', '"budget": ' + "9" * 5000, 1),
        "not a plan",
    ),
    "a newer version": (top(plan=2), "of another tmdbkit"),
    "a version as text": (top(plan="1"), "of another tmdbkit"),
    "a version that is true": (top(plan=True), "of another tmdbkit"),
    "a key more": (top(only_if="x"), "only_if is not a field"),
    "a key more in a change": (change(only_if="x"), r"changes\[1\].only_if"),
    "a key less": (without("changes"), "changes is missing"),
    "names less": (without("names"), "names is missing"),
    "a target that is no text": (top(target=5), "target is 5"),
    "undoes that is no text": (top(undoes=7), "undoes is 7"),
    "an identity that is no text": (top(identity=7), "identity is 7"),
    "left_out as text": (top(left_out="abc"), "left_out is 'abc'"),
    "a scope that is a list": (top(scope=[]), r"scope is \[\]"),
    "a field that nobody knows in the scope": (
        top(scope={"only": ["nonsense"], "keep": [], "clear": []}),
        "no such field",
    ),
    "changes as an object": (top(changes={}), "changes is {}"),
    "changes that are numbers": (top(changes=[1]), r"changes\[0\] is 1"),
    "an id as text": (change(tmdb_id="2"), "tmdb_id is '2'"),
    "an id with a fraction": (change(tmdb_id=2.5), "2.5 is no id"),
    "an id below 1": (change(tmdb_id=-1), "-1 is no id"),
    "an id that is too large": (change(tmdb_id=2**70), "wanted a number"),
    "no id": (change(tmdb_id=None), "tmdb_id is None"),
    "another movie's values": (values(tmdb_id=1), "set is of another movie"),
    "a movie twice": (
        lambda plan: plan | {"changes": plan["changes"] * 2},
        "movie 1 is in it twice",
    ),
    "a kind that nobody knows": (change(kind="merge"), "'merge' is no kind"),
    "a kind that is a list": (change(kind=["update"]), "kind is"),
    "a title that is a number": (change(title=1984), "title is 1984"),
    "set as a list": (change(set=["title"]), "set is no object"),
    "before as null": (change(before=None), "before is no object"),
    "unset as text": (change(unset="title"), "unset is 'title'"),
    "withheld of numbers": (change(withheld=[1]), r"withheld\[0\] is 1"),
    "a number as text": (values(runtime_minutes="136"), "runtime_minutes is '136'"),
    "a text as number": (values(tagline=7), "tagline is 7"),
    "NaN": (values(popularity=float("nan")), "a number in it is none"),
    "infinity, deep inside": (values(vote_pts_system={"imdb": float("inf")}), "a number in it"),
    "an id of Convex's": (values(_id="x"), "a field of Convex's own"),
    "a table that nobody knows": (top(names={"people": []}), "a table people"),
    "names as a list": (top(names=[]), "names is no object"),
    "names as text": (top(names={"crew": "abc"}), "names.crew has None"),
    "people cut short": (people(1, 5), r"names.crew has \[1, 5\]"),
    "a person without a name": (people(1, 5, None, "Actor"), "names.crew has"),
    "a person whose id is text": (people(1, "5", "Ann", "Actor"), "names.crew has"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_plan_is_one_line_and_nothing_changes(
    name: str, saved: Document, snapshot: SnapshotBench, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, why = ODD[name]
    edited = edit(copy.deepcopy(saved))
    Path("plan.json").write_text(edited if isinstance(edited, str) else json.dumps(edited))
    before = snapshot.path.read_bytes()
    with pytest.raises(UsageError, match=why):
        Plan.load(Path("plan.json"))
    words = ["push", "--plan", "plan.json", "--stage", "s", "--snapshot", str(snapshot.path)]
    assert main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert snapshot.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"\xff\xfe{\x00", b"\xef\xbb\xbf{}", b"PK\x03\x04"])
def test_a_file_in_another_encoding_is_no_plan(content: bytes) -> None:
    Path("plan.json").write_bytes(content)
    with pytest.raises(UsageError, match="is not a plan of tmdbkit"):
        Plan.load(Path("plan.json"))


def test_what_is_saved_is_read(bench: Bench, tmp_path: Path) -> None:
    bench.plant(
        movie(2, tagline="Old", vote_pts_system={**movie()["vote_pts_system"], "imdb": 8.7})
    )
    stage = staged(tmp_path / "s", payload(1), payload(2, belongs_to_collection=None))
    made = plan(stage, bench.target)
    made.save(tmp_path / "plan.json")
    read = Plan.load(tmp_path / "plan.json")
    assert (read.id, read.counts(), read.changes) == (made.id, made.counts(), made.changes)


def test_a_way_back_brings_back_whatever_was_there(snapshot: SnapshotBench, tmp_path: Path) -> None:
    from tmdbkit import workflows

    snapshot.plant(movie(runtime_minutes="long", tagline=7))
    stage = staged(tmp_path / "s", payload())
    assert push(stage, snapshot.target).updated == 1
    workflows.undo(stage, snapshot.target).save(tmp_path / "back.json")
    assert Plan.load(tmp_path / "back.json").changes[0].set["tagline"] == 7
