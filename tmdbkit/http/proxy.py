"""The proxy that the environment names, if any: its login is kept as a key is."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from requests.utils import select_proxy

from tmdbkit.http.credentials import Credential
from tmdbkit.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping


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
