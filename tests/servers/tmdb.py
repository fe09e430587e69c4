"""A server that answers as TMDB v3 does, and misbehaves on demand.

In a test: `with TMDBServer(token="t", limit=40) as server: ... server.base_url, server.requests`.
As a process of its own: `with TMDBServer.process(latency=0.05) as server: ... server.stats()`, or
`python -m tests.servers.tmdb --options '{"latency": 0.05}'`, which ends when its stdin closes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from email.utils import formatdate
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .catalogue import Catalogue
from .generated import dumps
from .trouble import FAULTS, NAMES, Bucket, Faults, SlidingSecond, error
from .wire import HOST, Answer, LocalServer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .catalogue import Payload

    Scripted = str | tuple[str, Mapping[str, str]] | Answer

TOKEN, API_KEY = "a-read-access-token", "an-api-key"
EXPORTS = "/p/exports"


def export_of(*movies: tuple[int, float], **fields: Any) -> bytes:
    """A daily export of ids and popularities, as TMDB writes it: a JSON object a line."""
    lines = (
        {"adult": False, "id": i, "original_title": f"Movie {i}", "popularity": p, "video": False}
        for i, p in movies
    )
    return gzip.compress(b"".join(dumps(line | fields) + b"\n" for line in lines), mtime=0)


class TMDBServer(LocalServer):
    """TMDB on 127.0.0.1. What it knows is said by `known`: the arguments of `Catalogue`.

    token, api_key: what is accepted; if neither is given, TOKEN and API_KEY.
    revoke_after: from this request on, counted from 1, every answer is 401.
    latency: seconds before an answer. gzip: compress for who accepts it.
    limit: requests a second, counted in a sliding second, or with limit_kind="bucket" refilled
        evenly up to `burst`. limit_changes: pairs (seconds after the first request, new limit).
    retry_after: seconds that a 429 tells, as an HTTP date with retry_after_date=True.
    faults: the share of requests that meet each fault, at most max_in_a_row for one target.
    exports: the bytes of the daily exports by day (YYYY-MM-DD), under `exports_url`, without a key.
    script: exact faults for the next requests to a path, before anything else happens: a name,
        a name with headers, an Answer, or "ok" for the usual course. May be changed at any time.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        api_key: str | None = None,
        revoke_after: int | None = None,
        latency: float = 0.0,
        gzip: bool = False,
        limit: float | None = None,
        limit_kind: Literal["sliding", "bucket"] = "sliding",
        burst: float | None = None,
        limit_changes: Iterable[tuple[float, float | None]] = (),
        retry_after: int | None = None,
        retry_after_date: bool = False,
        faults: Mapping[str, float] | None = None,
        seed: int = 0,
        max_in_a_row: int = 7,
        hang_seconds: float = 30.0,
        script: Mapping[str, Sequence[Scripted]] | None = None,
        exports: Mapping[str, bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
        **known: Any,
    ) -> None:
        super().__init__(clock=clock)
        self.token = TOKEN if token is None and api_key is None else token
        self.api_key = API_KEY if token is None and api_key is None else api_key
        self.revoke_after = revoke_after
        self.latency, self.hang_seconds, self.gzip = latency, hang_seconds, gzip
        self.retry_after, self.retry_after_date = retry_after, retry_after_date
        self.script = {path: list(turns) for path, turns in (script or {}).items()}
        self.catalogue = Catalogue(**known)
        self.exports = dict(exports or {})
        self._limit, self._bucket, self._burst = limit, limit_kind == "bucket", burst
        self._changes = [(at, to) for at, to in limit_changes]
        self._shares, self._seed, self._max_in_a_row = faults or {}, seed, max_in_a_row
        _check_names(self._shares, self.script)
        self.reset()

    def reset(self) -> None:
        """Forget all requests; limit, faults and time begin anew, the script goes on."""
        self.requests: list[Request] = []
        self.by_kind: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.by_id: Counter[int] = Counter()
        self.inside_retry_after = 0
        self._quiet_until = -math.inf
        self._pending = sorted(self._changes, key=lambda change: change[0])
        self._faults = Faults(self._shares, seed=self._seed, max_in_a_row=self._max_in_a_row)
        limit = math.inf if self._limit is None else self._limit
        self._limiter = Bucket(limit, self._burst) if self._bucket else SlidingSecond(limit)

    def change_limit(self, at_seconds: float, to: float | None) -> None:
        """Let the limit change so many seconds after the first request."""
        self._changes.append((at_seconds, to))
        self._pending = sorted([*self._pending, (at_seconds, to)], key=lambda change: change[0])

    @property
    def base_url(self) -> str:
        """What stands in TMDB_BASE_URL."""
        return f"{self.url}/3"

    @property
    def exports_url(self) -> str:
        """What stands in TMDB_EXPORTS_URL."""
        return f"{self.url}{EXPORTS}"

    @property
    def payloads(self) -> dict[int, Payload]:
        """The given movies; may be changed while the server runs."""
        return self.catalogue.payloads

    @property
    def too_many(self) -> int:
        """How many answers were 429."""
        return self.by_status[429]

    def max_per_second(self) -> int:
        """The most requests in any sliding second."""
        times, most, first = [request.at for request in self.requests], 0, 0
        for last, now in enumerate(times):
            while times[first] <= now - 1:
                first += 1
            most = max(most, last - first + 1)
        return most

    def stats(self, *, ids: bool = False) -> dict[str, Any]:
        """The counters, as GET /__stats gives them."""
        times = [request.at for request in self.requests]
        counts: dict[str, Any] = {
            "total": len(times),
            "by_kind": dict(self.by_kind),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "too_many": self.too_many,
            "inside_retry_after": self.inside_retry_after,
            "max_per_second": self.max_per_second(),
            "connections": self.connections,
            "first": times[0] if times else None,
            "last": times[-1] if times else None,
        }
        return counts | ({"per_id": {str(i): n for i, n in self.by_id.items()}} if ids else {})

    def handle(self, request: Request) -> Answer:
        """Record a request and answer it."""
        if request.path.startswith("/__"):
            return self._control(request)
        self._record(request)
        answer = self._answer(request)
        request.kind = answer.kind = answer.kind or str(answer.status)
        self.by_kind[answer.kind] += 1
        self.by_status[answer.status] += 1
        answer.delay = answer.delay or self.latency
        return answer

    def _control(self, request: Request) -> Answer:
        if request.path == "/__reset":
            self.reset()
        return Answer(200, dumps(self.stats(ids="ids" in request.params)))

    def _record(self, request: Request) -> None:
        self.requests.append(request)
        self.inside_retry_after += request.at < self._quiet_until
        number = request.path.removeprefix("/3/movie/").partition("/")[0]
        if number.isascii() and number.isdigit():
            self.by_id[int(number)] += 1
        while self._pending and request.at - self.requests[0].at >= self._pending[0][0]:
            to = self._pending.pop(0)[1]
            self._limiter.limit = math.inf if to is None else to

    def _answer(self, request: Request) -> Answer:
        turns = self.script.get(request.path)
        if turns and (turn := turns.pop(0)) != "ok":
            return self._scripted(turn, request)
        if request.path.startswith(EXPORTS):
            return self._export(request.path)
        if not self._trusted(request):
            return error(7)
        if not self._limiter.take(request.at):
            return self._too_many()
        fault = self._faults.draw(_target(request)) if self._shares else None
        return self._broken(fault, request) if fault else self._usual(request)

    def _usual(self, request: Request) -> Answer:
        if request.method != "GET":
            answer = error(42)
            answer.ending = "close"  # a HEAD must not be followed by a body
            return answer
        answer = self.catalogue.answer(request.path, request.params)
        if (etag := request.headers.get("if-none-match")) and etag == answer.headers.get("ETag"):
            return Answer(304, headers=answer.headers)
        if self.gzip and "gzip" in request.headers.get("accept-encoding", ""):
            answer.body = gzip.compress(answer.body, compresslevel=1)
            answer.headers = {**answer.headers, "Content-Encoding": "gzip"}
        return answer

    def _export(self, path: str) -> Answer:
        """A day's file; of one that is not there, a store of files says 403."""
        by_path = {
            f"{EXPORTS}/movie_ids_{day[5:7]}_{day[8:]}_{day[:4]}.json.gz": body
            for day, body in self.exports.items()
        }
        if path not in by_path:
            return Answer(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
        return Answer(200, by_path[path], "application/gzip")

    def _scripted(self, turn: Scripted, request: Request) -> Answer:
        if isinstance(turn, Answer):
            return replace(turn)
        name, headers = (turn, {}) if isinstance(turn, str) else turn
        answer = self._broken(name, request)
        answer.headers = {**answer.headers, **headers}
        return answer

    def _broken(self, fault: str, request: Request) -> Answer:
        if fault == "429":
            answer = self._too_many()
        elif fault == "hang":
            answer = Answer(0, delay=self.hang_seconds, ending="silent")
        else:
            answer = FAULTS[fault](self._whole(request))
        answer.kind = fault
        return answer

    def _whole(self, request: Request) -> Answer:
        if request.path.startswith(EXPORTS):
            return self._export(request.path)
        return self.catalogue.answer(request.path, request.params)

    def _trusted(self, request: Request) -> bool:
        if self.revoke_after is not None and len(self.requests) >= self.revoke_after:
            return False
        bearer, key = request.headers.get("authorization"), request.params.get("api_key")
        by_token = self.token is not None and bearer == f"Bearer {self.token}"
        return by_token or (self.api_key is not None and key == self.api_key)

    def _too_many(self) -> Answer:
        limit = self._limiter.limit
        allowed = 40 if limit == math.inf else int(limit)
        message = f"Your request count ({allowed + 1}) is over the allowed limit of {allowed}."
        answer = Answer(429, dumps({"status_code": 25, "status_message": message}))
        if self.retry_after is not None:
            self._quiet_until = self.clock() + self.retry_after
            date = formatdate(math.ceil(time.time() + self.retry_after), usegmt=True)
            told = date if self.retry_after_date else str(self.retry_after)
            answer.headers = {"Retry-After": told}
        return answer

    @staticmethod
    @contextmanager
    def process(**options: Any) -> Iterator[TMDBProcess]:
        """The same server as a process of its own, by the same options, functions excepted."""
        command = [sys.executable, "-m", "tests.servers.tmdb", "--options", "-"]
        with subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            if child.stdin is None or child.stdout is None:  # never, since both are pipes
                raise RuntimeError("no pipes to the server's process")
            child.stdin.write(json.dumps(options, default=_plain).encode() + b"\n")
            child.stdin.flush()
            if not (told := child.stdout.readline()):
                raise RuntimeError("the server's process ended at once; its reason is on stderr")
            yield TMDBProcess(**json.loads(told))
            child.stdin.close()


class TMDBProcess:
    """A server in another process: where it is, and its counters."""

    def __init__(self, url: str, token: str | None, api_key: str | None) -> None:
        self.url, self.token, self.api_key = url, token, api_key
        self.base_url = f"{url}/3"

    def stats(self, *, ids: bool = False) -> dict[str, Any]:
        """The counters since the start or the last reset."""
        return self._ask("GET", "/__stats?ids=1" if ids else "/__stats")

    def reset(self) -> None:
        """Forget all requests."""
        self._ask("POST", "/__reset")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        connection = HTTPConnection(HOST, int(self.url.rpartition(":")[2]), timeout=30)
        try:
            connection.request(method, path)
            answer: dict[str, Any] = json.load(connection.getresponse())
        finally:
            connection.close()
        return answer


def _target(request: Request) -> str:
    """What a fault's turns are counted by: a movie whatever is appended, a list with its page."""
    if request.path.removeprefix("/3/movie/").isdigit():
        return request.path
    pairs = sorted(pair for pair in request.params.items() if pair[0] != "api_key")
    return f"{request.path}?{pairs}"


def _check_names(shares: Mapping[str, float], script: Mapping[str, Sequence[Scripted]]) -> None:
    turns = [turn for turns in script.values() for turn in turns if not isinstance(turn, Answer)]
    named = set(shares) | {turn if isinstance(turn, str) else turn[0] for turn in turns}
    if unknown := named - NAMES:
        raise ValueError(f"no such fault: {sorted(unknown)}; there are {sorted(NAMES)}")


def _plain(value: object) -> object:
    """What JSON does not know, on its way to the process."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, range | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent to another process")


def main() -> None:
    """Serve until stdin closes; the first line on stdout says where."""
    parser = argparse.ArgumentParser(description="A server that answers as TMDB v3 does.")
    parser.add_argument(
        "--options", default="{}", help="the constructor's arguments as JSON; -: on stdin"
    )
    text = parser.parse_args().options
    options = json.loads(sys.stdin.readline() if text == "-" else text)
    with TMDBServer(**options) as server, suppress(KeyboardInterrupt):
        told = {"url": server.url, "token": server.token, "api_key": server.api_key}
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
