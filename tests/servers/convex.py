"""A Convex deployment that misbehaves: in front of a real backend, or with answers of its own.

What convex-test cannot do is scripted here, in Convex's own words: refused keys, rate limits,
conflicts inside the database, time-outs, paused deployments, answers that break off, and answers
that are lost after the function ran.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import requests

from .wire import Answer, LocalServer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Run = Callable[[], Answer]
    Fault = Callable[[Run], Answer]

ENOUGH = {"success": True, "allowedOps": [], "isReadOnly": False}
PREAMBLE = "[Request ID: 0123456789abcdef] Server Error"


@dataclass(slots=True)
class Call:
    """One call as it came: the function's name, or the last part of an address."""

    name: str
    args: dict[str, Any]
    headers: Mapping[str, str]
    met: str = "ok"


def dumps(value: object) -> bytes:
    """JSON as bytes."""
    return json.dumps(value).encode()


def success(value: object) -> Answer:
    """What a function that returns a value answers."""
    return Answer(200, dumps({"status": "success", "value": value, "logLines": []}))


def function_error(message: str = "") -> Answer:
    """A function's error; without a message, as production tells it to strangers."""
    text = f"{PREAMBLE}\n{message}" if message else PREAMBLE
    return Answer(200, dumps({"status": "error", "errorMessage": text, "logLines": []}))


def system_error(status: int, code: str, message: str = "") -> Answer:
    """An error of the system, as opposed to one of a function."""
    return Answer(status, dumps({"code": code, "message": message or f"{code} happened."}))


def _says(answer: Answer) -> Fault:
    return lambda _run: answer


def _page(status: int) -> Fault:
    return _says(Answer(status, b"<html><h1>Sorry</h1></html>", "text/html"))


def _lost(run: Run) -> Answer:
    """The function runs, and nobody hears of it."""
    run()
    return Answer(0, ending="reset")


def _cut(run: Run) -> Answer:
    return Answer(200, run().body, ending="cut")


def _cut_json(run: Run) -> Answer:
    body = run().body
    return Answer(200, body[: len(body) // 2])


def _invalid(field: str) -> str:
    return (
        f"ArgumentValidationError: Object is missing the required field `{field}`. Consider "
        "wrapping the field validator in `v.optional(...)` if this is expected.\n\n"
        'Object: {"changes": []}\nValidator: v.object({...})'
    )


# What a busy deployment or a proxy before it says with a status that passes, and what Convex says
# with another one when something is too large, stopped or missing.
MISLEADING = (
    "Too many writes to movies.search_title. Spread your writes out over time.",
    "Too many bytes read in a single function execution (limit: 16777216).",
    "The arguments are too large (17 MiB > 16 MiB).",
    "Your request timed out.",
    "Cannot run functions while this deployment is suspended.",
    "You have exceeded the free plan limits, so your deployments have been disabled.",
    "Could not find public function for 'tmdbkit:applyMovies'.",
)
_IN_ONE = "in a single function execution (limit: 4096). Consider using smaller limits."
TOO_LARGE = {
    "too_many_reads": function_error(f"Uncaught Error: Too many reads {_IN_ONE}"),
    "too_many_writes_size": function_error(f"Uncaught Error: Too many writes {_IN_ONE}"),
    "too_many_documents": function_error(f"Uncaught Error: Too many documents read {_IN_ONE}"),
    "too_many_bytes": function_error(f"Uncaught Error: Too many bytes read {_IN_ONE}"),
    "arguments_too_large": function_error("The arguments are too large (17 MiB > 16 MiB)."),
    "timed_out": function_error("Uncaught Error: Function execution timed out (maximum: 1s)"),
    "return_value": function_error("Function page return value is too large (9 MiB > 8 MiB)"),
    "out_of_memory": function_error("Uncaught Error: JavaScript execution ran out of memory"),
    "length_limit": system_error(
        400, "BadJsonBody", "Failed to buffer the request body: length limit exceeded"
    ),
    "413_html": Answer(413, b"<html>Request Entity Too Large</html>", "text/html"),
}
RATE_LIMITED = {
    "429": system_error(
        429,
        "TooManyWrites",
        "Too many writes per second. Your deployment is limited to 4 MiB bytes written per second.",
    ),
    "429_concurrent": system_error(429, "TooManyConcurrentRequests"),
    "429_html": Answer(429, b"<html>slow down</html>", "text/html"),
}
PASSING = {
    "occ": system_error(
        503,
        "OptimisticConcurrencyControlFailure",
        "Data read or written in this mutation changed while it was being run.",
    ),
    "committer_full": system_error(503, "CommitterFullError", "Too many concurrent commits."),
    "expired": system_error(503, "ExpiredInQueue", "Too many concurrent requests."),
    "overloaded": system_error(503, "WorkerOverloaded", "There are no available workers."),
    "system_timeout": system_error(400, "SystemTimeoutError", "Your request timed out."),
    "500": system_error(500, "InternalServerError", "Your request couldn't be completed."),
    "408": Answer(408),
    "502_html": Answer(502, b"<html>bad gateway</html>", "text/html"),
    "504_html": Answer(504, b"<html>gateway timeout</html>", "text/html"),
}
BROKEN: dict[str, Fault] = {
    "reset": _says(Answer(0, ending="reset")),
    "silent": _says(Answer(0, ending="silent")),
    "not_json": _page(200),
    "empty": _says(Answer(200)),
    "cut": _cut,
    "cut_json": _cut_json,
    "lost": _lost,
}
NO_ENTRY = {
    "401": system_error(401, "BadAdminKey", "The provided admin key was invalid for this instance"),
    "403": system_error(403, "OperationNotPermitted", "You do not have permission."),
}
OUT_OF_ORDER = {
    "paused": function_error(
        "Cannot run functions while this deployment is paused. Resume the deployment in the "
        "dashboard settings to allow functions to run."
    ),
    "suspended": function_error("Cannot run functions while this deployment is suspended."),
    "suspended_400": system_error(400, "DeploymentSuspended", "This deployment is suspended."),
    "usage_limit": function_error(
        "This deployment has been disabled because it exceeded a configured usage limit."
    ),
    "spending": function_error(
        "You have exceeded your spending limits, so your deployments have been disabled."
    ),
    "paused_403": system_error(403, "DeploymentPaused", "This deployment is paused."),
    "free_plan": function_error(
        "You have exceeded the free plan limits, so your deployments have been disabled. Please "
        "upgrade to a Pro plan."
    ),
    "disabled": system_error(400, "DeploymentDisabled", "This deployment has been disabled."),
    "starter_plan": function_error("You have exceeded the Starter plan limits."),
    "staged_index": function_error(
        "Uncaught Error: Index movies.by_tmdb_id is currently staged. Remove the `staged` flag to "
        "query it."
    ),
    "backfilling": function_error(
        "Uncaught Error: Index movies.by_slug is currently backfilling and not available to query "
        "yet."
    ),
    "backfilling_400": system_error(
        400, "IndexBackfilling", "Index movies.by_slug is still backfilling."
    ),
    "no_index": function_error("Uncaught Error: Index movies.by_slug not found."),
}
MISSING = {
    "missing": function_error(
        "Could not find public function for 'tmdbkit:contract'. Did you forget to run "
        "`npx convex dev` or `npx convex deploy`?"
    ),
    "missing_module": function_error("Could not find module 'tmdbkit.js'."),
}
TOO_OLD = {
    "old_functions": function_error(
        "Convex functions at or below version 1.9.0 are no longer supported. Update your Convex "
        "npm package, and deploy."
    ),
    "old_client": system_error(
        400,
        "UnsupportedClientVersion",
        "The Convex tmdbkit package at version 0.1.0 is no longer supported.",
    ),
}
CURSOR = {
    "cursor": function_error(
        "Uncaught Error: InvalidCursor: Tried to run a query starting from a cursor, but it looks "
        "like this cursor is from a different query."
    ),
    "cursor_400": system_error(400, "InvalidCursor", "Failed to parse cursor."),
}
REFUSED = {
    "invalid": function_error(_invalid("title")),
    "mismatch": function_error(
        'Uncaught Error: Failed to insert or update a document in table "movies" because it does '
        "not match the schema: Value does not match validator.\nPath: .title\nValue: 7.0\n"
        "Validator: v.string()\n    at async handler (../convex/tmdbkit.ts:1:1)"
    ),
    "redacted": function_error(),
}
ANOTHER_SERVER = {
    "404_html": Answer(404, b"<html>not found</html>", "text/html"),
    "404_json": system_error(404, "NotFound"),
    "redirect": Answer(302, headers={"Location": "http://127.0.0.1:9/"}),
    "json": Answer(200, b'{"hello": "world"}'),
}
FAULTS: dict[str, Fault] = {
    name: _says(answer)
    for answers in (
        *(TOO_LARGE, RATE_LIMITED, PASSING, NO_ENTRY),
        *(OUT_OF_ORDER, MISSING, TOO_OLD, CURSOR, REFUSED, ANOTHER_SERVER),
    )
    for name, answer in answers.items()
} | BROKEN


def arguments(body: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call; the clients send them as the one item of a list."""
    [given] = body.get("args", [{}])
    return dict(given)


class ConvexProxy(LocalServer):
    """Passes calls on to a backend, except where a script says what they meet instead.

    Args:
        backend: The backend's address; without one, `values` are what the functions return.
        values: What functions return, by name.
    """

    def __init__(self, backend: str = "", *, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(clock=time.monotonic)
        self.backend = backend
        self.values = dict(values or {})
        self.calls: list[Call] = []
        self._scripts: dict[str, deque[Fault | str]] = defaultdict(deque)
        self._forever: dict[str, str] = {}
        self._wire = requests.Session()
        self._wire.trust_env = False  # no proxy between us and this machine

    def script(self, name: str, *faults: str | Fault) -> None:
        """Let the next calls of a function meet these, one each; "ok" is none, "*" any function."""
        self._scripts[name].extend(faults)

    def always(self, name: str, fault: str) -> None:
        """Let every call of a function meet this fault."""
        self._forever[name] = fault

    def called(self, name: str) -> list[Call]:
        """The calls of one function."""
        return [call for call in self.calls if call.name == name]

    def handle(self, request: Request) -> Answer:
        """What one call meets."""
        body = json.loads(request.body) if request.body else {}
        last = request.path.rpartition("/")[2]
        call = Call(
            str(body.get("path", last)).removeprefix("tmdbkit:"),
            arguments(body),
            request.headers,
        )
        self.calls.append(call)
        fault = self._fault(call.name)
        run = partial(self._value, request, call.name)
        if callable(fault):
            call.met = "a fault of the test"
            return fault(run)
        call.met = fault
        return run() if fault == "ok" else FAULTS[fault](run)

    def _fault(self, name: str) -> Fault | str:
        for script in (self._scripts[name], self._scripts["*"]):
            if script:
                return script.popleft()
        return self._forever.get(name, self._forever.get("*", "ok"))

    def _value(self, request: Request, name: str) -> Answer:
        if self.backend:
            return self._pass_on(request)
        if name == "check_admin_key":
            return Answer(200, dumps(ENOUGH))
        return success(self.values[name])

    def _pass_on(self, request: Request) -> Answer:
        kept = ("authorization", "content-type", "convex-client", "convex-request-id")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        answer = self._wire.request(
            request.method, self.backend + request.path, data=request.body, headers=headers
        )
        return Answer(answer.status_code, answer.content)


class FakeTime:
    """A clock that only sleeping moves; any number of threads may use it.

    Attributes:
        now: Seconds.
        slept: How long each sleep was.
        on_sleep: Is called after each sleep, if there is one.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.on_sleep: Callable[[], object] | None = None
        self._lock = threading.Lock()

    def clock(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)
        if self.on_sleep:
            self.on_sleep()

    def waits(self) -> list[float]:
        """The sleeps before another try, without the spacing between requests."""
        return [seconds for seconds in self.slept if seconds > 0.1]
