"""The embedded target: a local snapshot, and the ZIP of it that `npx convex import` takes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
import zlib
from collections import defaultdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmdbkit import schema
from tmdbkit.convex.contract import FUNCTIONS, Contract
from tmdbkit.convex.reading import movies_of
from tmdbkit.convex.target import Page, TargetName
from tmdbkit.display import draw_facts
from tmdbkit.exceptions import RequestRefused, SettingsError, StopError
from tmdbkit.files import atomic_write, make_folder
from tmdbkit.schema import OPTIONAL
from tmdbkit.surrogates import loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from tmdbkit.convex.target import Document

TABLES = ("movies", "crew", "genres")
ZIP_NAME = "snapshot.zip"


class ConvexSnapshot:
    """A deployment's tables in one ZIP: no account, no network, no Node.

    It obeys the rules of the functions in `tmdbkit.ts`. What is written is kept in memory until
    `flush`, which replaces the file whole or not at all.

    Args:
        path: A ZIP, or a folder that has, or gets, a `snapshot.zip`.
    """

    def __init__(self, path: str | Path) -> None:
        given = Path(path).expanduser()
        self.path = given if given.suffix.lower() == ".zip" else given / ZIP_NAME
        if given.suffix.lower() != ".zip" and given.exists() and not given.is_dir():
            raise SettingsError(f"{given} is a file; --snapshot takes a folder or a .zip")
        try:
            self._tables, self._others = _read(self.path)
            self._by_id: dict[int, list[Document]] = _index(self._tables["movies"])
            self._people = {_person(row): row for row in reversed(self._tables["crew"])}
            self._genres = {row["genre_id"]: row for row in reversed(self._tables["genres"])}
        except _UNREADABLE:
            raise SettingsError(f"{self.path} cannot be read as a snapshot of Convex") from None

    @property
    def title(self) -> TargetName:
        """Which target it is."""
        return TargetName("", "snapshot", str(self.path))

    def table(self, name: str) -> list[Document]:
        """Return the documents of a table."""
        return list(self._tables[name])

    # What every target can do.

    def preflight(self, *, writing: bool) -> None:
        """Make sure that the file can be written where that is asked."""
        if writing:
            try:
                make_folder(self.path.parent)
            except OSError as error:
                raise SettingsError(
                    f"{self.path.parent} cannot be made: {error.strerror}"
                ) from error
            if not os.access(self.path.parent, os.W_OK):
                raise SettingsError(f"{self.path.parent} cannot be written to")

    def contract(self) -> Contract:
        """Return what its tables accept: our own contract."""
        tables = {name: schema.validator(name) for name in TABLES}
        return Contract.read({"version": FUNCTIONS, "tables": tables})

    def documents(self, tmdb_ids: Sequence[int]) -> list[Document]:
        """Return all documents of movies with these ids, repeated ones too."""
        return [dict(row) for tmdb_id in dict.fromkeys(tmdb_ids) for row in self._by_id[tmdb_id]]

    def movies(self) -> pl.DataFrame:
        """Return all documents of movies as a frame."""
        return movies_of(self)

    def slug_owners(self, slugs: Sequence[str]) -> list[tuple[str, int]]:
        """Return `slug, tmdb_id` of the documents that have one of these slugs."""
        wanted = set(slugs)
        movies = self._tables["movies"]
        return [(row["slug"], int(row["tmdb_id"])) for row in movies if row.get("slug") in wanted]

    def page(self, table: str, cursor: str | None, size: int) -> Page:
        """Return a page of a table."""
        start = int(cursor or 0)
        rows = self._tables[table][start : start + size]
        end = start + len(rows)
        return Page([dict(row) for row in rows], str(end), end >= len(self._tables[table]))

    def apply_movies(self, changes: Sequence[Document]) -> list[Document]:
        """Compare and set; return `tmdb_id, outcome, id, differs` for each change, in order."""
        contract = self.contract()
        for change in changes:  # before any is made: a mutation is whole or not at all
            _refuse(contract, change)
        return [self._apply(change) for change in changes]

    def add_people(self, people: Sequence[Document]) -> Document:
        """Add or rename rows of `crew`; return the counts created, updated, unchanged."""
        return _add(self._tables["crew"], self._people, [_person(row) for row in people], people)

    def add_genres(self, genres: Sequence[Document]) -> Document:
        """Add or rename rows of `genres`; return the counts created, updated, unchanged."""
        return _add(
            self._tables["genres"], self._genres, [row["genre_id"] for row in genres], genres
        )

    def delete_movies(self, tmdb_ids: Sequence[int]) -> list[Document]:
        """Delete every document with one of these ids; return `tmdb_id, outcome` for each."""
        going = set(tmdb_ids)
        found = {tmdb_id for tmdb_id in going if self._by_id[tmdb_id]}
        self._tables["movies"] = [
            row for row in self._tables["movies"] if row["tmdb_id"] not in going
        ]
        self._by_id = _index(self._tables["movies"])
        return [
            {"tmdb_id": tmdb_id, "outcome": "deleted" if tmdb_id in found else "absent"}
            for tmdb_id in tmdb_ids
        ]

    def flush(self) -> None:
        """Write the ZIP, whole or not at all.

        Of an export, three files come: itself, as it is after the push; `NAME.export.zip`, as it
        came; and `NAME.import.zip`, our own tables alone, for `npx convex import --replace`, which
        wipes what others wrote since to any table that is in its ZIP.

        Raises:
            StopError: It cannot be written; what was there before still is.
        """
        numbered = self._tables["_tables"] if self._is_export else []
        try:
            make_folder(self.path.parent)
            with atomic_write(self.path) as aside:
                self._write(aside, numbered, self._others)
                if self._is_export:
                    self._keep_export()
                    ours = [row for row in numbered if row["name"] in TABLES]
                    with atomic_write(self._import_path()) as beside:
                        self._write(beside, ours, {})
        except OSError as error:
            raise StopError(f"{self.path} cannot be written: {error.strerror}") from error

    def advice(self) -> tuple[str, ...]:
        """Return how the ZIP gets into a deployment, and what that would wipe."""
        if not self._tables["movies"]:
            return ()
        if not self._is_export:
            return (
                f"npx convex import {self.path}   (into an empty deployment only: "
                "it began empty, and knows no document that is there)",
            )
        return (
            f"npx convex import --replace {self._import_path()}   (movies, crew and genres alone, "
            "references hold; what was written there since the export is lost)",
        )

    @property
    def _is_export(self) -> bool:
        """Whether it began as the export of a deployment, rather than empty."""
        return bool(self._others) or any("_id" in r for name in TABLES for r in self._tables[name])

    def _import_path(self) -> Path:
        return self.path.with_suffix(".import.zip")

    def _write(self, path: Path, numbered: list[Document], others: dict[str, bytes]) -> None:
        """Write a ZIP; tables have a number in it where the deployment has given them one.

        One of our own might be that of another table there, and the import would be refused.
        """
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            if numbered:
                _write(archive, "_tables", numbered)
            for name in TABLES:
                _write(archive, name, map(_with_floats, self._tables[name]))
            for member, content in others.items():
                archive.writestr(member, content)

    def _keep_export(self) -> None:
        """Keep the ZIP of a deployment as it came, before a rehearsal changes it."""
        original = self.path.with_suffix(".export.zip")
        if self.path.exists() and not original.exists():
            with atomic_write(original) as aside:
                shutil.copyfile(self.path, aside)

    def interrupt(self) -> None:
        """Nothing: no thread waits for a file."""

    def resume(self) -> None:
        """Nothing: no thread waits for a file."""

    def _apply(self, change: Document) -> Document:
        tmdb_id = int(change["tmdb_id"])
        there = self._by_id[tmdb_id]
        create = change.get("create")
        if len(there) > 1:
            return _outcome(tmdb_id, "conflict", ["tmdb_id"])
        if change.get("delete"):
            return self._compare_and_delete(tmdb_id, change)
        if not there and create is None:
            return _outcome(tmdb_id, "conflict", ["tmdb_id"])
        if not there:
            document = dict(create or {})
            self._tables["movies"].append(document)
            self._by_id[tmdb_id] = [document]
            return _outcome(tmdb_id, "created")
        return self._compare_and_set(there[0], change)

    def _compare_and_delete(self, tmdb_id: int, change: Document) -> Document:
        there = self._by_id[tmdb_id]
        if not there:
            return _outcome(tmdb_id, "unchanged")
        expected = change.get("expected", {})
        added = [name for name in there[0] if not name.startswith("_") and name not in expected]
        if moved := _differing(there[0], expected) + added:
            return _outcome(tmdb_id, "conflict", moved)
        self.delete_movies([tmdb_id])
        return _outcome(tmdb_id, "deleted")

    def _compare_and_set(self, there: Document, change: Document) -> Document:
        tmdb_id = int(change["tmdb_id"])
        create = change.get("create")
        absent, unset = change.get("absent", []), change.get("unset", [])
        wanted = create or {**change.get("set", {}), **dict.fromkeys(unset, _ABSENT)}
        missing = _differing(there, wanted)
        if not missing:
            return _outcome(tmdb_id, "unchanged")
        expected = {**change.get("expected", {}), **dict.fromkeys(absent, _ABSENT)}
        moved = missing if create else _differing(there, expected)
        if moved:
            return _outcome(tmdb_id, "conflict", moved)
        changed = {**there, **wanted}
        changed = {name: value for name, value in changed.items() if value is not _ABSENT}
        there.clear()
        there.update(changed)
        return _outcome(tmdb_id, "updated")

    def __repr__(self) -> str:
        return f"ConvexSnapshot({self.path}: {self._counts()})"

    def _repr_html_(self) -> str:
        counts = [(name, f"{len(self._tables[name]):,}") for name in TABLES]
        return draw_facts("Convex snapshot", [("file", str(self.path)), *counts])

    def _counts(self) -> str:
        return ", ".join(f"{len(self._tables[name]):,} {name}" for name in TABLES)


_ABSENT: Any = object()


def _differing(there: Document, wanted: Document) -> list[str]:
    return [name for name, value in wanted.items() if there.get(name, _ABSENT) != value]


def _refuse(contract: Contract, change: Document) -> None:
    create = change.get("create")
    faults = contract.faults(change.get("set", {}), partial=True)
    faults += contract.faults(create) if create is not None else []
    faults += [f"{name} is missing" for name in change.get("unset", ()) if name not in OPTIONAL]
    if faults:
        raise RequestRefused("refused it", path="snapshot:applyMovies", message="; ".join(faults))


def _person(row: Document) -> tuple[int, str]:
    """Return what tells people apart: one row for every person and job."""
    return row["crew_id"], row["crew_type"]


def _outcome(tmdb_id: int, outcome: str, differs: Iterable[str] = ()) -> Document:
    return {"tmdb_id": tmdb_id, "outcome": outcome, "id": None, "differs": list(differs)}


def _add(
    table: list[Document], known: dict[Any, Document], keys: Sequence[Any], rows: Sequence[Document]
) -> Document:
    counts = {"created": 0, "updated": 0, "unchanged": 0}
    for key, row in zip(keys, rows, strict=True):
        there = known.get(key)
        if there is None:
            known[key] = dict(row)
            table.append(known[key])
            counts["created"] += 1
        elif {**there, **row} != there:
            there.update(row)
            counts["updated"] += 1
        else:
            counts["unchanged"] += 1
    return counts


def _index(movies: Iterable[Document]) -> dict[int, list[Document]]:
    found: dict[int, list[Document]] = defaultdict(list)
    for row in movies:
        found[int(row["tmdb_id"])].append(row)
    return found


# What the parts of zipfile and of json raise for a file that is damaged, locked or of other things.
_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, KeyError, AttributeError),
)


def _read(path: Path) -> tuple[dict[str, list[Document]], dict[str, bytes]]:
    """Return our tables and the table of tables, and all other members of the ZIP as they are."""
    tables: dict[str, list[Document]] = {name: [] for name in ("_tables", *TABLES)}
    if not path.exists():
        return tables, {}
    ours = {f"{name}/documents.jsonl": name for name in tables}
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if members and not ours.keys() & members.keys():
        raise ValueError
    for member, name in ours.items():
        lines = members.pop(member, b"").splitlines()
        tables[name] = [loads(line.decode("utf-8-sig")) for line in lines if line.strip()]
    return tables, members


def _with_floats(value: Any) -> Any:
    """Return a document with its numbers as Convex writes them: 603.0, a float whatever is kept.

    The `generated_schema.jsonl` of an export would otherwise make some of them Int64.
    """
    if isinstance(value, dict):
        return {name: _with_floats(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_floats(part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _write(archive: zipfile.ZipFile, table: str, rows: Iterable[Document]) -> None:
    with (
        archive.open(f"{table}/documents.jsonl", "w", force_zip64=True) as member,
        TextIOWrapper(member, encoding="utf-8", newline="\n") as lines,
    ):
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
