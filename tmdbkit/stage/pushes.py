"""The import log: as a push writes it, as it is read, and how a stage stands by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.display import Drawn, counted_facts
from tmdbkit.stage.tables import IMPORTS, OUTCOMES

if TYPE_CHECKING:
    from tmdbkit.stage.store import StageStore

CHANGE = ["push", "tmdb_id"]
WROTE = pl.col("outcome").is_in(["created", "updated", "deleted"])
IS_INTENT = pl.col("kind").is_not_null()
IS_SETTLED = WROTE | pl.col("outcome").is_in(["unchanged", "conflict"])
VALUES = ("before", "after", "content_hash")
SIX_MONTHS = timedelta(days=180)  # TMDB's terms: no content is kept for longer
UNDO = "undo-"  # begins the plan of a push that takes another one back
_NARROW = ("push", "plan", "tmdb_id", "target", "identity", "outcome", "kind", "pushed_at")


@dataclass(frozen=True)
class PushLog:
    """Writes the rows of one push to the import log.

    Attributes:
        store: The stage's.
        push: The name of the push.
        plan: The name of the saved plan that it sends.
        target: Where it goes.
        identity: By which the target is known wherever it lies; "" where it has none.
    """

    store: StageStore
    push: str
    plan: str | None
    target: str
    identity: str

    def append(self, rows: pl.DataFrame) -> None:
        """Append intents or outcomes."""
        self.store.add_imports(
            rows.with_columns(
                push=pl.lit(self.push),
                plan=pl.lit(self.plan, pl.String),
                target=pl.lit(self.target),
                identity=pl.lit(self.identity or None, pl.String),
            )
        )


def joined(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row for each movie of a push, and at which `place` of the log it is.

    A row is logged before a change is sent, and has its values; another one, without them, says
    what came of it, `unknown` where there is none. Where several say so, since somebody looked
    too early, what was done counts, else the latest. Rows of older tmdbkits have it all in one.
    """
    logged = rows.unique(maintain_order=True).with_row_index("place")
    intents = logged.filter(IS_INTENT)
    said = logged.filter(~IS_INTENT)
    last = said.sort(WROTE, "place").unique(CHANGE, keep="last", maintain_order=True)
    of_intents = intents.drop("outcome", "reason", "withheld").join(
        last.select(*CHANGE, "outcome", "reason", "withheld"), on=CHANGE, how="left"
    )
    alone = said.join(intents, on=CHANGE, how="anti")
    filled = of_intents.with_columns(
        pl.col("outcome").fill_null("unknown"),
        pl.col("reason").fill_null(""),
        pl.col("withheld").fill_null(0),
    )
    names = alone.collect_schema().names()
    return pl.concat([alone, filled.select(names)])


def read(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the joined rows in the order of time."""
    in_time = joined(rows).sort("pushed_at", "tmdb_id", "place")
    return in_time.select(IMPORTS.names()).collect()


def unsettled(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the joined rows of all movies with an intent of which not all is known, as logged.

    That one was not done may have been found too early, until something else was.
    """
    narrow = rows.drop(VALUES)
    intents, said = (narrow.filter(kind) for kind in (IS_INTENT, ~IS_INTENT & IS_SETTLED))
    without = _ids(intents.join(said, on=CHANGE, how="anti"))
    if without.is_empty():  # as a rule; this costs next to nothing
        return IMPORTS.to_frame()
    wrote = pl.col("place").filter(WROTE).max().over("target", "tmdb_id")
    latest = wrote.is_null() | (wrote < pl.col("place"))
    of_these = joined(narrow.filter(pl.col("tmdb_id").is_in(without.implode())))
    found = _ids(of_these.filter(IS_INTENT & ~IS_SETTLED & latest))
    wanted = joined(rows.filter(pl.col("tmdb_id").is_in(found.implode())))
    return wanted.sort("place").select(IMPORTS.names()).collect()


def _ids(rows: pl.LazyFrame) -> pl.Series:
    """Return the movies of rows, each once."""
    return rows.select("tmdb_id").unique().collect()["tmdb_id"]


def by_push(imports: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each push, the newest first: when, which plan, where to, outcomes."""
    of_outcome = {
        name: (pl.col("outcome") == outcome).sum().cast(pl.Int64)
        for name, outcome in OUTCOMES.items()
    }
    rows = imports.group_by("push", "plan", "target").agg(
        pl.col("pushed_at").min().alias("began_at"),
        pl.len().cast(pl.Int64).alias("movies"),
        **of_outcome,
    )
    return rows.sort("began_at", "push", descending=True)


class Status(Drawn, dict[str, Any]):
    """Counts by name, and `targets`, a list of `{target, standing, unknown, last_push, at}`."""

    _heading = "Status"

    def _facts(self) -> list[tuple[str, str]]:
        facts = counted_facts({name: n for name, n in self.items() if name != "targets"})
        # A push's name and time are others each time: a notebook that is run again would differ.
        return facts + [("target", _summary(target)) for target in self["targets"]]


def _summary(target: dict[str, Any]) -> str:
    unknown = f", {target['unknown']:,} unknown" if target["unknown"] else ""
    return f"{target['target']}: {target['standing']:,} standing{unknown}"


@dataclass(frozen=True)
class Ages:
    """How old the payloads that count are; `oldest` and `newest` are None where nothing is staged.

    TMDB's terms want the `due` ones fetched again: of six months ago or before, or of a clock that
    was ahead.
    """

    oldest: datetime | None
    newest: datetime | None
    due: int


def ages(newest: pl.DataFrame, now: datetime) -> Ages:
    """Return how old payloads are, by the `fetched_at` of each movie's."""
    at = newest["fetched_at"]
    due = int((~at.is_between(now - SIX_MONTHS, now)).sum())
    oldest: Any = at.min()
    latest: Any = at.max()
    return Ages(oldest, latest, due)


def standing(imports: pl.LazyFrame) -> tuple[int, list[dict[str, Any]]]:
    """Return how many movies stand in any target, and for each target what `Status` says of it.

    One stands where it was created or updated, and neither taken back nor deleted since. The rows
    of the log have the `part` that each came in.
    """
    found = imports.select(*_NARROW, "part").collect()
    in_order = found if found["part"].is_sorted() else found.sort("part", maintain_order=True)
    rows = _by_place(in_order.drop("part").with_row_index("place"))
    stand = _standing(rows)
    unknown = _unknown(rows)
    last = rows.unique("where", keep="last", maintain_order=True).sort("place", descending=True)
    told = [
        {
            "target": target,
            "standing": stand.filter(pl.col("where") == where).height,
            "unknown": unknown.filter(pl.col("where") == where).height,
            "last_push": push,
            "at": at.isoformat(),
        }
        for target, where, push, at in last.select("target", "where", "push", "pushed_at").rows()
    ]
    return stand["tmdb_id"].n_unique(), told


def _by_place(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `where` each row is of: a snapshot by its identity, however its path is written."""
    known = rows.select("target", "identity").drop_nulls().unique("target", keep="last")
    place = pl.coalesce("identity", "identity_right", "target")
    joined = rows.join(known, on="target", how="left", maintain_order="left")
    return joined.with_columns(where=place).drop("identity", "identity_right")


def _standing(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `where, tmdb_id` of the movies that stand."""
    wrote = rows.filter(WROTE)
    left = wrote.join(_undone(wrote), on=CHANGE, how="anti", maintain_order="left")
    last = left.unique(["where", "tmdb_id"], keep="last", maintain_order=True)
    return last.filter(pl.col("outcome") != "deleted").select("where", "tmdb_id")


def _undone(wrote: pl.DataFrame) -> pl.DataFrame:
    """Return `push, tmdb_id` of what undos took back, and of these undos themselves.

    The last undo counts first: what it took back of another one counts no more.
    """
    of_undos = wrote.filter(pl.col("plan").str.starts_with(UNDO).fill_null(value=False))
    gone = of_undos.select(CHANGE).clear()
    for undo in reversed(of_undos["push"].unique(maintain_order=True).to_list()):
        some = of_undos.filter(pl.col("push") == undo).join(gone, on=CHANGE, how="anti")
        back = some.select(pl.col("plan").str.strip_prefix(UNDO).alias("push"), "tmdb_id")
        gone = pl.concat([gone, back, some.select(CHANGE)])
    return gone


def _unknown(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `where, tmdb_id` of intents of which nobody knows yet what became of them."""
    said = rows.filter(pl.col("outcome").is_not_null() & (pl.col("outcome") != "unknown"))
    intents = rows.filter(IS_INTENT).join(said, on=CHANGE, how="anti")
    if intents.is_empty():  # as a rule
        return intents.select("where", "tmdb_id")
    key = ["where", "tmdb_id"]
    later = rows.filter(WROTE).group_by(key).agg(wrote=pl.max("place"))
    found = intents.join(later, on=key, how="left")
    is_open = pl.col("wrote").is_null() | (pl.col("wrote") < pl.col("place"))
    return found.filter(is_open).select(key).unique()


def next_command(status: Status, due: int, changing: str | None, *, moved: bool) -> str:
    """Return what a person types next: what is most pressing by what the stage says of itself.

    So many movies are `due` to be fetched again, and not all is in the language it is `changing`
    to. What stands in targets has `moved` since.
    """
    return next(_commands(status, due, changing, moved=moved))


def _commands(status: Status, due: int, changing: str | None, *, moved: bool) -> Iterator[str]:
    if not status["staged"]:
        yield "stage 603"
    if changing:
        yield f"refresh --language {changing}"
    for target in status["targets"]:
        if target["unknown"]:
            yield f"verify{_option(target['target'])}"
    if due:
        yield f"refresh --older-than {SIX_MONTHS.days}d"
    if status["pushed"] < status["staged"] or moved:
        yield f"plan{''.join(_option(target['target']) for target in status['targets'][:1])}"
    yield "refresh --changed"


def _option(target: str) -> str:
    """Return how the command line names a target; a deployment is that of the settings."""
    kind, _, place = target.partition(" at ")
    return f" --snapshot {place}" if kind == "snapshot" else ""
