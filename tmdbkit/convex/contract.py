"""What a target's tables accept, in the form in which Convex exports its validators."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tmdbkit.convex import decoded
from tmdbkit.exceptions import FunctionsMissing, TargetRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tmdbkit.convex.target import Reference

    Test = Callable[[Any], bool]

FUNCTIONS = 2  # the version of tmdbkit.ts that this package speaks with
OLDEST = 1  # which lacks what tells of references


@dataclass(frozen=True)
class Contract:
    """The validators of a target's tables.

    Attributes:
        tables: A validator in Convex's JSON for each table; those that the app lacks are left out.
        references: The fields that hold ids of movies; None where the functions do not tell.
    """

    tables: Mapping[str, dict[str, Any]]
    references: tuple[Reference, ...] | None = None

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
        if not (
            isinstance(tables, dict)
            and tables.get("movies")
            and all(map(_is_validator, filter(None, tables.values())))
        ):
            raise decoded.not_understood("contract")
        references = None if pointing is None else decoded.references(pointing)
        return cls({name: table for name, table in tables.items() if table}, references)

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

    def check(self, table: str, ours: Collection[str]) -> None:
        """Make sure that documents with these fields can be created, before the first write.

        Raises:
            TargetRefused: The table needs a field that we do not have.
        """
        if lacking := self.lacking(table, ours):
            raise TargetRefused(
                f"the table {table} needs {', '.join(lacking)}, which tmdbkit does not have; "
                "make them optional in the app's schema.ts, and deploy"
            )

    def faults(
        self, document: Mapping[str, Any], table: str = "movies", *, partial: bool = False
    ) -> list[str]:
        """Return what a table would refuse in a document: path, value, what is wanted.

        Args:
            document: A whole document without Convex's own fields, or some fields of one.
            table: Which table.
            partial: Whether fields that are not given stay as they are there.
        """
        if self._fits[table, partial](document):
            return []
        wanted = self.tables[table]
        return list(_faults(_partial(wanted) if partial else wanted, document, ""))

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
            (name, partial): _test(_partial(table) if partial else table)
            for name, table in self.tables.items()
            for partial in (False, True)
        }


def _is_validator(said: Any) -> bool:
    """Tell whether it is a validator in Convex's JSON; kinds that are not known here may be any."""
    if not (isinstance(said, dict) and isinstance(said.get("type"), str)):
        return False
    inner = said.get("value")
    if said["type"] == "object":
        return isinstance(inner, dict) and all(map(_is_member, inner.values()))
    if said["type"] == "union":
        return isinstance(inner, list) and all(map(_is_validator, inner))
    return said["type"] != "array" or _is_validator(inner)


def _is_member(said: Any) -> bool:
    return isinstance(said, dict) and "optional" in said and _is_validator(said.get("fieldType"))


LARGEST_INTEGER = 2**53
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60

Validator = dict[str, Any]


def _test(wanted: Validator) -> Test:
    """Return what tells whether a value has no faults, many times faster than naming them."""
    kind = wanted["type"]
    if kind == "object":
        return _object_test(wanted["value"])
    if kind == "array":
        item = _test(wanted["value"])
        return lambda value: isinstance(value, list) and all(map(item, value))
    if kind == "union":
        choices = [_test(choice) for choice in wanted["value"]]
        return lambda value: any(fits(value) for fits in choices)
    if kind == "literal":
        literal = wanted["value"]
        return lambda value: bool(value == literal)
    return _SCALARS.get(kind, lambda _: True)


def _object_test(fields: dict[str, Validator]) -> Test:
    tests = {name: _test(member["fieldType"]) for name, member in fields.items()}
    needed = {name for name, member in fields.items() if not member["optional"]}

    def fits(value: Any) -> bool:
        if not (isinstance(value, dict) and needed <= value.keys() <= tests.keys()):
            return False
        return all(tests[name](part) for name, part in value.items())

    return fits


def _faults(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with a value; a kind that is not known here, such as any, takes all."""
    check = _CHECKS.get(wanted["type"])
    return check(wanted, value, path) if check else iter(())


def _partial(wanted: Validator) -> Validator:
    """Return a validator of some of the fields, as `partial()` does in Convex."""
    if wanted["type"] != "object":
        return wanted
    value = {name: {**field, "optional": True} for name, field in wanted["value"].items()}
    return {**wanted, "value": value}


def _object_faults(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is {_SHORT.repr(value)}, wanted an object"
        return
    fields, prefix = wanted["value"], f"{path}." if path else ""
    for name, field in fields.items():
        if name in value:
            yield from _faults(field["fieldType"], value[name], prefix + name)
        elif not field["optional"]:
            yield f"{prefix}{name} is missing"
    for name in value:
        if name not in fields:
            yield f"{prefix}{name} is not a field there"


def _array_faults(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path} is {_SHORT.repr(value)}, wanted an array"
        return
    for place, item in enumerate(value):
        yield from _faults(wanted["value"], item, f"{path}[{place}]")


def _union_faults(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong inside the choice that comes nearest, or else name all of the choices."""
    tried = [list(_faults(choice, value, path)) for choice in wanted["value"]]
    if not all(tried):
        return
    inside = [faults for faults in tried if not faults[0].startswith(f"{path} is ")]
    if inside:
        yield from min(inside, key=len)
        return
    choices = " or ".join(faults[0].rpartition(", wanted ")[2] for faults in tried)
    yield f"{path} is {_SHORT.repr(value)}, wanted {choices}"


def _literal_faults(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    if value != wanted["value"]:
        yield f"{path} is {_SHORT.repr(value)}, wanted {wanted['value']!r}"


def _scalar_faults(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    if not _SCALARS[wanted["type"]](value):
        yield f"{path} is {_SHORT.repr(value)}, wanted a {wanted['type']}"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) <= LARGEST_INTEGER


_SCALARS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_CHECKS: dict[str, Callable[[Validator, Any, str], Iterator[str]]] = {
    "object": _object_faults,
    "array": _array_faults,
    "union": _union_faults,
    "literal": _literal_faults,
    **dict.fromkeys(_SCALARS, _scalar_faults),
}
