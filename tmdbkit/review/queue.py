"""The queue of movies that wait for a person's decision; plain Python, without a widget."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

import polars as pl

from tmdbkit.exceptions import NoSuchMovie, UsageError
from tmdbkit.quality import RULES, Rule
from tmdbkit.review import batch as batches
from tmdbkit.review import shown as views
from tmdbkit.review.assessment import Assessment, assess
from tmdbkit.review.batch import Batch
from tmdbkit.review.decided import Decided, reviewer
from tmdbkit.review.item import STATES, Filter, Item
from tmdbkit.review.sample import Sample
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.decisions import VERDICTS, field_named
from tmdbkit.stage.fitting import fitting
from tmdbkit.stage.stage import Stage

Confirm = Callable[[Batch], bool]

__all__ = ["STATES", "Batch", "Filter", "Item", "ReviewQueue"]


@checked
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
        self.by = by or reviewer()
        self.shown = Filter()
        self.said = ""  # what the latest verb has to say besides: what it waived
        self._rules = rules
        self.listeners: list[Callable[[], None]] = []  # called after whatever changes the view
        self._corrected: set[int] = set()
        self._ids, self._place = list[int](), 0
        self._sample, self._drawn = Sample((), frozenset()), tuple[int, ...]()
        self._decided = Decided(stage, self.by, now)
        self.take(seen or assess(stage, rules))

    def reload(self) -> None:
        """Read the stage anew: what was fetched, and what others decided meanwhile."""
        self.take(assess(self.stage, self._rules))

    def take(self, seen: Assessment) -> None:
        """Go on with what was seen of the stage; whichever movie is looked at stays in view."""
        at = self._at()
        # What was kept comes in a chunk for each row group, and every click goes through them all.
        self._seen = replace(seen, table=seen.table.rechunk(), findings=seen.findings.rechunk())
        self._decided.look()
        self._decided.compare(self._seen.table)
        self._rank()
        if at is not None and at in self._seen.table["tmdb_id"]:
            self.open(at)
        self._print()

    # What is there.

    def show(self, **shown: Any) -> Self:
        """Choose which movies are shown, by the attributes of `Filter`, the worst first."""
        self.shown, self._drawn = views.narrowed(self.shown, self._rules, **shown), ()
        self._rank()
        self._print()
        return self

    def sample(self, n: int, seed: int | None = None) -> Self:
        """Show so many movies at random of those without a finding that nobody has decided on."""
        self._ids = views.drawn(n, self._seen, self._decided.ids, seed)
        self._place, self._sample = 0, Sample.of(self._ids, self._decided.log)
        self._drawn = self._sample.ids
        self._print()
        return self

    def estimate(self) -> str:
        """Say how much is wrong at most, by what was decided on the sample until now."""
        return self._sample.says(self._decided.log)

    @property
    def rules(self) -> dict[str, int]:
        """Rules by name, and how many findings each has here, many first."""
        return dict(self._seen.rules)

    @property
    def decades(self) -> list[int]:
        """The decades that movies here are of."""
        return list(self._seen.decades)

    @property
    def corrected(self) -> set[int]:
        """The movies of which a value was set, or taken back, since the queue was opened."""
        return set(self._corrected)

    @property
    def ids(self) -> list[int]:
        """The movies that are shown, in order."""
        return list(self._ids)

    @property
    def position(self) -> str:
        """Which of the movies that are shown is looked at: "4 of 36 with findings"."""
        return views.position(self._ids, self._place, self._seen.findings)

    @property
    def current(self) -> Item | None:
        """The movie that is looked at, or None where nothing is left."""
        at = self._at()
        return None if at is None else self.item(at)

    def item(self, tmdb_id: int) -> Item:
        """Return one movie with all that is known of it, what others decided until now as well.

        Raises:
            NoSuchMovie: It is not staged.
        """
        self._look()
        self._decided.is_drawn([tmdb_id])
        return self._item(tmdb_id)

    def find(self, text: str) -> list[int]:
        """Return the movies that a text may mean: that of the id, or those with it in the title."""
        return views.meant(text, self._seen.table)

    def history(self, tmdb_id: int | None = None) -> pl.DataFrame:
        """Return all that was decided on a movie, oldest first: who, when, what, why."""
        self._look()
        return self._decided.history(self._meant(tmdb_id))

    @property
    def progress(self) -> tuple[int, int]:
        """How many movies are decided, and how many there are; those that changed are not."""
        return len(self._decided.ids), self._seen.table.height

    @property
    def left(self) -> int:
        """How many of the movies that are shown wait for a decision."""
        return len(self._ids) - len(self._decided.ids.intersection(self._ids))

    def __iter__(self) -> Iterator[Item]:
        return map(self._item, self.ids)

    def __repr__(self) -> str:
        decided, movies = self.progress
        return f"ReviewQueue({len(self):,} shown, {decided:,} of {movies:,} movies decided)"

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
        """Look at this movie, whatever is shown."""
        if self._meant(tmdb_id) not in self._ids:
            self._ids.insert(self._place, tmdb_id)
        self._place = self._ids.index(tmdb_id)
        self._print()

    def approve(self, tmdb_id: int | None = None, *, note: str = "") -> None:
        """Let it go, and waive the errors of it as it stands now; `said` tells which.

        Raises:
            DecidedMeanwhile: Somebody else decided on it; doing it again overrules that.
        """
        self._decide("approve", tmdb_id, note)

    def hold(self, tmdb_id: int | None = None, *, note: str = "") -> None:
        """Keep it back for now."""
        self._decide("hold", tmdb_id, note)

    def reject(self, tmdb_id: int | None = None, *, note: str = "") -> None:
        """Keep it back for good; nothing that is in Convex is deleted by that."""
        self._decide("reject", tmdb_id, note)

    def undecide(self, tmdb_id: int | None = None, *, note: str = "") -> None:
        """Let nobody have approved, held or rejected it; values that were set stay."""
        meant = self._allowed(tmdb_id)
        if self._decided.verdict(meant) is None:
            raise UsageError("nobody has decided on this")
        self._write(self._decided.row(meant, "undecide", note=note))
        self._print()

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
        fits, meant = fitting(name, value), self._allowed(tmdb_id, name)
        self._set(meant, {name: (fits, note)})

    def accept(self, tmdb_id: int | None = None, system: str | None = None) -> None:
        """Set what findings propose, for all systems or for one; the notes name the rules."""
        meant = self._allowed(tmdb_id, None)
        self._set(meant, self._item(meant).accepted(system))

    def undo(self, tmdb_id: int | None = None) -> bool:
        """Take back one's own latest decision or batch, of an earlier session too; tell if any was.

        Args:
            tmdb_id: Take back the latest that stands for this movie instead, whoever made it.
        """
        meant = None if tmdb_id is None else self._allowed(tmdb_id, None)
        if meant is None:
            self._look()
        going = self._decided.latest_own() if meant is None else self._decided.latest_of(meant)
        if going.is_empty():
            return False
        self._decided.take_back(going)
        staged = going.filter(pl.col("tmdb_id").is_in(self._seen.table["tmdb_id"].implode()))
        if corrected := set(staged.filter(kind="override")["tmdb_id"]):
            self._refresh(corrected)
        self.said = ""
        if not staged.is_empty():
            self.open(staged["tmdb_id"][0])
        return True

    # Many at once.

    def batch(self, kind: str, **shown: Any) -> Batch:
        """Return what `decide_all` would decide, and decide nothing."""
        if kind not in VERDICTS:
            raise UsageError(f"no decision {kind!r}; there are {', '.join(VERDICTS)}")
        self._look()
        chosen = views.narrowed(Filter(), self._rules, **shown)
        return batches.many(kind, chosen, self._ranked(chosen), self._seen, self._decided)

    def decide_all(
        self, kind: str, *, note: str = "", confirm: Confirm | None = None, **shown: Any
    ) -> Batch:
        """Decide on all that a filter shows, by default what is undecided; return what was done.

        Args:
            kind: `approve`, `hold` or `reject`.
            note: Why.
            confirm: Is asked with the batch; nothing is decided where it says no.
            shown: The attributes of `Filter`.
        """
        batch = self.batch(kind, **shown)
        if confirm is not None and not confirm(batch):
            return replace(batch, ids=())
        done = batches.decide(batch, self._seen, self._decided, note)
        self.said = batches.told(kind, done.ids, self._seen, self._decided)
        self._take_in()
        self._rank()
        self._print()
        return done

    def waive(
        self, rule: str, system: str, *, note: str = "", confirm: Confirm | None = None
    ) -> Batch:
        """Let the ratings of a system go that an error of its whole column keeps back."""
        self._look()
        batch = batches.of_column(rule, system, self._seen, self._decided)
        if confirm is not None and not confirm(batch):
            return replace(batch, ids=())
        self._write(self._decided.row(0, "waive", field=f"{rule}:{system}", note=note))
        self.said = batches.told("waive", batch.ids, self._seen, self._decided)
        self._print()
        return batch

    # Inside.

    def _print(self) -> None:
        for listener in self.listeners:
            listener()

    def _at(self) -> int | None:
        return self._ids[self._place] if self._place < len(self._ids) else None

    def _meant(self, tmdb_id: int | None) -> int:
        """Return which movie is meant, by default the one that is looked at."""
        if tmdb_id is None and (tmdb_id := self._at()) is None:
            raise UsageError("nothing is left to decide; show others, such as show(state='all')")
        if tmdb_id not in self._seen.table["tmdb_id"]:
            raise NoSuchMovie(f"{tmdb_id} is not staged")
        return tmdb_id

    def _item(self, tmdb_id: int) -> Item:
        return views.item(self._meant(tmdb_id), self.stage, self._seen, self._decided, self._rules)

    def _look(self) -> None:
        self._decided.look()
        self._take_in()

    def _take_in(self) -> None:
        """Let whoever draws draw what others decided since."""
        if not (news := self._decided.news()):
            return
        set_or_undone = {n["tmdb_id"] for n in news if n["kind"] in ("override", "undo")}
        if touched := set_or_undone.intersection(self._seen.table["tmdb_id"]):
            self._refresh(touched)
        self._print()

    def _decide(self, kind: str, tmdb_id: int | None, note: str) -> None:
        meant = self._allowed(tmdb_id)
        self._write(*batches.verdicts(kind, [meant], self._seen, self._decided, note))
        self.said = batches.told(kind, [meant], self._seen, self._decided)
        if self._at() == meant:
            self._place += 1
        with self._decided.as_read():
            self._print()

    def _set(self, tmdb_id: int, values: dict[str, tuple[Any, str]]) -> None:
        """Set values of a movie by their fields, each with its note; several are undone at once."""
        self._write(*batches.corrections(self._item(tmdb_id), values, self._decided))
        self._refresh([tmdb_id])
        self._print()

    def _allowed(self, tmdb_id: int | None, field: str | None = "") -> int:
        """Return which movie is meant, where no decision of others is in the way.

        Raises:
            DecidedMeanwhile: One is, and was not told of before.
        """
        meant = self._meant(tmdb_id)
        self._decided.look()
        with self._decided.as_read():
            try:
                self._decided.check(meant, field)
            finally:
                self._take_in()
        return meant

    def _write(self, *made: tuple[Any, ...]) -> None:
        """Log decisions on one movie, and stop where somebody else's crossed them."""
        crossed = self._decided.write(made)
        self._take_in()
        for error in crossed.values():
            raise error

    def _refresh(self, ids: Collection[int]) -> None:
        """Read some movies anew, after values of them were set."""
        self._corrected.update(ids)
        self._seen = self._seen.reread(self.stage, ids)
        self._decided.compare(self._seen.table, ids)
        self._print()  # the value is seen at once, and what the rules say of it a moment later
        self._seen = self._seen.rejudged(self.stage, ids, self._rules)

    def _ranked(self, shown: Filter) -> list[int]:
        return views.ranked(self._seen, shown, self._decided.ids, self._decided.changed)

    def _rank(self) -> None:
        """Put what is shown in order, a sample as it was drawn, and look at the first."""
        drawn = [n for n in self._drawn if n in self._seen.table["tmdb_id"]]
        self._ids, self._place = drawn or self._ranked(self.shown), 0
