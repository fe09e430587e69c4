"""How a server misbehaves: errors, limits, and faults that come back the same in every run."""

from __future__ import annotations

import math
from collections import Counter, deque
from hashlib import blake2b
from typing import TYPE_CHECKING

from .generated import dumps
from .wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ERRORS = {
    5: (422, "Invalid parameters: Your request parameters are incorrect."),
    6: (404, "Invalid id: The pre-requisite id is invalid or not found."),
    7: (401, "Invalid API key: You must be granted a valid key."),
    9: (503, "Service offline: This service is temporarily offline, try again later."),
    11: (500, "Internal error: Something went wrong, contact TMDB."),
    20: (422, "Invalid date range: Should be a range no longer than 14 days."),
    22: (400, "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer."),
    23: (400, "Invalid date: Format needs to be YYYY-MM-DD."),
    24: (504, "Your request to the backend server timed out. Try again."),
    27: (400, "Too many append to response objects: The maximum number of remote calls is 20."),
    34: (404, "The resource you requested could not be found."),
    42: (405, "This request method is not supported for this resource."),
    43: (502, "Couldn't connect to the backend server."),
    44: (500, "The ID is invalid."),
    46: (503, "The API is undergoing maintenance. Try again later."),
}
PASSES = (408, 421, 425, 500, 502, 503, 504, *range(520, 531), 599)  # whatever the text says
LASTS = (501, 505)
CACHED = {"Cache-Control": "public, max-age=21600"}  # TMDB sends it with a 404, too


def error(code: int) -> Answer:
    """One of TMDB's errors, by its own code."""
    status, message = ERRORS[code]
    body = {"success": False, "status_code": code, "status_message": message}
    return Answer(status, dumps(body), headers=CACHED if status == 404 else {})


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone, whatever the process or the thread."""
    text = "\0".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=6).digest(), "big") / 2**48


HTML = "text/html"
PAGE = b"<html><head><title>%b</title></head><body><center><h1>%b</h1></center></body></html>"


def _page(status: int, title: bytes) -> Answer:
    return Answer(status, PAGE % (title, title), HTML)


FAULTS: dict[str, Callable[[Answer], Answer]] = {
    "500": lambda _: error(11),
    "502": lambda _: error(43),
    "503": lambda _: error(9),
    "504": lambda _: error(24),
    "401": lambda _: error(7),
    "404": lambda _: error(34),
    "id_invalid_500": lambda _: error(44),
    "429html": lambda _: _page(429, b"429 Too Many Requests"),
    "502html": lambda _: _page(502, b"502 Bad Gateway"),
    "503html": lambda _: _page(503, b"503 Service Temporarily Unavailable"),
    "not_json": lambda _: _page(200, b"Please stand by"),
    "empty": lambda _: Answer(200),
    "cut": lambda whole: Answer(200, whole.body, ending="cut"),
    "cut_json": lambda whole: Answer(200, whole.body[: len(whole.body) // 2]),
    "close": lambda _: Answer(0, ending="silent"),
    "reset": lambda _: Answer(0, ending="reset"),
}
NAMES = frozenset(FAULTS) | {"429", "hang", "ok"}  # these three need the server's own settings


class SlidingSecond:
    """At most `limit` answers in any second; a refused request does not count."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._taken: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Whether one more request fits."""
        while self._taken and self._taken[0] <= now - 1:
            self._taken.popleft()
        if len(self._taken) >= self.limit:
            return False
        self._taken.append(now)
        return True


class Bucket:
    """`burst` answers at once (a second's worth by default), and `limit` a second after that."""

    def __init__(self, limit: float, burst: float | None = None) -> None:
        self.limit, self.burst = limit, burst
        self._tokens, self._then = math.inf, 0.0

    def take(self, now: float) -> bool:
        """Whether one more request fits."""
        if self.limit == math.inf:
            return True
        full = self.limit if self.burst is None else self.burst
        self._tokens = min(full, self._tokens + (now - self._then) * self.limit)
        self._then = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Faults:
    """Which fault, if any, a request meets: by seed, target and turn, so threads change nothing."""

    def __init__(self, shares: Mapping[str, float], *, seed: int, max_in_a_row: int) -> None:
        self.shares, self.seed, self.max_in_a_row = dict(shares), seed, max_in_a_row
        self._turns: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()

    def draw(self, target: str) -> str | None:
        """The fault for this turn of a target."""
        self._turns[target] += 1
        fault = self._drawn(chance(self.seed, target, self._turns[target]))
        if fault is None or self._in_a_row[target] >= self.max_in_a_row:
            self._in_a_row[target] = 0
            return None
        self._in_a_row[target] += 1
        return fault

    def _drawn(self, number: float) -> str | None:
        for fault, share in self.shares.items():
            if number < share:
                return fault
            number -= share
        return None
