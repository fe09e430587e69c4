"""The ZIP of a snapshot: read and written whole, by one writer at a time, and who it is.

What is not ours in it, such as stored files, is never decompressed: it is copied as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import IO, Any

from tmdbkit.convex.target import Document
from tmdbkit.surrogates import loads

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
        tables: Those of our tables that it has, and the table of tables.
        others: The names of all other members.
        identity: Which snapshot it is, wherever it lies; "" where that is not said.
        is_export: Whether it came from a deployment.
        writing: Which writing of it was read.
    """

    tables: dict[str, list[Document]]
    others: tuple[str, ...]
    identity: str
    is_export: bool = False
    writing: Writing = ()


def read(path: Path) -> Contents:
    """Read a ZIP; one of `UNREADABLE` is raised where it is none of Convex's."""
    if not path.exists():
        return Contents({"_tables": [], **{name: [] for name in TABLES}}, (), _identity_by(path))
    ours = {_member(name): name for name in ("_tables", *TABLES)}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = list(dict.fromkeys(archive.namelist()))
        if members and not ours.keys() & set(members):
            raise ValueError
        found = {ours[member]: archive.read(member) for member in members if member in ours}
        writing, signed = _writing(file, archive), _signature(archive)
    tables = {"_tables": [], **{name: _rows(content) for name, content in found.items()}}
    others = tuple(member for member in members if member not in ours)
    identity = str(signed.get("identity") or _identity_by(path))
    is_export = bool(signed.get("export", _is_export(tables, others)))
    return Contents(tables, others, identity, is_export, writing)


def is_signed(path: Path) -> bool:
    """Tell whether tmdbkit wrote a ZIP; one that came from a deployment has no signature."""
    with zipfile.ZipFile(path) as archive:
        return bool(_signature(archive))


def _is_export(tables: Mapping[str, list[Document]], others: Collection[str]) -> bool:
    """Tell whether tables were given ids by a deployment, or numbers where they have no rows."""
    rows = [row for name in TABLES for row in tables.get(name, ())]
    return bool(others) or any("_id" in row for row in rows) or bool(tables["_tables"] and not rows)


def write(path: Path, contents: Contents, source: Path) -> None:
    """Write a ZIP; its comment, which Convex passes over, says which snapshot and writing it is.

    Tables have a number in it where the deployment has given them one: one of our own might be that
    of another table there, and the import would be refused. Members that are not ours are copied
    from the `source`.
    """
    signature = {
        "identity": contents.identity,
        "export": contents.is_export,
        "writing": secrets.token_hex(8),
    }
    with path.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in contents.tables.items():
            if name in TABLES or rows:
                _write(archive, name, rows)
        if contents.others:
            with source.open("rb") as there, zipfile.ZipFile(there) as copied:
                for member in contents.others:
                    _copy(there, copied.getinfo(member), file, archive)
        if contents.identity:
            archive.comment = json.dumps({"tmdbkit": signature}).encode()


def write_lines(path: Path, rows: Iterable[Document]) -> None:
    """Write a table as a file of JSON lines, which `npx convex import --table` takes."""
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(map(_line, rows))


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
    tables: Mapping[str, list[Document]], path: Path, others: Iterable[str], ids: Collection[str]
) -> Counter[tuple[str, str, str]]:
    """Count the documents that hold one of these ids in a field: by id, table and field."""
    rows = [(name, row) for name in TABLES for row in tables[name]]
    theirs = [
        member
        for member in others
        if member.endswith("/documents.jsonl") and not member.startswith("_")
    ]
    held = chain(rows, _holding(path, theirs, {one.encode() for one in ids}))
    return Counter(
        (found, table, field)
        for table, row in held
        for found, field in set(_texts({n: v for n, v in row.items() if n != "_id"}, ""))
        if found in ids
    )


def _holding(
    path: Path, members: Sequence[str], wanted: set[bytes]
) -> Iterator[tuple[str, Document]]:
    """Yield the documents of other tables that have one of these texts in them."""
    if not members:
        return
    with zipfile.ZipFile(path) as archive:
        for member in members:
            with archive.open(member) as lines:
                for line in lines:
                    if not wanted.isdisjoint(TEXT.findall(line)):
                        yield member.removesuffix("/documents.jsonl"), loads(line.decode())


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
def single_writer(folder: Path) -> Iterator[None]:
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


def _rows(content: bytes) -> list[Document]:
    return [loads(line.decode("utf-8-sig")) for line in content.splitlines() if line.strip()]


def _member(table: str) -> str:
    return f"{table}/documents.jsonl"


def _write(archive: zipfile.ZipFile, table: str, rows: Iterable[Document]) -> None:
    with (
        archive.open(_member(table), "w", force_zip64=True) as member,
        TextIOWrapper(member, encoding="utf-8", newline="\n") as lines,
    ):
        lines.writelines(map(_line, rows))


def _line(row: Document) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _copy(
    source: IO[bytes], member: zipfile.ZipInfo, file: IO[bytes], archive: zipfile.ZipFile
) -> None:
    """Append a member as it is compressed there; `zipfile` itself would do it all anew."""
    copied = copy(member)
    copied.extra = b""  # that of the central directory; sizes beyond 4 GiB are noted anew
    copied.flag_bits &= ~_SIZES_FOLLOW
    copied.header_offset = file.tell()
    file.write(copied.FileHeader())
    source.seek(member.header_offset)
    name, extra = _LOCAL_HEADER.unpack(source.read(_LOCAL_HEADER.size))
    source.seek(name + extra, os.SEEK_CUR)
    left = member.compress_size
    while left:
        piece = source.read(min(left, _PIECE))
        if not piece:
            raise zipfile.BadZipFile
        file.write(piece)
        left -= len(piece)
    archive.filelist.append(copied)
    archive.NameToInfo[copied.filename] = copied
    archive.start_dir = file.tell()


_LOCAL_HEADER = struct.Struct("<26x2H")  # what matters of it: how long the name and the extra are
_SIZES_FOLLOW = 0x08
_PIECE = 2**20
