"""A file that comes over the network: saved whole, or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

from tmdbkit.exceptions import PassingFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

PIECE = 2**20  # bytes that are held in memory


def save(response: requests.Response, to: Path, path: str) -> None:
    """Write an answer's bytes as they come, undecoded, and put them in place once all are there.

    Raises:
        PassingFault: There are fewer or more than the server said.
    """
    with _aside(to) as file:
        for piece in response.raw.stream(PIECE, decode_content=False):
            file.write(piece)
        if file.tell() != int(response.headers.get("Content-Length", file.tell())):
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
