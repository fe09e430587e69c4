"""The embedded target: a local snapshot, and the ZIP of it that `npx convex import` takes."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tmdbkit.convex import parsing, zip_file
from tmdbkit.convex.contract import Contract, inferred
from tmdbkit.convex.in_memory import Tables
from tmdbkit.convex.read import movies_of
from tmdbkit.convex.target import Document, Page, Pointing, Target, TargetName
from tmdbkit.convex.validators import exceeded
from tmdbkit.convex.zip_file import TABLES, Contents
from tmdbkit.display import draw_facts
from tmdbkit.exceptions import RequestRefused, SettingsError, StopError
from tmdbkit.files import atomic_write, make_folder, sweep
from tmdbkit.schema import NEW_WITH_US
from tmdbkit.settings.arguments import checked

ZIP_NAME = "snapshot.zip"
_FIRST = "   (into an empty deployment only: it compares nothing)"


@checked
class ConvexSnapshot(Target):
    """A deployment's tables in one ZIP: no account, no network, no Node.

    It obeys the rules of the functions in `tmdbkit.ts`. What is written is kept in memory until
    `flush`, which replaces the file whole or not at all.

    Args:
        path: A ZIP, or a folder that has, or gets, a `snapshot.zip`.
        contract: What the tables of the deployment accept that it came from, or will go to; without
            one it is that which the stage keeps of it, or what can be inferred.
    """

    deferred = True

    def __init__(self, path: str | Path, *, contract: Contract | None = None) -> None:
        given = Path(path).expanduser()
        self.path = given if given.suffix.lower() == ".zip" else given / ZIP_NAME
        if given.suffix.lower() != ".zip" and given.exists() and not given.is_dir():
            raise SettingsError(f"{given} is a file; --snapshot takes a folder or a .zip")
        self._given = contract
        self._own: Mapping[str, dict[str, Any]] = {}
        self._made: list[tuple[Document, Document]] = []  # each change, and what was answered
        self._added: list[tuple[str, Sequence[Document]]] = []
        self._otherwise: dict[int, Document] = {}
        self._load()

    def _load(self) -> None:
        """Read the ZIP.

        Raises:
            SettingsError: It is none of Convex's.
        """
        try:
            read = zip_file.read(self.path)
            tables = Tables(read.tables)
        except zip_file.UNREADABLE:
            raise SettingsError(f"{self.path} cannot be read as a snapshot of Convex") from None
        self._tables, self._others = tables, read.others
        self._numbered = read.tables["_tables"]
        self._held = frozenset(read.tables)
        self._is_export = read.is_export
        self._inferred = self._infer()
        self.title = TargetName("", "snapshot", str(self.path), read.identity)
        self._writing = read.writing

    def table(self, name: str) -> list[Document]:
        """Return the documents of a table."""
        return list(self._tables.rows[name])

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
            self._check_beside()

    def _check_beside(self) -> None:
        """Make sure that the files beside a new snapshot take the place of nobody's own."""
        if self._is_export or self.path.exists():
            return
        for file in self._line_files().values():
            if file.exists():
                raise SettingsError(
                    f"{file} is there, and a new snapshot would write one; name another folder"
                )

    def contract(self) -> Contract:
        """Return what its tables accept: what was given, or else what can be inferred."""
        return self._given or self._inferred

    def _infer(self) -> Contract:
        return inferred(
            self._tables.rows, self._numbered, began_empty=not self._is_export, own=self._own
        )

    def rehearse(
        self,
        known: Callable[[set[str]], Contract | None],
        own: Mapping[str, dict[str, Any]],
    ) -> None:
        """Take the contract of the deployment that it came from, where it has none.

        It is `known` by the `_id` of its movies. Of another contract nothing is known of the user's
        `own` fields.
        """
        if own != self._own:
            self._own = own
            self._inferred = self._infer()
        if self._given is None and self._is_export:
            self._given = known({str(r["_id"]) for r in self._tables.rows["movies"] if "_id" in r})

    def documents(self, tmdb_ids: Sequence[int]) -> list[Document]:
        """Return all documents of movies with these ids, repeated ones too."""
        return self._tables.documents(tmdb_ids)

    def movies(self) -> pl.DataFrame:
        """Return all documents of movies as a frame."""
        return movies_of(self)

    def slug_owners(self, slugs: Sequence[str]) -> list[tuple[str, int]]:
        """Return `slug, tmdb_id` of the documents that have one of these slugs."""
        wanted = set(slugs)
        owners = parsing.slug_owners(self._tables.rows["movies"])
        return [(slug, owner) for slug, owner in owners if slug in wanted]

    def page(self, table: str, cursor: str | None, size: int) -> Page:
        """Return a page of a table."""
        start = int(cursor or 0)
        every = self._tables.rows[table]
        rows = every[start : start + size]
        end = start + len(rows)
        return Page([dict(row) for row in rows], str(end), end >= len(every))

    def apply_movies(self, changes: Sequence[Document]) -> list[Document]:
        """Compare and set; return `tmdb_id, outcome, id, differs` for each change, in order."""
        contract = self.contract()
        for change in changes:  # before any is made: a mutation is whole or not at all
            if self._given is None and not self._is_export:
                _refuse(contract, _known_to(contract, change))
            else:  # of an export is undone what its documents held, of whatever kind
                _refuse(self._given, change)
        answers = [self._tables.apply(change) for change in changes]
        self._made += zip(changes, answers, strict=True)
        return answers

    def add_people(self, people: Sequence[Document]) -> Document:
        """Add or rename rows of `crew`; return the counts created, updated, unchanged."""
        return self._add("crew", people)

    def add_genres(self, genres: Sequence[Document]) -> Document:
        """Add or rename rows of `genres`; return the counts created, updated, unchanged."""
        return self._add("genres", genres)

    def _add(self, table: str, rows: Sequence[Document]) -> Document:
        self._added.append((table, rows))
        return self._tables.add(table, rows)

    def pointing_at(self, tmdb_ids: Sequence[int]) -> list[Pointing]:
        """Return what points at these movies: whatever holds the id that an export gave them."""
        rows = {row["_id"]: row for row in self._tables.documents(tmdb_ids) if "_id" in row}
        held = Counter[tuple[str, str, str]]()
        if rows:
            held = zip_file.pointing(self._tables.rows, self.path, self._others, rows.keys())
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
        wipes what others wrote since to any table that is in its ZIP. Of one that began empty,
        `movies.jsonl`, `crew.jsonl` and `genres.jsonl` come, for `npx convex import --table`.

        Raises:
            StopError: It cannot be written; what was there before still is.
        """
        try:
            make_folder(self.path.parent)
            with zip_file.single_writer(self.path.parent):
                if zip_file.writing_of(self.path) != self._writing:
                    self._catch_up()
                self._write()
                self._writing = zip_file.writing_of(self.path)
        except SettingsError as error:
            raise StopError(f"{error}; somebody wrote it since it was opened") from error
        except OSError as error:
            raise StopError(f"{self.path} cannot be written: {error.strerror}") from error
        otherwise = self._otherwise
        self._made, self._added, self._otherwise = [], [], {}
        return otherwise

    def _catch_up(self) -> None:
        """Take over what somebody else has written, and do on it what was done here."""
        title = self.title
        self._load()
        self.title = title
        for table, rows in self._added:
            self._tables.add(table, rows)
        again = [
            (answer, self._tables.apply(change))
            for change, answer in self._made
            if answer["outcome"] in ("created", "updated", "deleted")
        ]
        self._otherwise = {
            new["tmdb_id"]: new for answer, new in again if new["outcome"] != answer["outcome"]
        }

    def _write(self) -> None:
        tables = {name: rows for name, rows in self._tables.rows.items() if self._is_held(name)}
        numbered = self._numbered if self._is_export else []
        beside = {} if self._is_export else self._line_files()
        written = (self.path, self._export_path(), self._import_path(), *beside.values())
        sweep(self.path.parent, *(path.name for path in written))
        with atomic_write(self.path) as aside:
            every = {"_tables": numbered, **tables}
            contents = Contents(every, self._others, self.title.identity, self._is_export)
            zip_file.write(aside, contents, self.path)
            if self._is_export:
                self._keep_export()
                self._write_import(tables)
        for table, path in beside.items():
            with atomic_write(path) as aside:
                zip_file.write_lines(aside, self._lines(table))

    def _is_held(self, table: str) -> bool:
        """Tell whether the deployment has a table, as far as is known."""
        return table in self._held or bool(self._tables.rows[table])

    def _write_import(self, tables: dict[str, list[Document]]) -> None:
        """Write what `npx convex import` takes: our own tables, with the types of their numbers."""
        ours = [row for row in self._numbered if row["name"] in TABLES]
        types = {f"{name}/generated_schema.jsonl" for name in tables}
        kinds = tuple(member for member in self._others if member in types)
        contents = Contents({"_tables": ours, **tables}, kinds, "", is_export=True)
        with atomic_write(self._import_path()) as beside:
            zip_file.write(beside, contents, self.path)

    def _line_files(self) -> dict[str, Path]:
        """Return the files of JSON lines, for a first fill of an app's tables, by table."""
        own = "" if self.path.name == ZIP_NAME else f"{self.path.stem}."
        return {name: self.path.with_name(f"{own}{name}.jsonl") for name in TABLES}

    def _lines(self, table: str) -> Iterator[Document]:
        """Yield the documents of a table; an app whose schema is not known may lack what is new."""
        for row in self._tables.rows[table]:
            yield row if self._given else {n: v for n, v in row.items() if n not in NEW_WITH_US}

    def advice(self) -> tuple[str, ...]:
        """Return how what was written gets into a deployment, and what that would wipe."""
        if not self._tables.rows["movies"]:
            return ()
        if self._is_export:
            return self._advice_to_replace()
        return tuple(
            f"npx convex import --table {table} {path}{_FIRST * (table == 'movies')}"
            for table, path in self._line_files().items()
            if self._tables.rows[table] and path.exists()
        )

    def _advice_to_replace(self) -> tuple[str, ...]:
        """Return how to import a rehearsal; beside an export as it came is none, or an old one."""
        aside = self._import_path()
        if not (aside.exists() and self.path.exists() and zip_file.is_signed(self.path)):
            return ()
        replaced = [name for name in TABLES if self._is_held(name)]
        return (
            f"npx convex import --replace {aside}   (replaces the "
            f"table{'s' * (len(replaced) > 1)} {', '.join(replaced)}, and no other: "
            "references hold; what was written there since the export is lost)",
        )

    def _import_path(self) -> Path:
        return self.path.with_suffix(".import.zip")

    def _export_path(self) -> Path:
        return self.path.with_suffix(".export.zip")

    def _keep_export(self) -> None:
        """Keep the ZIP of a deployment as it came, before a rehearsal changes it.

        Another one that came to the same place since gets a name of its own beside it.
        """
        if not self.path.exists() or zip_file.is_signed(self.path):
            return
        kept, number = self._export_path(), 1
        while kept.exists() and not filecmp.cmp(self.path, kept, shallow=False):
            number += 1
            kept = self.path.with_suffix(f".export-{number}.zip")
        if not kept.exists():
            with atomic_write(kept) as aside:
                shutil.copyfile(self.path, aside)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self._tables.rows[name]):,} {name}" for name in TABLES)
        return f"ConvexSnapshot({self.path}: {counts})"

    def _repr_html_(self) -> str:
        counts = [(name, f"{len(self._tables.rows[name]):,}") for name in TABLES]
        return draw_facts("Convex snapshot", [("file", str(self.path)), *counts])


def _known_to(contract: Contract, change: Document) -> Document:
    """Return a change without the fields of the app's own, of which nothing is known."""
    known = {
        part: {
            name: value for name, value in change[part].items() if contract.knows("movies", name)
        }
        for part in ("create", "set")
        if change.get(part)
    }
    return {**change, **known}


def _refuse(contract: Contract | None, change: Document) -> None:
    """Refuse what the functions would."""
    create, fields = change.get("create"), change.get("set", {})
    faults = list(exceeded(create or fields))
    if contract is not None:
        faults += contract.faults(fields, partial=True)
        faults += contract.faults(create) if create is not None else []
        unset = change.get("unset", ())
        faults += [f"{name} is missing" for name in unset if not contract.is_optional(name)]
    if faults:
        raise RequestRefused("refused it", path="snapshot:applyMovies", message="; ".join(faults))
