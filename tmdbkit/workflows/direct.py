"""From TMDB to a target, with no stage in between but its import log."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tmdbkit import transform
from tmdbkit.convex.importer import Importer
from tmdbkit.convex.merge import PushOptions
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.results import PushResult
from tmdbkit.convex.target import Target
from tmdbkit.fetch.staging import THREADS, fetch_movies
from tmdbkit.images import ImageForm
from tmdbkit.progress import Progress
from tmdbkit.schema import ROW, checked_ids
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.stage import Stage
from tmdbkit.tmdb.session import TMDBSession
from tmdbkit.workflows.checking import withheld_rows
from tmdbkit.workflows.run import Run

if TYPE_CHECKING:
    from tmdbkit.workflows.outgoing import Piece


@checked
def import_direct(
    session: TMDBSession,
    target: Target,
    ids: Iterable[int],
    *,
    stage: Stage | None = None,
    people: str | None = None,
    images: str | ImageForm | None = None,
    threads: int = THREADS,
    progress: Progress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> PushResult:
    """Fetch movies and send them to a target; no movie is staged, and `undo` takes it back.

    A movie that TMDB does not have, or that could not be fetched, is `failed` in the outcomes.

    Args:
        session: What asks TMDB.
        target: Where they go.
        ids: Which movies.
        stage: Whose import log keeps what is changed, and how it was before; default the stage of
            the settings.
        people: `named`, `all` or `none`: whose names go into the table crew.
        images: `url` or `path`, as `push` takes it.
        threads: How many ask TMDB at once.
        progress: Progress reporter; default a widget, a status line, or nothing.
        now: The clock.

    Raises:
        UsageError: An id that is none.
        StopError: Going on is pointless, such as without a log to write to.
    """
    wanted = checked_ids(ids)
    stage = Stage(settings=session.settings) if stage is None else stage
    own = stage.store.own.read()
    chosen = PushOptions.of(session.settings, people=people, images=images, own=own.types)
    options = transform.Options.of(session.settings)
    unsent: list[tuple[int, str]] = []

    def batches() -> Generator[Piece]:
        for payloads, failed in fetch_movies(session, wanted, threads=threads):
            made = transform.transform(payloads, options)
            unsent.extend(failed)
            unsent.extend(made.malformed.rows())
            rows = own.beside(made.rows.select(ROW.names()), payloads)
            yield rows, payloads, withheld_rows(rows, now())

    run = Run(stage, target, chosen, progress=progress, now=now)
    with closing(batches()) as fetched:  # a push that stops ends the fetching too
        sent = run.send(
            lambda importer: _prepared(importer, fetched), len(wanted), interrupt=session.interrupt
        )
        return sent.with_failures(unsent)


def _prepared(importer: Importer, pieces: Iterable[Piece]) -> Generator[Plan]:
    for piece in pieces:
        yield importer.prepare(*piece)
