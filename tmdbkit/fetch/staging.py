"""Fetches ids into the stage, part by part as answers come."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue

import polars as pl

from tmdbkit.display import Drawn, counted_facts
from tmdbkit.exceptions import NotFound, PassingFault, ServiceError, carrying
from tmdbkit.fetch.pool import PART_SECONDS, Fetched, Fetching, Gate, asker
from tmdbkit.progress import STOPPING, Progress
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.tables import FAILURES, MISSING, PAYLOADS, STAGED
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.tmdb.session import TMDBSession

THREADS = 12  # TMDB allows 20 connections an address, and others may share it


@dataclass
class StageCounts:
    """What a run has come to so far."""

    skipped: int = 0
    staged: int = 0
    cached: int = 0
    missing: list[int] = field(default_factory=list)
    failed: dict[int, Fetched] = field(default_factory=dict)
    malformed: dict[int, str] = field(default_factory=dict)

    def note(self) -> str:
        """Return it for a line of progress."""
        failed = len(self.failed) + len(self.malformed)
        parts = [(self.cached, "cached"), (len(self.missing), "missing"), (failed, "failed")]
        return ", ".join(f"{count:,} {name}" for count, name in parts if count)

    def done(self) -> int:
        """Return how many ids have an outcome."""
        fetched = self.staged + len(self.missing) + len(self.failed) + len(self.malformed)
        return self.skipped + fetched

    def count(self, item: Fetched, malformed: str | None) -> None:
        """Count what came of an id, in place of what came of it before."""
        self.failed.pop(item.tmdb_id, None)
        self.cached += item.cached
        if malformed is not None:
            self.malformed[item.tmdb_id] = malformed
        elif item.error is None:
            self.staged += 1
        elif isinstance(item.error, NotFound):
            self.missing.append(item.tmdb_id)
        else:
            self.failed[item.tmdb_id] = item


@dataclass(frozen=True, repr=False)
class StageResult(Drawn):
    """What staging came to: each requested id is staged, skipped, missing or failed.

    Attributes:
        requested: How many different ids were asked for.
        staged: How many were fetched and staged.
        skipped: How many were staged before.
        missing: How many TMDB does not have.
        failed: How many could not be staged.
        http_requests: How many requests were made.
        missing_ids: `tmdb_id` of the missing.
        failures: `tmdb_id, reason` of the failed.
    """

    _heading = "Staged"

    requested: int
    staged: int
    skipped: int
    missing: int
    failed: int
    http_requests: int
    missing_ids: pl.DataFrame = field(repr=False)
    failures: pl.DataFrame = field(repr=False)

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        names = ("requested", "staged", "skipped", "missing", "failed", "http_requests")
        return {name: getattr(self, name) for name in names}

    def _facts(self) -> list[tuple[str, str]]:
        facts = counted_facts({name.replace("http_", ""): n for name, n in self.counts().items()})
        reason = pl.col("reason").str.replace(r"^/\S+: ", "")  # one and the same of any movie
        reasons = self.failures.group_by(reason).len().sort("len", "reason", descending=True)
        return facts + [(f"failed: {count:,}", reason) for reason, count in reasons.head(5).rows()]


def stage_ids(
    session: TMDBSession,
    stage: Stage,
    ids: list[int],
    *,
    refresh: bool,
    threads: int,
    progress: Progress,
    now: datetime,
    gate: Gate | None = None,
) -> StageResult:
    """Stage the ids that are not staged, or with `refresh` all of them.

    What failed for passing reasons is gone over once more at the end. A thread of its own writes,
    and this one only reports: so Ctrl-C, which Python raises here, does not strike in a write. What
    `progress` raises has the same effect.

    Raises:
        StopError: Going on is pointless; what came until then is staged.
    """
    todo, counts = begin(stage, ids, now, refresh=refresh)
    before, language = session.requests, session.settings.language
    ask = asker(TMDBClient(session), refresh=refresh)
    fetching = Fetching(ask, threads=threads, interrupt=session.interrupt, gate=gate)

    def result() -> StageResult:
        return result_of(ids, counts, session.requests - before)

    progress.begin("staging", len(ids))
    try:
        with (
            carrying(lambda: result().counts()),
            ThreadPoolExecutor(1, "tmdbkit-stage") as pool,
        ):
            reports: SimpleQueue[tuple[int, str] | None] = SimpleQueue()
            work = pool.submit(_stage_all, fetching, todo, stage, language, counts, reports)
            try:
                _report(reports, progress, session)
            except BaseException as error:
                fetching.stop(error)
                if isinstance(error, KeyboardInterrupt):
                    progress.update(counts.done(), STOPPING)
                raise
            work.result()
            fetching.check()
    finally:
        session.resume()
        progress.end()
    stage.store.compact_if_piled_up()
    return result()


def _stage_all(
    fetching: Fetching,
    todo: list[int],
    stage: Stage,
    language: str,
    counts: StageCounts,
    reports: SimpleQueue[tuple[int, str] | None],
) -> None:
    """Fetch and write, in two rounds; tell `reports` how far it is, and None at the end."""
    try:
        for again in (False, True):
            with closing(fetching.batches(passing(counts) if again else todo)) as batches:
                for batch in batches:
                    _settle(batch, fetching, stage, language, counts)
                    reports.put((counts.done(), counts.note()))
    finally:
        reports.put(None)
        fetching.despite_ctrl_c(lambda: log_failures(stage, counts))


def _report(
    reports: SimpleQueue[tuple[int, str] | None], progress: Progress, session: TMDBSession
) -> None:
    """Pass on what is reported until the end, and the last again where nothing comes.

    A wait without end would be deaf to Ctrl-C, and so would a progress that is not told of time.
    """
    report: tuple[int, str] | None = (0, "")
    while report is not None:
        done, note = report
        progress.update(done, ", ".join(filter(None, (note, session.waiting))))
        with suppress(Empty):
            report = reports.get(timeout=PART_SECONDS)


def fetch_movies(
    session: TMDBSession, ids: list[int], *, threads: int
) -> Iterator[tuple[pl.DataFrame, list[tuple[int, str]]]]:
    """Yield payloads as they come, and `tmdb_id, reason` of what failed; without a stage.

    What failed for passing reasons is gone over once more at the end.
    """
    ask = asker(TMDBClient(session), refresh=False)
    fetching = Fetching(ask, threads=threads, interrupt=session.interrupt)
    again: list[int] = []
    try:
        for batch in fetching.batches(ids):
            again += [item.tmdb_id for item in batch if isinstance(item.error, PassingFault)]
            yield _without_stage(
                [item for item in batch if not isinstance(item.error, PassingFault)]
            )
            fetching.settled(len(batch))
        for batch in fetching.batches(again):
            yield _without_stage(batch)
            fetching.settled(len(batch))
    finally:
        session.resume()


def _without_stage(batch: list[Fetched]) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    rows = [
        (item.tmdb_id, item.text, item.received_at, STAGED) for item in batch if item.error is None
    ]
    failed = [(item.tmdb_id, str(item.error)) for item in batch if item.error is not None]
    return pl.DataFrame(rows, PAYLOADS, orient="row"), failed


def begin(
    stage: Stage, ids: list[int], now: datetime, *, refresh: bool
) -> tuple[list[int], StageCounts]:
    """Return the ids to ask for, and what is known of the others: staged, or lately not on TMDB."""
    stage.store.compact_if_piled_up()
    if refresh:
        return ids, StageCounts()
    staged = stage.ids()
    missing = (stage.store.movies.lately_missing(now) - staged).intersection(ids)
    todo = [tmdb_id for tmdb_id in ids if tmdb_id not in staged and tmdb_id not in missing]
    skipped = len(ids) - len(todo) - len(missing)
    return todo, StageCounts(skipped=skipped, missing=sorted(missing))


def passing(counts: StageCounts) -> list[int]:
    """Return the ids that failed for passing reasons."""
    return [n for n, item in counts.failed.items() if isinstance(item.error, PassingFault)]


def _settle(
    batch: list[Fetched], fetching: Fetching, stage: Stage, language: str, counts: StageCounts
) -> None:
    """Write a batch to the stage, and count it; there is room for more once it is on the disk."""
    part, rows = fetching.despite_ctrl_c(lambda: write(batch, stage, language))
    fetching.settled(len(batch))
    malformed = fetching.despite_ctrl_c(
        lambda: stage.store.derive(part, rows).rows() if part else []
    )
    reasons = dict(malformed)
    for item in batch:
        counts.count(item, reasons.get(item.tmdb_id))


def write(
    batch: list[Fetched], stage: Stage, language: str, part: str | None = None
) -> tuple[str, pl.DataFrame]:
    """Write what TMDB answered; return the part's name, if there was anything, and its rows.

    Raises:
        StageError: The stage is in another language by now.
    """
    rows = [
        (item.tmdb_id, item.text, item.received_at, STAGED)
        if item.error is None
        else (item.tmdb_id, item.error.message, item.received_at, MISSING)
        for item in batch
        if item.error is None or isinstance(item.error, NotFound)
    ]
    frame = pl.DataFrame(rows, PAYLOADS, orient="row")
    return (stage.store.append(frame, part, language) if rows else ""), frame


def log_failures(stage: Stage, counts: StageCounts) -> None:
    """Note in the stage what could not be staged, so that it comes first on the next run."""
    rows = []
    for tmdb_id, item in counts.failed.items():
        error = item.error
        attempts, status = (
            (error.attempts, error.status) if isinstance(error, ServiceError) else (1, None)
        )
        passing = isinstance(error, PassingFault)
        rows.append((tmdb_id, str(error), passing, attempts, status, item.received_at))
    stage.store.add_failures(pl.DataFrame(rows, FAILURES, orient="row"))


def result_of(ids: list[int], counts: StageCounts, http_requests: int) -> StageResult:
    """Return what staging these ids came to."""
    reasons = {tmdb_id: str(item.error) for tmdb_id, item in counts.failed.items()}
    failed = sorted({**reasons, **counts.malformed}.items())
    return StageResult(
        requested=len(ids),
        staged=counts.staged,
        skipped=counts.skipped,
        missing=len(counts.missing),
        failed=len(failed),
        http_requests=http_requests,
        missing_ids=pl.DataFrame({"tmdb_id": sorted(counts.missing)}, {"tmdb_id": pl.Int64}),
        failures=pl.DataFrame(failed, {"tmdb_id": pl.Int64, "reason": pl.String}, orient="row"),
    )
