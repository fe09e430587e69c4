"""Deletions: planned with what goes, compared, logged whole, undone; what is pointed at is left."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit import ConvexSnapshot, delete_movies, plan_push, undo
from tmdbkit.convex.plan import Plan
from tmdbkit.exceptions import StageError, TargetRefused, UsageError
from tmdbkit.progress import Silent
from tmdbkit.workflows import absent_from_stage, plan_deletion

from .bench import Bench, SnapshotBench, counts, deployment, movie, own, payload, push, staged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.convex import ConvexProxy
    from tmdbkit import Stage
    from tmdbkit.convex.results import DeleteResult

    from .backend import ConvexBackend, Document

pytestmark = pytest.mark.once

# Of the app's own: an Int64, bytes, what is no number, a letter that ends lines.
THEIRS: Document = {
    "views": {"$integer": "AQAAAAAAAIA="},
    "thumbnail": {"$bytes": "/wD+"},
    "score": {"$float": "AAAAAAAA+H8="},
    "mood": ["dark", "\u2028"],
}


@pytest.fixture
def log(tmp_path: Path) -> Stage:
    """A stage without movies, whose import log keeps what is changed."""
    return staged(tmp_path / "stage")


def delete(log: Stage, target: Any, *ids: int, **options: Any) -> DeleteResult:
    return delete_movies(log, target, ids, progress=Silent(), **options)


def taken_back(log: Stage, target: Any, **options: Any) -> dict[str, int]:
    return counts(push(log, target, plan=undo(log, target, **options)))


# What goes


def test_deleting_takes_away_what_is_there_and_says_what_is_not(bench: Bench, log: Stage) -> None:
    bench.plant(movie(1), movie(2), movie(3))
    result = delete(log, bench.target, 1, 3, 9)
    assert (result.deleted, result.absent) == (2, 1)
    assert [row["tmdb_id"] for row in bench.table("movies")] == [2]
    assert result.outcomes.select("tmdb_id", "outcome").rows() == [
        (1, "deleted"),
        (3, "deleted"),
        (9, "unchanged"),
    ]


def test_its_counts_are_those_of_a_deletion(bench: Bench, log: Stage) -> None:
    bench.plant(movie(1))
    names = "target push deleted absent withheld conflicts failed unknown batches"
    assert [*delete(log, bench.target, 1).counts()] == names.split()


def test_of_several_documents_of_one_movie_none_is_chosen(bench: Bench, log: Stage) -> None:
    bench.plant(movie(3), movie(3))
    result = delete(log, bench.target, 3)
    assert (result.deleted, result.pushed.withheld) == (0, 1)
    assert "has 2 documents with this tmdb_id; delete all but one" in repr(result)
    assert len(bench.table("movies")) == 2


def test_the_plan_tells_every_value_that_goes(bench: Bench, log: Stage) -> None:
    bench.plant(movie(603, mood=["dark"]))
    plan = plan_deletion(log, bench.target, [603])
    assert 'mood: ["dark"] → nothing' in repr(plan[603])
    old = dict(plan.fields().select("field", "old").rows())
    assert old.keys() == movie(603).keys()
    assert (old["title"], old["mood"]) == ('"The Matrix"', '["dark"]')
    assert len(bench.table("movies")) == 1


def test_what_someone_edits_after_the_look_is_a_conflict_and_left(bench: Bench, log: Stage) -> None:
    bench.plant(movie(1), movie(2))
    plan = plan_deletion(log, bench.target, [1, 2])
    bench.change(1, mood=["theirs"])
    result = push(log, bench.target, plan=plan)
    assert counts(result) == {"deleted": 1, "conflicts": 1}
    assert result.anew is None
    assert [row["mood"] for row in bench.table("movies")] == [["theirs"]]


def test_a_plan_of_it_is_saved_and_sent_as_it_is(bench: Bench, log: Stage, tmp_path: Path) -> None:
    bench.plant(movie(1))
    plan_deletion(log, bench.target, [1]).save(tmp_path / "plan.json")
    saved = Plan.load(tmp_path / "plan.json")
    assert "ids do not come back" in repr(saved)
    assert counts(push(log, bench.target, plan=saved)) == {"deleted": 1}


def test_no_id_is_asked_about_where_one_is_none(proxy: ConvexProxy, log: Stage) -> None:
    with pytest.raises(UsageError, match="'603' is not a TMDB id"):
        delete_movies(log, deployment(proxy.url), [1, "603"])  # type: ignore[list-item]
    assert proxy.calls == []


def test_one_whose_answer_is_lost_is_counted_as_one(
    proxy: ConvexProxy, backend: ConvexBackend, log: Stage
) -> None:
    backend.insert("movies", movie())
    proxy.script("applyMovies", "lost")
    assert delete(log, deployment(proxy.url), 603).deleted == 1
    assert [call.met for call in proxy.called("applyMovies")] == ["lost", "ok"]


def test_an_app_that_needs_what_we_do_not_have_can_be_deleted_from(
    bench: Bench, log: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.plant(movie(1))
    contract = bench.target.contract()
    needs = {"rank": {"fieldType": {"type": "number"}, "optional": False}}
    contract.tables["movies"]["value"].update(needs)
    monkeypatch.setattr(type(bench.target), "contract", lambda _: contract)
    assert delete(log, bench.target, 1).deleted == 1


def test_a_saved_plan_of_creations_is_refused_there_before_anything_is_sent(
    bench: Bench, log: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(log.store.root.folder, payload(1))
    plan = plan_push(stage, bench.target, progress=Silent())
    contract = bench.target.contract()
    needs = {"rank": {"fieldType": {"type": "number"}, "optional": False}}
    contract.tables["movies"]["value"].update(needs)
    monkeypatch.setattr(type(bench.target), "contract", lambda _: contract)
    with pytest.raises(TargetRefused, match="the table movies needs rank"):
        push(stage, bench.target, plan=plan)
    assert bench.table("movies") == bench.table("crew") == []


# The way back


def test_it_is_undone_like_any_other_change(bench: Bench, log: Stage) -> None:
    bench.plant(movie(1, mood=["dark"]), movie(2), movie(3))
    before = bench.table("movies")
    delete(log, bench.target, 1, 3)
    assert taken_back(log, bench.target) == {"created": 2}
    assert sorted(bench.table("movies"), key=lambda row: row["tmdb_id"]) == before


def test_what_comes_back_is_equal_whatever_the_app_keeps_in_it(
    watched: ConvexBackend, log: Stage
) -> None:
    watched.insert("movies", movie(1, **THEIRS))
    before = watched.dump("movies")
    target = deployment(watched.url)
    assert delete(log, target, 1).deleted == 1
    assert taken_back(log, target) == {"created": 1}
    assert list(map(own, watched.dump("movies"))) == list(map(own, before))


def test_a_push_leaves_alone_what_plain_json_has_no_room_for(
    watched: ConvexBackend, log: Stage
) -> None:
    watched.insert("movies", movie(1, **THEIRS, tagline="Old"))
    push(staged(log.store.root.folder, payload(1)), deployment(watched.url))
    (there,) = watched.dump("movies")
    assert there["tagline"] == "Welcome to the Real World."
    assert {name: there[name] for name in THEIRS} == THEIRS


def test_what_an_export_knows_and_we_do_not_comes_back_too(tmp_path: Path, log: Stage) -> None:
    bench = SnapshotBench(tmp_path)
    bench.plant(movie(1, rank=7, votes_of_friends=[{"by": "Ann"}]))
    before = bench.table("movies")
    delete(log, bench.target, 1)
    assert taken_back(log, bench.target) == {"created": 1}
    assert bench.table("movies") == before


def test_someone_who_created_it_again_meanwhile_is_a_conflict(bench: Bench, log: Stage) -> None:
    bench.plant(movie(1))
    delete(log, bench.target, 1)
    bench.target.apply_movies([{"tmdb_id": 1, "create": movie(1, tagline="Theirs")}])
    assert taken_back(log, bench.target) == {"conflicts": 1}
    assert bench.movie(1)["tagline"] == "Theirs"


def test_a_deletion_taken_back_does_not_hide_the_push_before(bench: Bench, log: Stage) -> None:
    stage = staged(log.store.root.folder, payload(1))
    push(stage, bench.target)
    delete(stage, bench.target, 1)
    assert taken_back(stage, bench.target) == {"created": 1}
    assert taken_back(stage, bench.target) == {"deleted": 1}
    assert bench.table("movies") == []


def test_what_was_deleted_is_not_absent_from_the_stage(bench: Bench, log: Stage) -> None:
    stage = staged(log.store.root.folder, payload(1), payload(2))
    push(stage, bench.target)
    stage.drop([1, 2])
    assert absent_from_stage(stage, bench.target) == [1, 2]
    delete(stage, bench.target, 1)
    assert absent_from_stage(stage, bench.target) == [2]


def test_without_a_log_to_write_to_nothing_is_deleted(bench: Bench, log: Stage) -> None:
    bench.plant(movie(1))
    (log.store.root.folder / "imports").touch()  # not even root writes into that
    with pytest.raises(StageError, match="cannot be read"):
        delete(log, bench.target, 1)
    assert len(bench.table("movies")) == 1


# What points at a movie


def points(backend: ConvexBackend) -> None:
    """Let movie 1 be on a watchlist, 2 be reviewed, 3 be the sequel of 4, and 5 be in a list."""
    one, two, three, five = backend.insert("movies", movie(1), movie(2), movie(3), movie(5))
    backend.insert("movies", movie(4, sequel=three))
    backend.insert("watchlist", {"user": "Ann", "movie": one}, {"user": "Bo", "movie": one})
    backend.insert("reviews", {"about": {"movie": two, "stars": 5}})
    backend.insert("lists", {"name": "Best", "movies": [five]})


def test_what_is_pointed_at_is_left_alone_and_the_plan_says_from_where(
    watched: ConvexBackend, log: Stage
) -> None:
    points(watched)
    plan = plan_deletion(log, deployment(watched.url), [1, 2, 3, 4, 5])
    assert {change.tmdb_id: change.kind for change in plan.changes} == {
        **dict.fromkeys((1, 2, 3), "withheld"),
        **dict.fromkeys((4, 5), "delete"),
    }
    said = repr(plan)
    assert "pointed at from 2 documents by watchlist.movie; --referenced deletes it" in said
    assert "1 document by reviews.about.movie" in said
    assert "1 document by movies.sequel" in said
    assert "lists.movies[] may point at them: not counted, no index leads there" in said
    assert "ids do not come back" in said


def test_it_goes_where_that_is_meant(watched: ConvexBackend, log: Stage) -> None:
    points(watched)
    target = deployment(watched.url)
    assert delete(log, target, 1, 2).pushed.withheld == 2
    assert delete(log, target, 1, 2, referenced=True).deleted == 2


def test_more_than_are_counted_are_said_to_be_more(watched: ConvexBackend, log: Stage) -> None:
    (one,) = watched.insert("movies", movie(1))
    watched.insert("watchlist", *({"user": str(n), "movie": one} for n in range(130)))
    plan = plan_deletion(log, deployment(watched.url), [1])
    assert "pointed at from 100 documents or more by watchlist.movie" in plan[1].change.reason


def test_an_undo_of_creations_leaves_alone_what_is_pointed_at_by_now(
    watched: ConvexBackend, log: Stage
) -> None:
    stage, target = staged(log.store.root.folder, payload(1), payload(2)), deployment(watched.url)
    pushed = push(stage, target)
    ids = {row["tmdb_id"]: row["_id"] for row in watched.dump("movies")}
    watched.insert("watchlist", {"user": "Ann", "movie": ids[1]})
    assert taken_back(stage, target) == {"deleted": 1, "withheld": 1}
    with pytest.raises(UsageError, match="are taken back already, but for what"):
        undo(stage, target)
    assert taken_back(stage, target, push_id=pushed.push, referenced=True) == {"deleted": 1}
    assert watched.dump("movies") == []


def test_what_holds_its_id_in_an_export_points_at_it(tmp_path: Path, log: Stage) -> None:
    id_of = {n: f"j57{n:029d}" for n in (1, 2, 3)}
    rows = {
        "movies": [movie(n, _id=id_of[n], _creationTime=n) for n in id_of],
        "lists": [{"_id": "k1", "of": {"movies": [id_of[2], "x"]}}, {"_id": "k2", "of": {}}],
        "notes": [{"_id": "n1", "movie": id_of[2], "text": f"not {id_of[3]} in a sentence"}],
    }
    with zipfile.ZipFile(tmp_path / "prod.zip", "w") as archive:
        for table, documents in rows.items():
            archive.writestr(f"{table}/documents.jsonl", "\n".join(map(json.dumps, documents)))
    plan = plan_deletion(log, ConvexSnapshot(tmp_path / "prod.zip"), [1, 2, 3])
    assert [change.kind for change in plan.changes] == ["delete", "withheld", "delete"]
    assert "1 document by lists.of.movies[], 1 document by notes.movie" in plan[2].change.reason


def test_a_deployment_with_the_functions_of_before_is_deleted_from_and_that_is_said(
    proxy: ConvexProxy, backend: ConvexBackend, log: Stage
) -> None:
    backend.insert("movies", movie(1))

    def older(run: Any) -> Any:
        answer = run()
        value = json.loads(answer.body)
        value["value"]["version"] = 1.0
        del value["value"]["references"]
        answer.body = json.dumps(value).encode()
        return answer

    proxy.script("contract", older, older)
    plan = plan_deletion(log, deployment(proxy.url), [1])
    assert "functions there are older, and do not tell what points at movies" in repr(plan)
    assert proxy.called("pointingAt") == []
    assert counts(push(log, deployment(proxy.url), plan=plan)) == {"deleted": 1}
