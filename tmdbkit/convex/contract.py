"""What a target's tables accept, in the form in which Convex exports its validators."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tmdbkit.convex import parsing
from tmdbkit.convex.target import Document, Reference
from tmdbkit.convex.validators import (
    Test,
    can_hold,
    faults_of,
    is_validator,
    numbered,
    partial_of,
    spelled,
    test_of,
)
from tmdbkit.exceptions import FunctionsMissing, TargetRefused, UsageError
from tmdbkit.files import write_text
from tmdbkit.schema import KEYS, NEW_WITH_US, validator
from tmdbkit.surrogates import loads

FUNCTIONS = 2  # the version of tmdbkit.ts that this package speaks with
_NONE: Mapping[str, dict[str, Any]] = MappingProxyType({})
OLDEST = 1  # which lacks what tells of references
_HOW = "; --contract FILE takes what plan --save-contract FILE was told by the deployment"


@dataclass(frozen=True)
class Contract:
    """The validators of a target's tables.

    Attributes:
        tables: A validator in Convex's JSON for each table; those that the app lacks are left out.
        references: The fields that hold ids of movies; None where the functions do not tell.
        answer: What the `contract` query said, as it is; None where nobody asked.
        source: Where it was had, for people; "" where the target itself has just said it.
    """

    tables: Mapping[str, dict[str, Any]]
    references: tuple[Reference, ...] | None = None
    answer: Mapping[str, Any] | None = None
    source: str = ""

    @classmethod
    def read(cls, answer: Any) -> Contract:
        """Take what the `contract` query hands out.

        Raises:
            FunctionsMissing: The functions there are of another version.
        """
        told: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
        version, tables, pointing = (told.get(name) for name in ("version", "tables", "references"))
        if not (isinstance(version, int | float) and OLDEST <= version <= FUNCTIONS):
            told_as = f"{version:g}" if isinstance(version, float) else str(version)
            newer = isinstance(version, int | float) and version > FUNCTIONS
            raise FunctionsMissing(
                f"the functions there are of version {told_as}, this tmdbkit needs {FUNCTIONS}; "
                f"{'update tmdbkit, or run' if newer else 'run'} tmdbkit functions on your app's "
                "convex folder, and deploy"
            )
        if not (isinstance(tables, dict) and all(map(is_validator, filter(None, tables.values())))):
            raise parsing.not_understood("contract")
        references = None if pointing is None else parsing.references(pointing)
        if not tables.get("movies"):
            raise TargetRefused(
                "the app's schema.ts has no table movies; tmdbkit functions shows one, to add to it"
            )
        return cls({name: table for name, table in tables.items() if table}, references, told)

    @classmethod
    def load(cls, path: Path) -> Contract:
        """Read what was saved.

        Raises:
            UsageError: The file is none.
        """
        try:
            saved = loads(path.read_text(encoding="utf-8"))
            return replace(cls.read(saved), source=f"of {path}")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, FunctionsMissing, TargetRefused):
            raise UsageError(
                f"{path} is no contract; tmdbkit plan --save-contract FILE writes one"
            ) from None

    def save(self, path: Path) -> None:
        """Write the answer of the `contract` query, as it is.

        Raises:
            UsageError: It is none of a deployment.
        """
        if self.answer is None:
            raise UsageError("--save-contract asks a deployment; a snapshot has no contract itself")
        write_text(path, json.dumps(self.answer, indent=2) + "\n")

    def fields(self, table: str) -> dict[str, dict[str, Any]]:
        """Return the fields of a table that takes objects; none where it takes anything."""
        found: dict[str, dict[str, Any]] = self.tables.get(table, {}).get("value", {})
        return found if isinstance(found, dict) else {}

    def knows(self, table: str, field: str | None = None) -> bool:
        """Tell whether the target has this table, or this field in it."""
        if table not in self.tables:
            return False
        closed = self._closed[table]
        return field is None or closed is None or field in closed

    def takes(self, table: str, ours: Iterable[str]) -> bool:
        """Tell whether the target has this table, with all of these fields."""
        return table in self.tables and all(self.knows(table, field) for field in ours)

    def lacking(self, table: str, ours: Collection[str]) -> list[str]:
        """Return the fields that the table needs and that we do not have."""
        return sorted(
            name
            for name, field in self.fields(table).items()
            if not field["optional"] and name not in ours and not name.startswith("_")
        )

    def check(
        self, table: str, ours: Collection[str], own: Mapping[str, dict[str, Any]] = _NONE
    ) -> None:
        """Make sure that documents with these fields can be created, before the first write.

        `own` is what the user's own fields accept, which some documents have.

        Raises:
            TargetRefused: The table needs a field that we do not have, or that we cannot fill.
        """
        self.check_kinds(table, [*ours, *own], own)
        if lacking := self.lacking(table, [*ours, *own]):
            raise TargetRefused(
                f"the table {table} needs {', '.join(lacking)}, which tmdbkit does not have; "
                "make them optional in the app's schema.ts, and deploy"
            )

    def check_kinds(
        self, table: str, ours: Collection[str], own: Mapping[str, dict[str, Any]] = _NONE
    ) -> None:
        """Make sure that what we have for these fields can be what they hold.

        Raises:
            TargetRefused: It never is.
        """
        if self.tables[table]["type"] != "object":
            raise TargetRefused(
                f"the table {table} is {spelled(self.tables[table])}, of which tmdbkit cannot know "
                "what it holds; make it v.object({...}) in the app's schema.ts, and deploy"
            )
        if not self.knows(table, KEYS[table]):
            raise TargetRefused(
                f"the table {table} has no field {KEYS[table]}, by which its documents are told "
                f"apart; add {KEYS[table]}: v.number() and an index by_{KEYS[table]} on it to the "
                "app's schema.ts, and deploy"
            )
        known, theirs = {**validator(table)["value"], **own}, self.fields(table)
        for name in sorted(theirs.keys() & known.keys() & set(ours)):
            kind, wanted = theirs[name]["fieldType"], known[name]["fieldType"]
            if not can_hold(kind, wanted):
                raise TargetRefused(
                    f"{table}.{name} is {spelled(kind)}, which tmdbkit cannot fill; make it "
                    f"{spelled(wanted)} in the app's schema.ts and deploy, or give it another "
                    "name there"
                )

    def is_optional(self, field: str) -> bool:
        """Tell whether a movie may be without this field."""
        return bool(self.fields("movies").get(field, {"optional": True})["optional"])

    def faults(
        self, document: Mapping[str, Any], table: str = "movies", *, partial: bool = False
    ) -> list[str]:
        """Return what a table would refuse in a document: path, value, what is wanted.

        Where it is `partial`, fields that are not given stay as they are there.
        """
        if self.fits(document, table, partial=partial):
            return []
        wanted = self.tables[table]
        return list(faults_of(partial_of(wanted) if partial else wanted, numbered(document), ""))

    def fits(
        self, document: Mapping[str, Any], table: str = "movies", *, partial: bool = False
    ) -> bool:
        """Tell whether a document has no faults and no number that only Convex can hold."""
        return self._fits[table, partial](document)

    @cached_property
    def _closed(self) -> dict[str, frozenset[str] | None]:
        """The fields of each table that takes no others; None of one that takes any."""
        return {
            name: frozenset(self.fields(name)) if table.get("type") == "object" else None
            for name, table in self.tables.items()
        }

    @cached_property
    def _fits(self) -> dict[tuple[str, bool], Test]:
        """What tells whether a table takes a document, whole or in part; it does not say why."""
        return {
            (name, partial): test_of(partial_of(table) if partial else table)
            for name, table in self.tables.items()
            for partial in (False, True)
        }


def inferred(
    rows: Mapping[str, Sequence[Document]],
    numbered: Sequence[Document],
    *,
    began_empty: bool,
    own: Mapping[str, dict[str, Any]],
) -> Contract:
    """Return what the tables of a snapshot accept, and say how far that is known.

    Of a table with documents, a field that is new with us, or a user's `own`, and that none of them
    has is left out; and a table that the deployment has not `numbered`. Of an empty one nothing is
    known: it is taken to accept what we have.
    """
    names = {"movies", *(row.get("name") for row in numbered)}
    tables = {n: validator(n) for n in rows if rows[n] or not numbered or n in names}
    new: set[str] = {*NEW_WITH_US, *own}
    is_inferred = bool(rows["movies"]) and not began_empty
    lacking = new - {name for row in rows["movies"] for name in row} if is_inferred else new - new
    members = {**tables["movies"]["value"], **own}.items()
    tables["movies"] = {"type": "object", "value": {n: m for n, m in members if n not in lacking}}
    empty = [] if began_empty else [name for name in tables if not rows[name]]
    return Contract(tables, (), source=f"{_known(empty, began_empty=began_empty)}{_HOW}")


def _known(empty: Sequence[str], *, began_empty: bool) -> str:
    if began_empty:
        return "not known, for it began empty: all that tmdbkit has is taken to fit"
    doubt = f"; {' and '.join(empty)} may hold anything, being empty" if empty else ""
    return f"not known: inferred from the documents of the export{doubt}"
