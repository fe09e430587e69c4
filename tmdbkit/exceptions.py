"""Every error that tmdbkit raises, in one tree.

    TMDBKitError
    ├── UsageError (ValueError)              what was asked for cannot be done; nothing was sent
    │   ├── NoSuchMovie (KeyError)           the stage, or the plan, has no movie of that id
    │   ├── DecidedMeanwhile                 somebody else decided; the same again overrules that
    │   ├── SettingsError                    a key, an address or a folder is missing or mistyped
    │   └── StageError                       the stage's folder cannot be used
    ├── DamageError                          files are damaged and were left as they are
    ├── OfflineError (LookupError)           offline, and the answer is not in the cache
    ├── Interrupted                          Ctrl-C or a signal ended a wait
    └── ServiceError                         what a server answered, or that it did not answer
        ├── NotFound (LookupError)           it says that there is no such thing
        ├── RequestRefused (ValueError)      it will never answer this request
        ├── PassingFault (ConnectionError)   it failed, and may not fail the next time
        │   └── RateLimited                  it wants us to be slower
        ├── BatchTooLarge                    Convex wants the batch in smaller pieces
        └── StopError                        going on is pointless
            ├── CredentialsRefused (PermissionError)
            ├── HostUnreachable (ConnectionError)
            ├── QuotaUsedUp                  a provider answers no more today
            ├── TargetRefused                a deployment that is paused, disabled or full
            ├── CursorLost                   pages are to be read from the first one again
            └── FunctionsMissing             tmdbkit's functions are not deployed there

    PassedOver (UserWarning)                 what another hand or version wrote is left out
    SettingsWarning (UserWarning)            a setting that may be meant otherwise

A branch also inherits the builtin that one would guess, so `except LookupError` works. Errors carry
data, never a key: the address is a path without its query.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tmdbkit.display import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


def _in_one_line(error: BaseException) -> str:
    """Return an error's message; what servers and files say in it steers no terminal."""
    return plain(Exception.__str__(error))


class TMDBKitError(Exception):
    """The root: catches whatever tmdbkit raises on purpose.

    Attributes:
        lost: Whether what was asked for may have been done all the same, its answer lost.
    """

    lost = False
    _shown = False
    __str__ = _in_one_line  # a builtin's own would put a KeyError's in quotes

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: one line, and the traceback where `%tb` asks once more."""
        import traceback  # three milliseconds, for a notebook's error alone

        if self._shown:
            return "".join(traceback.format_exception(self)).splitlines()
        self._shown = True
        return [f"{type(self).__name__}: {self}"]


class UsageError(TMDBKitError, ValueError):
    """What was asked for cannot be done; nothing was sent."""


class NoSuchMovie(UsageError, KeyError):
    """The stage, or the plan, has no movie of that id."""


class DecidedMeanwhile(UsageError):
    """Somebody else decided on this movie, and nothing was logged; the same again overrules."""


class SettingsError(UsageError):
    """A key, an address or a folder is missing or mistyped."""


class StageError(UsageError):
    """The stage's folder cannot be used."""


class DamageError(TMDBKitError):
    """Files are damaged and were left as they are; all else was done."""


class OfflineError(TMDBKitError, LookupError):
    """Offline, and the answer is not in the cache."""


class Interrupted(TMDBKitError):
    """Ctrl-C or a signal ended a wait."""


class ServiceError(TMDBKitError):
    """What a server answered, or that it did not answer.

    Args:
        reason: What happened, as a clause, and after a semicolon what to do: "answered 404",
            "cannot be reached at api.example.org; check the network".
        path: The path that was asked, without its query.
        status: The HTTP status, where there was an answer.
        code: The service's own code, TMDB's `status_code` or Convex's `code`.
        message: The service's own words.
        attempts: How many requests were made.
        retry_after: How many seconds the server wants us to wait.
        lost: Whether it may have been done all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: str = "",
        status: int | None = None,
        code: int | str | None = None,
        message: str = "",
        attempts: int = 1,
        retry_after: float | None = None,
        lost: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path
        self.status = status
        self.code = code
        self.message = message
        self.attempts = attempts
        self.retry_after = retry_after
        self.lost = lost

    def __str__(self) -> str:
        what, advised, advice = self.reason.partition("; ")
        parts = [f"{self.path}: {what}" if self.path else what]
        said = " ".join(str(part) for part in (self.code, self.message) if part not in (None, ""))
        if said:
            parts.append(f"({said})")
        if self.attempts > 1:
            parts.append(f"after {self.attempts} attempts")
        return plain(" ".join(parts) + advised + advice)


class NotFound(ServiceError, LookupError):
    """It says that there is no such thing."""


class RequestRefused(ServiceError, ValueError):
    """It will never answer this request."""


class PassingFault(ServiceError, ConnectionError):
    """It failed, and may not fail the next time."""


class RateLimited(PassingFault):
    """It wants us to be slower."""


class BatchTooLarge(ServiceError):
    """Convex wants the batch in smaller pieces."""


class StopError(ServiceError):
    """Going on is pointless."""


class CredentialsRefused(StopError, PermissionError):
    """The key is wrong, or may not do this."""


class HostUnreachable(StopError, ConnectionError):
    """Nothing answers at that address."""


class QuotaUsedUp(StopError):
    """A provider answers no more today."""


class TargetRefused(StopError):
    """A deployment that is paused, disabled or full."""


class CursorLost(StopError):
    """Where the next page begins is no longer known there; the first page is."""


class FunctionsMissing(StopError):
    """The functions of tmdbkit are not deployed there, or are of another version."""


class PassedOver(UserWarning):
    """What another hand or version wrote is not understood; it was left out, and all else done."""

    __str__ = _in_one_line


class SettingsWarning(UserWarning):
    """A setting that may be meant otherwise: its name is not known, or its key goes elsewhere."""

    __str__ = _in_one_line


def forget_locals(error: BaseException) -> None:
    """Forget what the frames held that an error has left, for a traceback to show."""
    from traceback import clear_frames  # as above

    link: BaseException | None = error
    while link is not None:
        clear_frames(link.__traceback__)
        link = link.__context__


@contextmanager
def carrying(counts: Callable[[], Mapping[str, object]]) -> Iterator[None]:
    """Let whatever ends this early, Ctrl-C too, carry the counts so far; `so_far` returns them."""
    try:
        yield
    except BaseException as error:
        vars(error).setdefault("so_far", counts())
        raise


def so_far(error: BaseException) -> Mapping[str, object]:
    """Return the counts that an error carries, by name."""
    found: Mapping[str, object] = vars(error).get("so_far", {})
    return found


def did_you_mean(word: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """Return what an error about a name that is not known ends with; "" where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(names), n=1, cutoff=cutoff)
    return "".join(f"; did you mean {name}?" for name in near)
