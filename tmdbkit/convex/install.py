"""Copies the functions into an app's convex folder, and never over what someone changed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from tmdbkit.exceptions import UsageError
from tmdbkit.files import make_folder, write_text

_SEAL = re.compile(r"\n// tmdbkit:sha256:([0-9a-f]{16})\n\Z")


@dataclass(frozen=True)
class Installed:
    """What was copied, and what the person does next.

    Attributes:
        written: Files that were written.
        current: Files that were as they should be.
        changed: Files that someone changed, and that were left alone.
        schema_lacks: Lines that an app's own schema.ts needs.
    """

    written: tuple[Path, ...]
    current: tuple[Path, ...]
    changed: tuple[Path, ...]
    schema_lacks: tuple[str, ...]


def install_functions(folder: Path) -> Installed:
    """Write tmdbkit.ts, and schema.ts only where the app has none.

    Raises:
        UsageError: The folder cannot be an app's convex folder.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name your app's convex folder")
    if not folder.exists() and not folder.parent.is_dir():
        raise UsageError(f"{folder.parent} does not exist; name your app's convex folder")
    try:
        return _install(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}") from None


def _install(folder: Path) -> Installed:
    make_folder(folder)
    ours = sealed(_shipped("tmdbkit.ts"))
    written, current, changed = [], [], []
    functions = folder / "tmdbkit.ts"
    before = functions.read_text(encoding="utf-8") if functions.exists() else None
    if before == ours:
        current.append(functions)
    elif before is None or is_untouched(before):
        write_text(functions, ours)
        written.append(functions)
    else:
        changed.append(functions)
    schema = next((path for path in _schemas(folder) if path.exists()), None)
    if schema is None:
        write_text(folder / "schema.ts", _shipped("schema.ts"))
        written.append(folder / "schema.ts")
    lacks = _lacking(schema.read_text(encoding="utf-8")) if schema else ()
    return Installed(tuple(written), tuple(current), tuple(changed), lacks)


def sealed(text: str) -> str:
    """Return the text with a hash of itself at the end, by which a later copy sees changes."""
    return f"{text}\n// tmdbkit:sha256:{_hash(text)}\n"


def is_untouched(text: str) -> bool:
    """Tell whether a sealed text is as it was when it was written, of whatever version."""
    seal = _SEAL.search(text)
    return seal is not None and seal.group(1) == _hash(text[: seal.start()])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shipped(name: str) -> str:
    return (files("tmdbkit.convex") / "functions" / name).read_text(encoding="utf-8")


def _schemas(folder: Path) -> list[Path]:
    return [folder / f"schema.{ending}" for ending in ("ts", "js", "mts", "tsx")]


# What an existing schema is searched for, and the line that it lacks where that is not found.
_NEEDED = (
    (r"\.index\(\s*[\"']by_tmdb_id[\"']", 'movies: .index("by_tmdb_id", ["tmdb_id"])'),
    (r"\.index\(\s*[\"']by_slug[\"']", 'movies: .index("by_slug", ["slug"])'),
    (r"\.index\(\s*[\"']by_crew_id[\"']", 'crew: .index("by_crew_id", ["crew_id"])'),
    (
        r"\bcrew\s*:\s*v\.optional",
        "movies: crew: v.optional(v.array(v.number())),  // if you want it: up to 170 rows in the "
        "table crew a movie, not 6, and a function that collects that table fails beyond 32,000",
    ),
    (
        r"\bgenres\s*:\s*defineTable",
        "genres: defineTable({ genre_id: v.number(), name: v.string() })"
        '.index("by_genre_id", ["genre_id"]),  // if you want it',
    ),
)


def _lacking(schema: str) -> tuple[str, ...]:
    return tuple(line for pattern, line in _NEEDED if not re.search(pattern, schema))
