"""Which movies TMDB changed, over any span of days, and which of ours that makes stale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import partial
from itertools import pairwise

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.tmdb.client import LAST_PAGE, TMDBClient, read_pages
from tmdbkit.tmdb.discovery import as_ids, id_of

WINDOW = timedelta(days=14)  # TMDB answers for no longer span
DAY = timedelta(days=1)


def changed_ids(client: TMDBClient, since: date, until: date) -> pl.DataFrame:
    """Return the movies that changed from one day to another, both included.

    Those of the day after the last may be among them.

    Returns:
        `discovery.IDS` and `deleted`: whether TMDB has the movie no longer.

    Raises:
        UsageError: `since` is after `until`.
    """
    if since > until:
        raise UsageError(f"{since} is still to come; changes are known until {until}")
    rows = [row for start, end in _windows([since], until) for row in _changed(client, start, end)]
    changes = pl.DataFrame(rows, {"tmdb_id": pl.Int64, "deleted": pl.Boolean}, orient="row")
    latest = changes.unique("tmdb_id", keep="last")
    ids = as_ids(({"id": tmdb_id} for tmdb_id, _ in rows), "changes")
    return ids.join(latest, on="tmdb_id", maintain_order="left")


def stale_ids(client: TMDBClient, known: pl.DataFrame, until: date) -> list[int]:
    """Return which movies changed since they were known, by day: one of that very day counts.

    `as_of` says until when what we have of a movie is TMDB's. Windows begin on these days, so that
    no change of before a movie's own day counts for it.
    """
    days = known.select("tmdb_id", day=pl.col("as_of").dt.date())
    stale: set[int] = set()
    for start, end in _windows(days["day"].unique().to_list(), until):
        changed = pl.Series("tmdb_id", [i for i, _ in _changed(client, start, end)], pl.Int64)
        ours = days.filter(pl.col("day") <= start).join(
            changed.to_frame(), on="tmdb_id", how="semi"
        )
        stale |= set(ours["tmdb_id"])
    return sorted(stale)


def _windows(starts: Iterable[date], until: date) -> Iterator[tuple[date, date]]:
    """Yield spans from the earliest start until the day after `until`, none longer than `WINDOW`.

    Each begins on the day on which the one before ends, and the last ends tomorrow: whether TMDB
    counts a span's last day is nowhere said, and a movie twice does no harm.
    """
    cuts = [*sorted({min(day, until) for day in starts}), until + DAY]
    for start, end in pairwise(cuts):
        while start < end:
            yield start, min(start + WINDOW, end)
            start += WINDOW


def _changed(client: TMDBClient, start: date, end: date) -> Iterator[tuple[int, bool]]:
    """Yield `id, deleted` of a window; one of more pages than TMDB serves is halved."""
    ask = partial(client.changes, start.isoformat(), end.isoformat())
    first = ask(1)
    if first.get("total_pages", 1) > LAST_PAGE and end - start > DAY:
        middle = start + (end - start) // 2
        yield from _changed(client, start, middle)
        yield from _changed(client, middle, end)
        return
    for answer in read_pages(client, ask, first=first):
        for movie in answer["results"]:
            if tmdb_id := id_of(movie):
                yield tmdb_id, movie.get("adult") is None
