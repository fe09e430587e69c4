"""A key or a login on its way: `***` stands for it until its bytes leave, and in what comes back.

So neither our variables nor those of requests, urllib3 and the standard library ever hold one, for
a debugger, a traceback with its locals or a log to show.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from urllib.parse import quote, quote_plus, unquote, urlsplit

import requests
from requests.utils import select_proxy

from tmdbkit.settings import Secret

MARK = "***"
SHORTEST = 6  # letters; a text that holds as few by chance is not to be spoilt


@dataclass(frozen=True)
class Credential:
    """A key, and where a request has it.

    Attributes:
        secret: The key.
        name: Of the header, where there is a scheme, else of the address's parameter.
        scheme: "Bearer" and the like.
    """

    secret: Secret
    name: str
    scheme: str = ""

    def put_on(self, request: requests.PreparedRequest) -> None:
        """Let a request say where the key belongs."""
        if self.scheme:
            request.headers.update(self.header)
        else:
            request.prepare_url(request.url, f"{self.name}={MARK}")

    @property
    def header(self) -> dict[str, str]:
        """The header that says so."""
        return {self.name: f"{self.scheme} {MARK}"}

    def is_due(self, head: bytes) -> bool:
        """Tell whether the first bytes of a request say so."""
        return self._place in head

    def filled(self, head: bytes) -> bytes:
        """Return these bytes with the key in its place."""
        return head.replace(self._place, self._place.removesuffix(MARK.encode()) + self._sent(), 1)

    def masked(self, text: bytes) -> bytes:
        """Return what a server sent without the key, in whichever form it repeats it."""
        for form in _forms(self.secret):
            text = text.replace(form, MARK.encode())
        return text

    @property
    def _place(self) -> bytes:
        return (f"{self.name}: {self.scheme} " if self.scheme else f"{self.name}=").encode() + (
            MARK.encode()
        )

    def _sent(self) -> bytes:
        key = self.secret.reveal()
        return (key if self.scheme else quote_plus(key)).encode()


@lru_cache(maxsize=16)
def _forms(secret: Secret) -> list[bytes]:
    """Return a key as it is, in an address, in JSON and in HTML, the longest first."""
    key = secret.reveal()
    if len(key) < SHORTEST:
        return []
    in_json = {json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]}
    slashed = {text.replace("/", r"\/") for text in in_json}
    quoted = {quote(key), quote(key, safe=""), quote_plus(key)}
    small = {re.sub("%..", lambda code: code[0].lower(), text) for text in quoted}
    forms = {key, escape(key), *in_json, *slashed, *quoted, *small}
    return sorted((form.encode() for form in forms), key=len, reverse=True)


@dataclass(frozen=True)
class Proxy:
    """What stands between us and a service.

    Attributes:
        address: Where it is, without its login.
        full: The same with it.
        variable: What names it.
    """

    address: str
    full: Secret
    variable: str

    @classmethod
    def towards(cls, url: str, proxies: Mapping[str, str]) -> Proxy | None:
        """Return the one on the way to an address, None where the way is a direct one."""
        full = Secret(select_proxy(url, dict(proxies)) or "")
        if not full:
            return None
        scheme, mark, rest = full.reveal().rpartition("://")
        bare = scheme + mark + rest.rpartition("@")[2]
        names = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
        set_here = [n for name in names for n in (name, name.upper()) if os.environ.get(n)]
        return cls(bare, full, next(iter(set_here), "the system's settings"))

    @property
    def is_socks(self) -> bool:
        """Whether it is none of HTTP."""
        return self.address.lower().startswith("socks")

    @property
    def credential(self) -> Credential | None:
        """Its login, as a header has it."""
        login = self.full.reveal().rpartition("://")[2].rpartition("@")[0]
        if not login or self.is_socks:
            return None
        packed = b64encode(unquote(login).encode("latin-1", "replace"))
        return Credential(Secret(packed.decode()), "Proxy-Authorization", "Basic")

    def __str__(self) -> str:
        return f"the proxy {self.address.rpartition('://')[2]} (of {self.variable})"
