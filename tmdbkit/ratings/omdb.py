"""OMDb: IMDb, Rotten Tomatoes and Metacritic, a request for each movie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import polars as pl
import requests

from tmdbkit.exceptions import (
    Interrupted,
    NotFound,
    OfflineError,
    RequestRefused,
    ServiceError,
    StopError,
    TMDBKitError,
)
from tmdbkit.http.answers import is_json
from tmdbkit.ratings.model import POINTS_OF, RATINGS, Collected
from tmdbkit.ratings.rows import by_imdb_id
from tmdbkit.ratings.web import (
    Found,
    KeyedService,
    Rating,
    WebProvider,
    collected,
    each_readable,
    votes,
    within,
)

PATH = "/"
RATE = 10.0  # requests a second
THREADS = 4
TOGETHER = 40  # movies that are handed over at a time
UNKNOWN_ID = re.compile(r"incorrect imdb id|not found", re.IGNORECASE)

SYSTEM_OF = {
    "Internet Movie Database": "imdb",
    "Rotten Tomatoes": "rotten_tomatoes",
    "Metacritic": "metacritic",
}
_VALUE = re.compile(r"([\d.]+)(?:/(\d+)|%)")


class OMDbService(KeyedService):
    """What OMDb answers: an object whose `Response` is "True", or "False" with an `Error`."""

    def complaint(self, body: Any) -> str | None:
        """Return the words of a body that is no movie."""
        told = body if isinstance(body, dict) else {}
        return None if told.get("Response") == "True" else str(told.get("Error") or "")

    def error_of(
        self, response: requests.Response, path: str, now: datetime
    ) -> ServiceError | None:
        """Return what is wrong; a plot whose quotes spoil the JSON does so every time."""
        text = response.text.strip()
        if response.ok and text.startswith("{") and text.endswith("}") and not is_json(text):
            return RequestRefused("answered with JSON that cannot be read", path=path, status=200)
        return super().error_of(response, path, now)

    def by_words(self, status: int, words: str) -> tuple[type[ServiceError], str] | None:
        """Return that there is no such movie, too, which comes with a 200."""
        if UNKNOWN_ID.search(words):
            return NotFound, f"answered {status}"
        return super().by_words(status, words)


class OMDb(WebProvider):
    """Ratings from OMDb, by IMDb ids.

    Args:
        settings: Keys, addresses, folders; default `Settings.from_env()`.
        daily: How many requests a day your plan allows.
        timing: `clock, sleep, now, jitter`, as `Session` has them.

    Raises:
        SettingsError: There is no key, which only the cache can do without.
    """

    name, title = "omdb", "OMDb"
    key, key_from = "OMDB_API_KEY", "www.omdbapi.com/apikey.aspx"
    fallback = True
    systems = tuple(SYSTEM_OF.values())
    terms = "OMDb's terms, CC BY-NC 4.0; www.omdbapi.com/legal.htm"
    _service_type, _rate = OMDbService, RATE

    def collect(self, wanted: pl.DataFrame) -> Iterator[Collected]:
        """Yield what comes, some movies at a time; those that OMDb lacks are settled unrated.

        Args:
            wanted: Frames of `tmdb_id, imdb_id`; whoever has no IMDb id cannot be asked for.

        Raises:
            QuotaUsedUp: No more today; what was yielded before stays good.
            StopError: Going on is pointless for another reason.
        """
        known, others = by_imdb_id(wanted.unique("tmdb_id", maintain_order=True))
        if others.height:
            yield Collected([], RATINGS.to_frame(), others)
        try:
            with ThreadPoolExecutor(THREADS, "tmdbkit-omdb") as pool:
                yield from self._rounds(pool, known.select("tmdb_id", "imdb_id").rows())
        finally:
            self.session.resume()

    def _rounds(self, pool: ThreadPoolExecutor, rows: list[tuple[int, str]]) -> Iterator[Collected]:
        """Yield what the threads find; after what stops one of them, none asks for more."""
        stops: list[TMDBKitError] = []

        def ask(row: tuple[int, str]) -> Found | None:
            try:
                return None if stops else self._ask(*row)
            except (StopError, Interrupted) as error:
                stops.append(error)
                return None

        try:
            for start in range(0, len(rows), TOGETHER):
                found = pool.map(ask, rows[start : start + TOGETHER])
                yield collected(self.name, [movie for movie in found if movie])
                if stops:
                    break
        except BaseException:  # Ctrl-C, too: whoever waits in a thread is to wait no longer
            self.session.interrupt()
            raise
        if stops:
            raise stops[0]

    def _ask(self, tmdb_id: int, imdb_id: str) -> Found:
        try:
            answer = self.session.get(PATH, {"i": imdb_id})
        except NotFound:
            return Found(tmdb_id, self.session.now())
        except (StopError, Interrupted):
            raise
        except (ServiceError, OfflineError) as error:
            reason = f"OMDb: {str(error).removeprefix(f'{PATH}: ')}"
            return Found(tmdb_id, self.session.now(), reason=reason)
        return read_movie(answer.value, tmdb_id, imdb_id, answer.received_at)

    def _requests_for(self, wanted: pl.DataFrame) -> int:
        return by_imdb_id(wanted.unique("tmdb_id"))[0].height


def read_movie(movie: Mapping[str, Any], tmdb_id: int, imdb_id: str, at: datetime) -> Found:
    """Return the ratings of an answer; votes are known for IMDb alone, even without a rating."""
    if (said := movie.get("imdbID", imdb_id)) != imdb_id:
        wrong = f"it is that of {str(said)[:20]}, and {imdb_id} was asked for"
        return Found(tmdb_id, at, reason=f"OMDb: malformed answer: {wrong}")
    listed, odd = each_readable(movie.get("Ratings"), _listed)
    own, strange = each_readable(_of_its_own(movie), _named)
    ratings = {rating.system: rating for rating in (*own, *listed)}
    ratings = {system: ratings[system] for system in OMDb.systems if system in ratings}
    if "imdb" in ratings:
        counted = next((rating.votes for rating in own if rating.system == "imdb"), None)
        ratings["imdb"] = ratings["imdb"]._replace(votes=counted)
    wrong = "; ".join(filter(None, (odd, strange)))
    reason = f"OMDb: malformed answer: {wrong}" if wrong else ""
    return Found(tmdb_id, at, list(ratings.values()), reason)


def _of_its_own(movie: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the ratings that stand beside the list."""
    return [
        {"system": "imdb", "points": movie.get("imdbRating"), "votes": movie.get("imdbVotes")},
        {"system": "metacritic", "points": movie.get("Metascore"), "votes": None},
    ]


def _named(rating: Mapping[str, Any]) -> Rating:
    system = str(rating["system"])
    return Rating(system, within(rating["points"], POINTS_OF[system]), votes(rating["votes"]))


def _listed(rating: Mapping[str, Any]) -> Rating | None:
    """Return one of `{Source, Value}`, where it is of a system that we have."""
    system = SYSTEM_OF.get(str(rating.get("Source")))
    return None if system is None else Rating(system, _points(system, rating.get("Value")), None)


def _points(system: str, value: Any) -> float | None:
    """Read "7.7/10", "94%" or "84/100"; what is not out of the system's own scale is malformed."""
    if value in (None, "", "N/A"):
        return None
    highest = POINTS_OF[system]
    form = _VALUE.fullmatch(str(value))
    if form is None or float(form[2] or 100) != highest:
        raise ValueError(f"{system}: {str(value)[:40]!r} is not out of {highest:g}")
    return within(form[1], highest)
