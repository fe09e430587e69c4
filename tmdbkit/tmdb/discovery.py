"""Where ids come from: lists, filters, titles and IMDb ids, as frames of ids without repeats.

What is read page by page moves meanwhile, and repeats a movie on the next page: the first place
counts, and `repeats` says how often it came again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from itertools import chain
from typing import Any

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.schema import LAST_ID
from tmdbkit.tmdb.client import LAST_PAGE, LISTS, TMDBClient, ask_each, dotted, read_pages

IDS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "source": pl.String(),
        "rank": pl.Int64(),
        "title": pl.String(),
        "year": pl.Int32(),
        "repeats": pl.Int64(),
    }
)
_ROW = pl.Schema({"tmdb_id": pl.Int64(), "title": pl.String(), "date": pl.String()})
FROM_DATE, TO_DATE = "primary_release_date.gte", "primary_release_date.lte"
FIRST_DAY, LAST_DAY = date(1870, 1, 1), date(2099, 12, 31)  # no movie is of before or after


def list_ids(client: TMDBClient, name: str, *, pages: int = 1) -> pl.DataFrame:
    """Return the first pages of a list, 20 movies each, as `IDS`.

    Raises:
        UsageError: There is no such list, or no such page.
    """
    if name not in LISTS:
        raise UsageError(
            f"there is no list {name!r}; TMDB has {', '.join(LISTS)}, and those that people made "
            "by their number"
        )
    check_pages(pages)
    answers = read_pages(client, partial(client.movie_list, name), pages=pages)
    return as_ids(_results(answers), name)


def search_ids(
    client: TMDBClient, query: str, *, year: int | None = None, pages: int = 1
) -> pl.DataFrame:
    """Return the movies whose title is like `query`, the likeliest first, as `IDS`.

    Raises:
        UsageError: There is nothing to search for, or no such page.
    """
    if not query.strip():
        raise UsageError("there is nothing to search for; write a title, such as --search matrix")
    check_pages(pages)
    ask = partial(client.search, query, year=year)
    return as_ids(_results(read_pages(client, ask, pages=pages)), "search")


def discover_ids(client: TMDBClient, *, pages: int | None = None, **filters: Any) -> pl.DataFrame:
    """Return the movies that TMDB's own filters let through, as `IDS`.

    TMDB serves 10,000 of them at most. Where there are more, the span of release dates is halved
    until each slice has fewer: `rank` then counts slice by slice, and movies without a date, which
    no slice has, are left out.

    Args:
        client: Whom to ask.
        pages: Only the first pages, 20 movies each; default all.
        **filters: As TMDB calls them; `vote_count_gte` stands for `vote_count.gte`.

    Raises:
        UsageError: There is no such page, or a single day has more than 10,000 movies.
        RequestRefused: TMDB does not accept a filter's value.
    """
    if pages is not None:
        check_pages(pages)
        ask = partial(client.discover, **filters)
        return as_ids(_results(read_pages(client, ask, pages=pages)), "discover")
    return as_ids(chain.from_iterable(_all_of(client, dotted(filters))), "discover")


def shared_list_ids(client: TMDBClient, list_id: int, *, pages: int | None = None) -> pl.DataFrame:
    """Return the movies of a list that someone made on TMDB, in its order, as `IDS`.

    Args:
        client: Whom to ask.
        list_id: The number in the list's address.
        pages: Only the first pages, 20 movies each; default all.

    Raises:
        UsageError: There is no such page.
        NotFound: There is no such list.
    """
    pages = LAST_PAGE if pages is None else pages
    check_pages(pages)
    answers = read_pages(client, partial(client.shared_list, list_id), pages=pages)
    items = chain.from_iterable(answer["items"] for answer in answers)
    movies = (
        item
        for item in items
        if isinstance(item, dict) and item.get("media_type", "movie") == "movie"
    )
    return as_ids(movies, f"list {list_id}")


def collection_ids(client: TMDBClient, collection_id: int) -> pl.DataFrame:
    """Return the movies of a collection, in TMDB's order, as `IDS`.

    Raises:
        NotFound: There is no such collection.
    """
    return as_ids(client.collection(collection_id)["parts"], f"collection {collection_id}")


def imdb_ids(client: TMDBClient, ids: Sequence[str]) -> pl.DataFrame:
    """Return the movies that TMDB has under IMDb ids, as `IDS` and `imdb_id`.

    An id that TMDB does not know, or knows as something else than a movie, has no row.
    """
    asked = list(dict.fromkeys(ids))
    answers = ask_each(client, client.find, asked, "looking up IMDb id")
    found = [
        {**movie, "imdb_id": imdb_id}
        for imdb_id, answer in zip(asked, answers, strict=True)
        for movie in answer["movie_results"]
        if id_of(movie)
    ]
    of_imdb = pl.DataFrame(
        [(id_of(movie), movie["imdb_id"]) for movie in found],
        {"tmdb_id": pl.Int64, "imdb_id": pl.String},
        orient="row",
    )
    names = of_imdb.unique("tmdb_id", keep="first")
    return as_ids(found, "imdb").join(names, on="tmdb_id", maintain_order="left")


def id_of(movie: Any) -> int | None:
    """Return the id of what TMDB lists; None where it has none that can be one."""
    found = movie.get("id") if isinstance(movie, dict) else None
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if 0 < found <= LAST_ID else None


def as_ids(movies: Iterable[Any], source: str) -> pl.DataFrame:
    """Return movies as TMDB lists them as `IDS`: each once, at its first place.

    An entry without an id is left out: nobody can ask for it.
    """
    rows = [
        (tmdb_id, *(_text(movie.get(name)) for name in ("title", "release_date")))
        for movie in movies
        if (tmdb_id := id_of(movie))
    ]
    once = (
        pl.DataFrame(rows, _ROW, orient="row")
        .group_by("tmdb_id", maintain_order=True)
        .agg(pl.col("title", "date").first(), repeats=pl.len().cast(pl.Int64) - 1)
    )
    return once.select(
        "tmdb_id",
        source=pl.lit(source),
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        title="title",
        year=pl.col("date").str.slice(0, 4).cast(pl.Int32, strict=False),
        repeats="repeats",
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def check_pages(pages: int) -> None:
    """Refuse a number of pages that TMDB does not serve, before any request.

    Raises:
        UsageError: It is below 1 or above 500.
    """
    if not 1 <= pages <= LAST_PAGE:
        raise UsageError(f"--pages is {pages}; TMDB serves pages 1 to {LAST_PAGE}")


def _results(answers: Iterable[Any]) -> Iterator[Any]:
    return chain.from_iterable(answer["results"] for answer in answers)


def _all_of(client: TMDBClient, filters: dict[str, Any]) -> Iterator[Iterator[Any]]:
    """Yield the movies of each slice that TMDB serves whole."""
    first = client.discover(1, **filters)
    if first.get("total_pages", 1) <= LAST_PAGE:
        slices = iter([(filters, first)])
    else:
        start, end = _day(filters, FROM_DATE, FIRST_DAY), _day(filters, TO_DATE, LAST_DAY)
        slices = _slices(client, filters, start, end)
    for narrowed, page in slices:
        ask = partial(client.discover, **narrowed)
        yield _results(read_pages(client, ask, first=page))


def _slices(
    client: TMDBClient, filters: dict[str, Any], start: date, end: date
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield filters that are narrow enough, each with its first page, the oldest dates first."""
    narrowed = {**filters, FROM_DATE: start.isoformat(), TO_DATE: end.isoformat()}
    first = client.discover(1, **narrowed)
    if first.get("total_pages", 1) <= LAST_PAGE:
        yield narrowed, first
    elif start == end:
        raise UsageError(
            f"more than {20 * LAST_PAGE:,} movies were released on {start}, and TMDB serves no "
            "more of a day; narrow the filters, for example with with_original_language"
        )
    else:
        middle = start + (end - start) // 2
        yield from _slices(client, filters, start, middle)
        yield from _slices(client, filters, middle + timedelta(days=1), end)


def _day(filters: Mapping[str, Any], name: str, default: date) -> date:
    given = str(filters.get(name) or default)
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{name} is {given!r}; TMDB wants a day such as 1999-03-31") from None
