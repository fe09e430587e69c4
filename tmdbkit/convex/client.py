"""The HTTP wire to a Convex deployment: query and mutation; Convex's errors become ours."""

from __future__ import annotations

import random
import secrets
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import requests

from tmdbkit import __version__
from tmdbkit.convex import decoded
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.naming import title_of
from tmdbkit.convex.reading import movies_of
from tmdbkit.convex.verdict import judge, lacking_permissions
from tmdbkit.display import draw_facts
from tmdbkit.exceptions import (
    CredentialsRefused,
    HostUnreachable,
    RateLimited,
    ServiceError,
    SettingsError,
    StopError,
    TMDBKitError,
)
from tmdbkit.http.pacer import Pacer
from tmdbkit.http.retry import READ_TIMEOUT, Contact, Turn, fault, retrying
from tmdbkit.http.wire import connection
from tmdbkit.settings import Secret, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from tmdbkit.convex.target import Document, Page, Pointing

MODULE = "tmdbkit"
MOST_COUNTED = 100  # documents that point at a movie by one field
PACE = 1000.0  # requests a second, more than a push ever makes; a 429 teaches a slower one


class ConvexDeployment:
    """A Convex deployment with tmdbkit's functions in it.

    Args:
        url: Its address; default CONVEX_URL of the settings.
        key: Its deploy key; default CONVEX_DEPLOY_KEY of the settings.
        settings: Default `Settings.from_env()`.
        retries: How many tries follow the first for a fault that may pass.
        sleep: Waits so many seconds; the default ends at once on `interrupt`.
        clock: Seconds that only grow.
        jitter: Draws from 0 to 1.

    Raises:
        SettingsError: No address or key, or a key of another deployment.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | Secret | None = None,
        *,
        settings: Settings | None = None,
        retries: int = 8,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        settings = settings or Settings.from_env()
        pair = settings.convex_pair
        if pair.conflict and (url is None or key is None):
            raise SettingsError(pair.conflict)
        if url is not None:
            settings = replace(settings, convex_url=url.rstrip("/"))
        secret = Secret(key) if isinstance(key, str) else key
        self.url = settings.convex_url
        self._key = secret if secret is not None else settings.convex_key
        self.title = title_of(self.url, self._key, pair)
        self.origin = pair.note if url is None and key is None else ""
        self.offline = settings.offline
        self.requests = 0
        self._clock = clock
        self._pacer = Pacer(PACE, clock=clock, sleep=sleep)
        self._retrying = partial(retrying, retries, rest=self._pacer.rest, jitter=jitter)
        self._contact = Contact()
        self._lock = threading.Lock()
        self._wire = connection(16)

    # What every target can do.

    deferred = False

    def preflight(self, *, writing: bool) -> None:
        """Make sure that the key may do what is asked, and that the functions are there.

        Raises:
            StopError: It is pointless to begin.
        """
        try:
            allowed = self._ask("GET", "/api/check_admin_key", None)
        except StopError as error:
            if error.status != 404:  # not every backend has it; the first query tells then
                raise
            return
        if lacking := lacking_permissions(allowed, writing=writing):
            raise CredentialsRefused(
                f"CONVEX_DEPLOY_KEY lacks the permission {' and '.join(lacking)}; make a key that "
                "has it in the Convex dashboard under Settings, Deploy keys"
            )

    def contract(self) -> Contract:
        """Return what its tables accept."""
        return Contract.read(self.query("contract"))

    def documents(self, tmdb_ids: Sequence[int]) -> list[Document]:
        """Return all documents of movies with these ids, repeated ones too."""
        found = self.query("moviesByTmdbIds", tmdb_ids=list(tmdb_ids))
        return decoded.movies(found, "moviesByTmdbIds")

    def movies(self) -> pl.DataFrame:
        """Return all documents of movies as a frame."""
        return movies_of(self)

    def slug_owners(self, slugs: Sequence[str]) -> list[tuple[str, int]]:
        """Return `slug, tmdb_id` of the documents that have one of these slugs."""
        owners = decoded.documents(self.query("slugOwners", slugs=list(slugs)), "slugOwners")
        return decoded.slug_owners(owners)

    def page(self, table: str, cursor: str | None, size: int) -> Page:
        """Return a page of a table."""
        return decoded.page(self.query("page", table=table, cursor=cursor, size=size))

    def apply_movies(self, changes: Sequence[Document]) -> list[Document]:
        """Compare and set; return `tmdb_id, outcome, id, differs` for each change, in order."""
        lost: list[TMDBKitError] = []
        args = {"changes": list(changes)}
        answer = self._call("mutation", "applyMovies", args, lost)
        outcomes = decoded.outcomes(answer, changes)
        return [{**outcome, "lost": True} for outcome in outcomes] if lost else outcomes

    def add_people(self, people: Sequence[Document]) -> Document:
        """Add or rename rows of `crew`; return the counts created, updated, unchanged."""
        counts: Document = self.mutation("addPeople", people=list(people))
        return counts

    def add_genres(self, genres: Sequence[Document]) -> Document:
        """Add or rename rows of `genres`; return the counts created, updated, unchanged."""
        counts: Document = self.mutation("addGenres", genres=list(genres))
        return counts

    def pointing_at(self, tmdb_ids: Sequence[int]) -> list[Pointing]:
        """Return what points at these movies, as far as an index leads there."""
        found = self.query("pointingAt", tmdb_ids=list(tmdb_ids), most=MOST_COUNTED)
        return decoded.pointing(found, MOST_COUNTED)

    def flush(self) -> dict[int, Document]:
        """Nothing: a mutation that was answered is durable."""
        return {}

    def advice(self) -> tuple[str, ...]:
        """Nothing: what was sent is there."""
        return ()

    def interrupt(self) -> None:
        """End the waits of all threads; `resume` allows them again."""
        self._pacer.interrupt()

    def resume(self) -> None:
        """Allow waiting again."""
        self._pacer.resume()

    # The wire.

    def query(self, name: str, **args: Any) -> Any:
        """Return what one of tmdbkit's queries returns."""
        return self._call("query", name, args)

    def mutation(self, name: str, **args: Any) -> Any:
        """Return what one of tmdbkit's mutations returns."""
        return self._call("mutation", name, args)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def __enter__(self) -> ConvexDeployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(
        self, kind: str, name: str, args: Document, lost: list[TMDBKitError] | None = None
    ) -> Any:
        # As Convex's own clients do: plain JSON would lose Int64, bytes, and what is no number.
        encoded = {"args": [args], "format": "convex_encoded_json"}
        body = {"path": f"{MODULE}:{name}", **encoded}
        return self._ask("POST", f"/api/{kind}", body, lost)

    def _ask(
        self,
        method: str,
        path: str,
        body: Document | None,
        lost: list[TMDBKitError] | None = None,
    ) -> Any:
        """Ask as often as it takes; `lost` is given the tries that may have been carried out."""
        if self.offline:
            raise StopError("offline (TMDBKIT_OFFLINE=1); push to --snapshot DIR instead")
        loop, doubtful = self._retrying(), lost if lost is not None else []

        def ask() -> Any:
            try:
                return self._pace(method, path, body)
            except TMDBKitError as error:
                doubtful.extend([error] if error.lost else [])
                raise

        try:
            return loop(ask)
        except TMDBKitError as error:
            error.lost = bool(doubtful)
            if isinstance(error, ServiceError):
                error.attempts = max(error.attempts, loop.statistics["attempt_number"])
            raise

    def _pace(self, method: str, path: str, body: Document | None) -> Any:
        """Ask in a slot of the schedule; a pause is for every thread, and uses up no try."""
        began, turn, outages = self._clock(), Turn(), 0
        while True:
            slot = self._pacer.wait()
            try:
                value = self._send(method, path, body)
            except RateLimited as error:
                self._pacer.rejected(slot, turn.pause(error))
            except HostUnreachable as error:
                outages += 1
                self._pacer.pause(self._contact.pause(error, self._clock() - began, outages))
            else:
                self._pacer.accepted()
                return value

    def _send(self, method: str, path: str, body: Document | None) -> Any:
        """Send one request, and judge the answer; errors are made outside of `except`."""
        with self._lock:
            self.requests += 1
        name = body["path"] if body else path
        outcome = self._exchange(method, path, body, name)
        if isinstance(outcome, ServiceError):
            raise outcome
        self._contact.reached = True
        value, error = judge(outcome, name)
        if error is not None:
            raise error
        return value

    def _exchange(self, method: str, path: str, body: Document | None, name: str) -> Any:
        headers = {
            "Authorization": f"Convex {self._key.reveal()}",
            "Convex-Client": f"tmdbkit-{__version__}",
            "convex-request-id": secrets.token_hex(8),
        }
        try:
            return self._wire.request(
                method,
                self.url + path,
                json=body,
                headers=headers,
                timeout=(self._contact.connect_timeout, READ_TIMEOUT),
                allow_redirects=False,
            )
        except (requests.RequestException, ValueError) as error:
            return fault(error, name, "Convex", self.url, "CONVEX_URL")

    def __repr__(self) -> str:
        return f"ConvexDeployment({self.title})"

    def _repr_html_(self) -> str:
        named = [("name", self.title.name), ("kind", self.title.kind), ("url", self.title.location)]
        origin = [("settings", self.origin)] if self.origin else []
        return draw_facts("Convex deployment", named + origin)
