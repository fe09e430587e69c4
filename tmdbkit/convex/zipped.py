"""The ZIP of a snapshot: read and written whole, by one writer at a time, and who it is."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sys
import zipfile
import zlib
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING, Any

from tmdbkit.surrogates import loads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from tmdbkit.convex.target import Document

TABLES = ("movies", "crew", "genres")
# What the parts of zipfile and of json raise for a file that is damaged, locked or of other things.
UNREADABLE = (
    *(OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error),
    *(ValueError, TypeError, KeyError, AttributeError),
)
TEXT = re.compile(rb'"([^"\\]+)"')  # ids have nothing in them that JSON escapes
Writing = tuple[object, ...]  # tells one writing of a ZIP from another


@dataclass(frozen=True)
class Contents:
    """What is in a ZIP, or would be where there is none.

    Attributes:
        tables: Our tables, and the table of tables.
        others: All other members as they are.
        identity: Which snapshot it is, wherever it lies; "" where that is not said.
        writing: Which writing of it was read.
    """

    tables: dict[str, list[Document]]
    others: dict[str, bytes]
    identity: str
    writing: Writing = ()


def read(path: Path) -> Contents:
    """Read a ZIP; one of `UNREADABLE` is raised where it is none of Convex's."""
    tables: dict[str, list[Document]] = {name: [] for name in ("_tables", *TABLES)}
    if not path.exists():
        return Contents(tables, {}, _identity_by(path))
    ours = {f"{name}/documents.jsonl": name for name in tables}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        writing, identity = _writing(file, archive), _signature(archive).get("identity")
    if members and not ours.keys() & members.keys():
        raise ValueError
    for member, name in ours.items():
        lines = members.pop(member, b"").splitlines()
        tables[name] = [loads(line.decode("utf-8-sig")) for line in lines if line.strip()]
    return Contents(tables, members, str(identity or _identity_by(path)), writing)


def write(path: Path, contents: Contents) -> None:
    """Write a ZIP; its comment, which Convex passes over, says which snapshot and writing it is.

    Tables have a number in it where the deployment has given them one: one of our own might be
    that of another table there, and the import would be refused.
    """
    signature = {"identity": contents.identity, "writing": secrets.token_hex(8)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if contents.tables["_tables"]:
            _write(archive, "_tables", contents.tables["_tables"])
        for name in TABLES:
            _write(archive, name, map(_with_floats, contents.tables[name]))
        for member, content in contents.others.items():
            archive.writestr(member, content)
        if contents.identity:
            archive.comment = json.dumps({"tmdbkit": signature}).encode()


def writing_of(path: Path) -> Writing:
    """Return which writing of a ZIP is there; nothing where there is none."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return _writing(file, archive)
    except FileNotFoundError:
        return ()
    except zipfile.BadZipFile:  # none that was ever read
        return (None,)


def pointing(
    tables: Mapping[str, list[Document]], others: Mapping[str, bytes], ids: Collection[str]
) -> Counter[tuple[str, str, str]]:
    """Count the documents that hold one of these ids in a field: by id, table and field."""
    theirs = {
        member.removesuffix("/documents.jsonl"): content.splitlines()
        for member, content in others.items()
        if member.endswith("/documents.jsonl") and not member.startswith("_")
    }
    wanted = {one.encode() for one in ids}
    rows = [(name, row) for name in TABLES for row in tables[name]]
    rows += [
        (table, loads(line.decode()))
        for table, lines in theirs.items()
        for line in lines
        if not wanted.isdisjoint(TEXT.findall(line))
    ]
    return Counter(
        (found, table, field)
        for table, row in rows
        for found, field in set(_texts({n: v for n, v in row.items() if n != "_id"}, ""))
        if found in ids
    )


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield all texts in a value, each with its path."""
    if isinstance(value, str):
        yield value, path
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _texts(part, f"{path}.{name}" if path else name)


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Wait until nobody else writes a snapshot in a folder, be it a process or an object here.

    The folder itself is locked: so nothing is left lying, and the kernel ends it at a kill. Where
    there are no locks, as on Windows and in some networks, whoever comes second sees the other one
    all the same, unless both write in the same instant.
    """
    handle = os.open(folder, os.O_RDONLY) if sys.platform != "win32" else None
    try:
        if handle is not None and sys.platform != "win32":
            import fcntl

            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _writing(file: IO[bytes], archive: zipfile.ZipFile) -> Writing:
    """Return what changes whenever somebody writes it, be it with another tool."""
    there = os.fstat(file.fileno())
    return (archive.comment, there.st_size, there.st_mtime_ns, there.st_ino)


def _signature(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return what `sign` wrote, or nothing."""
    try:
        return dict(json.loads(archive.comment)["tmdbkit"])
    except (ValueError, KeyError, TypeError):
        return {}


def _identity_by(path: Path) -> str:
    """Return the identity of a snapshot that was never written to: by its place, as written."""
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]


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
