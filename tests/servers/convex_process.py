"""A Convex deployment as a process of its own, fast enough to measure what calls it.

It keeps the rules of `tmdbkit.ts` by way of the embedded target, and nothing on disk. Run as a
program, it prints its address and serves until its standard input closes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tmdbkit import ConvexSnapshot
from tmdbkit import schema as schemas
from tmdbkit.convex.contract import FUNCTIONS
from tmdbkit.convex.snapshot import TABLES

from .convex import ENOUGH, arguments, dumps
from .wire import Answer, LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .wire import Request

KEY = "dev:measured|0123456789abcdef"


class FastDeployment(LocalServer):
    """Answers the calls that a push makes.

    Args:
        latency: Seconds until the answer to a call, during which others are served.
    """

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__(clock=time.monotonic)
        self._latency = latency
        self._snapshot = ConvexSnapshot(Path(tempfile.gettempdir()) / "never-written.zip")
        there = self._snapshot
        self._functions: dict[str, Callable[..., Any]] = {
            "contract": _contract,
            "moviesByTmdbIds": there.documents,
            "slugOwners": self._slug_owners,
            "page": self._page,
            "applyMovies": there.apply_movies,
            "addPeople": there.add_people,
            "addGenres": there.add_genres,
        }

    def handle(self, request: Request) -> Answer:
        """The answer to one call."""
        if request.path == "/api/check_admin_key":
            return Answer(200, dumps(ENOUGH))
        call = orjson.loads(request.body)
        value = self._functions[call["path"].removeprefix("tmdbkit:")](**arguments(call))
        body = orjson.dumps({"status": "success", "value": value, "logLines": []})
        return Answer(200, body, delay=self._latency)

    def _slug_owners(self, slugs: list[str]) -> list[dict[str, Any]]:
        owners = self._snapshot.slug_owners(slugs)
        return [{"slug": slug, "tmdb_id": tmdb_id} for slug, tmdb_id in owners]

    def _page(self, table: str, cursor: str | None, size: int) -> dict[str, Any]:
        page = self._snapshot.page(table, cursor, size)
        return {"page": page.documents, "cursor": page.cursor, "done": page.done}


def _contract() -> dict[str, Any]:
    return {"version": FUNCTIONS, "tables": {name: schemas.validator(name) for name in TABLES}}


@contextmanager
def deployed(latency: float = 0.0) -> Iterator[str]:
    """An empty deployment in another process; its address."""
    command = [sys.executable, "-m", __name__, "--latency", str(latency)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        if child.stdin is None or child.stdout is None:  # never, since both are pipes
            raise RuntimeError("no pipes to the deployment's process")
        if not (told := child.stdout.readline()):
            raise RuntimeError("the deployment's process ended at once; stderr says why")
        yield json.loads(told)["url"]
        child.stdin.close()


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser(description="A Convex deployment for measuring.")
    parser.add_argument("--latency", type=float, default=0.0)
    with FastDeployment(parser.parse_args().latency) as server, suppress(KeyboardInterrupt):
        print(json.dumps({"url": server.url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
