"""A deployment in a storm of faults, and movies that share people and titles to push through it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from tests.servers.convex import ConvexProxy, arguments
from tests.servers.trouble import Bucket, Faults
from tests.servers.wire import Answer

from .bench import payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.servers.convex import FakeTime, Run
    from tests.servers.wire import Request
    from tmdbkit import Stage

    from .backend import ConvexBackend, Document

# Of a hundred calls ten answers are lost after the function ran, ten refused, five reset, five cut.
SHARES = {"lost": 0.10, "occ": 0.10, "reset": 0.05, "cut": 0.025, "cut_json": 0.025}
A_SECOND = 20  # calls in a second, on the clock of the client, before there is a 429
IN_A_ROW = 6  # faults that a call meets at most; the client tries nine times


class Storm(ConvexProxy):
    """Passes calls on to a backend, except for those that the weather takes.

    What a call meets depends on the seed, on what it says and on how often it was made, whatever
    the threads do; only which of the calls are too many depends on their order.

    Args:
        backend: The backend's address.
        time: The client's clock.
        seed: Of the weather.
        someone: Is told the movies of each batch, every time that it is about to arrive.
    """

    def __init__(
        self,
        backend: str,
        time: FakeTime,
        *,
        seed: int,
        someone: Callable[[list[int]], object] | None = None,
    ) -> None:
        super().__init__(backend)
        self._time, self._someone = time, someone
        self._weather = Faults(SHARES, seed=seed, max_in_a_row=IN_A_ROW)
        self._rate = Bucket(A_SECOND, burst=2)

    def handle(self, request: Request) -> Answer:
        """What one call meets."""
        said = f"{request.path} {request.body.decode()}"
        if self._someone and "tmdbkit:applyMovies" in said:
            changes = arguments(json.loads(request.body))["changes"]
            self._someone([change["tmdb_id"] for change in changes])
        allowed = self._rate.take(self._time.clock())
        self.script("*", (self._weather.draw(said) or "ok") if allowed else "429")
        return super().handle(request)

    def met(self) -> Counter[str]:
        """How many calls met what."""
        return Counter(call.met for call in self.calls)


def films(count: int, *, crew: int = 3, known: int = 300, seed: int = 1) -> list[Document]:
    """Movies of which three each have the same title, with people who work on several.

    Args:
        count: How many.
        crew: How many people work on each besides its three actors; the first directs, and writes.
        known: How many people there are.
        seed: Who works on what.
    """
    draw = random.Random(seed)
    people = [{"id": 1000 + n, "name": f"Person {n}"} for n in range(known)]
    made = []
    for number in range(1, count + 1):
        actors, workers = draw.sample(people, 3), draw.sample(people, crew)
        jobs = ["Director", *(f"Job {n % 7}" for n in range(1, crew))]
        credited = [{**who, "job": job} for who, job in zip(workers, jobs, strict=True)]
        worked = {
            "cast": [{**who, "order": place} for place, who in enumerate(actors)],
            "crew": [*credited, {**workers[0], "job": "Writer"}],
        }
        votes = {
            "vote_average": draw.randrange(30, 90) / 10,
            "vote_count": draw.randrange(99, 9999),
        }
        title = f"Film {(number + 1) // 3}"
        made.append(payload(number, title=title, credits=worked, **votes))
    return made


def credited(movies: Iterable[Document]) -> list[tuple[int, str, str]]:
    """Everybody who works on these movies, once for each job, as the table crew has it."""
    found = set()
    for movie in movies:
        crew, cast = movie["credits"]["crew"], movie["credits"]["cast"]
        found |= {(who["id"], who["name"], who["job"]) for who in crew}
        found |= {(who["id"], who["name"], "Actor") for who in cast}
    return sorted(found)


def people(backend: ConvexBackend) -> list[tuple[int, str, str]]:
    """The table crew of a deployment, every row of it."""
    rows = backend.dump("crew")
    return sorted((int(row["crew_id"]), row["crew_name"], row["crew_type"]) for row in rows)


def stored(backend: ConvexBackend) -> dict[int, list[Document]]:
    """The documents of a deployment by id, repeated ones too, without Convex's own fields."""
    found: dict[int, list[Document]] = {}
    for row in backend.dump("movies"):
        document = {name: value for name, value in row.items() if not name.startswith("_")}
        found.setdefault(int(row["tmdb_id"]), []).append(document)
    return found


def ended_at(
    proxy: ConvexProxy,
    backend: ConvexBackend,
    command: list[str],
    turn: int = 0,
    how: signal.Signals = signal.SIGKILL,
    *,
    ran: bool = False,
) -> int:
    """Run a command, and end it with its so manieth batch of movies, before or after that ran."""
    running: list[subprocess.Popen[bytes]] = []

    def arm(run: Run) -> Answer:
        """Count from the first call on: those of the run before may still be on their way."""
        proxy.script("applyMovies", *["ok"] * (turn - 1), end)
        return run()

    def end(run: Run) -> Answer:
        answer = run() if ran else Answer(0, ending="reset")
        running[0].send_signal(how)
        return answer

    if turn:
        proxy.script("check_admin_key", arm)
    running.append(
        subprocess.Popen(
            command,
            env=settings(proxy.url, backend),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    return running[0].wait(timeout=120)


def cli(verb: str, stage: Stage) -> list[str]:
    return [sys.executable, "-m", "tmdbkit", verb, "--stage", str(stage.store.root.folder)]


def cli_push(stage: Stage) -> list[str]:
    return cli("push", stage)


def settings(url: str, backend: ConvexBackend) -> dict[str, str]:
    return {**os.environ, "CONVEX_URL": url, "CONVEX_DEPLOY_KEY": backend.key}
