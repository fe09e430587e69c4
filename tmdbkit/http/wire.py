"""The connection itself: pooled, without cookies or logins of its own, its logs without keys."""

from __future__ import annotations

import logging
import re
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, TypeVar

import requests
import urllib3.exceptions

from tmdbkit import __version__
from tmdbkit.exceptions import PassingFault, ServiceError
from tmdbkit.http.answers import bound
from tmdbkit.http.deadline import Watchdog, WatchedAdapter, WatchedSession
from tmdbkit.http.retry import READ_TIMEOUT, fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit.http.call import Call
    from tmdbkit.http.service import Service

T = TypeVar("T")


class _KeysOutOfLogs(logging.Filter):
    """urllib3 logs addresses with their queries, some as warnings; keys are taken out of them."""

    _KEY = re.compile(r"((?:api_?key|access_token|token)=)[^&\s\"']+", re.IGNORECASE)

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        cleaned = self._KEY.sub(r"\1***", message)
        if cleaned != message:
            record.msg, record.args = cleaned, ()
        return True


_KEYS_OUT_OF_LOGS = _KeysOutOfLogs()
_LOGGERS = ("connection", "connectionpool", "poolmanager", "response", "util.retry")


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from adding a login of ~/.netrc to what we send."""
    return request


def connection(pool: int) -> requests.Session:
    """Return a session that keeps up to `pool` connections open to a host."""
    for name in _LOGGERS:
        logging.getLogger(f"urllib3.{name}").addFilter(_KEYS_OUT_OF_LOGS)
    wire = WatchedSession()
    wire.auth = _no_netrc
    wire.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    wire.headers.update(
        {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"tmdbkit/{__version__}",
        }
    )
    for scheme in ("https://", "http://"):
        wire.mount(scheme, WatchedAdapter(pool_connections=4, pool_maxsize=pool))
    return wire


class Wire:
    """The connections to a service, on which each exchange has an end.

    Args:
        service: Where they lead.
        pool: How many are kept open.
    """

    def __init__(self, service: Service, pool: int) -> None:
        self._service = service
        self._session = connection(pool)
        self._watchdog = Watchdog()
        self._environment = self._session.merge_environment_settings(
            service.base_url, {}, True, None, None
        )

    def prepare(self, request: requests.Request) -> requests.PreparedRequest:
        """Return a request as it is sent."""
        return self._session.prepare_request(request)

    def exchange(
        self,
        call: Call[T],
        signed: requests.PreparedRequest,
        connect_timeout: float,
        take: Callable[[requests.Response], T | ServiceError],
    ) -> T | ServiceError:
        """Send a request once, and return what is made of its answer, or what went wrong.

        Args:
            call: Whose request it is, and how long it may take.
            signed: The same with credentials.
            connect_timeout: How many seconds a connection may take.
            take: Makes something of the answer, or tells the error that it is.
        """
        began = time.monotonic()
        with self._watchdog.watch(call.seconds) as exchange:
            try:
                with self._session.send(
                    signed,
                    timeout=(connect_timeout, READ_TIMEOUT),
                    allow_redirects=False,
                    **self._environment,
                ) as response:
                    bound(response, call.path)
                    outcome = take(response)
            except ServiceError as error:  # some are kinds of ValueError
                outcome = error
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
                outcome = fault(error, call.path, self._service)
        took = time.monotonic() - began
        call.took(took)
        if exchange.is_over:  # what was cut off may look whole: a head without a body
            return PassingFault(
                f"did not answer in full in {took:.0f} s", path=call.path, lost=True
            )
        return outcome

    def hurry(self, seconds: float) -> None:
        """Let nothing that is under way take longer than that from now on."""
        self._watchdog.hurry(seconds)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
