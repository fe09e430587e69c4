"""How a number of things is said."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a number and what it counts: 1 movie, 1,000 movies."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
