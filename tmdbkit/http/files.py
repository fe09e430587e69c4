"""A file that comes over the network: saved whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdbkit.exceptions import PassingFault
from tmdbkit.files import atomic_write, sweep
from tmdbkit.progress import Progress, told

if TYPE_CHECKING:
    from pathlib import Path

    import requests

PIECE = 2**20  # bytes that are held in memory


def save(response: requests.Response, to: Path, path: str, progress: Progress) -> None:
    """Write an answer's bytes as they come, undecoded, and put them in place once all are there.

    Args:
        response: The answer, whose body was not read.
        to: Where it goes.
        path: What an error calls it.
        progress: What is told how many MiB came.

    Raises:
        PassingFault: There are fewer or more than the server said.
    """
    size = response.headers.get("Content-Length", "")
    pieces = response.raw.stream(PIECE, decode_content=False)
    sweep(to.parent, to.name)
    with atomic_write(to) as aside, aside.open("wb") as file:
        for piece in told(pieces, progress, "downloading MiB", -(-int(size or 0) // PIECE)):
            file.write(piece)
        if size and file.tell() != int(size):
            raise PassingFault("the answer broke off", path=path)
