"""Keys, addresses and folders, of the environment and of `.env`."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tmdbkit.exceptions import SettingsError, SettingsWarning, forget_locals
from tmdbkit.settings import values
from tmdbkit.settings.arguments import checked
from tmdbkit.settings.secret import Secret as Secret
from tmdbkit.settings.sources import (
    PAIRS,
    Pair,
    chosen_pair,
    first_of_each,
    read_sources,
    slips,
    strange_places,
)

POSTER_SIZES = ("w92", "w154", "w185", "w342", "w500", "w780", "original")
BACKDROP_SIZES = ("w300", "w780", "w1280", "original")


@checked
@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a run needs to know of its surroundings.

    Attributes:
        tmdb_token: TMDB's v4 read access token; preferred over the key.
        tmdb_api_key: TMDB's v3 key.
        tmdb_base_url: Where TMDB's API answers.
        stage: The stage's folder, or an object store's address.
        cache: The folder of cached answers.
        offline: Never touch the network.
        rate: Requests a second at most.
        convex_url: The deployment's address.
        convex_key: Its deploy key, or a self-hosted deployment's admin key.
        convex_pair: The variables that the two are from.
        images: Whether a new document of an empty target gets an image's `url` or its bare `path`.
        poster_size: TMDB's name of a poster's size.
        backdrop_size: TMDB's name of a backdrop's size.
        cast: How many of the cast a document holds.
        reviewer: Whose name a decision carries; "" is the login's.
        languages: Of titles and overviews: what the first lacks is taken from the next.
        append: Sections of a movie that are asked for beside those that rows are made of.
        region: Of certifications, ISO 3166-1.
        omdb_api_key: OMDb's key.
        mdblist_api_key: MDBList's key.
        omdb_base_url: Where OMDb answers.
        mdblist_base_url: Where MDBList's API answers.
        imdb_datasets_url: Where IMDb's data sets are.
        tmdb_exports_url: Where TMDB's daily exports are.
        providers: Whose rating counts where several have one, the first before the others.
        folder: Where the default stage and `.env` were looked for, and found or not.
        sources: Where each variable that is set was found.
    """

    tmdb_token: Secret = field(default_factory=Secret)
    tmdb_api_key: Secret = field(default_factory=Secret)
    tmdb_base_url: str = "https://api.themoviedb.org/3"
    stage: Path | str = Path("data/stage")
    cache: Path = Path("data/cache")
    offline: bool = False
    rate: float = 38.0
    convex_url: str = ""
    convex_key: Secret = field(default_factory=Secret)
    convex_pair: Pair = PAIRS[0]
    images: str = "url"
    poster_size: str = "w500"
    backdrop_size: str = "w1280"
    cast: int = 10
    reviewer: str = ""
    languages: tuple[str, ...] = ("en-US",)
    append: tuple[str, ...] = ()
    region: str = "US"
    omdb_api_key: Secret = field(default_factory=Secret)
    mdblist_api_key: Secret = field(default_factory=Secret)
    omdb_base_url: str = "https://www.omdbapi.com"
    mdblist_base_url: str = "https://api.mdblist.com"
    imdb_datasets_url: str = "https://datasets.imdbws.com"
    tmdb_exports_url: str = "https://files.tmdb.org/p/exports"
    providers: tuple[str, ...] = ("table", "tmdb", "imdb", "mdblist", "omdb")
    folder: Path = Path()
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        others = self.convex_pair.others
        for variable, (name, convert) in _VARIABLES.items():
            if convert is values.address and variable not in others and getattr(self, name):
                values.check_url(variable, getattr(self, name))
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise SettingsError(f"TMDBKIT_RATE is {self.rate:g}; it must be above 0")
        values.check_languages(self.languages)
        values.check_choice("TMDBKIT_IMAGES", self.images, ("url", "path"))
        values.check_choice("TMDBKIT_POSTER_SIZE", self.poster_size, POSTER_SIZES)
        values.check_choice("TMDBKIT_BACKDROP_SIZE", self.backdrop_size, BACKDROP_SIZES)
        if self.cast < 0:
            raise SettingsError(f"TMDBKIT_CAST is {self.cast}; it must be 0 or more")

    @property
    def language(self) -> str:
        """That of what is asked for: the first of `languages`."""
        return self.languages[0]

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, folder: Path | None = None
    ) -> Settings:
        """Read the environment, then `.env.local`, then `.env`.

        Of the pairs that name a deployment, the one with a half in the earliest of these wins.

        Args:
            environ: Instead of the process's environment.
            folder: Where the search for a project's folder begins; default the working folder.

        Raises:
            SettingsError: A value that cannot be meant, with the variable's name.
        """
        try:
            return cls._read(environ, (folder or Path.cwd()).resolve())
        except SettingsError as error:
            forget_locals(error)  # all that was read, keys among it
            raise

    @classmethod
    def _read(cls, environ: Mapping[str, str] | None, start: Path) -> Settings:
        home = find_folder(start)
        sources = read_sources(os.environ if environ is None else environ, home, _VARIABLES)
        found = first_of_each(sources, _VARIABLES)
        pair = chosen_pair(found)
        for note in (*slips(sources, _VARIABLES), *strange_places(found, pair, start)):
            warnings.warn(note, SettingsWarning, stacklevel=3)
        where = {name: source for name, (source, _) in found.items()}
        defaults = {"stage": home / "data" / "stage", "cache": _system_cache_folder()}
        try:
            given: dict[str, Any] = {
                name: convert(variable, found[variable][1])
                for variable, (name, convert) in _VARIABLES.items()
                if variable in found and variable not in pair.others
            }
            return cls(**{**defaults, **given}, convex_pair=pair, folder=home, sources=where)
        except SettingsError as error:
            variable = str(error).partition(" ")[0]
            raise SettingsError(f"{error} (from {where[variable]})") from None

    def keyless(self) -> Settings:
        """Return the same without any key, as it goes to another process."""
        none = Secret()
        return replace(
            self,
            tmdb_token=none,
            tmdb_api_key=none,
            convex_key=none,
            omdb_api_key=none,
            mdblist_api_key=none,
        )

    def __repr__(self) -> str:
        usual, named = Settings(), (f.name for f in fields(self) if f.repr)
        given = ((n, value) for n in named if (value := getattr(self, n)) != getattr(usual, n))
        facts = (f"{name}={_masked(repr(value))}" for name, value in given)
        return f"Settings({', '.join(facts)})"

    def shown(self) -> list[dict[str, str]]:
        """Return `variable, value, source` of each setting; of a key only whether it is set."""
        return [
            {
                "variable": variable,
                "value": "" if variable in self.convex_pair.others else _shown(getattr(self, name)),
                "source": self.sources.get(variable, "default"),
            }
            for variable, (name, _) in _VARIABLES.items()
        ]


def _shown(value: object) -> str:
    """Return a value as a person may see it: an address without the name and password in it."""
    if isinstance(value, Secret):
        return "set" if value else ""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _masked(f"{value:g}" if isinstance(value, float) else str(value))


_LOGIN = re.compile(r"(?<=//)[^/?#]*@")


def _masked(address: str) -> str:
    """Return it without a login, and with none of a key that has slashes in it."""
    return re.sub(r"(?<=//)([^/?#]*|[^/?#]*:.*)@", "…@", address)


def without_login(address: str) -> str:
    """Return an address without the name and password in it, which are sent nowhere."""
    return _LOGIN.sub("", address)


def find_folder(start: Path) -> Path:
    """Return the first folder from `start` upward with `.env`, `data/stage` or `.git`, or `start`.

    Design: the same folder holds the default stage and `.env`.
    """
    for candidate in (start, *start.parents):
        if any((candidate / mark).exists() for mark in (".env", "data/stage", ".git")):
            return candidate
    return start


def _system_cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("tmdbkit")


def _secret(_variable: str, text: str) -> Secret:
    return Secret(text)


_VARIABLES: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "TMDB_READ_ACCESS_TOKEN": ("tmdb_token", _secret),
    "TMDB_API_KEY": ("tmdb_api_key", _secret),
    "TMDB_BASE_URL": ("tmdb_base_url", values.address),
    "TMDBKIT_STAGE": ("stage", values.place),
    "TMDBKIT_CACHE": ("cache", values.path),
    "TMDBKIT_OFFLINE": ("offline", values.flag),
    "TMDBKIT_RATE": ("rate", values.number),
    "CONVEX_SELF_HOSTED_URL": ("convex_url", values.address),
    "CONVEX_URL": ("convex_url", values.address),
    "CONVEX_SELF_HOSTED_ADMIN_KEY": ("convex_key", _secret),
    "CONVEX_DEPLOY_KEY": ("convex_key", _secret),
    "TMDBKIT_IMAGES": ("images", values.as_text),
    "TMDBKIT_POSTER_SIZE": ("poster_size", values.as_text),
    "TMDBKIT_BACKDROP_SIZE": ("backdrop_size", values.as_text),
    "TMDBKIT_CAST": ("cast", values.whole_number),
    "TMDBKIT_REVIEWER": ("reviewer", values.as_text),
    "OMDB_API_KEY": ("omdb_api_key", _secret),
    "MDBLIST_API_KEY": ("mdblist_api_key", _secret),
    "OMDB_BASE_URL": ("omdb_base_url", values.address),
    "MDBLIST_BASE_URL": ("mdblist_base_url", values.address),
    "IMDB_DATASETS_URL": ("imdb_datasets_url", values.address),
    "TMDB_EXPORTS_URL": ("tmdb_exports_url", values.address),
    "TMDBKIT_PROVIDERS": ("providers", values.names),
    "TMDBKIT_LANGUAGE": ("languages", values.languages),
    "TMDBKIT_APPEND": ("append", values.sections),
    "TMDBKIT_REGION": ("region", values.region),
}
