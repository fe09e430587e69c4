"""The same verbs in a terminal."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tmdbkit import __version__, commands, rating_commands, review_command
from tmdbkit.exceptions import StopError, TMDBKitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WRONG, STOPPED, INTERRUPTED = 2, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0 all went well · 1 finished, and something failed or was found · 2 wrong usage or settings,
    seen before any request · 3 stopped because going on is pointless · 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    args = parser().parse_args(argv)
    try:
        status: int = args.run(args)
    except UsageError as error:
        return _complain(error, WRONG)
    except StopError as error:
        return _complain(error, STOPPED)
    except TMDBKitError as error:
        return _complain(error, commands.FOUND)
    except KeyboardInterrupt:
        return _complain("interrupted; run the same again, it goes on from here", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has seen enough; say nothing more
        return commands.FINE
    return status


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    top = argparse.ArgumentParser(
        prog="tmdbkit",
        description="Movies from TMDB to Convex, with a notebook in between.",
        epilog="exit status: 0 well, 1 something failed or was found, 2 wrong usage, 3 stopped",
    )
    top.add_argument("--version", action="version", version=f"tmdbkit {__version__}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = _verb(verbs, "demo", commands.demo, "walk the sample through it all, offline")
    demo.add_argument("folder", nargs="?", metavar="DIR", help="put it there, with the gallery")

    stage = _verb(verbs, "stage", commands.stage, "fetch movies into the stage")
    _takes_ids(stage)
    _takes_stage(stage)
    _takes_source(stage)
    stage.add_argument("--refresh", action="store_true", help="fetch staged movies again too")

    ratings = _verb(verbs, "ratings", rating_commands.ratings, "ask providers for ratings")
    _takes_ids(ratings)
    _takes_stage(ratings)
    _takes_source(ratings)
    ratings.add_argument(
        "--provider", action="append", metavar="NAME", help="imdb, mdblist or omdb; repeat it"
    )
    ratings.add_argument("--dry-run", action="store_true", help="say what it takes; ask nobody")
    ratings.add_argument("--older-than", metavar="AGE", type=_age, help="30d: ask again for older")
    ratings.add_argument("--table", metavar="FILE", help="a CSV or Parquet file of your own")
    ratings.add_argument("--id", default="tmdb_id", metavar="COLUMN", help="its column of ids")
    for option in ("--points", "--votes"):
        ratings.add_argument(
            option, action="append", metavar="SYSTEM=COLUMN", help=f"its column of {option[2:]}"
        )

    check = _verb(verbs, "check", rating_commands.check, "look for what is wrong")
    _takes_stage(check)
    _takes_source(check)
    check.add_argument("--skip", type=_names, default=[], metavar="RULES", help="leave these out")
    check.add_argument("--html", metavar="FILE", help="write the report as a page, too")

    review = _verb(verbs, "review", review_command.review, "decide on movies, one at a time")
    _takes_stage(review)
    review.add_argument("--rule", metavar="RULE", help="only those that break it")
    review.add_argument("--system", metavar="SYSTEM", help="only findings on this one's ratings")
    review.add_argument("--decade", type=_decade, metavar="YEAR", help="only its ten years: 1990")
    review.add_argument(
        "--state", default="undecided", metavar="STATE", help="undecided, changed, decided or all"
    )

    plan = _verb(verbs, "plan", commands.plan, "say what a push would do, and change nothing")
    _takes_ids(plan)
    _takes_stage(plan)
    _takes_target(plan)
    _takes_people(plan)
    _takes_scope(plan)
    plan.add_argument("--size", action="store_true", help="measure the tables there, too")
    plan.add_argument("--save", metavar="FILE", help="keep the plan, for push --plan FILE")
    plan.add_argument("--movie", type=int, metavar="ID", help="show one movie's changes")

    push = _verb(verbs, "push", commands.push, "send staged movies to Convex")
    _takes_ids(push)
    _takes_stage(push)
    _takes_target(push)
    _takes_people(push)
    _takes_scope(push)
    push.add_argument("--approved", action="store_true", help="only what was approved in review")
    push.add_argument("--plan", metavar="FILE", help="send exactly a plan that was saved")

    verify = _verb(verbs, "verify", commands.verify, "compare what was pushed, field by field")
    _takes_ids(verify)
    _takes_stage(verify)
    _takes_target(verify)

    undo = _verb(verbs, "undo", commands.undo, "take a push back")
    undo.add_argument("push", nargs="?", metavar="PUSH", help="which; default the latest there")
    _takes_stage(undo)
    _takes_target(undo)

    direct = _verb(
        verbs, "import", commands.import_, "fetch movies and send them, with no stage in between"
    )
    _takes_ids(direct)
    _takes_target(direct)
    _takes_people(direct)

    refresh = _verb(verbs, "refresh", commands.refresh, "fetch staged movies again")
    _takes_ids(refresh)
    _takes_stage(refresh)
    _takes_source(refresh)
    refresh.add_argument(
        "--changed", action="store_true", help="only those that TMDB changed since they came"
    )
    refresh.add_argument("--older-than", metavar="AGE", type=_age, help="30d, 12h: only older ones")

    delete = _verb(verbs, "delete", commands.delete, "delete movies from Convex")
    _takes_ids(delete)
    _takes_stage(delete)
    delete.add_argument(
        "--absent", action="store_true", help="those that this stage pushed and no longer holds"
    )
    delete.add_argument("--max", type=_count, metavar="N", help="how many --absent may delete")
    _takes_target(delete)

    status = _verb(verbs, "status", commands.status, "say what the stage holds and what was pushed")
    _takes_stage(status)

    functions = _verb(
        verbs, "functions", commands.functions, "copy the Convex functions into your app"
    )
    functions.add_argument("folder", metavar="DEST", help="your app's convex folder")

    transform = _verb(verbs, "transform", commands.transform, "make the stage's rows anew")
    _takes_stage(transform)

    compact = _verb(verbs, "compact", commands.compact, "merge the stage's small files")
    _takes_stage(compact)

    cache = _verb(verbs, "cache", commands.cache, "show or empty the cache of answers")
    cache.add_argument("action", nargs="?", choices=("show", "clear"), default="show")
    return top


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=summary)
    verb.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    verb.set_defaults(run=run)
    return verb


def _takes_ids(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("ids", nargs="*", metavar="ID", help="TMDB ids, such as 603, or IMDb ids")
    verb.add_argument("--from-file", metavar="FILE", help="ids in a file, apart by space or line")
    verb.add_argument(
        "--list",
        metavar="NAME|NUMBER",
        help="popular, top_rated, now_playing or upcoming; or one that someone made, such as 8136",
    )
    verb.add_argument(
        "--collection", type=_count, metavar="NUMBER", help="the movies of one, such as 10"
    )
    verb.add_argument("--search", metavar="TEXT", help="what TMDB finds under a title")
    verb.add_argument(
        "--discover",
        nargs="+",
        type=_filter,
        metavar="KEY=VALUE",
        help="TMDB's own filters, such as vote_count.gte=1000 with_genres=18",
    )
    verb.add_argument(
        "--pages",
        type=int,
        metavar="N",
        help="20 movies each; default 1 of TMDB's lists and a search, all of what else there is",
    )
    verb.add_argument(
        "--export", type=_export, metavar="latest|YYYY-MM-DD", help="all movies that TMDB has"
    )
    verb.add_argument(
        "--min-popularity", type=float, metavar="P", help="of the export, only as popular ones"
    )
    verb.add_argument(
        "--changed-since", type=_day, metavar="YYYY-MM-DD", help="what TMDB changed since a day"
    )


def _takes_stage(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--stage", metavar="DIR", help="the stage's folder; default data/stage")


def _takes_source(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--from-target", action="store_true", help="the ids that the target holds")
    verb.add_argument("--snapshot", metavar="DIR|ZIP", help="the same, of the embedded target")


def _takes_target(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--snapshot", metavar="DIR|ZIP", help="the embedded target, not a deployment")
    verb.add_argument("--yes", action="store_true", help="do not ask before production changes")


def _takes_people(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--people", choices=("named", "all", "none"), help="whose names go into the table crew"
    )


def _takes_scope(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--only", type=_names, metavar="FIELDS", help="touch these alone")
    verb.add_argument(
        "--keep", type=_names, default=[], metavar="FIELDS", help="set these on creation only"
    )
    verb.add_argument(
        "--clear", type=_names, default=[], metavar="FIELDS", help="erase these where TMDB has none"
    )
    verb.add_argument("--limit", type=_count, metavar="N", help="let N movies go at most")


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[,\s]+", text) if name]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _decade(text: str) -> int:
    if not re.fullmatch(r"\d{4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no year, such as 1990")
    return int(text) // 10 * 10


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"(\d+)([dh])", text)
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


def _complain(error: object, status: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"tmdbkit: {error}\n")
    return status


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
