"""What Convex's answers mean: a value, smaller pieces, another try, or the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tmdbkit.exceptions import (
    BatchTooLarge,
    CredentialsRefused,
    FunctionsMissing,
    PassingFault,
    RateLimited,
    RequestRefused,
    ServiceError,
    StopError,
    TargetRefused,
)

if TYPE_CHECKING:
    import requests

# Convex tells its errors apart by their words; each pattern with what it means for us, and the
# first that matches counts. A 429 never comes here: TooManyWrites is a rate there, a size here.
# Only the first line is read: those after it quote the document, and a synopsis may say anything.
_WORDS: tuple[tuple[re.Pattern[str], type[ServiceError], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, reason)
    for pattern, kind, reason in (
        (
            r"deployment is paused|exceeded the free plan limits|deployment.*disabled",
            TargetRefused,
            "the deployment takes no requests; look at it in the Convex dashboard",
        ),
        (
            r"could not find (public )?function|could not find module",
            FunctionsMissing,
            "tmdbkit's functions are not deployed there; copy them into your app with "
            "tmdbkit functions convex, then deploy",
        ),
        (
            r"\bindex \S+ not found",
            TargetRefused,
            "an index is missing there; tmdbkit functions says what to add to your app's schema.ts",
        ),
        (
            r"too many .*in a single function execution|are too large|timed out|out of memory"
            r"|length limit exceeded|too many (reads|writes|documents|bytes)",
            BatchTooLarge,
            "is more than one function may do",
        ),
    )
)
_BY_STATUS: dict[int, tuple[type[ServiceError], str]] = {
    413: (BatchTooLarge, "is more than a proxy before it lets through"),
    429: (RateLimited, "answered 429"),
}
_PASSING = (  # each says that nothing was committed
    "OptimisticConcurrencyControlFailure",
    "CommitterFullError",
    "ExpiredInQueue",
    "WorkerOverloaded",
    "SystemTimeoutError",
)
_PASSING_STATUSES = (408, 500, 502, 503, 504)
_ANOTHER = "not as Convex does; check CONVEX_URL"
_PREAMBLE = re.compile(r"^\[Request ID: [^\]]*\]\s*Server Error\s*")


def judge(response: requests.Response, name: str) -> tuple[Any, ServiceError | None]:
    """Return the value of an answer, or the error that it is.

    Args:
        response: What Convex answered.
        name: The function or path that was asked.
    """
    body = _body(response)
    if response.status_code != 200:
        return None, _system_error(response.status_code, body, name)
    if body is None:
        return None, PassingFault("answered 200 without JSON", path=name, status=200, lost=True)
    if body.get("status") == "success":
        return body.get("value"), None
    if body.get("status") == "error":
        return None, _function_error(body, name)
    if name.startswith("/"):  # an address, not a function: it answers as it likes
        return body, None
    return None, StopError(f"answered 200, {_ANOTHER}", path=name, status=200)


def _body(response: requests.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _function_error(body: dict[str, Any], name: str) -> ServiceError:
    """Judge an error of a function, which comes with a 200."""
    said = _PREAMBLE.sub("", str(body.get("errorMessage", ""))).strip()
    message = said.splitlines()[0][:500] if said else "Server Error"
    for pattern, kind, reason in _WORDS:
        if pattern.search(message):
            return kind(reason, path=name, status=200, message=message)
    return RequestRefused("refused it", path=name, status=200, message=_essence(said) or message)


_NOT_TOLD = ("at ", "Object:", "Validator:")


def _essence(said: str) -> str:
    """Return the lines that name the field and the value of a document that was refused."""
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if line and not line.startswith(_NOT_TOLD)]
    return " ".join(told)[:500]


def _system_error(status: int, body: dict[str, Any] | None, name: str) -> ServiceError:
    """Judge an error of the system: a status and a code."""
    code = str(body.get("code", "")) if body else ""
    message = str(body.get("message", ""))[:300] if body else ""
    kind, reason = _system_kind(status, code, message, known=body is not None)
    # Whoever answers in Convex's place, or breaks down, says nothing of what became of the call.
    lost = kind is PassingFault and code not in _PASSING
    return kind(reason, path=name, status=status, code=code, message=message, lost=lost)


def _system_kind(
    status: int, code: str, message: str, *, known: bool
) -> tuple[type[ServiceError], str]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if code in _PASSING:
        return PassingFault, f"answered {status}"
    for pattern, kind, reason in _WORDS:
        if pattern.search(message):
            return kind, reason
    if status in (401, 403):
        return CredentialsRefused, (
            f"answered {status}: the key was refused or may not do this; check CONVEX_DEPLOY_KEY"
        )
    if status in _PASSING_STATUSES:
        return PassingFault, f"answered {status}"
    if not known or status // 100 == 3 or status == 404:
        return StopError, f"answered {status}, {_ANOTHER}"
    return RequestRefused, f"answered {status}"
