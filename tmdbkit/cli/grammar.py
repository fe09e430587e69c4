"""The grammar of a command line: one line for a mistake, and commands in the order of the work."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, NoReturn

from tmdbkit.cli import output
from tmdbkit.cli.ending import ended, nothing_yet, wants_json
from tmdbkit.exceptions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

WRONG = 2
ORDER = {
    "in the order of the work": (
        *("demo", "stage", "match", "show", "ratings", "check", "rules", "review"),
        *("plan", "push", "verify", "undo", "refresh", "delete", "import", "export", "apply"),
    ),
    "to look around, and to set up": ("status", "doctor", "settings", "functions"),
    "maintenance": ("compact", "transform", "cache"),
}


class Help(argparse.RawDescriptionHelpFormatter):
    """Breaks lines between words: an option with a hyphen in it is one."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


class Grammar(argparse.ArgumentParser):
    """A grammar that says in one line what is wrong, and what may have been meant."""

    def __init__(self, **said: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=Help, **said)

    def error(self, message: str) -> NoReturn:
        """Say it, and leave."""
        end = "" if message.endswith("?") else ";"
        told = f"{message}{end} see {self.prog} --help"
        if wants_json(self._words):
            verb = self.prog.partition(" ")[2]
            output.say_json(ended(verb, self._words, nothing_yet(), WRONG, told))
        output.say_aside(f"{self.prog}: {told}", output.RED)
        self.exit(WRONG)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Read what it knows; what it does not know is a mistake here, not one level up."""
        self._words = sys.argv[1:] if args is None else args
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            if word.startswith("-"):
                # Less is near by its two dashes alone.
                near = did_you_mean(word, self._option_string_actions, 0.7)
                self.error(f"there is no option {word}{near}")
            self.error(f"{word!r} is a word too many")
        return known, unknown

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Refuse a word that is empty: a variable of a script's that is, in most cases.

        `--snapshot "$REHEARSAL"` would mean the deployment instead.
        """
        if not arg_string.strip():
            raise argparse.ArgumentError(action, "it is empty; give a value, or leave it out")
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: str) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(
                action,
                f"{value!r} is none of {', '.join(action.choices)}"
                f"{did_you_mean(value, action.choices, 0.7)}",
            )


def overview(verbs: Mapping[str, argparse.ArgumentParser]) -> str:
    """Return each command with what it does, as `ORDER` has them."""
    told, width = [], shutil.get_terminal_size().columns - 2
    for heading, of_it in ORDER.items():
        told.append(f"{heading}:")
        for verb in (verbs[name] for name in of_it if name in verbs):
            line = f"  {verb.prog.partition(' ')[2]:<10} {verb.description}"
            told.append(textwrap.fill(line, width, subsequent_indent=" " * 13))
        told.append("")
    told.append("exit status: 0 well, 1 something failed or was found, 2 wrong usage, 3 stopped")
    return "\n".join(told)
