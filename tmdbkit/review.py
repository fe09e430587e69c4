"""The queue of movies that wait for a person's decision; plain Python, without a widget."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from getpass import getuser
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from tmdbkit.decisions import (
    VERDICTS,
    changed_since,
    decision,
    field_named,
    fitting,
    judged,
    moved,
    standing,
)
from tmdbkit.exceptions import UsageError
from tmdbkit.quality import RULES, find
from tmdbkit.ratings.aggregate import consensus
from tmdbkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tmdbkit.quality import Rule
    from tmdbkit.stage import Stage

STATES = ("undecided", "changed", "decided", "all")


@dataclass(frozen=True)
class Filter:
    """Which movies of a queue are shown.

    Attributes:
        rule: Only those that break it.
        severity: Only those with an `error`, or with a `warning`.
        system: Only those with a finding on this system's rating.
        decade: Only those of these ten years, such as 1990.
        state: `undecided` (those that changed since among them), `changed`, `decided` or `all`.
        text: Only those whose title has it.
    """

    rule: str | None = None
    severity: str | None = None
    system: str | None = None
    decade: int | None = None
    state: str = "undecided"
    text: str = ""


@dataclass(frozen=True)
class Item:
    """One movie, and all that a person needs to decide on it.

    Attributes:
        movie: Its row of the flat table, with `consensus`, `certainty` and `spread`.
        findings: What is suspicious about it, frames of `quality.FINDINGS`.
        verdict: The decision that stands, or None.
        overrides: The values that people set, by field.
        changed: A line for each judged value that has moved since the verdict, old → new.
    """

    movie: dict[str, Any]
    findings: pl.DataFrame
    verdict: dict[str, Any] | None
    overrides: dict[str, str]
    changed: list[str]

    @property
    def tmdb_id(self) -> int:
        """Which movie it is."""
        return int(self.movie["tmdb_id"])


class ReviewQueue:
    """Movies that wait for a decision, the worst first.

    What is decided is in the stage's log before the verb returns, so nothing is lost with a tab or
    a kernel; what others decide meanwhile is theirs, and stands beside it.

    Args:
        stage: What is reviewed.
        by: Whose name decisions carry; default as the settings say, or the login.
        rules: By what findings are made.
        now: The time of day.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        by: str = "",
        rules: Sequence[Rule] = RULES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.stage = stage
        self.by = by or Settings.from_env().reviewer or _login()
        self.shown = Filter()
        self._rules, self._now = rules, now
        self._made: list[str] = []  # decisions of this queue, which `undo` takes back in turn
        self._place = 0
        self.reload()

    def reload(self) -> None:
        """Read the stage anew: what was fetched, and what others decided meanwhile."""
        movies, ratings = self.stage.for_rules()
        self._ratings = ratings
        self._findings = find(movies, ratings, self._rules, now=self.stage.now())
        agreed = consensus(ratings).drop("systems")
        self._table = movies.join(agreed, on="tmdb_id", how="left", maintain_order="left")
        self._read_decisions()
        self._rank()

    # What is there.

    def show(self, **shown: Any) -> Self:
        """Choose which movies are shown, by the attributes of `Filter`, and begin with the worst.

        Raises:
            UsageError: No such state, or no such rule.
        """
        chosen = replace(self.shown, **shown)
        if chosen.state not in STATES:
            raise UsageError(f"no state {chosen.state!r}; there are {', '.join(STATES)}")
        if chosen.rule is not None and chosen.rule not in {rule.name for rule in self._rules}:
            raise UsageError(f"no rule {chosen.rule!r}")
        self.shown = chosen
        self._rank()
        return self

    @property
    def ids(self) -> list[int]:
        """The movies that are shown, in order."""
        return list(self._ids)

    @property
    def current(self) -> Item | None:
        """The movie that is looked at, or None where nothing is left."""
        return self.item(self._ids[self._place]) if self._place < len(self._ids) else None

    def item(self, tmdb_id: int) -> Item:
        """Return one movie with all that is known of it.

        Raises:
            KeyError: It is not staged.
        """
        rows = self._table.filter(pl.col("tmdb_id") == tmdb_id)
        if rows.is_empty():
            raise KeyError(f"{tmdb_id} is not staged")
        said = self._said.get(tmdb_id, {})
        return Item(
            rows.row(0, named=True),
            self._findings.filter(pl.col("tmdb_id") == tmdb_id),
            said.get(""),
            {field: row["value"] for field, row in said.items() if field},
            self._changed.get(tmdb_id, []),
        )

    @property
    def progress(self) -> tuple[int, int]:
        """How many movies are decided, and how many there are; those that changed are not."""
        return len(self._decided()), self._table.height

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, self.ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __bool__(self) -> bool:
        return True

    # What a person does.

    def go(self, step: int = 1) -> None:
        """Look at the next movie, or at the one so many places on; -1 is the one before."""
        self._place = max(0, min(self._place + step, len(self._ids)))

    def open(self, tmdb_id: int) -> None:
        """Look at this movie, whatever is shown.

        Raises:
            KeyError: It is not staged.
        """
        self.item(tmdb_id)
        if tmdb_id not in self._ids:
            self._ids.insert(self._place, tmdb_id)
        self._place = self._ids.index(tmdb_id)

    def approve(self, tmdb_id: int | None = None, *, note: str = "") -> None:
        """Let it go, and waive what is suspicious about it as it stands now."""
        self._decide("approve", tmdb_id, note)

    def hold(self, tmdb_id: int | None = None, *, note: str = "") -> None:
        """Keep it back for now."""
        self._decide("hold", tmdb_id, note)

    def reject(self, tmdb_id: int | None = None, *, note: str = "") -> None:
        """Keep it back for good; nothing that is in Convex is deleted by that."""
        self._decide("reject", tmdb_id, note)

    def correct(
        self, field: str, value: Any, tmdb_id: int | None = None, *, note: str = ""
    ) -> None:
        """Set a value by hand: it wins over any provider, and survives a refresh.

        Args:
            field: `imdb` for its points, `imdb_votes`, or a field of the document.
            value: The new value; None takes a rating away.
            tmdb_id: Which movie; default the one that is looked at.
            note: Why.

        Raises:
            UsageError: No such field, or a value that does not fit it.
        """
        name = field_named(field)
        fits = fitting(name, value)
        item = self._item(tmdb_id)
        column = _column(name)
        self._log(item, "override", note=note, field=name, value=fits, old=item.movie.get(column))
        self._refresh(item.tmdb_id)

    def undo(self) -> bool:
        """Take back the latest decision of this queue, and look at its movie; tell if there was."""
        if not self._made:
            return False
        name = self._made.pop()
        taken = self.stage.decisions().filter(pl.col("decision") == name).row(0, named=True)
        tmdb_id = int(taken["tmdb_id"])
        self.stage.add_decisions(
            decision(tmdb_id, "undo", name=token_hex(8), by=self.by, at=self._now(), undoes=name)
        )
        self._refresh(tmdb_id)
        self.open(tmdb_id)
        return True

    # Inside.

    def _item(self, tmdb_id: int | None) -> Item:
        item = self.current if tmdb_id is None else self.item(tmdb_id)
        if item is None:
            raise UsageError("nothing is left to decide; show others, such as show(state='all')")
        return item

    def _decide(self, kind: str, tmdb_id: int | None, note: str) -> None:
        item = self._item(tmdb_id)
        seen = item.findings.drop_nulls("system").select("rule", "system").rows()
        self._log(item, kind, note=note, waived=[f"{rule}:{system}" for rule, system in seen])
        self._read_decisions()
        if self._place < len(self._ids) and self._ids[self._place] == item.tmdb_id:
            self._place += 1

    def _log(self, item: Item, kind: str, **said: Any) -> None:
        row = self._table.filter(pl.col("tmdb_id") == item.tmdb_id)
        name = token_hex(8)
        self.stage.add_decisions(
            decision(
                item.tmdb_id,
                kind,
                name=name,
                by=self.by,
                at=self._now(),
                judged=row.select(judged()).item() if kind in VERDICTS else "",
                **said,
            )
        )
        self._made.append(name)

    def _refresh(self, tmdb_id: int) -> None:
        """Read one movie anew, after one of its values was set."""
        movies, ratings = self.stage.for_rules([tmdb_id])
        here = pl.col("tmdb_id") == tmdb_id
        found = find(movies, ratings, self._rules, now=self.stage.now())
        row = movies.join(consensus(ratings).drop("systems"), on="tmdb_id", how="left")
        place = self._table["tmdb_id"].index_of(tmdb_id)
        if place is not None:
            before, after = self._table.head(place), self._table.tail(-place - 1)
            self._table = pl.concat([before, row.select(self._table.columns), after])
        self._findings = pl.concat([self._findings.filter(~here), found])
        self._read_decisions()

    def _read_decisions(self) -> None:
        decisions = self.stage.decisions()
        self._said: dict[int, dict[str, dict[str, Any]]] = {}
        for row in standing(decisions).iter_rows(named=True):
            self._said.setdefault(row["tmdb_id"], {})[row["field"]] = row
        self._changed = {
            tmdb_id: moved(before, now)
            for tmdb_id, before, now in changed_since(self._table, decisions).rows()
        }

    def _decided(self) -> set[int]:
        return {n for n, said in self._said.items() if "" in said and n not in self._changed}

    def _rank(self) -> None:
        """Put what is shown in order: errors, then warnings, then what the systems disagree on."""
        found = self._findings
        if self.shown.rule is not None:
            found = found.filter(pl.col("rule") == self.shown.rule)
        if self.shown.severity is not None:
            found = found.filter(pl.col("severity") == self.shown.severity)
        if self.shown.system is not None:
            found = found.filter(pl.col("system") == self.shown.system)
        bad = found.group_by("tmdb_id").agg(
            (pl.col("severity") == "error").sum().alias("errors"), pl.len().alias("findings")
        )
        narrowed = any((self.shown.rule, self.shown.severity, self.shown.system))
        rows = self._table.join(bad, on="tmdb_id", how="inner" if narrowed else "left")
        ranked = rows.filter(self._wanted()).sort(
            pl.col("errors").fill_null(0),
            pl.col("findings").fill_null(0),
            pl.col("spread").fill_null(0.0),
            -pl.col("tmdb_id"),
            descending=True,
        )
        self._ids: list[int] = ranked["tmdb_id"].to_list()
        self._place = 0

    def _wanted(self) -> pl.Expr:
        decided, changed = list(self._decided()), list(self._changed)
        here = {
            "undecided": ~pl.col("tmdb_id").is_in(decided),
            "decided": pl.col("tmdb_id").is_in(decided),
            "changed": pl.col("tmdb_id").is_in(changed),
            "all": pl.lit(value=True),
        }[self.shown.state]
        if self.shown.decade is not None:
            here &= pl.col("year") // 10 * 10 == self.shown.decade
        if self.shown.text:
            titles = pl.col("title").str.to_lowercase()
            here &= titles.str.contains(self.shown.text.casefold(), literal=True)
        return here


def _login() -> str:
    """Return the login's name, or nothing where the machine knows none."""
    with suppress(OSError, KeyError, ImportError):
        return getuser()
    return ""


def _column(field: str) -> str:
    """Return the column of the flat table that shows a field."""
    part, _, system = field.partition(".")
    if not system:
        return part
    return f"{system}_points" if part == "vote_pts_system" else f"{system}_votes"
