"""The JSON object that ends a command however it ends: its keys, `exit` and `error`."""

from __future__ import annotations

import argparse
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Facts = Mapping[str, object]


def _zeros(names: str) -> dict[str, object]:
    return dict.fromkeys(names.split(), 0)


STAGED = _zeros("requested staged skipped missing failed http_requests")
SENT = "created updated deleted unchanged withheld conflicts failed unknown batches"
PUSHED: Facts = {"target": None, "push": "", **_zeros(SENT)}
REVIEWED = _zeros("decided movies left")
DECIDED = {"kind": None, **_zeros("done left_out"), **REVIEWED}

# What each command has to tell before anything is known; some options make it another thing.
KEYS: dict[str, Facts] = {
    "demo": {**STAGED, **PUSHED},
    "stage": STAGED,
    "match": _zeros("rows sure unsure none claimed_twice http_requests"),
    "show": _zeros("movies shown"),
    "ratings --dry-run": {"providers": [], "missing": []},
    "ratings": {**_zeros("movies rated missing failed http_requests"), "by_system": {}},
    "check": {**_zeros("movies errors warnings"), "rules": []},
    "rules": {"rules": []},
    "review --all": DECIDED,
    "review --waive": DECIDED,
    "review": REVIEWED,
    "plan": {"target": None, **_zeros("create update unchanged withheld kept erase")},
    "push": PUSHED,
    "verify": _zeros("checked equal different absent not_staged"),
    "undo": PUSHED,
    "refresh": STAGED,
    "delete": {
        "target": None,
        "push": "",
        **_zeros("deleted absent withheld conflicts failed unknown batches"),
    },
    "import": PUSHED,
    "export --decisions": {"file": None, "decisions": 0},
    "export": {"file": None, "movies": 0},
    "apply --undo": {"undone": 0},
    "apply": {**_zeros("applied known conflicts refused"), "batch": ""},
    "status": {
        **_zeros("staged missing failed rated approved held rejected undecided pushed"),
        "targets": [],
    },
    "doctor": {**_zeros("files bytes"), "problems": []},
    "settings": {"folder": None, "settings": []},
    "functions": {"written": [], "current": [], "changed": [], "schema_lacks": []},
    "compact": {"replaced": 0},
    "transform": _zeros("movies parts"),
    "cache": _zeros("answers bytes removed"),
}


def wants_json(words: Sequence[str]) -> bool:
    """Tell whether a line asks for the object; it may be too wrong for its grammar to say so."""
    options = takewhile(lambda word: word != "--", words)
    return any(option.partition("=")[0] in ("--json", "--rows") for option in options)


def nothing_yet() -> argparse.Namespace:
    """Return where a command keeps what it has to tell.

    `facts` are of its end, `so_far` of what ended it early; `requests` are those that it took to
    find out which movies are meant.
    """
    return argparse.Namespace(facts={}, so_far={}, requests=0)


def ended(
    verb: str, words: Sequence[str], args: argparse.Namespace, status: int, error: str | None
) -> dict[str, object]:
    """Return the object: what a command came to, or as far as it came."""
    options = [f"{verb} {word.partition('=')[0]}" for word in words]
    known = next((KEYS[name] for name in (*options, verb) if name in KEYS), {})
    came = {name: args.so_far[name] for name in known if name in args.so_far}
    if "http_requests" in known:
        came["http_requests"] = came.get("http_requests", 0) + args.requests
    return {**known, **came, **args.facts, "exit": status, "error": error}
