"""A session with any service: cache ▸ retry ▸ pacer ▸ credentials ▸ network guard."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import requests

from tmdbkit.display import draw_facts
from tmdbkit.exceptions import (
    CredentialsRefused,
    HostUnreachable,
    NotFound,
    OfflineError,
    PassingFault,
    RateLimited,
    ServiceError,
)
from tmdbkit.http.answers import Answer, Download, read_json
from tmdbkit.http.files import save
from tmdbkit.http.pacer import Pacer, Waiting
from tmdbkit.http.retry import OutageWatch, Turn, retrying
from tmdbkit.http.service import Service
from tmdbkit.http.wire import Call, FileCall, Wire
from tmdbkit.progress import Progress, Silent
from tmdbkit.settings import Settings, without_login
from tmdbkit.settings.arguments import checked
from tmdbkit.surrogates import whole

if TYPE_CHECKING:
    from tmdbkit.http.cache import AnswerCache

Receive = Callable[[requests.Response], "T"]

T = TypeVar("T")

GRACE = 2.0  # seconds that what is under way has, once it is to end


class Connected:
    """What asks through a session, which is closed with it; at the end of a `with` by itself."""

    session: Session

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@checked
class Session(Connected):
    """A polite, cached connection to a service, for one thread or many.

    Args:
        service: What is asked, and how.
        settings: Where the cache is, and whether to stay offline.
        offline: Answer from the cache alone; default as the settings say.
        cache: Whether to keep answers on disk.
        retries: How many tries follow the first for a fault that may pass.
        pool: How many connections are kept open.
        clock: Seconds that only grow.
        sleep: Waits so many seconds; the default ends at once on `interrupt`.
        now: The clock.
        jitter: Draws from 0 to 1.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        *,
        offline: bool | None = None,
        cache: bool = True,
        retries: int = 3,
        pool: int = 8,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.service = service
        self.settings = settings
        self.offline = settings.offline if offline is None else offline
        self.base_url = without_login(service.base_url)
        self.pacer = Pacer(service.rate, clock=clock, sleep=sleep)
        self.cache = _opened(settings.cache, service.name.lower()) if cache else None
        self.requests = 0
        self.hits = 0
        self.now = now
        self._clock = clock
        self._retrying = partial(retrying, retries, rest=self.pacer.rest, jitter=jitter)
        self._lock = threading.Lock()
        self._refused: CredentialsRefused | None = None
        self._contact = OutageWatch()
        self._waiting = Waiting(clock)
        self._wire = Wire(service, pool)

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
            path: As the service documents it: "/movie/603".
            params: The service's own parameters; those that are None are left out.
            store: Whether a new answer is kept in the cache.
            refresh: Ask even where the cache has an answer.

        Raises:
            OfflineError: Offline, and not in the cache.
            NotFound: It says that there is no such thing.
            RequestRefused: It will never answer this.
            PassingFault: It failed to the last retry.
            StopError: Refused credentials, or a host that does not answer.
        """
        return self._answer(path, self._prepare("GET", path, params), store, refresh)

    def post(
        self, path: str, body: Mapping[str, Any], *, store: bool = True, refresh: bool = False
    ) -> Answer:
        """Return the answer to a POST that only asks, as `get` does, by its path and JSON body."""
        return self._answer(path, self._prepare("POST", path, json=body), store, refresh)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        receive: Receive[T],
        *,
        name: str,
    ) -> tuple[T, bool]:
        """Return what `receive` makes of the answer to a request that may change something.

        With it comes whether an earlier try may have been carried out, its answer lost; `lost` of
        an error says the same. Errors call it by its `name`.
        """
        self._guard(name)
        lost: list[ServiceError] = []
        try:
            received = self._retry(
                Call(name, self._prepare(method, path, json=body), receive), lost
            )
        except ServiceError as error:
            error.lost = bool(lost)
            raise
        return received, bool(lost)

    def download(
        self, path: str, to: Path, *, etag: str = "", progress: Progress | None = None
    ) -> Download:
        """Save a file as the server has it, whole or not at all; it is never held in memory.

        Args:
            path: Where it is under the service's address.
            to: Where it is saved, in a folder that exists; an older one there is replaced.
            etag: The mark of the version that is there already, which is not sent again.
            progress: Progress reporter; default none.

        Raises:
            OfflineError: Offline.
            ServiceError: As for `get`.
            OSError: It cannot be written.
        """
        self._guard(path)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if etag and to.exists():
            headers["If-None-Match"] = etag
        request = self._prepare("GET", path, headers=headers)
        return self._retry(
            FileCall(path, request, partial(self._save, path, to, progress or Silent()))
        )

    def remember(
        self,
        path: str,
        params: Mapping[str, Any] | None,
        text: str,
        received_at: datetime | None = None,
    ) -> None:
        """Put an answer into the cache by hand, as recorded samples are; default as of now."""
        if self.cache is not None:
            self.cache.store(self._prepare("GET", path, params), text, received_at)

    @property
    def waiting(self) -> str:
        """What all threads wait for, where that takes a while; "" where they go on."""
        return str(self._waiting)

    def interrupt(self) -> None:
        """End the waits of all threads, and what is under way in two seconds; until `resume`."""
        self.pacer.interrupt()
        self._wire.hurry(GRACE)

    def resume(self) -> None:
        """Allow waiting again."""
        self.pacer.resume()

    def close(self) -> None:
        """Close the connections and the cache."""
        self._wire.close()
        if self.cache is not None:
            self.cache.close()

    # The layers, from outside in.

    def _prepare(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, **rest: Any
    ) -> requests.PreparedRequest:
        given = {name: _as_sent(value) for name, value in (params or {}).items()}
        request = requests.Request(method, self.base_url + path, params=given, **rest)
        return self._wire.prepare(request)

    def _answer(
        self, path: str, request: requests.PreparedRequest, store: bool, refresh: bool
    ) -> Answer:
        if not refresh and (kept := self._read_cache(path, request)):
            return kept
        self._guard(path)
        answer = self._retry(Call(path, request, partial(self._read, path)))
        if store and self.cache is not None:
            self.cache.store(request, answer.text)
        return answer

    def _read_cache(self, path: str, request: requests.PreparedRequest) -> Answer | None:
        if self.cache is None:
            return None
        oldest = timedelta.max if self.offline else self.service.lifetime(path)
        kept = self.cache.read(request, oldest, self.now())
        if kept is None or self.service.misfit(path, kept.text):
            return None
        with self._lock:
            self.hits += 1
        return kept

    def _retry(self, call: Call[T], lost: list[ServiceError] | None = None) -> T:
        """Ask as often as it takes; `lost` is given the tries that may have been carried out."""
        loop, doubtful = self._retrying(call.is_used_up), [] if lost is None else lost

        def ask() -> T:
            try:
                return self._pace(call)
            except ServiceError as error:
                doubtful.extend([error] if error.lost else [])
                raise

        try:
            outcome: T = loop(ask)
        except ServiceError as error:
            error.attempts = max(error.attempts, loop.statistics["attempt_number"])
            raise
        return outcome

    def _pace(self, call: Call[T]) -> T:
        """Ask in a slot of the schedule; a pause is for every thread, and uses up no try."""
        began, turn, outages = self._clock(), Turn(), 0
        while True:
            slot = self.pacer.wait()
            try:
                outcome = self._send(call)
            except RateLimited as error:
                pause = turn.pause(error)
                self._hold(f"{self.service.name} {error.reason}", pause)
                self.pacer.rejected(slot, pause)
            except HostUnreachable as error:
                outages += 1
                pause = self._contact.pause(error, self._clock() - began, outages)
                self._hold(error.reason, pause)
            except PassingFault as error:
                lull = self._contact.lull(error, self.service, self._clock())
                self._hold(f"{self.service.name} {error.reason}", lull)
                raise
            except NotFound:
                self._contact.answered()
                raise
            except ServiceError as error:
                self._contact.refused(error, self.service)
                raise
            else:
                self._contact.answered()
                return outcome

    def _hold(self, cause: str, seconds: float) -> None:
        """Let nobody ask for so many seconds, if any; what holds longest is what is waited for."""
        if self._waiting.hold(cause, seconds):
            self.pacer.pause(seconds)

    def _send(self, call: Call[T]) -> T:
        """Send one request with credentials, and take the answer in.

        Errors are made outside of `except`, so that none carries, as its context, one of requests'
        own, which names the address with its key.
        """
        self._guard(call.path)
        if self._refused is not None:
            raise copy(self._refused)  # one that is raised twice drags the first traceback along
        signed = self._sign(call.request)
        with self._lock:
            self.requests += 1
            self._waiting.asked()
        outcome = self._wire.exchange(
            call, signed, self.service, self._contact.connect_timeout, partial(self._take, call)
        )
        if isinstance(outcome, CredentialsRefused):
            self._refused = outcome
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return self.service.sign(request)

    def _guard(self, path: str) -> None:
        """Let nothing through offline: neither to wait for a slot, nor into the network."""
        if self.offline:
            raise OfflineError(
                f"offline, and the cache has no answer for {path}; "
                "run it once without TMDBKIT_OFFLINE=1 to fill the cache"
            )

    # What an answer becomes.

    def _take(self, call: Call[T], response: requests.Response) -> T | ServiceError:
        self._contact.reached = True
        self._waiting.answered()
        refusal = self.service.error_of(response, call.path, self.now())
        if not isinstance(refusal, RateLimited):
            self.pacer.accepted()
        return call.receive(response) if refusal is None else refusal

    def _read(self, path: str, response: requests.Response) -> Answer:
        text = read_json(response, path)
        if wrong := self.service.misfit(path, text):
            raise PassingFault(f"answered 200, but {wrong}", path=path, status=200)
        return Answer(text, self.now(), cached=False, headers=response.headers)

    def _save(
        self, path: str, to: Path, progress: Progress, response: requests.Response
    ) -> Download:
        changed = response.status_code != requests.codes.not_modified
        if changed:
            save(response, to, path, progress)
        etag, since = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
        return Download(changed, etag, since, self.now())

    def __repr__(self) -> str:
        return f"{self.service.name}Session({', '.join(self._facts())})"

    def _repr_html_(self) -> str:
        names = ("network", "cache", "answered", "asked", "pace")
        return draw_facts(
            f"{self.service.name} session", list(zip(names, self._facts(), strict=True))
        )

    def _facts(self) -> tuple[str, ...]:
        return (
            "offline" if self.offline else "live",
            f"{len(self.cache):,} cached answers" if self.cache is not None else "no cache",
            f"{self.hits:,} hits",
            f"{self.requests:,} requests",
            f"{self.pacer.rate:.3g} a second at most",
        )


def _opened(folder: Path, name: str) -> AnswerCache | None:
    """Open a service's cache; one without, such as Convex, does not wait for its import."""
    from tmdbkit.http.cache import AnswerCache

    return AnswerCache.open(folder, name)


def _as_sent(value: Any) -> Any:
    """Return a parameter as an address can hold it."""
    if isinstance(value, bool):
        return str(value).lower()
    return whole(value) if isinstance(value, str) else value
