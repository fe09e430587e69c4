"""A run that lasts a night: whatever happens meanwhile, it waits or ends, and then goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.terminal import counts_in
from tests.servers.tmdb import TMDBServer
from tests.servers.trouble import error
from tests.stage.conftest import payload
from tmdbkit import Settings, Stage, TMDBSession, stage_movies
from tmdbkit.fetch.pool import OUTSTANDING
from tmdbkit.fetch.staging import THREADS
from tmdbkit.progress import Silent
from tmdbkit.tmdb.client import movie_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.wire import Answer, Request
    from tests.stage.conftest import Connect

pytestmark = pytest.mark.once

HOUR = 3600.0
OUTAGE = "TMDB cannot be reached at"
FAULTS = dict.fromkeys(("500", "502html", "503", "reset", "cut"), 0.02)


class Watched(TMDBServer):
    """Does something at the request of a number, and only fails while it is `down`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"missing": [], "size": 2_000, **options})
        self.down = False
        self._moment, self._act = 0, lambda: None

    def at(self, requests: int, act: Callable[[], None]) -> None:
        """Act when so many more requests have come."""
        self._moment, self._act = len(self.requests) + requests, act

    def _answer(self, request: Request) -> Answer:
        if len(self.requests) == self._moment:
            self._act()
        return error(9) if self.down else super()._answer(request)


class FastClock:
    """A clock on which an hour is over in half a second, for all threads alike."""

    SPEED = 2 * HOUR

    def __init__(self) -> None:
        self._began, self._skipped = time.monotonic(), 0.0
        self._due: list[tuple[float, Callable[[], object]]] = []
        self._lock = threading.Lock()
        self.look: Callable[[], object] = lambda: None  # what whoever waits does first

    def __call__(self) -> float:
        return (time.monotonic() - self._began) * self.SPEED + self._skipped

    def day(self) -> datetime:
        """The time of day, which goes as fast."""
        return datetime(2026, 1, 31, tzinfo=UTC) + timedelta(seconds=self())

    def skip(self, seconds: float) -> None:
        """Jump, as a clock does over a laptop's sleep."""
        self._skipped += seconds

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Let something happen so many seconds from now, while somebody waits."""
        self._due.append((self() + seconds, act))

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.look()
        time.sleep(seconds / self.SPEED)
        with self._lock:
            while self._due and self._due[0][0] <= self():
                self._due.pop(0)[1]()


class Acting(Silent):
    """A progress that acts once when so many are done."""

    def __init__(self, done: int, act: Callable[[], object]) -> None:
        self._done, self._act = done, act

    def update(self, done: int, note: str = "") -> None:
        """Act, when it is time."""
        if self._done and done >= self._done:
            self._done = 0
            self._act()


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


def causes(clock: FastClock, session: TMDBSession) -> set[str]:
    """What a session will say that it waits for, filled as it waits."""
    told: set[str] = set()
    clock.look = lambda: told.add(session.waiting)
    return told


# Hours without an answer.


def test_an_hour_without_network_is_waited_for_and_costs_no_movie(
    stage: Stage, connect: Connect, clock: FastClock
) -> None:
    def cut_off() -> None:
        clock.at(HOUR, server.resume)
        server.pause()

    ids, began = range(1, 501), clock()
    with Watched() as server:
        session = connect(server, clock=clock, sleep=clock.sleep)
        told = causes(clock, session)
        result = stage_movies(session, stage, ids, progress=Acting(100, cut_off))
        assert len(server.requests) <= len(ids) + THREADS
    assert (result.staged, result.failed) == (500, 0)
    assert clock() - began > HOUR
    assert any(OUTAGE in cause for cause in told)
    assert session.requests - len(server.requests) < 80 * THREADS  # some tries a minute


def test_an_hour_in_which_tmdb_only_fails_costs_no_movie(
    stage: Stage, connect: Connect, clock: FastClock
) -> None:
    def fail() -> None:
        server.down = True
        clock.at(HOUR, lambda: setattr(server, "down", False))

    ids, began = range(1, 801), clock()
    with Watched() as server:
        session = connect(server, clock=clock, sleep=clock.sleep)
        told = causes(clock, session)
        result = stage_movies(session, stage, ids, progress=Acting(100, fail))
    assert (result.staged, result.failed) == (800, 0)
    assert clock() - began > HOUR
    assert "waiting: TMDB answered 503" in told


def test_a_laptop_that_slept_goes_on_although_its_network_comes_later(
    stage: Stage, connect: Connect, clock: FastClock
) -> None:
    def fall_asleep() -> None:
        server.pause()
        clock.at(5, lambda: clock.skip(8 * HOUR))
        clock.at(8 * HOUR + 60, server.resume)

    ids = range(1, 501)
    with Watched() as server:
        session = connect(server, clock=clock, sleep=clock.sleep, now=clock.day)
        result = stage_movies(session, stage, ids, progress=Acting(100, fall_asleep))
        assert len(server.requests) <= len(ids) + THREADS
    assert (result.staged, result.failed) == (500, 0)
    at = stage.payloads()["fetched_at"]
    assert at.max() - at.min() > timedelta(hours=8)


# The real command, in a process of its own.


def words(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tmdbkit", *more, "--stage", str(folder / "stage")]


def surroundings(server: TMDBServer, folder: Path, rate: int = 10_000) -> dict[str, str]:
    return {
        **os.environ,
        "TMDB_BASE_URL": server.base_url,
        "TMDB_READ_ACCESS_TOKEN": str(server.token),
        "TMDBKIT_CACHE": str(folder / "cache"),
        "TMDBKIT_RATE": str(rate),
    }


def staging(folder: Path, ids: range) -> list[str]:
    listed = folder / "ids.txt"
    listed.write_text("\n".join(map(str, ids)), encoding="utf-8")
    return words(folder, "stage", "--from-file", str(listed), "--json")


def start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(run: subprocess.Popen[str]) -> tuple[int, dict[str, int], str]:
    """The exit status, the object that was printed, and the complaint."""
    said, complaint = run.communicate(timeout=240)
    return run.returncode, counts_in(said, run.returncode) if said else {}, complaint


def staged_in(folder: Path) -> Stage:
    return Stage(folder / "stage", settings=Settings())


def test_a_key_that_is_revoked_ends_the_run_with_one_line_and_the_next_goes_on(
    tmp_path: Path,
) -> None:
    ids = range(1, 301)
    with Watched(revoke_after=120) as server:
        command, environment = staging(tmp_path, ids), surroundings(server, tmp_path)
        status, _, complaint = finished(start(command, environment))
        assert (status, complaint.count("\n")) == (3, 1)
        assert "the key was refused (7 Invalid API key" in complaint
        assert "; check TMDB_READ_ACCESS_TOKEN" in complaint
        assert server.token not in complaint
        came = server.by_status[200]
        assert len(staged_in(tmp_path)) == came == 119
        server.revoke_after = None
        server.reset()
        status, counts, _ = finished(start(command, environment))
        assert (status, counts["skipped"], counts["staged"]) == (0, came, len(ids) - came)
        assert len(server.requests) == len(ids) - came


SMALL_DISK = """
mount -t tmpfs -o size=400k none "$0" || exit 77
head -c 300000 /dev/zero > "$0/ballast"
"$@"; echo "{\\"status\\": $?}"
rm "$0/ballast"
"$@"; echo "{\\"status\\": $?}"
"""
SMALL_FILES = 'ulimit -f 8; exec "$@"'


def test_a_disk_that_is_full_ends_the_run_with_one_line_and_the_next_goes_on(
    tmp_path: Path,
) -> None:
    if which("unshare") is None:
        pytest.skip("without unshare no small disk can be made")
    ids = range(1, 401)
    place = tmp_path / "stage"
    place.mkdir()
    with Watched() as server:
        alone = ["unshare", "--user", "--map-root-user", "--mount"]
        twice = [*alone, "sh", "-c", SMALL_DISK, str(place), *staging(tmp_path, ids)]
        run = start(twice, surroundings(server, tmp_path))
        said, complaint = run.communicate(timeout=60)
        if run.returncode in (1, 77):
            pytest.skip(f"no small disk can be made: {complaint.strip()}")
        assert len(server.requests) <= len(ids) + OUTSTANDING
    stopped, full, counts, freed = map(json.loads, said.splitlines())
    assert (stopped["exit"], counts["exit"], counts["error"]) == (3, 0, None)
    assert "No space left on device" in stopped["error"]
    assert (full["status"], freed["status"]) == (3, 0)
    assert complaint.count("\n") == 1
    assert "No space left on device" in complaint
    assert "run the same again: it goes on from here" in complaint
    assert counts["staged"] + counts["skipped"] == len(ids)
    assert counts["skipped"] > 0


def test_a_part_that_the_system_refuses_to_write_ends_the_run_with_one_line(
    tmp_path: Path,
) -> None:
    with Watched(size=40_000) as server:
        command = ["sh", "-c", SMALL_FILES, "sh", *staging(tmp_path, range(1, 301))]
        run = start(command, surroundings(server, tmp_path))
        status, told, complaint = finished(run)
        assert (status, told["staged"]) == (3, 0)
        assert len(server.requests) <= OUTSTANDING
    assert complaint.count("\n") == 1
    assert "File too large" in complaint
    assert list((tmp_path / "stage" / "payloads").iterdir()) == []


def test_a_status_from_another_process_counts_what_a_run_has_staged_so_far(
    tmp_path: Path,
) -> None:
    ids, halfway = range(1, 401), threading.Event()

    def slow_down() -> None:
        server.latency = 0.5
        halfway.set()

    with Watched() as server:
        environment = surroundings(server, tmp_path)
        server.at(200, slow_down)
        run = start(staging(tmp_path, ids), environment)
        assert halfway.wait(30)
        asked = len(server.requests)
        look = words(tmp_path, "status", "--json")
        status, counts, complaint = finished(start(look, environment))
        assert (status, complaint, run.poll()) == (0, "", None)
        assert asked - OUTSTANDING <= counts["staged"] < len(ids)
        server.latency = 0.0
        status, told, complaint = finished(run)
        assert (status, told["staged"], complaint) == (0, len(ids), "")


# What a terminal shows.


def shown(command: list[str], environment: dict[str, str]) -> list[str]:
    """What a terminal's progress line showed, one text after the other."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ):
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 2**16):
                pieces.append(piece)
        except OSError:  # how Linux tells that nobody has the terminal open any more
            pass
        finally:
            os.close(ours)
    return b"".join(pieces).decode().split("\r\x1b[K")


def remember(server: TMDBServer, folder: Path, ids: range) -> None:
    """Have some movies in the cache."""
    settings = Settings(tmdb_base_url=server.base_url, cache=folder / "cache")
    with TMDBSession(settings) as session:
        for tmdb_id in ids:
            session.remember(*movie_request(tmdb_id, settings), payload(tmdb_id))


def test_a_terminal_shows_pages_and_then_movies_with_rate_time_left_and_what_came(
    tmp_path: Path,
) -> None:
    lists, script = {"popular": range(1, 201)}, {"/3/movie/7": ["id_invalid_500"]}
    with Watched(missing=[6], lists=lists, script=script) as server:
        remember(server, tmp_path, range(1, 6))
        command = words(tmp_path, "stage", "--list", "popular", "--pages", "10")
        told = shown(command, surroundings(server, tmp_path, rate=150))
    staging = r"staging \d+ of 200 · [\d.,]+ a second, \d+ s left · 5 cached, 1 missing, 1 failed"
    assert any(re.fullmatch(staging, line) for line in told)
    assert any(line.startswith("reading page 10 of 10") for line in told)
    assert told[-1] == ""


# All at once.


@pytest.mark.parametrize(
    ("movies", "kills", "every", "trouble"),
    [
        (1_000, 2, 300, {"limit": 100, "limit_changes": [(1.0, None)]}),
        pytest.param(
            20_000,
            18,
            1_000,  # some 30 s at TMDB's pace
            {"limit": 400, "faults": {**FAULTS, "hang": 0.0005}, "hang_seconds": 40.0},
            marks=pytest.mark.large,
        ),
    ],
)
def test_a_night_of_faults_limits_and_kills_stages_every_movie_once(
    movies: int, kills: int, every: int, trouble: dict[str, Any], tmp_path: Path
) -> None:
    ids = range(1, movies + 1)
    usual: dict[str, Any] = {"missing": None, "faults": FAULTS, "retry_after": 1}
    with Watched(**{**usual, **trouble}) as server:
        command = staging(tmp_path, ids)
        environment = surroundings(server, tmp_path, rate=500)
        for _ in range(kills):
            run = start(command, environment)
            server.at(every, run.kill)
            assert finished(run)[0] == -signal.SIGKILL
        status, counts, complaint = finished(start(command, environment))
        assert (status, counts["failed"], complaint) == (0, 0, "")
        assert len(server.requests) <= 1.25 * movies + OUTSTANDING * kills
        assert all(server.by_kind[fault] for fault in (*FAULTS, "429"))
        there = {tmdb_id for tmdb_id in ids if server.catalogue.has(tmdb_id)}
    stage = staged_in(tmp_path)
    assert stage.ids() == there
    assert set(stage.missing()["tmdb_id"]) == set(ids) - there
    assert stage.failures().is_empty()
    logged = stage.store.movies.payloads.scan().collect()["tmdb_id"].sort().to_list()
    assert logged == list(ids)
