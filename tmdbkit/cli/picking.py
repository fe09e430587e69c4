"""Deciding in a terminal which films a list means: candidates side by side, a key for each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tmdbkit import progress
from tmdbkit.cli.inputs import ask_person
from tmdbkit.cli.output import say
from tmdbkit.exceptions import UsageError
from tmdbkit.matching.candidates import SHOWN, Candidate
from tmdbkit.matching.matched import candidates_of, with_choice

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit.matching.asked import Asked
    from tmdbkit.tmdb.client import TMDBClient
    from tmdbkit.workflows.matching import Matches

KEYS = """1-9 that one · n none of them · Enter skip
s TITLE search again, or an id: s tt0133093 · ? help · q quit"""


def pick(client: TMDBClient, matches: Matches, out: Path) -> None:
    """Show each row that is not sure, and write down what a person says of it at once."""
    from tmdbkit.workflows.matching import write_matched

    frame = matches.frame
    rows = [row for row, sure in enumerate(frame["sure"]) if not sure]
    say(KEYS)
    for count, row in enumerate(rows, start=1):
        say(f"\n{count} of {len(rows)}: {_named(matches.asked[row])}")
        try:
            chosen = _ask(client, candidates_of(frame, row))
        except _Quit:
            return
        except _Skip:
            continue
        frame = with_choice(frame, row, chosen)
        write_matched(frame, out)


class _Skip(Exception):
    """A person goes on without a decision."""


class _Quit(Exception):
    """A person has enough."""


def _ask(client: TMDBClient, candidates: list[Candidate]) -> Candidate | None:
    """Return the film that a person chooses; None where it is none of them."""
    shown = _show(client, candidates)
    while line := ask_person("> "):
        key, _, text = line.strip().partition(" ")
        try:
            if key == "s" and text.strip():
                shown = _show(client, _search(client, text.strip()))
            else:
                return _chosen(key, shown)
        except UsageError as error:
            say(str(error))
    raise _Quit


def _chosen(key: str, shown: list[Candidate]) -> Candidate | None:
    if key == "":
        raise _Skip
    if key == "q":
        raise _Quit
    if key == "?":
        raise UsageError(KEYS)
    if key == "n":
        return None
    if key.isdecimal() and 1 <= int(key) <= len(shown):
        return shown[int(key) - 1]
    raise UsageError(f"there is no {key!r}; ? says what there is")


def _search(client: TMDBClient, text: str) -> list[Candidate]:
    """Return what TMDB finds under a title, or the film of an id."""
    from tmdbkit.tables import id_in
    from tmdbkit.workflows.searching import by_id, found_by

    own = id_in(text)
    found = [] if own is None else [by_id(client, own)]
    return [one for one in (*found, *found_by(client, text)) if one]


def _show(client: TMDBClient, candidates: list[Candidate]) -> list[Candidate]:
    """Show candidates side by side, with what their details tell; return them."""
    from tmdbkit.tmdb.pages import ask_each
    from tmdbkit.workflows.searching import details

    ids = [one.tmdb_id for one in candidates[:SHOWN]]
    client.progress = progress.Silent()
    shown = list(ask_each(client, partial(details, client), ids, "looking up film"))
    for place, one in enumerate(shown, start=1):
        say(f"  {place}  {_line(one)}")
    if not shown:
        say("  TMDB has nothing under that title; s TITLE searches for another")
    return shown


def _line(one: Candidate) -> str:
    minutes = f"{one.minutes} min" if one.minutes else ""
    return (
        f"{one.title[:40]:<40}  {one.year or '':<4}  {', '.join(one.directors)[:26]:<26}  "
        f"{minutes:>7}  {one.votes:>9,} votes  {one.tmdb_id}"
    )


def _named(asked: Asked) -> str:
    facts = [asked.director, f"{asked.minutes} min" if asked.minutes else ""]
    year = f" ({asked.year})" if asked.year else ""
    return " · ".join([f"{asked.title or asked.id}{year}", *(fact for fact in facts if fact)])
