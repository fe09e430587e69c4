"""The embedded target: a local snapshot, and the ZIP of it that `npx convex import` takes."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmdbkit import schema
from tmdbkit.convex import decoded, zipped
from tmdbkit.convex.contract import FUNCTIONS, Contract
from tmdbkit.convex.decoded import id_of
from tmdbkit.convex.reading import movies_of
from tmdbkit.convex.target import Page, Pointing, TargetName
from tmdbkit.convex.zipped import TABLES, Contents
from tmdbkit.display import draw_facts
from tmdbkit.exceptions import RequestRefused, SettingsError, StopError
from tmdbkit.files import atomic_write, make_folder, sweep
from tmdbkit.schema import OPTIONAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl

    from tmdbkit.convex.target import Document

ZIP_NAME = "snapshot.zip"


class ConvexSnapshot:
    """A deployment's tables in one ZIP: no account, no network, no Node.

    It obeys the rules of the functions in `tmdbkit.ts`. What is written is kept in memory until
    `flush`, which replaces the file whole or not at all.

    Args:
        path: A ZIP, or a folder that has, or gets, a `snapshot.zip`.
    """

    deferred = True

    def __init__(self, path: str | Path) -> None:
        given = Path(path).expanduser()
        self.path = given if given.suffix.lower() == ".zip" else given / ZIP_NAME
        if given.suffix.lower() != ".zip" and given.exists() and not given.is_dir():
            raise SettingsError(f"{given} is a file; --snapshot takes a folder or a .zip")
        self._made: list[tuple[Document, Document]] = []  # each change, and what was answered
        self._added: list[tuple[str, Sequence[Document]]] = []
        self._otherwise: dict[int, Document] = {}
        self._load()

    @property
    def title(self) -> TargetName:
        """Which target it is."""
        return TargetName("", "snapshot", str(self.path), self._identity)

    def _load(self) -> None:
        """Read the ZIP.

        Raises:
            SettingsError: It is none of Convex's.
        """
        try:
            read = zipped.read(self.path)
            by_id = _index(read.tables["movies"])
            if read.tables["movies"] and not by_id:
                raise ValueError  # of some other app
            people = _by_key(read.tables["crew"], _person)
            genres = _by_key(read.tables["genres"], _genre)
        except zipped.UNREADABLE:
            raise SettingsError(f"{self.path} cannot be read as a snapshot of Convex") from None
        self._tables, self._others = read.tables, read.others
        self._identity, self._writing = read.identity, read.writing
        self._by_id: dict[int, list[Document]] = by_id
        self._people, self._genres = people, genres

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
        return Contract.read({"version": FUNCTIONS, "tables": tables, "references": []})

    def documents(self, tmdb_ids: Sequence[int]) -> list[Document]:
        """Return all documents of movies with these ids, repeated ones too."""
        return [dict(row) for tmdb_id in dict.fromkeys(tmdb_ids) for row in self._by_id[tmdb_id]]

    def movies(self) -> pl.DataFrame:
        """Return all documents of movies as a frame."""
        return movies_of(self)

    def slug_owners(self, slugs: Sequence[str]) -> list[tuple[str, int]]:
        """Return `slug, tmdb_id` of the documents that have one of these slugs."""
        wanted = set(slugs)
        owners = decoded.slug_owners(self._tables["movies"])
        return [(slug, owner) for slug, owner in owners if slug in wanted]

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
        answers = [self._apply(change) for change in changes]
        self._made += zip(changes, answers, strict=True)
        return answers

    def add_people(self, people: Sequence[Document]) -> Document:
        """Add or rename rows of `crew`; return the counts created, updated, unchanged."""
        self._added.append(("crew", people))
        return self._add("crew", people)

    def add_genres(self, genres: Sequence[Document]) -> Document:
        """Add or rename rows of `genres`; return the counts created, updated, unchanged."""
        self._added.append(("genres", genres))
        return self._add("genres", genres)

    def pointing_at(self, tmdb_ids: Sequence[int]) -> list[Pointing]:
        """Return what points at these movies: whatever holds the id that an export gave them."""
        rows = {row["_id"]: row for n in tmdb_ids for row in self._by_id[n] if "_id" in row}
        held = zipped.pointing(self._tables, self._others, rows.keys()) if rows else Counter()
        return [
            Pointing(int(rows[one]["tmdb_id"]), table, field, count)
            for (one, table, field), count in held.items()
        ]

    def flush(self) -> dict[int, Document]:
        """Write the ZIP, whole or not at all, and return the answers that turned out otherwise.

        Where somebody else has written it since it was read, what was done here is done again on
        theirs, by the same comparing: what they have changed is a conflict, and left alone.

        Of an export, three files come: itself, as it is after the push; `NAME.export.zip`, as it
        came; and `NAME.import.zip`, our own tables alone, for `npx convex import --replace`, which
        wipes what others wrote since to any table that is in its ZIP.

        Raises:
            StopError: It cannot be written; what was there before still is.
        """
        try:
            make_folder(self.path.parent)
            with zipped.one_writer(self.path.parent):
                if zipped.writing_of(self.path) != self._writing:
                    self._catch_up()
                self._write()
                self._writing = zipped.writing_of(self.path)
        except SettingsError as error:
            raise StopError(f"{error}; somebody wrote it since it was opened") from error
        except OSError as error:
            raise StopError(f"{self.path} cannot be written: {error.strerror}") from error
        otherwise = self._otherwise
        self._made, self._added, self._otherwise = [], [], {}
        return otherwise

    def _catch_up(self) -> None:
        """Take over what somebody else has written, and do on it what was done here."""
        identity = self._identity
        self._load()
        self._identity = identity
        for table, rows in self._added:
            self._add(table, rows)
        again = [
            (answer, self._apply(change))
            for change, answer in self._made
            if answer["outcome"] in ("created", "updated", "deleted")
        ]
        self._otherwise = {
            new["tmdb_id"]: new for answer, new in again if new["outcome"] != answer["outcome"]
        }

    def _write(self) -> None:
        numbered = self._tables["_tables"] if self._is_export else []
        tables = {**self._tables, "_tables": numbered}
        written = (self.path, self._export_path(), self._import_path())
        sweep(self.path.parent, *(path.name for path in written))
        with atomic_write(self.path) as aside:
            zipped.write(aside, Contents(tables, self._others, self._identity))
            if self._is_export:
                self._keep_export()
                ours = [row for row in numbered if row["name"] in TABLES]
                with atomic_write(self._import_path()) as beside:
                    zipped.write(beside, Contents({**tables, "_tables": ours}, {}, ""))

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

    def _export_path(self) -> Path:
        return self.path.with_suffix(".export.zip")

    def _keep_export(self) -> None:
        """Keep the ZIP of a deployment as it came, before a rehearsal changes it."""
        original = self._export_path()
        if self.path.exists() and not original.exists():
            with atomic_write(original) as aside:
                shutil.copyfile(self.path, aside)

    def interrupt(self) -> None:
        """Nothing: no thread waits for a file."""

    def resume(self) -> None:
        """Nothing: no thread waits for a file."""

    def _add(self, table: str, rows: Sequence[Document]) -> Document:
        if table == "crew":
            return _add(self._tables[table], self._people, [_person(row) for row in rows], rows)
        return _add(self._tables[table], self._genres, [_genre(row) for row in rows], rows)

    def _remove(self, tmdb_ids: set[int]) -> None:
        if any(self._by_id[tmdb_id] for tmdb_id in tmdb_ids):
            movies = self._tables["movies"]
            self._tables["movies"] = [row for row in movies if id_of(row) not in tmdb_ids]
            self._by_id = _index(self._tables["movies"])

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
        self._remove({tmdb_id})
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
    faults += contract.faults(_known(contract, create)) if create is not None else []
    faults += [f"{name} is missing" for name in change.get("unset", ()) if name not in OPTIONAL]
    if faults:
        raise RequestRefused("refused it", path="snapshot:applyMovies", message="; ".join(faults))


def _known(contract: Contract, fields: Document) -> Document:
    """Return the fields that are ours to judge; what comes back may have the app's own, too."""
    return {name: value for name, value in fields.items() if contract.knows("movies", name)}


def _person(row: Document) -> tuple[Any, Any]:
    """Return what tells people apart: one row for every person and job."""
    return row.get("crew_id"), row.get("crew_type")


def _genre(row: Document) -> Any:
    return row.get("genre_id")


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


def _by_key(rows: Sequence[Document], key: Callable[[Document], Any]) -> dict[Any, Document]:
    """Return rows by their key, the oldest of each; what has none that can be one is left out."""
    found: dict[Any, Document] = {}
    for row in reversed(rows):
        with suppress(TypeError):  # a list, or an object
            found[key(row)] = row
    return found


def _index(movies: Iterable[Document]) -> dict[int, list[Document]]:
    found: dict[int, list[Document]] = defaultdict(list)
    for row in movies:
        if (tmdb_id := id_of(row)) is not None:
            found[tmdb_id].append(row)
    return found
