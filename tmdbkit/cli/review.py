"""Review in a terminal: one movie at a time, a letter for each decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdbkit.cli.inputs import ask_person, filled, open_stage
from tmdbkit.cli.output import FINE, printed_json, say
from tmdbkit.exceptions import UsageError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from tmdbkit.review import ReviewQueue

KEYS = """a approve · h hold · r reject, each with a note: h wrong year
c FIELD VALUE corrects: c imdb 7.4 · c FIELD none takes the value away
n next · b back · u undo · ? help · q quit"""


def review(args: argparse.Namespace) -> int:
    """Show one movie after the other, and take decisions until the end of the queue or `q`."""
    from tmdbkit.review import ReviewQueue
    from tmdbkit.schema import SYSTEMS

    if args.system not in (None, *SYSTEMS):
        raise UsageError(f"no system {args.system!r}; there are {', '.join(SYSTEMS)}")
    queue = ReviewQueue(filled(open_stage(args)))
    queue.show(rule=args.rule, system=args.system, decade=args.decade, state=args.state)
    if not args.json:
        say(KEYS if len(queue) else "no movie is like that; --state all shows those decided, too")
        while queue.current is not None and _took_one(queue):
            pass
    decided, movies = queue.progress
    if not printed_json(args, {"decided": decided, "movies": movies, "left": len(queue)}):
        say(f"\n{decided:,} of {counted(movies, 'movie')} decided")
    return FINE


def _took_one(queue: ReviewQueue) -> bool:
    """Show a movie, and do what a person says, once it can be done; tell whether they go on."""
    item = queue.current
    assert item is not None  # noqa: S101 - the caller has looked
    say(f"\n{item!r}")
    while line := ask_person("> "):
        key, _, rest = line.strip().partition(" ")
        if key == "q":
            return False
        try:
            _do(queue, key, rest.strip())
        except UsageError as error:
            say(str(error))
        else:
            return True
    return False


def _do(queue: ReviewQueue, key: str, rest: str) -> None:
    from tmdbkit.stage.decisions import field_named, typed

    verdicts: dict[str, Callable[..., None]] = {
        "a": queue.approve,
        "h": queue.hold,
        "r": queue.reject,
    }
    if key in verdicts:
        verdicts[key](note=rest)
    elif key == "c":
        field, _, value = rest.partition(" ")
        queue.correct(field_named(field), typed(value))
    elif key in ("n", ""):
        queue.go(1)
    elif key == "b":
        queue.go(-1)
    elif key == "u":
        say("taken back" if queue.undo() else "nothing to take back")
    elif key == "?":
        say(KEYS)
    else:
        raise UsageError(f"there is no key {key!r}; ? says which there are")
