"""What the look-alike knows: movies, lists, changes. Pure: a path and a query in, an answer out."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import partial
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    Payload = dict[str, Any] | bytes | str

ERRORS = {
    5: (422, "Invalid parameters: Your request parameters are incorrect."),
    6: (404, "Invalid id: The pre-requisite id is invalid or not found."),
    7: (401, "Invalid API key: You must be granted a valid key."),
    9: (503, "Service offline: This service is temporarily offline, try again later."),
    11: (500, "Internal error: Something went wrong, contact TMDB."),
    20: (422, "Invalid date range: Should be a range no longer than 14 days."),
    22: (400, "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer."),
    23: (400, "Invalid date: Format needs to be YYYY-MM-DD."),
    24: (504, "Your request to the backend server timed out. Try again."),
    27: (400, "Too many append to response objects: The maximum number of remote calls is 20."),
    34: (404, "The resource you requested could not be found."),
    42: (405, "This request method is not supported for this resource."),
    43: (502, "Couldn't connect to the backend server."),
    44: (500, "The ID is invalid."),
    46: (503, "The API is undergoing maintenance. Try again later."),
}
GENRES = {
    28: "Action", 12: "Adventure", 16: "Animation", 35: "Comedy", 80: "Crime", 99: "Documentary",
    18: "Drama", 10751: "Family", 14: "Fantasy", 36: "History", 27: "Horror", 10402: "Music",
    9648: "Mystery", 10749: "Romance", 878: "Science Fiction", 10770: "TV Movie", 53: "Thriller",
    10752: "War", 37: "Western",
}  # fmt: skip
LANGUAGES = {
    "cn": "Cantonese", "de": "German", "en": "English", "es": "Spanish", "fr": "French",
    "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean", "pt": "Portuguese",
    "ru": "Russian", "sv": "Swedish", "xx": "No Language", "zh": "Mandarin",
}  # fmt: skip
CONFIGURATION = {
    "images": {
        "base_url": "http://image.tmdb.org/t/p/",
        "secure_base_url": "https://image.tmdb.org/t/p/",
        "backdrop_sizes": ["w300", "w780", "w1280", "original"],
        "logo_sizes": ["w45", "w92", "w154", "w185", "w300", "w500", "original"],
        "poster_sizes": ["w92", "w154", "w185", "w342", "w500", "w780", "original"],
        "profile_sizes": ["w45", "w185", "h632", "original"],
        "still_sizes": ["w92", "w185", "w300", "original"],
    },
    "change_keys": ["adult", "budget", "cast", "crew", "images", "overview", "title"],
}
APPENDABLE = frozenset(
    "account_states alternative_titles changes credits external_ids images keywords lists "
    "recommendations release_dates reviews similar translations videos watch/providers".split()
)
ROW_FIELDS = (
    "adult backdrop_path id original_language original_title overview popularity poster_path "
    "release_date title video vote_average vote_count"
).split()
JOBS = ("Director", "Screenplay", "Producer", "Editor", "Original Music Composer", "Stunts")
CACHED = {"Cache-Control": "public, max-age=21600"}  # TMDB sends it with a 404, too
MARK = 1234567890  # stands for the id in the generated payload's template


def dumps(value: object) -> bytes:
    """JSON as TMDB sends it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def error(code: int) -> Answer:
    """One of TMDB's errors, by its own code."""
    status, message = ERRORS[code]
    body = {"success": False, "status_code": code, "status_message": message}
    return Answer(status, dumps(body), headers=CACHED if status == 404 else {})


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone, whatever the process or the thread."""
    text = "\0".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=6).digest(), "big") / 2**48


def details(movie_id: int) -> dict[str, Any]:
    """A generated movie's own fields, in TMDB's order and shape."""
    title = f"Movie {movie_id}"
    company = {"id": 79, "logo_path": "/logo.png", "name": "A Studio", "origin_country": "US"}
    return {
        "adult": False,
        "backdrop_path": "/backdrop.jpg",
        "belongs_to_collection": None,
        "budget": 63000000,
        "genres": [{"id": 28, "name": "Action"}, {"id": 878, "name": "Science Fiction"}],
        "homepage": "",
        "id": movie_id,
        "imdb_id": f"tt{movie_id:07d}",
        "origin_country": ["US"],
        "original_language": "en",
        "original_title": title,
        "overview": "Somebody wants something badly and has a hard time getting it.",
        "popularity": 12.3456,
        "poster_path": "/poster.jpg",
        "production_companies": [company],
        "production_countries": [{"iso_3166_1": "US", "name": "United States of America"}],
        "release_date": "1999-03-31",
        "revenue": 463517383,
        "runtime": 136,
        "spoken_languages": [{"english_name": "English", "iso_639_1": "en", "name": "English"}],
        "status": "Released",
        "tagline": "",
        "title": title,
        "video": False,
        "vote_average": 7.432,
        "vote_count": 2468,
    }


def _person(number: int, department: str, **role: object) -> dict[str, object]:
    name = f"Person Number {number}"
    return {
        "adult": False,
        "gender": number % 3,
        "id": number,
        "known_for_department": department,
        "name": name,
        "original_name": name,
        "popularity": 1.234,
        "profile_path": f"/profile{number}.jpg",
        **role,
        "credit_id": f"52fe{number:020x}",
    }


def _credits(pairs: int) -> dict[str, Any]:
    actors, crew = range(1000, 1000 + pairs), range(500_000, 500_000 + pairs)
    return {
        "cast": [
            _person(n, "Acting", cast_id=i, character=f"Character {i}", order=i)
            for i, n in enumerate(actors)
        ],
        "crew": [
            _person(n, "Directing", department="Directing", job=JOBS[i % len(JOBS)])
            for i, n in enumerate(crew)
        ],
    }


def _sections(pairs: int) -> dict[str, Any]:
    """What `append_to_response` adds to a generated movie."""
    premiere = {"certification": "", "descriptors": [], "iso_639_1": "", "note": "Premiere"}
    cinema = {"certification": "R", "descriptors": [], "iso_639_1": "", "note": ""}
    dates = [
        premiere | {"release_date": "1999-03-24T00:00:00.000Z", "type": 1},
        cinema | {"release_date": "1999-03-31T00:00:00.000Z", "type": 3},
    ]
    video = {"iso_639_1": "en", "iso_3166_1": "US", "site": "YouTube", "size": 1080}
    when = {"official": True, "published_at": "2014-09-03T21:26:01.000Z"}
    return {
        "credits": _credits(pairs),
        "keywords": {"keywords": [{"id": 100 + n, "name": f"keyword {n}"} for n in range(12)]},
        "release_dates": {"results": [{"iso_3166_1": "US", "release_dates": dates}]},
        "videos": {
            "results": [
                video | {"name": "Clip", "key": "clip0000000", "type": "Clip"} | when,
                video | {"name": "Trailer", "key": "trailer0000", "type": "Trailer"} | when,
            ]
        },
    }


class Generated:
    """Movies made from one template, so that serving one costs a few microseconds."""

    def __init__(self, size: int) -> None:
        bare, ten = (len(dumps(details(MARK) | _sections(n))) for n in (0, 10))
        sections = _sections(max(1, round((size - bare) / ((ten - bare) / 10))))
        self.sections = {name: dumps(section) for name, section in sections.items()}
        template = dumps(details(MARK)).replace(b"%", b"%%")
        template = template.replace(b"tt%d" % MARK, b"tt%(id)07d")
        self._template = template.replace(b"%d" % MARK, b"%(id)d").removesuffix(b"}")
        self._tails: dict[str, bytes] = {}

    def body(self, movie_id: int, appended: str) -> bytes:
        """One movie with the sections that were asked for."""
        tail = self._tails.get(appended)
        if tail is None:
            known = [name for name in appended.split(",") if name in self.sections]
            parts = [b',"%s":%s' % (name.encode(), self.sections[name]) for name in known]
            tail = self._tails[appended] = b"".join(parts) + b"}"
        return self._template % {b"id": movie_id} + tail

    def section(self, movie_id: int, name: str) -> bytes | None:
        """One section alone, as /movie/{id}/credits answers."""
        known = self.sections.get(name)
        return known and b'{"id":%d,%s' % (movie_id, known[1:])


class Catalogue:
    """All that can be asked for.

    payloads: the movies by id, as a dict (sections that were not asked for are left out) or as
        bytes (sent as they are, however broken); may be changed while the server runs.
    missing: which ids are unknown, as a function or a collection; all others are generated. Without
        it, payloads are all there is, or `missing_share` of all ids is unknown.
    size: bytes of a generated movie with credits, keywords, release_dates and videos.
    lists: the ids of popular, top_rated, now_playing, upcoming, discover, search; repeats allowed.
        By default each holds all payloads, or the known ones among the first 10,000 ids.
    changes: the ids that changed, by day (YYYY-MM-DD); unknown ids come with `adult: null`.
    """

    def __init__(
        self,
        *,
        payloads: Mapping[int, Payload] | None = None,
        missing: Callable[[int], bool] | Collection[int] | None = None,
        missing_share: float = 0.03,
        size: int = 40_000,
        lists: Mapping[str, Sequence[int]] | None = None,
        changes: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.payloads: dict[int, Payload] = {int(i): p for i, p in (payloads or {}).items()}
        self.lists, self.changes = dict(lists or {}), dict(changes or {})
        self._given = payloads is not None
        self._missing = _unknown(missing, missing_share, all_of_them=self._given)
        self._generated = Generated(size)
        self._first: list[int] = []
        listed = ("popular", "top_rated", "now_playing", "upcoming")
        self._routes: dict[str, Callable[[Mapping[str, str]], Answer]] = {
            **{f"/3/movie/{name}": partial(self._list, name) for name in listed},
            "/3/discover/movie": partial(self._list, "discover"),
            "/3/search/movie": self._search,
            "/3/movie/changes": self._changes,
            "/3/genre/movie/list": lambda _: _ok({"genres": _named(GENRES, "id", "name")}),
            "/3/configuration": lambda _: _ok(CONFIGURATION),
            "/3/configuration/languages": lambda _: _ok(
                [row | {"name": ""} for row in _named(LANGUAGES, "iso_639_1", "english_name")]
            ),
        }

    def answer(self, path: str, params: Mapping[str, str]) -> Answer:
        """What TMDB says when nothing goes wrong."""
        if route := self._routes.get(path):
            return route(params)
        if path.startswith("/3/movie/"):
            return self._movie(path.removeprefix("/3/movie/"), params)
        if path.startswith("/3/find/"):
            return self._find(path.removeprefix("/3/find/"), params)
        return error(34)

    def has(self, movie_id: int) -> bool:
        """Whether there is such a movie."""
        return movie_id in self.payloads or (movie_id > 0 and not self._missing(movie_id))

    def _movie(self, rest: str, params: Mapping[str, str]) -> Answer:
        number, _, section = rest.partition("/")
        appended = params.get("append_to_response", "")
        if not (number.isascii() and number.isdigit()):
            return error(6)
        if appended.count(",") >= 20:
            return error(27)
        movie_id = int(number)
        if not self.has(movie_id):
            return error(34)
        body = self._section(movie_id, section) if section else self._body(movie_id, appended)
        if body is None:
            return error(34)
        etag = f"{crc32(body):08x}" if movie_id in self.payloads else f"{movie_id}-{len(body)}"
        return Answer(200, body, headers=CACHED | {"ETag": f'W/"{etag}"'})

    def _body(self, movie_id: int, appended: str) -> bytes:
        payload = self.payloads.get(movie_id)
        if payload is None:
            return self._generated.body(movie_id, appended)
        if isinstance(payload, dict):
            unasked = APPENDABLE.difference(appended.split(","))
            return dumps({key: value for key, value in payload.items() if key not in unasked})
        return payload.encode() if isinstance(payload, str) else payload

    def _section(self, movie_id: int, name: str) -> bytes | None:
        if movie_id not in self.payloads:
            return self._generated.section(movie_id, name)
        section = self._facts(movie_id).get(name)
        return None if section is None else dumps({"id": movie_id} | section)

    def _facts(self, movie_id: int) -> dict[str, Any]:
        """One movie as a dict, for lists and searches; bytes that are no JSON count as generated."""
        payload = self.payloads.get(movie_id)
        try:
            read = json.loads(payload) if isinstance(payload, bytes | str) else payload
        except ValueError:
            read = None
        return details(movie_id) | read if isinstance(read, dict) else details(movie_id)

    def _row(self, movie_id: int) -> dict[str, Any]:
        facts = self._facts(movie_id)
        row = {key: facts[key] for key in ROW_FIELDS}
        return row | {"genre_ids": [genre["id"] for genre in facts["genres"]]}

    def _ids(self, name: str) -> Sequence[int]:
        if name in self.lists:
            return self.lists[name]
        if self._given:
            return list(self.payloads)
        self._first = self._first or list(filter(self.has, range(1, 10_001)))
        return self._first

    def _list(self, name: str, params: Mapping[str, str]) -> Answer:
        return _page(self._ids(name), params, per_page=20, row=self._row)

    def _search(self, params: Mapping[str, str]) -> Answer:
        query = params.get("query", "").casefold()
        year = params.get("primary_release_year", params.get("year", ""))

        def fits(facts: dict[str, Any]) -> bool:
            titles = f"{facts['title']}\n{facts['original_title']}".casefold()
            return query in titles and str(facts["release_date"]).startswith(year)

        found = [i for i in self._ids("search") if query and fits(self._facts(i))]
        return _page(found, params, per_page=20, row=self._row)

    def _changes(self, params: Mapping[str, str]) -> Answer:
        today = date.today()
        try:
            start, end = (
                date.fromisoformat(params.get(name) or default.isoformat())
                for name, default in (
                    ("start_date", today - timedelta(days=1)),
                    ("end_date", today),
                )
            )
        except ValueError:
            return error(23)
        if not 0 <= (end - start).days <= 14:
            return error(20)
        days = [day for day in sorted(self.changes) if start <= date.fromisoformat(day) <= end]
        ids = list(dict.fromkeys(chain.from_iterable(self.changes[day] for day in days)))
        return _page(ids, params, per_page=100, row=self._change)

    def _change(self, movie_id: int) -> dict[str, Any]:
        return {"id": movie_id, "adult": False if self.has(movie_id) else None}

    def _find(self, imdb_id: str, params: Mapping[str, str]) -> Answer:
        if "external_source" not in params:
            return error(5)
        found = [i for i in self.payloads if self._facts(i).get("imdb_id") == imdb_id]
        generated = imdb_id.removeprefix("tt")
        if not found and generated.isdigit() and int(generated) not in self.payloads:
            found = [int(generated)] if self.has(int(generated)) else []
        movies = [self._row(i) | {"media_type": "movie"} for i in found]
        others = ("person", "tv", "tv_episode", "tv_season")
        return _ok({"movie_results": movies, **{f"{name}_results": [] for name in others}})


def _unknown(
    missing: Callable[[int], bool] | Collection[int] | None, share: float, *, all_of_them: bool
) -> Callable[[int], bool]:
    if callable(missing):
        return missing
    if missing is not None:
        return frozenset(missing).__contains__
    return (lambda _: True) if all_of_them else (lambda movie_id: chance(movie_id) < share)


def _ok(value: object) -> Answer:
    return Answer(200, dumps(value), headers=CACHED)


def _named(names: Mapping[Any, str], key: str, name: str) -> list[dict[str, Any]]:
    return [{key: k, name: v} for k, v in names.items()]


def _page(
    ids: Sequence[int],
    params: Mapping[str, str],
    *,
    per_page: int,
    row: Callable[[int], dict[str, Any]],
) -> Answer:
    """One page; pages up to 500 can be read whatever the total says, and are empty after the end."""
    asked = params.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdigit() else 0
    if not 1 <= page <= 500:
        return error(22)
    shown: Iterable[int] = ids[(page - 1) * per_page : page * per_page]
    return _ok(
        {
            "page": page,
            "results": [row(movie_id) for movie_id in shown],
            "total_pages": -(-len(ids) // per_page),
            "total_results": len(ids),
        }
    )
