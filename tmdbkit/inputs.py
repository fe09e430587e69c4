"""What commands work on: the session, the stage, the target and the ids that arguments name."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit.exceptions import UsageError

if TYPE_CHECKING:
    import argparse

    from tmdbkit.convex.merge import Scope
    from tmdbkit.convex.target import Target
    from tmdbkit.settings import Settings
    from tmdbkit.stage import Stage
    from tmdbkit.tmdb.session import TMDBSession


def read_settings() -> Settings:
    """Read the environment and `.env`."""
    from tmdbkit.settings import Settings

    return Settings.from_env()


def open_session() -> TMDBSession:
    """Open the session of the settings."""
    from tmdbkit.tmdb.session import TMDBSession

    return TMDBSession(read_settings())


def open_stage(args: argparse.Namespace) -> Stage:
    """Open the stage that `--stage` names, or the default one."""
    from tmdbkit.stage import Stage

    return Stage(args.stage, settings=read_settings())


def open_scope(args: argparse.Namespace) -> Scope:
    """Return which fields a command may touch."""
    from tmdbkit.convex.merge import Scope

    return Scope.of(only=args.only, keep=args.keep, clear=args.clear)


def open_target(
    args: argparse.Namespace, verb: str, *, ask: bool = False, writes: bool = True
) -> Target:
    """Open the target and name it before anything is written; ask before production changes."""
    opened: Target
    if args.snapshot:
        from tmdbkit.convex.snapshot import ConvexSnapshot

        opened = ConvexSnapshot(args.snapshot)
    else:
        from tmdbkit.convex.client import ConvexDeployment

        opened = ConvexDeployment(settings=read_settings())
    tell_target(f"{verb} {opened.title}")
    if writes:
        confirm(args, opened, ask=ask)
    return opened


def tell_target(line: str) -> None:
    """Say something of the target before anything is done to it, beside what may be piped."""
    sys.stderr.write(f"{line}\n")


def confirm(args: argparse.Namespace, target: Target, *, ask: bool) -> None:
    """Ask on a terminal, and only there, before a production target, or anything, changes.

    Raises:
        UsageError: The person does not want it.
    """
    if (ask or target.title.kind == "prod") and not args.yes and sys.stdin.isatty():
        sys.stderr.write("go on? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise UsageError("nothing was changed")


def needed_ids(args: argparse.Namespace) -> list[int]:
    """Return the ids that a command cannot do without.

    Raises:
        UsageError: None was asked for.
    """
    found = given_ids(args)
    if found is None:
        raise UsageError("no ids; name some, such as 603, or --from-file FILE, or --list popular")
    return found


def given_ids(args: argparse.Namespace) -> list[int] | None:
    """Return the ids of the arguments, of a file and of a list; None where nothing was named."""
    from_target = getattr(args, "from_target", False)
    if not (args.ids or args.from_file or args.list or from_target):
        return None
    found = [_id(text, "the arguments") for text in args.ids]
    if args.from_file:
        found += _ids_of_file(Path(args.from_file).expanduser())
    if args.list:
        found += _ids_of_list(args.list, args.pages)
    if from_target:
        found += _ids_of_target(args)
    return found


def _ids_of_target(args: argparse.Namespace) -> list[int]:
    from tmdbkit.convex.reading import ids_of

    target = open_target(args, "ids from", writes=False)
    target.preflight(writing=False)
    return ids_of(target)


def _ids_of_list(name: str, pages: int) -> list[int]:
    from tmdbkit.tmdb.client import TMDBClient
    from tmdbkit.tmdb.discovery import list_ids

    with open_session() as session:
        return list_ids(TMDBClient(session), name, pages=pages)["tmdb_id"].to_list()


def _ids_of_file(path: Path) -> list[int]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"{path} cannot be read: {reason}") from None
    words = [
        (word, number)
        for number, line in enumerate(lines, start=1)
        for word in re.split(r"[\s,;]+", line.partition("#")[0])
        if word
    ]
    if not words:
        raise UsageError(f"{path} has no ids in it")
    return [_id(word, f"line {number} of {path}") for word, number in words]


def _id(text: str, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) == 0:
        raise UsageError(f"{text!r} in {where} is not a TMDB id, a whole number such as 603")
    return int(text)
