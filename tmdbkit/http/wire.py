"""The connection itself: pooled, without cookies or logins of its own, its logs without keys."""

from __future__ import annotations

import logging
import re
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter

from tmdbkit import __version__


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
    wire = requests.Session()
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
        wire.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=pool))
    return wire
