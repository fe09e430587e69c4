"""Where files are kept whole: a folder of this machine, or a prefix in an object store."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tmdbkit.display import plain
from tmdbkit.exceptions import StageError, StopError
from tmdbkit.files import create_bytes, make_folder, write_bytes

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")
PATIENCE = timedelta(seconds=10)  # how long an object store is tried before it is an error
RETRIES = 5
LONGEST_MESSAGE = 160


@dataclass(frozen=True)
class Entry:
    """A file: its name, its bytes, when it was written, and a mark that moves with its content."""

    name: str
    size: int
    written_at: datetime
    mark: str


class Root(Protocol):
    """What a folder and an object store have in common: whole files or none.

    What cannot be read or written is an `OSError` with one line in its `strerror`.
    """

    @property
    def folder(self) -> Path | None:
        """The folder, where it is on this machine."""

    @property
    def full(self) -> str:
        """The whole path or address."""

    def under(self, name: str) -> Root:
        """Return what stands under that name."""

    def source(self, name: str) -> str:
        """Return the file's path or address, as polars takes it."""

    def entries(self) -> list[Entry]:
        """Return the files that stand right here, in no order."""

    def names_after(self, name: str) -> list[str]:
        """Return the names right here that sort after one, in no order: cheaper than `entries`."""

    def walk(self) -> Iterator[str]:
        """Yield the names of all files, those further down too, sorted."""

    def read(self, name: str) -> bytes:
        """Return a file's content; `FileNotFoundError` where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all, in place of an older one."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a file whole where there is none; of several who do, one is told that it did."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""


@contextmanager
def writing(root: Root) -> Iterator[None]:
    """Say of a write that fails what to do: nothing is lost by it."""
    try:
        yield
    except OSError as error:
        raise StopError(
            f"{root} cannot be written to ({error.strerror}); see to it that it can, "
            "and run the same again: it goes on from here"
        ) from error


def root_of(place: str | Path | Root) -> Root:
    """Return the root that a path or an address means.

    Raises:
        StageError: An address of another kind than `SCHEMES`, or without what can read it.
    """
    if not isinstance(place, str | Path):
        return place
    return Bucket.at(str(place)) if is_address(str(place)) else Folder(Path(place).expanduser())


def is_address(place: str) -> bool:
    """Tell whether it is an address; one whose second slash a `Path` swallowed is one as well."""
    return re.match(r"[a-z][a-z0-9+.-]+:/", place, re.IGNORECASE) is not None


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, made with its first file."""

    folder: Path

    @property
    def full(self) -> str:
        """The whole path."""
        return str(self.folder.resolve())

    def under(self, name: str) -> Folder:
        """Return a folder in it."""
        return Folder(self.folder / name)

    def source(self, name: str) -> str:
        """Return the file's path."""
        return str(self.folder / name)

    def entries(self) -> list[Entry]:
        """Return the files in it; one that goes while they are listed is not among them."""
        found = []
        with suppress(FileNotFoundError), os.scandir(self.folder) as listed:
            for file in listed:
                with suppress(FileNotFoundError):
                    facts = file.stat()
                    at = datetime.fromtimestamp(facts.st_mtime, UTC)
                    mark = str(facts.st_ctime_ns)  # nobody sets that back
                    found.append(Entry(file.name, facts.st_size, at, mark))
        return found

    def names_after(self, name: str) -> list[str]:
        """Return the names in it that sort after one."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return [found for found in os.listdir(self.folder) if found > name]
        return []

    def walk(self) -> Iterator[str]:
        """Yield the names of all files, those in its folders too, sorted."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                yield path.relative_to(self.folder).as_posix()

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; the folder is made where there is none."""
        make_folder(self.folder)
        write_bytes(self.folder / name, content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file whole where there is none, and tell whether there was none."""
        make_folder(self.folder)
        return create_bytes(self.folder / name, content)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        (self.folder / name).unlink(missing_ok=True)

    def __str__(self) -> str:
        return str(self.folder)


class Bucket:
    """A prefix in an object store, where each object is whole or not there by itself.

    Credentials, region and endpoint are what the environment says: `AWS_…`, `GOOGLE_…`, `AZURE_…`.
    The store begins at the address that was opened, and the prefix, which ends in a slash, there.
    """

    folder = None

    def __init__(self, address: str, store: ObjectStore, prefix: str = "") -> None:
        self.full = address
        self._store = store
        self._prefix = prefix

    @classmethod
    def at(cls, address: str) -> Bucket:
        """Open an address.

        Raises:
            StageError: It is of another kind than `SCHEMES`, means something else to those who read
                it, or has a key in it; or obstore is not installed.
        """
        scheme, _, rest = address.partition(":")
        scheme, place = scheme.lower(), rest.strip("/")
        whole = f"{scheme}://{place}"
        _check(scheme, place)
        try:
            from obstore.store import from_url
        except ImportError:
            raise StageError(
                f"{scheme}:// needs a package more: pip install 'tmdbkit[cloud]'"
            ) from None
        with _speaking(whole):
            store = from_url(
                whole, retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE}
            )
        return cls(whole, store)

    def under(self, name: str) -> Bucket:
        """Return a longer prefix."""
        return Bucket(self.source(name), self._store, f"{self._prefix}{name}/")

    def source(self, name: str) -> str:
        """Return the object's address."""
        return f"{self.full}/{name}"

    def entries(self) -> list[Entry]:
        """Return the objects right under the prefix."""
        with _speaking(self.full):
            listed = self._store.list_with_delimiter(self._prefix or None)["objects"]
        return [
            Entry(
                *(item["path"].rpartition("/")[2], item["size"], item["last_modified"]),
                mark=item["e_tag"] or "",
            )
            for item in listed
        ]

    def names_after(self, name: str) -> list[str]:
        """Return the names of the objects that sort after one; the store looks no further back."""
        with _speaking(self.full):
            after = self._prefix + name or None
            listed = self._store.list(self._prefix or None, offset=after).collect()
        return [item["path"].removeprefix(self._prefix) for item in listed]

    def walk(self) -> Iterator[str]:
        """Yield the names of all objects under the prefix, sorted."""
        with _speaking(self.full):
            listed = self._store.list(self._prefix or None).collect()
        yield from sorted(item["path"].removeprefix(self._prefix) for item in listed)

    def read(self, name: str) -> bytes:
        """Return an object's content."""
        with _speaking(self.full):
            return bytes(self._store.get(self._prefix + name).bytes())

    def write(self, name: str, content: bytes) -> None:
        """Write an object; until all of it has come, the older one stands."""
        with _speaking(self.full):
            self._store.put(self._prefix + name, content)

    def create(self, name: str, content: bytes) -> bool:
        """Write an object where there is none, and tell whether there was none."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            self._store.put(self._prefix + name, content, mode="create")
        except AlreadyExistsError:
            return False
        except BaseError:  # a store that knows no conditions: written, or said as ever
            self.write(name, content)
        return True

    def remove(self, name: str) -> None:
        """Delete an object, if it is there."""
        with _speaking(self.full), suppress(FileNotFoundError):
            self._store.delete(self._prefix + name)

    def __str__(self) -> str:
        return self.full


def _check(scheme: str, place: str) -> None:
    """Make sure that polars and the store's client both take an address for what it says."""
    bucket, *parts = place.split("/")
    if "@" in bucket or ":" in bucket:  # the address is not repeated: it may hold a key
        raise StageError(
            f"{scheme}://… has a key or a port in it; those belong into the environment, such as "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"
        )
    if scheme not in SCHEMES or not place:
        kinds = ", ".join(f"{name}://" for name in SCHEMES)
        raise StageError(
            f"{scheme}://{place} cannot be a stage; a stage is a folder, or one of {kinds}"
        )
    if re.search(r"[#?%\\\x00-\x1f\x7f]", place) or {"", ".", ".."}.intersection(parts):
        raise StageError(
            f"{scheme}://{place} cannot be a stage; #, ?, %, \\, // and the parts . and .. mean "
            "something else in an address"
        )


@contextmanager
def _speaking(address: str) -> Iterator[None]:
    """Turn what an object store's client says, over many lines, into an `OSError` of one."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(2, said_in_one_line(error), address) from None
    except (BaseError, OSError) as error:
        raise OSError(5, said_in_one_line(error), address) from None


def said_in_one_line(error: BaseException) -> str:
    """Return the first line of what an error says, without a query, which may hold a signature."""
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return plain(re.sub(r"\?\S+", "", first), LONGEST_MESSAGE)
