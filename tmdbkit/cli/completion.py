"""What the shell completes: commands and options by the grammar, values by what they are called.

A person waits for it: what takes polars to be known is kept in a file, for each version.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmdbkit import __version__
from tmdbkit.files import make_folder, write_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks what may come next, which ends the process; else do nothing."""
    import argcomplete

    for action in _actions(parser):
        if action.metavar in VALUES:
            action.completer = _among(VALUES[action.metavar])
    argcomplete.autocomplete(parser, always_complete_options="long")


def _actions(parser: argparse.ArgumentParser) -> Iterable[Any]:
    for action in parser._actions:
        yield action
        if isinstance(action.choices, dict):
            for verb in action.choices.values():
                yield from _actions(verb)


def _among(names: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    """Return what completes one of some names, the last of several with commas between."""

    def completed(prefix: str, **_: Any) -> list[str]:
        before = prefix[: prefix.rfind(",") + 1]
        return [f"{before}{name}" for name in names()]

    return completed


def _kept(find: Callable[[], Iterable[str]]) -> Callable[[], list[str]]:
    """Return what gives the same names, after the first time from a file."""

    def names() -> list[str]:
        from platformdirs import user_cache_path

        folder = Path(os.environ.get("TMDBKIT_CACHE") or user_cache_path("tmdbkit"))
        file = folder / f"completion{find.__name__}-{__version__}.txt"
        with suppress(OSError):
            return file.read_text(encoding="utf-8").split()
        found = list(find())
        with suppress(OSError):
            make_folder(folder)
            write_text(file, "\n".join(found))
        return found

    return names


def _rules() -> Iterable[str]:
    from tmdbkit.quality.remedies import REMEDIES

    return REMEDIES


def _systems() -> Iterable[str]:
    from tmdbkit.display import SYSTEM_NAMES

    return SYSTEM_NAMES


def _fields() -> Iterable[str]:
    from tmdbkit.convex.merge import OURS

    return ["ratings", *sorted(OURS)]


def _columns() -> Iterable[str]:
    from tmdbkit.stage.card import flat
    from tmdbkit.transform import ROWS

    return [*_systems(), *flat(ROWS.to_frame()).columns]


VALUES = {
    "RULE": _kept(_rules),
    "RULES": _kept(_rules),
    "SYSTEM": _systems,
    "FIELDS": _kept(_fields),
    "COLUMNS": _kept(_columns),
    "STATE": lambda: ("undecided", "changed", "decided", "all"),
    "PROVIDER": lambda: ("imdb", "mdblist", "omdb"),
    "NAME|NUMBER": lambda: ("popular", "top_rated", "now_playing", "upcoming"),
    "SYSTEM=COLUMN": lambda: (f"{system}=" for system in _systems()),
}
