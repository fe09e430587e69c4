"""What would be decided at once, as a person is asked about it in a terminal and in a panel."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.display import SYSTEM_NAMES, plain_lines
from tmdbkit.exceptions import UsageError
from tmdbkit.progress import counted
from tmdbkit.review.assessment import Assessment
from tmdbkit.review.item import Filter, Item
from tmdbkit.review.shown import findings, in_words
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.decisions import judged
from tmdbkit.stage.waivers import (
    RATING_ERRORS,
    kept_back,
    summary,
    waivable,
    waived,
    with_waivers,
)

if TYPE_CHECKING:
    from tmdbkit.review.decided import Decided

SHOWN = 5


@dataclass(frozen=True, repr=False)
class Batch:
    """Decisions that are made at once, and undone at once.

    Attributes:
        kind: `approve`, `hold`, `reject`; `waive` for the error of a whole column.
        words: Which movies, or which ratings, in words.
        ids: The movies, the worst first.
        first: The first five, a line each.
        extreme: The findings that are farthest off, the worst of each rule first, old → new.
        waived: How many errors it lets go.
        overruled: How many decisions of others it replaces.
        left_out: The movies that others decided on while it was asked about: nothing was logged.
    """

    kind: str
    words: str
    ids: tuple[int, ...]
    first: tuple[str, ...] = ()
    extreme: tuple[str, ...] = ()
    waived: int = 0
    overruled: int = 0
    left_out: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.ids)

    def lines(self) -> list[str]:
        """Return what a person should know before saying yes."""
        of = "rating" if self.kind == "waive" else "movie"
        told = [f"{self.kind} {counted(self.count, of)}: {self.words}"]
        told += [f"first: {line}" for line in self.first]
        told += [f"farthest off: {line}" for line in self.extreme]
        if self.waived:
            told.append(f"waives {counted(self.waived, 'error')}")
        if self.overruled:
            told.append(f"overrules {counted(self.overruled, 'decision')} of others")
        if self.left_out:
            told.append(f"left out {counted(len(self.left_out), 'movie')}: decided on meanwhile")
        return told

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        return plain_lines(self.lines())


def many(kind: str, shown: Filter, ids: Sequence[int], seen: Assessment, decided: Decided) -> Batch:
    """Return a verdict on several movies, as it would be now, and as it is told from now on.

    Args:
        kind: The verdict.
        shown: The filter that shows them.
        ids: The movies, the worst first.
        seen: What there is to see of them.
        decided: What was decided on them.
    """
    found = findings(seen.findings, shown).filter(pl.col("tmdb_id").is_in(ids))
    may_go = waivable(_errors(ids, seen, decided)).height if kind == "approve" else 0
    overruled = sum(decided.others(tmdb_id) is not None for tmdb_id in ids)
    decided.is_drawn(ids)
    return Batch(
        kind,
        in_words(shown),
        tuple(ids),
        _first(seen.table, ids),
        _extreme(found),
        may_go,
        overruled,
    )


def of_column(rule: str, system: str, seen: Assessment, decided: Decided) -> Batch:
    """Return the waiver of a column's error, as it would be now.

    Raises:
        UsageError: The rule keeps back no whole column of this system.
    """
    if system not in SYSTEMS:
        raise UsageError(f"no system {system!r}; there are {', '.join(SYSTEMS)}")
    found = seen.findings.filter(rule=rule, system=system, of_column=True)
    kept = _errors(found["tmdb_id"], seen, decided).filter(~pl.col("let_go"), system=system)
    is_this = (pl.col("rule") == rule) & pl.col("of_column")
    going = kept.filter(is_this).join(kept.filter(~is_this), on="tmdb_id", how="anti")
    if going.is_empty():
        raise UsageError(f"{rule} keeps back no whole column of {SYSTEM_NAMES[system]}")
    ids = going["tmdb_id"].to_list()
    words = f"{rule} of the whole column {SYSTEM_NAMES[system]}"
    extreme = _extreme(found.join(going, on="tmdb_id", how="semi"))
    return Batch("waive", words, tuple(ids), _first(seen.table, ids), extreme)


def verdicts(
    kind: str, ids: Sequence[int], seen: Assessment, decided: Decided, note: str
) -> list[tuple[Any, ...]]:
    """Return the verdict on each movie as it is seen now; those of several share a `batch`."""
    these = pl.col("tmdb_id").is_in(ids)
    named = seen.findings.filter(these).drop_nulls("system")
    waived = named.group_by("tmdb_id").agg(pl.format("{}:{}", "rule", "system"))
    by_id = dict(waived.rows())
    in_view = dict(seen.table.filter(these).select("tmdb_id", judged()).rows())
    batch = token_hex(8) if len(ids) > 1 else None
    return [
        decided.row(
            tmdb_id,
            kind,
            note=note,
            judged=in_view[tmdb_id],
            waived=by_id.get(tmdb_id),
            batch=batch,
        )
        for tmdb_id in ids
    ]


def corrections(
    item: Item, values: Mapping[str, tuple[Any, str]], decided: Decided
) -> list[tuple[Any, ...]]:
    """Return the corrections of a movie: by field, a value and a note; several share a `batch`."""
    batch = token_hex(8) if len(values) > 1 else None
    return [
        decided.row(
            item.tmdb_id,
            "override",
            field=field,
            value=value,
            old=item.value(field),
            note=note,
            batch=batch,
        )
        for field, (value, note) in values.items()
    ]


def decide(batch: Batch, seen: Assessment, decided: Decided, note: str) -> Batch:
    """Log a batch, but for movies that others decided on since, and return what was done."""
    decided.look()
    late = decided.unseen(batch.ids)
    ids = [tmdb_id for tmdb_id in batch.ids if tmdb_id not in late]
    late |= decided.write(verdicts(batch.kind, ids, seen, decided, note)).keys()
    done = tuple(tmdb_id for tmdb_id in ids if tmdb_id not in late)
    return replace(batch, ids=done, left_out=tuple(late))


def told(kind: str, ids: Sequence[int], seen: Assessment, decided: Decided) -> str:
    """Return what a decision on some movies waives, and what it cannot; "" where it is of none."""
    if kind not in ("approve", "waive"):
        return ""
    errors, name_them = _errors(ids, seen, decided), len(ids) > 1
    going = waived(errors).filter(pl.col("of_column") == (kind == "waive"))
    left = kept_back(errors, ids=name_them) if kind == "approve" else []
    return "; ".join([*summary(going, ids=name_them), *left])


def _errors(ids: Collection[int], seen: Assessment, decided: Decided) -> pl.DataFrame:
    these = pl.col("tmdb_id").is_in(list(ids))
    names = [rule.name for rule in RATING_ERRORS]
    found = seen.findings.filter(these, pl.col("rule").is_in(names))
    return with_waivers(found, seen.table.filter(these), decided.about(ids))


def _first(table: pl.DataFrame, ids: Sequence[int]) -> tuple[str, ...]:
    """Return the first few movies, a line each."""
    few = table.filter(pl.col("tmdb_id").is_in(ids[:SHOWN]))
    titles = dict(few.select("tmdb_id", "title").rows())
    return tuple(f"{titles[tmdb_id]} ({tmdb_id})" for tmdb_id in ids[:SHOWN])


def _extreme(findings: pl.DataFrame) -> tuple[str, ...]:
    """Return the few findings that are farthest off, the worst of each rule before all others."""
    worst = findings.with_columns(place=pl.int_range(pl.len()).over("rule"))
    few = worst.sort("place", maintain_order=True).head(SHOWN)
    names = ("title", "tmdb_id", "system", "value", "why", "proposal_value")
    return tuple(_drawn(*row) for row in few.select(names).rows())


def _drawn(
    title: str, tmdb_id: int, system: str | None, value: str, why: str, proposal: str | None
) -> str:
    what = " ".join(part for part in (SYSTEM_NAMES.get(system or ""), value) if part)
    if proposal not in (None, "ask"):
        return f"{title} ({tmdb_id}), {what} → {proposal}"
    return ", ".join(filter(None, (f"{title} ({tmdb_id})", what, why)))
