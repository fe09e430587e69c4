"""Sends rows to a target: planned, in batches that fit, with an outcome for every document."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import transform
from tmdbkit.convex.delivery import Delivery, movie_batches, row_batches
from tmdbkit.convex.plan import Change, content_hash, image_form, plan_changes, slug_candidates
from tmdbkit.exceptions import PassingFault
from tmdbkit.schema import CREW, GENRE, INSTANT, KEYS, MOVIE, ROW
from tmdbkit.views import draw_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from types import TracebackType

    from tmdbkit.convex.contract import Contract
    from tmdbkit.convex.target import Document, Target
    from tmdbkit.tmdb.images import ImageForm

CHUNK = 500  # movies that are planned, sent and logged before the next are looked at
PEOPLE = ("named", "all", "none")
SENT = (*ROW.names(), "created_at", "updated_at")  # of a document that is created
COLUMNS = {"crew": CREW.names(), "genres": GENRE.names()}
TOLD_APART_BY = {"crew": ["crew_id", "crew_type"], "genres": ["genre_id"]}

OUTCOMES = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "title": pl.String(),
        "outcome": pl.String(),
        "reason": pl.String(),
        "before": pl.String(),
        "after": pl.String(),
        "content_hash": pl.String(),
        "pushed_at": INSTANT,
    }
)


@dataclass(frozen=True)
class PushResult:
    """What a push came to.

    Attributes:
        target: Which target it went to.
        created: How many documents were made.
        updated: How many were changed.
        unchanged: How many were as they should be.
        withheld: How many were not sent, each with a reason.
        conflicts: How many had been changed by someone else meanwhile, and were left alone.
        failed: How many were refused or could not be sent.
        batches: How many mutations were sent.
        outcomes: One row for each movie.
        left_out: Fields and tables that the target does not know.
    """

    target: str
    created: int
    updated: int
    unchanged: int
    withheld: int
    conflicts: int
    failed: int
    batches: int
    outcomes: pl.DataFrame = field(repr=False)
    left_out: tuple[str, ...] = ()

    def counts(self) -> dict[str, str | int]:
        """Return the target and the counts by name."""
        return {name: getattr(self, name) for name in _COUNTED}

    def with_failures(self, unsent: Sequence[tuple[int, str]]) -> PushResult:
        """Return it with movies that never came as far as the target, `tmdb_id, reason`."""
        rows = [(tmdb_id, "", "failed", reason) for tmdb_id, reason in unsent]
        more = pl.DataFrame(rows, self.outcomes.schema, orient="row")
        outcomes = pl.concat([self.outcomes, more])
        return replace(self, failed=self.failed + len(unsent), outcomes=outcomes)

    def _facts(self) -> list[tuple[str, str]]:
        facts = [(name, f"{n:,}" if isinstance(n, int) else n) for name, n in self.counts().items()]
        if self.left_out:
            facts.append(("not known there", ", ".join(self.left_out)))
        told = self.outcomes.filter(pl.col("reason") != "").select("outcome", "title", "reason")
        return facts + [
            (outcome, f"{title or 'a movie'}: {reason}")
            for outcome, title, reason in told.head(10).rows()
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts("Pushed", self._facts())


_COUNTED = (
    "target",
    "created",
    "updated",
    "unchanged",
    "withheld",
    "conflicts",
    "failed",
    "batches",
)


class Importer:
    """One push: what it sends, to where, and what came of it.

    People and genres are sent once a run, before the movies that name them, parted by id so that
    no two batches in flight touch the same one.

    Args:
        target: Where it goes.
        people: `named`, `all` or `none`; default `all` where movies there have a crew.
        images: The form of images in an empty target.
        now: The time of day.
        log: Is given the outcomes of all rows that were pushed, and of those that a stop cut short.

    Raises:
        StopError: It is pointless to begin.
    """

    def __init__(
        self,
        target: Target,
        *,
        people: str | None,
        images: ImageForm,
        now: Callable[[], datetime],
        log: Callable[[pl.DataFrame], None] | None = None,
    ) -> None:
        self.target = target
        self.contract: Contract = target.contract()
        self._people = people or ("all" if self.contract.knows("movies", "crew") else "named")
        self._naming = [name for name in COLUMNS if self.contract.takes(name, COLUMNS[name])]
        if self._people == "none" and "crew" in self._naming:
            self._naming.remove("crew")
        self.contract.check("movies", SENT)
        for table in self._naming:
            self.contract.check(table, COLUMNS[table])
        self._images = image_form(target.page("movies", None, 50).documents, images)
        self._now, self._log = now, log
        self._named: set[int] = set()
        self._unfit: dict[str, Counter[str]] = {table: Counter() for table in self._naming}
        self._delivery = Delivery(target)

    def left_out(self) -> tuple[str, ...]:
        """Return the fields, tables and rows of ours that the target does not take."""
        fields = [name for name in MOVIE.names() if not self.contract.knows("movies", name)]
        tables = [name for name in COLUMNS if not self.contract.takes(name, COLUMNS[name])]
        unfit = [
            f"{faults.total():,} of {name} ({faults.most_common(1)[0][0]})"
            for name, faults in self._unfit.items()
            if faults
        ]
        return (*(f"movies.{name}" for name in fields), *tables, *unfit)

    @property
    def batches(self) -> int:
        """How many mutations were sent so far."""
        return self._delivery.batches

    def push(self, rows: pl.DataFrame, payloads: pl.DataFrame) -> pl.DataFrame:
        """Plan and send some rows; log and return their `OUTCOMES`.

        What came back before a stop, or before Ctrl-C, is logged too.

        Args:
            rows: Of the stage, in `schema.ROW`.
            payloads: `tmdb_id, payload, fetched_at` of the same movies, for the names of people.
        """
        documents = rows.to_dicts()
        answers: dict[int, Document] = {}
        try:
            changes = self._plan(documents)
        except PassingFault as error:  # none of them could be looked up; the next ones may
            changes = [Change(row["tmdb_id"], row["title"], "create") for row in documents]
            answers.update((change.tmdb_id, _failed(str(error))) for change in changes)
        try:
            if not answers:
                self._send(rows, payloads, changes, answers)
        finally:
            outcomes = self._outcomes(changes, answers)
            if self._log is not None:
                self._log(outcomes)
        return outcomes

    def close(self) -> None:
        """End the threads, after the requests in flight, and make the target durable."""
        try:
            self._delivery.close()
        finally:
            self.target.flush()

    def __enter__(self) -> Importer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.target.interrupt()
        self.close()

    def _plan(self, documents: list[Document]) -> list[Change]:
        there = self._delivery.ask(self.target.documents, [row["tmdb_id"] for row in documents])
        have = {int(document["tmdb_id"]) for document in there}
        new = [document for document in documents if document["tmdb_id"] not in have]
        slugs = [slug for document in new for slug in slug_candidates(document)]
        return plan_changes(
            documents,
            there,
            self.contract,
            images=self._images,
            taken=dict(self._delivery.ask(self.target.slug_owners, slugs)),
            now=_iso(self._now()),
        )

    def _send(
        self,
        rows: pl.DataFrame,
        payloads: pl.DataFrame,
        changes: list[Change],
        answers: dict[int, Document],
    ) -> None:
        """Send what is to be sent, and note the answers as they come."""

        def apply(batch: list[Document]) -> None:
            for answer in self.target.apply_movies(batch):
                answers[int(answer["tmdb_id"])] = answer

        going = {change.tmdb_id for change in changes if change.kind in ("create", "update")}
        wanted = pl.col("tmdb_id").is_in(list(going))
        waiting = self._send_names(rows.filter(wanted), payloads.filter(wanted))
        answers.update((tmdb_id, _failed(reason)) for tmdb_id, reason in waiting.items())
        arguments = [c.arguments() for c in changes if c.tmdb_id in going - waiting.keys()]
        for change, error in self._delivery.send(apply, arguments, movie_batches):
            answers[change["tmdb_id"]] = _failed(str(error))

    def _send_names(self, rows: pl.DataFrame, payloads: pl.DataFrame) -> dict[int, str]:
        """Send the people and genres of movies, and return which movies cannot go, and why."""
        waiting: dict[int, str] = {}
        if "crew" in self._naming:
            waiting |= self._send_rows(
                "crew", self.target.add_people, self._credits(rows, payloads)
            )
        if "genres" in self._naming:
            named = rows.select("tmdb_id", genre_id="genres").explode(
                "genre_id", empty_as_null=False, keep_nulls=False
            )
            genres = named.join(transform.genres(payloads), on="genre_id")
            waiting |= self._send_rows("genres", self.target.add_genres, genres)
        return waiting

    def _credits(self, rows: pl.DataFrame, payloads: pl.DataFrame) -> pl.DataFrame:
        """Return `tmdb_id` and the columns of `crew` of everybody who is to be sent."""
        credited = transform.people(payloads)
        if self._people == "all":
            return credited
        nobody = pl.lit([], dtype=pl.List(pl.Int64))
        fields = [n for n in ("cast", "directors", "crew") if self.contract.knows("movies", n)]
        held = rows.select("tmdb_id", crew_id=pl.concat_list(nobody, *fields)).explode(
            "crew_id", empty_as_null=False, keep_nulls=False
        )
        return credited.join(held, on=["tmdb_id", "crew_id"], how="semi")

    def _send_rows(
        self, table: str, send: Callable[[Sequence[Document]], object], named: pl.DataFrame
    ) -> dict[int, str]:
        """Send the rows that were not sent yet, and return the movies of those that failed."""
        key, columns = KEYS[table], COLUMNS[table]
        rows = (
            named.select(columns)
            .unique(TOLD_APART_BY[table], keep="last", maintain_order=True)
            .sort(key, maintain_order=True)
        )
        fresh = [row for row in rows.to_dicts() if self._is_fresh(table, row)]
        failures = self._delivery.send(send, fresh, partial(row_batches, key=key))
        if not failures:
            return {}
        reasons = {row[key]: f"its {table} could not be sent: {error}" for row, error in failures}
        self._named -= {_identity(table, row) for row, _ in failures}
        waiting = named.filter(pl.col(key).is_in(list(reasons))).select("tmdb_id", key)
        return {tmdb_id: reasons[failed] for tmdb_id, failed in waiting.rows()}

    def _is_fresh(self, table: str, row: Document) -> bool:
        """Tell whether a row is to be sent: it was not yet, and the table takes it."""
        identity = _identity(table, row)
        if identity in self._named:
            return False
        self._named.add(identity)
        faults = self.contract.faults(row, table)
        self._unfit[table].update(faults[:1])
        return not faults

    def _outcomes(self, changes: list[Change], answers: dict[int, Document]) -> pl.DataFrame:
        at = self._now()
        rows = []
        for change in changes:
            outcome, reason = _outcome(change, answers.get(change.tmdb_id))
            wrote = outcome in ("created", "updated")
            rows.append(
                (
                    change.tmdb_id,
                    change.title,
                    outcome,
                    reason,
                    _json(change.expected) if outcome == "updated" else None,
                    _json(change.set) if wrote else None,
                    content_hash(change.set) if wrote else None,
                    at,
                )
            )
        return pl.DataFrame(rows, OUTCOMES, orient="row")


def result(importer: Importer, outcomes: Iterable[pl.DataFrame]) -> PushResult:
    """Add up what a push came to."""
    rows = pl.concat([OUTCOMES.to_frame(), *outcomes])
    count = Counter(rows["outcome"].to_list())
    return PushResult(
        target=str(importer.target.title),
        created=count["created"],
        updated=count["updated"],
        unchanged=count["unchanged"],
        withheld=count["withheld"],
        conflicts=count["conflict"],
        failed=count["failed"],
        batches=importer.batches,
        outcomes=rows.select("tmdb_id", "title", "outcome", "reason"),
        left_out=importer.left_out(),
    )


def _outcome(change: Change, answer: Document | None) -> tuple[str, str]:
    """Return what became of a planned change, and why.

    The plan saw no such value, and carries the time of this push: where the target says that all
    of it is there already, it was written by a try of ours whose answer was lost.
    """
    if change.kind in ("unchanged", "withheld"):
        return change.kind, change.reason
    if answer is None:
        return "failed", "the push stopped before there was an answer"
    said = str(answer["outcome"])
    if said == "unchanged":
        return ("created" if change.kind == "create" else "updated"), ""
    if said == "conflict":
        return said, f"changed by someone else since: {', '.join(answer['differs'])}"
    return said, str(answer.get("reason", ""))


def _failed(reason: str) -> Document:
    return {"outcome": "failed", "reason": reason}


def _identity(table: str, row: Document) -> int:
    """Return a number by which a row that was sent is known again; a run meets a million."""
    return hash((table, *(row[name] for name in TOLD_APART_BY[table])))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
