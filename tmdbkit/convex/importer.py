"""Sends rows to a target: planned, in batches that fit, with an outcome for every document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType

import polars as pl

from tmdbkit import transform
from tmdbkit.convex.changes import (
    NOTHING,
    Change,
    Earlier,
    Withheld,
    image_form,
    mark_taken_back,
    plan_changes,
    slug_candidates,
)
from tmdbkit.convex.delivery import (
    READ,
    READ_SLUGS,
    Answers,
    Delivery,
    corrected,
    movie_batches,
    row_batches,
)
from tmdbkit.convex.intents import UnsettledIntents, intents, unknown
from tmdbkit.convex.merge import PushOptions
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.read import Contact
from tmdbkit.convex.results import TOLD
from tmdbkit.convex.target import Document, Target
from tmdbkit.exceptions import PassingFault
from tmdbkit.schema import CREW, GENRE, IMAGES, KEYS, MOVIE, ROW, own_validator

Tell = Callable[[int, str], None]

MOST_NAMED = 200_000  # people in mind; then some are sent once more, which changes nothing
CHUNK = 500  # movies that are planned, sent and logged before the next are looked at
IMAGES_ARE = {
    "url": "images are set as addresses; --images path is for an app that adds the prefix itself",
    "path": "images are set as bare paths; --images url is for an app that shows them as they are",
}
SENT = (*ROW.names(), "created_at", "updated_at")  # of a document that is created
COLUMNS = {"crew": CREW.names(), "genres": GENRE.names()}
TOLD_APART_BY = {"crew": ["crew_id", "crew_type"], "genres": ["genre_id"]}


@dataclass(frozen=True)
class PlanWithNames:
    """A plan whose people and genres were sent.

    Attributes:
        plan: The plan.
        waiting: Movies that cannot go, because one of their people or genres could not; and why.
        error: What ended the run meanwhile.
    """

    plan: Plan
    waiting: dict[int, str]
    error: BaseException | None = None


class Importer:
    """One push: what it sends, to where, and what came of it.

    People and genres are sent once a run, before the movies that name them, parted by id so that
    no two batches in flight touch the same one.

    Args:
        target: Where it goes.
        options: What it may touch, and in which form.
        contact: What the target said at the first contact.
        unsettled: Intents of earlier pushes; what is read of their movies tells what they came to.
        log: Is given the intents of all rows before they are sent, and what came of them after.
        now: The clock.
        earlier: Returns what TMDB gave for some movies before; for a plan, which says what is gone.

    Attributes:
        outcomes: What became of each plan so far, in `TOLD`.
        otherwise: The answers that turned out otherwise when all was made durable.

    Raises:
        StopError: It is pointless to begin.
    """

    def __init__(
        self,
        target: Target,
        options: PushOptions,
        contact: Contact,
        unsettled: UnsettledIntents,
        log: Callable[[pl.DataFrame], None],
        now: Callable[[], datetime],
        earlier: Earlier = lambda _: {},
    ) -> None:
        self.target = target
        self._scope, self._left = options.scope, options.limit
        self.contract = contact.contract
        self._own = {name: own_validator(dtype) for name, dtype in options.own.items()}
        self._people = options.people or (
            "all" if self.contract.knows("movies", "crew") else "named"
        )
        self._naming = [name for name in COLUMNS if self.contract.takes(name, COLUMNS[name])]
        if self._people == "none" and "crew" in self._naming:
            self._naming.remove("crew")
        self._images = image_form(contact.movies, options.images)
        self._first_images = not any(row.get(name) for row in contact.movies for name in IMAGES)
        self._sets_images = False
        self._now, self._log, self._unsettled, self._earlier = now, log, unsettled, earlier
        self._intended: dict[int, Plan] = {}  # whose changes are in the log, and no outcomes yet
        self._held: list[pl.DataFrame] = []  # outcomes that count only after the flush
        self.outcomes: list[pl.DataFrame] = []
        self.otherwise: dict[int, Document] = {}
        self._named: set[int] = set()
        self._given: list[dict[str, int]] = []  # slugs, of each plan that is not sent yet
        self._unfit: dict[str, Counter[str]] = {table: Counter() for table in self._naming}
        self._delivery = Delivery(target)

    def left_out(self) -> tuple[str, ...]:
        """Return the fields, tables and rows of ours that the target does not take."""
        ours = (*MOVIE.names(), *self._own)
        fields = [name for name in ours if not self.contract.knows("movies", name)]
        tables = [name for name in COLUMNS if not self.contract.takes(name, COLUMNS[name])]
        unfit = [
            f"{faults.total():,} of {name} ({faults.most_common(1)[0][0]})"
            for name, faults in self._unfit.items()
            if faults
        ]
        return (*(f"movies.{name}" for name in fields), *tables, *unfit)

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know: how images are held in a target that had none."""
        if not (self._first_images and self._sets_images) or self._images.converts:
            return ()
        return (IMAGES_ARE[self._images.form],)

    @property
    def batches(self) -> int:
        """How many mutations were sent so far."""
        return self._delivery.batches

    def plan(
        self, rows: pl.DataFrame, payloads: pl.DataFrame, withheld: Withheld = NOTHING
    ) -> Plan:
        """Compare some rows of the stage with the target, and return what a push of them would do.

        The payloads of the same movies name the people; what is `withheld` of them is not to be
        sent.
        """
        self._check_contract()
        changes = self._few_enough(self._compare(rows.to_dicts(), withheld))
        going = pl.col("tmdb_id").is_in([change.tmdb_id for change in changes if change.goes])
        names = self._names(rows.filter(going), payloads.filter(going))
        self._sets_images |= any(IMAGES & change.set.keys() for change in changes)
        return Plan.to(
            self.target.title,
            tuple(changes),
            names=names,
            left_out=self.left_out(),
            scope=self._scope,
            notes=self.notes(),
        )

    def _check_contract(self) -> None:
        """Make sure that what is planned can be created; a way back needs no new documents."""
        if self._scope.only is not None:  # which creates nothing, and names nobody
            self.contract.check_kinds("movies", self._scope.only, self._own)
            return
        self.contract.check("movies", SENT, self._own)
        for table in self._naming:
            self.contract.check(table, COLUMNS[table])

    def prepare(
        self, rows: pl.DataFrame, payloads: pl.DataFrame, withheld: Withheld = NOTHING
    ) -> Plan:
        """Plan some rows to be sent; where they cannot be looked up, the plan says so of each."""
        try:
            return self.plan(rows, payloads, withheld)
        except PassingFault as error:  # the next ones may be looked up all the same
            changes = tuple(
                Change(tmdb_id, title, "failed", reason=str(error))
                for tmdb_id, title in rows.select("tmdb_id", "title").rows()
            )
            return Plan.to(self.target.title, changes)

    def send_names(self, plan: Plan) -> PlanWithNames:
        """Log what a plan is about to change, and send the people and genres that its movies name.

        A log that cannot be written ends the run before anything is sent. What ends it is raised
        by `send`, which is next, and logs what became of the plan's movies first.
        """
        send = {"crew": self.target.add_people, "genres": self.target.add_genres}
        waiting: dict[int, str] = {}
        try:
            if not plan.undoes and any(change.kind == "create" for change in plan.changes):
                self._check_contract()  # a saved plan was made for the contract of its day
            self._log(intents(plan.changes, self._now()))
            self._intended[id(plan)] = plan
            for table, named in plan.names.items():
                waiting |= self._send_rows(table, send[table], named)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                self.press()
            return PlanWithNames(plan, waiting, error)
        return PlanWithNames(plan, waiting)

    def send(self, named: PlanWithNames, tell: Tell = lambda *_: None) -> pl.DataFrame:
        """Send exactly what a plan says of its movies; log what came of them, and return it.

        What came back before a stop, or before Ctrl-C, is logged too. `tell` hears with each batch
        how many movies are settled, and a note.
        """
        answers = Answers(named.waiting)
        try:
            if named.error is not None:
                raise named.error
            self._send_movies(named, answers, tell)
        finally:
            self._log_outcomes(named.plan, answers)
        self._given = self._given[1:]
        return self.outcomes[-1]

    def _log_outcomes(self, plan: Plan, answers: Answers) -> None:
        """Log what became of a plan; what nobody knows of an earlier push stands with that one.

        But for a way back, which has come to it by saying so.
        """
        self._intended.pop(id(plan), None)
        own = [change.kind != "unknown" or bool(plan.undoes) for change in plan.changes]
        outcomes = answers.outcomes(plan.changes, self._now())
        self.outcomes.append(outcomes.select(TOLD))
        (self._held.append if self.target.deferred else self._log)(outcomes.filter(own))

    def _few_enough(self, changes: list[Change]) -> list[Change]:
        """Leave out the changes that go beyond the limit of the run."""
        if self._left is None:
            return changes
        some = []
        for change in changes:
            if not change.goes or self._left > 0:
                some.append(change)
                self._left -= change.goes
        return some

    def press(self) -> None:
        """Pass on a Ctrl-C that polars has raised in another thread than the main one."""
        self._delivery.press()

    def close(self) -> None:
        """End the threads, after the requests in flight, and make the target durable.

        Plans whose movies were about to be sent when the run ended are logged as not sent.
        """
        try:
            self._delivery.close()
        finally:
            if self.batches:
                self.otherwise = self.target.flush()
            for plan in list(self._intended.values()):
                self._log_outcomes(plan, Answers({}))
            if self._held:
                self._log(corrected(pl.concat(self._held), self.otherwise))

    def __enter__(self) -> Importer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.target.interrupt()
        self.close()

    def _compare(self, documents: list[Document], withheld: Withheld) -> list[Change]:
        ids = [row["tmdb_id"] for row in documents]
        plain = [row["slug"] for row in documents] if self._scope.only is None else []
        asked = self._delivery.ask_all(
            (self.target.documents, ids, READ), (self.target.slug_owners, plain, READ_SLUGS)
        )
        there, owners = next(asked), dict(next(asked))
        settled = self._unsettled.settle(ids, there)
        have = {int(document["tmdb_id"]) for document in there}
        new = [document for document in documents if document["tmdb_id"] not in have]
        changes = plan_changes(
            documents,
            there,
            self.contract,
            images=self._images,
            taken=self._taken(new, owners) if self._scope.only is None else {},
            now=_iso(self._now()),
            scope=self._scope,
            withheld=withheld,
        )
        created = [change for change in changes if change.kind == "create"]
        self._given.append({str(change.set.get("slug")): change.tmdb_id for change in created})
        return [*mark_taken_back(changes, there, self._earlier), *unknown(settled)]

    def _taken(self, new: list[Document], owners: dict[str, int]) -> dict[str, int]:
        """Return who has the slugs that new movies may get: there, or by a plan not sent yet.

        The second choices are asked for only where the first is taken.
        """
        plain = Counter(document["slug"] for document in new)
        taken = owners.copy()
        for given in self._given:
            taken |= given
        further = [
            slug
            for document in new
            if document["slug"] in taken or plain[document["slug"]] > 1
            for slug in slug_candidates(document)[1:]
        ]
        asked = self._delivery.ask_all((self.target.slug_owners, further, READ_SLUGS))
        return dict(next(asked)) | taken

    def _names(self, rows: pl.DataFrame, payloads: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Return the rows of crew and genres that movies need, each with the movie's id."""
        named: dict[str, pl.DataFrame] = {}
        if self._scope.only is not None or rows.is_empty():
            return named
        if "crew" in self._naming:
            named["crew"] = self._credits(rows, payloads)
        if "genres" in self._naming:
            held = rows.select("tmdb_id", genre_id="genres").explode(
                "genre_id", empty_as_null=False, keep_nulls=False
            )
            named["genres"] = held.join(transform.genres(payloads), on="genre_id")
        return named

    def _send_movies(self, named: PlanWithNames, answers: Answers, tell: Tell) -> None:
        """Send the movies whose names are there, and note the answers as they come."""
        going = [change for change in named.plan.changes if change.goes]
        staying = len(named.plan.changes) - len(going)
        failed = self._delivery.send(
            answers.hear(self.target.apply_movies),
            [change.arguments() for change in going if change.tmdb_id not in named.waiting],
            movie_batches,
            lambda note: tell(staying + len(answers), note),
        )
        answers.fail(failed)

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
        if len(self._named) >= MOST_NAMED:
            self._named.clear()
        self._named.add(identity)
        faults = self.contract.faults(row, table)
        self._unfit[table].update(faults[:1])
        return not faults


def _identity(table: str, row: Document) -> int:
    """Return a number by which a row that was sent is known again; a run meets a million."""
    return hash((table, *(row[name] for name in TOLD_APART_BY[table])))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
