"""Image paths and their addresses."""

from __future__ import annotations

import re

PREFIX = "https://image.tmdb.org/t/p/"
_ADDRESS = re.compile(r"https?://image\.tmdb\.org/t/p/[^/]+(/[^/]+)$")


def image_url(path: str, size: str) -> str:
    """Return the address of an image: TMDB's prefix, a size and the payload's path."""
    return f"{PREFIX}{size}{path}"


def image_path(value: str) -> str:
    """Return the path of an image that is given as an address or as a path already."""
    match = _ADDRESS.match(value)
    return match.group(1) if match else value
