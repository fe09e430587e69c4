"""A server that answers as MDBList and OMDb do, and misbehaves on demand."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .generated import dumps
from .trouble import FAULTS
from .wire import Answer, LocalServer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Scripted = str | tuple[str, Mapping[str, str]] | Answer

KEY = "a-key-of-ratings"
BATCH = "/tmdb/movie"
MOST_IDS = 200


def mdblist_error(words: str, status: int = 200) -> Answer:
    """How MDBList says that something is wrong."""
    return Answer(status, dumps({"response": False, "error": words}))


def omdb_error(words: str, status: int = 200) -> Answer:
    """How OMDb says so."""
    return Answer(status, dumps({"Response": "False", "Error": words}))


class RatingsServer(LocalServer):
    """MDBList under /tmdb/movie and OMDb under /.

    ratings: what MDBList has: the ratings of each TMDB id.
    movies: what OMDb has: the odd fields of each IMDb id.
    quota: how many requests are answered before the word that the limit is reached.
    resets_at: when MDBList's quota begins anew, in seconds since 1970.
    script: what the next requests for a target meet instead of an answer: a fault's name, a name
        with headers, an Answer, or "ok". A target is an IMDb id, or the first TMDB id of a batch.
    """

    def __init__(
        self,
        *,
        ratings: Mapping[int, Any] | None = None,
        movies: Mapping[str, Mapping[str, Any]] | None = None,
        key: str = KEY,
        quota: int = 1000,
        resets_at: int = 0,
        script: Mapping[str, Sequence[Scripted]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock=clock)
        self.ratings, self.movies, self.key = dict(ratings or {}), dict(movies or {}), key
        self.quota, self.resets_at = quota, resets_at
        self.script = {target: list(turns) for target, turns in (script or {}).items()}
        self.requests: list[Request] = []

    @property
    def batches(self) -> list[list[int]]:
        """The ids of each request to MDBList."""
        return [json.loads(request.body)["ids"] for request in self.requests]

    @property
    def asked(self) -> list[str]:
        """The ids of all requests to OMDb, in order."""
        return sorted(request.params["i"] for request in self.requests)

    def handle(self, request: Request) -> Answer:
        """Record a request and answer it."""
        self.requests.append(request)
        batch = (request.method, request.path) == ("POST", BATCH)
        target = str(json.loads(request.body)["ids"][0]) if batch else request.params["i"]
        usual = self._batch(request) if batch else self._movie(request)
        turns = self.script.get(target)
        return self._turn(turns.pop(0), usual) if turns else usual

    def _turn(self, turn: Scripted, usual: Answer) -> Answer:
        if isinstance(turn, Answer):
            return replace(turn)
        name, headers = (turn, {}) if isinstance(turn, str) else turn
        answer = usual if name == "ok" else FAULTS[name](usual)
        answer.headers = {**answer.headers, **headers}
        return answer

    def _batch(self, request: Request) -> Answer:
        ids = json.loads(request.body)["ids"]
        if request.params.get("apikey") != self.key:
            return mdblist_error("Invalid API key!", 403)
        if len(self.requests) > self.quota:
            answer = mdblist_error("API Limit Reached!", 429)
        elif len(ids) > MOST_IDS:
            return mdblist_error("Too many ids", 400)
        else:
            answer = Answer(200, dumps([self._entry(n) for n in ids if n in self.ratings]))
        answer.headers = {
            "X-RateLimit-Limit": str(self.quota),
            "X-RateLimit-Remaining": str(max(0, self.quota - len(self.requests))),
            "X-RateLimit-Reset": str(self.resets_at),
        }
        return answer

    def _entry(self, tmdb_id: int) -> Any:
        given = self.ratings[tmdb_id]
        return {"ids": {"tmdb": tmdb_id}, "type": "movie", "ratings": given}

    def _movie(self, request: Request) -> Answer:
        imdb_id = request.params["i"]
        if request.params.get("apikey") != self.key:
            return omdb_error("Invalid API key!", 401)
        if len(self.requests) > self.quota:
            return omdb_error("Request limit reached!", 401)
        if imdb_id not in self.movies:
            return omdb_error("Incorrect IMDb ID.")
        usual = {"Ratings": [], "Metascore": "N/A", "imdbRating": "N/A", "imdbVotes": "N/A"}
        movie = {"Title": "A Film", **usual, "imdbID": imdb_id, "Response": "True"}
        return Answer(200, dumps({**movie, **self.movies[imdb_id]}))
