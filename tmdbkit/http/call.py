"""One thing that is asked of a service, in however many tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from tmdbkit.http.files import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

T = TypeVar("T")
MOST_SECONDS = 120.0  # that all tries together may take, the waits between them aside
LEAST_SECONDS = 1.0  # of a try; who has no more does not try again


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
