"""What a session hands back: a body of JSON, or what is known of a file that it saved."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import requests

from tmdbkit.exceptions import PassingFault, RequestRefused
from tmdbkit.http.credentials import Credential
from tmdbkit.surrogates import decoded, loads, whole_json

MOST_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Answer:
    """One good answer.

    Attributes:
        text: The body as it was received.
        received_at: When it was received, which for a cached answer is earlier.
        cached: Whether it came from the cache.
        headers: As they were received; none where it is cached.
    """

    text: str
    received_at: datetime
    cached: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def value(self) -> Any:
        """The body, parsed when it is first asked for; the stage wants the text alone.

        Raises:
            RequestRefused: It is nested too deeply, or holds a number of thousands of digits.
        """
        try:
            return loads(self.text)
        except ValueError as error:
            raise RequestRefused("answered with JSON that cannot be read", status=200) from error


@dataclass(frozen=True)
class Download:
    """What came of downloading a file.

    Attributes:
        changed: Whether there is a new file; otherwise the server's is the one that we have.
        etag: The server's mark of this version, for the next time; "" where it gives none.
        last_modified: Since when the server has it, in its own words, or "".
        received_at: When it was asked for.
    """

    changed: bool
    etag: str
    last_modified: str
    received_at: datetime


def bound(response: requests.Response, path: str, credential: Credential | None) -> None:
    """Let no more of a body be read into memory than any good answer has, decoded, and no key.

    A server may repeat a key in any field, a header's too.
    """
    pieces, headers = response.iter_content, response.headers

    def counted(*args: Any, **options: Any) -> Iterator[bytes]:
        body = bytearray()
        for piece in pieces(*args, **options):
            body += piece
            if len(body) > MOST_BYTES:
                body.clear()  # the error's traceback would keep it, through all tries
                raise PassingFault(f"sends more than {MOST_BYTES // 2**20} MiB", path=path)
        yield bytes(body) if credential is None else credential.masked(bytes(body))

    response.iter_content = counted  # type: ignore[method-assign]
    if credential is not None:
        for name, value in headers.items():
            headers[name] = credential.masked(value.encode("latin-1")).decode("latin-1")


def read_json(response: requests.Response, path: str) -> str:
    """Return the body's text, which is a JSON object or list.

    Raises:
        PassingFault: It is not JSON, or was cut: an edge server's page, a broken proxy.
    """
    try:
        text = decoded(response.content)
    except UnicodeDecodeError:
        text = ""
    if not is_json(text):
        raise PassingFault("answered 200 without JSON", path=path, status=200)
    return whole_json(text)


def read_told(response: requests.Response) -> Any:
    """Return the JSON in which a service tells something; None for a page, a redirect, nothing."""
    if response.is_redirect:
        return None
    try:
        return loads(response.content.decode("utf-8-sig", "replace"))
    except ValueError:
        return None


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or list, whole and with nothing behind it.

    SQLite reads it six times as fast as `json`, builds nothing, and lets other threads run
    meanwhile; a connection to nothing takes it a twentieth of a millisecond.
    """
    if "\0" in text or not text.lstrip().startswith(("{", "[")):
        return False  # SQLite would read to a NUL and no further
    with closing(sqlite3.connect(":memory:")) as reader:
        if reader.execute("SELECT json_valid(?)", (text,)).fetchone()[0]:
            return True
    return _is_json_to_python(text)


def _is_json_to_python(text: str) -> bool:
    """Tell the same of what SQLite refuses: a NaN, which some servers write, is no cut answer."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
