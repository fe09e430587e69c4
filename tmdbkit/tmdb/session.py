"""The session: cache ▸ retry ▸ pacer ▸ credentials ▸ network guard."""

from __future__ import annotations

import random
import threading
import time
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import requests

from tmdbkit.exceptions import (
    CredentialsRefused,
    HostUnreachable,
    OfflineError,
    RateLimited,
    ServiceError,
    SettingsError,
)
from tmdbkit.settings import Secret, Settings
from tmdbkit.tmdb.answers import Answer, judge, lifetime, read_json
from tmdbkit.tmdb.cache import SIX_MONTHS, AnswerCache
from tmdbkit.tmdb.pacer import Pacer
from tmdbkit.tmdb.retry import READ_TIMEOUT, Contact, backoff, check_patience, fault, retrying
from tmdbkit.tmdb.wire import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class TMDBSession:
    """A polite, cached connection to TMDB, for one thread or many.

    Args:
        settings: Keys, addresses, folders; default `Settings.from_env()`.
        offline: Answer from the cache alone; default as the settings say.
        cache: Whether to keep answers on disk.
        retries: How many tries follow the first for a fault that may pass.
        pool: How many connections are kept open.
        clock: Seconds that only grow.
        sleep: Waits so many seconds; the default ends at once on `interrupt`.
        now: The time of day.
        jitter: Draws from 0 to 1.
    """

    service = "TMDB"

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        offline: bool | None = None,
        cache: bool = True,
        retries: int = 3,
        pool: int = 64,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings or Settings.from_env()
        self.offline = self.settings.offline if offline is None else offline
        self.base_url = self.settings.tmdb_base_url
        self.pacer = Pacer(self.settings.rate, clock=clock, sleep=sleep)
        self.cache = AnswerCache.open(self.settings.cache, "tmdb") if cache else None
        self.requests = 0
        self.hits = 0
        self._clock, self._now = clock, now
        self._retrying = partial(retrying, retries, rest=self.pacer.rest, jitter=jitter)
        self._lock = threading.Lock()
        self._refused: CredentialsRefused | None = None
        self._contact = Contact()
        self._wire = connection(pool)
        self._environment = self._wire.merge_environment_settings(
            self.base_url, {}, False, None, None
        )

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        store: bool = True,
        refresh: bool = False,
    ) -> Answer:
        """Return the answer to a GET, from the cache where it is fresh there.

        Args:
            path: As TMDB documents it: "/movie/603".
            params: TMDB's own parameters; those that are None are left out.
            store: Whether a new answer is kept in the cache.
            refresh: Ask even where the cache has an answer.

        Raises:
            OfflineError: Offline, and not in the cache.
            NotFound: 404.
            RequestRefused: 400, 403, 422 and TMDB's code 44.
            PassingFault: It failed to the last retry.
            StopError: Refused credentials, or a host that does not answer.
        """
        request = self._prepare(path, params)
        if not refresh and (kept := self._read_cache(path, request)):
            return kept
        self._guard(path)
        answer = self._retry(path, request)
        if store and self.cache is not None:
            self.cache.store(request, answer.text)
        return answer

    def remember(self, path: str, params: Mapping[str, Any] | None, text: str) -> None:
        """Put an answer into the cache by hand, as recorded samples are."""
        if self.cache is not None:
            self.cache.store(self._prepare(path, params), text)

    def interrupt(self) -> None:
        """End the waits of all threads; `resume` allows them again."""
        self.pacer.interrupt()

    def resume(self) -> None:
        """Allow waiting again."""
        self.pacer.resume()

    def close(self) -> None:
        """Close the connections and the cache."""
        self._wire.close()
        if self.cache is not None:
            self.cache.close()

    def __enter__(self) -> TMDBSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The layers, from outside in.

    def _prepare(self, path: str, params: Mapping[str, Any] | None) -> requests.PreparedRequest:
        given = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in (params or {}).items()
        }
        request = requests.Request("GET", self.base_url + path, params=given)
        return self._wire.prepare_request(request)

    def _read_cache(self, path: str, request: requests.PreparedRequest) -> Answer | None:
        if self.cache is None:
            return None
        oldest = SIX_MONTHS if self.offline else lifetime(path)
        kept = self.cache.read(request, oldest, self._now())
        if kept is None:
            return None
        with self._lock:
            self.hits += 1
        return Answer(kept.text, kept.received_at, cached=True)

    def _retry(self, path: str, request: requests.PreparedRequest) -> Answer:
        loop = self._retrying()
        try:
            return loop(self._pace, path, request)
        except ServiceError as error:
            error.attempts = max(error.attempts, loop.statistics["attempt_number"])
            raise

    def _pace(self, path: str, request: requests.PreparedRequest) -> Answer:
        """Ask in a slot of the schedule; a pause is for every thread, and uses up no try."""
        began, pauses = self._clock(), 0
        while True:
            slot = self.pacer.wait()
            try:
                answer = self._send(path, request)
            except RateLimited as error:
                check_patience(error, self._clock() - began)
                pauses += 1
                wanted = error.retry_after
                self.pacer.rejected(slot, backoff(pauses) * 2 if wanted is None else wanted)
            except HostUnreachable as error:
                pauses += 1
                self.pacer.pause(self._contact.pause(error, self._clock() - began, pauses))
            else:
                return answer

    def _send(self, path: str, request: requests.PreparedRequest) -> Answer:
        """Send one request with credentials, and judge the answer.

        Errors are made outside of `except`, so that none carries, as its context, one of requests'
        own, which names the address with its key.
        """
        self._guard(path)
        if self._refused is not None:
            raise copy(self._refused)  # one that is raised twice drags the first traceback along
        signed = self._with_credentials(request)
        with self._lock:
            self.requests += 1
        outcome = self._exchange(path, signed)
        if isinstance(outcome, ServiceError):
            raise outcome
        self._contact.reached = True
        error = judge(outcome, path, self._now())
        if not isinstance(error, RateLimited):
            self.pacer.accepted()
        if isinstance(error, CredentialsRefused):
            self._refused = error
        if error is not None:
            raise error
        return Answer(read_json(outcome, path), self._now(), cached=False)

    def _guard(self, path: str) -> None:
        """Let nothing through offline: neither to wait for a slot, nor into the network."""
        if self.offline:
            raise OfflineError(
                f"offline, and the cache has no answer for {path}; "
                "run it once without TMDBKIT_OFFLINE=1 to fill the cache"
            )

    def _exchange(
        self, path: str, request: requests.PreparedRequest
    ) -> requests.Response | ServiceError:
        try:
            return self._wire.send(
                request,
                timeout=(self._contact.connect_timeout, READ_TIMEOUT),
                allow_redirects=False,
                **self._environment,
            )
        except (requests.RequestException, ValueError) as error:
            return fault(error, path, self.service, self.base_url, "TMDB_BASE_URL")

    def _with_credentials(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return a copy that carries the key; the original is what the cache knows."""
        signed = request.copy()
        if self.settings.tmdb_token:
            signed.headers["Authorization"] = _bearer(self.settings.tmdb_token)
        elif self.settings.tmdb_api_key:
            signed.prepare_url(signed.url, {"api_key": self.settings.tmdb_api_key.reveal()})
        else:
            raise SettingsError(
                "no TMDB credentials: set TMDB_READ_ACCESS_TOKEN (or TMDB_API_KEY) in the "
                "environment or in .env; a key is free at themoviedb.org under Settings, API"
            )
        return signed

    def __repr__(self) -> str:
        kept = f"{len(self.cache):,} cached answers" if self.cache is not None else "no cache"
        mode = "offline" if self.offline else "live"
        return f"TMDBSession({mode}, {kept}, {self.hits:,} hits, {self.requests:,} requests)"


def _bearer(token: Secret) -> str:
    """Return the header's value; the standard library would show a token that fits in none."""
    if not (token.reveal().isascii() and token.reveal().isprintable()):
        raise SettingsError(
            "TMDB_READ_ACCESS_TOKEN holds a line break or another character that no token has; "
            "copy it again from themoviedb.org under Settings, API"
        )
    return f"Bearer {token.reveal()}"
