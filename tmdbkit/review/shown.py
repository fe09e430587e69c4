"""Which of a queue's movies a filter shows, and in which order: the worst first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import MAXYEAR
from random import Random
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.display import SYSTEM_NAMES, plain
from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.progress import counted
from tmdbkit.quality import Rule
from tmdbkit.review.assessment import Assessment
from tmdbkit.review.item import STATES, Filter, Item
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.stage import Stage

if TYPE_CHECKING:
    from tmdbkit.review.decided import Decided


DIGITS = 16  # that an id has at most


def narrowed(shown: Filter, rules: Sequence[Rule], /, **chosen: Any) -> Filter:
    """Return a filter with some attributes changed.

    Raises:
        UsageError: There is no such attribute, or not that value of it.
    """
    of = {
        "state": STATES,
        "severity": ("error", "warning"),
        "system": SYSTEMS,
        "rule": sorted(rule.name for rule in rules),
    }
    for name, value in chosen.items():
        if name not in vars(shown):
            raise UsageError(
                f"no filter {name!r}; there are {', '.join(vars(shown))}"
                f"{did_you_mean(name, vars(shown))}"
            )
        if name in of and value not in of[name] and (value is not None or name == "state"):
            raise UsageError(f"no {name} {value!r}; there are {', '.join(of[name])}")
    if (decade := chosen.get("decade")) is not None:
        chosen["decade"] = _decade(decade)
    if not isinstance(text := chosen.get("text", ""), str):
        raise UsageError(f"text is what titles have, such as 'matrix', not {plain(repr(text), 60)}")
    return replace(shown, **chosen)


def _decade(year: Any) -> int:
    """Return the first year of the decade that a year is of."""
    if isinstance(year, bool) or not isinstance(year, int) or not 0 <= year <= MAXYEAR:
        raise UsageError(f"no decade {plain(repr(year), 60)}; give a year of it, such as 1990")
    return year // 10 * 10


def ranked(
    seen: Assessment, shown: Filter, decided: Collection[int], changed: Collection[int]
) -> list[int]:
    """Return movies in order: errors, then warnings, then what the systems disagree on.

    Args:
        seen: All movies.
        shown: Which of them.
        decided: The movies with a verdict that holds.
        changed: Those with one that does not hold any more.
    """
    found = findings(seen.findings, shown)
    bad = found.group_by("tmdb_id").agg(
        (pl.col("severity") == "error").sum().alias("errors"), pl.len().alias("findings")
    )
    of_findings = any((shown.rule, shown.severity, shown.system))
    movies = seen.table.select("tmdb_id", "title", "year", "spread")
    wanted = movies.filter(_wanted(shown, decided, changed))
    rows = wanted.join(bad, on="tmdb_id", how="inner" if of_findings else "left")
    return rows.sort(
        pl.col("errors").fill_null(0),
        pl.col("findings").fill_null(0),
        pl.col("spread").fill_null(0.0),
        -pl.col("tmdb_id"),
        descending=True,
    )["tmdb_id"].to_list()


def findings(found: pl.DataFrame, shown: Filter) -> pl.DataFrame:
    """Return the findings that a filter is about."""
    for name in ("rule", "severity", "system"):
        if (value := getattr(shown, name)) is not None:
            found = found.filter(pl.col(name) == value)
    return found


def in_words(shown: Filter) -> str:
    """Say which movies a filter shows."""
    parts = (
        "movies in any state" if shown.state == "all" else f"{shown.state} movies",
        shown.rule and f"that break {shown.rule}",
        shown.severity and f"with {'an error' if shown.severity == 'error' else 'a warning'}",
        shown.system and f"with a finding on {SYSTEM_NAMES[shown.system]}",
        f"of the {shown.decade}s" if shown.decade is not None else "",
        shown.text and f"with {shown.text!r} in the title",
    )
    return ", ".join(part for part in parts if part)


def _wanted(shown: Filter, decided: Collection[int], changed: Collection[int]) -> pl.Expr:
    here = {
        "undecided": ~pl.col("tmdb_id").is_in(list(decided)),
        "decided": pl.col("tmdb_id").is_in(list(decided)),
        "changed": pl.col("tmdb_id").is_in(list(changed)),
        "all": pl.lit(value=True),
    }[shown.state]
    if shown.decade is not None:
        here &= pl.col("year") // 10 * 10 == shown.decade
    return here & _has_text(shown.text) if shown.text else here


def item(
    tmdb_id: int, stage: Stage, seen: Assessment, decided: Decided, rules: Sequence[Rule]
) -> Item:
    """Return a movie with all that is known of it."""
    corrections = decided.overrides(tmdb_id).items()
    return Item(
        {**seen.row(tmdb_id), "own": stage.store.own_of(tmdb_id)},
        seen.findings.filter(pl.col("tmdb_id") == tmdb_id),
        decided.verdict(tmdb_id),
        {field: made["value"] for field, made in corrections},
        decided.changed.get(tmdb_id, []),
        stage.store.poster(tmdb_id),
        online=not stage.store.settings.offline,
        sentences={rule.name: rule.sentence for rule in rules},
    )


def position(ids: Sequence[int], place: int, findings: pl.DataFrame) -> str:
    """Say at which of the movies shown somebody is, counted among those with findings."""
    found = set(findings["tmdb_id"])
    if place >= len(ids) or ids[place] not in found:
        return f"{min(place + 1, len(ids)):,} of {len(ids):,}"
    of_these = [tmdb_id for tmdb_id in ids if tmdb_id in found]
    return f"{of_these.index(ids[place]) + 1:,} of {len(of_these):,} with findings"


def drawn(n: int, seen: Assessment, decided: Collection[int], seed: int | None) -> list[int]:
    """Return movies at random of those without a finding that nobody has decided on.

    Raises:
        UsageError: There is none, or less than one is asked for.
    """
    undecided = seen.table.filter(~pl.col("tmdb_id").is_in(list(decided)))
    clean = undecided.join(seen.findings, on="tmdb_id", how="anti")["tmdb_id"].sort()
    if n < 1 or clean.is_empty():
        there = counted(len(clean), "movie")
        raise UsageError(f"no sample of {n}; {there} without a finding are undecided")
    return Random(seed).sample(clean.to_list(), min(n, len(clean)))  # noqa: S311 - no secret


def meant(text: str, table: pl.DataFrame) -> list[int]:
    """Return the movies that a text may mean: that of the id, or those with it in their title."""
    if text.isdecimal() and len(text) <= DIGITS and int(text) in table["tmdb_id"]:
        return [int(text)]
    return table.filter(_has_text(text))["tmdb_id"].to_list()


def _has_text(text: str) -> pl.Expr:
    """Return whether a title has a text in it, in any case."""
    return pl.col("title").str.to_lowercase().str.contains(text.lower(), literal=True)
