"""Whether a secret shows itself: in errors, in logs, in files."""

from __future__ import annotations

import base64
import re
from collections import deque
from contextlib import suppress
from traceback import TracebackException
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def forms(secret: str) -> set[str]:
    """How a secret may stand somewhere: as it is, in an address, packed by base64."""
    plain = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return plain | {base64.b64encode(text.encode()).decode() for text in plain}


def unpacked(text: str) -> str:
    """The text, and after it whatever it holds that base64 can read."""
    found = [text]
    for packed in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text):
        with suppress(ValueError):
            found.append(base64.b64decode(packed).decode("latin-1"))
    return "\n".join(found)


def told_by(error: BaseException) -> Iterator[str]:
    """All that anybody can print of an error: itself, its causes and contexts, every local."""
    yield from (str(error), repr(error), repr(vars(error)))
    # The first frame is the test's own, which knows the secret.
    inside = error.__traceback__ and error.__traceback__.tb_next
    whole = TracebackException(type(error), error, inside, capture_locals=True)
    yield from whole.format()
    for linked in _chain(error):
        yield from (repr(linked), repr(linked.args), repr(vars(linked)))


def _chain(error: BaseException) -> list[BaseException]:
    links: deque[BaseException | None] = deque([error])
    seen: list[BaseException] = []
    while links:
        link = links.popleft()
        if link is not None and link not in seen:
            seen.append(link)
            links.extend((link.__cause__, link.__context__))
    return seen


def told_by_logs(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    yield caplog.text
    yield from (repr(vars(record)) for record in caplog.records)


def told_by_files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name
            yield unpacked(path.read_bytes().decode("latin-1"))


def leaks(secret: str, told: Iterator[str]) -> list[str]:
    """Where the secret stands, with what stands around it."""
    return [
        text[max(0, at - 60) : at + len(form) + 20]
        for text in told
        for form in forms(secret)
        if (at := text.find(form)) >= 0
    ]
