"""Who can be asked for a missing key: nobody, but for a notebook, which brings its own prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_askers: list[Callable[[str], str]] = []


def register(asker: Callable[[str], str]) -> None:
    """Let `asker` ask a person: it takes the question and returns what was typed, or ""."""
    _askers[:] = [asker]


def ask(question: str) -> str:
    """Return what a person typed, "" where nobody can be asked."""
    return _askers[0](question) if _askers else ""
