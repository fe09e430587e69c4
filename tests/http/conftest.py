"""A look-alike of TMDB, a session that speaks to it, and a clock that both of them read."""

from __future__ import annotations

import heapq
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.tmdb import TOKEN, TMDBServer
from tmdbkit.settings import Secret, Settings
from tmdbkit.tmdb.session import TMDBSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

HOST = "127.0.0.1"
LISTED = ("popular", "top_rated", "now_playing", "upcoming", "discover", "search")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class FakeClock:
    """Time that stands still while anybody works, and jumps on once all of them sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = 1000.0
        self._threads = 1
        self._wakes: list[float] = []
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        self._turn = threading.Condition()

    def __call__(self) -> float:
        return self._now

    def at(self, seconds: float, call: Callable[[], object]) -> None:
        """Let something happen so many seconds from now, while others sleep."""
        heapq.heappush(self._due, (self._now + seconds, next(self._order), call))

    def sleep(self, seconds: float) -> None:
        """Sleep until all others do, too, and it is the next one's time."""
        with self._turn:
            self.slept.append(seconds)
            wake = self._now + seconds
            self._wakes.append(wake)
            while self._now < wake:
                asleep = [other for other in self._wakes if other > self._now]
                if len(asleep) == self._threads:
                    self._jump(min(asleep))
                elif not self._turn.wait(timeout=30):
                    raise TimeoutError("a thread neither sleeps nor ends")
            self._wakes.remove(wake)

    def run(self, *works: Callable[[], Any]) -> list[Future[Any]]:
        """Let each work have a thread of its own, and wait until all have ended."""
        self._threads = len(works)
        with ThreadPoolExecutor(len(works)) as pool:
            futures = [pool.submit(self._work, work) for work in works]
        self._threads = 1
        return futures

    def _work(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            with self._turn:
                self._threads -= 1
                self._turn.notify_all()

    def _jump(self, to: float) -> None:
        while self._due and self._due[0][0] <= to:
            self._now, _, call = heapq.heappop(self._due)
            call()
        self._now = to
        self._turn.notify_all()


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on any look-up of another host, and forget the proxies of whoever runs this."""
    look_up = socket.getaddrinfo

    def guarded(host: Any, *args: Any, **options: Any) -> Any:
        assert host == HOST, f"a test looked for {host}"
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def start(clock: FakeClock) -> Iterator[Callable[..., TMDBServer]]:
    """Start a server that reads the fake clock; it ends with the test."""
    started: list[TMDBServer] = []

    def start_one(**options: Any) -> TMDBServer:
        lists = dict.fromkeys(LISTED, range(1, 61))
        known = {"size": 2_000, "missing": (), "lists": lists}
        server = TMDBServer(**{"clock": clock, **known, **options})
        started.append(server.__enter__())
        return server

    yield start_one
    for server in started:
        server.__exit__()


@pytest.fixture
def server(start: Callable[..., TMDBServer]) -> TMDBServer:
    """A server with every movie and without a limit."""
    return start()


@pytest.fixture
def connect(clock: FakeClock, tmp_path: Any) -> Iterator[Callable[..., TMDBSession]]:
    """Open a session that reads the fake clock and draws no jitter; it ends with the test.

    Whatever is a field of Settings goes there, all else to the session; `cache=False` is for the
    session.
    """
    opened: list[TMDBSession] = []
    fields = set(Settings.__dataclass_fields__) - {"cache"}

    def open_one(server: TMDBServer | None = None, **options: Any) -> TMDBSession:
        given = {name: options.pop(name) for name in fields & set(options)}
        address = server.base_url if server else f"http://{HOST}:9/3"
        defaults = {"tmdb_token": Secret(TOKEN), "tmdb_base_url": address}
        settings = Settings(**{**defaults, "cache": tmp_path / "cache", **given})
        timed = {"clock": clock, "sleep": clock.sleep, "jitter": lambda: 1.0}
        session = TMDBSession(settings, **{**timed, **options})
        opened.append(session)
        return session

    yield open_one
    for session in opened:
        session.close()
