"""What several commands take on their line: ids, a place, fields; and how their values are read."""

from __future__ import annotations

import argparse
import atexit
import re
import shutil
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit.images import FORMS

if TYPE_CHECKING:
    Where = argparse.ArgumentParser | argparse._ArgumentGroup

TITLES = ", or titles of what is staged"
NEEDED, ALL = "needed, or one of these", "default all that are staged"
RULES = "tmdbkit rules has all names"
SNAPSHOT = "a folder, or a ZIP of npx convex export"


def takes_rows(verb: argparse.ArgumentParser, what: str = "change") -> None:
    """Let a command print what it finds row by row."""
    verb.add_argument(
        "--rows", action="store_true", help=f"print each {what} as a line of JSON, the counts last"
    )


def takes_ids(verb: argparse.ArgumentParser, without: str, also: str = "") -> None:
    """Let a command take ids, and all ways to name many."""
    verb.set_defaults(requests=0)  # how many it took to find out which
    which = verb.add_argument_group("which movies; several of these add up")
    which.add_argument(
        "ids", nargs="*", metavar="ID", help=f"TMDB ids, such as 603, or IMDb ids{also}; {without}"
    )
    which.add_argument(
        "--from-file",
        type=_file,
        metavar="FILE",
        help="a text of ids, or any table that has a column of them; - reads standard input",
    )
    which.add_argument("--id", metavar="COLUMN", help="which column of a table; else recognised")
    which.add_argument(
        "--list",
        metavar="NAME|NUMBER",
        help="popular, top_rated, now_playing or upcoming; or one that someone made, such as 8136",
    )
    which.add_argument(
        "--collection", type=count, metavar="NUMBER", help="the movies of one, such as 10"
    )
    which.add_argument("--search", metavar="TEXT", help="what TMDB finds under a title")
    which.add_argument(
        "--discover",
        nargs="+",
        type=_filter,
        metavar="KEY=VALUE",
        help="TMDB's own filters, such as vote_count.gte=1000 with_genres=18",
    )
    which.add_argument(
        "--pages",
        type=int,
        metavar="N",
        help="20 movies each; default 1 of TMDB's lists and a search, all of what else there is",
    )
    which.add_argument(
        "--export", type=_export, metavar="latest|YYYY-MM-DD", help="all movies that TMDB has"
    )
    which.add_argument(
        "--min-popularity", type=float, metavar="P", help="of the export, only as popular ones"
    )
    which.add_argument(
        "--changed-since", type=_day, metavar="YYYY-MM-DD", help="what TMDB changed since a day"
    )


def takes_filters(verb: argparse.ArgumentParser) -> None:
    """Let it take which movies are shown, and what of them."""
    like = verb.add_argument_group("which movies; all that is said holds")
    like.add_argument("--finding", metavar="RULE", help=f"that break a rule; {RULES}")
    decisions = ("approve", "hold", "reject", "none")
    like.add_argument("--decision", choices=decisions, help="that this was decided on")
    like.add_argument("--year", type=_years, metavar="YEAR[-YEAR]", help="1999, or 1990-1999")
    like.add_argument("--text", metavar="TEXT", help="with it in titles or people")
    how = verb.add_argument_group("what of them")
    how.add_argument("--limit", type=count, metavar="N", help="so many; on a terminal 30")
    for group, option, does in (
        (like, "--missing", "without a rating of a system, or without a value: imdb,tagline"),
        (how, "--fields", "these alone"),
        (how, "--sort", "in the order of these"),
    ):
        group.add_argument(
            option, type=names, action="extend", default=[], metavar="COLUMNS", help=does
        )
    for group, option, does in (
        (like, "--failed", "ids that could not be staged, and why"),
        (like, "--not-on-tmdb", "ids that TMDB does not have"),
        (how, "--descending", "the highest first"),
        (how, "--rows", "as JSON Lines, one movie each, the counts last"),
    ):
        group.add_argument(option, action="store_true", help=does)


def takes_stage(verb: argparse.ArgumentParser) -> Where:
    """Let it take the stage's place."""
    where = verb.add_argument_group("where")
    where.add_argument("--stage", metavar="DIR", help="a folder, or s3://…; default data/stage")
    return where


def takes_source(verb: argparse.ArgumentParser) -> None:
    """Let it take a stage, or what a target holds."""
    where = takes_stage(verb)
    where.add_argument("--from-target", action="store_true", help="what your deployment holds")
    where.add_argument(
        "--snapshot", metavar="DIR|ZIP", help=f"what a local snapshot holds: {SNAPSHOT}"
    )


def takes_target(verb: argparse.ArgumentParser) -> Where:
    """Let it take a stage and a target."""
    return _takes_snapshot(takes_stage(verb))


def _takes_snapshot(where: Where) -> Where:
    where.add_argument(
        "--snapshot",
        metavar="DIR|ZIP",
        help=f"a local snapshot instead of the deployment: {SNAPSHOT}",
    )
    where.add_argument(
        "--contract",
        metavar="FILE",
        help="what the snapshot's deployment accepts, as plan --save-contract wrote it",
    )
    return where


def may_change(where: Where) -> None:
    """Let it change something without asking."""
    where.add_argument("--yes", action="store_true", help="do not ask before something changes")


def may_delete(where: Where) -> None:
    """Let it delete, also what is pointed at, without asking."""
    where.add_argument(
        "--referenced", action="store_true", help="delete also what other documents point at"
    )
    may_change(where)


def takes_many_at_once(verb: argparse.ArgumentParser) -> None:
    """Let it take what is decided otherwise than one movie at a time."""
    many = verb.add_argument_group("many at once, or a sample")
    many.add_argument(
        "--all", choices=("approve", "hold", "reject"), help="decide on all that are shown, at once"
    )
    many.add_argument(
        "--waive", metavar="RULE", help="let a --system's ratings go, though all of them break it"
    )
    many.add_argument("--note", metavar="TEXT", help="why, with --all or --waive")
    many.add_argument("--yes", action="store_true", help="go on without asking")
    many.add_argument(
        "--sample", type=count, metavar="N", help="N at random of those that break no rule"
    )


def takes_people(verb: Where) -> None:
    """Let it take whose names go along."""
    verb.add_argument(
        "--people", choices=("named", "all", "none"), help="whose names go into the table crew"
    )


def takes_scope(verb: argparse.ArgumentParser) -> None:
    """Let it take which movies and fields go."""
    what = verb.add_argument_group("what of them")
    what.add_argument("--approved", action="store_true", help="only what was approved in review")
    what.add_argument(
        "--only",
        type=names,
        action="extend",
        metavar="FIELDS",
        help="touch these alone, such as ratings,tagline",
    )
    for option, does in (
        ("--create-only", "set these on creation only"),
        ("--clear", "erase these where TMDB has none"),
    ):
        what.add_argument(
            option, type=names, action="extend", default=[], metavar="FIELDS", help=does
        )
    what.add_argument(
        "--images", choices=FORMS, help="the form that images get, those that are there, too"
    )
    what.add_argument("--limit", type=count, metavar="N", help="let N movies go at most")
    takes_people(what)


def _file(text: str) -> str:
    """Return the file that is named; of standard input, which can be read once, a copy in one."""
    if text != "-":
        return text
    if sys.stdin is None:  # it was closed: `<&-`
        raise argparse.ArgumentTypeError("standard input is closed")
    folder = Path(tempfile.mkdtemp(prefix="tmdbkit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "standard input").write_bytes(sys.stdin.buffer.read())
    return str(folder / "standard input")


def names(text: str) -> list[str]:
    """Read names apart by commas."""
    found = [name for name in re.split(r"[,\s]+", text) if name]
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names none")
    return found


def count(text: str) -> int:
    """Read a number above 0."""
    if not re.fullmatch("0*[1-9][0-9]{0,14}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _years(text: str) -> tuple[int, int]:
    match = re.fullmatch("([0-9]{4})(?:-([0-9]{4}))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no year; write 1999 or 1990-1999")
    first, last = int(match.group(1)), int(match.group(2) or match.group(1))
    if first > last:
        raise argparse.ArgumentTypeError(f"{text} ends before it begins; write {last}-{first}")
    return first, last


def decade(text: str) -> int:
    """Read a year as that of its decade."""
    if not re.fullmatch("[0-9]{4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no year, such as 1990")
    return int(text) // 10 * 10


def age(text: str) -> timedelta:
    """Read an age such as 30d."""
    match = re.fullmatch(r"([0-9]{1,5})([dh])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no age; write 30d or 12h")
    number = int(match.group(1))
    return timedelta(days=number) if match.group(2) == "d" else timedelta(hours=number)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write YYYY-MM-DD") from None


def _export(text: str) -> date | str:
    return text if text == "latest" else _day(text)


def _filter(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise argparse.ArgumentTypeError(f"{text!r} is no filter; write KEY=VALUE")
    return name, value
