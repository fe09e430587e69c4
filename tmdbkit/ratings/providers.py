"""Which providers there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tmdbkit.exceptions import UsageError
from tmdbkit.ratings.imdb import IMDb
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.model import Provider
from tmdbkit.ratings.omdb import OMDb
from tmdbkit.ratings.web import WebProvider
from tmdbkit.schema import SYSTEMS
from tmdbkit.settings import Secret, Settings


class OpenProvider(Provider, Protocol):
    """A provider that is asked over the network."""

    def close(self) -> None:
        """Close its connections."""


# In the order in which they are asked: a fallback last.
BY_NAME: dict[str, Callable[[Settings], OpenProvider]] = {
    "imdb": IMDb,
    "mdblist": MDBList,
    "omdb": OMDb,
}


TERMS = {provider.name: provider.terms for provider in (IMDb, MDBList, OMDb)}


def missing(settings: Settings) -> list[dict[str, Any]]:
    """Return what each provider without a key would bring that no other does, and where to get one.

    TMDB's own ratings come with the payloads.
    """
    without = _without_key(settings)
    had = {"tmdb", *IMDb.systems}
    had |= {system for one in (MDBList, OMDb) if one not in without for system in one.systems}
    return [
        {"provider": one.title, "systems": brings, "key": one.key, "key_from": one.key_from}
        for one in without
        if (brings := [name for name in SYSTEMS if name in one.systems and name not in had])
    ]


def _without_key(settings: Settings) -> list[type[WebProvider]]:
    keys: dict[type[WebProvider], Secret] = {
        MDBList: settings.mdblist_api_key,
        OMDb: settings.omdb_api_key,
    }
    return [provider for provider, key in keys.items() if not key]


def open_providers(names: Iterable[str] | None, settings: Settings) -> list[OpenProvider]:
    """Return the providers that are named, or else all that need no key or have theirs.

    Raises:
        UsageError: There is none of that name, or its key is missing.
    """
    if names is None:
        chosen = BY_NAME.keys() - {provider.name for provider in _without_key(settings)}
    else:
        chosen = set(names)
    if unknown := sorted(chosen - BY_NAME.keys()):
        raise UsageError(
            f"no provider {unknown[0]!r}; there are {', '.join(BY_NAME)} "
            "(TMDB's own ratings come with the payloads)"
        )
    return [provider(settings) for name, provider in BY_NAME.items() if name in chosen]
