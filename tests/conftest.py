"""What every test has: no network beyond this machine, no settings of whoever runs it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What one worker goes through for the longest begins first, or the others would wait at the end.
LONGEST = (
    *("pages", "consent", "ends", "decisions_file", "show", "sheet", "innocent", "any_settings"),
    *("withheld", "plan", "language", "storm", "foreign", "importer", "types", "night", "panel"),
    *("read_only", "power_cut", "own_fields", "writers", "encodings", "version1", "cluster"),
)
RAM, ROOM = Path("/dev/shm"), 4 * 2**30  # of Linux; bytes, of which tests use a fifth


def pytest_configure(config: pytest.Config) -> None:
    """Keep the folders of tests in memory where there is room: on a disk they took a third more."""
    if config.option.markexpr == "large" or not RAM.is_dir():
        return
    there = os.statvfs(RAM)
    is_closed = there.f_flag & os.ST_NOEXEC or not os.access(RAM, os.W_OK)
    if there.f_bavail * there.f_frsize >= ROOM and not is_closed:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(RAM))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files of tests in the order of `LONGEST`, and all others behind them."""
    place = {f"test_{name}": at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Any connection that leaves this machine is an error of the test that made it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test reached for the network: {address[0]}")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign, assignment]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def signals() -> None:
    """Ctrl-C and a closed terminal are heard also by tests in a shell's background or of nohup."""
    for which, how in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(which) is signal.SIG_IGN:
            signal.signal(which, how)


@pytest.fixture(autouse=True)
def own_surroundings(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each test runs in a folder of its own, without keys and with a cache of its own."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("TMDB", "CONVEX", "OMDB", "MDBLIST")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TMDBKIT_CACHE", str(home / "cache"))
    work = home / "work"
    work.mkdir()
    monkeypatch.chdir(work)
