"""Movies from TMDB to Convex, with a notebook in between.

What is named here is the front door; each name, and each subpackage that the docs name, is imported
when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tmdbkit.convex.client import ConvexDeployment
    from tmdbkit.convex.snapshot import ConvexSnapshot
    from tmdbkit.demo import sample
    from tmdbkit.exceptions import TMDBKitError
    from tmdbkit.settings import Settings
    from tmdbkit.stage.stage import Stage
    from tmdbkit.tmdb.client import TMDBClient
    from tmdbkit.tmdb.session import TMDBSession
    from tmdbkit.workflows import (
        check,
        collect_ratings,
        delete_movies,
        import_direct,
        match_titles,
        plan_push,
        push,
        refresh_movies,
        run_local_import,
        stage_movies,
        undo,
        verify,
    )

__all__ = [
    "ConvexDeployment",
    "ConvexSnapshot",
    "Settings",
    "Stage",
    "TMDBClient",
    "TMDBKitError",
    "TMDBSession",
    "check",
    "collect_ratings",
    "delete_movies",
    "import_direct",
    "match_titles",
    "plan_push",
    "push",
    "refresh_movies",
    "run_local_import",
    "sample",
    "stage_movies",
    "undo",
    "verify",
]

_SUBPACKAGES = (
    *("convex", "notebook", "plots", "quality", "ratings"),
    *("review", "tmdb", "transform", "workflows"),
)
_HOMES = {
    "ConvexDeployment": "convex.client",
    "ConvexSnapshot": "convex.snapshot",
    "Settings": "settings",
    "Stage": "stage.stage",
    "TMDBClient": "tmdb.client",
    "TMDBKitError": "exceptions",
    "TMDBSession": "tmdb.session",
    "sample": "demo",
}


def __getattr__(name: str) -> Any:
    """Import a name of the front door, or a subpackage, when it is first used (PEP 562)."""
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'workflows')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBPACKAGES])


if "ipykernel" in sys.modules:  # in a notebook, long work shows a widget
    import_module("tmdbkit.notebook")
