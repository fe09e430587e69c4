"""The manifests of layout 1: files beside merged parts that named what those replace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tmdbkit.stage.storage import Root

SUFFIX = ".json"


def read_manifest(root: Root, merged: str) -> frozenset[str]:
    """Return the parts that a merged one replaces; none where that cannot be read.

    Then nothing is hidden: what stands in a file twice is told apart, and what is hidden is not.
    """
    try:
        return _names_in(root.read(f"{merged}{SUFFIX}")) or frozenset()
    except FileNotFoundError:  # gone a moment ago
        return frozenset()


def is_manifest(content: bytes) -> bool:
    """Tell whether a file's content names parts."""
    return _names_in(content) is not None


def _names_in(content: bytes) -> frozenset[str] | None:
    try:
        return frozenset(map(str, json.loads(content)["replaces"]))
    except (ValueError, KeyError, TypeError):
        return None


def all_replaced(merged: str, manifests: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return what a part replaces, what was merged into those before included."""
    found: set[str] = set()
    left = [merged]
    while left:
        new = manifests.get(left.pop(), frozenset()) - found
        found |= new
        left += new
    return frozenset(found - {merged})
