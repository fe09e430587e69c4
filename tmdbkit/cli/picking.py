"""Deciding in a terminal which films a list means: candidates side by side, a key for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdbkit.cli.inputs import ask_person
from tmdbkit.cli.output import say
from tmdbkit.display import plain
from tmdbkit.exceptions import UsageError
from tmdbkit.workflows.matching import OF_THE_ROW

if TYPE_CHECKING:
    from tmdbkit.matching.candidates import Candidate
    from tmdbkit.workflows.picking import Picking

KEYS = """1-9 that one · n none of them · Enter skip · q quit
s TITLE search again, or s tt0133093 · ? help"""


def pick(picking: Picking) -> None:
    """Show each row, and take what a person says of it, until the last one or `q`."""
    say(KEYS)
    while not picking.is_over and _took_one(picking):
        pass


def _took_one(picking: Picking) -> bool:
    """Show a row, and do what a person says, once it can be done; tell whether they go on."""
    say(f"\n{picking.heading()}")
    shown = _shown(picking)
    while line := ask_person("> "):
        key, _, text = line.strip().partition(" ")
        if key == "q":
            return False
        try:
            if key == "?":
                say(KEYS)
            elif key == "s" and text.strip():
                shown = _shown(picking, text.strip())
            else:
                _do(picking, key, shown)
                return True
        except (UsageError, *OF_THE_ROW) as error:
            say(str(error))
    return False


def _do(picking: Picking, key: str, shown: list[Candidate]) -> None:
    if key == "":
        picking.skip()
    elif key == "n":
        picking.choose(None)
    elif key.isdecimal() and 1 <= int(key) <= len(shown):
        picking.choose(shown[int(key) - 1])
    else:
        raise UsageError(f"there is no {key!r}; ? says what there is")


def _shown(picking: Picking, text: str = "") -> list[Candidate]:
    """Show candidates side by side, and return them."""
    found = picking.candidates(text)
    for place, one in enumerate(found, start=1):
        minutes = f"{one.minutes} min" if one.minutes else ""
        title, directors = plain(one.title, 40), plain(", ".join(one.directors), 26)
        say(
            f"  {place}  {title:<40}  {one.year or '':<4}  {directors:<26}  {minutes:>7}  "
            f"{one.votes:>9,} votes  {one.tmdb_id}"
        )
    if not found and not text and not picking.was_asked_for:
        say("  it could not be asked for; s TITLE asks again")
    elif not found:
        say("  nothing is found; s TITLE searches for another title")
    return found
