"""Files written whole or not at all, and on the disk: a power cut leaves the old one or the new."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# How a file system, or Windows, says that it does not sync folders; other errors are the disk's.
REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EISDIR, errno.EBADF),
    *(errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP),
}


_ASIDE = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp")
ABANDONED = timedelta(hours=1)  # whoever writes a file touches it all the time


def aside_of(path: Path) -> Path:
    """Return a name beside a file, under which it is written until it is whole."""
    # Neither polars nor we look at names that begin with a dot and end in .tmp.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def sweep(folder: Path, *names: str, now: datetime | None = None) -> None:
    """Delete what writers that were killed left of some files, or of all in a folder of ours.

    Args:
        folder: Where the files are, or would be.
        names: The files' names; by default any.
        now: The time of day, by which nobody has touched it for an hour.
    """
    oldest = ((now or datetime.now(UTC)) - ABANDONED).timestamp()
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            aside = _ASIDE.fullmatch(entry.name)
            if aside and (not names or aside[1] in names):
                with suppress(OSError):  # gone meanwhile; or it may stay
                    if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < oldest:
                        os.unlink(entry.path)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a file to write, which takes the place of `path` at the end, or is gone on an error.

    A device or a pipe, such as `/dev/null`, is written itself: no file may take its place.
    """
    is_special = path.exists() and not (path.is_file() or path.is_dir())
    aside = path if is_special else aside_of(path)
    try:
        yield aside
        if not is_special:
            _sync(aside, os.O_RDWR)  # Windows syncs no file that was opened to read it
            aside.replace(path)
            _sync(path.parent, os.O_RDONLY)
    except OSError as error:
        if error.errno and error.filename in (None, str(aside)):
            error.filename = str(path)  # the name that whoever reads the error knows
        raise
    finally:
        if not is_special:
            with suppress(OSError):  # gone by its rename; or the error that led here is to be told
                aside.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_write(path) as aside:
        aside.write_bytes(content)


def create_bytes(path: Path, content: bytes) -> bool:
    """Write a file whole where there is none, and tell whether there was none."""
    aside = aside_of(path)
    try:
        aside.write_bytes(content)
        _sync(aside, os.O_RDWR)
        os.link(aside, path)
        _sync(path.parent, os.O_RDONLY)
    except FileExistsError:
        return False
    except OSError:  # no room, or a file system without links: written, or said as ever
        write_bytes(path, content)
    finally:
        aside.unlink(missing_ok=True)
    return True


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 whole or not at all; where `path` is a link, the file it leads to."""
    path = path.resolve() if path.is_file() else path
    sweep(path.parent, path.name)
    write_bytes(path, text.encode())


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where there is none."""
    made = list(takewhile(lambda place: not place.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for place in made:
        _sync(place.parent, os.O_RDONLY)


def _sync(place: Path, flags: int) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    try:
        opened = os.open(place, flags)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
