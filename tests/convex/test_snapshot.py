"""The embedded target: what its ZIP holds, what it keeps, and what it refuses to open."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit import ConvexSnapshot, delete_movies, demo, plan_push, undo
from tmdbkit.convex import zip_file
from tmdbkit.convex.contract import Contract
from tmdbkit.exceptions import SettingsError, StopError
from tmdbkit.schema import validator

from .bench import counts, movie, outcome, payload, push, staged

if TYPE_CHECKING:
    from pathlib import Path

    from .backend import Document

pytestmark = pytest.mark.once

STORED = bytes(range(256)) * 8
OTHERS = {
    "README.md": b"# Welcome to your Convex snapshot export!\n",
    "_storage/documents.jsonl": b'{"_id":"kg2abc","_creationTime":1700000000000.123}\n',
    "_storage/kg2abc.png": STORED,
    "users/documents.jsonl": b'{"_id":"k57","name":"Ann","big":"9007199254740993"}\n',
    "users/generated_schema.jsonl": b'"uniform"\n',
    "movies/generated_schema.jsonl": b'"uniform"\n',
}
TABLES_THERE = [{"name": "users", "id": 10001}, {"name": "movies", "id": 10007}]
BEGAN_EMPTY = {"snapshot.zip", "movies.jsonl", "crew.jsonl", "genres.jsonl"}
OURS = Contract({name: validator(name) for name in ("movies", "crew", "genres")}, ())
THEIRS = movie(
    _id="jd7abc", _creationTime=1700000000000.125, mood=["dark"], popularity=1.0, stars=5
)


def export(path: Path, *movies: Document, tables: Any = TABLES_THERE, **others: bytes) -> Path:
    """A ZIP as `npx convex export` makes it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_tables/documents.jsonl", lines(tables))
        archive.writestr("movies/documents.jsonl", lines(movies))
        for name, content in (OTHERS | others).items():
            archive.writestr(name, content)
    return path


def lines(rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def rows_of(members: dict[str, bytes], table: str) -> list[Document]:
    return [json.loads(line) for line in members[f"{table}/documents.jsonl"].splitlines()]


# What its ZIP holds


def test_a_new_snapshot_holds_our_tables_and_gives_them_no_numbers(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    push(staged(tmp_path / "stage", payload()), target)
    members = read(tmp_path / "snapshot.zip")
    assert set(members) == {f"{table}/documents.jsonl" for table in ("movies", "crew", "genres")}
    assert len(rows_of(members, "crew")) == 3


def test_numbers_that_no_deployment_gave_are_left_out_of_a_snapshot_that_has_them(
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(tmp_path / "snapshot.zip", "w") as archive:
        invented = lines([{"name": "movies", "id": 10001}, {"name": "crew", "id": 10002}])
        archive.writestr("_tables/documents.jsonl", invented)
        archive.writestr("movies/documents.jsonl", lines([movie(603)]))
    push(staged(tmp_path / "stage", payload(604)), ConvexSnapshot(tmp_path))
    assert "_tables/documents.jsonl" not in read(tmp_path / "snapshot.zip")
    assert ConvexSnapshot(tmp_path).movies()["tmdb_id"].to_list() == [603, 604]


def test_an_empty_snapshot_is_one_too(tmp_path: Path) -> None:
    ConvexSnapshot(tmp_path).flush()
    assert read(tmp_path / "snapshot.zip")["movies/documents.jsonl"] == b""
    assert ConvexSnapshot(tmp_path).table("movies") == []


def test_each_line_is_one_document_in_utf8(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    title = 'S的秘密\u2028\u0085 "\\\n\r\t\U0001f3ac'
    push(staged(tmp_path / "stage", payload(title=title), payload(604)), target)
    text = read(tmp_path / "snapshot.zip")["movies/documents.jsonl"]
    assert text.count(b"\n") == 2
    assert b"\r" not in text
    assert "S的秘密".encode() in text
    assert not text.startswith("\ufeff".encode())
    assert ConvexSnapshot(tmp_path).documents([603])[0]["title"] == title


def test_numbers_are_written_as_convex_writes_them(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    push(staged(tmp_path / "stage", payload()), target)
    text = read(tmp_path / "snapshot.zip")["movies/documents.jsonl"].decode()
    assert '"tmdb_id": 603.0' in text
    assert '"cast": [6384.0]' in text
    assert '"imdb": null' in text


def test_the_whole_sample_is_written_and_read_again(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    result = push(demo.sample(tmp_path / "stage"), target)
    assert counts(result) == {"created": len(demo.sample_payloads()), "withheld": 3}
    again = ConvexSnapshot(tmp_path)
    assert again.table("movies") == target.table("movies")
    assert again.table("crew") == target.table("crew")
    members = read(tmp_path / "snapshot.zip")
    for table in ("movies", "crew", "genres"):
        text = members[f"{table}/documents.jsonl"].decode()
        assert "NaN" not in text
        assert "" not in text.splitlines()
        assert not any(name.startswith("$") for row in rows_of(members, table) for name in row)


def test_nan_is_never_written(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    target.flush()
    target.add_people([{"crew_id": float("nan"), "crew_name": "?", "crew_type": "?"}])
    with pytest.raises(ValueError, match="not JSON compliant"):
        target.flush()
    assert ConvexSnapshot(tmp_path).table("crew") == []


# An export that is opened


def test_what_is_not_ours_stays_byte_for_byte(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    push(staged(tmp_path / "stage", payload(), payload(604)), ConvexSnapshot(path))
    after = read(path)
    assert {name: after[name] for name in OTHERS} == OTHERS


def test_ids_creation_times_and_fields_of_the_apps_own_stay(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    result = push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    assert counts(result) == {"updated": 1}
    (stored,) = rows_of(read(path), "movies")
    kept = ("_id", "_creationTime", "mood", "stars", "created_at")
    assert {name: stored[name] for name in kept} == {name: THEIRS[name] for name in kept}
    assert stored["popularity"] == 83.25


def test_ids_of_people_alone_make_it_an_export_whose_numbers_stay(tmp_path: Path) -> None:
    path = tmp_path / "prod.zip"
    numbered = [{"name": "crew", "id": 10004}]
    person = {"_id": "k57abc", "crew_id": 1, "crew_name": "Ann", "crew_type": "Actor"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_tables/documents.jsonl", lines(numbered))
        archive.writestr("crew/documents.jsonl", lines([person]))
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    assert rows_of(read(path), "_tables") == numbered
    assert rows_of(read(tmp_path / "prod.import.zip"), "_tables") == numbered


@pytest.mark.parametrize("file", ["prod.zip", "prod.import.zip"])
def test_tables_keep_their_numbers_and_new_ones_get_none(tmp_path: Path, file: str) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path, contract=OURS))
    ours = {"prod.zip": TABLES_THERE, "prod.import.zip": TABLES_THERE[1:]}[file]
    members = read(tmp_path / file)
    assert rows_of(members, "_tables") == ours
    assert b'"id": 10007}' in members["_tables/documents.jsonl"]
    assert len(rows_of(members, "crew")) == 3


def test_a_document_without_slug_is_no_hindrance(tmp_path: Path) -> None:
    bare = {"tmdb_id": 1, "title": "?"}
    target = ConvexSnapshot(export(tmp_path / "prod.zip", bare))
    assert counts(push(staged(tmp_path / "stage", payload()), target)) == {"created": 1}


def test_of_rows_that_were_stored_twice_the_first_is_renamed(tmp_path: Path) -> None:
    person = {"crew_id": 6384, "crew_type": "Actor"}
    twice = lines([{**person, "crew_name": "K"}, {**person, "crew_name": "K. R."}]).encode()
    target = ConvexSnapshot(export(tmp_path / "x.zip", **{"crew/documents.jsonl": twice}))
    push(staged(tmp_path / "stage", payload()), target)
    names = [row["crew_name"] for row in target.table("crew") if row["crew_id"] == 6384]
    assert names == ["Keanu Reeves", "K. R."]


def test_blank_lines_that_a_hand_left_are_passed_over(tmp_path: Path) -> None:
    genres = b'\n{"genre_id": 28, "name": "Action"}\r\n\n'
    path = export(tmp_path / "x.zip", **{"genres/documents.jsonl": genres})
    assert ConvexSnapshot(path).table("genres") == [{"genre_id": 28, "name": "Action"}]


# What goes into a deployment


def test_a_zip_that_began_empty_says_that_it_is_for_an_empty_deployment(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    result = push(staged(tmp_path / "stage", payload()), target)
    assert result.advice == target.advice()
    assert "into an empty deployment only" in repr(result)
    assert "into an empty deployment only" in repr(push(staged(tmp_path / "s"), target))


def test_of_an_export_only_our_own_tables_are_imported_and_references_hold(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    target = ConvexSnapshot(path, contract=OURS)
    result = push(staged(tmp_path / "stage", payload(), payload(604)), target)
    imported = tmp_path / "prod.import.zip"
    assert f"npx convex import --replace {imported}   (replaces the tables movies," in repr(result)
    with zipfile.ZipFile(imported) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
        documents = archive.read("movies/documents.jsonl").decode().splitlines()
        numbers = archive.read("_tables/documents.jsonl").decode().splitlines()
    assert names == {"_tables", "movies", "crew", "genres"}
    assert [json.loads(line) for line in numbers] == [{"name": "movies", "id": 10007}]
    ids = {json.loads(line)["tmdb_id"]: json.loads(line).get("_id") for line in documents}
    assert ids == {603: THEIRS["_id"], 604: None}


# Whole or not at all


def test_nothing_is_on_the_disk_before_the_flush(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    target.apply_movies([{"tmdb_id": 603, "create": movie()}])
    assert list(tmp_path.iterdir()) == []
    target.flush()
    assert {path.name for path in tmp_path.iterdir()} == BEGAN_EMPTY


def test_a_flush_that_fails_leaves_what_was_there_and_no_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    before = path.read_bytes()
    target = ConvexSnapshot(path)
    target.apply_movies([{"tmdb_id": 604, "create": movie(604)}])

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zip_file, "_copy", full)
    with pytest.raises(StopError, match=r"prod\.zip cannot be written: No space left on device"):
        target.flush()
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["prod.zip"]


def test_ctrl_c_in_the_middle_of_a_flush_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    before = path.read_bytes()

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zip_file, "_copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ConvexSnapshot(path).flush()
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["prod.zip"]


def test_a_folder_that_cannot_be_written_to_is_found_out_before_the_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    stage = staged(tmp_path / "stage", payload())
    with pytest.raises(SettingsError, match="cannot be written to"):
        push(stage, ConvexSnapshot(tmp_path / "x.zip"))
    assert stage.imports().is_empty()


def test_an_empty_one_does_not_advise_to_import_it(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    assert push(staged(tmp_path / "stage", payload()), target).advice
    assert push(staged(tmp_path / "s"), ConvexSnapshot(tmp_path / "empty")).advice == ()


def test_where_a_push_wrote_nothing_no_import_is_advised(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    target = ConvexSnapshot(path)
    assert push(staged(tmp_path / "stage"), target, ids=[604]).advice == ()
    assert push(staged(tmp_path / "stage", payload()), target).advice


def test_an_import_of_an_earlier_export_is_not_advised(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    export(path, THEIRS, movie(604))  # somebody wrote it meanwhile, and an import would wipe it
    assert push(staged(tmp_path / "s"), ConvexSnapshot(path), ids=[1]).advice == ()


@pytest.mark.parametrize("file", ["prod.zip", "snapshot.zip"])
def test_a_copy_of_a_rehearsal_advises_no_file_that_is_not_there(tmp_path: Path, file: str) -> None:
    stage = staged(tmp_path / "stage", payload())
    path = tmp_path / file if file == "snapshot.zip" else export(tmp_path / file, THEIRS)
    assert push(stage, ConvexSnapshot(path)).advice
    copy = path.rename(tmp_path / "copy.zip")
    assert push(stage, ConvexSnapshot(copy)).advice == ()


def test_the_advice_counts_the_tables(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", {"_id": "jd7abc", "tmdb_id": 603, "title": "Matrix"})
    (advice,) = push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path)).advice
    assert "replaces the table movies, and no other" in advice


def test_a_deletion_is_written_too(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS, movie(604))
    assert delete_movies(staged(tmp_path / "s"), ConvexSnapshot(path), [603]).deleted == 1
    assert [row["tmdb_id"] for row in ConvexSnapshot(path).table("movies")] == [604]


# Where it is


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("there", "there/snapshot.zip"),
        ("not/there/yet", "not/there/yet/snapshot.zip"),
        ("prod.zip", "prod.zip"),
        ("not/there/PROD.ZIP", "not/there/PROD.ZIP"),
    ],
)
def test_a_folder_or_a_zip_says_where_it_is(tmp_path: Path, given: str, file: str) -> None:
    (tmp_path / "there").mkdir()
    target = ConvexSnapshot(tmp_path / given)
    push(staged(tmp_path / "stage", payload()), target)
    assert (tmp_path / file).is_file()


def test_it_names_itself(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    target = ConvexSnapshot(path)
    assert str(target.title) == f"snapshot at {path}"
    assert repr(target) == f"ConvexSnapshot({path}: 1 movies, 0 crew, 0 genres)"
    assert "prod.zip" in target._repr_html_()


def test_it_accepts_what_our_schema_accepts(tmp_path: Path) -> None:
    assert ConvexSnapshot(tmp_path).contract().tables == {
        table: validator(table) for table in ("movies", "crew", "genres")
    }


# What cannot be opened is said in one line


def damaged(path: Path) -> None:
    """A ZIP whose compressed data someone wrote over."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("movies/documents.jsonl", lines([movie()]))
    content = bytearray(path.read_bytes())
    content[60:90] = b"\xff" * 30
    path.write_bytes(content)


def locked(path: Path) -> None:
    """A ZIP that says that it wants a password."""
    export(path)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 8
    content[at] |= 1
    path.write_bytes(content)


def with_movies(text: str) -> Any:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("movies/documents.jsonl", text)

    return write


def of_something_else(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday/beach.jpg", STORED)


UNREADABLE = {
    "text": lambda path: path.write_text("not a ZIP"),
    "nothing": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(export(path).read_bytes()[:200]),
    "damaged": damaged,
    "locked": locked,
    "a folder": lambda path: path.mkdir(),
    "of something else": of_something_else,
    "not JSON": with_movies("{oops\n"),
    "not objects": with_movies("[1]\n"),
    "without ids": with_movies('{"title": "?"}\n'),
    "with another kind of id": with_movies('{"tmdb_id": null}\n'),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_said_in_one_line_and_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / "prod.zip"
    UNREADABLE[name](path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(SettingsError) as caught:
        ConvexSnapshot(path)
    assert str(caught.value) == f"{path} cannot be read as a snapshot of Convex"
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_file_that_is_no_zip_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(SettingsError, match=r"notes\.txt is a file; --snapshot takes a folder"):
        ConvexSnapshot(tmp_path / "notes.txt")


def test_a_folder_that_cannot_be_made_is_said_before_the_push(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = ConvexSnapshot(tmp_path / "file/deep/x.zip")
    with pytest.raises(SettingsError, match="deep cannot be made: Not a directory"):
        push(staged(tmp_path / "stage", payload()), target)


# Pages


def test_pages_hold_every_document_once(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    target.add_genres([{"genre_id": n, "name": str(n)} for n in range(5)])
    first = target.page("genres", None, 3)
    second = target.page("genres", first.cursor, 3)
    found = [row["genre_id"] for row in (*first.documents, *second.documents)]
    assert (found, first.done, second.done) == ([0, 1, 2, 3, 4], False, True)


def test_what_is_read_is_a_copy(tmp_path: Path) -> None:
    target = ConvexSnapshot(export(tmp_path / "prod.zip", THEIRS))
    target.documents([603])[0].clear()
    target.page("movies", None, 1).documents[0].clear()
    assert target.table("movies")[0]["title"] == "The Matrix"


def test_a_rehearsal_on_an_export_tells_what_the_push_would_come_to(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS, movie(604), movie(605), movie(605))
    stage = staged(tmp_path / "stage", *(payload(n) for n in (603, 604, 605, 606)))
    result = push(stage, ConvexSnapshot(path))
    assert counts(result) == {"updated": 1, "unchanged": 1, "withheld": 1, "created": 1}
    assert outcome(result, 605)[0] == "withheld"


def test_an_export_that_a_rehearsal_changes_stays_beside_it_as_it_came(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    before = path.read_bytes()
    for tmdb_id in (604, 605):
        target = ConvexSnapshot(path)
        target.apply_movies([{"tmdb_id": tmdb_id, "create": movie(tmdb_id)}])
        target.flush()
    assert (tmp_path / "prod.export.zip").read_bytes() == before
    assert path.read_bytes() != before


def test_an_export_that_comes_later_to_the_same_place_is_kept_too(tmp_path: Path) -> None:
    came: list[bytes] = []
    for tmdb_id in (604, 605, 606):
        path = export(tmp_path / "prod.zip", THEIRS, movie(tmdb_id))
        came.append(path.read_bytes())
        for _ in range(2):
            target = ConvexSnapshot(path)
            target.apply_movies([{"tmdb_id": 1, "create": movie(1)}])
            target.flush()
    names = ("prod.export.zip", "prod.export-2.zip", "prod.export-3.zip")
    assert [(tmp_path / name).read_bytes() for name in names] == came


def test_a_snapshot_that_began_empty_has_its_tables_alone_beside_it(tmp_path: Path) -> None:
    for tmdb_id in (604, 605):
        target = ConvexSnapshot(tmp_path)
        target.apply_movies([{"tmdb_id": tmdb_id, "create": movie(tmdb_id)}])
        target.flush()
    assert {path.name for path in tmp_path.iterdir()} == BEGAN_EMPTY


# What goes in comes out

OWN = {
    "views": 12345,
    "share": 0.5,
    "far": 9007199254740993,
    "zero": -0.0,
    "poster": {"$bytes": "AAEC"},
    "odd": {"$float": "AAAAAAAA+H8="},
    "big": {"$integer": "AQAAAAAAAAA="},
}


def test_fields_of_the_apps_own_keep_the_kind_of_their_numbers(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", {**THEIRS, **OWN}, movie(604, **OWN))
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    for file in ("prod.zip", "prod.import.zip"):
        for stored in rows_of(read(tmp_path / file), "movies"):
            found = {name: stored[name] for name in OWN}
            assert json.dumps(found) == json.dumps(OWN)


def test_so_they_do_where_a_deletion_is_taken_back(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", {**THEIRS, **OWN})
    stage, target = staged(tmp_path / "stage", payload()), ConvexSnapshot(path)
    assert delete_movies(stage, target, [603]).deleted == 1
    assert counts(push(stage, target, plan=undo(stage, target))) == {"created": 1}
    (stored,) = rows_of(read(path), "movies")
    assert json.dumps({name: stored[name] for name in OWN}) == json.dumps(OWN)


def test_what_we_set_is_a_float_whatever_the_types_beside_it_say(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", {**THEIRS, "runtime_minutes": 0.0})
    push(staged(tmp_path / "stage", payload(), payload(604)), ConvexSnapshot(path))
    updated, created = read(path)["movies/documents.jsonl"].decode().splitlines()
    assert '"runtime_minutes": 136.0' in updated
    assert '"tmdb_id": 604.0' in created
    assert '"stars": 5}' in updated


def test_the_types_of_our_tables_are_in_what_is_imported(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    imported = read(tmp_path / "prod.import.zip")
    assert imported["movies/generated_schema.jsonl"] == OTHERS["movies/generated_schema.jsonl"]
    assert "users/generated_schema.jsonl" not in imported


def test_files_are_copied_as_they_are_compressed_and_never_decompressed(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_storage/broken.png", STORED)
    whole = path.read_bytes()
    deflated = zlib.compressobj(wbits=-15)
    packed = deflated.compress(STORED) + deflated.flush()
    assert packed in whole
    path.write_bytes(whole.replace(packed, bytes(len(packed))))
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("_storage/broken.png")
        assert (member.compress_size, member.file_size) == (len(packed), len(STORED))
        with pytest.raises((zipfile.BadZipFile, zlib.error)):
            archive.read(member)
    assert len(path.read_bytes()) < 2 * len(whole)


def test_members_with_sizes_behind_them_and_of_other_methods_are_copied(tmp_path: Path) -> None:
    path = export(tmp_path / "prod.zip", THEIRS)
    pipe = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(pipe, "a") as archive:
        archive.writestr("_storage/b.bin", STORED, zipfile.ZIP_BZIP2)
        archive.writestr("_storage/ü.bin", STORED, zipfile.ZIP_LZMA)
        with archive.open("_storage/stream.bin", "w", force_zip64=True) as stream:
            stream.write(STORED)
    path.write_bytes(pipe.getvalue())
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    after = read(path)
    assert {after[f"_storage/{name}.bin"] for name in ("b", "ü", "stream")} == {STORED}


def test_an_export_has_no_table_afterwards_that_its_deployment_does_not_name(
    tmp_path: Path,
) -> None:
    path = export(tmp_path / "prod.zip", {n: v for n, v in THEIRS.items() if n != "crew"})
    plan = plan_push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    assert plan.left_out == ("movies.crew", "crew", "genres")
    push(staged(tmp_path / "stage", payload()), ConvexSnapshot(path))
    for file in ("prod.zip", "prod.import.zip"):
        assert {"crew", "genres"}.isdisjoint(
            name.partition("/")[0] for name in read(tmp_path / file)
        )
    assert all("crew" not in row for row in rows_of(read(path), "movies"))


# A first fill


def test_one_that_began_empty_gives_each_table_as_lines(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path)
    result = push(staged(tmp_path / "stage", payload(), payload(604)), target)
    for table in ("movies", "crew", "genres"):
        written = (tmp_path / f"{table}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in written]
        assert rows == [{n: v for n, v in r.items() if n != "crew"} for r in target.table(table)]
        assert f"npx convex import --table {table} {tmp_path / table}.jsonl" in repr(result)


def test_where_the_contract_is_known_the_lines_have_what_it_knows(tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path, contract=OURS)
    push(staged(tmp_path / "stage", payload()), target)
    (row,) = (tmp_path / "movies.jsonl").read_text().splitlines()
    assert "crew" in json.loads(row)


def test_a_persons_own_file_is_not_written_over(tmp_path: Path) -> None:
    mine = tmp_path / "movies.jsonl"
    mine.write_text("mine")
    with pytest.raises(SettingsError, match=r"movies\.jsonl is there, and a new snapshot would"):
        push(staged(tmp_path / "stage", payload()), ConvexSnapshot(tmp_path))
    assert mine.read_text() == "mine"
    assert not (tmp_path / "snapshot.zip").exists()


# An app that was there before has a schema of its own.
LOOSER = {
    "fields less": {"_id": "jd7abc", "tmdb_id": 603, "title": "Matrix, The", "slug": "my-matrix"},
    "no ratings": {**THEIRS, "vote_pts_system": None},
    "a text for a number": {**THEIRS, "runtime_minutes": "136 min"},
    "a number for a text": {**THEIRS, "release_date": 1999},
    "null": {**THEIRS, "tagline": None},
    "a text for a list": {**THEIRS, "genres": "Action"},
}


@pytest.mark.parametrize("theirs", LOOSER.values(), ids=LOOSER)
def test_a_push_over_a_document_of_a_looser_schema_is_taken_back(
    tmp_path: Path, theirs: Document
) -> None:
    path = export(tmp_path / "prod.zip", theirs)
    stage = staged(tmp_path / "stage", payload())
    assert counts(push(stage, ConvexSnapshot(path))) == {"updated": 1}
    taking_back = undo(stage, ConvexSnapshot(path))
    assert counts(push(stage, ConvexSnapshot(path), plan=taking_back)) == {"updated": 1}
    assert rows_of(read(path), "movies") == [theirs]


@pytest.mark.parametrize("theirs", LOOSER.values(), ids=LOOSER)
def test_a_deletion_of_a_document_of_a_looser_schema_is_taken_back(
    tmp_path: Path, theirs: Document
) -> None:
    path = export(tmp_path / "prod.zip", theirs)
    stage = staged(tmp_path / "stage", payload())
    assert counts(delete_movies(stage, ConvexSnapshot(path), [603])) == {"deleted": 1}
    taking_back = undo(stage, ConvexSnapshot(path))
    assert counts(push(stage, ConvexSnapshot(path), plan=taking_back)) == {"created": 1}
    back = {name: value for name, value in theirs.items() if not name.startswith("_")}
    assert rows_of(read(path), "movies") == [back]
