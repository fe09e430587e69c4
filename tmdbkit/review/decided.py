"""What people decided on a queue's movies, as the stage's log has it, and who overrules whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from getpass import getuser
from secrets import token_hex
from time import sleep
from typing import Any

import polars as pl

from tmdbkit.exceptions import DecidedMeanwhile
from tmdbkit.review.told import sentence
from tmdbkit.settings import Settings
from tmdbkit.stage.decisions import (
    VERDICTS,
    changed_since,
    frame,
    live,
    moved,
    row,
    standing,
    verdicts,
)
from tmdbkit.stage.stage import Stage

Decision = dict[str, Any]
OF_HISTORY = ("at", "by", "kind", "field", "value", "old", "note")
LOOKS, PAUSE = 20, 0.05  # in which somebody who decides in the same moment takes that back
NAMES = ("decision", "undoes", "batch", "overrules")


def reviewer() -> str:
    """Return whose name decisions carry: the settings', the login's, or none."""
    with suppress(OSError, KeyError, ImportError):
        return Settings.from_env().reviewer or getuser()
    return ""


class Decided:
    """The decisions of a stage's log, in its order; what is new there is read when asked for.

    Args:
        stage: Whose log it is.
        by: Who decides here.
        now: The clock.

    Attributes:
        log: All of it, with the `part` that each decision came in.
        ids: The movies with a verdict that holds.
        changed: Of those where it does not, by id, a line for each judged value that moved since.
        made: The names of what was decided here.
    """

    def __init__(self, stage: Stage, by: str, now: Callable[[], datetime]) -> None:
        self._store, self.by, self._now = stage.store, by, now
        self._parts = set(self._store.decisions.parts())
        self.log = self._store.decided_in(sorted(self._parts))
        self._table = pl.DataFrame()
        self.ids: set[int] = set()
        self.changed: dict[int, list[str]] = {}
        self.made: set[str] = set()
        self._own = set(self.log.filter(pl.col("by") == by, pl.lit(by != ""))["decision"])
        self._shown: set[str] = set()  # others' decisions that whoever decides here was told of
        self._news: list[Decision] = []
        self._unseen: dict[int, Decision] = {}  # by movie, what came in since it was drawn
        self._said: dict[int, dict[str, Decision]] = {}
        self._is_read = False  # the log, a moment ago

    @contextmanager
    def as_read(self) -> Iterator[None]:
        """Let nothing newer be seen: what came in meanwhile would be overruled, or can wait."""
        self._is_read = True
        try:
            yield
        finally:
            self._is_read = False

    # What stands.

    def verdict(self, tmdb_id: int) -> Decision | None:
        """Return the verdict that stands for a movie, if one does."""
        said = self._said.get(tmdb_id, {}).get("")
        return said if said and said["kind"] in VERDICTS else None

    def overrides(self, tmdb_id: int) -> dict[str, Decision]:
        """Return the corrections of a movie that stand, by field."""
        said = self._said.get(tmdb_id, {})
        return {field: made for field, made in said.items() if made["kind"] == "override"}

    def about(self, ids: Collection[int]) -> pl.DataFrame:
        """Return the log as far as it is about some movies, or about whole columns."""
        return self.log.filter(pl.col("tmdb_id").is_in([0, *ids]))

    def history(self, tmdb_id: int) -> pl.DataFrame:
        """Return all that was decided on a movie, oldest first, and whether it was taken back."""
        own = self.log.filter(pl.col("tmdb_id") == tmdb_id)
        back = pl.col("decision").is_in(own["undoes"].implode())
        return own.select(*OF_HISTORY, back.alias("taken_back"), *NAMES)

    def latest_of(self, tmdb_id: int) -> pl.DataFrame:
        """Return the last of the decisions on a movie that stand."""
        return standing(self.log.filter(pl.col("tmdb_id") == tmdb_id)).tail(1)

    def latest_own(self) -> pl.DataFrame:
        """Return one's latest decision that is not taken back, from here or earlier; or its batch.

        What was decided here comes before all that carries the same name.
        """
        left = live(self.log)
        own = left.filter(pl.col("decision").is_in(list(self.made)))
        if own.is_empty():
            own = left.filter(pl.col("by") == self.by, pl.lit(self.by != ""))
        last = own.tail(1)
        is_one = last.is_empty() or last["batch"].item() is None
        return last if is_one else own.filter(pl.col("batch") == last["batch"].item())

    # Together with others.

    def look(self) -> None:
        """Read what was decided elsewhere since the log was last read."""
        if self._is_read:
            return
        parts = [part for part in self._store.decisions.parts() if part not in self._parts]
        if not parts:
            return
        self._parts.update(parts)
        read = self._store.decided_in(parts)
        new = read.join(self.log, on="decision", how="anti", maintain_order="left")
        self.log = pl.concat([self.log, new]).sort("part", maintain_order=True)
        came = new.rows(named=True)
        self._news += came
        self._unseen |= {made["tmdb_id"]: made for made in came if made["tmdb_id"]}
        self._count_again(set(new["tmdb_id"]))

    def news(self) -> list[Decision]:
        """Return what came in from elsewhere since this was last asked."""
        news, self._news = self._news, []
        return news

    def unseen(self, ids: Iterable[int]) -> set[int]:
        """Return those of some movies on which something was decided since they were drawn."""
        return self._unseen.keys() & set(ids)

    def is_drawn(self, ids: Iterable[int]) -> None:
        """Note that somebody sees some movies as they are now."""
        for tmdb_id in ids:
            self._unseen.pop(tmdb_id, None)

    def check(self, tmdb_id: int, field: str | None) -> None:
        """Stop whoever has not seen what somebody else decided on a movie since it was drawn.

        Args:
            tmdb_id: The movie.
            field: Of which correction, or "" the verdict, somebody else's is to be told as well,
                even where it could be seen.

        Raises:
            DecidedMeanwhile: This tells them; the next time they may.
        """
        stands = None if field is None else self.others(tmdb_id, field)
        is_told = stands is None or stands["decision"] in self._shown
        if told := self._unseen.pop(tmdb_id, None) or (None if is_told else stands):
            raise self._meanwhile(told, stands)

    def others(self, tmdb_id: int, field: str = "") -> Decision | None:
        """Return the decision of somebody else that stands where another one would."""
        stands = self.overrides(tmdb_id).get(field) if field else self.verdict(tmdb_id)
        return stands if stands and stands["decision"] not in self._own else None

    def _meanwhile(self, *made: Decision | None) -> DecidedMeanwhile:
        """Return what tells the first of some decisions; all of them are known here from now on."""
        said = [each for each in made if each]
        self._shown.update(each["decision"] for each in said)
        return DecidedMeanwhile(f"{sentence(said[0], self._now())}; do it again to overrule that")

    # Deciding.

    def row(self, tmdb_id: int, kind: str, *, field: str = "", **said: Any) -> tuple[Any, ...]:
        """Return a decision of one's own, made now, which says whom it overrules."""
        others = None if kind == "undo" else self.others(tmdb_id, field)
        overrules = others["decision"] if others else None
        said |= {"field": field, "overrules": overrules}
        return row(tmdb_id, kind, name=token_hex(8), by=self.by, at=self._now(), **said)

    def write(self, rows: Sequence[tuple[Any, ...]]) -> dict[int, DecidedMeanwhile]:
        """Log decisions; return, by movie, what somebody else decided in the same moment.

        What was decided here on those movies, without having seen that, is taken back at once.
        """
        part = self._add(rows)
        self.look()
        own = self.log.filter(part=part)
        crossed = {
            made["tmdb_id"]
            for made in own.iter_rows(named=True)
            if _crosses(self._unseen.get(made["tmdb_id"]), made)
        }
        crossed = {tmdb_id for tmdb_id in crossed if not self._gives_way(tmdb_id, part)}
        if crossed:
            self.take_back(own.filter(pl.col("tmdb_id").is_in(list(crossed))))
        return {n: self._meanwhile(self._unseen.pop(n), self.others(n)) for n in crossed}

    def _gives_way(self, tmdb_id: int, part: str) -> bool:
        """Return whether somebody else takes a decision back for one's own of an earlier part.

        A part has its name before anybody can see it: whoever has a later one may have seen it.
        """
        theirs = self._unseen[tmdb_id]
        for _ in range(LOOKS if theirs["part"] > part else 0):
            sleep(PAUSE)
            self.look()
            if theirs["decision"] in self.log["undoes"]:
                del self._unseen[tmdb_id]
                return True
        return False

    def take_back(self, going: pl.DataFrame) -> None:
        """Undo decisions, those of a batch at once."""
        batch = token_hex(8) if going.height > 1 else None
        self._add(
            [
                self.row(tmdb_id, "undo", undoes=name, batch=batch)
                for tmdb_id, name in going.select("tmdb_id", "decision").rows()
            ]
        )

    def _add(self, rows: Sequence[tuple[Any, ...]]) -> str:
        made = frame(rows)
        part = self._store.add_decisions(made)
        self._parts.add(part)
        self._own.update(made["decision"])
        self.made.update(made["decision"])
        self.log = pl.concat([self.log, made.with_columns(part=pl.lit(part))])
        self._count_again(set(made["tmdb_id"]))
        return part

    # Counting what stands.

    def compare(self, table: pl.DataFrame, ids: Collection[int] | None = None) -> None:
        """Count what stands, and compare what it judged with the movies' rows, of all or of some.

        Args:
            table: Flat rows of all movies, as they are now.
            ids: The movies whose rows are other ones; default all.
        """
        self._table = table
        if ids is None:
            self._said, self.ids, self.changed = {}, set(), {}
            self._count(self.log)
        else:
            self._count_again(ids)

    def _count_again(self, ids: Collection[int]) -> None:
        for tmdb_id in ids:
            self._said.pop(tmdb_id, None)
            self.changed.pop(tmdb_id, None)
        self.ids.difference_update(ids)
        self._count(self.log.filter(pl.col("tmdb_id").is_in(list(ids))))

    def _count(self, log: pl.DataFrame) -> None:
        for made in standing(log).iter_rows(named=True):
            self._said.setdefault(made["tmdb_id"], {})[made["field"]] = made
        said = verdicts(log)
        since = changed_since(self._table, said).rows()
        self.changed |= {tmdb_id: moved(before, now) for tmdb_id, before, now in since}
        self.ids.update(said["tmdb_id"])
        self.ids.difference_update(self.changed)


def _crosses(theirs: Decision | None, own: Decision) -> bool:
    """Tell whether somebody else's decision was made without its maker or oneself seeing both.

    It is before one's own in the log, or after it and replaces it without saying so.
    """
    if theirs is None:
        return False
    if theirs["part"] < own["part"]:
        return True
    replaces = theirs["kind"] != "undo" and theirs["field"] == own["field"]
    return bool(replaces and theirs["overrules"] != own["decision"])
