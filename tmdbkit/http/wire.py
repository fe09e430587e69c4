"""The connections to a service, and what is asked on them, in however many tries.

They are pooled, without cookies or logins of their own, and quiet in the logs.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from tmdbkit import __version__
from tmdbkit.exceptions import PassingFault, ServiceError, SettingsError, forget_locals
from tmdbkit.http.answers import bound
from tmdbkit.http.credentials import Proxy
from tmdbkit.http.deadline import Watchdog, WatchedAdapter, WatchedSession
from tmdbkit.http.files import PATIENCE
from tmdbkit.http.retry import READ_TIMEOUT, fault
from tmdbkit.http.service import Service

T = TypeVar("T")
MOST_SECONDS = 120.0  # that all tries together may take, the waits between them aside
LEAST_SECONDS = 1.0  # of a try; who has no more does not try again
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # in the order in which requests looks for them


@dataclass
class Call(Generic[T]):
    """A request, and what is made of its answer.

    Attributes:
        path: What errors call it.
        request: As the cache knows it, without credentials.
        receive: Reads a good answer.
        seconds: How long the next try may take.
    """

    path: str
    request: requests.PreparedRequest
    receive: Callable[[requests.Response], T]
    seconds: float = MOST_SECONDS

    def took(self, seconds: float) -> None:
        """Note how long a try took."""
        self.seconds = max(self.seconds - seconds, LEAST_SECONDS)

    def is_used_up(self) -> bool:
        """Tell whether there is no time left for another try."""
        return self.seconds <= LEAST_SECONDS


@dataclass
class FileCall(Call[T]):
    """One for a file, which takes as long as it comes along.

    The next try waits half as long for it to do so: four end within two minutes.
    """

    seconds: float = PATIENCE

    def took(self, seconds: float) -> None:
        """Note that there was a try, however long it took."""
        self.seconds = max(self.seconds / 2, LEAST_SECONDS)


def _of_urllib3_alone(record: logging.LogRecord) -> bool:
    """Leave out what quotes a server's headers, which may repeat a key."""
    return not record.exc_info


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from adding a login of ~/.netrc to what we send."""
    return request


def connection(pool: int, url: str) -> tuple[requests.Session, Proxy | None, Any]:
    """Return a session for an address, the proxy on the way, and what authorities are trusted."""
    logging.getLogger("urllib3.connection").addFilter(_of_urllib3_alone)
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
    environment = wire.merge_environment_settings(url, {}, True, None, None)
    proxy = Proxy.towards(url, environment["proxies"])
    for scheme in ("https://", "http://"):
        wire.mount(scheme, WatchedAdapter(proxy, pool_connections=4, pool_maxsize=pool))
    return wire, proxy, environment["verify"]


class Wire:
    """The connections to a service, on which each exchange has an end."""

    def __init__(self, service: Service, pool: int) -> None:
        url = service.base_url
        self._session, self._proxy, self._verify = connection(pool, url)
        self._watchdog = Watchdog()
        self._is_secure = urlsplit(url).scheme == "https"
        self._proxies = {urlsplit(url).scheme: self._proxy.address} if self._proxy else {}

    def prepare(self, request: requests.Request) -> requests.PreparedRequest:
        """Return a request as it is sent."""
        return self._session.prepare_request(request)

    def exchange(
        self,
        call: Call[T],
        signed: requests.PreparedRequest,
        service: Service,
        connect_timeout: float,
        take: Callable[[requests.Response], T | ServiceError],
    ) -> T | ServiceError:
        """Send a request once, and return what is made of its answer, or what went wrong.

        In what is `signed`, `***` stands for the credentials. `take` makes something of the answer,
        or tells the error that it is.
        """
        self._check_bundle()
        began = time.monotonic()
        credentials = (service.credential, self._proxy.credential if self._proxy else None)
        with self._watchdog.watch(call.seconds, [key for key in credentials if key]) as exchange:
            try:
                with self._session.send(
                    signed,
                    timeout=(connect_timeout, READ_TIMEOUT),
                    allow_redirects=False,
                    proxies=self._proxies,
                    verify=self._verify,
                    stream=True,
                    cert=None,
                ) as response:
                    bound(response, call.path, service.credential)
                    outcome = take(response)
            except ServiceError as error:  # some are kinds of ValueError
                outcome = error
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
                outcome = fault(error, call.path, service, self._proxy)
            except BaseException as error:
                forget_locals(error)  # at a Ctrl-C a key may just be on its way
                raise
        took = time.monotonic() - began
        call.took(took)
        if exchange.is_over:  # what was cut off may look whole: a head without a body
            return PassingFault(
                f"did not answer in full in {took:.0f} s", path=call.path, lost=True
            )
        return outcome

    def _check_bundle(self) -> None:
        """Make sure that the file is there that says whose certificates are trusted."""
        if isinstance(self._verify, str) and not os.path.exists(self._verify) and self._is_secure:
            variable = next(name for name in BUNDLES if os.environ.get(name))
            raise SettingsError(f"{variable} names {self._verify}, which is not there")

    def hurry(self, seconds: float) -> None:
        """Let nothing that is under way take longer than that from now on."""
        self._watchdog.hurry(seconds)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
