"""Asks providers for ratings, one after the other, and writes to the stage what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from tmdbkit.convex.read import movies_of
from tmdbkit.convex.target import Target
from tmdbkit.display import Drawn, counted_facts
from tmdbkit.exceptions import OfflineError, StopError, carrying
from tmdbkit.executors import run_on
from tmdbkit.progress import Progress, counted, showing
from tmdbkit.ratings.model import FAILED, RATINGS, Collected, Provider
from tmdbkit.ratings.providers import BY_NAME, open_providers
from tmdbkit.schema import checked_ids
from tmdbkit.settings import Settings
from tmdbkit.stage.stage import Stage

Lookup = Callable[[Provider, pl.DataFrame], Iterator[Collected]]

CONFIRMED_FOR = timedelta(days=30)  # then a rating that is still the same is noted again
NOTHING = ""  # the system of a row which says that a provider has no rating of a movie
COSTS = pl.Schema(
    {
        "provider": pl.String(),
        "movies": pl.Int64(),
        "requests": pl.Int64(),
        "days": pl.Int64(),
        "terms": pl.String(),
    }
)
WANTED = pl.Schema({"tmdb_id": pl.Int64(), "imdb_id": pl.String()})


@dataclass(frozen=True, repr=False)
class RatingsResult(Drawn):
    """What asking for ratings came to.

    Attributes:
        movies: How many different movies were wanted.
        rated: How many of them have a rating from these providers now.
        missing: How many have none, because nobody asked knows one.
        failed: How many have none because a provider could not be asked for them.
        http_requests: How many requests were made.
        by_system: How many of the movies each system rates now.
        failures: `provider, tmdb_id, reason` of whatever could not be asked for.
        stopped: A line for each provider that had to stop early, and why.
    """

    _heading = "Ratings"

    movies: int
    rated: int
    missing: int
    failed: int
    http_requests: int
    by_system: dict[str, int]
    failures: pl.DataFrame = field(repr=False)
    stopped: tuple[str, ...] = ()

    def counts(self) -> dict[str, object]:
        """Return the counts by name."""
        names = ("movies", "rated", "missing", "failed", "http_requests", "by_system")
        return {name: getattr(self, name) for name in names}

    def _facts(self) -> list[tuple[str, str]]:
        named = {name.replace("http_", ""): n for name, n in self.counts().items()}
        facts = counted_facts({name: n for name, n in named.items() if name != "by_system"})
        facts += [(system, counted(count, "movie")) for system, count in self.by_system.items()]
        facts += [("stopped", line) for line in self.stopped]
        reasons = self.failures.group_by("provider", "reason").len().sort("len", descending=True)
        return facts + [
            (f"failed: {count:,}", f"{provider}: {reason}")
            for provider, reason, count in reasons.head(5).rows()
        ]


def due(
    provider: Provider, wanted: pl.DataFrame, stage: Stage, oldest: datetime | None
) -> pl.DataFrame:
    """Return the movies that a provider is to be asked for.

    One that costs no quota is asked for all. Of the others nobody is asked for a movie again whose
    answer is not older than `oldest`; a fallback is not asked for what has all of its systems,
    from whomever, and not older than that either.
    """
    if not provider.metered:
        return wanted
    asked = stage.store.asked(provider.name)
    settled = asked if oldest is None else asked.filter(pl.col("asked_at") >= oldest)
    left = wanted.join(settled, on="tmdb_id", how="anti", maintain_order="left")
    if provider.fallback:
        rated = stage.ratings().filter(
            pl.col("system").is_in(provider.systems) & pl.col("points").is_not_null()
        )
        if oldest is not None:
            rated = rated.filter(pl.col("fetched_at") >= oldest)
        systems = rated.group_by("tmdb_id").agg(pl.col("system").n_unique())
        full = systems.filter(pl.col("system") == len(provider.systems))
        left = left.join(full, on="tmdb_id", how="anti", maintain_order="left")
    return left


@contextmanager
def opened(
    providers: Iterable[str | Provider] | None, settings: Settings | None
) -> Iterator[list[Provider]]:
    """Yield the providers that are given or named; the named ones are closed at the end.

    Raises:
        UsageError: There is none of that name, or its key is missing.
    """
    given = None if providers is None else list(providers)
    names = None if given is None else [name for name in given if isinstance(name, str)]
    found: list[Provider] = [own for own in given or () if not isinstance(own, str)]
    with ExitStack() as closing:
        for named in open_providers(names, settings or Settings.from_env()):
            closing.callback(named.close)
            found.append(named)
        yield found


def wanted_of(stage: Stage, target: Target | None, ids: Iterable[int] | None) -> pl.DataFrame:
    """Return `tmdb_id, imdb_id` of what is to be rated, as the stage or the target has them."""
    if target is not None:
        target.preflight(writing=False)
    known = movies_of(target) if target is not None else stage.store.look_up(WANTED.names())
    rows = known.select(pl.col(name).cast(kind) for name, kind in WANTED.items())
    rows = rows.unique("tmdb_id", keep="first", maintain_order=True).sort("tmdb_id")
    if ids is None:
        return rows
    asked = pl.DataFrame({"tmdb_id": checked_ids(ids)}, {"tmdb_id": pl.Int64})
    return asked.join(rows, on="tmdb_id", how="left").with_columns(pl.col("imdb_id").fill_null(""))


def costs(
    providers: Iterable[Provider], wanted: pl.DataFrame, stage: Stage, oldest: datetime | None
) -> pl.DataFrame:
    """Return `provider, movies, requests, days, terms`: what asking for the wanted would take."""
    rows = []
    for provider in providers:
        left = due(provider, wanted, stage, oldest)
        cost = provider.cost(left)
        rows.append((provider.name, left.height, cost.requests, cost.days, provider.terms))
    return pl.DataFrame(rows, COSTS, orient="row")


def look_up(provider: Provider, wanted: pl.DataFrame) -> Iterator[Collected]:
    """Yield what a provider has, in this process."""
    return provider.collect(wanted)


def look_up_on(
    executor: Executor, workers: int, settings: Settings, provider: Provider, wanted: pl.DataFrame
) -> Iterator[Collected]:
    """Yield the same by the workers of an executor, as long as it costs no quota."""
    if provider.metered:
        yield from provider.collect(wanted)
        return
    carried = provider.name if provider.name in BY_NAME else provider  # connections stay here
    pieces = wanted.iter_slices(max(1, -(-wanted.height // workers)))
    work = partial(collected, settings.keyless(), carried)
    for came in run_on(executor, work, pieces, workers):
        yield from came


def collected(
    settings: Settings, provider: str | Provider, wanted: pl.DataFrame
) -> list[Collected]:
    """Return what a provider has, as a worker does: one that is named is opened there."""
    if not isinstance(provider, str):
        return list(provider.collect(wanted))
    with closing(BY_NAME[provider](settings)) as opened_here:
        return list(opened_here.collect(wanted))


def collect(
    providers: Sequence[Provider],
    wanted: pl.DataFrame,
    stage: Stage,
    *,
    older_than: timedelta | None,
    progress: Progress,
    now: datetime,
    lookup: Lookup = look_up,
) -> RatingsResult:
    """Ask each provider for what is due, by `lookup`, and keep what comes as it comes.

    A provider that stops, because its quota is used up or it is down, stops none of the others; the
    next run goes on from there.
    """
    oldest = None if older_than is None else now - older_than
    failed = [_no_failures()]
    stopped: list[str] = []
    before = sum(provider.requests for provider in providers)

    def result() -> RatingsResult:
        requests = sum(provider.requests for provider in providers) - before
        return _result(providers, wanted, stage, pl.concat(failed), stopped, requests)

    total, done = wanted.height * len(providers), 0
    with carrying(lambda: result().counts()), showing(progress, "rating", total) as update:
        for provider in providers:
            left = due(provider, wanted, stage, oldest)
            done += wanted.height - left.height
            asking = _Asking(provider, left, stage, now, lookup)
            for settled in asking:
                done += settled
                update(done)
            failed.append(asking.failures())
            stopped += [asking.stopped] * bool(asking.stopped)
    return result()


class _Asking:
    """One provider's turn; yields how many movies are settled, or failed, as they come."""

    def __init__(
        self,
        provider: Provider,
        left: pl.DataFrame,
        stage: Stage,
        now: datetime,
        lookup: Lookup,
    ) -> None:
        self.stopped = ""
        self._lookup = lookup
        self._provider, self._left, self._stage, self._now = provider, left, stage, now
        self._failed = [FAILED.to_frame()]
        self._settled: set[int] = set()

    def __iter__(self) -> Iterator[int]:
        try:
            for came in self._lookup(self._provider, self._left):
                _keep(self._provider, came, self._stage, self._now)
                self._failed.append(came.failed)
                self._settled.update(came.asked, came.failed["tmdb_id"])
                yield len(came.asked) + came.failed.height
        except (StopError, OfflineError) as error:
            self.stopped = f"{self._provider.name}: {error}"

    def failures(self) -> pl.DataFrame:
        """Return `provider, tmdb_id, reason`; whoever it did not come to has failed as well."""
        unasked = self._left.filter(~pl.col("tmdb_id").is_in(self._settled)).select(
            "tmdb_id", reason=pl.lit("the provider stopped before it came to this movie")
        )
        failed = pl.concat([*self._failed, unasked])
        return failed.select(pl.lit(self._provider.name).alias("provider"), *FAILED)


def _keep(provider: Provider, came: Collected, stage: Stage, now: datetime) -> None:
    """Write ratings to the stage, and for the movies that have none, where asking costs, that."""
    rows = came.ratings
    if provider.metered:
        unrated = sorted(set(came.asked) - set(rows["tmdb_id"]))
        none = [
            (tmdb_id, NOTHING, None, None, None, None, provider.name, now) for tmdb_id in unrated
        ]
        rows = pl.concat([rows, pl.DataFrame(none, RATINGS, orient="row")])
    else:
        known = stage.ratings().filter(pl.col("provider") == provider.name)
        rows = _new_of(rows, known)
    stage.store.add_ratings(rows)


def _new_of(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return what is not known yet, or was confirmed so much later that it is no longer stale."""
    same = ["tmdb_id", "system", "points", "votes"]
    before = known.select(*same, confirmed=pl.col("fetched_at"))
    found = rows.join(before, on=same, how="left", nulls_equal=True, maintain_order="left")
    age = pl.col("fetched_at") - pl.col("confirmed")
    new = found.filter(pl.col("confirmed").is_null() | (age > CONFIRMED_FOR))
    return new.select(RATINGS.names())


def _no_failures() -> pl.DataFrame:
    return pl.DataFrame(schema={"provider": pl.String, **FAILED})


def _result(
    providers: Sequence[Provider],
    wanted: pl.DataFrame,
    stage: Stage,
    failures: pl.DataFrame,
    stopped: list[str],
    requests: int,
) -> RatingsResult:
    names = [provider.name for provider in providers]
    rated = stage.ratings().filter(pl.col("provider").is_in(names) & pl.col("points").is_not_null())
    rated = rated.join(wanted, on="tmdb_id", how="semi")
    ids = set(rated["tmdb_id"])
    failed = set(failures["tmdb_id"]) - ids
    by_system = rated.group_by("system").agg(pl.col("tmdb_id").n_unique()).sort("system")
    return RatingsResult(
        movies=wanted.height,
        rated=len(ids),
        missing=wanted.height - len(ids) - len(failed),
        failed=len(failed),
        http_requests=requests,
        by_system=dict(by_system.rows()),
        failures=failures,
        stopped=tuple(stopped),
    )
