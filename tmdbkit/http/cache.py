"""Answers kept on disk by requests-cache, as JSON; a broken cache is a miss, never an error."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests_cache.backends.sqlite import SQLiteCache
from requests_cache.models.response import CachedResponse

from tmdbkit.exceptions import SettingsWarning, UsageError
from tmdbkit.files import make_folder
from tmdbkit.http.answers import Answer, is_json
from tmdbkit.surrogates import whole_json

BUSY_TIMEOUT = 5000  # milliseconds that another process may hold the file
SIX_MONTHS = timedelta(days=180)  # TMDB's terms: no content is kept for longer
MOST_BYTES = 2**30
LEFT = 3 / 4  # of that, once it was more


class _Connection(sqlite3.Connection):
    """Gives up on a file that is locked or read-only; requests-cache tries an OperationalError on.

    It would wait for ever, and every thread behind it.
    """

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement, after `busy_timeout` at most."""
        try:
            return super().execute(sql, *parameters)
        except sqlite3.OperationalError as error:
            if sql.startswith("BEGIN"):
                raise sqlite3.DatabaseError(*error.args) from error
            raise


class _Unchanging(sqlite3.Connection):
    """Of a file that may only be read, in a folder that may: what would change it does nothing."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(f"{path.absolute().as_uri()}?immutable=1", uri=True, **options)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement that asks for something."""
        return super().execute(sql, *parameters) if sql.startswith("SELECT") else self.cursor()


class AnswerCache:
    """A folder's SQLite file of answers, keyed by method, address, sorted parameters and body.

    Only requests without credentials come here, so none can be in a key or in the file.
    """

    def __init__(self, folder: Path, name: str, *, is_fixed: bool = False) -> None:
        self.path = folder / f"{name}.sqlite"
        self._is_fixed = is_fixed
        self._is_broken = False
        self._store = SQLiteCache(
            self.path,
            serializer="json",
            wal=not is_fixed,
            busy_timeout=BUSY_TIMEOUT,
            factory=_Unchanging if is_fixed else _Connection,
        )
        if not is_fixed:
            self._store.delete(expired=True, vacuum=False)
            self._trim()
        with self._store.responses.connection() as connection:
            connection.execute("SELECT key, value, expires FROM responses LIMIT 1").fetchone()
        self._known = set(self._store.responses.keys())  # a miss need not ask the disk

    @classmethod
    def open(cls, folder: Path, name: str) -> AnswerCache | None:
        """Open it, or return None where nothing can be kept; one that may only be read is read.

        A file that is no cache, or a broken one, is set aside, and a new one begun.
        """
        path = folder / f"{name}.sqlite"
        with suppress(OSError, sqlite3.Error):
            make_folder(folder)
            if not all(os.access(place, os.W_OK) for place in (folder, path) if place.exists()):
                return cls(folder, name, is_fixed=True) if path.is_file() else None
            try:
                return cls(folder, name)
            except sqlite3.DatabaseError as error:
                if not (path.is_dir() or _says_broken(error)):
                    raise
            _set_aside(path)
            return cls(folder, name)
        return None

    def read(
        self, request: requests.PreparedRequest, max_age: timedelta, now: datetime
    ) -> Answer | None:
        """Return the answer to this request, where one is kept that is young enough.

        What another process has stored since this was opened is not looked for.
        """
        if _key(request) not in self._known:
            return None
        with suppress(Exception), self._watched():  # what cannot be read, for any reason, is a miss
            kept = self._store.get_response(_key(request))
            if kept is None:
                return None
            received_at = kept.created_at.replace(tzinfo=UTC)
            if now - received_at <= min(max_age, SIX_MONTHS):
                text = kept.content.decode()
                if is_json(text):
                    return Answer(whole_json(text), received_at, cached=True)
        return None

    def store(
        self, request: requests.PreparedRequest, text: str, received_at: datetime | None = None
    ) -> None:
        """Keep an answer under the request as it was before credentials were added."""
        response = requests.Response()
        response.status_code = 200
        response.url = str(request.url)
        response.request = request
        response.headers["Content-Type"] = "application/json; charset=utf-8"
        response.raw = urllib3.HTTPResponse(status=200, headers=response.headers)
        response._content = text.encode()  # requests has no public way to make one
        at = (received_at or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        with suppress(sqlite3.Error), self._watched():
            expires = datetime.now(UTC) + SIX_MONTHS
            kept = CachedResponse.from_response(response, created_at=at)
            self._store.save_response(kept, _key(request), expires)
            self._known.add(_key(request))

    def clear(self) -> int:
        """Empty it, and return how many answers there were.

        Raises:
            UsageError: Another process holds the file, or it may only be read.
        """
        if self._is_fixed:
            raise UsageError(f"{self.path} cannot be emptied: it may only be read")
        count = len(self)
        try:
            with self._store.responses.connection(commit=True) as connection:
                connection.execute("DELETE FROM responses")
            with self._store.responses.connection() as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise UsageError(f"{self.path} cannot be emptied: {error}") from error
        self._known.clear()
        return count

    def __len__(self) -> int:
        with suppress(sqlite3.Error):
            return len(self._store.responses)
        return 0

    def size(self) -> int:
        """Return the bytes on disk."""
        return sum(part.stat().st_size for part in self.path.parent.glob(f"{self.path.name}*"))

    def close(self) -> None:
        """Close the file; one that turned out to be broken is set aside."""
        with suppress(OSError, sqlite3.Error):
            if not self._is_fixed:
                self._trim()
        self._store.close()  # type: ignore[no-untyped-call]
        with suppress(OSError):
            if self._is_broken:
                self._is_broken = False
                _set_aside(self.path)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Note whether what fails says that the file is broken."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._is_broken |= _says_broken(error)
            raise

    def _trim(self) -> None:
        """Leave the newest answers alone where there is more than there may be."""
        with self._store.responses.connection() as connection:
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        kept = (pages - free) * size
        if kept <= MOST_BYTES:
            return
        surplus = round(len(self) * (1 - LEFT * MOST_BYTES / kept))
        oldest = "SELECT key FROM responses ORDER BY expires LIMIT ?"
        with self._store.responses.connection(commit=True) as connection:
            connection.execute(f"DELETE FROM responses WHERE key IN ({oldest})", [surplus])  # noqa: S608 - a constant
        with self._store.responses.connection() as connection:
            connection.execute("VACUUM")


def _says_broken(error: sqlite3.DatabaseError) -> bool:
    """Tell whether a file is damaged, no database, or one of other columns; none of it passes."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    foreign = "no such column" in str(error)
    return foreign or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _set_aside(path: Path) -> None:
    """Give what is broken another name, with what belongs to it, and say so."""
    names = (path.with_name(f"{path.name}.broken-{number}") for number in count(1))
    aside = next(name for name in names if not name.exists())
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.rename(aside)
    warnings.warn(
        f"the cache {path} cannot be read: it is {aside.name} now, and a new one is begun",
        SettingsWarning,
        stacklevel=2,
    )


def _key(request: requests.PreparedRequest) -> str:
    """Return a request's key, for any order of its parameters.

    requests-cache's own takes half a millisecond to make, a sixth of what a movie costs.
    """
    address, _, query = str(request.url).partition("?")
    text = f"{request.method} {address}?{'&'.join(sorted(query.split('&')))}"
    body = request.body or b""
    asked = text.encode() + (body.encode() if isinstance(body, str) else body)
    return blake2b(asked, digest_size=16).hexdigest()
