"""What commands print: a result, one JSON object, a line."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
import warnings
from contextlib import contextmanager, suppress
from io import TextIOWrapper, UnsupportedOperation
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast
from unicodedata import east_asian_width

from tmdbkit.display import plain, plain_lines
from tmdbkit.exceptions import PassedOver, SettingsWarning

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FINE, FOUND = 0, 1  # exit statuses: all went well; finished, and something failed or was found
FILLER = "\0"  # of what is printed nothing has one
RED, GREEN, YELLOW = "31", "32", "33"  # as terminals number them, which choose tones that are read
COLOURS = {
    **dict.fromkeys(("created", "staged", "approved", "pass"), GREEN),
    **dict.fromkeys(("failed", "error", "errors", "conflicts", "unknown", "rejected"), RED),
    **dict.fromkeys(("warning", "warnings", "withheld", "missing", "held", "deleted"), YELLOW),
}
_COUNTED = re.compile(rf"^ *({'|'.join(COLOURS)}): (?!0$)[\d,]*", re.MULTILINE)


class Result(Protocol):
    """What every verb returns: counts by name, and a text."""

    def counts(self) -> Mapping[str, str | int]:
        """Return the counts by name."""


class RowsResult(Result, Protocol):
    """What is also told row by row."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as objects of JSON."""


def show(args: argparse.Namespace, result: Result, *, failed: int) -> int:
    """Print a result, its rows first where they are wanted, and return the status it means."""
    if getattr(args, "rows", False):
        say_rows(args, cast("RowsResult", result))
    if not kept_for_json(args, result.counts()):
        say(repr(result))
    return FOUND if failed else FINE


def say_rows(args: argparse.Namespace, result: RowsResult) -> None:
    """Print a result's rows as lines of JSON, which the object that ends a command follows."""
    for row in result.rows():
        say_json(row)
    args.json = True


def kept_for_json(args: argparse.Namespace, facts: Mapping[str, object]) -> bool:
    """Keep the facts for the JSON object that ends a command, and tell whether one is wanted."""
    args.facts = facts
    return bool(args.json)


def say(text: str) -> None:
    """Print a line, or several; nothing in them steers the terminal."""
    told = _folded(plain_lines(text.split("\n")), sys.stdout)
    if takes_colour(sys.stdout):
        told = _COUNTED.sub(lambda found: painted(found[0], COLOURS[found[1]]), told)
    sys.stdout.write(told + "\n")


def say_json(facts: Mapping[str, object]) -> None:
    """Print an object of JSON as a line, however long."""
    sys.stdout.write(f"{json.dumps(facts, default=str)}\n")


def _folded(text: str, stream: TextIO) -> str:
    """Return lines that a terminal need not break within a word; what is piped stays whole."""
    if not stream.isatty():
        return text
    width, folded = shutil.get_terminal_size().columns, []
    for line in _filled(text).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        parts = textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        folded += parts if len(line) > width else [line]
    return "\n".join(folded).replace(FILLER, "")


def _filled(text: str) -> str:
    """Return a text with a filler behind each sign that takes two columns, as those of Japanese."""
    return "".join(sign + FILLER * (east_asian_width(sign) in "WF") for sign in text)


def say_cells(rows: Iterable[Sequence[str]]) -> None:
    """Print a line for each row: side by side on a terminal, with tabs between in a pipe."""
    between = "  " if sys.stdout.isatty() else "\t"
    sys.stdout.writelines(f"{between.join(map(plain, row)).rstrip(' ')}\n" for row in rows)


def say_aside(text: str, colour: str = "") -> None:
    """Print a line beside what may be piped."""
    told = _folded(plain(text), sys.stderr)
    sys.stderr.write(f"{painted(told, colour) if takes_colour(sys.stderr) else told}\n")


def takes_colour(stream: TextIO) -> bool:
    """Tell whether colours are wanted: not in a pipe, nor where `NO_COLOR` says so."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not is_plain


def painted(text: str, colour: str) -> str:
    """Return a text that was made plain in a colour of the terminal's."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


@contextmanager
def collected_warnings() -> Iterator[set[str]]:
    """Say each thing that is passed over in one line, once, and keep what was said.

    A setting that may be meant otherwise is said as well, and is no matter of the status.
    """
    told: set[str] = set()
    slips: set[str] = set()
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            text, of_settings = str(message), issubclass(category, SettingsWarning)
            if not (of_settings or issubclass(category, PassedOver)):
                show_others(message, category, filename, lineno, file, line)
            elif text not in told | slips:
                (slips if of_settings else told).add(text)
                say_aside(text if of_settings else f"tmdbkit: {text}", YELLOW)

        warnings.showwarning = show
        warnings.simplefilter("always", PassedOver)
        warnings.simplefilter("always", SettingsWarning)
        yield told


def take_any_text() -> None:
    r"""Let no letter end a command: one that an encoding lacks is shown as `\u30de`.

    What is closed, as by `>&-`, takes all and shows nothing; Python has no stream for it.
    """
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # those of a notebook or a test take all text
            with suppress(UnsupportedOperation):  # one that was read from stays as it is
                stream.reconfigure(errors="backslashreplace")
