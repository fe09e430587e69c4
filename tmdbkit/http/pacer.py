"""One schedule of slots for all threads; slows down on a 429, recovers; and what all wait for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from tmdbkit.exceptions import Interrupted

HEADROOM = 0.95  # of what a server takes: at exactly its limit, a sliding second says no
LATE = (1 - HEADROOM) / 2  # seconds; half of the room that a second has, the way there has the rest
RECOVERY_SECONDS = 30.0  # how long a lowered pace holds before it is tried a little faster
RECOVERY_STEP = 1.04
WORTH_A_WORD = 1.0  # seconds of a pause that whoever looks on is told of
SILENCE = 10.0  # seconds without an answer to any request that are worth a word as well


class Pacer:
    """Hands out evenly spaced slots, so that nothing bursts and every thread pauses together.

    A slot is booked ahead, so a thread that wakes a little late costs the schedule nothing. One
    that wakes later than `LATE` gives its slot up: threads that catch up after the machine was busy
    would crowd one second, and what the server then refused would be taken for its limit.
    `rejected` learns the server's limit from what it took in the last second.

    Args:
        rate: Slots a second at most.
        clock: Seconds that only grow.
        sleep: Waits so many seconds; the default ends at once on `interrupt`.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.ceiling = rate
        self.rate = rate
        self._clock = clock
        self._interrupted = threading.Event()
        self._sleep = sleep or self._interrupted.wait
        self._lock = threading.Lock()
        self._next = clock()
        self._paused_until = clock()
        self._lowered_at = clock()
        self._hold = RECOVERY_SECONDS
        self._trying = False  # whether the pace is one that was raised, and not refused since
        self._accepted: deque[float] = deque()

    def wait(self) -> float:
        """Wait for the next slot and return its time; a pause that begins meanwhile is kept too."""
        while True:
            slot = self._book()
            self.rest(slot - self._clock())
            if slot >= self._paused_until and self._clock() - slot <= LATE:
                return slot

    def rest(self, seconds: float) -> None:
        """Wait outside the schedule, as before a retry.

        Raises:
            Interrupted: `interrupt` was called.
        """
        if seconds > 0:
            self._sleep(seconds)
        if self._interrupted.is_set():
            raise Interrupted("interrupted")

    def pause(self, seconds: float) -> None:
        """Let no slot begin for so many seconds, for any thread."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._next = max(self._next, self._paused_until)

    def accepted(self) -> None:
        """Note that the server took a request."""
        with self._lock:
            now = self._clock()
            self._accepted.append(now)
            while self._accepted[0] <= now - 1.0:
                self._accepted.popleft()
            self._recover(now)

    def rejected(self, slot: float, pause: float) -> None:
        """Note a 429 to the request of that slot: everybody pauses, and the pace goes down.

        Answers to requests that left before the pace was lowered say nothing of the new pace, and
        a 429 that follows a pause and no other answer says that the pause was too short. What was
        tried and refused is tried again after twice the time.
        """
        with self._lock:
            now = self._clock()
            taken = sum(1 for at in self._accepted if at > now - 1.0)
            if taken and slot > self._lowered_at:
                self.rate = max(min(taken, self.rate) * HEADROOM, self.rate / 2)
                if self._trying:
                    self._hold = min(self._hold * 2, 16 * RECOVERY_SECONDS)
                self._trying, self._lowered_at = False, now
        self.pause(pause)

    def interrupt(self) -> None:
        """End every wait, now and later, until `resume`."""
        self._interrupted.set()

    def resume(self) -> None:
        """Allow waiting again."""
        self._interrupted.clear()

    def _book(self) -> float:
        with self._lock:
            slot = max(self._next, self._clock())
            self._next = slot + 1.0 / self.rate
            return slot

    def _recover(self, now: float) -> None:
        if self.rate < self.ceiling and now - self._lowered_at > self._hold:
            self.rate = min(self.ceiling, self.rate * RECOVERY_STEP)
            self._trying, self._lowered_at = True, now


class Waiting:
    """A pause and its cause, or the time since a server last answered."""

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
