"""A file that comes over the network: saved whole or not at all, looked at before it is read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import requests

from tmdbkit.exceptions import PassingFault
from tmdbkit.files import atomic_write, sweep
from tmdbkit.http.deadline import extend, was_cut
from tmdbkit.progress import Progress, tracked

PIECE = 2**14  # bytes that are held in memory
MIB = 2**20
MOST_BYTES = 2 * 2**30
LONGEST_LINE, MOST_LINES = 2**20, 20_000_000  # of a packed file; those that we know have a tenth
SLOWEST, PATIENCE = 1024, 60.0  # bytes a second, and how long they may be fewer


def save(response: requests.Response, to: Path, path: str, progress: Progress) -> None:
    """Write an answer's bytes as they come, undecoded, and put them in place once all are there.

    Raises:
        PassingFault: There are fewer or more than the server said, or more than anybody wants.
    """
    size = response.headers.get("Content-Length", "")
    mebibytes = _in_time(response.raw.stream(PIECE, decode_content=False), path)
    sweep(to.parent, to.name)
    with atomic_write(to) as aside, aside.open("wb") as file:
        for some in tracked(mebibytes, progress, "downloading MiB", -(-int(size or 0) // MIB)):
            file.writelines(some)
        if was_cut() or (size and file.tell() != int(size)):
            raise PassingFault("the answer broke off", path=path)


def _in_time(pieces: Iterable[bytes], path: str) -> Iterator[list[bytes]]:
    """Yield about a mebibyte at a time; what comes too slowly is cut off by the watchdog."""
    some: list[bytes] = []
    total = held = new = 0
    for piece in pieces:
        some.append(piece)
        total, held, new = total + len(piece), held + len(piece), new + len(piece)
        if total > MOST_BYTES:
            raise PassingFault(f"sends more than {MOST_BYTES // 2**30} GiB", path=path)
        if new >= SLOWEST * PATIENCE:
            extend(PATIENCE)
            new = 0
        if held >= MIB:
            yield some
            some, held = [], 0
    if some:
        yield some


def check_lines(source: Path) -> None:
    """Make sure that what a packed file unpacks to fits into memory, read line by line.

    Raises:
        OSError: It is not packed by gzip, or a megabyte of it may become gigabytes.
    """
    total = lines = 0
    with suppress(EOFError, zlib.error), gzip.open(source) as file:  # a cut one is found out later
        while piece := file.read(LONGEST_LINE):
            found = piece.count(b"\n")
            total, lines = total + len(piece), lines + found
            if len(piece) == LONGEST_LINE and not found:
                raise OSError(f"it has a line of more than {LONGEST_LINE // MIB} MiB")
            if lines > MOST_LINES or total > MOST_BYTES:
                raise OSError(f"it has more than {MOST_LINES:,} lines, or {MOST_BYTES // MIB} MiB")
