"""TMDB as a service, the session that speaks to it, and what its answers look like."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tmdbkit import progress
from tmdbkit.exceptions import NotFound, PassingFault, RequestRefused, ServiceError, SettingsError
from tmdbkit.http.answers import read_told
from tmdbkit.http.credentials import Credential
from tmdbkit.http.retry import passing_kind
from tmdbkit.http.service import Service
from tmdbkit.http.session import Session
from tmdbkit.settings import Secret, Settings
from tmdbkit.settings.arguments import checked
from tmdbkit.surrogates import loads

INVALID_ID = 44  # comes with a 500, and stays wrong however often it is asked
SUSPENDED = 45
_OF_THE_REQUEST = (400, 422)  # refused for good, where TMDB says so; a proxy may, too
_OWN_WORDS = {"status_code", "status_message", "errors", "success"}
# The sections that a movie is asked for with, and the lists in them.
SECTIONS = {
    "credits": ("cast", "crew"),
    "keywords": ("keywords",),
    "release_dates": ("results",),
    "videos": ("results",),
}


@checked
class TMDBSession(Session):
    """A polite, cached connection to TMDB, for one thread or many.

    Args:
        settings: Keys, addresses, folders; default `Settings.from_env()`.
        offline: Answer from the cache alone; default as the settings say.
        cache: Whether to keep answers on disk.
        retries: How many tries follow the first for a fault that may pass.
        pool: How many connections are kept open.
        reached: Whether TMDB is known to be there, so that an outage is waited for from the start.
        clock: Seconds that only grow.
        sleep: Waits so many seconds; the default ends at once on `interrupt`.
        now: The clock.
        jitter: Draws from 0 to 1.
    """

    service: TMDBService

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        offline: bool | None = None,
        cache: bool = True,
        retries: int = 3,
        pool: int = 64,
        reached: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        settings = settings or Settings.from_env()
        super().__init__(
            TMDBService.of(settings),
            settings,
            offline=offline,
            cache=cache,
            retries=retries,
            pool=pool,
            clock=clock,
            sleep=sleep,
            now=now,
            jitter=jitter,
        )
        self._contact.reached = reached

    def as_settings(self) -> Settings:
        """Return the settings by which another process opens the same session.

        Of all keys they have TMDB's alone, and of its two the one that is sent.
        """
        token, api_key = self.service.token, self.service.api_key
        return replace(
            self.settings.keyless(),
            offline=self.offline,
            tmdb_token=token,
            tmdb_api_key=Secret() if token else api_key,
        )

    @contextmanager
    def speaking(self, language: str) -> Iterator[None]:
        """Ask in a language for the time of a `with`."""
        usual = self.settings
        self.settings = replace(usual, languages=(language, *usual.languages[1:]))
        try:
            yield
        finally:
            self.settings = usual

    def ask_for_key(self) -> bool:
        """Ask a person for a key where one is missing and can be asked for; tell if it came.

        Never offline.
        """
        if self.offline or self.service.has_key:
            return False
        typed = Secret(progress.ask("TMDB read access token or API key, which is not shown: "))
        self.service = self.service.with_key(typed)
        return bool(typed)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.ask_for_key()
        return super()._sign(request)


@dataclass(frozen=True, kw_only=True)
class TMDBService(Service):
    """TMDB: a token in a header or a key in the address, and codes of its own in the answers.

    The token is the read access token of v4, and is preferred over the key, which is of v3.
    """

    token: Secret
    api_key: Secret

    @classmethod
    def of(cls, settings: Settings) -> TMDBService:
        """Return it as the settings describe it; a token and a key are known by their form."""
        token, api_key = settings.tmdb_token, settings.tmdb_api_key
        if _is_token(api_key) and (not token or _is_api_key(token)):
            token, api_key = api_key, token
        elif _is_api_key(token):
            token, api_key = Secret(), api_key or token
        return cls(
            name="TMDB",
            base_url=settings.tmdb_base_url,
            variable="TMDB_BASE_URL",
            rate=settings.rate,
            keys="TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY",
            token=token,
            api_key=api_key,
        )

    @property
    def has_key(self) -> bool:
        """Whether there is a token or a key."""
        return bool(self.token or self.api_key)

    def with_key(self, key: Secret) -> TMDBService:
        """Return it with a token or a key, whichever it is."""
        return replace(self, token=key) if _is_token(key) else replace(self, api_key=key)

    @property
    def credential(self) -> Credential:
        """The token, or else the key."""
        if self.token:
            _check(self.token)
            return Credential(self.token, "Authorization", "Bearer")
        if self.api_key:
            return Credential(self.api_key, "api_key")
        raise SettingsError(
            "no TMDB credentials: set TMDB_READ_ACCESS_TOKEN (or TMDB_API_KEY) in the "
            "environment or in .env; a key is free at themoviedb.org under Settings, API"
        )

    def lifetime(self, path: str) -> timedelta:
        """Return how long an answer is fresh: configuration a week, details a day, lists an hour.

        Design, section 5.
        """
        if path.startswith(("/configuration", "/genre/")):
            return timedelta(weeks=1)
        if re.match(r"/(movie|person|collection|find)/(\d|tt\d)", path):
            return timedelta(days=1)
        return timedelta(hours=1)

    def misfit(self, path: str, text: str) -> str:
        """Return what is wrong with the answer to a path, as "without its results"; "" if nothing.

        A path that is not known here may be answered with anything.
        """
        if re.fullmatch(r"/movie/\d+", path):
            return "" if _looks_whole(text) else _judged(text, _wrong_sections)
        for pattern, wrong in _SHAPES:
            if re.fullmatch(pattern, path):
                return _judged(text, wrong)
        return ""

    def error_of(
        self, response: requests.Response, path: str, now: datetime
    ) -> ServiceError | None:
        """Return what TMDB's status and status_code mean, or None where all is well."""
        status = response.status_code
        if status == requests.codes.ok:
            return None
        told = read_told(response)
        body = told if isinstance(told, dict) else {}
        code = body.get("status_code")
        code = code if isinstance(code, int) else None
        meaning = self._by_code(status, code) or self.by_status(status)
        if status in _OF_THE_REQUEST and not body.keys() & _OWN_WORDS:  # nothing of the movie
            meaning = PassingFault, f"answered {status}, but not as TMDB does; check the proxy"
        message = str(body.get("status_message") or "")
        return self.refusal(meaning, response, path, now, code=code, message=message)

    def _by_code(self, status: int, code: int | None) -> tuple[type[ServiceError], str] | None:
        """Return what only TMDB's own code tells; an edge server's page has none."""
        if code == INVALID_ID:
            return RequestRefused, f"answered {status}"
        if code == SUSPENDED and not passing_kind(status):
            return self.key_refused(status)
        if status == requests.codes.not_found and code is not None:
            return NotFound, "answered 404"
        return None


def _is_token(key: Secret) -> bool:
    """Tell whether it is one of v4: they have dots in them, as JWTs do."""
    return "." in key.reveal()


def _is_api_key(key: Secret) -> bool:
    """Tell whether it is one of v3."""
    return re.fullmatch("[0-9a-fA-F]{32}", key.reveal()) is not None


def _check(token: Secret) -> None:
    """Make sure that a token fits in a header."""
    if not (token.reveal().isascii() and token.reveal().isprintable()):
        raise SettingsError(
            "TMDB_READ_ACCESS_TOKEN holds a line break or another character that no token has; "
            "copy it again from themoviedb.org under Settings, API"
        )


def _judged(text: str, wrong: Callable[[Any], str]) -> str:
    try:
        return wrong(loads(text))
    except ValueError:
        return ""  # nested too deeply: told as such by whoever reads it


def _looks_whole(text: str) -> bool:
    """Tell whether all sections of a movie are sound, by its text: parsing it takes far longer."""
    return '"success":false' not in text and all(
        f'"{section}":{{"{lists[0]}":[' in text and all(f'"{name}":[' in text for name in lists)
        for section, lists in SECTIONS.items()
    )


def _wrong_sections(movie: Any) -> str:
    if not isinstance(movie, dict):
        return ""  # no movie: told as such when it is read
    wrong = [name for name in SECTIONS if name in movie and not _is_section(name, movie[name])]
    return f"with an error for {', '.join(wrong)}" if wrong else ""


def _is_section(name: str, section: Any) -> bool:
    return isinstance(section, dict) and all(
        isinstance(section.get(part), list) for part in SECTIONS[name]
    )


def _holding(name: str) -> Callable[[Any], str]:
    """Return what tells of an object that it lacks a list."""

    def wrong(answer: Any) -> str:
        found = answer.get(name) if isinstance(answer, dict) else None
        return "" if isinstance(found, list) else f"without its {name}"

    return wrong


def _page_of(name: str) -> Callable[[Any], str]:
    """Return what tells the same of an object that is a page of several."""

    def wrong(answer: Any) -> str:
        if lacks := _holding(name)(answer):
            return lacks
        pages = answer.get("total_pages", 1)
        counts = isinstance(pages, int) and not isinstance(pages, bool) and pages >= 0
        return "" if counts else "without a number of pages"

    return wrong


def _wrong_configuration(answer: Any) -> str:
    images = answer.get("images") if isinstance(answer, dict) else None
    return "" if isinstance(images, dict) else "without its images"


_SHAPES: tuple[tuple[str, Callable[[Any], str]], ...] = (
    (r"/movie/[a-z_]+|/(discover|search)/movie", _page_of("results")),
    (r"/list/\d+", _page_of("items")),
    (r"/collection/\d+", _holding("parts")),
    (r"/find/\w+", _holding("movie_results")),
    (r"/genre/movie/list", _holding("genres")),
    (r"/configuration", _wrong_configuration),
)
