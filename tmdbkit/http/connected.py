"""What asks through a session of its own, which is closed with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tmdbkit.http.session import Session


class Connected:
    """Closes its session at the end of a `with`."""

    session: Session

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
