"""Halves of surrogate pairs, which UTF-8 cannot hold, become U+FFFD where a text comes in."""

from __future__ import annotations

import json
import re
from typing import Any

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
# A whole pair or any other escape stays: a backslash that is escaped itself begins none.
_ESCAPES = re.compile(
    r"(\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def whole(text: str) -> str:
    """Return a text with whole characters alone."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def decoded(content: bytes) -> str:
    """Return the text of UTF-8, with whole characters alone; some programs write halves in it.

    Raises:
        UnicodeDecodeError: It is no UTF-8 in another way.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return whole(content.decode("utf-8-sig", "surrogatepass"))


def whole_json(text: str) -> str:
    """Return JSON whose escapes are those of whole characters."""
    if not _HALF.search(text):
        return text
    return _ESCAPES.sub(lambda found: found[1] or r"\ufffd", text)


def loads(text: str) -> Any:
    """Return the value of JSON, with whole characters alone.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(whole_json(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None
