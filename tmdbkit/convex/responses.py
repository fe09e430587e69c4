"""What Convex's answers mean: a value, smaller pieces, another try, or the end."""

from __future__ import annotations

import re
from typing import Any

import requests

from tmdbkit.exceptions import (
    BatchTooLarge,
    CredentialsRefused,
    CursorLost,
    FunctionsMissing,
    PassingFault,
    RequestRefused,
    ServiceError,
    StopError,
    TargetRefused,
)
from tmdbkit.http.answers import read_told
from tmdbkit.http.retry import passing_kind

# Convex tells the errors of one status apart by their words; each pattern with what it means for
# us, and the first that matches counts. Only the first line is read: those after it quote the
# document, and a synopsis may say anything.
_Meaning = tuple[type[ServiceError], str]
_Words = tuple[tuple[str, type[ServiceError], str], ...]
_STOPS: _Words = (
    (
        r"deployment is (paused|suspended)|deployment.*disabled"
        r"|exceeded (the|your|its) [\w ]*(plan|spending|usage) limits?",
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
        r"at or below version|\bis no longer supported",
        FunctionsMissing,
        "what runs there, or tmdbkit, is too old for it; npm install convex@latest in your app and "
        "deploy, and pip install --upgrade tmdbkit",
    ),
    (
        r"\bindex\b.*\bstaged\b",
        TargetRefused,
        "an index is staged there, which nothing may ask; take staged: true out of your app's "
        "schema.ts, and deploy",
    ),
    (
        r"\bindex\b.*\bbackfill",
        TargetRefused,
        "an index is still being filled there; run the same again when the deploy is through",
    ),
    (
        r"\bindex \S+ not found",
        TargetRefused,
        "an index is missing there; tmdbkit functions says what to add to your app's schema.ts",
    ),
)
_CURSORS: _Words = ((r"InvalidCursor", CursorLost, "does not know the cursor"),)
_SIZES: _Words = (
    (
        r"too many .*in a single function execution|(is|are) too large|timed out|out of memory"
        r"|length limit exceeded|too many (reads|writes|documents|bytes)",
        BatchTooLarge,
        "is more than one function may do",
    ),
)
# The statuses that leave it to the words; all others have decided.
_BY_WORDS: dict[int, _Words] = {
    200: _STOPS + _CURSORS + _SIZES,
    400: _STOPS + _CURSORS + _SIZES,
    403: _STOPS,
}
_PASSES_WITH_400 = "SystemTimeoutError"
_NOT_COMMITTED = (  # each says that nothing was written
    "OptimisticConcurrencyControlFailure",
    "CommitterFullError",
    "ExpiredInQueue",
    "WorkerOverloaded",
    "SystemTimeoutError",
)
_ANOTHER = "not as Convex does; check CONVEX_URL"
_PREAMBLE = re.compile(r"^\[Request ID: [^\]]*\]\s*Server Error\s*")


def refusal_of(response: requests.Response, name: str) -> ServiceError | None:
    """Return the error that a status is; None for a 200, whose words decide."""
    if response.status_code == 200:
        return None
    told = read_told(response)
    return _system_error(response.status_code, told if isinstance(told, dict) else None, name)


def value_of(response: requests.Response, *, name: str) -> Any:
    """Return the value that an answer with a 200 holds.

    Raises:
        ServiceError: The function failed, or it is no answer of Convex.
    """
    body = read_told(response)
    if not isinstance(body, dict):
        raise PassingFault("answered 200 without JSON", path=name, status=200, lost=True)
    if body.get("status") == "success":
        return body.get("value")
    if body.get("status") == "error":
        raise _function_error(body, name)
    if name.startswith("/"):  # an address, not a function: it answers as it likes
        return body
    raise StopError(f"answered 200, {_ANOTHER}", path=name, status=200)


def _function_error(body: dict[str, Any], name: str) -> ServiceError:
    """Judge an error of a function, which comes with a 200."""
    said = _PREAMBLE.sub("", str(body.get("errorMessage", ""))).strip()
    message = said.splitlines()[0][:500] if said else "Server Error"
    if meaning := _by_words(200, message):
        kind, reason = meaning
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
    lost = kind is PassingFault and code not in _NOT_COMMITTED
    return kind(reason, path=name, status=status, code=code, message=message, lost=lost)


def _system_kind(status: int, code: str, message: str, *, known: bool) -> _Meaning:
    if kind := passing_kind(status):
        return kind, f"answered {status}"
    if status == 400 and code == _PASSES_WITH_400:
        return PassingFault, f"answered {status}"
    if status == 413:
        return BatchTooLarge, "is more than a proxy before it lets through"
    if meaning := _by_words(status, f"{code} {message}"):
        return meaning
    if status in (401, 403):
        return CredentialsRefused, (
            f"answered {status}: the key was refused or may not do this; check CONVEX_DEPLOY_KEY"
        )
    if not known or status // 100 == 3 or status == 404:
        return StopError, f"answered {status}, {_ANOTHER}"
    return RequestRefused, f"answered {status}"


def _by_words(status: int, message: str) -> _Meaning | None:
    """Return what a message means with a status that leaves it to the words."""
    for pattern, kind, reason in _BY_WORDS.get(status, ()):
        if re.search(pattern, message, re.IGNORECASE):
            return kind, reason
    return None


# What a key needs, as Convex's answer names it, and as its dashboard does.
_TO_READ = {"RunInternalQueries": "deployment:functions:runInternalQueries"}
_TO_WRITE = {"RunInternalMutations": "deployment:functions:runInternalMutations"}


def lacking_permissions(allowed: Any, *, writing: bool) -> list[str]:
    """Return the permissions that a key needs and does not have, as the dashboard names them.

    Convex says what it is `allowed`; no operations at all means every one.
    """
    told = allowed if isinstance(allowed, dict) else {}
    operations = told.get("allowedOps")
    needed = _TO_READ | (_TO_WRITE if writing else {})
    if isinstance(operations, list) and operations:
        return [name for operation, name in needed.items() if operation not in operations]
    return list(_TO_WRITE.values()) if writing and told.get("isReadOnly") else []
