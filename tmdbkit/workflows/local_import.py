"""From TMDB to a target, with the stage in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tmdbkit.convex.results import PushResult
from tmdbkit.convex.target import Target
from tmdbkit.fetch.staging import StageResult
from tmdbkit.progress import Progress
from tmdbkit.schema import checked_ids
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.stage import Stage
from tmdbkit.tmdb.session import TMDBSession
from tmdbkit.workflows.fetching import stage_movies
from tmdbkit.workflows.pushing import push


@checked
def run_local_import(
    session: TMDBSession,
    stage: Stage,
    target: Target,
    ids: Iterable[int],
    *,
    people: str | None = None,
    progress: Progress | None = None,
) -> LocalImport:
    """Stage movies, then push them: each step can be run again, and goes on where it was."""
    wanted = checked_ids(ids)
    staged = stage_movies(session, stage, wanted, progress=progress)
    there = stage.ids().intersection(wanted)  # what of the others became, `staged` tells
    pushed = push(stage, target, sorted(there), people=people, progress=progress)
    return LocalImport(staged, pushed)


@dataclass(frozen=True)
class LocalImport:
    """What staging and pushing came to."""

    staged: StageResult
    pushed: PushResult

    def __repr__(self) -> str:
        return f"{self.staged!r}\n{self.pushed!r}"

    def _repr_html_(self) -> str:
        return self.staged._repr_html_() + self.pushed._repr_html_()
