"""Where ids come from: TMDB's lists, as frames of ids without repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.tmdb.client import LISTS

if TYPE_CHECKING:
    from tmdbkit.tmdb.client import TMDBClient

LAST_PAGE = 500  # TMDB serves no page above, whatever `total_pages` says
IDS = pl.Schema({"tmdb_id": pl.Int64(), "source": pl.String(), "rank": pl.Int64()})


def list_ids(client: TMDBClient, name: str, *, pages: int = 1) -> pl.DataFrame:
    """Return the first pages of a list, 20 movies each, as `IDS`.

    Lists move while they are read, and repeat a movie on the next page: the first place counts.

    Raises:
        UsageError: There is no such list, or no such page.
    """
    if name not in LISTS:
        raise UsageError(f"there is no list {name!r}; TMDB has {', '.join(LISTS)}")
    if not 1 <= pages <= LAST_PAGE:
        raise UsageError(f"--pages is {pages}; TMDB serves pages 1 to {LAST_PAGE}")
    found: dict[int, None] = {}
    for page in range(1, pages + 1):
        answer = client.movie_list(name, page)
        found.update(dict.fromkeys(int(movie["id"]) for movie in answer["results"]))
        if page >= answer.get("total_pages", pages):
            break
    ids = list(found)
    ranks = range(1, len(ids) + 1)
    return pl.DataFrame({"tmdb_id": ids, "source": [name] * len(ids), "rank": ranks}, IDS)
