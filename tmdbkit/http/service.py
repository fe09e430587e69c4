"""What a session has to know of the service that it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests

from tmdbkit.exceptions import (
    CredentialsRefused,
    PassingFault,
    RequestRefused,
    ServiceError,
    StopError,
)
from tmdbkit.http.credentials import Credential
from tmdbkit.http.retry import PROXY_LOGIN, passing_kind, retry_after

LONGEST_MESSAGE = 200  # characters of a service's own words


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that takes no key and speaks by its statuses; others override what they differ in.

    Attributes:
        name: As people call it; its cache has the same name.
        base_url: Where it answers.
        variable: The setting that holds the address.
        rate: Requests a second at most.
        keys: The setting or settings that hold the key, for a refusal to name.
    """

    name: str
    base_url: str = field(repr=False)
    variable: str
    rate: float
    keys: str = ""

    @property
    def credential(self) -> Credential | None:
        """The key, and where a request has it; None where it takes none."""
        return None

    def sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return a copy that says where the key belongs; the original is what the cache knows."""
        signed = request.copy()
        if self.credential is not None:
            self.credential.put_on(signed)
        return signed

    def lifetime(self, path: str) -> timedelta:
        """Return how long a cached answer is fresh."""
        return timedelta(days=1)

    def misfit(self, path: str, text: str) -> str:
        """Return what is wrong with a good answer's JSON, as "without its results"; "" if nothing.

        A fault that passes: it is asked for again, and never cached.
        """
        return ""

    def error_of(
        self, response: requests.Response, path: str, now: datetime
    ) -> ServiceError | None:
        """Return what is wrong with an answer, or None where all is well.

        A 304 is well: only who has the file already asks so that it can come.
        """
        status = response.status_code
        if status in (requests.codes.ok, requests.codes.not_modified):
            return None
        return self.refusal(self.by_status(status), response, path, now)

    def by_status(self, status: int) -> tuple[type[ServiceError], str]:
        """Return the kind of error that a status is anywhere, and a clause that says so."""
        if kind := passing_kind(status):
            return kind, f"answered {status}"
        if status == requests.codes.unauthorized:
            return self.key_refused(status)
        if status == requests.codes.proxy_authentication_required:
            return StopError, f"answered 407: a proxy of HTTP_PROXY wants a login; {PROXY_LOGIN}"
        if status == requests.codes.not_found:
            return (
                RequestRefused,
                f"answered 404, but not as {self.name} does; check {self.variable}",
            )
        if status // 100 == 3:
            return StopError, f"answered {status}, a redirect; check {self.variable}"
        return RequestRefused, f"answered {status}"

    def key_refused(self, status: int) -> tuple[type[ServiceError], str]:
        """Return the same for an answer that says that the key is not accepted."""
        return CredentialsRefused, f"answered {status}: the key was refused; check {self.keys}"

    def refusal(
        self,
        meaning: tuple[type[ServiceError], str],
        response: requests.Response,
        path: str,
        now: datetime,
        *,
        code: int | None = None,
        message: str = "",
    ) -> ServiceError:
        """Return the error that an answer means, with the service's own words."""
        kind, reason = meaning
        return kind(
            reason,
            path=path,
            status=response.status_code,
            code=code,
            message=message[:LONGEST_MESSAGE],
            retry_after=retry_after(response, now) if issubclass(kind, PassingFault) else None,
        )
