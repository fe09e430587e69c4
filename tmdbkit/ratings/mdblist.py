"""MDBList: all five systems with votes, 200 movies a request."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from tmdbkit.exceptions import OfflineError, ServiceError, StopError
from tmdbkit.ratings.model import AUDIENCE, POINTS_OF, Collected
from tmdbkit.ratings.web import (
    Found,
    KeyedService,
    Rating,
    WebProvider,
    collected,
    each_readable,
    nothing_left,
    number,
    votes,
    within,
)

BATCH = 200  # the most that one request may name
PATH = "/tmdb/movie"
RATE = 5.0  # requests a second; the free quota is used up in minutes all the same
SCORES = 100.0  # the highest score, of every system

SYSTEM_OF = {
    "imdb": "imdb",
    "letterboxd": "letterboxd",
    "metacritic": "metacritic",
    "tomatoes": "rotten_tomatoes",
    "tmdb": "tmdb",
    "tomatoesaudience": AUDIENCE,  # one and the same, by its older name
    "popcorn": AUDIENCE,
}


class MDBListService(KeyedService):
    """What MDBList answers: a list of movies, or an object with `error` or `detail`."""

    def complaint(self, body: Any) -> str | None:
        """Return the words of a body that is no list."""
        if isinstance(body, list):
            return None
        told = body if isinstance(body, dict) else {}
        return str(told.get("error") or told.get("detail") or "")


class MDBList(WebProvider):
    """Ratings from MDBList, by TMDB ids.

    Args:
        settings: Keys, addresses, folders; default `Settings.from_env()`.
        daily: How many requests a day your plan allows.
        timing: `clock, sleep, now, jitter`, as `Session` has them.

    Raises:
        SettingsError: There is no key, which only the cache can do without.
    """

    name, title = "mdblist", "MDBList"
    key, key_from = "MDBLIST_API_KEY", "mdblist.com under Preferences, API Access"
    fallback = False
    systems = tuple(dict.fromkeys(SYSTEM_OF.values()))
    terms = "MDBList's terms; mdblist.com/terms"
    _service_type, _rate = MDBListService, RATE

    def collect(self, wanted: pl.DataFrame) -> Iterator[Collected]:
        """Yield what comes, a request at a time; movies that MDBList lacks are settled unrated.

        Args:
            wanted: Frames of `tmdb_id`.

        Raises:
            QuotaUsedUp: No more today; what was yielded before stays good.
            StopError: Going on is pointless for another reason.
        """
        ids = wanted["tmdb_id"].unique(maintain_order=True).to_list()
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            try:
                answer = self.session.post(PATH, {"ids": batch})
                entries = answer.value
            except StopError:
                raise
            except (ServiceError, OfflineError) as error:
                now, reason = self.session.now(), f"MDBList: {error}"
                yield collected(self.name, [Found(n, now, reason=reason) for n in batch])
                continue
            yield collected(self.name, read_batch(entries, batch, answer.received_at))
            if nothing_left(answer.headers) and start + BATCH < len(ids):
                raise self.service.used_up(answer.headers, self.session.now())

    def _requests_for(self, wanted: pl.DataFrame) -> int:
        return math.ceil(wanted["tmdb_id"].n_unique() / BATCH)


def read_batch(entries: list[Any], ids: list[int], at: datetime) -> list[Found]:
    """Return what an answer says of each movie that was asked for.

    A malformed entry spoils its movie alone; one that does not say whose it is could be that of
    any movie that is missing, so none of these is settled.
    """
    found: dict[int, Found] = {}
    nameless = False
    for entry in filter(None, entries):
        try:
            tmdb_id = _id_of(entry)
        except ValueError:
            nameless = True
            continue
        found.setdefault(tmdb_id, _read_entry(entry, tmdb_id, at))
    reason = "MDBList: not in the answer, which has an entry without an id" if nameless else ""
    return [found.get(tmdb_id, Found(tmdb_id, at, reason=reason)) for tmdb_id in ids]


def _id_of(entry: object) -> int:
    """Return a movie's TMDB id; the older answers had it beside `ids`."""
    if not isinstance(entry, dict):
        raise ValueError("the entry is no object")  # noqa: TRY004
    ids = entry.get("ids")
    tmdb_id = number(ids.get("tmdb") if isinstance(ids, dict) else entry.get("tmdbid"))
    if tmdb_id is None:
        raise ValueError("the entry has no id")
    return int(tmdb_id)


def _read_entry(entry: Mapping[str, Any], tmdb_id: int, at: datetime) -> Found:
    ratings, wrong = each_readable(entry.get("ratings"), _read_rating)
    return Found(tmdb_id, at, ratings, f"MDBList: malformed answer: {wrong}" if wrong else "")


def _read_rating(rating: Mapping[str, Any]) -> Rating | None:
    """Return one of a system that we have, of `{source, value, score, votes}`.

    Points come from `score`, which is on one scale everywhere: that of `value` depends on the
    endpoint. A score of 0 is one only where somebody voted.

    Raises:
        ValueError: It has another shape.
    """
    system = SYSTEM_OF.get(str(rating.get("source")))
    if system is None:
        return None
    try:
        score, count = within(rating.get("score"), SCORES), votes(rating.get("votes"))
    except ValueError as error:
        raise ValueError(f"{system}: {error}") from None
    if score is None or not (score or count):
        return Rating(system, None, count)
    return Rating(system, round(score * POINTS_OF[system] / SCORES, 4), count)
