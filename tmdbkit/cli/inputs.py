"""What commands work on: the session, the stage, the target and the ids that arguments name."""

from __future__ import annotations

import re
import shlex
import signal
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit import progress
from tmdbkit.cli.listed import an_id, ids_of_file
from tmdbkit.cli.output import say_aside
from tmdbkit.display import plain
from tmdbkit.exceptions import NotFound, SettingsWarning, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import date

    import polars as pl

    from tmdbkit.convex.contract import Contract
    from tmdbkit.convex.merge import Scope
    from tmdbkit.convex.target import Target
    from tmdbkit.settings import Settings
    from tmdbkit.stage.stage import Stage
    from tmdbkit.tmdb.client import TMDBClient
    from tmdbkit.tmdb.session import TMDBSession


UNCHANGED = "nothing was changed"


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
    from tmdbkit.stage.stage import Stage

    return Stage(args.stage, settings=read_settings())


def same_stage(args: argparse.Namespace) -> str:
    """Return what a command to type next needs to mean the same stage."""
    return f" --stage {shlex.quote(args.stage)}" if args.stage else ""


def same_source(args: argparse.Namespace) -> str:
    """Return what a command to type next needs to mean the same movies."""
    if args.snapshot:
        return f" --snapshot {shlex.quote(args.snapshot)}"
    return " --from-target" if args.from_target else same_stage(args)


def filled(stage: Stage) -> Stage:
    """Return a stage that has movies.

    Raises:
        UsageError: It has none.
    """
    if len(stage) == 0:
        raise UsageError(
            f"the stage is empty; looked in {stage.store.root.full}. Fill it with tmdbkit stage"
        )
    return stage


def open_source(args: argparse.Namespace) -> Target | None:
    """Open the target whose movies are meant, where those of the stage are not."""
    return open_target(args, "movies of") if args.from_target or args.snapshot else None


def output_file(name: str, option: str) -> Path:
    """Return the file that an option names, once it is sure that it can be written.

    Raises:
        UsageError: It cannot.
    """
    from tempfile import TemporaryFile

    path = Path(name).expanduser()
    if path.is_dir():
        raise UsageError(f"{path} is a folder; {option} takes a file")
    if path.exists() and not path.is_file():  # a device or a pipe, which is written itself
        return path
    try:
        TemporaryFile(dir=path.parent).close()
    except OSError:
        raise UsageError(
            f"{path} cannot be written: {path.parent} is no folder to write to"
        ) from None
    return path


def open_scope(args: argparse.Namespace, stage: Stage) -> Scope:
    """Return which fields a command may touch, those of the user's own included."""
    from tmdbkit.convex.merge import Scope

    own = stage.store.own.read().types
    return Scope.of(only=args.only, create_only=args.create_only, clear=args.clear, own=own)


def open_target(args: argparse.Namespace, verb: str, *, begins: bool = False) -> Target:
    """Open the target, and name it before anything is written.

    Raises:
        UsageError: There is no such snapshot, and the command `begins` none.
    """
    opened: Target
    new = ""
    if args.snapshot:
        from tmdbkit.convex.snapshot import ConvexSnapshot

        opened = ConvexSnapshot(args.snapshot, contract=_contract(getattr(args, "contract", None)))
        is_there = opened.path.exists()
        if not is_there and not begins:
            raise UsageError(f"there is no snapshot at {opened.path}")
        if not is_there and args.snapshot.lower().endswith(".zip"):
            raise UsageError(f"there is no {args.snapshot}; name a folder for a new snapshot")
        new = "" if is_there else ", which is new: nothing is there yet"
    elif getattr(args, "contract", None):
        raise UsageError("--contract is of --snapshot; a deployment says itself what it accepts")
    else:
        from tmdbkit.convex.client import ConvexDeployment

        opened = ConvexDeployment(settings=read_settings())
        if opened.origin:
            warnings.warn(opened.origin, SettingsWarning, stacklevel=1)
    say_aside(f"{verb} {opened.title}{new}")
    return opened


def _contract(file: str | None) -> Contract | None:
    from tmdbkit.convex.contract import Contract

    return Contract.load(Path(file).expanduser()) if file else None


def needs_consent(args: argparse.Namespace, target: Target, *, everywhere: bool = False) -> bool:
    """Tell whether a person is to be asked before the target changes, who then can be asked.

    Production is asked for, and with `everywhere` any other deployment; a snapshot never is.

    Raises:
        UsageError: There is nobody to ask, which is a no.
    """
    kind = target.title.kind
    return kind != "snapshot" and (everywhere or kind == "prod") and is_asked(args)


def is_asked(args: argparse.Namespace) -> bool:
    """Tell whether a person is to be asked, who then can be.

    Raises:
        UsageError: There is nobody to ask, which is a no.
    """
    if args.yes:
        return False
    if sys.stdin is None or not sys.stdin.isatty():  # None where it was closed: `<&-`, or cron
        raise UsageError(
            "nobody can be asked, for standard input is no terminal; nothing was changed: "
            "say --yes if it is meant"
        )
    return True


def ask_consent(target: Target) -> None:
    """Ask before the target changes; production wants its name typed, which no habit types.

    Raises:
        UsageError: The person does not want it.
    """
    title = target.title
    if title.kind != "prod":
        ask_yes()
        return
    name = title.name or title.location
    if ask_person(f"this is production; type {name} to go on: ").strip() != name:
        raise UsageError(UNCHANGED)


def ask_yes() -> None:
    """Ask whether to go on.

    Raises:
        UsageError: The person does not want it.
    """
    if ask_person("go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UsageError(UNCHANGED)


def ask_person(question: str) -> str:
    """Return the line that a person types, with its end; "" where there is no more to come.

    Polars has a signal restart whatever it breaks off, and Ctrl-C would go unheard until Enter.
    """
    if sys.platform != "win32":
        signal.siginterrupt(signal.SIGINT, True)
    sys.stdout.flush()
    try:
        sys.stderr.write(plain(question))
        sys.stderr.flush()
        return sys.stdin.readline()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise


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
    """Return the ids that are named, and those that the target holds where it is the source.

    None where nothing was named.
    """
    from tmdbkit.convex.read import ids_of

    named = named_ids(args)
    target = open_source(args) if "from_target" in args else None
    if target is None:
        return named
    target.preflight(writing=False)
    return [*(named or []), *ids_of(target)]


def names_ids(args: argparse.Namespace) -> bool:
    """Tell whether the arguments name ids, or where to find some."""
    return bool(args.ids or args.from_file or args.export or _asks_tmdb(args))


def named_ids(args: argparse.Namespace) -> list[int] | None:
    """Return the ids that the arguments name, from wherever; None where nothing was named.

    Raises:
        UsageError: What was named is no id, no list, no such day.
    """
    if args.id and not (args.from_file or getattr(args, "table", None)):
        raise UsageError("--id names a column of a table; add --from-file FILE")
    if args.min_popularity is not None and not args.export:
        raise UsageError("--min-popularity is of --export; name a day, such as --export latest")
    if not names_ids(args):
        return None
    named = [an_id(text, "the arguments") for text in args.ids]
    if args.from_file:
        named += ids_of_file(args.from_file, args.id)
    found = _by_tmdb_id(args, named)
    if _asks_tmdb(args):
        found += _ids_of_tmdb(args)
    if args.export:
        found += _ids_of_export(args.export, args.min_popularity)
    return found


def _asks_tmdb(args: argparse.Namespace) -> bool:
    by_name = args.list or args.collection or args.search is not None
    return bool(by_name or args.discover or args.changed_since)


def _ids_of_tmdb(args: argparse.Namespace) -> list[int]:
    """Return the ids of all that TMDB is to be asked for, and say what came again and again."""
    from tmdbkit.tmdb.changes import changed_ids
    from tmdbkit.tmdb.client import TMDBClient
    from tmdbkit.tmdb.discovery import collection_ids, discover_ids, search_ids

    with open_session() as session:
        client, found = TMDBClient(session, progress=progress.default()), []
        if args.list:
            found.append(_listed(client, args.list, args.pages))
        if args.collection:
            parts = partial(collection_ids, client, args.collection)
            found.append(_by_number(parts, "collection", args.collection))
        if args.search is not None:
            found.append(search_ids(client, args.search, pages=_one_unless(args.pages)))
        if args.discover:
            found.append(discover_ids(client, pages=args.pages, **dict(args.discover)))
        if args.changed_since:
            changed = changed_ids(client, args.changed_since, session.now().date())
            found.append(changed.filter(~changed["deleted"]))
        args.requests += session.requests
    for frame in found:
        _print_repeats(frame)
    return [tmdb_id for frame in found for tmdb_id in frame["tmdb_id"]]


def _listed(client: TMDBClient, name: str, pages: int | None) -> pl.DataFrame:
    """Return the ids of a list: one of TMDB's by its name, one that someone made by its number."""
    from tmdbkit.tmdb.discovery import list_ids, shared_list_ids

    if not re.fullmatch(r"[0-9]{1,15}", name):
        return list_ids(client, name, pages=_one_unless(pages))
    return _by_number(partial(shared_list_ids, client, int(name), pages=pages), "list", int(name))


def _by_number(read: Callable[[], pl.DataFrame], what: str, number: int) -> pl.DataFrame:
    try:
        return read()
    except NotFound:
        raise UsageError(
            f"TMDB has no {what} {number}; its number stands in its address, "
            f"themoviedb.org/{what}/…"
        ) from None


def _one_unless(pages: int | None) -> int:
    return 1 if pages is None else pages


def _ids_of_export(day: date | str, min_popularity: float | None) -> list[int]:
    from tmdbkit.tmdb.export import Exports

    with Exports(read_settings(), progress=progress.default()) as exports:
        export = exports.latest() if isinstance(day, str) else exports.of(day)
    found = export.ids(min_popularity=min_popularity)
    say_aside(f"the export of {export.day}: {progress.counted(found.height, 'id')}")
    return found["tmdb_id"].to_list()


def _print_repeats(ids: pl.DataFrame) -> None:
    if repeats := ids["repeats"].sum():
        source = ids.item(0, "source")
        say_aside(f"{source}: {ids.height:,} ids, and {repeats:,} repeats left out")


def _by_tmdb_id(args: argparse.Namespace, named: list[int | str]) -> list[int]:
    """Return ids with each IMDb id replaced by TMDB's own; say which ones TMDB does not know."""
    from tmdbkit.tmdb.client import TMDBClient
    from tmdbkit.tmdb.discovery import imdb_ids

    of_imdb = [name for name in named if isinstance(name, str)]
    if not of_imdb:
        return [name for name in named if isinstance(name, int)]
    with open_session() as session:
        found = imdb_ids(TMDBClient(session, progress=progress.default()), of_imdb)
        args.requests += session.requests
    known: dict[int | str, list[int]] = {}
    for tmdb_id, imdb_id in found.select("tmdb_id", "imdb_id").rows():
        known.setdefault(imdb_id, []).append(tmdb_id)
    unknown = [name for name in dict.fromkeys(of_imdb) if name not in known]
    if unknown:
        say_aside(f"TMDB has no movie under {', '.join(unknown)}: left out")
    return [i for name in named for i in ([name] if isinstance(name, int) else known.get(name, []))]
