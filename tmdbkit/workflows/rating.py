"""Ratings: asked for, and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from functools import partial

import polars as pl

from tmdbkit import progress as progresses
from tmdbkit.convex.target import Target
from tmdbkit.exceptions import UsageError
from tmdbkit.executors import workers_of
from tmdbkit.progress import Progress
from tmdbkit.quality import RULES, Rule, find
from tmdbkit.quality.report import Report
from tmdbkit.ratings.imdb_titles import IMDbTitles
from tmdbkit.ratings.model import Provider
from tmdbkit.settings import Settings
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.stage import Stage
from tmdbkit.workflows.checking import (
    applicable,
    beside_imdb,
    tables_for_rules,
    tables_for_rules_on,
)
from tmdbkit.workflows.collecting import (
    RatingsResult,
    collect,
    costs,
    look_up,
    look_up_on,
    opened,
    wanted_of,
)


@checked
def collect_ratings(
    stage: Stage,
    providers: Iterable[str | Provider] | None = None,
    ids: Iterable[int] | None = None,
    *,
    target: Target | None = None,
    older_than: timedelta | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> RatingsResult:
    """Ask for the ratings of movies, and keep what comes in the stage's log.

    Who costs a quota is asked for no movie twice. What failed, or was not come to because a quota
    was used up, is asked for on the next run.

    Args:
        stage: Where ratings go.
        providers: Names (`imdb`, `mdblist`, `omdb`) or providers of your own, such as a `Table`;
            default all that need no key or have theirs.
        ids: Only these; default all that are staged.
        target: Rate what this one holds, by its own ids; it need not be staged.
        older_than: Ask again where the answer is older.
        settings: Keys and addresses; default `Settings.from_env()`.
        progress: Progress reporter; default a widget, a status line, or nothing.
        executor: Who looks up ratings in data sets and tables, instead of this process. Whoever
            costs a quota is asked by this process alone: quota and pace are one.
        workers: How many pieces are looked up at once; default what the executor says of itself.

    Raises:
        UsageError: No such provider, or its key is missing.
    """
    settings = settings or Settings.from_env()
    lookup = look_up
    if executor is not None:
        lookup = partial(look_up_on, executor, workers or workers_of(executor), settings)
    with opened(providers, settings) as asked:
        return collect(
            asked,
            wanted_of(stage, target, ids),
            stage,
            older_than=older_than,
            progress=progress or progresses.default(),
            now=_now(),
            lookup=lookup,
        )


@checked
def rating_costs(
    stage: Stage,
    providers: Iterable[str | Provider] | None = None,
    ids: Iterable[int] | None = None,
    *,
    target: Target | None = None,
    older_than: timedelta | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Say what `collect_ratings` would take, and ask nobody.

    Returns:
        `provider, movies, requests, days, terms`: how many movies it would be asked for, the
        requests, the days of its quota, and whose terms apply.
    """
    oldest = _now() - older_than if older_than else None
    with opened(providers, settings) as asked:
        return costs(asked, wanted_of(stage, target, ids), stage, oldest)


@checked
def check(
    source: Stage | pl.DataFrame | pl.LazyFrame | Target,
    *,
    rules: Sequence[Rule] | None = None,
    skip: Collection[str] = (),
    imdb: IMDbTitles | None = None,
    now: datetime | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> Report:
    """Look for what is wrong with movies and their ratings; nothing is changed.

    Args:
        source: A stage; a target; or a frame, of documents or of the flat table.
        rules: What to look for, such as `[*RULES, mine]`; default what comes with tmdbkit. A rule
            that looks at a column which is not there is passed over, and not in the report.
        skip: Names of rules to leave out.
        imdb: IMDb's data set of titles, to see whether an IMDb id is the film's; some 200 MB, asked
            for once a day. Without it those rules are passed over.
        now: The time by which something is stale or still to come; default the stage's own.
        executor: Any `concurrent.futures.Executor`; its workers need access to the stage.
        workers: How many pieces are read at once; default what the executor says of itself.

    Raises:
        UsageError: A name to skip that no rule has, or that two have, or a frame without `tmdb_id`.
        OfflineError: Offline, and IMDb's data set was not downloaded before.
        StopError: IMDb's data set does not come, or is none.

    Example:
        >>> report = check(tmdbkit.sample())
        >>> report.verdict()
        '36 of 96 movies need a look'
        >>> report.findings.filter(rule="scale_mix_up").select("title", "system", "value").rows()
        [('!!!', 'metacritic', '5.4 of 100')]
    """
    looked_for = RULES if rules is None else rules
    names = [rule.name for rule in looked_for]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{min(twice)} is the name of two rules; each has one of its own")
    if unknown := sorted(set(skip).difference(names)):
        raise UsageError(f"no rule {unknown[0]!r}; there are {', '.join(sorted(names))}")
    chosen = [rule for rule in looked_for if rule.name not in skip]
    if executor is not None and isinstance(source, Stage):
        movies, ratings = tables_for_rules_on(
            executor, workers or workers_of(executor), source, chosen
        )
    else:
        movies, ratings = tables_for_rules(source, chosen)
    if imdb is not None:
        movies = beside_imdb(movies, imdb, source)
    at = now or (source.store.now() if isinstance(source, Stage) else _now())
    able = applicable(chosen, movies)
    nothing = isinstance(source, Stage) and movies.is_empty()
    heading = "nothing is staged" if nothing else ""
    return Report(movies.height, tuple(able), find(movies, ratings, able, now=at), heading)


def _now() -> datetime:
    return datetime.now(UTC)
