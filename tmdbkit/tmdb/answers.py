"""What TMDB's answers mean: a good body, a fault that may pass, or one that will not."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import requests

from tmdbkit.exceptions import (
    CredentialsRefused,
    NotFound,
    PassingFault,
    RateLimited,
    RequestRefused,
    ServiceError,
    StopError,
)
from tmdbkit.tmdb.retry import PASSING_STATUSES, retry_after
from tmdbkit.tmdb.texts import is_json


@dataclass(frozen=True)
class Answer:
    """One good answer.

    Attributes:
        text: The body as it was received.
        received_at: When it was received, which for a cached answer is earlier.
        cached: Whether it came from the cache.
    """

    text: str
    received_at: datetime
    cached: bool

    @cached_property
    def value(self) -> Any:
        """The body, parsed when it is first asked for; the stage wants the text alone."""
        return json.loads(self.text)


def read_json(response: requests.Response, path: str) -> str:
    """Return the body's text, which is a JSON object or list.

    Raises:
        PassingFault: It is not JSON, or was cut: an edge server's page, a broken proxy.
    """
    try:
        text = response.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if not is_json(text):
        raise PassingFault("answered 200 without JSON", path=path, status=200)
    return text


def lifetime(path: str) -> timedelta:
    """Return how long a cached answer is fresh: configuration a week, details a day, lists an hour.

    Design, section 5.
    """
    if path.startswith(("/configuration", "/genre/")):
        return timedelta(weeks=1)
    if re.match(r"/(movie|person|collection|find)/(\d|tt\d)", path):
        return timedelta(days=1)
    return timedelta(hours=1)


def judge(response: requests.Response, path: str, now: datetime) -> ServiceError | None:
    """Return what TMDB's status and status_code mean, or None where all is well."""
    status = response.status_code
    if status == requests.codes.ok:
        return None
    code, message = _said(response)
    kind, reason = _kind(status, code)
    wait = retry_after(response, now) if issubclass(kind, PassingFault) else None
    return kind(reason, path=path, status=status, code=code, message=message, retry_after=wait)


INVALID_ID = 44  # comes with a 500, and stays wrong however often it is asked
SUSPENDED = 45


def _kind(status: int, code: int | None) -> tuple[type[ServiceError], str]:
    if status == requests.codes.unauthorized or code == SUSPENDED:
        return CredentialsRefused, (
            f"answered {status}: the key was refused; check TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY"
        )
    if status == requests.codes.not_found:
        if code is None:  # a gateway's page, or a wrong address: it says nothing of the movie
            return RequestRefused, "answered 404, but not as TMDB does; check TMDB_BASE_URL"
        return NotFound, "answered 404"
    if status == requests.codes.too_many_requests:
        return RateLimited, "answered 429"
    if status in PASSING_STATUSES and code != INVALID_ID:
        return PassingFault, f"answered {status}"
    if status // 100 == 3:
        return StopError, f"answered {status}, a redirect; check TMDB_BASE_URL"
    return RequestRefused, f"answered {status}"


def _said(response: requests.Response) -> tuple[int | None, str]:
    """Read TMDB's own code and message; an edge server's HTML says neither."""
    try:
        body = response.json()
    except ValueError:
        return None, ""
    if not isinstance(body, dict):
        return None, ""
    code = body.get("status_code")
    return (code if isinstance(code, int) else None), str(body.get("status_message") or "")[:200]
