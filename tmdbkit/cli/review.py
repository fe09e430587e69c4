"""Review in a terminal: one movie at a time, a letter for each decision; or many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdbkit.cli.inputs import ask_person, ask_yes, filled, is_asked, open_stage
from tmdbkit.cli.output import FINE, kept_for_json, say, say_aside
from tmdbkit.exceptions import UsageError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from tmdbkit.review import Batch, ReviewQueue

KEYS = """a approve · h hold · r reject, each with a note: h wrong year
c FIELD VALUE corrects: c imdb 7.4 · c imdb 7.4 # a note · c FIELD none takes the value away
p accepts what a finding proposes
n next · b back · j 603 or j matrix jumps to a film · y who decided what on it
u undo, of an earlier day too · t take this film's latest back, whoever made it · d undecided again
? help · q quit"""
FILTERS = ("rule", "severity", "system", "decade", "text")
TAKE_MORE = ("a", "h", "r", "c", "j", "d")  # words after the key
NOTE = " # "  # between the value of a correction and its note


def review(args: argparse.Namespace) -> int:
    """Show one movie after the other, and take decisions until the end of the queue or `q`."""
    from tmdbkit.review import ReviewQueue

    shown = {name: value for name in FILTERS if (value := getattr(args, name)) is not None}
    _check(args, shown)
    queue = ReviewQueue(filled(open_stage(args)))
    if args.all or args.waive:
        return _at_once(args, queue, {**shown, "state": args.state})
    if args.sample:
        queue.sample(args.sample)
    else:
        queue.show(**shown, state=args.state)
    if not args.json:
        say(KEYS if len(queue) else "no movie is like that; --state all shows those decided, too")
        while queue.current is not None and _took_one(queue):
            pass
    if not kept_for_json(args, _counts(queue)):
        decided, movies = queue.progress
        say(f"\n{decided:,} of {counted(movies, 'movie')} decided")
        if args.sample:
            say(queue.estimate())
    return FINE


def _check(args: argparse.Namespace, shown: dict[str, object]) -> None:
    """Refuse options that do not go together."""
    if sum(bool(way) for way in (args.all, args.waive, args.sample)) > 1:
        raise UsageError("--all, --waive and --sample are three ways to review; choose one")
    if args.sample and shown:
        raise UsageError("--sample draws from all that has no finding; leave the filters out")
    if args.waive and set(shown) != {"system"}:
        raise UsageError(
            "--waive RULE takes --system SYSTEM, whose ratings it lets go, and no more"
        )
    if not (args.all or args.waive) and (args.note or args.yes):
        raise UsageError("--note and --yes are of --all and --waive")


def _at_once(args: argparse.Namespace, queue: ReviewQueue, shown: dict[str, object]) -> int:
    """Decide on all that a filter shows, or waive a column's error, after asking."""
    asks, note = is_asked(args), args.note or ""

    def confirmed(batch: Batch) -> bool:
        for line in batch.lines():
            say_aside(line)
        if batch and asks:
            ask_yes()
        return bool(batch)

    if args.waive:
        done = queue.waive(args.waive, args.system, note=note, confirm=confirmed)
    else:
        done = queue.decide_all(args.all, note=note, confirm=confirmed, **shown)
    counts = {"kind": done.kind, "done": done.count, "left_out": len(done.left_out)}
    if not kept_for_json(args, {**counts, **_counts(queue)}):
        late = f", {counts['left_out']:,} left out: decided on meanwhile" * bool(done.left_out)
        way_back = "; u in tmdbkit review --state all takes it back" * bool(done)
        say(f"{done.kind}: {done.count:,}{late}{way_back}")
        if queue.said:
            say(queue.said)
    return FINE


def _counts(queue: ReviewQueue) -> dict[str, int]:
    decided, movies = queue.progress
    return {"decided": decided, "movies": movies, "left": queue.left}


def _took_one(queue: ReviewQueue) -> bool:
    """Show a movie, and do what a person says, once it can be done; tell whether they go on."""
    item = queue.current
    assert item is not None  # noqa: S101 - the caller has looked
    say(f"\n{queue.position}\n{item!r}")
    while line := ask_person("> "):
        key, _, rest = line.strip().partition(" ")
        if key == "q":
            return False
        try:
            _do(queue, item.tmdb_id, key, rest.strip())
        except UsageError as error:
            say(str(error))
        else:
            return True
    return False


def _do(queue: ReviewQueue, tmdb_id: int, key: str, rest: str) -> None:
    does: dict[str, Callable[[str], None]] = {
        "a": lambda note: queue.approve(note=note),
        "h": lambda note: queue.hold(note=note),
        "r": lambda note: queue.reject(note=note),
        "c": lambda said: _correct(queue, said),
        "p": lambda _: queue.accept(tmdb_id),
        "n": lambda _: queue.go(1),
        "": lambda _: queue.go(1),
        "b": lambda _: queue.go(-1),
        "j": lambda text: _jump(queue, text),
        "y": lambda _: _tell_history(queue),
        "u": lambda _: _tell_undone(queue.undo()),
        "t": lambda _: _tell_undone(queue.undo(tmdb_id)),
        "d": lambda note: queue.undecide(note=note),
        "?": lambda _: say(KEYS),
    }
    if key not in does:
        raise UsageError(f"there is no key {key!r}; ? says which there are")
    if rest and key not in TAKE_MORE:
        raise UsageError(f"{key} takes nothing more; j {rest} looks at another movie first")
    does[key](rest)
    if key == "a" and queue.said:
        say(queue.said)


def _correct(queue: ReviewQueue, said: str) -> None:
    from tmdbkit.stage.decisions import field_named, typed

    field, _, rest = said.partition(" ")
    value, note = rest.rsplit(NOTE, 1) if NOTE in rest else (rest, "")
    queue.correct(field_named(field), typed(value), note=note.strip())


def _jump(queue: ReviewQueue, text: str) -> None:
    found = queue.find(text) if text else []
    if not found:
        raise UsageError(f"no movie {text!r}; j takes an id, or a part of a title")
    if len(found) > 1:
        say(f"{len(found):,} movies have that in their title; this is the first")
    queue.open(found[0])


def _tell_history(queue: ReviewQueue) -> None:
    from tmdbkit.review.told import lines

    for told in lines(queue.history()) or ["nobody has decided on this"]:
        say(told)


def _tell_undone(done: bool) -> None:
    say("taken back" if done else "nothing to take back")
