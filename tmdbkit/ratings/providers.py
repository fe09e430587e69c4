"""Which providers there are, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tmdbkit.exceptions import UsageError
from tmdbkit.ratings.imdb import IMDb
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.ratings.model import Provider
from tmdbkit.ratings.omdb import OMDb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tmdbkit.settings import Settings


class Connected(Provider, Protocol):
    """A provider that is asked over the network."""

    def close(self) -> None:
        """Close its connections."""


# In the order in which they are asked: a fallback last.
BY_NAME: dict[str, Callable[[Settings], Connected]] = {
    "imdb": IMDb,
    "mdblist": MDBList,
    "omdb": OMDb,
}


TERMS = {provider.name: provider.terms for provider in (IMDb, MDBList, OMDb)}


def open_providers(names: Iterable[str] | None, settings: Settings) -> list[Connected]:
    """Return the providers that are named, or else all that need no key or have theirs.

    Raises:
        UsageError: There is none of that name, or its key is missing.
    """
    if names is None:
        keyed = {"mdblist": settings.mdblist_api_key, "omdb": settings.omdb_api_key}
        chosen = {name for name in BY_NAME if keyed.get(name, True)}
    else:
        chosen = set(names)
    if unknown := sorted(chosen - BY_NAME.keys()):
        raise UsageError(
            f"no provider {unknown[0]!r}; there are {', '.join(BY_NAME)} "
            "(TMDB's own ratings come with the payloads)"
        )
    return [provider(settings) for name, provider in BY_NAME.items() if name in chosen]
