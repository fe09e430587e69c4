"""A Convex deployment over HTTP: which one it is, and its queries and mutations."""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import requests

from tmdbkit import __version__
from tmdbkit.convex import parsing
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.read import movies_of
from tmdbkit.convex.responses import lacking_permissions, refusal_of, value_of
from tmdbkit.convex.target import Document, Page, Pointing, Target, TargetName
from tmdbkit.display import draw_facts
from tmdbkit.exceptions import CredentialsRefused, ServiceError, SettingsError, StopError
from tmdbkit.http.credentials import Credential
from tmdbkit.http.service import Service
from tmdbkit.http.session import Connected, Session
from tmdbkit.settings import Secret, Settings, without_login
from tmdbkit.settings.arguments import checked
from tmdbkit.settings.sources import Pair

NAMING = ("prod", "dev", "custom", "preview")  # kinds of keys of one deployment, `kind:name|…`
_CLOUD = re.compile(r"([a-z0-9-]+)(?:\.[a-z0-9-]+)*\.convex\.cloud$")
MODULE = "tmdbkit"
MOST_COUNTED = 100  # documents that point at a movie by one field
PACE = 1000.0  # requests a second, more than a push ever makes; a 429 teaches a slower one


def title_of(url: str, key: Secret, pair: Pair) -> TargetName:
    """Return the deployment's name and kind.

    A key of one deployment, `prod:n`, `dev:n`, `custom:n`, `preview:n` or `n`, is compared with an
    address in `convex.cloud`; own domains and local addresses name none, and pass. A key of a
    project, `preview:team:project` or `project:team:project`, may be for any of its deployments.
    Keys of a project, of a kind that is not known, and in the cloud of none, count as production.

    Raises:
        SettingsError: There is no address or key, it is none, or the key is of another deployment.
    """
    _check(url, key, pair)
    prefix, bar = key.reveal().partition("|")[:2]
    kind, _, name = prefix.rpartition(":") if bar and prefix.count(":") < 2 else ("", "", "")
    host = urlsplit(url).hostname or ""
    cloud = _CLOUD.match(host)
    if cloud and name and kind in ("", *NAMING) and cloud.group(1) != name:
        raise SettingsError(
            f"{pair.key} is for {name}, {pair.url} is {cloud.group(1)}; use a matching pair"
        )
    if kind in NAMING:
        return TargetName(name, kind, url)
    return TargetName(cloud.group(1) if cloud else host, _kind(prefix, bool(cloud)), url)


def _kind(prefix: str, in_the_cloud: bool) -> str:
    """Return the kind of deployment that a key without a name of its own is for."""
    if prefix.startswith("preview:"):
        return "preview"
    return "prod" if in_the_cloud or ":" in prefix else "self-hosted"


def _check(url: str, key: Secret, pair: Pair) -> None:
    if not url:
        raise SettingsError(
            f"no deployment: set {pair.url} and {pair.key} in the environment or in .env, "
            "or use a local snapshot: --snapshot DIR, ConvexSnapshot(DIR)"
        )
    if not key:
        raise SettingsError(
            f"no deploy key: set {pair.key}, which goes with {pair.url}, in the environment or in "
            ".env; the Convex dashboard makes one under Settings, Deploy keys"
        )
    if not (key.reveal().isascii() and key.reveal().isprintable()):
        raise SettingsError(
            f"{pair.key} has a character that no key has; copy it again from the dashboard"
        )
    if (urlsplit(url).hostname or "").endswith(".convex.site"):
        raise SettingsError(f"{pair.url} ends in .convex.site; it must be the one in .convex.cloud")


@dataclass(frozen=True, kw_only=True)
class ConvexService(Service):
    """Convex as a session asks it: with a deploy key, under a name that its logs show."""

    key: Secret

    @property
    def credential(self) -> Credential:
        """The deploy key."""
        return Credential(self.key, "Authorization", "Convex")

    def sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return a copy that has besides an id by which Convex's logs know the request."""
        signed = super().sign(request)
        signed.headers["Convex-Client"] = f"tmdbkit-{__version__}"
        signed.headers["convex-request-id"] = secrets.token_hex(8)
        return signed

    def error_of(
        self, response: requests.Response, path: str, now: datetime
    ) -> ServiceError | None:
        """Return what a status other than 200 means; what comes with a 200 tells by its words."""
        return refusal_of(response, path)


@checked
class ConvexDeployment(Connected, Target):
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
        self.url = without_login(settings.convex_url)
        self._key = secret if secret is not None else settings.convex_key
        self.title = title_of(self.url, self._key, pair)
        self.origin = pair.note if url is None and key is None else ""
        self.offline = settings.offline
        service = ConvexService(
            name="Convex",
            base_url=self.url,
            variable="CONVEX_URL",
            rate=PACE,
            keys="CONVEX_DEPLOY_KEY",
            key=self._key,
        )
        self.session = Session(
            service,
            settings,
            cache=False,
            retries=retries,
            pool=16,
            clock=clock,
            sleep=sleep,
            jitter=jitter,
        )

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self.session.requests

    # What every target can do.

    def preflight(self, *, writing: bool) -> None:
        """Make sure that the key may do what is asked, and that the functions are there.

        Raises:
            StopError: It is pointless to begin.
        """
        try:
            allowed, _ = self._ask("GET", "/api/check_admin_key", None)
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
        return parsing.movies(found, "moviesByTmdbIds")

    def movies(self) -> pl.DataFrame:
        """Return all documents of movies as a frame."""
        return movies_of(self)

    def slug_owners(self, slugs: Sequence[str]) -> list[tuple[str, int]]:
        """Return `slug, tmdb_id` of the documents that have one of these slugs."""
        owners = parsing.documents(self.query("slugOwners", slugs=list(slugs)), "slugOwners")
        return parsing.slug_owners(owners)

    def page(self, table: str, cursor: str | None, size: int) -> Page:
        """Return a page of a table."""
        return parsing.page(self.query("page", table=table, cursor=cursor, size=size))

    def apply_movies(self, changes: Sequence[Document]) -> list[Document]:
        """Compare and set; return `tmdb_id, outcome, id, differs` for each change, in order."""
        answer, lost = self._call("mutation", "applyMovies", {"changes": list(changes)})
        outcomes = parsing.outcomes(answer, changes)
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
        return parsing.pointing(found, MOST_COUNTED)

    def interrupt(self) -> None:
        """End the waits of all threads; `resume` allows them again."""
        self.session.interrupt()

    def resume(self) -> None:
        """Allow waiting again."""
        self.session.resume()

    # The wire.

    def query(self, name: str, **args: Any) -> Any:
        """Return what one of tmdbkit's queries returns."""
        return self._call("query", name, args)[0]

    def mutation(self, name: str, **args: Any) -> Any:
        """Return what one of tmdbkit's mutations returns."""
        return self._call("mutation", name, args)[0]

    def _call(self, kind: str, name: str, args: Document) -> tuple[Any, bool]:
        # As Convex's own clients do: plain JSON would lose Int64, bytes, and what is no number.
        encoded = {"args": [args], "format": "convex_encoded_json"}
        return self._ask("POST", f"/api/{kind}", {"path": f"{MODULE}:{name}", **encoded})

    def _ask(self, method: str, path: str, body: Document | None) -> tuple[Any, bool]:
        """Return the value, and whether an earlier try may have been carried out."""
        if self.offline:
            raise StopError("offline (TMDBKIT_OFFLINE=1); push to --snapshot DIR instead")
        name = body["path"] if body else path
        receive = partial(value_of, name=name)
        return self.session.call(method, path, body, receive, name=name)

    def __repr__(self) -> str:
        return f"ConvexDeployment({self.title})"

    def _repr_html_(self) -> str:
        named = [("name", self.title.name), ("kind", self.title.kind), ("url", self.title.location)]
        origin = [("settings", self.origin)] if self.origin else []
        return draw_facts("Convex deployment", named + origin)
