"""What the look-alike knows: movies, lists, changes. Pure: a path and a query in, an answer out."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .generated import Generated, details, dumps
from .titles import Titles, films_of
from .trouble import CACHED, chance, error
from .wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    Payload = dict[str, Any] | bytes | str

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
APPENDABLE = frozenset({
    "account_states", "alternative_titles", "changes", "credits", "external_ids", "images",
    "keywords", "lists", "recommendations", "release_dates", "reviews", "similar", "translations",
    "videos", "watch/providers",
})  # fmt: skip
ROW_FIELDS = (
    "adult", "backdrop_path", "id", "original_language", "original_title", "overview",
    "popularity", "poster_path", "release_date", "title", "video", "vote_average", "vote_count",
)  # fmt: skip


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
    dates: the release dates by which discover filters; other movies have their payload's.
    shared, collections: ids of lists that people made, and of collections, by their own id.
    films: what a search finds by its titles: films by id, or a table of them (see `titles`); it is
        part of the payloads.
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
        dates: Mapping[int, str] | None = None,
        shared: Mapping[int, Sequence[int]] | None = None,
        collections: Mapping[int, Sequence[int]] | None = None,
        films: Mapping[int, dict[str, Any]] | str | None = None,
    ) -> None:
        if films is not None:
            films = films_of(films) if isinstance(films, str) else films
            payloads = {**films, **(payloads or {})}
        self._titles = None if films is None else Titles(films)
        self.payloads: dict[int, Payload] = {int(i): p for i, p in (payloads or {}).items()}
        self.lists, self.changes = dict(lists or {}), dict(changes or {})
        self.dates = {int(i): day for i, day in (dates or {}).items()}
        self.shared = {int(i): ids for i, ids in (shared or {}).items()}
        self.collections = {int(i): ids for i, ids in (collections or {}).items()}
        self._released: dict[tuple[str, str], list[int]] = {}
        self._given = payloads is not None
        self._missing = _unknown(missing, missing_share, all_of_them=self._given)
        self._generated = Generated(size)
        self._first: list[int] = []
        listed = ("popular", "top_rated", "now_playing", "upcoming")
        self._routes: dict[str, Callable[[Mapping[str, str]], Answer]] = {
            **{f"/3/movie/{name}": partial(self._list, name) for name in listed},
            "/3/discover/movie": self._discover,
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
        if path.startswith(("/3/list/", "/3/collection/")):
            return self._group(*path.removeprefix("/3/").split("/"), params)
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
        """One movie as a dict, for lists and searches; broken bytes count as generated."""
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
        today, month = date.today(), timedelta(days=30)
        dates = {"maximum": (today + month).isoformat(), "minimum": (today - month).isoformat()}
        extra = {"dates": dates} if name in ("now_playing", "upcoming") else {}
        return _page(self._ids(name), params, per_page=20, row=self._row, **extra)

    def _discover(self, params: Mapping[str, str]) -> Answer:
        """Filter by release dates; without a date a movie is on no day. Other filters count not."""
        span = params.get("primary_release_date.gte"), params.get("primary_release_date.lte")
        if span == (None, None):
            return self._list("discover", params)
        start, end = span[0] or "0000", span[1] or "9999"
        if (start, end) not in self._released:
            days = ((i, self.dates.get(i) or self._date(i)) for i in self._ids("discover"))
            self._released[start, end] = [i for i, day in days if day and start <= day <= end]
        return _page(self._released[start, end], params, per_page=20, row=self._row)

    def _date(self, movie_id: int) -> str:
        return "" if movie_id in self.dates else str(self._facts(movie_id)["release_date"])

    def _group(self, kind: str, number: str, params: Mapping[str, str]) -> Answer:
        """A list, in pages, or a collection, whole; a list holds a series, too."""
        known = self.shared if kind == "list" else self.collections
        ids = known.get(int(number)) if number.isdigit() else None
        if ids is None:
            return error(34)
        movies = [self._row(i) | {"media_type": "movie"} for i in ids]
        if kind == "collection":
            return _ok({"id": int(number), "name": f"Collection {number}", "parts": movies})
        page = json.loads(_page(range(len(ids)), params, per_page=20, row=movies.__getitem__).body)
        series = {"id": 1399, "media_type": "tv", "name": "A Series"}
        return _ok(page | {"items": [*page.pop("results"), series], "item_count": len(ids)})

    def _search(self, params: Mapping[str, str]) -> Answer:
        query = params.get("query", "").casefold()
        year = params.get("primary_release_year", params.get("year", ""))
        if self._titles:
            return _page(self._titles.search(query, year), params, per_page=20, row=self._row)

        def fits(facts: dict[str, Any]) -> bool:
            titles = f"{facts['title']}\n{facts['original_title']}".casefold()
            return query in titles and str(facts["release_date"]).startswith(year)

        found = [i for i in self._ids("search") if query and fits(self._facts(i))]
        return _page(found, params, per_page=20, row=self._row)

    def _changes(self, params: Mapping[str, str]) -> Answer:
        today = date.today()
        try:
            start = _day(params.get("start_date"), today - timedelta(days=1))
            end = _day(params.get("end_date"), today)
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
    return (
        (lambda _: True) if all_of_them else (lambda movie_id: chance("missing", movie_id) < share)
    )


def _day(asked: str | None, default: date) -> date:
    return date.fromisoformat(asked) if asked else default


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
    **extra: object,
) -> Answer:
    """One page; all up to 500 can be read, whatever the total says; the last ones are empty."""
    asked = params.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdigit() else 0
    if not 1 <= page <= 500:
        return error(22)
    shown: Iterable[int] = ids[(page - 1) * per_page : page * per_page]
    return _ok(
        {
            **extra,
            "page": page,
            "results": [row(movie_id) for movie_id in shown],
            "total_pages": -(-len(ids) // per_page),
            "total_results": len(ids),
        }
    )
