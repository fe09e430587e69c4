"""A look-alike of IMDb's data sets: a file in versions, each with its mark and its time."""

from __future__ import annotations

import gzip
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from .trouble import FAULTS
from .wire import Answer, LocalServer, Request

if TYPE_CHECKING:
    from collections.abc import Iterable

RATINGS = "/title.ratings.tsv.gz"
HEADER = ("tconst", "averageRating", "numVotes")
BASICS = "/title.basics.tsv.gz"
BASICS_HEADER = (
    *("tconst", "titleType", "primaryTitle", "originalTitle", "isAdult"),
    *("startYear", "endYear", "runtimeMinutes", "genres"),
)
LAST_MODIFIED = "Mon, 02 Feb 2026 03:04:05 GMT"


def tsv(rows: Iterable[tuple[Any, ...]], header: tuple[str, ...] = HEADER) -> bytes:
    r"""The rows as IMDb writes them: tabs between, no quotes, and `\N` for nothing."""
    lines = (
        "\t".join(r"\N" if value is None else str(value) for value in row)
        for row in (header, *rows)
    )
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)


class DatasetServer(LocalServer):
    """Serves `body` as the data set; `script` is what the next requests meet instead.

    body: may be replaced between requests, and has another ETag then. headers: what the server says
    of it beside that. script: names of faults or answers, "ok" for none.
    """

    def __init__(
        self, body: bytes, *, script: Iterable[str | Answer] = (), path: str = RATINGS
    ) -> None:
        super().__init__()
        self.body, self.path = body, path
        self.headers = {"Last-Modified": LAST_MODIFIED}
        self.script = list(script)
        self.requests: list[Request] = []

    def handle(self, request: Request) -> Answer:
        self.requests.append(request)
        fault = self.script.pop(0) if self.script else "ok"
        if isinstance(fault, Answer):
            return replace(fault)
        whole = self._whole(request)
        return whole if fault == "ok" else FAULTS[fault](whole)

    def _whole(self, request: Request) -> Answer:
        if request.path != self.path:
            return Answer(404, content_type="text/html")
        etag = f'"{blake2b(self.body, digest_size=8).hexdigest()}"'
        headers = {"ETag": etag, **self.headers}
        if request.headers.get("if-none-match") == etag:
            return Answer(304, headers=headers)
        return Answer(200, self.body, "binary/octet-stream", headers)
