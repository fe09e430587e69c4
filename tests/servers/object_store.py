"""An S3 server as a process of its own: moto's, in memory, on this machine alone."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVE = """
import sys, threading
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"""


@dataclass(frozen=True)
class ObjectStoreServer:
    """Where it answers, and what a process needs in its environment to speak to it."""

    address: str

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's tools, polars and obstore read."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "of-nobody",
            "AWS_SECRET_ACCESS_KEY": "shown-nowhere",
            "AWS_REGION": "us-east-1",
        }

    def bucket(self, name: str) -> str:
        """Make a bucket and return its address."""
        url = f"{self.address}/{name}"
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT")):
            return f"s3://{name}"


@contextmanager
def object_store() -> Iterator[ObjectStoreServer]:
    """Start the server; it ends with its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: text for name, text in os.environ.items() if not name.startswith("AWS_")},
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield ObjectStoreServer(f"http://127.0.0.1:{process.stdout.readline().strip()}")
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


class _ReadingAlone(BaseHTTPRequestHandler):
    """Passes on what reads, and refuses the rest as S3 does where a key is for reading."""

    behind: str

    def do_GET(self) -> None:
        """Pass it on."""
        headers = {name: text for name, text in self.headers.items() if name != "Host"}
        to = self.behind + self.path
        asked = urllib.request.Request(to, headers=headers, method=self.command)
        try:
            with urllib.request.urlopen(asked) as answer:
                self._answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, error.headers, error.read())

    def do_HEAD(self) -> None:
        """Pass it on."""
        self.do_GET()

    def do_PUT(self) -> None:
        """Refuse it."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self._answer(403, {"Content-Length": str(len(body))}, body)

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, text in headers.items():
            if name.lower() not in ("server", "date", "connection", "transfer-encoding"):
                self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def refusing_writes(store: ObjectStoreServer) -> Iterator[str]:
    """The address of the same store for somebody whose key is for reading."""
    handler = type("Handler", (_ReadingAlone,), {"behind": store.address})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
