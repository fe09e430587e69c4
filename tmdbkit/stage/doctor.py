"""What is wrong with a stage where it is kept: which file, what is lost by it, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from io import BytesIO

import polars as pl

from tmdbkit.display import Drawn
from tmdbkit.exceptions import StageError
from tmdbkit.progress import counted
from tmdbkit.stage.foreign import ELSE, REMEDIES
from tmdbkit.stage.log import KEPT_AFTER_COMPACTION, Listing, Log
from tmdbkit.stage.marker import layout_of
from tmdbkit.stage.parts import DAMAGE, SUFFIX, fault, is_manifest, is_part_name, is_sealed
from tmdbkit.stage.storage import Root
from tmdbkit.stage.tables import LAYOUT, MARKER

HOLD = {  # what a row of each log is; what is made again by itself is no loss
    "payloads": "answer of TMDB",
    "checks": "check",
    "failures": "failure",
    "ratings": "rating",
    "decisions": "decision",
    "imports": "line of the import log",
    "fields": "value of a field of your own",
    "asked": "row of a list",
}
LOGS = (*HOLD, "movies")
NAMED = 50  # movies that a line names; `Problem.ids` has all of them
NOTHING = "nothing"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: damaged, missing, leftover, marker or unknown.
        file: Its path or address.
        log: The folder that it is in, "" for the stage's own.
        lost: What is lost by it.
        do: What to do.
        ids: The movies to fetch again, where they are known.
    """

    kind: str
    file: str
    log: str
    lost: str
    do: str
    ids: tuple[int, ...] = field(default=(), repr=False)

    def facts(self) -> dict[str, str]:
        """Return it by name, without the ids."""
        return {name: text for name, text in asdict(self).items() if name != "ids"}


@dataclass(frozen=True, repr=False)
class Health(Drawn):
    """What looking at all files of a stage came to.

    Attributes:
        files: How many were looked at.
        bytes: How large they are.
        problems: What is wrong.
        unsealed: How many are of an older tmdbkit and carry no checksum: they can be decoded, and
            that is all that is known of them.
    """

    _heading = "Stage"

    files: int
    bytes: int
    problems: tuple[Problem, ...]
    unsealed: int = 0

    def counts(self) -> dict[str, object]:
        """Return files, bytes and problems by name."""
        problems = [problem.facts() for problem in self.problems]
        return {"files": self.files, "bytes": self.bytes, "problems": problems}

    def _facts(self) -> list[tuple[str, str]]:
        wrong = counted(len(self.problems), "problem") if self.problems else "none"
        facts = [("files", f"{self.files:,}"), ("bytes", f"{self.bytes:,}"), ("problems", wrong)]
        if self.unsealed:
            said = f"{self.unsealed:,}, of an older tmdbkit: all that is known is that they decode"
            facts.insert(2, ("no checksum", said))
        for problem in self.problems:
            facts += [
                (problem.kind, problem.file),
                ("  lost", problem.lost),
                ("  do", problem.do),
            ]
        return facts


def examine(root: Root, now: datetime) -> Health:
    """Look at every file of a stage, whole; nothing is changed, and nobody is asked.

    Raises:
        StageError: It is no folder, or an object store that cannot be reached.
    """
    if root.folder and root.folder.exists() and not root.folder.is_dir():
        raise StageError(f"{root} is a file; a stage is a folder: name another with --stage")
    try:
        return _Examination(root, now).health()
    except OSError as error:
        raise StageError(f"{root} cannot be read ({error.strerror})") from None


class _Examination:
    """One look at a stage: what is there, and what is wrong with it."""

    def __init__(self, root: Root, now: datetime) -> None:
        self.root = root
        self.now = now
        self.listings = {name: Log(root.under(name), pl.Schema()).listing() for name in LOGS}
        self.damaged: dict[str, str] = {}
        self.rows: dict[str, int | None] = {}
        self.files = self.bytes = self.unsealed = 0

    def health(self) -> Health:
        names = list(self.root.walk())
        for name in names:
            if name.endswith((".parquet", SUFFIX)) and not _base(name).startswith("."):
                self._look_at(name)
        problems = [
            *self._marker(names),
            *(self._damage(name) for name in self.damaged),
            *self._missing(),
            *self._rests(),
            *self._unknown(names),
        ]
        return Health(self.files, self.bytes, tuple(problems), self.unsealed)

    def _look_at(self, name: str) -> None:
        try:
            content = self.root.read(name)
        except FileNotFoundError:
            return  # swept a moment ago
        except OSError as error:
            if self.root.folder is None:
                raise
            self.damaged[name] = error.strerror or "it cannot be read"
            return
        self.files += 1
        self.bytes += len(content)
        if name.endswith(".parquet"):
            self.unsealed += not is_sealed(content)
            if wrong := fault(content):
                self.damaged[name] = wrong
                self.rows[name] = _rows_of(content)
        elif _log(name) in LOGS and not is_manifest(content):
            self.damaged[name] = "it is no manifest"

    # What is damaged.

    def _damage(self, name: str) -> Problem:
        log, part = _log(name), _part(name)
        why = f" ({self.damaged[name]})"
        if name.endswith(SUFFIX):
            lost = f"{NOTHING}: what it hid may be listed twice until it is merged"
            return self._problem("damaged", name, lost + why, "run tmdbkit compact")
        listing = self.listings.get(log)
        if listing and self._is_elsewhere(log, part):
            lost = f"{NOTHING}: it was merged, and what it was merged to is whole"
            return self._problem("damaged", name, lost + why, "run tmdbkit compact")
        if listing and self._is_of_others(log, part):
            lost = f"{NOTHING}: all that was merged to it is there yet, and whole"
            return self._problem(
                "damaged", name, lost + why, "delete that file; what was merged counts again"
            )
        if log not in HOLD:
            return self._problem("damaged", name, NOTHING + why, REMEDIES.get(log, ELSE))
        ids = self._ids_of(part) if log == "payloads" else ()
        return self._problem("damaged", name, self._lost(name, ids) + why, _do(log, ids), ids)

    def _lost(self, name: str, ids: tuple[int, ...]) -> str:
        count, what = self.rows.get(name), HOLD[_log(name)]
        if ids:
            return f"{counted(len(ids), 'payload')} of movies that tmdbkit knows"
        return f"each {what} in it" if count is None else counted(count, what)

    def _is_whole(self, log: str, part: str) -> bool:
        return part in self.listings[log].files and f"{log}/{part}.parquet" not in self.damaged

    def _is_elsewhere(self, log: str, part: str) -> bool:
        """Tell whether a whole part names this one in its footer."""
        merged = self.listings[log].merged
        return any(part in merged[by].replaces and self._is_whole(log, by) for by in merged)

    def _is_of_others(self, log: str, part: str) -> bool:
        """Tell whether all that a merged part replaces stands in whole files yet."""
        replaces = self.listings[log].replaced_by(part)
        return bool(replaces) and all(
            self._is_whole(log, each) or self._is_in_one_of(log, each, replaces)
            for each in replaces
        )

    def _is_in_one_of(self, log: str, part: str, others: Iterable[str]) -> bool:
        listing = self.listings[log]
        return any(part in listing.replaced_by(by) and self._is_whole(log, by) for by in others)

    def _ids_of(self, part: str) -> tuple[int, ...]:
        """Return the movies of a part of payloads, as the rows that were made from it say."""
        if not self._is_whole("movies", part):
            return ()
        return tuple(sorted(self._ids([f"movies/{part}.parquet"])))

    def _ids(self, names: list[str]) -> set[int]:
        found = set[int]()
        for name in names:
            with suppress(*DAMAGE):
                content = BytesIO(self.root.read(name))
                found |= set(pl.read_parquet(content, columns=["tmdb_id"])["tmdb_id"])
        return found

    # What is missing.

    def _missing(self) -> Iterator[Problem]:
        """Say which parts some file tells of, that are there no more, and that none replaces."""
        for log in HOLD:
            listing = self.listings[log]
            told = {part for part in listing.manifests if not self._is_of_others(log, part)}
            if log == "payloads":
                told |= self.listings["movies"].files.keys()
            gone = sorted(told - listing.files.keys() - listing.replaced(_all_of(listing)))
            yield from (self._gone(log, part) for part in gone if self._is_lost(log, part))

    def _gone(self, log: str, part: str) -> Problem:
        ids = self._left_of(part) if log == "payloads" else ()
        lost = f"{counted(len(ids), 'payload')}" if ids else f"each {HOLD[log]} in it"
        do = f"put that file back from a backup; or {_do(log, ids)}" if ids else REMEDIES[log]
        return self._problem("missing", f"{log}/{part}.parquet", lost, do, ids)

    def _is_lost(self, log: str, part: str) -> bool:
        return (
            log != "payloads"
            or part not in self.listings["movies"].files
            or bool(self._left_of(part))
        )

    def _left_of(self, part: str) -> tuple[int, ...]:
        """Return the movies of a part that no part of payloads there is knows of."""
        return tuple(sorted(set(self._ids_of(part)) - self._answered))

    @cached_property
    def _answered(self) -> set[int]:
        parts = self.listings["payloads"].files
        return self._ids([f"payloads/{p}.parquet" for p in parts if self._is_whole("payloads", p)])

    # What else is odd.

    def _marker(self, names: list[str]) -> Iterator[Problem]:
        if not any(_log(name) in LOGS for name in names):
            return
        mend = f'write {{"layout": {LAYOUT}}} into it'
        try:
            layout = layout_of(self.root.read(MARKER))
        except FileNotFoundError:
            yield self._problem("marker", MARKER, f"{NOTHING}; it is missing", mend)
        except (ValueError, KeyError, TypeError):
            yield self._problem("marker", MARKER, f"{NOTHING}; it does not say a layout", mend)
        else:
            if layout > LAYOUT:
                lost = f"{NOTHING}; it is of a newer tmdbkit"
                yield self._problem("marker", MARKER, lost, "pip install --upgrade tmdbkit")
            elif layout < LAYOUT and any(listing.merged for listing in self.listings.values()):
                lost = f"{NOTHING} yet; an older tmdbkit would delete what was merged"
                yield self._problem("marker", MARKER, lost, mend)

    def _rests(self) -> Iterator[Problem]:
        for log, listing in self.listings.items():
            for rest in listing.asides:
                if rest.written_at < self.now - KEPT_AFTER_COMPACTION:
                    lost = f"{NOTHING}: a run was killed before it had written it"
                    yield self._problem(
                        "leftover", f"{log}/{rest.name}", lost, "run tmdbkit compact, or delete it"
                    )

    def _unknown(self, names: list[str]) -> Iterator[Problem]:
        for name in names:
            base = _base(name)
            ours = is_part_name(base.removesuffix(".parquet").removesuffix(SUFFIX))
            if _log(name) in LOGS and not ours and not base.startswith("."):
                read = "; it is read with all others" if base.endswith(".parquet") else ""
                lost = f"{NOTHING}{read}"
                yield self._problem("unknown", name, lost, "move it away")

    def _problem(
        self, kind: str, name: str, lost: str, do: str, ids: tuple[int, ...] = ()
    ) -> Problem:
        return Problem(kind, self.root.source(name), _log(name), lost, do, ids)


def _all_of(listing: Listing) -> set[str]:
    return listing.files.keys() | listing.manifests.keys()


def _do(log: str, ids: tuple[int, ...]) -> str:
    if not ids:
        return REMEDIES[log]
    some = " ".join(map(str, ids[:NAMED]))
    more = f" and {len(ids) - NAMED} more, which Stage.doctor() names" if len(ids) > NAMED else ""
    return f"move that file away, then: tmdbkit stage --refresh {some}{more}"


def _rows_of(content: bytes) -> int | None:
    """Return how many rows a damaged part has, as far as its footer says so."""
    try:
        return int(pl.scan_parquet(BytesIO(content)).select(pl.len()).collect().item())
    except DAMAGE:
        return None


def _log(name: str) -> str:
    return name.rpartition("/")[0]


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _part(name: str) -> str:
    return _base(name).removesuffix(".parquet")
