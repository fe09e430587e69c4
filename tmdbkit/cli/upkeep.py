"""The commands that say how a stage stands, and look after its files and the cache."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from tmdbkit.cli.inputs import filled, open_stage, read_settings, same_stage
from tmdbkit.cli.output import FINE, FOUND, kept_for_json, say
from tmdbkit.exceptions import SettingsError, UsageError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from tmdbkit.settings import Settings
    from tmdbkit.stage.pushes import Status
    from tmdbkit.stage.stage import Stage


def status(args: argparse.Namespace) -> int:
    """Say what the stage holds, what of it stands where, and what to do next."""
    staged = open_stage(args)
    counts = staged.status()
    if not kept_for_json(args, counts):
        say(repr(staged))
        for line in repr(counts).splitlines()[1:]:
            say(line)
        _print_pushes(staged)
        _print_next(args, staged, counts)
    return FINE


def _print_next(args: argparse.Namespace, staged: Stage, counts: Status) -> None:
    """Say how old the payloads are, what is due, and the command to type."""
    from tmdbkit.stage.pushes import next_command

    ages = staged.store.ages(staged.store.now())
    if ages.oldest and ages.newest:
        now = staged.store.now()
        days = f"{(now - ages.oldest).days:,} and {counted((now - ages.newest).days, 'day')} ago"
        days += f", as of {now:%Y-%m-%d}: a sample does not age" * staged.store.marker.stands_still
        told = f"the oldest of {ages.oldest:%Y-%m-%d}, the newest of {ages.newest:%Y-%m-%d}"
        say(f"payloads: {told}, {days}")
    due = f"{counted(ages.due, 'movie')}; TMDB's terms: nothing is kept for more than six months"
    say(f"due: {due if ages.due else 'nothing'}")
    changing = staged.store.marker.language if staged.store.marker.is_changing else None
    moved = _moved_since_push(staged, ages.newest)
    say(f"next: tmdbkit {next_command(counts, ages.due, changing, moved=moved)}{same_stage(args)}")


def _moved_since_push(staged: Stage, fetched_at: datetime | None) -> bool:
    """Tell whether something was decided or fetched after the latest push began."""
    began: Any = staged.pushes()["began_at"].max()
    decided: Any = staged.decisions()["at"].max()
    return began is not None and any(at > began for at in (fetched_at, decided) if at)


LATEST = 5  # pushes that a status tells


def _print_pushes(staged: Stage) -> None:
    from tmdbkit.stage.tables import OUTCOMES

    for push in staged.pushes().head(LATEST).iter_rows(named=True):
        came_to = ", ".join(f"{push[name]:,} {name}" for name in OUTCOMES if push[name])
        plan = f", plan {push['plan']}" if push["plan"] else ""
        say(f"{push['began_at']:%Y-%m-%d %H:%M} push {push['push']} to {push['target']}{plan}")
        say(f"  {came_to}")


def transform(args: argparse.Namespace) -> int:
    """Make the stage's rows anew, where another transform than today's made them."""
    staged = open_stage(args)
    made = staged.store.derive_all()  # first of all, for whoever reads a stage makes them as well
    filled(staged)
    if not kept_for_json(args, {"movies": len(staged), "parts": made}):
        say(f"{counted(len(staged), 'movie')}; rows made anew: those of {counted(made, 'part')}")
    return FINE


def compact(args: argparse.Namespace) -> int:
    """Merge the stage's small files."""
    replaced = open_stage(args).compact()
    if not kept_for_json(args, {"replaced": replaced}):
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

    root = root_of(args.stage or read_settings().stage)
    health = examine(root, datetime.now(UTC))
    if not (health.files or health.problems):
        raise UsageError(f"there is no stage at {root.full}; name one with --stage")
    if not kept_for_json(args, health.counts()):
        say(re.sub("(?<=tmdbkit )(compact|stage)", rf"\g<0>{same_stage(args)}", repr(health)))
    return FOUND if health.problems else FINE


def settings(args: argparse.Namespace) -> int:
    """Say each setting, and where it comes from; of a key only whether it is set.

    Raises:
        SettingsError: Some cannot be meant; all others were said before.
    """
    found, wrong = _read_what_can_be()
    rows = [row | ({"value": "wrong"} if row["variable"] in wrong else {}) for row in found.shown()]
    if not kept_for_json(args, {"folder": str(found.folder), "settings": rows}):
        for row in rows:
            value = row["value"] or "not set"
            say(f"{row['variable']:<28}  {value}" + f"  ({row['source']})" * bool(row["value"]))
        say(f"looked for .env.local and .env in {found.folder}")
    if wrong:
        raise SettingsError("; ".join(wrong.values()))
    return FINE


def _read_what_can_be() -> tuple[Settings, dict[str, str]]:
    """Return the settings without those that cannot be meant, and what is wrong with these."""
    from tmdbkit.settings import Settings

    environ, wrong = dict(os.environ), dict[str, str]()
    while True:
        try:
            return Settings.from_env(environ), wrong
        except SettingsError as error:
            variable = str(error).partition(" ")[0]
            if variable in wrong or not variable.isupper():  # not of one variable alone
                raise
            wrong[variable], environ[variable] = str(error), ""  # which hides what files say


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
    if not kept_for_json(args, {"answers": count, "bytes": size, "removed": removed}):
        say(f"{counted(count, 'answer')}, {size / 2**20:.1f} MiB in {folder}")
    return FINE
