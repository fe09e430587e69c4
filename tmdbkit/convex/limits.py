"""What Convex allows one document to be: its size, the length of its lists, how deep it nests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tmdbkit.convex.target import Document

MOST_BYTES = 2**20
MOST_ITEMS = 8_192
DEEPEST = 16
_OWN = 64  # bytes that Convex's own two fields take, about
_FAR_BELOW = 2 * MOST_ITEMS  # characters of JSON: too few for either, an item takes two


def exceeded(document: Document) -> list[str]:
    """Return in what a document is beyond the limits; mostly nothing, which costs one encoding."""
    text = json.dumps(document)
    if len(text) < _FAR_BELOW and text.count("[") + text.count("{") <= DEEPEST:
        return []
    found = list(_too_long(document, ""))
    if _depth(document) > DEEPEST:
        found.append(f"it is nested more than {DEEPEST} levels deep")
    if (size := _size(document) + _OWN) > MOST_BYTES:
        found.append(f"it has {size / 2**20:.2f} MiB, and a document may have 1")
    return found


def _too_long(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _too_long(part, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        if len(value) > MOST_ITEMS:
            yield f"{path} has {len(value):,} items, and may have {MOST_ITEMS:,}"
        for item in value:
            yield from _too_long(item, f"{path}[]")


def _depth(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, parts), default=0) if isinstance(value, dict | list) else 0


def _size(value: Any) -> int:
    """Return the bytes that Convex counts for a value."""
    if isinstance(value, str):
        return 2 + len(value.encode())
    if isinstance(value, list):
        return 2 + sum(map(_size, value))
    if isinstance(value, dict):
        return 2 + sum(len(name.encode()) + 1 + _size(part) for name, part in value.items())
    return 1 if value is None or isinstance(value, bool) else 9
