"""A rehearsal on an export is the push: with its deployment's contract, or what can be told."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit import ConvexSnapshot, plan_push
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.validators import exceeded
from tmdbkit.exceptions import TargetRefused, UsageError
from tmdbkit.schema import validator
from tmdbkit.stage.kept import Contracts, KeptContract

from .bench import Shelf, counts, deployment, movie, outcome, own, payload, push, staged

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit.convex.plan import Plan

    from .backend import ConvexBackend, Document

pytestmark = pytest.mark.once

TABLES = ("movies", "crew", "genres")


def export(backend: ConvexBackend, path: Path, *tables: str) -> Path:
    """What `npx convex export` makes of some tables of a deployment."""
    numbers = [{"name": name, "id": 10_001 + place} for place, name in enumerate(tables)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_tables/documents.jsonl", lines(numbers))
        for name in tables:
            archive.writestr(f"{name}/documents.jsonl", lines(backend.dump(name)))
            archive.writestr(f"{name}/generated_schema.jsonl", b'"uniform"\n')
    return path


def lines(rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def told(plan: Plan) -> Any:
    """All that a plan would do, and leave out."""
    changes = [
        (c.tmdb_id, c.kind, own(c.set), c.unset, own(c.before), c.kept, c.reason)
        for c in plan.changes
    ]
    people = {table: plan.rows_of(table) for table in plan.names}
    return changes, people, plan.left_out


def fill(backend: ConvexBackend) -> Shelf:
    """A stage, of which one movie is there, one is there in another state, and one is not."""
    stage = Shelf().put(*(payload(n) for n in (603, 604, 605)))
    with deployment(backend.url) as target:
        push(stage, target, ids=[603, 604])
    backend.patch("movies", 604, tagline="Another one.")
    return stage


@pytest.mark.parametrize("filled", [True, False])
def test_the_plan_on_an_export_is_that_on_its_deployment(
    app_backend: ConvexBackend, tmp_path: Path, filled: bool
) -> None:
    stage = fill(app_backend) if filled else Shelf().put(payload(), payload(604))
    path = export(app_backend, tmp_path / "prod.zip", "crew", "movies")
    with deployment(app_backend.url) as target:
        there = plan_push(stage, target)
    rehearsed = plan_push(stage, ConvexSnapshot(path))
    assert told(rehearsed)[1:] == told(there)[1:]
    assert rehearsed.counts() | {"target": ""} == there.counts() | {"target": ""}
    for here, elsewhere in zip(rehearsed.changes, there.changes, strict=True):
        moving = dict.fromkeys(("created_at", "updated_at"))
        assert here.kind == elsewhere.kind
        assert here.set | moving == elsewhere.set | moving
    first, second, *_ = repr(rehearsed).splitlines()
    assert first.startswith("contract: that of dev tmdbkit-tests at http://127.0.0.1")
    assert second.startswith("target: snapshot")


@pytest.mark.parametrize("filled", [True, False])
def test_after_a_rehearsal_nothing_is_in_it_that_the_deployment_does_not_have(
    app_backend: ConvexBackend, tmp_path: Path, filled: bool
) -> None:
    stage = fill(app_backend) if filled else Shelf().put(payload())
    with deployment(app_backend.url) as target:
        contract = target.contract()
    path = export(app_backend, tmp_path / "prod.zip", "crew", "movies")
    push(stage, ConvexSnapshot(path, contract=contract))
    for file in ("prod.zip", "prod.import.zip"):
        with zipfile.ZipFile(tmp_path / file) as archive:
            tables = {name.partition("/")[0] for name in archive.namelist()}
            rows = archive.read("movies/documents.jsonl").splitlines()
        assert tables == {"_tables", "movies", "crew"}
        for row in rows:
            assert contract.faults(own(json.loads(row))) == []


def kept(name: str, answer: int, *documents: str, day: int = 1) -> KeptContract:
    return KeptContract(name, f"2026-01-0{day}T00:00:00+00:00", {"version": answer}, documents)


@pytest.mark.parametrize(
    ("contracts", "ids", "found"),
    [
        ([], {"a"}, None),
        ([kept("prod", 1, "a", "b"), kept("dev", 2, "c", day=2)], {"b", "z"}, "prod"),
        ([kept("prod", 1, "a", day=2), kept("copy", 2, "a")], {"a"}, "prod"),
        ([kept("prod", 1)], {"a"}, "prod"),
        ([kept("prod", 1), kept("dev", 1, day=2)], set(), "dev"),
        ([kept("prod", 1), kept("dev", 2)], {"a"}, None),
        ([kept("prod", 1, "a"), kept("dev", 2, "b")], set(), None),
    ],
)
def test_an_export_is_known_by_its_documents_or_where_all_say_the_same(
    contracts: list[KeptContract], ids: set[str], found: str | None
) -> None:
    stage = Shelf()
    for contract in contracts:
        Contracts(stage.root).keep(contract.target, contract)
    answer = Contracts(stage.root).of_export(ids)
    assert (answer and answer.target) == found


def test_where_it_may_be_of_either_of_two_that_differ_it_is_inferred(
    backend: ConvexBackend, app_backend: ConvexBackend, tmp_path: Path
) -> None:
    path = export(app_backend, tmp_path / "prod.zip", "crew", "movies")
    stage = Shelf().put(payload())
    for url in (backend.url, app_backend.url):
        with deployment(url) as target:
            plan_push(stage, target)
    assert plan_push(stage, ConvexSnapshot(path)).contract.startswith("not known")


def test_a_stage_keeps_what_each_deployment_said_last(
    app_backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", payload())
    with deployment(app_backend.url) as target:
        for _ in range(2):
            plan_push(stage, target)
        (kept,) = Contracts(stage.store.root).all()
        assert kept.answer == target.query("contract")
    assert not stage.doctor().problems
    assert [file for file in stage.files() if "contracts" in file] == []


def test_a_stage_that_cannot_be_written_to_keeps_none(
    app_backend: ConvexBackend, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "stage", payload())
    (tmp_path / "stage/contracts").write_text("no folder")
    with deployment(app_backend.url) as target:
        assert plan_push(stage, target).counts()["create"] == 1
    assert Contracts(stage.store.root).all() == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"target": 1}', '{"documents": 3}'])
def test_a_file_of_another_hand_is_no_contract(tmp_path: Path, content: str) -> None:
    stage = staged(tmp_path / "stage", payload())
    (tmp_path / "stage/contracts").mkdir()
    (tmp_path / "stage/contracts/x.json").write_text(content)
    assert Contracts(stage.store.root).all() == []


# What can be told without


def snapshot(path: Path, *, numbered: tuple[str, ...] = TABLES, **tables: list[Document]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_tables/documents.jsonl", lines({"name": n, "id": 1} for n in numbered))
        for name, rows in tables.items():
            archive.writestr(f"{name}/documents.jsonl", lines(rows))
    return path


WITHOUT = {name: value for name, value in movie(_id="j1").items() if name != "crew"}


@pytest.mark.parametrize(
    ("numbered", "tables", "left_out"),
    [
        (TABLES, {"movies": [WITHOUT]}, ("movies.crew",)),
        (TABLES, {"movies": [movie(_id="j1")]}, ()),
        (("movies", "crew"), {"movies": [movie(_id="j1")]}, ("genres",)),
        (("movies",), {"movies": [WITHOUT]}, ("movies.crew", "crew", "genres")),
        (("movies", "crew"), {"movies": []}, ("genres",)),
        ((), {"movies": [WITHOUT]}, ("movies.crew",)),
    ],
)
def test_what_no_document_has_is_left_out_and_nothing_is_said_of_an_empty_table(
    tmp_path: Path, numbered: tuple[str, ...], tables: Any, left_out: tuple[str, ...]
) -> None:
    path = snapshot(tmp_path / "prod.zip", numbered=numbered, **tables)
    plan = plan_push(Shelf().put(payload(604)), ConvexSnapshot(path))
    assert plan.left_out == left_out
    assert repr(plan).startswith("contract: not known: inferred from the documents")
    assert ("movies" in plan.contract.partition(" may hold")[0]) == (not tables["movies"])


def test_one_that_began_empty_says_so(tmp_path: Path) -> None:
    plan = plan_push(Shelf().put(payload()), ConvexSnapshot(tmp_path))
    assert repr(plan).startswith("contract: not known, for it began empty")
    assert plan.left_out == ()


def test_an_export_of_an_empty_deployment_stays_one_after_a_rehearsal(tmp_path: Path) -> None:
    path = snapshot(tmp_path / "prod.zip", numbered=("movies", "crew"), movies=[], crew=[])
    push(Shelf().put(payload()), ConvexSnapshot(path))
    push(Shelf().put(payload(604)), ConvexSnapshot(path))
    assert ConvexSnapshot(path).movies()["tmdb_id"].to_list() == [603, 604]
    assert (tmp_path / "prod.import.zip").exists()
    assert not (tmp_path / "prod.movies.jsonl").exists()


# A contract as a file


def test_a_contract_is_saved_as_it_was_told_and_read_again(
    app_backend: ConvexBackend, tmp_path: Path
) -> None:
    with deployment(app_backend.url) as target:
        target.contract().save(tmp_path / "app.json")
        assert json.loads((tmp_path / "app.json").read_text()) == target.query("contract")
    contract = Contract.load(tmp_path / "app.json")
    plan = plan_push(Shelf().put(payload()), ConvexSnapshot(tmp_path, contract=contract))
    assert plan.contract == f"of {tmp_path / 'app.json'}"
    assert plan.left_out == ("movies.crew", "genres")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 9, "tables": {}}', "\x00", "{"])
def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "app.json").write_text(content)
    with pytest.raises(UsageError, match=r"app\.json is no contract; tmdbkit plan --save-contract"):
        Contract.load(tmp_path / "app.json")


def test_so_is_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"app\.json cannot be read: No such file"):
        Contract.load(tmp_path / "app.json")


def test_a_snapshot_has_none_to_save(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a snapshot has no contract itself"):
        ConvexSnapshot(tmp_path).contract().save(tmp_path / "app.json")


def test_a_table_without_its_key_or_that_is_not_there_is_one_line() -> None:
    fields = {n: k for n, k in validator("movies")["value"].items() if n != "tmdb_id"}
    with pytest.raises(TargetRefused, match="the table movies has no field tmdb_id, by which"):
        Contract({"movies": {"type": "object", "value": fields}}).check_kinds("movies", ["title"])
    with pytest.raises(TargetRefused, match=r"the app's schema\.ts has no table movies"):
        Contract.read({"version": 2, "tables": {"movies": None}, "references": []})


# The limits of one document


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"synopsis": "é" * 600_000}, "it has 1.15 MiB, and a document may have 1"),
        ({"cast": list(range(8_193))}, "cast has 8,193 items, and may have 8,192"),
        ({"notes": {"a": [[1] * 9_000]}}, "notes.a[] has 9,000 items, and may have 8,192"),
        ({"notes": nested(16)}, "it is nested more than 16 levels deep"),
        ({"a": ["x" * 100] * 8_000, "b": ["x" * 100] * 8_000}, "it has 1.56 MiB"),
    ],
)
def test_a_document_beyond_the_limits_is_said_to_be(fields: Document, said: str) -> None:
    (found,) = exceeded(movie(603, **fields))
    assert found.startswith(said)


@pytest.mark.parametrize(
    "fields",
    [
        {"synopsis": "é" * 500_000},
        {"cast": list(range(8_192))},
        {"notes": nested(15)},
        {"odd": {"$bytes": "AA"}, "none": None, "yes": True},
    ],
)
def test_one_within_them_is_fine(fields: Document) -> None:
    assert exceeded(movie(603, **fields)) == []


def test_such_a_movie_is_withheld_and_the_others_go(tmp_path: Path) -> None:
    stage = Shelf().put(payload(overview="x" * 2**20), payload(604))
    sent = push(stage, ConvexSnapshot(tmp_path))
    assert counts(sent) == {"withheld": 1, "created": 1}
    assert outcome(sent)[1].startswith("it has 1.00 MiB")
