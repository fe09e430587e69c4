"""A server that answers as slowly, as long, or as large as nobody should: raw bytes on a socket."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class DrippingServer:
    """Sends to whoever connects what a function yields, until that ends or the server does.

    Args:
        drops: Yields bytes; it is given what says that the server ends, to wait on meanwhile.
    """

    def __init__(self, drops: Callable[[threading.Event], Iterator[bytes]]) -> None:
        self._drops = drops
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked = threading.Event()
        self.received = b""

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while not self._ended.is_set():
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self.received = connection.recv(65536)
            head, _, body = self.received.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            while length and len(body) < int(length[1]):  # what is left unread is answered by a RST
                body += connection.recv(65536) or b" " * int(length[1])
            self.asked.set()
            for drop in self._drops(self._ended):
                if self._ended.is_set():
                    return
                connection.sendall(drop)


def trickle(text: bytes, ended: threading.Event, seconds: float = 0.02) -> Iterator[bytes]:
    """Yield a text a byte at a time, and blanks for ever after it."""
    for place in range(100_000):
        if ended.wait(seconds):
            return
        yield text[place : place + 1] or b" "
