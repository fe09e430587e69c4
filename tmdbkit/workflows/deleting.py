"""Movies that leave a target again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.convex.delivery import READ
from tmdbkit.convex.results import DeleteResult
from tmdbkit.convex.undo import standing
from tmdbkit.schema import checked_ids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tmdbkit.convex.target import Target
    from tmdbkit.stage.stage import Stage


def absent_from_stage(stage: Stage, target: Target) -> list[int]:
    """Return the movies that this stage created in the target, and does not hold any more.

    What it found there, or changed, is somebody else's to delete.
    """
    there = target.title.rows_of(stage.imports())
    return sorted(set(standing(there).filter(outcome="created")["tmdb_id"]) - stage.ids())


def delete_movies(target: Target, ids: Iterable[int]) -> DeleteResult:
    """Delete the documents of movies from a target.

    What is there is looked up first: where the answer to a deletion is lost, the second try finds
    nothing, and would report as absent what the first one deleted.
    """
    wanted = checked_ids(ids)
    target.preflight(writing=True)
    target.contract()
    there: set[int] = set()
    for start in range(0, len(wanted), READ):
        found = {int(row["tmdb_id"]) for row in target.documents(wanted[start : start + READ])}
        if found:
            target.delete_movies(sorted(found))
        there |= found
    target.flush()
    rows = [(tmdb_id, "deleted" if tmdb_id in there else "absent") for tmdb_id in wanted]
    frame = pl.DataFrame(rows, {"tmdb_id": pl.Int64, "outcome": pl.String}, orient="row")
    deleted = frame.filter(pl.col("outcome") == "deleted").height
    return DeleteResult(str(target.title), deleted, frame.height - deleted, frame)
