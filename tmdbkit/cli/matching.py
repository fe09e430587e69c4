"""What the command `match` does with its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit.cli.inputs import open_session, output_file
from tmdbkit.cli.output import say_aside, show
from tmdbkit.exceptions import UsageError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse


def match(args: argparse.Namespace) -> int:
    """Find the films that the rows of a list mean, and write them down with the list."""
    from tmdbkit.cli.picking import pick
    from tmdbkit.workflows import match_titles
    from tmdbkit.workflows.picking import Picking

    if args.pick and args.json:
        raise UsageError("--pick asks a person; leave out --json")
    out = output_file(args.out or _same_file(args.file), "--out")
    named = {name: getattr(args, name) for name in ("title", "year", "director", "runtime", "id")}
    with open_session() as session:
        result = match_titles(session, args.file, **named, out=out)
        if args.pick and result.to_decide().height:
            pick(Picking(session, result, out))
            result = match_titles(session, out, out=out)
    left = result.to_decide().height
    status = show(args, result, failed=left)
    if unasked := result.frame.filter(how="").height:
        say_aside(f"{counted(unasked, 'row')} could not be looked up: run the same again")
    if decide := left - unasked:
        say_aside(f"{counted(decide, 'row')} of {out} to decide: say --pick, or edit its tmdb_id")
    return status


def _same_file(file: str) -> str:
    """Return a list that was matched before as where it is written to.

    Raises:
        UsageError: It was not, and a person's own file is not written over.
    """
    from tmdbkit.matching.matched import is_matched
    from tmdbkit.tables import texts

    path = Path(file).expanduser()
    if path.suffix.lower() != ".csv" or not is_matched(texts(path)):
        raise UsageError("name the file to write, such as --out matched.csv")
    return file
