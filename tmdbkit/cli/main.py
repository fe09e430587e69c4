"""The same verbs in a terminal."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tmdbkit import __version__
from tmdbkit.cli import commands, demo, exchange, matching, output, showing, upkeep
from tmdbkit.cli import ratings as rating_commands
from tmdbkit.cli import review as review_command
from tmdbkit.cli.arguments import (
    ALL,
    NEEDED,
    RULES,
    TITLES,
    age,
    count,
    decade,
    may_change,
    may_delete,
    names,
    takes_filters,
    takes_ids,
    takes_many_at_once,
    takes_people,
    takes_rows,
    takes_scope,
    takes_source,
    takes_stage,
    takes_target,
)
from tmdbkit.cli.completion import complete
from tmdbkit.cli.ending import ended, nothing_yet, wants_json
from tmdbkit.cli.grammar import WRONG, Grammar, overview
from tmdbkit.cli.signals import end_as_ctrl_c_does
from tmdbkit.exceptions import StopError, TMDBKitError, UsageError, so_far

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STOPPED, INTERRUPTED = 3, 130
GOES_ON = "interrupted; run the same again, it goes on from here"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0 all went well · 1 finished, and something failed or was found · 2 wrong usage or settings,
    seen before any request · 3 stopped because going on is pointless · 130 interrupted.
    """
    end_as_ctrl_c_does()
    output.take_any_text()
    words = sys.argv[1:] if argv is None else [*argv]
    args = nothing_yet()
    try:
        status, error = _run(words, args)
        if wants_json(words):
            output.say_json(ended(words[0], words, args, status, error))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; say nothing more
        _discard_output()
        return output.FINE
    except OSError as full:
        _discard_output()
        status, error = STOPPED, _of_system(full)
    if error is not None:
        with suppress(OSError):  # a terminal that was closed shows nothing any more
            output.say_aside(f"tmdbkit: {error}", "" if status == INTERRUPTED else output.RED)
    return status


def _run(words: Sequence[str], args: argparse.Namespace) -> tuple[int, str | None]:
    """Run a command; return its exit status, and what ended it early."""
    try:
        grammar = parser()
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what may come next
            complete(grammar)
        grammar.parse_args(words, args)
        with output.collected_warnings() as told:
            status: int = args.run(args)
    except BrokenPipeError:
        raise
    except (TMDBKitError, KeyboardInterrupt, OSError) as error:
        args.so_far = so_far(error)
        return next((status, text(error)) for kind, status, text in ENDS if isinstance(error, kind))
    return status or (output.FOUND if told else output.FINE), None


def _of_system(error: OSError) -> str:
    return f"{error.filename or 'the output'}: {error.strerror or error}"


# Which exit status an error means, and what is said of it.
ENDS: tuple[tuple[type[BaseException], int, Callable[[Any], str]], ...] = (
    (UsageError, WRONG, str),
    (StopError, STOPPED, str),
    (TMDBKitError, output.FOUND, str),
    (OSError, STOPPED, _of_system),
    (KeyboardInterrupt, INTERRUPTED, lambda _: GOES_ON),
)


def parser() -> Grammar:
    """Return the command line's grammar."""
    top = Grammar(
        prog="tmdbkit",
        usage="tmdbkit [-h] [--version] COMMAND ...",
        description="Movies from TMDB to Convex, with a notebook in between.",
    )
    top.add_argument("--version", action="version", version=f"tmdbkit {__version__}")
    verbs = top.add_subparsers(prog="tmdbkit", metavar="COMMAND", help=argparse.SUPPRESS)

    shown = _verb(verbs, demo.demo, "walk the sample through it all, offline", "demo gallery")
    shown.add_argument("folder", nargs="?", metavar="DIR", help="put it there, with the gallery")

    stage = _verb(
        verbs,
        commands.stage,
        "fetch movies into the stage; what is there already costs no request",
        "stage 603 550",
        "stage --list popular --pages 5",
    )
    stage.add_argument("--refresh", action="store_true", help="fetch staged movies again too")
    takes_ids(stage, NEEDED)
    takes_source(stage)

    match = _verb(
        verbs,
        matching.match,
        "find the films that a list of titles means",
        "match titles.txt --out matched.csv",
        "match watched.csv --title Name --year Year --out matched.csv",
    )
    match.add_argument("file", metavar="FILE", help="CSV, TSV, JSON, Parquet; text: a title a line")
    match.add_argument("--out", metavar="FILE", help="where it is written, as CSV")
    match.add_argument("--pick", action="store_true", help="ask about each row that is not sure")
    for option, what in (
        ("--title", "titles"),
        ("--year", "years or dates"),
        ("--director", "directors"),
        ("--runtime", "lengths"),
        ("--id", "TMDB or IMDb ids, where it has some"),
    ):
        match.add_argument(option, metavar="COLUMN", help=f"its column of {what}")

    show = _verb(
        verbs,
        showing.show,
        "show a movie, or a table of those that are like what the options say",
        'show "The Matrix"',
        "show --missing imdb --sort year",
    )
    show.add_argument("movies", nargs="*", metavar="MOVIE", help="a TMDB id, an IMDb id, a title")
    takes_filters(show)
    takes_stage(show)

    ratings = _verb(
        verbs,
        rating_commands.ratings,
        "ask providers for ratings",
        "ratings --dry-run",
        "ratings --table mine.csv --points letterboxd=stars",
    )
    ratings.add_argument(
        "--provider", action="append", metavar="PROVIDER", help="imdb, mdblist or omdb; repeat it"
    )
    ratings.add_argument("--dry-run", action="store_true", help="say what it takes; ask nobody")
    ratings.add_argument("--older-than", metavar="AGE", type=age, help="30d: ask again for older")
    ratings.add_argument("--table", metavar="FILE", help="a table of your own: CSV, JSON, Parquet")
    for option in ("--points", "--votes"):
        ratings.add_argument(
            option, action="append", metavar="SYSTEM=COLUMN", help=f"its column of {option[2:]}"
        )
    takes_ids(ratings, ALL)
    takes_source(ratings)

    check = _verb(
        verbs,
        rating_commands.check,
        "look for what is wrong with all that is staged, or with what a target holds",
        "check --html report.html",
        "check --imdb --skip poster_missing",
    )
    check.add_argument(
        "--imdb",
        action="store_true",
        help="see whether IMDb's ids are the films', by its data set of titles: 200 MB, once a day",
    )
    check.add_argument(
        "--skip",
        type=names,
        action="extend",
        default=[],
        metavar="RULES",
        help=f"not these; {RULES}",
    )
    check.add_argument("--html", metavar="FILE", help="write the report as a page, too")
    takes_rows(check, "finding")
    takes_source(check)

    _verb(verbs, rating_commands.rules, "say each rule, and what to do about it", "rules --json")

    review = _verb(
        verbs,
        review_command.review,
        "decide on movies, one at a time, the worst first",
        "review",
        "review --system imdb --decade 1990",
        "review --all approve --rule poster_missing",
    )
    review.add_argument("--rule", metavar="RULE", help=f"only those that break it; {RULES}")
    review.add_argument("--system", metavar="SYSTEM", help="only findings on this one's ratings")
    review.add_argument("--severity", choices=("error", "warning"), help="only those with one")
    review.add_argument("--decade", type=decade, metavar="YEAR", help="only its ten years: 1990")
    review.add_argument("--text", metavar="TEXT", help="only those with it in their title")
    review.add_argument(
        "--state", default="undecided", metavar="STATE", help="undecided, changed, decided or all"
    )
    takes_many_at_once(review)
    takes_stage(review)

    export = _verb(
        verbs,
        exchange.export,
        "write the movies as a sheet to be corrected, or the decisions as a file",
        "export films.csv",
        "export --decisions decisions.jsonl",
    )
    export.add_argument("file", nargs="?", metavar="FILE", help="CSV, a row a movie")
    export.add_argument("--decisions", metavar="FILE", help="JSON Lines, a line a decision")
    takes_stage(export)

    apply = _verb(
        verbs,
        exchange.apply,
        "take corrections from a sheet that was exported, or decisions from a file",
        "apply films.csv",
        "apply decisions.jsonl",
    )
    apply.add_argument("file", nargs="?", metavar="FILE", help="what export wrote, edited or not")
    apply.add_argument("--undo", metavar="BATCH", help="take back what one sheet corrected")
    may_change(takes_stage(apply))

    plan = _verb(
        verbs,
        commands.plan,
        "say what a push would do, and change nothing",
        "plan",
        "plan 603 --snapshot rehearsal --save plan.json",
        "plan 'the matrix'",
    )
    plan.add_argument("--size", action="store_true", help="measure the tables there, too")
    plan.add_argument("--save", metavar="FILE", help="keep the plan, for push --plan FILE")
    plan.add_argument(
        "--save-contract", metavar="FILE", help="keep what the deployment accepts, for --contract"
    )
    plan.add_argument("--movie", type=count, metavar="ID", help="show one movie's changes")
    takes_scope(plan)
    takes_ids(plan, ALL, TITLES)
    takes_rows(plan)
    takes_target(plan)

    push = _verb(
        verbs,
        commands.push,
        "send staged movies to Convex",
        "push --snapshot rehearsal",
        "push --only ratings --limit 5",
    )
    push.add_argument("--plan", metavar="FILE", help="send exactly a plan that was saved")
    takes_scope(push)
    takes_ids(push, ALL, TITLES)
    may_change(takes_target(push))

    verify = _verb(
        verbs,
        commands.verify,
        "compare what was pushed with the stage, field by field",
        "verify",
        "verify 603 --snapshot rehearsal",
    )
    takes_ids(verify, ALL, TITLES)
    takes_rows(verify)
    takes_target(verify)

    undo = _verb(verbs, commands.undo, "take a push back", "undo", "undo --snapshot rehearsal")
    undo.add_argument(
        "push",
        nargs="?",
        metavar="PUSH",
        help="which, as tmdbkit status names it; default the latest that changed something",
    )
    may_delete(takes_target(undo))

    direct = _verb(
        verbs,
        commands.import_,
        "fetch movies and send them, with no stage in between",
        "import 603 550",
        "import --list popular --snapshot rehearsal",
    )
    takes_people(direct)
    takes_ids(direct, NEEDED)
    may_change(takes_target(direct))

    refresh = _verb(
        verbs,
        commands.refresh,
        "fetch staged movies again",
        "refresh --changed",
        "refresh --older-than 30d",
    )
    refresh.add_argument(
        "--changed", action="store_true", help="only those that TMDB changed since they came"
    )
    refresh.add_argument("--older-than", metavar="AGE", type=age, help="30d, 12h: only older ones")
    refresh.add_argument(
        "--language", metavar="LANGUAGE", help="de-DE: fetch all of the stage in another language"
    )
    takes_ids(refresh, ALL)
    takes_source(refresh)

    delete = _verb(
        verbs,
        commands.delete,
        "delete movies from Convex, after asking",
        "delete 603 --snapshot rehearsal",
        "delete --absent",
    )
    delete.add_argument(
        "--absent", action="store_true", help="those that this stage created and no longer holds"
    )
    delete.add_argument("--max", type=count, metavar="N", help="how many --absent may delete")
    takes_ids(delete, NEEDED, TITLES)
    may_delete(takes_target(delete))

    status = _verb(
        verbs, upkeep.status, "say what the stage holds and what was pushed", "status --json"
    )
    takes_stage(status)

    functions = _verb(
        verbs,
        commands.functions,
        "copy the Convex functions into your app",
        "functions path/to/app/convex",
    )
    functions.add_argument("folder", metavar="DEST", help="your app's convex folder")

    transform = _verb(
        verbs,
        upkeep.transform,
        "make the stage's rows anew, where they are of an older tmdbkit",
        "transform",
    )
    takes_stage(transform)

    compact = _verb(verbs, upkeep.compact, "merge the stage's small files", "compact")
    takes_stage(compact)

    doctor = _verb(verbs, upkeep.doctor, "say which of the stage's files are damaged", "doctor")
    takes_stage(doctor)

    _verb(verbs, upkeep.settings, "say each setting, and where it comes from", "settings")

    cache = _verb(verbs, upkeep.cache, "show or empty the cache of answers", "cache clear")
    cache.add_argument("action", nargs="?", choices=("show", "clear"), default="show")
    top.epilog = overview(verbs.choices)
    top.set_defaults(run=lambda _: top.print_help())
    return top


def _verb(
    verbs: Any, run: Callable[[argparse.Namespace], int], summary: str, *examples: str
) -> Grammar:
    """Add the command that a function is named after, with lines that a person may try."""
    lines = "".join(f"\n  tmdbkit {example}" for example in examples)
    verb: Grammar = verbs.add_parser(
        run.__name__.rstrip("_"),
        help=summary,  # what zsh shows beside it
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"for example:{lines}",
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    verb.set_defaults(run=run)
    return verb


def _discard_output() -> None:
    """Leave nothing unprinted, which Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
