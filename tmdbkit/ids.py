"""TMDB ids as people give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdbkit.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def checked_ids(ids: Iterable[int]) -> list[int]:
    """Return the ids without repeats, in order.

    Raises:
        UsageError: One is not a whole number above 0.
    """
    found: dict[int, None] = {}
    for tmdb_id in ids:
        if isinstance(tmdb_id, bool) or not isinstance(tmdb_id, int) or tmdb_id < 1:
            raise UsageError(f"{tmdb_id!r} is not a TMDB id, a whole number above 0 such as 603")
        found[tmdb_id] = None
    return list(found)
