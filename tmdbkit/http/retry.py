"""Which faults pass, and how long to wait for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from tmdbkit.exceptions import HostUnreachable, PassingFault, RateLimited, ServiceError, StopError
from tmdbkit.http.credentials import Proxy

if TYPE_CHECKING:
    from tmdbkit.http.service import Service

WireError = requests.RequestException | urllib3.exceptions.HTTPError | ValueError

# Besides those of a server's own faults: a time-out, the wrong connection, too early a request.
PASSING_STATUSES = frozenset({408, 421, 425})
LASTING_FAULTS = frozenset({501, 505})  # what a server cannot do, it cannot do tomorrow either
FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0
READ_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
FIRST_CONNECT_TIMEOUT = 2.0  # for each of a host's addresses; all tries stay under 10 s
FIRST_CONTACT_TRIES = 3
FIRST_CONTACT_SECONDS = 5.0
STRANGE_FAULTS, STRANGE_SECONDS = 12, 10.0  # where nothing else ever came
OUTAGE_PATIENCE = 4 * 3600.0  # seconds; a night's run waits for the network this long
LONGEST_OUTAGE_PAUSE = 60.0
PATIENCE = 900.0  # seconds; a server that wants a longer pause is come back to by a person
SOON = 1.0  # seconds
PROXY_LOGIN = "write it into the variable as http://name:password@host:port"
FAULTS_IN_A_ROW = 40  # of all threads: where nothing else comes, it is no matter of one request


def retrying(
    retries: int,
    enough: Callable[[], bool],
    *,
    rest: Callable[[float], None],
    jitter: Callable[[], float],
) -> Retrying:
    """Return tenacity's loop over passing faults: exponential with jitter, or as the server says.

    A server that wants a longer wait than `PATIENCE` is not asked again, nor is any once it is
    `enough`. Half of each wait is random, so that threads part.
    """

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ServiceError) and error.retry_after is not None:
            return error.retry_after
        return backoff(state.attempt_number) * (1 + jitter()) / 2

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number > retries or state.upcoming_sleep > PATIENCE or enough()

    return Retrying(
        retry=retry_if_exception_type(PassingFault),
        stop=stop,
        wait=wait,
        sleep=rest,
        reraise=True,
    )


def passing_kind(status: int) -> type[PassingFault] | None:
    """Return which fault that passes an answer of that status is, whatever its text says.

    The words of a busy database or of a proxy are often those of a lasting error.
    """
    if status == requests.codes.too_many_requests:
        return RateLimited
    at_fault = status // 100 == 5 and status not in LASTING_FAULTS
    return PassingFault if at_fault or status in PASSING_STATUSES else None


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


class Turn:
    """How long one request has waited for a server that says 429.

    The pauses are added up, and no clock is read: it goes on while a laptop sleeps, and while the
    network is down, and neither is the server's wish.
    """

    def __init__(self) -> None:
        self._rejections = 0
        self._waited = 0.0

    def pause(self, error: RateLimited) -> float:
        """Return the seconds to wait after a 429; one that says nothing is waited for ever longer.

        Raises:
            StopError: With this wait it would be more than `PATIENCE`.
        """
        total = self._waited + (error.retry_after or 0.0)
        if total > PATIENCE:
            raise StopError(
                f"answers 429 and would have us wait for {total / 60:,.0f} minutes; "
                "run the same command again then, it goes on from here",
                path=error.path,
                status=error.status,
            )
        self._rejections += 1
        wanted = error.retry_after
        pause = backoff(self._rejections) * 2 if wanted is None else wanted
        if pause < SOON:  # one that says 0 for ever is not asked a thousand times a second
            pause = backoff(self._rejections)
        self._waited += max(pause, SOON)
        return pause


class OutageWatch:
    """How long to wait for a host that no connection reaches, or that only fails.

    While it has never answered, the address is probably wrong: stop within 10 s. Once it has, a
    network is down or a laptop slept: wait, as a person would.

    Attributes:
        reached: Whether it has ever answered.
        is_known: Whether it has ever answered as the service does.
        faults: How many passing faults came in a row, whichever request met them.
    """

    def __init__(self) -> None:
        self.reached = False
        self.is_known = False
        self.faults = 0
        self._pages = 0
        self._failing_since = 0.0

    @property
    def connect_timeout(self) -> float:
        """Return the seconds that a connection may take."""
        return CONNECT_TIMEOUT if self.reached else FIRST_CONNECT_TIMEOUT

    def pause(self, error: HostUnreachable, waited: float, tries: int) -> float:
        """Return the seconds to wait before the next try, `waited` being those since the first.

        They count until there is a first answer.

        Raises:
            HostUnreachable: Enough was tried.
        """
        error.attempts = tries
        if self.reached:
            # The pauses of before are added up: a clock goes on while a laptop sleeps.
            if sum(backoff(n, LONGEST_OUTAGE_PAUSE) for n in range(1, tries)) > OUTAGE_PATIENCE:
                raise error
            return backoff(tries, LONGEST_OUTAGE_PAUSE)
        if tries >= FIRST_CONTACT_TRIES or waited > FIRST_CONTACT_SECONDS:
            raise error
        return backoff(tries, longest=1.0)

    def answered(self) -> None:
        """Note an answer that only the service itself gives."""
        self.is_known = True
        self.faults = self._pages = 0

    def refused(self, error: ServiceError, service: Service) -> None:
        """Note what will never be answered.

        Raises:
            HostUnreachable: One after the other is refused, in none of the service's own words.
        """
        self.faults = 0
        own = error.status in (None, requests.codes.ok) or error.code is not None or error.message
        self._pages = 0 if own else self._pages + 1
        if self._pages >= STRANGE_FAULTS:
            raise HostUnreachable(
                f"{service.name} {error.reason} to {self._pages} requests in a row, and in none of "
                f"its own words; {_in_between(service)}"
            )

    def lull(self, error: PassingFault, service: Service, now: float) -> float:
        """Return the seconds that everybody waits after a passing fault, the longer the more came.

        So an hour in which a server only fails costs some tries, and not as many as fit into it.

        Raises:
            HostUnreachable: Nothing else has ever come, for long enough.
        """
        if not self.faults:
            self._failing_since = now
        self.faults += 1
        self.is_known |= bool(error.code)  # an error in its own words
        lasted = now - self._failing_since
        if not self.is_known and self.faults >= STRANGE_FAULTS and lasted >= STRANGE_SECONDS:
            raise HostUnreachable(
                f"{service.name} has not answered as itself yet: {error.reason}, "
                f"{self.faults} times in {lasted:.0f} s; {_in_between(service)}",
                lost=error.lost,
            )
        rounds = self.faults // FAULTS_IN_A_ROW
        return backoff(rounds, LONGEST_OUTAGE_PAUSE) if rounds else 0.0


def _in_between(service: Service) -> str:
    return (
        "it may be blocked, or a proxy, a VPN or a login page may stand in between: "
        f"check the network and {service.variable}"
    )


def fault(error: WireError, path: str, service: Service, proxy: Proxy | None) -> ServiceError:
    """Say in our words what requests ran into; its own name the address with its key.

    It is a ValueError where requests could not read a redirect, and urllib3's own where a file's
    bytes are read below requests.
    """
    if proxy and (meaning := _of_proxy(error, proxy)):
        kind, wrong = meaning
        return kind(f"{service.name} cannot be reached by {proxy}{wrong}")
    if is_unreachable(error):
        host = urlsplit(service.base_url).netloc.rpartition("@")[2]
        cause = "certificate" if isinstance(error, requests.exceptions.SSLError) else "network"
        return HostUnreachable(
            f"{service.name} cannot be reached at {host}; check the {cause} and {service.variable}"
        )
    if isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError):
        return PassingFault(f"did not answer in {READ_TIMEOUT:.0f} s", path=path, lost=True)
    return PassingFault("the answer broke off", path=path, lost=True)


def _of_proxy(error: WireError, proxy: Proxy) -> tuple[type[StopError], str] | None:
    """Return what is wrong with a proxy, and what to do; None where it is none of its doing."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        return StopError, ", which takes PySocks; pip install PySocks"
    if isinstance(error, requests.exceptions.InvalidURL):
        return StopError, f", which is no address of one; {PROXY_LOGIN}"
    if isinstance(error, requests.exceptions.ProxyError) and "failed: 407" in str(error):
        return StopError, f", a proxy that wants a login; {PROXY_LOGIN}"
    refused = isinstance(error, requests.exceptions.ProxyError)
    if refused or (proxy.is_socks and is_unreachable(error)):
        return HostUnreachable, "; check whether it runs, or unset the variable"
    return None


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
