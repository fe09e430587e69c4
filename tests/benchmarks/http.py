"""How polite staging is, and how near to what it may, where TMDB limits it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from tests.servers.tmdb import TMDBServer
from tmdbkit import stage_movies
from tmdbkit.progress import Silent

from .fetch import LATENCY, fresh
from .measure import Line, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.servers.tmdb import TMDBProcess

KINDS = {"sliding": "sliding second", "bucket": "token bucket"}
ALLOWED, MOVIES = 40, 2_000
LOWERED, FROM_SECOND, SETTLED_AFTER, LOWERED_MOVIES = 15, 5, 10, 1_100  # some 65 seconds more


def rate() -> Iterator[Line]:
    """The default pace, for either way to count 40 requests a second."""
    ids = range(1, MOVIES + 1)
    for kind, name in KINDS.items():
        with (
            _limited(limit_kind=kind) as server,
            fresh(server) as (session, stage),
        ):
            took = seconds(partial(stage_movies, session, stage, ids, progress=Silent()))
            stats = server.stats()
        parts = f"{MOVIES / took:.1f} movies/s, at most {stats['max_per_second']} in a second"
        share = MOVIES / took / ALLOWED
        yield Line(f"staging, of {ALLOWED} allowed a second, {name}", share, 0.94, parts=parts)
        yield Line("  answers 429 meanwhile", stats["too_many"], 0, at_most=True)


def _limited(**options: Any) -> AbstractContextManager[TMDBProcess]:
    return TMDBServer.process(latency=LATENCY, missing=[], limit=ALLOWED, **options)


@dataclass(frozen=True)
class Settled:
    """What a run came to once it had had its time to find a new limit out."""

    accepted: float  # a second
    refused: float  # the share of all answers


def lowering() -> Iterator[Line]:
    """The same where suddenly fewer are allowed, with and without a word of when to come back.

    All cases at once: at this pace each of them hardly does anything.
    """
    cases = list(product(KINDS, (1, None)))
    with ThreadPoolExecutor(len(cases)) as pool:
        runs = list(pool.map(lambda case: _settled(*case), cases))
    for (kind, retry_after), run in zip(cases, runs, strict=True):
        told = "no Retry-After" if retry_after is None else "Retry-After"
        what = f"the limit falls to {LOWERED}, {KINDS[kind]}, {told}"
        parts = f"{run.accepted:.1f} movies/s, from {SETTLED_AFTER} s after the fall"
        yield Line(what, run.accepted / LOWERED, 0.85, parts=parts)
        yield Line("  answers 429 meanwhile, %", run.refused * 100, 1, at_most=True)


def _settled(kind: str, retry_after: int | None) -> Settled:
    changes = [(FROM_SECOND, LOWERED)]
    with (
        _limited(limit_kind=kind, retry_after=retry_after, limit_changes=changes) as server,
        fresh(server) as (session, stage),
        ThreadPoolExecutor(1) as pool,
    ):
        run = pool.submit(
            stage_movies, session, stage, range(1, LOWERED_MOVIES + 1), progress=Silent()
        )
        time.sleep(FROM_SECOND + SETTLED_AFTER)
        since, before = time.monotonic(), server.stats()
        run.result()
        after = server.stats()
    answered, refused = (after[name] - before[name] for name in ("total", "too_many"))
    return Settled((answered - refused) / (after["last"] - since), refused / answered)
