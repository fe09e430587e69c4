"""An end for every wait on a connection: one thread shuts the sockets down whose time is over.

A time-out of a socket begins anew with each byte, so that a server that sends one now and then
would be waited for without end.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, reduce
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager

from tmdbkit.http.credentials import Credential, Proxy

_HERE = threading.local()  # the exchange that this thread is in


class Exchange:
    """One request and its answer, until when both may take, and what `***` stands for in it."""

    def __init__(self, ends_at: float, credentials: Sequence[Credential] = ()) -> None:
        self.ends_at = ends_at
        self.credentials = credentials
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
    def watch(self, seconds: float, credentials: Sequence[Credential] = ()) -> Iterator[Exchange]:
        """Let what this thread asks take so long and no longer."""
        exchange = _HERE.exchange = Exchange(time.monotonic() + seconds, credentials)
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
    if (exchange := _here()) is not None:
        exchange.ends_at = time.monotonic() + seconds


def was_cut() -> bool:
    """Tell whether what this thread receives was cut off, which may look like its end."""
    exchange = _here()
    return exchange is not None and exchange.is_over


def _here() -> Exchange | None:
    exchange: Exchange | None = getattr(_HERE, "exchange", None)
    return exchange


LONG = 60.0  # seconds; whoever begins or ends an exchange wakes it before


class _Noted:
    """What a connection tells the exchange that it is in, and asks of it."""

    sock: socket.socket | None
    _twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        """Note a second handle: TLS takes the first one over before it shakes hands."""
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._twin = socket.fromfd(made.fileno(), made.family, made.type)
        _note(self._twin)
        return made

    def _tunnel(self) -> None:
        """Ask a proxy for the way; a word of it that was cut off looks like a yes."""
        super()._tunnel()  # type: ignore[misc]
        if was_cut():
            raise ConnectionResetError

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        finally:
            if self._twin is not None:
                self._twin.close()
        _note(self.sock)

    def request(self, *args: Any, **options: Any) -> None:
        _note(self.sock)
        super().request(*args, **options)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        """Send what is given; a key is filled in here, where no variable has to hold it."""
        exchange = _here()
        keys = exchange.credentials if exchange and isinstance(data, bytes) else ()
        due = [key for key in keys if key.is_due(data)]
        if not due:
            super().send(data)  # type: ignore[misc]
            return
        if self.sock is None:
            self.connect()
        if self.sock is not None:
            self.sock.sendall(reduce(lambda head, key: key.filled(head), due, data))


def _note(sock: socket.socket | None) -> None:
    if (exchange := _here()) is not None:
        exchange.on(sock)


@cache
def _watched(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return a kind of pools whose connections are noted."""
    noted = type(f"Noted{pool.ConnectionCls.__name__}", (_Noted, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": noted})


def _watch(manager: PoolManager) -> PoolManager:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _watched(pool) for scheme, pool in pools.items()}
    return manager


class WatchedAdapter(HTTPAdapter):
    """Connections of requests that tell an exchange which socket it goes over.

    Where they lead by a proxy, requests itself is given it without its login.
    """

    def __init__(self, proxy: Proxy | None, **options: Any) -> None:
        self._proxy = proxy
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **options)
        _watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools of connections by a proxy; one of SOCKS is asked in no header."""
        if (manager := self.proxy_manager.get(proxy)) is not None:
            return manager
        socks = self._proxy is not None and self._proxy.is_socks
        full = self._proxy.full.reveal() if self._proxy is not None and socks else proxy
        made = _watch(super().proxy_manager_for(full, **options))
        self.proxy_manager = {proxy: made}
        return made

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Return what a proxy is told besides."""
        credential = self._proxy.credential if self._proxy is not None else None
        return {} if credential is None else credential.header


class WatchedSession(requests.Session):
    """A session that follows no redirect, and does not read the body of one either."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return nowhere."""
        return None
