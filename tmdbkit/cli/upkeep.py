"""The commands that look after a stage's files, and after the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdbkit.cli.inputs import filled, open_stage, read_settings
from tmdbkit.cli.output import FINE, FOUND, printed_json, say
from tmdbkit.exceptions import SettingsError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse


def transform(args: argparse.Namespace) -> int:
    """Make the stage's rows anew, where another transform than today's made them."""
    staged = open_stage(args)
    made = staged.derive_all()  # first of all, for whoever reads a stage makes them as well
    filled(staged)
    if not printed_json(args, {"movies": len(staged), "parts": made}):
        say(f"{counted(len(staged), 'movie')}; rows made anew: those of {counted(made, 'part')}")
    return FINE


def compact(args: argparse.Namespace) -> int:
    """Merge the stage's small files."""
    replaced = open_stage(args).compact()
    if not printed_json(args, {"replaced": replaced}):
        say(
            f"{counted(replaced, 'file')} merged; "
            "the old ones stay for a day, for whoever is reading them"
        )
    return FINE


def doctor(args: argparse.Namespace) -> int:
    """Look at every file of the stage, and say what is wrong with which."""
    from datetime import UTC, datetime

    from tmdbkit.stage.doctor import examine
    from tmdbkit.stage.storage import root_of

    health = examine(root_of(args.stage or read_settings().stage), datetime.now(UTC))
    if not printed_json(args, health.counts()):
        say(repr(health))
    return FOUND if health.problems else FINE


CACHED = ("tmdb", "mdblist", "omdb")  # services whose answers are kept
FILES = ("imdb", "exports")  # folders of whole files


def cache(args: argparse.Namespace) -> int:
    """Show or empty the cache of answers, of IMDb's data set and of TMDB's exports."""
    import shutil

    from tmdbkit.http.cache import AnswerCache

    folder = read_settings().cache
    count = size = removed = 0
    for name in CACHED:
        answers = AnswerCache.open(folder, name)
        if answers is None:
            raise SettingsError(f"{folder} cannot be written to; name another in TMDBKIT_CACHE")
        removed += answers.clear() if args.action == "clear" else 0
        count, size = count + len(answers), size + answers.size()
        answers.close()
    if args.action == "clear":
        for name in FILES:
            shutil.rmtree(folder / name, ignore_errors=True)
    size += sum(path.stat().st_size for name in FILES for path in (folder / name).glob("*"))
    if not printed_json(args, {"answers": count, "bytes": size, "removed": removed}):
        say(f"{counted(count, 'answer')}, {size / 2**20:.1f} MiB in {folder}")
    return FINE
