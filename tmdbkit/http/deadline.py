"""An end for every wait on a connection: one thread shuts the sockets down whose time is over.

A time-out of a socket begins anew with each byte, so that a server that sends one now and then
would be waited for without end.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = threading.local()  # the exchange that this thread is in


class Exchange:
    """One request and its answer, and until when both may take."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.is_over = False  # cut off, rather than ended by itself
        self._socket: socket.socket | None = None

    def on(self, sock: socket.socket | None) -> None:
        """Note the socket that it goes over; one whose time is over already is shut down."""
        self._socket = sock
        if self.is_over:
            self.cut()

    def cut(self) -> None:
        """Shut its socket down, below TLS, so that whoever reads from it wakes at once."""
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):  # closed by itself meanwhile
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Watchdog:
    """Ends the exchanges of all threads of a session in time.

    Its own thread lives as long as anything is under way.
    """

    def __init__(self) -> None:
        self._exchanges: set[Exchange] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0

    @contextmanager
    def watch(self, seconds: float) -> Iterator[Exchange]:
        """Let what this thread asks take so long and no longer."""
        exchange = _HERE.exchange = Exchange(time.monotonic() + seconds)
        with self._changed:
            self._exchanges.add(exchange)
            self._see_to_it(exchange.ends_at)
        try:
            yield exchange
        finally:
            _HERE.exchange = None
            with self._changed:
                self._exchanges.discard(exchange)
                ending = None if self._exchanges else self._thread
                if ending:
                    self._thread = None
                    self._changed.notify()
            if ending:
                ending.join()

    def hurry(self, seconds: float) -> None:
        """Let nothing that is under way take longer than that from now on."""
        ends_at = time.monotonic() + seconds
        with self._changed:
            for exchange in self._exchanges:
                exchange.ends_at = min(exchange.ends_at, ends_at)
            if self._exchanges:
                self._see_to_it(ends_at)

    def _see_to_it(self, ends_at: float) -> None:
        """Make sure that the thread wakes by then; it mostly does, and is not disturbed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tmdbkit-watchdog", daemon=True)
            self._thread.start()
        elif ends_at < self._wakes_at:
            self._wakes_at = ends_at
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while self._exchanges and self._thread is threading.current_thread():
                now = time.monotonic()
                for exchange in self._exchanges:
                    if exchange.ends_at <= now and not exchange.is_over:
                        exchange.cut()
                ends = [e.ends_at for e in self._exchanges if not e.is_over]
                self._wakes_at = min(ends, default=now + LONG)
                self._changed.wait(self._wakes_at - now)


def extend(seconds: float) -> None:
    """Let what this thread is receiving take so much longer, since it comes along."""
    exchange: Exchange | None = getattr(_HERE, "exchange", None)
    if exchange is not None:
        exchange.ends_at = time.monotonic() + seconds


def was_cut() -> bool:
    """Tell whether what this thread receives was cut off, which may look like its end."""
    exchange: Exchange | None = getattr(_HERE, "exchange", None)
    return exchange is not None and exchange.is_over


LONG = 60.0  # seconds; whoever begins or ends an exchange wakes it before


class _Noted:
    """What a connection tells the exchange that it is in."""

    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _note(self.sock)

    def request(self, *args: Any, **options: Any) -> None:
        _note(self.sock)
        super().request(*args, **options)  # type: ignore[misc]


def _note(sock: socket.socket | None) -> None:
    exchange: Exchange | None = getattr(_HERE, "exchange", None)
    if exchange is not None:
        exchange.on(sock)


class _HTTP(_Noted, HTTPConnection):
    pass


class _HTTPS(_Noted, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class WatchedAdapter(HTTPAdapter):
    """Connections of requests that tell an exchange which socket it goes over."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Return the pools of connections by a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager


class WatchedSession(requests.Session):
    """A session that follows no redirect, and does not read the body of one either."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return nowhere."""
        return None
