"""What MDBList and OMDb have in common: a key in the address, a daily quota, numbers as text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypedDict, Unpack

import polars as pl
import requests

from tmdbkit.exceptions import PassingFault, QuotaUsedUp, ServiceError, SettingsError, UsageError
from tmdbkit.http.answers import read_told
from tmdbkit.http.credentials import Credential
from tmdbkit.http.retry import passing_kind
from tmdbkit.http.service import Service
from tmdbkit.http.session import Connected, Session
from tmdbkit.ratings.model import FAILED, MOST_VOTES, RATINGS, Collected, Cost
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.settings import Secret, Settings

LIMIT_REACHED = re.compile(r"limit\b.*\b(reached|exceeded)", re.IGNORECASE)
KEY_REFUSED = re.compile(r"\bapi ?key\b", re.IGNORECASE)
UNKNOWN = {"", "N/A", "TBD", "NULL", "NONE"}


class Timing(TypedDict, total=False):
    """What a session waits by and tells the time by, as `Session` has it."""

    clock: Callable[[], float]
    sleep: Callable[[float], object] | None
    now: Callable[[], datetime]
    jitter: Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class KeyedService(Service):
    """A service that takes its key in the address, and tells its errors with any status.

    Attributes:
        key: What goes into the parameter `apikey`.
    """

    key: Secret

    @property
    def credential(self) -> Credential:
        """The key, in the address."""
        return Credential(self.key, "apikey")

    def complaint(self, body: Any) -> str | None:
        """Return the words of a body that is an error, None for one that is what was asked for."""
        raise NotImplementedError

    def by_words(self, status: int, words: str) -> tuple[type[ServiceError], str] | None:
        """Return the error that only its words tell from others."""
        return self.key_refused(status) if KEY_REFUSED.search(words) else None

    def error_of(
        self, response: requests.Response, path: str, now: datetime
    ) -> ServiceError | None:
        """Return what is wrong with an answer: by a status that passes, else by its words.

        A 429 is both a rate and a quota. A page that is no JSON has no words, and with a 200 the
        session finds it out.
        """
        words = self._words(response)
        status = response.status_code
        passing = passing_kind(status)
        if passing is not PassingFault and _is_last(response, words or ""):
            return self.used_up(response.headers, now, words or "")
        if words is None:
            return super().error_of(response, path, now)
        meaning = None if passing else self.by_words(status, words)
        if meaning is None and response.ok:
            meaning = PassingFault, "answered 200, but not with ratings"
        meaning = meaning or self.by_status(status)
        return self.refusal(meaning, response, path, now, message=words)

    def used_up(self, headers: Mapping[str, str], now: datetime, words: str = "") -> QuotaUsedUp:
        """Return the error that says when to go on."""
        resets_at = _resets_at(headers, now)
        when = f"after {resets_at:%Y-%m-%d %H:%M} UTC" if resets_at else "tomorrow"
        return QuotaUsedUp(
            f"{self.name}'s quota of requests is used up; run the same command again {when}, "
            "it goes on from here",
            message=words,
            retry_after=(resets_at - now).total_seconds() if resets_at else None,
        )

    def _words(self, response: requests.Response) -> str | None:
        """Return the complaint."""
        told = read_told(response)
        return None if told is None else self.complaint(told)


def _is_last(response: requests.Response, words: str) -> bool:
    """Tell whether an answer says that the quota allows no more."""
    told = response.status_code == 429 and nothing_left(response.headers)
    return told or LIMIT_REACHED.search(words) is not None


def nothing_left(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer was the last one that the quota allows."""
    return headers.get("X-RateLimit-Remaining", "").strip() == "0"


def _resets_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Read when a quota begins anew, in seconds since 1970, where that can be meant."""
    try:
        at = datetime.fromtimestamp(float(headers.get("X-RateLimit-Reset", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if now < at < now + timedelta(days=32) else None


class WebProvider(Connected):
    """A provider that is asked over HTTP with a key; closing it closes its session.

    Args:
        settings: Keys, addresses, folders; default `Settings.from_env()`.
        daily: How many requests a day your plan allows.
        timing: `clock, sleep, now, jitter`, as `Session` has them.

    Attributes:
        name: Its name, by which the settings have its key and its address.
        title: Its name, for people.
        key: The setting that its key is in.
        key_from: Where a free one is had.

    Raises:
        SettingsError: There is no key, which only the cache can do without.
    """

    name: str
    title: str
    key: str
    key_from: str
    _service_type: type[KeyedService]
    _rate: float
    systems: tuple[str, ...]
    metered = True

    def __init__(
        self, settings: Settings | None = None, *, daily: int = 1000, **timing: Unpack[Timing]
    ) -> None:
        settings = settings or Settings.from_env()
        service = self._service_type(
            name=self.title,
            base_url=getattr(settings, f"{self.name}_base_url"),
            variable=f"{self.name.upper()}_BASE_URL",
            keys=self.key,
            rate=self._rate,
            key=getattr(settings, f"{self.name}_api_key"),
        )
        if daily < 1:
            raise UsageError(f"daily is {daily}; it must be 1 or more")
        if not service.key and not settings.offline:
            raise SettingsError(
                f"no key of {service.name}: set {service.keys} in the environment or in .env; "
                f"one is free at {self.key_from}"
            )
        self.daily = daily
        self.service = service
        self.session = Session(service, settings, **timing)

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self.session.requests

    def cost(self, wanted: pl.DataFrame) -> Cost:
        """Return how many requests, and how many days of the plan's quota, `collect` would take."""
        count = self._requests_for(wanted)
        return Cost(count, math.ceil(count / self.daily))

    def _requests_for(self, wanted: pl.DataFrame) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.session!r})"


class Rating(NamedTuple):
    """What one system says of a movie, the points on its own scale."""

    system: str
    points: float | None
    votes: int | None


@dataclass(frozen=True)
class Found:
    """What a provider says of one movie, or why not all of that is known."""

    tmdb_id: int
    fetched_at: datetime
    ratings: Sequence[Rating] = ()
    reason: str = ""


def collected(provider: str, found: Sequence[Found]) -> Collected:
    """Return as frames what was found; a system that has neither points nor votes is left out."""
    rows = [
        (movie.tmdb_id, *rating, movie.fetched_at)
        for movie in found
        for rating in movie.ratings
        if rating.points is not None or rating.votes
    ]
    names = ("tmdb_id", "system", "points", "votes", "fetched_at")
    frame = pl.DataFrame(rows, {name: RATINGS[name] for name in names}, orient="row")
    failed = [(movie.tmdb_id, movie.reason) for movie in found if movie.reason]
    return Collected(
        asked=[movie.tmdb_id for movie in found if not movie.reason],
        ratings=as_ratings(frame, provider),
        failed=pl.DataFrame(failed, FAILED, orient="row"),
    )


def each_readable(
    items: Any, read: Callable[[Mapping[str, Any]], Rating | None]
) -> tuple[list[Rating], str]:
    """Return the ratings in a list, and what is wrong with those that cannot be read.

    An odd one loses nothing but itself; of a system that is named twice the first counts.

    Args:
        items: What a provider lists.
        read: Reads one; None where it is of no system of ours.
    """
    if not isinstance(items or [], list):
        return [], "its ratings are no list"
    found: dict[str, Rating] = {}
    wrong: list[str] = []
    for item in items or []:
        try:
            rating = read(item) if isinstance(item, dict) else None
        except ValueError as error:
            wrong.append(str(error))
            continue
        if rating is not None:
            found.setdefault(rating.system, rating)
        elif not isinstance(item, dict):
            wrong.append("a rating is no object")
    return list(found.values()), "; ".join(wrong)


def number(value: object) -> float | None:
    """Return a number that stands there as one or as text, None where there is none.

    Raises:
        ValueError: It is something else.
    """
    if value is None or str(value).strip().upper() in UNKNOWN:
        return None
    if isinstance(value, str):
        value = value.replace(",", "")
    try:
        read = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        read = math.nan
    if not math.isfinite(read):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    return read


def within(value: object, highest: float) -> float | None:
    """Return a number from 0 to the highest that there can be, None where there is none.

    Raises:
        ValueError: It is something else.
    """
    read = number(value)
    if read is not None and not 0 <= read <= highest:
        raise ValueError(f"{read:g} is not between 0 and {highest:g}")
    return read


def votes(value: object) -> int | None:
    """Return a number of votes, None where it is not known.

    Raises:
        ValueError: It is something else.
    """
    read = within(value, MOST_VOTES)
    return None if read is None else int(read)
