"""What all threads of a session wait for, as the progress shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WORTH_A_WORD = 1.0  # seconds of a pause that whoever looks on is told of
SILENCE = 10.0  # seconds without an answer to any request that are worth a word as well


class Waiting:
    """A pause and its cause, or the time since a server last answered.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cause, self._until = "", clock()
        self._unanswered_since: float | None = None

    def hold(self, cause: str, seconds: float) -> bool:
        """Note a pause, and tell whether it is the longest so far."""
        until = self._clock() + seconds
        if not seconds or until <= self._until:
            return False
        self._cause, self._until = cause if seconds > WORTH_A_WORD else "", until
        return True

    def asked(self) -> None:
        """Note that a request was sent."""
        if self._unanswered_since is None:
            self._unanswered_since = self._clock()

    def answered(self) -> None:
        """Note that an answer came."""
        self._unanswered_since = None

    def __str__(self) -> str:
        now, since = self._clock(), self._unanswered_since
        if self._cause and now < self._until:
            return f"waiting: {self._cause}"
        silent = 0.0 if since is None else now - since
        return f"no answer for {silent:.0f} s" if silent > SILENCE else ""
