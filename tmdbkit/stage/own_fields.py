"""A user's own fields: named in `fields.toml`, taken out of payloads or set in Python."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from tmdbkit.exceptions import PassedOver, StageError, UsageError
from tmdbkit.progress import counted
from tmdbkit.schema import INSTANT, MOVIE, checked_ids
from tmdbkit.stage.log import Log
from tmdbkit.stage.storage import Root
from tmdbkit.surrogates import loads

FILE = "fields.toml"
FIELDS = pl.Schema(
    {"tmdb_id": pl.Int64(), "field": pl.String(), "value": pl.String(), "set_at": INSTANT}
)
TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "string[]": pl.List(pl.String()),
    "number[]": pl.List(pl.Float64()),
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # as Convex has names of fields
_PATH = re.compile(r"[^.\[\]]+(\[\])?(\.[^.\[\]]+(\[\])?)*")
UNFIT = "is or has NaN, infinity or a null in a list, as no document has; null takes a value away"
_EXAMPLE = '[homepage] with path = "homepage" and type = "string"'


@dataclass(frozen=True)
class OwnField:
    """A field that a user's documents have and tmdbkit's schema has not.

    Attributes:
        name: Its name in the documents.
        kind: One of `TYPES`.
        path: Where a payload has it, `a.b[].c`; None where its values are set in Python.
    """

    name: str
    kind: str
    path: str | None = None

    def value_in(self, payload: Any) -> Any:
        """Return what a payload has of it; None where there is nothing of its type."""
        found = list(_at(payload, self.path.split("."))) if self.path else []
        if self.kind.endswith("[]"):
            return [each for each in found if _is(each, self.kind[:-2])] or None
        return next((each for each in found if _is(each, self.kind)), None)

    def holds(self, value: Any) -> bool:
        """Tell whether a value is of its type."""
        if not self.kind.endswith("[]"):
            return _is(value, self.kind)
        return isinstance(value, list) and all(_is(each, self.kind[:-2]) for each in value)


def read_fields(root: Root) -> tuple[OwnField, ...]:
    """Return the fields that a stage's `fields.toml` names; none where there is no such file.

    Raises:
        StageError: It is not TOML, or a field in it cannot be meant.
    """
    try:
        content = root.read(FILE).decode("utf-8-sig")
        from tomllib import loads as read_toml  # whose patterns take a while, for a file in few

        tables = read_toml(content)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StageError(f"{root.source(FILE)} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StageError(f"{root.source(FILE)} is not TOML: {error}") from None
    try:
        return tuple(_field(name, table) for name, table in tables.items())
    except UsageError as error:
        raise StageError(f"{root.source(FILE)}: {error}; such as {_EXAMPLE}") from None


def _field(name: str, table: Any) -> OwnField:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a field: letters, digits and _ alone")
    if name in MOVIE or name == "ratings":  # which stands for points and votes, in a scope
        raise UsageError(f"{name} is a field of tmdbkit's; give yours another name")
    if not isinstance(table, dict) or not table.keys() <= {"path", "type"}:
        raise UsageError(f"[{name}] has path and type, and nothing else")
    kind, path = table.get("type"), table.get("path")
    if not isinstance(kind, str) or kind not in TYPES:
        raise UsageError(f"[{name}] has the type {kind!r}; it must be {', '.join(TYPES)}")
    if path is not None and not (isinstance(path, str) and _PATH.fullmatch(path)):
        raise UsageError(f"[{name}] has the path {path!r}; it must be like a.b[].c")
    return OwnField(name, kind, path)


@dataclass(frozen=True)
class OwnValues:
    """The user's own fields as they stand, and the values that were set in Python.

    Attributes:
        fields: What `fields.toml` names.
        given: `tmdb_id`, and a column for each field that has no path.
    """

    fields: tuple[OwnField, ...]
    given: pl.DataFrame

    @property
    def types(self) -> dict[str, pl.DataType]:
        """The type of each field by its name."""
        return {field.name: TYPES[field.kind] for field in self.fields}

    def beside(self, rows: pl.DataFrame, payloads: pl.DataFrame) -> pl.DataFrame:
        """Return rows of some movies with a column for each field, out of their payloads."""
        if not self.fields:
            return rows
        taken = [field for field in self.fields if field.path]
        read = [loads(text) for text in payloads["payload"]] if taken else []
        columns = [
            pl.Series(field.name, [field.value_in(payload) for payload in read], TYPES[field.kind])
            for field in taken
        ]
        for some in (payloads.select("tmdb_id", *columns), self.given):
            rows = rows.join(some, on="tmdb_id", how="left", maintain_order="left")
        return rows.select(pl.exclude(self.types), *self.types)


class OwnFields:
    """A stage's file of fields, and the log of values that were set."""

    def __init__(self, root: Root) -> None:
        self.log = Log(root.under("fields"), FIELDS, age=pl.col("set_at"), mixed=True)
        self._root = root

    def read(self) -> OwnValues:
        """Return the fields as they stand.

        Raises:
            StageError: The file of fields cannot be meant.
        """
        fields = read_fields(self._root)
        return OwnValues(fields, _given(self.log.scan(), fields))

    def define(self, name: str, dtype: pl.DataType) -> None:
        """Add a field to the file, where it is not there yet.

        Raises:
            UsageError: It is there with another type or a path, or has no type of Convex's.
        """
        known = next((field for field in read_fields(self._root) if field.name == name), None)
        kind = known.kind if known and dtype == pl.Null else kind_of(dtype)
        if known is None:
            _field(name, {"type": kind})
            self._root.write(FILE, _added(self._root, name, kind))
        elif known.path:
            raise UsageError(f"[{name}] of {FILE} has a path: its values are those of the payloads")
        elif known.kind != kind:
            raise UsageError(f"[{name}] of {FILE} is {known.kind}, and these values are {kind}")


def _added(root: Root, name: str, kind: str) -> bytes:
    try:
        before = root.read(FILE).rstrip(b"\n") + b"\n\n"
    except FileNotFoundError:
        before = b""
    return before + f'[{name}]\ntype = "{kind}"\n'.encode()


def _given(log: pl.LazyFrame, fields: tuple[OwnField, ...]) -> pl.DataFrame:
    """Return what was set last and is of its field's type, one row a movie; the rest is said."""
    latest = log.sort("part", maintain_order=True).unique(["tmdb_id", "field"], keep="last")
    rows = latest.filter(pl.col("value") != "null").collect()
    table = rows.select("tmdb_id").unique()
    for field in fields:
        if not field.path:
            some = rows.filter(field=field.name)
            found = dict(zip(some["tmdb_id"], map(_value, some["value"]), strict=True))
            held = {tmdb_id: value for tmdb_id, value in found.items() if field.holds(value)}
            _say_passed_over(field, len(found) - len(held))
            column = pl.Series(field.name, list(held.values()), TYPES[field.kind], strict=False)
            ids = pl.Series("tmdb_id", list(held), pl.Int64)
            table = table.join(pl.DataFrame([ids, column]), on="tmdb_id", how="left")
    return table


def _value(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return None


def _say_passed_over(field: OwnField, count: int) -> None:
    if count:
        warnings.warn(
            f"{counted(count, 'value')} of {field.name} passed over: they are no {field.kind}, as "
            f"{FILE} has it; give it the type that they have, or set them anew",
            PassedOver,
            stacklevel=3,
        )


def rows_of(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return `tmdb_id, field, value` of values computed for a field, in a column of its name.

    Raises:
        UsageError: It lacks one of the columns, or an id, or has an id twice; or there
            is no type for its values, or one of them is in no document.
    """
    for column in ("tmdb_id", name):
        if column not in frame.columns:
            raise UsageError(f"the frame has no column {column}; it has {', '.join(frame.columns)}")
    ids = frame["tmdb_id"]
    whole = ids.cast(pl.Int64, strict=False) if ids.dtype.is_integer() else pl.Series([None])
    if whole.null_count() or whole.n_unique() != len(whole):
        raise UsageError("the frame's tmdb_id is to be one whole number a row, and each once")
    checked_ids(whole)
    dtype = frame[name].dtype
    values = frame[name] if dtype == pl.Null else frame[name].cast(TYPES[kind_of(dtype)])
    for tmdb_id, value in zip(whole, values.to_list(), strict=True):
        if not _is_in_documents(value):
            raise UsageError(f"{name} of {tmdb_id} {UNFIT}")
    texts = [json.dumps(value, ensure_ascii=False) for value in values.to_list()]
    return pl.DataFrame(
        {"tmdb_id": whole, "field": name, "value": pl.Series(texts, dtype=pl.String)}
    )


def _is_in_documents(value: Any) -> bool:
    """Tell whether a document can hold a value of one of `TYPES`, or it takes one away."""
    if isinstance(value, list):
        return all(each is not None and _is_in_documents(each) for each in value)
    return not isinstance(value, float) or math.isfinite(value)


def kind_of(dtype: pl.DataType) -> str:
    """Return the type of a field whose values have this type.

    Raises:
        UsageError: Convex's documents have none for it.
    """
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    kinds = {"String": "string", "Boolean": "boolean"}
    kind = "number" if inner is not None and inner.is_numeric() else kinds.get(str(inner), "")
    kind += "[]" if isinstance(dtype, pl.List) else ""
    if kind not in TYPES:
        raise UsageError(f"values of the type {dtype} fit no field; it must be {', '.join(TYPES)}")
    return kind


def _at(value: Any, steps: list[str]) -> Iterator[Any]:
    """Yield what stands at the end of a path."""
    if not steps:
        if value is not None:
            yield value
        return
    step, *rest = steps
    name = step.removesuffix("[]")
    if not isinstance(value, dict) or name not in value:
        return
    inner = value[name]
    if step == name:
        yield from _at(inner, rest)
    elif isinstance(inner, list):
        for each in inner:
            yield from _at(each, rest)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    fits = isinstance(value, {"string": str, "number": int | float}.get(kind, ()))
    return fits and _is_in_documents(value)
