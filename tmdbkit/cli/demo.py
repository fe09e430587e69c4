"""The command `demo`: the sample walked through it all, and what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit.cli.output import FINE, kept_for_json, say
from tmdbkit.exceptions import UsageError

if TYPE_CHECKING:
    import argparse

    from tmdbkit.demo import Demo


def demo(args: argparse.Namespace) -> int:
    """Walk the sample through it all, and copy the gallery where a folder is named."""
    from tmdbkit.demo import copy_gallery, run_demo

    folder = Path(args.folder or "tmdbkit-demo").expanduser()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder")
    done = run_demo(folder)
    copied = copy_gallery(folder) if args.folder else []
    if not kept_for_json(args, {**done.staged.counts(), **done.pushed.counts()}):
        _print_demo(done)
        _print_next_steps(done, args.folder, len(copied))
    return FINE


def _print_demo(done: Demo) -> None:
    from tmdbkit.demo import SHOWN

    staged, pushed = done.staged, done.pushed
    say(f"1. session    {done.session}")
    say(
        f"2. stage      {staged.staged} movies staged, {staged.skipped} were there, "
        f"{staged.http_requests} requests to the network"
    )
    say(f"3. transform  {done.stage.movies().width} fields a movie; one of them:")
    for line in repr(done.stage[SHOWN]).splitlines():
        say(f"                {line}")
    say(
        f"4. push       {pushed.created} created, {pushed.updated} updated, "
        f"{pushed.unchanged} unchanged in a snapshot of Convex"
    )


def _print_next_steps(done: Demo, folder: str | None, copied: int) -> None:
    say("")
    say(f"the stage     {done.stage.store.root}   (Parquet)")
    say(f"the snapshot  {done.snapshot.path}   (npx convex import takes it)")
    say("")
    if folder:
        say(f"{copied} notebooks copied; open the gallery:" if copied else "open the gallery:")
        say(f"  jupyter lab {folder}")
    else:
        there = f"--stage {done.stage.store.root}"
        say("look, decide, send:")
        say(f"  tmdbkit check {there}")
        say(f"  tmdbkit review {there}")
        say(f"  tmdbkit push {there} --snapshot {done.snapshot.path.parent}")
        say("next:")
        say("  tmdbkit demo DIR              the same in DIR, with the notebooks")
        say("  tmdbkit stage --list popular  with your own TMDB key in .env")
