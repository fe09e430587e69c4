"""A small, fast HTTP/1.1 server for tests: one thread, keep-alive, answers that break off.

It knows nothing of TMDB. A look-alike inherits from `LocalServer` and writes `handle`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, Self, cast
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

HOST = "127.0.0.1"
JSON = "application/json;charset=utf-8"
REASONS = {status.value: status.phrase for status in HTTPStatus}
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with 0 seconds: close() sends RST, not FIN

Ending = Literal["keep", "close", "cut", "silent", "reset"]


@dataclass(slots=True)
class Request:
    """One request as it came: the query raw, header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    at: float = 0.0
    kind: str = ""

    @property
    def params(self) -> Mapping[str, str]:
        """The query, decoded; the last value of a name wins."""
        return _params(self.query)

    @property
    def wants_close(self) -> bool:
        """Whether the client asked to end the connection after the answer."""
        return self.headers.get("connection", "").lower() == "close"


@dataclass(slots=True)
class Answer:
    """What is sent back, after `delay` seconds, and how it ends.

    keep: whole, and the connection stays · close: whole, then the connection ends · cut: half the
    body under the full Content-Length · silent: nothing, then the end · reset: nothing, then a RST.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    ending: Ending = "keep"
    kind: str = ""

    def rendered(self) -> bytes:
        """The bytes on the wire."""
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = (
            f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n{extra}\r\n"
        )
        body = self.body[: len(self.body) // 2] if self.ending == "cut" else self.body
        return head.encode("latin-1") + body


@lru_cache(maxsize=4096)
def _params(query: str) -> Mapping[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


@lru_cache(maxsize=4096)  # a client sends the same block with every request of a session
def _headers(block: bytes) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in block.decode("latin-1").split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


class _Connection(asyncio.Protocol):
    """One client's connection: takes requests out of the buffer, one after the other."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.buffer = bytearray()
        self.waiting: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting:
            self.waiting.cancel()
        self.server.closed(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._serve()

    def _serve(self) -> None:
        while not self.waiting and not self.transport.is_closing() and (request := self._take()):
            answer = self.server.handle(request)
            if request.wants_close and answer.ending == "keep":
                answer.ending = "close"
            if answer.delay:
                loop = asyncio.get_running_loop()
                self.waiting = loop.call_later(answer.delay, self._send_late, answer)
            else:
                self._send(answer)

    def _take(self) -> Request | None:
        """The next whole request in the buffer; a malformed one ends the connection."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        line, _, block = bytes(self.buffer[:end]).partition(b"\r\n")
        headers, words = _headers(block), line.decode("latin-1").split(" ")
        length = headers.get("content-length", "0")
        if len(words) != 3 or not length.isdigit() or "transfer-encoding" in headers:
            self._send(Answer(400, ending="close"))
            return None
        start, stop = end + 4, end + 4 + int(length)
        if len(self.buffer) < stop:
            return None
        body = bytes(self.buffer[start:stop])
        del self.buffer[:stop]
        path, _, query = words[1].partition("?")
        return Request(words[0], unquote(path), query, headers, body, self.server.clock())

    def _send(self, answer: Answer) -> None:
        if answer.ending == "reset":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.transport.abort()
            return
        if answer.ending != "silent":
            self.transport.write(answer.rendered())
        if answer.ending != "keep":
            self.transport.close()

    def _send_late(self, answer: Answer) -> None:
        self.waiting = None
        self._send(answer)
        self._serve()


def _bound(port: int) -> socket.socket:
    """A socket that holds a port without listening: whoever connects is refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    return sock


class LocalServer:
    """Listens on 127.0.0.1 and a free port, in a thread of its own, for the time of a `with`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.port = 0
        self.connections = 0
        self._open: set[_Connection] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._socket: socket.socket | None = None
        self._listener: asyncio.Server | None = None

    def handle(self, request: Request) -> Answer:
        """The answer to one request; runs in the server's thread, one at a time."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._socket = _bound(0)
        self.port = self._socket.getsockname()[1]
        started = threading.Event()
        run = self._run(started)
        self._thread = threading.Thread(target=asyncio.run, args=(run,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
            self._thread = None

    def pause(self) -> None:
        """End all connections and refuse new ones; the port stays ours."""
        self._in_loop(self._refuse())

    def resume(self) -> None:
        """Accept connections again, on the same port."""
        self._in_loop(self._listen())

    def opened(self, connection: _Connection) -> None:
        """Count a connection, and remember it for the end."""
        self.connections += 1
        self._open.add(connection)

    def closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)

    async def _run(self, started: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await self._listen()
        started.set()
        await self._end.wait()
        await self._refuse()
        if self._socket:
            self._socket.close()

    async def _listen(self) -> None:
        if self._socket:
            self._listener = await self._loop.create_server(
                lambda: _Connection(self), sock=self._socket, backlog=1024
            )
            self._socket = None

    async def _refuse(self) -> None:
        if not self._listener:
            return
        for sock in self._listener.sockets:
            self._loop.remove_reader(sock)
        for _ in range(3):  # connections accepted a moment ago become known first
            await asyncio.sleep(0)
        self._listener.close()
        self._listener = None
        for connection in list(self._open):
            connection.transport.abort()
        while self._open:
            await asyncio.sleep(0)
        self._socket = _bound(self.port)

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=5)
