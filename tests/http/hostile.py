"""One service asked while its server does its worst: what is said, MiB of memory, seconds.

python -m tests.http.hostile SERVICE ATTACK [SECONDS], where SECONDS is instead of the true limits.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import tempfile
import time
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tests.servers.dripping import HEAD, DrippingServer, trickle
from tmdbkit.convex.client import ConvexDeployment
from tmdbkit.exceptions import TMDBKitError
from tmdbkit.http import files, wire
from tmdbkit.ratings.imdb import IMDb
from tmdbkit.ratings.mdblist import MDBList
from tmdbkit.settings import Secret, Settings
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.tmdb.discovery import list_ids
from tmdbkit.tmdb.session import TMDBSession

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

MIB = 2**20
WANTED = pl.DataFrame({"tmdb_id": [603], "imdb_id": ["tt0133093"]})
UNTIL_CLOSED = b"Connection: close\r\n\r\n"


def endless(ended: threading.Event) -> Iterator[bytes]:
    yield HEAD + UNTIL_CLOSED + b'{"a": "'
    while not ended.is_set():
        yield b"x" * 65536


@cache
def packed() -> bytes:
    """400 MiB in less than two."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", compresslevel=1) as file:
        for piece in repeat(b" " * MIB, 400):
            file.write(piece)
    return whole.getvalue()


def bomb(_: threading.Event) -> Iterator[bytes]:
    body = packed()
    yield HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def head(ended: threading.Event) -> Iterator[bytes]:
    yield from trickle(HEAD + b"X-Slow: ", ended)


def body(ended: threading.Event) -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 100000\r\n\r\n"
    yield from trickle(b'{"id": 603', ended)


def chunks(ended: threading.Event) -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for _ in trickle(b"", ended):
        yield b"1\r\n \r\n"


_NUMBERS = iter(range(1, 10**9))


def pages(_: threading.Event) -> Iterator[bytes]:
    """One of a list that never ends: of TMDB with ids that are new, of Convex with a new cursor."""
    number = next(_NUMBERS)
    entries = [{"id": 20 * number + n, "title": "x"} for n in range(20)]
    page = {"page": [{"_id": "j1", "tmdb_id": 603.0}], "cursor": f"c{number}", "done": False}
    whole = {"results": entries, "total_pages": 10**9, "status": "success", "value": page}
    text = json.dumps(whole).encode()
    yield HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text


ATTACKS = {f.__name__: f for f in (endless, bomb, head, body, chunks, pages)}


def opened(service: str, url: str, folder: Path, quick: dict[str, Any]) -> Callable[[], object]:
    key = Secret("a.b.c")
    known = Settings(
        tmdb_base_url=url,
        convex_url=url,
        mdblist_base_url=url,
        imdb_datasets_url=url,
        tmdb_token=key,
        convex_key=key,
        mdblist_api_key=key,
        cache=folder,
        rate=1e6,
    )
    if service == "convex":
        target = ConvexDeployment(settings=known, **quick)
        return target.movies
    if service in ("mdblist", "imdb"):
        provider = {"mdblist": MDBList, "imdb": IMDb}[service](known, **quick)
        return lambda: [(part.asked, part.failed.rows()) for part in provider.collect(WANTED)]
    session = TMDBSession(known, **quick)
    return lambda: list_ids(TMDBClient(session), "popular", pages=500).height


def shorten(seconds: float) -> None:
    """Let all tries of a request, and a file that does not come along, have so long."""
    for kind in (wire.Call, wire.FileCall):
        kind.__init__.__defaults__ = (seconds,)  # type: ignore[misc]
    wire.LEAST_SECONDS = 0.1
    files.MOST_BYTES = 64 * MIB


def main(service: str, attack: str, seconds: str = "") -> None:
    quick: dict[str, Any] = {}
    if seconds:
        shorten(float(seconds))
        quick = {"sleep": lambda _: None}
    with DrippingServer(ATTACKS[attack]) as server, tempfile.TemporaryDirectory() as folder:
        packed()
        ask, began = opened(service, server.url, Path(folder), quick), time.monotonic()
        try:
            said = f"answered {ask()}"
        except TMDBKitError as error:
            said = f"{type(error).__name__}: {error}"
        took = time.monotonic() - began
    # Of this process alone: getrusage would count the one that it was forked from.
    most = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    print(json.dumps({"said": said, "mib": int(most[1]) // 1024 if most else 0, "seconds": took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
