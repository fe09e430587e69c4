"""Answers kept on disk by requests-cache, as JSON; a broken cache is a miss, never an error."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests_cache.backends.sqlite import SQLiteCache
from requests_cache.models.response import CachedResponse

from tmdbkit.exceptions import UsageError
from tmdbkit.files import make_folder
from tmdbkit.http.texts import is_json

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT = 5000  # milliseconds that another process may hold the file
SIX_MONTHS = timedelta(days=180)  # TMDB's terms: no content is kept for longer


@dataclass(frozen=True)
class CachedAnswer:
    """A body as it was received, and when."""

    text: str
    received_at: datetime


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


class AnswerCache:
    """A folder's SQLite file of answers, keyed by method, address, sorted parameters and body.

    Only requests without credentials come here, so none can be in a key or in the file.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.sqlite"
        self._store = SQLiteCache(
            self.path, serializer="json", wal=True, busy_timeout=BUSY_TIMEOUT, factory=_Connection
        )
        self._store.delete(expired=True, vacuum=False)
        self._known = set(self._store.responses.keys())  # a miss need not ask the disk

    @classmethod
    def open(cls, folder: Path, name: str) -> AnswerCache | None:
        """Open it, or return None where the folder cannot be written to: then nothing is kept."""
        with suppress(OSError, sqlite3.Error):
            make_folder(folder)
            if os.access(folder, os.W_OK):
                return cls(folder, name)
        return None

    def read(
        self, request: requests.PreparedRequest, max_age: timedelta, now: datetime
    ) -> CachedAnswer | None:
        """Return the answer to this request, where one is kept that is young enough.

        What another process has stored since this was opened is not looked for.
        """
        if _key(request) not in self._known:
            return None
        with suppress(Exception):  # a row that cannot be read, whatever the reason, is a miss
            kept = self._store.get_response(_key(request))
            if kept is None:
                return None
            received_at = kept.created_at.replace(tzinfo=UTC)
            if now - received_at <= min(max_age, SIX_MONTHS):
                text = kept.content.decode()
                return CachedAnswer(text, received_at) if is_json(text) else None
        return None

    def store(
        self, request: requests.PreparedRequest, text: str, received_at: datetime | None = None
    ) -> None:
        """Keep an answer under the request as it was before credentials were added.

        Args:
            request: What was asked.
            text: The answer's body.
            received_at: When it was received; default now.
        """
        response = requests.Response()
        response.status_code = 200
        response.url = str(request.url)
        response.request = request
        response.headers["Content-Type"] = "application/json; charset=utf-8"
        response.raw = urllib3.HTTPResponse(status=200, headers=response.headers)
        response._content = text.encode()  # requests has no public way to make one
        at = (received_at or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        with suppress(sqlite3.Error):
            expires = datetime.now(UTC) + SIX_MONTHS
            kept = CachedResponse.from_response(response, created_at=at)
            self._store.save_response(kept, _key(request), expires)
            self._known.add(_key(request))

    def clear(self) -> int:
        """Empty it, and return how many answers there were.

        Raises:
            UsageError: Another process holds the file.
        """
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
        """Close the file."""
        self._store.close()  # type: ignore[no-untyped-call]


def _key(request: requests.PreparedRequest) -> str:
    """Return a request's key, for any order of its parameters.

    requests-cache's own takes half a millisecond to make, a sixth of what a movie costs.
    """
    address, _, query = str(request.url).partition("?")
    text = f"{request.method} {address}?{'&'.join(sorted(query.split('&')))}"
    body = request.body or b""
    asked = text.encode() + (body.encode() if isinstance(body, str) else body)
    return blake2b(asked, digest_size=16).hexdigest()
