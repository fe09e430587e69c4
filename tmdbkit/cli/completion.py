"""What the shell completes: commands and options by the grammar, values by what they are called.

A person waits for it, and most of what has the names takes polars: they are kept in a file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmdbkit import __version__
from tmdbkit.files import make_folder, write_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

# What stands for a value in the grammar, and the module and the name of all that it can be.
VALUES = {
    "RULE": "quality.remedies:REMEDIES",
    "RULES": "quality.remedies:REMEDIES",
    "SYSTEM": "schema:SYSTEMS",
    "FIELDS": "convex.merge:NAMES",
    "COLUMNS": "stage.card:columns",
    "STATE": "review:STATES",
    "PROVIDER": "ratings.providers:BY_NAME",
    "NAME|NUMBER": "tmdb.client:LISTS",
}
FILES = ("FILE", "DIR", "DIR|ZIP", "DEST")


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks what may come next, and end the process."""
    import argcomplete
    from argcomplete.completers import ChoicesCompleter

    for action in _actions(parser):
        if action.metavar in VALUES:
            action.completer = _among(VALUES[action.metavar])
        elif action.choices is None and action.metavar not in FILES:  # a number, a day, a title
            action.completer = ChoicesCompleter({})
    argcomplete.autocomplete(parser, always_complete_options="long")


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    for action in parser._actions:
        yield action
        if isinstance(action.choices, dict):
            for verb in action.choices.values():
                yield from _actions(verb)


def _among(place: str) -> Callable[..., list[str]]:
    """Return what completes one of some names, the last of several with commas between."""

    def completed(prefix: str, **_: Any) -> list[str]:
        before = prefix[: prefix.rfind(",") + 1]
        return [f"{before}{name}" for name in names_at(place)]

    return completed


def names_at(place: str) -> list[str]:
    """Return the names that a module has, after the first time for a version from a file."""
    from platformdirs import user_cache_path

    folder = Path(os.environ.get("TMDBKIT_CACHE") or user_cache_path("tmdbkit"))
    file = folder / f"{__version__}-{place.replace(':', '.')}.txt"
    with suppress(OSError):
        return file.read_text(encoding="utf-8").split()
    module, _, name = place.partition(":")
    found = getattr(import_module(f"tmdbkit.{module}"), name)
    names = list(found() if callable(found) else found)
    with suppress(OSError):
        make_folder(folder)
        write_text(file, "\n".join(names))
    return names
