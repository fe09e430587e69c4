"""A key, which shows itself nowhere."""

from __future__ import annotations

import re

from tmdbkit.settings.sources import unquoted

_HEADER = re.compile(r"(authorization:\s*)?((bearer|convex)\s+)?", re.IGNORECASE)


class Secret:
    """A key that shows itself nowhere but to `reveal`.

    What is copied along with one, quotes and the words that go before it in a header, is no part
    of it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = unquoted(_HEADER.sub("", unquoted(value)))

    def reveal(self) -> str:
        """Return the key itself: for the request that carries it, and for nothing else."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(set)" if self._value else "Secret(not set)"

    __str__ = __repr__
