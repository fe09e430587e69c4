"""Which faults pass, and how long to wait for them."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from tmdbkit.exceptions import HostUnreachable, PassingFault, RateLimited, ServiceError, StopError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

WireError = requests.RequestException | urllib3.exceptions.HTTPError | ValueError

PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0
READ_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
FIRST_CONNECT_TIMEOUT = 2.0  # for each of a host's addresses; all tries stay under 10 s
FIRST_CONTACT_TRIES = 3
FIRST_CONTACT_SECONDS = 5.0
OUTAGE_PATIENCE = 4 * 3600.0  # seconds; a night's run waits for the network this long
LONGEST_OUTAGE_PAUSE = 60.0
PATIENCE = 900.0  # seconds; a server that wants a longer pause is come back to by a person


def retrying(
    retries: int, *, rest: Callable[[float], None], jitter: Callable[[], float]
) -> Retrying:
    """Return tenacity's loop over passing faults: exponential with jitter, or as the server says.

    A server that wants a longer wait than `PATIENCE` is not asked again.

    Args:
        retries: How many tries follow the first.
        rest: Waits so many seconds.
        jitter: Draws from 0 to 1; half of each wait is random, so that threads part.
    """

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ServiceError) and error.retry_after is not None:
            return error.retry_after
        return backoff(state.attempt_number) * (1 + jitter()) / 2

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number > retries or state.upcoming_sleep > PATIENCE

    return Retrying(
        retry=retry_if_exception_type(PassingFault),
        stop=stop,
        wait=wait,
        sleep=rest,
        reraise=True,
    )


def backoff(attempt: int, longest: float = LONGEST_WAIT) -> float:
    """Return the seconds to wait after so many failed tries."""
    return float(min(longest, FIRST_WAIT * 2 ** min(attempt - 1, 20)))


def retry_after(response: requests.Response, now: datetime) -> float | None:
    """Read the header in either of its forms, seconds or an HTTP date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def check_patience(error: RateLimited, waited: float) -> None:
    """Refuse to wait for longer than a person would leave a run alone.

    Args:
        error: The 429, with the wait that it asks for.
        waited: The seconds that this request has waited for its turn already.

    Raises:
        StopError: Both together are more than `PATIENCE`.
    """
    total = waited + (error.retry_after or 0.0)
    if total > PATIENCE:
        raise StopError(
            f"answers 429 and would have us wait for {total / 60:,.0f} minutes; "
            "run the same command again then, it goes on from here",
            path=error.path,
            status=error.status,
        )


class Contact:
    """How long to wait for a host that no connection reaches.

    While it has never answered, the address is probably wrong: stop within 10 s. Once it has, a
    network is down or a laptop slept: wait, as a person would.

    Attributes:
        reached: Whether it has ever answered.
    """

    def __init__(self) -> None:
        self.reached = False

    @property
    def connect_timeout(self) -> float:
        """Return the seconds that a connection may take."""
        return CONNECT_TIMEOUT if self.reached else FIRST_CONNECT_TIMEOUT

    def pause(self, error: HostUnreachable, waited: float, tries: int) -> float:
        """Return the seconds to wait before the next try.

        Raises:
            HostUnreachable: Enough was tried.
        """
        error.attempts = tries
        if self.reached:
            if waited > OUTAGE_PATIENCE:
                raise error
            return backoff(tries, LONGEST_OUTAGE_PAUSE)
        if tries >= FIRST_CONTACT_TRIES or waited > FIRST_CONTACT_SECONDS:
            raise error
        return backoff(tries, longest=1.0)


def fault(error: WireError, path: str, service: str, url: str, variable: str) -> ServiceError:
    """Say in our words what requests ran into; its own name the address with its key.

    Args:
        error: What requests raised; a ValueError where it could not read a redirect, urllib3's
            own where a file's bytes are read below requests.
        path: What was asked for.
        service: The name to call the other side.
        url: Its address.
        variable: The setting that holds the address.
    """
    if is_unreachable(error):
        host = urlsplit(url).netloc.rpartition("@")[2]
        cause = "certificate" if isinstance(error, requests.exceptions.SSLError) else "network"
        return HostUnreachable(
            f"{service} cannot be reached at {host}; check the {cause} and {variable}"
        )
    if isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError):
        return PassingFault(f"did not answer in {READ_TIMEOUT:.0f} s", path=path)
    return PassingFault("the answer broke off", path=path)


def is_unreachable(error: WireError) -> bool:
    """Tell whether no connection came about, as against one that broke."""
    if isinstance(
        error,
        requests.exceptions.ConnectTimeout
        | requests.exceptions.SSLError
        | requests.exceptions.ProxyError,
    ):
        return True
    cause: object = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
