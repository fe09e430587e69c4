"""The queue of movies that wait for a person's decision; plain Python, without a widget."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from getpass import getuser
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from tmdbkit.exceptions import NoSuchMovie, UsageError
from tmdbkit.quality import RULES
from tmdbkit.review.assessment import Assessment, assess
from tmdbkit.review.item import STATES, Filter, Item
from tmdbkit.settings import Settings
from tmdbkit.stage.decisions import (
    VERDICTS,
    changed_since,
    decision,
    field_named,
    judged,
    moved,
    standing,
)
from tmdbkit.stage.fitting import fitting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tmdbkit.quality import Rule
    from tmdbkit.stage.stage import Stage

__all__ = ["STATES", "Filter", "Item", "ReviewQueue"]


class ReviewQueue:
    """Movies that wait for a decision, the worst first.

    What is decided is in the stage's log before the verb returns, so nothing is lost with a tab or
    a kernel; what others decide meanwhile is theirs, and stands beside it.

    Args:
        stage: What is reviewed.
        by: Whose name decisions carry; default as the settings say, or the login.
        rules: By what findings are made.
        now: The clock.
        seen: What there is to see of the movies; default all of the stage.

    Example:
        >>> queue = ReviewQueue(tmdbkit.sample(), by="Ann")
        >>> queue.current.findings["rule"].to_list()
        ['scale_mix_up', 'far_off', 'too_fine']
        >>> queue.correct("metacritic", 54, note="a decimal point too many")
        >>> queue.approve()
        >>> queue.progress
        (1, 96)
    """

    def __init__(
        self,
        stage: Stage,
        *,
        by: str = "",
        rules: Sequence[Rule] = RULES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seen: Assessment | None = None,
    ) -> None:
        self.stage = stage
        self.by = by or Settings.from_env().reviewer or _login()
        self.shown = Filter()
        self._rules, self._now = rules, now
        self.listeners: list[Callable[[], None]] = []  # called after whatever changes the view
        self._made: list[str] = []  # decisions of this queue, which `undo` takes back in turn
        self._corrected: set[int] = set()
        self._ids: list[int] = []
        self._place = 0
        self.take(seen or assess(stage, rules))

    def reload(self) -> None:
        """Read the stage anew: what was fetched, and what others decided meanwhile."""
        self.take(assess(self.stage, self._rules))

    def take(self, seen: Assessment) -> None:
        """Go on with what was seen of the stage; whichever movie is looked at stays in view."""
        at = self._ids[self._place] if self._place < len(self._ids) else None
        # What was kept comes in a chunk for each row group, and every click goes through them all.
        whole = replace(seen, table=seen.table.rechunk(), findings=seen.findings.rechunk())
        self._see(whole, self.stage.decisions())
        self._count()
        self._rank()
        if at is not None and at in self._table["tmdb_id"]:
            self.open(at)
        self._print()

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
            rules = ", ".join(sorted(rule.name for rule in self._rules))
            raise UsageError(f"no rule {chosen.rule!r}; there are {rules}")
        self.shown = chosen
        self._rank()
        self._print()
        return self

    @property
    def rules(self) -> dict[str, int]:
        """Rules by name, and how many findings each has here, many first."""
        return dict(self._rules_found)

    @property
    def decades(self) -> list[int]:
        """The decades that movies here are of."""
        return list(self._decades)

    @property
    def corrected(self) -> set[int]:
        """The movies of which this queue has set a value, or taken one back."""
        return set(self._corrected)

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
            NoSuchMovie: It is not staged.
        """
        place = self._row_of(tmdb_id)
        said = self._said.get(tmdb_id, {})
        return Item(
            {**self._table.row(place, named=True), "own": self.stage.store.own_of(tmdb_id)},
            self._findings.filter(pl.col("tmdb_id") == tmdb_id),
            said.get(""),
            {field: row["value"] for field, row in said.items() if field},
            self._changed.get(tmdb_id, []),
            self.stage.store.poster(tmdb_id),
            online=not self.stage.store.settings.offline,
            sentences={rule.name: rule.sentence for rule in self._rules},
        )

    @property
    def progress(self) -> tuple[int, int]:
        """How many movies are decided, and how many there are; those that changed are not."""
        return len(self._decided()), self._table.height

    @property
    def left(self) -> int:
        """How many of the movies that are shown wait for a decision."""
        return len(self._ids) - len(self._decided().intersection(self._ids))

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
        self._print()

    def open(self, tmdb_id: int) -> None:
        """Look at this movie, whatever is shown.

        Raises:
            NoSuchMovie: It is not staged.
        """
        self.item(tmdb_id)
        if tmdb_id not in self._ids:
            self._ids.insert(self._place, tmdb_id)
        self._place = self._ids.index(tmdb_id)
        self._print()

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
        self._set(self._item(tmdb_id), {name: (fits, note)})

    def accept(self, tmdb_id: int | None = None, system: str | None = None) -> None:
        """Set the values that findings propose; the notes name the rules.

        Args:
            tmdb_id: Which movie; default the one that is looked at.
            system: Only what is proposed for this system's rating.

        Raises:
            UsageError: Nothing is proposed.
        """
        item = self._item(tmdb_id)
        found = [one for one in item.proposals if system in (None, one.system)]
        if not found:
            of = f" of {system!r}" if system else ""
            raise UsageError(f"no finding{of} proposes a value for {item.card.heading()}")
        notes = ((one, f"proposed by {one.rule}") for one in found)
        self._set(item, {field_named(one.field): (one.value, note) for one, note in notes})

    def undo(self) -> bool:
        """Take back the latest decision of this queue, and look at its movie; tell if there was."""
        if not self._made:
            return False
        name = self._made.pop()
        taken = self._decisions.filter(pl.col("decision") == name).row(0, named=True)
        tmdb_id = int(taken["tmdb_id"])
        self._keep(
            decision(tmdb_id, "undo", name=token_hex(8), by=self.by, at=self._now(), undoes=name)
        )
        if taken["kind"] == "override":
            self._refresh(tmdb_id)
        self.open(tmdb_id)
        return True

    # Inside.

    def _print(self) -> None:
        for listener in self.listeners:
            listener()

    def _row_of(self, tmdb_id: int) -> int:
        place = self._table["tmdb_id"].index_of(tmdb_id)
        if place is None:
            raise NoSuchMovie(f"{tmdb_id} is not staged")
        return place

    def _item(self, tmdb_id: int | None) -> Item:
        item = self.current if tmdb_id is None else self.item(tmdb_id)
        if item is None:
            raise UsageError("nothing is left to decide; show others, such as show(state='all')")
        return item

    def _decide(self, kind: str, tmdb_id: int | None, note: str) -> None:
        item = self._item(tmdb_id)
        seen = item.findings.drop_nulls("system").select("rule", "system").rows()
        self._log(item, kind, note=note, waived=[f"{rule}:{system}" for rule, system in seen])
        if self._place < len(self._ids) and self._ids[self._place] == item.tmdb_id:
            self._place += 1
        self._print()

    def _set(self, item: Item, values: dict[str, tuple[Any, str]]) -> None:
        """Set values by their fields, each with its note."""
        for field, (value, note) in values.items():
            self._log(item, "override", note=note, field=field, value=value, old=item.value(field))
        self._refresh(item.tmdb_id)
        self._print()

    def _log(self, item: Item, kind: str, **said: Any) -> None:
        row = self._table.slice(self._row_of(item.tmdb_id), 1)
        name = token_hex(8)
        self._keep(
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

    def _keep(self, made: pl.DataFrame) -> None:
        """Write a decision to the stage, and count it here."""
        self.stage.store.add_decisions(made)
        self._read_decisions(pl.concat([self._decisions, made]))

    def _refresh(self, tmdb_id: int) -> None:
        """Read one movie anew, after one of its values was set."""
        self._corrected.add(tmdb_id)
        seen = Assessment(self._table, self._findings, self._columns)
        seen = seen.reread(self.stage, [tmdb_id])
        self._see(seen, self._decisions)
        self._print()  # the value is seen at once, and what the rules say of it a moment later
        self._see(seen.rejudged(self.stage, [tmdb_id], self._rules), self._decisions)
        self._count()

    def _see(self, seen: Assessment, decisions: pl.DataFrame) -> None:
        self._table, self._findings, self._columns = seen.table, seen.findings, seen.columns
        self._read_decisions(decisions)

    def _count(self) -> None:
        """Count anew what the view can be narrowed by."""
        self._rules_found = self._findings["rule"].value_counts(sort=True).rows()
        self._decades = (self._table["year"].drop_nulls() // 10 * 10).unique().sort().to_list()

    def _read_decisions(self, decisions: pl.DataFrame) -> None:
        self._decisions = decisions
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
        shown = self._table.select("tmdb_id", "title", "year", "spread")
        wanted = shown.filter(self._wanted())
        rows = wanted.join(bad, on="tmdb_id", how="inner" if narrowed else "left")
        ranked = rows.sort(
            pl.col("errors").fill_null(0),
            pl.col("findings").fill_null(0),
            pl.col("spread").fill_null(0.0),
            -pl.col("tmdb_id"),
            descending=True,
        )
        self._ids = ranked["tmdb_id"].to_list()
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
