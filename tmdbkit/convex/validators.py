"""What Convex lets a document be: its validators in JSON, and its limits of size and depth."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Callable, Iterator
from typing import Any

from tmdbkit.convex.target import Document

Test = Callable[[Any], bool]

Validator = dict[str, Any]
LARGEST_INTEGER = 2**53
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
MOST_BYTES = 2**20
MOST_ITEMS = 8_192
DEEPEST = 16
_OWN = 64  # bytes that Convex's own two fields take, about
_FAR_BELOW = 2 * MOST_ITEMS  # characters of JSON: too few for either, an item takes two


def is_validator(said: Any) -> bool:
    """Tell whether it is a validator in Convex's JSON; kinds that are not known here may be any."""
    if not (isinstance(said, dict) and isinstance(said.get("type"), str)):
        return False
    inner = said.get("value")
    if said["type"] == "object":
        return isinstance(inner, dict) and all(map(_is_member, inner.values()))
    if said["type"] == "union":
        return isinstance(inner, list) and all(map(is_validator, inner))
    return said["type"] != "array" or is_validator(inner)


def _is_member(said: Any) -> bool:
    return isinstance(said, dict) and "optional" in said and is_validator(said.get("fieldType"))


def test_of(wanted: Validator) -> Test:
    """Return what tells whether a value has no faults, many times faster than naming them."""
    kind = wanted["type"]
    if kind == "object":
        return _object_test(wanted["value"])
    if kind == "array":
        item = test_of(wanted["value"])
        return lambda value: isinstance(value, list) and all(map(item, value))
    if kind == "union":
        choices = [test_of(choice) for choice in wanted["value"]]
        return lambda value: any(fits(value) for fits in choices)
    if kind == "literal":
        literal = wanted["value"]
        return lambda value: bool(value == literal)
    return _SCALARS.get(kind, lambda _: True)


def _object_test(fields: dict[str, Validator]) -> Test:
    tests = {name: test_of(member["fieldType"]) for name, member in fields.items()}
    needed = {name for name, member in fields.items() if not member["optional"]}

    def fits(value: Any) -> bool:
        if not (isinstance(value, dict) and needed <= value.keys() <= tests.keys()):
            return False
        return all(tests[name](part) for name, part in value.items())

    return fits


def faults_of(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with a value; a kind that is not known here, such as any, takes all."""
    check = _CHECKS.get(wanted["type"])
    return check(wanted, value, path) if check else iter(())


def partial_of(wanted: Validator) -> Validator:
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
            yield from faults_of(field["fieldType"], value[name], prefix + name)
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
        yield from faults_of(wanted["value"], item, f"{path}[{place}]")


def _union_faults(wanted: Validator, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong inside the choice that comes nearest, or else name all of the choices."""
    tried = [list(faults_of(choice, value, path)) for choice in wanted["value"]]
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


def numbered(value: Any) -> Any:
    """Return a value with 0 for each NaN or infinity; they come encoded, and go back so."""
    if isinstance(value, dict):
        if value.keys() == {"$float"}:
            return 0.0
        return {name: numbered(part) for name, part in value.items()}
    return [numbered(part) for part in value] if isinstance(value, list) else value


def spelled(kind: Validator) -> str:
    """Return a validator as it is written in a schema.ts."""
    name, inner = kind["type"], kind.get("value")
    if name == "object" and isinstance(inner, dict):
        members = (f"{field}: {_member_spelled(member)}" for field, member in inner.items())
        return f"v.object({{{', '.join(members)}}})"
    if name == "array":
        return f"v.array({spelled(kind['value'])})"
    if name == "union":
        return f"v.union({', '.join(map(spelled, kind['value']))})"
    if name in ("literal", "id"):
        return f"v.{name}({json.dumps(inner if name == 'literal' else kind.get('tableName'))})"
    return "v.record(...)" if name == "record" else f"v.{_SPELLED.get(name, name)}()"


def _member_spelled(member: dict[str, Any]) -> str:
    kind = spelled(member["fieldType"])
    return f"v.optional({kind})" if member["optional"] else kind


def can_hold(kind: Validator, ours: Validator) -> bool:
    """Tell whether any value of ours, beside null, can be one of this kind.

    A kind that is not known here may hold anything.
    """
    if ours["type"] == "union":
        return all(can_hold(kind, one) for one in ours["value"] if one["type"] != "null")
    if kind["type"] == "union":
        return any(can_hold(choice, ours) for choice in kind["value"])
    if kind["type"] == "literal":
        return _SCALARS[ours["type"]](kind["value"]) if ours["type"] in _SCALARS else False
    if kind["type"] != ours["type"]:
        return kind["type"] not in _KNOWN
    if kind["type"] == "array":
        return can_hold(kind["value"], ours["value"])
    return kind["type"] != "object" or _can_hold_object(kind["value"], ours["value"])


def _can_hold_object(members: dict[str, Any], ours: dict[str, Any]) -> bool:
    needed = {name for name, member in members.items() if not member["optional"]}
    return needed <= ours.keys() <= members.keys() and all(
        can_hold(members[name]["fieldType"], member["fieldType"]) for name, member in ours.items()
    )


_SPELLED = {"bigint": "int64"}
_KNOWN = {*_CHECKS, "bigint", "int64", "id", "bytes", "record"}


def exceeded(document: Document) -> list[str]:
    """Return in what a document is beyond the limits; mostly nothing, which costs one encoding."""
    text = json.dumps(document)
    if len(text) < _FAR_BELOW and text.count("[") + text.count("{") <= DEEPEST:
        return []
    found = list(_too_long(document, ""))
    if _depth(document) > DEEPEST:
        found.append(f"it is nested more than {DEEPEST} levels deep")
    if (size := _size(document) + _OWN) > MOST_BYTES:
        found.append(f"it has {size / 2**20:.2f} MiB, and a document may have 1")
    return found


def _too_long(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _too_long(part, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        if len(value) > MOST_ITEMS:
            yield f"{path} has {len(value):,} items, and may have {MOST_ITEMS:,}"
        for item in value:
            yield from _too_long(item, f"{path}[]")


def _depth(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, parts), default=0) if isinstance(value, dict | list) else 0


def _size(value: Any) -> int:
    """Return the bytes that Convex counts for a value."""
    if isinstance(value, str):
        return 2 + len(value.encode())
    if isinstance(value, list):
        return 2 + sum(map(_size, value))
    if isinstance(value, dict):
        return 2 + sum(len(name.encode()) + 1 + _size(part) for name, part in value.items())
    return 1 if value is None or isinstance(value, bool) else 9
