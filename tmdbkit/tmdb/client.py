"""TMDB's endpoints, one method each, and many pages of one; payloads come back unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, TypeVar

from tmdbkit.http.answers import Answer
from tmdbkit.http.session import Session
from tmdbkit.progress import Progress, Silent, tracked
from tmdbkit.settings import Settings
from tmdbkit.settings.arguments import checked
from tmdbkit.tmdb.session import TMDBSession

APPENDED = "credits,keywords,release_dates,videos"  # one order for ever: it is part of a cache key
LISTS = ("popular", "top_rated", "now_playing", "upcoming")
T = TypeVar("T")
R = TypeVar("R")
LAST_PAGE = 500  # TMDB serves no page above, whatever `total_pages` says
THREADS = 12
AT_ONCE = 200  # asked for and not yet taken, so that memory does not grow with the items


@checked
class TMDBClient:
    """Asks TMDB for what it has.

    Args:
        session: Where requests go; default a `TMDBSession()` of the settings.
        progress: Progress reporter where many pages are read; default none.
    """

    def __init__(
        self, session: TMDBSession | None = None, *, progress: Progress | None = None
    ) -> None:
        self.session = session or TMDBSession()
        self.progress = progress or Silent()

    def get(self, path: str, **params: Any) -> Any:
        """Return the payload of any endpoint: `get("/movie/603/similar", page=2)`."""
        return self.session.get(path, params).value

    def movie(self, tmdb_id: int) -> Any:
        """Return a movie with its credits, keywords, release dates and videos, in one request."""
        return self.movie_answer(tmdb_id).value

    def movie_answer(self, tmdb_id: int, *, store: bool = True, refresh: bool = False) -> Answer:
        """Return the same with the text as received, for the stage."""
        path, params = movie_request(tmdb_id, self.session.settings)
        return self.session.get(path, params, store=store, refresh=refresh)

    def movie_list(self, name: str, page: int = 1) -> Any:
        """Return a page of `popular`, `top_rated`, `now_playing` or `upcoming`."""
        return self.get(f"/movie/{name}", **self._localised(), page=page)

    def discover(self, page: int = 1, **filters: Any) -> Any:
        """Return a page of movies by TMDB's own filters, such as `vote_count_gte`.

        TMDB writes some filters with a dot; `vote_count_gte` stands for `vote_count.gte`.
        """
        return self.get("/discover/movie", **self._localised(), **dotted(filters), page=page)

    def search(self, query: str, page: int = 1, *, year: int | None = None) -> Any:
        """Return a page of movies whose title is like `query`."""
        return self.get("/search/movie", **self._localised(), query=query, year=year, page=page)

    def shared_list(self, list_id: int, page: int = 1) -> Any:
        """Return a page of a list that someone made on TMDB; it may hold series, too."""
        return self.get(f"/list/{list_id}", **self._localised(), page=page)

    def collection(self, collection_id: int) -> Any:
        """Return a collection with all its movies, which are its `parts`."""
        return self.get(f"/collection/{collection_id}", **self._localised())

    def changes(self, start_date: str, end_date: str, page: int = 1) -> Any:
        """Return a page of ids that changed between two days, at most 14 apart.

        Never from the cache: who follows changes wants those of this minute.
        """
        params = {"start_date": start_date, "end_date": end_date, "page": page}
        return self.session.get("/movie/changes", params, store=False, refresh=True).value

    def find(self, imdb_id: str) -> Any:
        """Return what TMDB has under an IMDb id."""
        return self.get(f"/find/{imdb_id}", external_source="imdb_id")

    def genres(self) -> Any:
        """Return all genres of movies."""
        return self.get("/genre/movie/list", **self._localised())

    def configuration(self) -> Any:
        """Return TMDB's image addresses and sizes."""
        return self.get("/configuration")

    def _localised(self) -> dict[str, str]:
        return {"language": self.session.settings.language}

    def __repr__(self) -> str:
        return f"TMDBClient({self.session!r})"


def movie_request(tmdb_id: int, settings: Settings) -> tuple[str, dict[str, str]]:
    """Return the path and the parameters that ask for a movie with all that a document needs.

    Translations come along where there are more languages than one.
    """
    language = settings.language
    translations = ["translations"] if settings.languages[1:] else []
    more = [name for name in (*settings.append, *translations) if name not in APPENDED.split(",")]
    sections = ",".join([APPENDED, *dict.fromkeys(more)])
    params = {"language": language, "append_to_response": sections}
    if not language.startswith("en"):
        params["include_video_language"] = f"{language[:2]},en"
    return f"/movie/{tmdb_id}", params


def dotted(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return filters by TMDB's own names: `vote_count.gte` where `vote_count_gte` was written."""
    return {
        f"{name[:-4]}.{name[-3:]}" if name.endswith(("_gte", "_lte")) else name: value
        for name, value in filters.items()
    }


def read_pages(
    client: TMDBClient, ask: Callable[[int], Any], *, pages: int = LAST_PAGE, first: Any = None
) -> Iterator[Any]:
    """Yield the pages of an answer in order, as many as there are and at most `pages`.

    `ask` returns the page of a number; the first may be there already.
    """
    first = ask(1) if first is None else first
    last = min(pages, LAST_PAGE, first.get("total_pages", 1))
    rest = _ask_each(client.session, ask, range(2, last + 1))
    yield from tracked(chain([first], rest), client.progress, "reading page", last)


def ask_each(
    client: TMDBClient, ask: Callable[[T], R], items: Sequence[T], what: str
) -> Iterator[R]:
    """Yield what `ask` returns for each item, in order; progress is told that this is `what`."""
    answers = _ask_each(client.session, ask, items)
    yield from tracked(answers, client.progress, what, len(items))


def _ask_each(session: Session, ask: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Ask on a few threads.

    The first error ends the waits of all threads, and is raised. The first item is asked for here,
    where a person can be asked for a missing key.
    """
    rest = iter(items)
    for item in islice(rest, 1):
        yield ask(item)
    try:
        with ThreadPoolExecutor(THREADS, "tmdbkit-pages") as pool:
            try:
                while some := list(islice(rest, AT_ONCE)):
                    yield from pool.map(ask, some)
            except BaseException:
                session.interrupt()
                raise
    finally:
        session.resume()
