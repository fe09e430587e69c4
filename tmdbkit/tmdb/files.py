"""A file that comes over the network: saved whole, or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

from tmdbkit.exceptions import PassingFault
from tmdbkit.progress import Progress, told

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    with _aside(to) as file:
        for piece in told(pieces, progress, "downloading MiB", -(-int(size or 0) // PIECE)):
            file.write(piece)
        if size and file.tell() != int(size):
            raise PassingFault("the answer broke off", path=path)


@contextmanager
def _aside(to: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `to` at the end, or goes where there is an error."""
    with NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}.", delete=False) as file:
        aside = Path(file.name)
        try:
            yield file
            file.close()
            aside.replace(to)
        except BaseException:
            file.close()
            aside.unlink()
            raise
