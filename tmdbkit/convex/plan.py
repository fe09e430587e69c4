"""A plan: everything that a push would do, to be looked at, saved, and sent exactly so."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from tmdbkit.convex.changes import Change, Kind, converted
from tmdbkit.convex.delivery import movie_batches, row_batches
from tmdbkit.convex.merge import ALL, Scope
from tmdbkit.convex.plan_file import LAYOUT, read_saved
from tmdbkit.convex.read import TOO_LARGE, is_too_large
from tmdbkit.convex.shown import (
    aside_facts,
    document_lines,
    first_lines,
    moved,
    moves,
    plain_value,
    text_of,
)
from tmdbkit.convex.target import TargetName
from tmdbkit.display import Drawn, block, counted_facts, first_facts, line, plain, plain_lines
from tmdbkit.exceptions import NoSuchMovie, UsageError
from tmdbkit.files import write_text
from tmdbkit.images import form_of
from tmdbkit.progress import counted
from tmdbkit.schema import CREW, GENRE, KEYS
from tmdbkit.settings.arguments import checked

SHORT = 70  # characters of a value that stands on a line of its own
ASIDE: tuple[Kind, ...] = ("failed", "not_staged", "unknown")  # of which nothing is known, or goes
UNDO = "undo-"  # begins the name of a plan that takes a push back, before that push's
NAMES = {
    "crew": pl.Schema({"tmdb_id": pl.Int64(), **CREW}),
    "genres": pl.Schema({"tmdb_id": pl.Int64(), **GENRE}),
}
FIELDS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "title": pl.String(),
        "change": pl.String(),
        "field": pl.String(),
        "old": pl.String(),
        "new": pl.String(),
        "reason": pl.String(),
    }
)


@checked
@dataclass(frozen=True, repr=False)
class Plan(Drawn):
    """What a push would do, movie by movie and field by field.

    Attributes:
        target: Which target it was made for.
        changes: One for each movie.
        names: The rows of `crew` and `genres` that go with them, each with the movie's id.
        left_out: Fields and tables that the target does not know.
        scope: Which fields it was allowed to touch.
        undoes: The push that it takes back; "" where it is no way back.
        identity: Of a snapshot, which one it is, however its path is written.
        notes: What a person should know before sending it.
        contract: How it is known what the target's tables accept; "" where it said so itself.
    """

    _heading = "Plan"

    target: str
    changes: tuple[Change, ...] = ()
    names: dict[str, pl.DataFrame] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    scope: Scope = ALL
    undoes: str = ""
    identity: str = ""
    notes: tuple[str, ...] = ()
    contract: str = ""

    @classmethod
    def to(cls, title: TargetName, changes: tuple[Change, ...], **rest: Any) -> Plan:
        """Return one for a target."""
        return cls(str(title), changes, identity=title.identity, **rest)

    @classmethod
    def joined(cls, target: str, parts: Iterable[Plan]) -> Plan:
        """Return one plan of several for the same target."""
        plans = list(parts)
        changes = tuple(change for plan in plans for change in plan.changes)
        names = {
            table: pl.concat(
                [kind.to_frame(), *(p.names[table] for p in plans if table in p.names)]
            )
            for table, kind in NAMES.items()
            if any(table in plan.names for plan in plans)
        }
        last = plans[-1] if plans else cls(target)
        return replace(last, changes=changes, names=names)

    @property
    def id(self) -> str:
        """A name for it in the import log: the same changes have the same one."""
        if self.undoes:
            return f"{UNDO}{self.undoes}"
        sent = [change.arguments() for change in self.changes if change.goes]
        where = self.identity or self.target
        return hashlib.sha256(json.dumps([where, sent]).encode()).hexdigest()[:12]

    def counts(self) -> dict[str, str | int]:
        """Return the target and the counts by name; kept and erase count fields.

        Withheld are movies, and ratings of movies of which the rest goes.

        A way back also has `delete`, where it takes movies away that a push created; and there is
        `images` where images get another form, `not_staged` where movies were asked for that are
        not, and `unknown` where nobody can tell what an earlier push that was killed did to some.
        """
        kinds = Counter(change.kind for change in self.changes)
        deleted = {"delete": kinds["delete"]} if kinds["delete"] else {}
        aside: dict[str, int] = {kind: kinds[kind] for kind in ASIDE if kinds[kind]}
        images = sum(len(converted(change)) for change in self.changes)
        return {
            "target": self.target,
            **deleted,
            "create": kinds["create"],
            "update": kinds["update"],
            "unchanged": kinds["unchanged"],
            "withheld": kinds["withheld"] + sum(len(c.withheld) for c in self.changes),
            "kept": sum(len(change.kept) for change in self.changes),
            "erase": sum(len(change.erased) for change in self.changes),
            **({"images": images} if images else {}),
            **aside,
        }

    def size(self) -> dict[str, tuple[int, float]]:
        """Return how many documents and MiB it adds at most to each table."""
        created = [change.set for change in self.changes if change.kind == "create"]
        sizes = {"movies": (len(created), _mib(created))}
        for table in self.names:
            rows = self.rows_of(table)
            sizes[table] = (len(rows), _mib(rows))
        return sizes

    def batches(self) -> int:
        """Return how many mutations sending it takes, where none is cut smaller."""
        going = [change.arguments() for change in self.changes if change.goes]
        rows = (row_batches(self.rows_of(table), key=KEYS[table]) for table in self.names)
        return sum(1 for _ in movie_batches(going)) + sum(1 for some in rows for _ in some)

    def rows_of(self, table: str) -> list[dict[str, Any]]:
        """Return the different rows of crew or genres, by id."""
        rows = self.names[table].drop("tmdb_id").unique(maintain_order=True)
        return rows.sort(KEYS[table], maintain_order=True).to_dicts()

    def fields(self) -> pl.DataFrame:
        """Return a row for each field that would change, and for each movie that is withheld."""
        rows = (row for change in self.changes for row in _field_rows(change))
        texts = [(*head, text_of(old), text_of(new), why) for *head, old, new, why in rows]
        return pl.DataFrame(texts, FIELDS, orient="row")

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the same rows with values as they are, and of a creation its document."""
        for change in self.changes:
            for row in _field_rows(change):
                named = dict(zip(FIELDS, row, strict=True))
                document = {"new": change.set} if named["change"] == "create" else {}
                yield {name: plain_value(value) for name, value in (named | document).items()}

    def parts(self, size: int) -> Generator[Plan]:
        """Yield it in pieces of so many changes, each with the names that its movies need."""
        for start in range(0, len(self.changes), size):
            some = self.changes[start : start + size]
            here = pl.col("tmdb_id").is_in([change.tmdb_id for change in some])
            names = {table: rows.filter(here) for table, rows in self.names.items()}
            yield replace(self, changes=some, names=names)

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all."""
        saved = {
            "plan": LAYOUT,
            "target": self.target,
            "identity": self.identity,
            "left_out": self.left_out,
            "undoes": self.undoes,
            "notes": self.notes,
            "contract": self.contract,
            "scope": self.scope.names(),
            "names": {table: rows.rows() for table, rows in self.names.items()},
            "changes": [asdict(change) for change in self.changes],
        }
        write_text(path, json.dumps(saved, ensure_ascii=False))

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read it from a file.

        Raises:
            UsageError: The file is no plan, or one that could not be sent as it was meant.
        """
        saved = read_saved(path, NAMES)
        names = {
            table: pl.DataFrame(rows, NAMES[table], orient="row")
            for table, rows in saved["names"].items()
        }
        changes = tuple(Change(**_tuples(change)) for change in saved["changes"])
        touched = saved["scope"]
        scope = Scope.of(
            only=touched["only"],
            create_only=touched["keep"],
            clear=touched["clear"],
            own=touched.get("own", ()),
        )
        left_out, undoes = tuple(saved["left_out"]), saved["undoes"]
        later = {name: saved[name] for name in ("identity", "contract") if name in saved}
        notes = tuple(saved.get("notes", ()))
        return cls(saved["target"], changes, names, left_out, scope, undoes, notes=notes, **later)

    def __getitem__(self, movie: int | str) -> MovieChange:
        """Return what would be done to one movie, by its id, or its title in any case.

        Raises:
            NoSuchMovie: It is not in the plan.
            UsageError: It is the title of several.
        """
        named = [c for c in self if c.tmdb_id == movie or c.title.lower() == str(movie).lower()]
        if len(named) > 1:
            ids = ", ".join(str(change.tmdb_id) for change in named)
            raise UsageError(f"{movie!r} may be {ids}; say which by its id")
        if not named:
            raise NoSuchMovie(f"{movie!r} is not in the plan")
        return MovieChange(named[0])

    def of(self, tmdb_id: int) -> Plan:
        """Return the plan of one movie alone."""
        return replace(self, changes=tuple(c for c in self if c.tmdb_id == tmdb_id))

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def document(self, tmdb_id: int) -> list[str]:
        """Return a line for each field of a document that would be created, with names for ids.

        Raises:
            NoSuchMovie: It is not in the plan.
        """
        change = self[tmdb_id].change
        return document_lines(change, self.names) if change.kind == "create" else []

    def ids(self) -> set[int]:
        """Return the movies that it looked at."""
        return {change.tmdb_id for change in self.changes}

    def __len__(self) -> int:
        return len(self.changes)

    def __bool__(self) -> bool:
        return any(change.goes for change in self.changes)

    def _facts(self) -> list[tuple[str, str]]:
        facts = counted_facts(self.counts())
        if self.contract:
            facts.insert(0, ("contract", self.contract))
        if self.undoes:
            facts.insert(1, ("takes back", f"push {self.undoes}, which {self._was_done()}"))
        updates = [change for change in self.changes if change.kind == "update"]
        kept = (name for change in self.changes for name in change.kept)
        fields = Counter(name for change in updates for name in moved(change))
        for what, names in (("fields", fields), ("fields kept", Counter(kept))):
            told = ", ".join(f"{name} {count:,}" for name, count in names.most_common(12))
            facts += [(what, told)] * bool(told)
        facts += self._first_changes()
        forms = Counter(
            f"{name}: {{}} to {form_of(change.set[name])}"
            for change in updates
            for name in converted(change)
        )
        if forms:
            facts.append(
                ("images", ", ".join(t.format(f"{n:,}") for t, n in sorted(forms.items())))
            )
        for table, (count, mib) in self.size().items():
            if count:
                size = f"{mib:,.1f} MiB" if mib >= 1 else f"{mib * 1024:,.0f} KiB"
                warning = f" · {TOO_LARGE}" * is_too_large(count, mib)
                told = f"at most {counted(count, 'document')}, {size}{warning}"
                facts.append((f"adds to {table}", told))
        facts.append(("batches", f"{self.batches():,}"))
        if self.left_out:
            facts.append(("not known there", ", ".join(self.left_out)))
        facts += [("note", note) for note in self.notes]
        return facts + self._first_not_sent()

    def _first_changes(self) -> list[tuple[str, str]]:
        created = [change.tmdb_id for change in self.changes if change.kind == "create"]
        document = self.document(*created) if len(created) == 1 else []
        facts = [("change", told) for told in first_lines(self.changes)]
        return facts + [("document", told) for told in document]

    def _first_not_sent(self) -> list[tuple[str, str]]:
        withheld = [change for change in self.changes if change.kind == "withheld"]
        lines = [f"{change.title}: {change.reason}" for change in withheld]
        lines += [f"{change.title}: {line}" for change in self.changes for line in change.withheld]
        return first_facts("withheld", lines) + aside_facts(self.changes, ASIDE)

    def _was_done(self) -> str:
        """Say what the push did that this is the way back from."""
        kinds = Counter(change.kind for change in self.changes)
        did = {"created": kinds["delete"], "changed": kinds["update"], "deleted": kinds["create"]}
        return ", ".join(f"{verb} {count:,}" for verb, count in did.items() if count)


@dataclass(frozen=True)
class MovieChange:
    """What a plan would do to one movie, drawn old → new."""

    change: Change

    def lines(self) -> list[str]:
        """Return a line for each field."""
        change = self.change
        told = [f"{name}: {_short(old)} → {_short(new)}" for name, old, new in moves(change)]
        kept = [f"{name}: kept" for name in change.kept]
        withheld = [f"{line} (withheld)" for line in change.withheld]
        return told + kept + withheld + ([change.reason] if change.reason else [])

    def _heading(self) -> str:
        return f"{self.change.title} ({self.change.tmdb_id}): {self.change.kind}"

    def __repr__(self) -> str:
        return plain_lines([self._heading(), *(f"  {told}" for told in self.lines())])

    def _repr_html_(self) -> str:
        lines = (line(told, "padding:2px 0") for told in self.lines())
        return block(line(self._heading(), "font-weight:bold") + "".join(lines), "line-height:1.5")


def _short(value: Any) -> str:
    return plain(text_of(value) or "nothing", SHORT)


FieldRow = tuple[int, str, str, str | None, Any, Any, str]


def _field_rows(change: Change) -> list[FieldRow]:
    head = (change.tmdb_id, change.title, change.kind)
    withheld: list[FieldRow] = [
        (change.tmdb_id, change.title, "withheld", None, None, None, line)
        for line in change.withheld
    ]
    if change.kind in ("withheld", "create", *ASIDE):
        return [(*head, None, None, None, change.reason), *withheld]
    return [
        (*head, name, change.before.get(name), change.set.get(name), "") for name in moved(change)
    ] + withheld


def _tuples(change: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in change.items()}


def _mib(rows: list[dict[str, Any]]) -> float:
    return sum(len(json.dumps(row, ensure_ascii=False).encode()) for row in rows) / 2**20
