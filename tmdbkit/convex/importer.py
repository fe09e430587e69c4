"""Sends rows to a target: planned, in batches that fit, with an outcome for every document."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit import transform
from tmdbkit.convex.plan import Change, content_hash, image_form, plan_changes, slug_candidates
from tmdbkit.exceptions import BatchTooLarge, PassingFault, RequestRefused, ServiceError
from tmdbkit.schema import CREW, INSTANT, MOVIE
from tmdbkit.views import draw_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from tmdbkit.convex.contract import Contract
    from tmdbkit.convex.target import Document, Target
    from tmdbkit.tmdb.images import ImageForm

CHUNK = 500  # movies that are planned, sent and logged before the next are looked at
READ = 100  # documents a query, some 4 KB each
BATCH_MOVIES, BATCH_PEOPLE = 50, 500  # under 2,000 of the 4,096 index ranges of a mutation
BATCH_BYTES = 2**20
IN_FLIGHT = 4
PEOPLE = ("named", "all", "none")

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

    People are sent once a run, before the movies that name them, parted by id so that no two
    batches in flight touch the same person.

    Args:
        target: Where it goes.
        people: `named`, `all` or `none`; default `all` where movies there have a crew.
        images: The form of images in an empty target.
        now: The time of day.
    """

    def __init__(
        self,
        target: Target,
        *,
        people: str | None,
        images: ImageForm,
        now: Callable[[], datetime],
    ) -> None:
        self.target = target
        self.contract: Contract = target.contract()
        self.contract.check(set(MOVIE.names()))
        self._people = people or ("all" if self.contract.knows("movies", "crew") else "named")
        self._images = image_form(target.page("movies", None, 50).documents, images)
        self._now = now
        self._sent: set[int] = set()
        self._batches = 0
        self._pool = ThreadPoolExecutor(IN_FLIGHT, "tmdbkit-push")

    def left_out(self) -> tuple[str, ...]:
        """Return the fields and tables of ours that the target does not know."""
        fields = [name for name in MOVIE.names() if not self.contract.knows("movies", name)]
        tables = [name for name in ("crew", "genres") if not self.contract.knows(name)]
        return (*(f"movies.{name}" for name in fields), *tables)

    @property
    def batches(self) -> int:
        """How many mutations were sent so far."""
        return self._batches

    def push(self, rows: pl.DataFrame, payloads: pl.DataFrame) -> pl.DataFrame:
        """Plan and send some rows, and return their `OUTCOMES`.

        Args:
            rows: Of the stage, in `schema.ROW`.
            payloads: `tmdb_id, payload, fetched_at` of the same movies, for the names of people.
        """
        documents = rows.to_dicts()
        changes = self._plan(documents)
        going = {change.tmdb_id for change in changes if change.kind in ("create", "update")}
        self._send_names(rows, payloads, going)
        sent = self._send_changes([change for change in changes if change.tmdb_id in going])
        return self._outcomes(changes, sent)

    def close(self) -> None:
        """End the threads, after the requests in flight, and make the target durable."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.target.flush()

    def __enter__(self) -> Importer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _plan(self, documents: list[Document]) -> list[Change]:
        ids = [document["tmdb_id"] for document in documents]
        there = [
            found
            for some in self._pool.map(self.target.documents, _sliced(ids, READ))
            for found in some
        ]
        have = {int(document["tmdb_id"]) for document in there}
        wanted = [
            slug
            for document in documents
            if document["tmdb_id"] not in have
            for slug in slug_candidates(document)
        ]
        owners = self._pool.map(self.target.slug_owners, _sliced(wanted, READ))
        return plan_changes(
            documents,
            there,
            self.contract,
            images=self._images,
            taken=dict(owner for some in owners for owner in some),
            now=_iso(self._now()),
        )

    def _send_names(self, rows: pl.DataFrame, payloads: pl.DataFrame, going: set[int]) -> None:
        """Send the people and genres of the movies that are going."""
        wanted = pl.col("tmdb_id").is_in(list(going))
        some = payloads.filter(wanted)
        if self.contract.knows("crew") and self._people != "none":
            people = self._credited(rows.filter(wanted), some)
            _all(self._pool.map(self._send_people, _people_batches(people)))
        if self.contract.knows("genres") and going:
            genres = transform.genres(some).to_dicts()
            _all(self._pool.map(self._send_genres, _sliced(genres, BATCH_PEOPLE)))

    def _credited(self, rows: pl.DataFrame, payloads: pl.DataFrame) -> list[Document]:
        """Return the rows of `crew` that were not sent yet, by id."""
        people = transform.people(payloads)
        if self._people == "named":
            people = people.join(self._named(rows), on=["tmdb_id", "crew_id"], how="semi")
        people = people.select(CREW.names()).unique(["crew_id", "crew_type"]).sort("crew_id")
        fresh = []
        for person in people.to_dicts():
            key = hash((person["crew_id"], person["crew_type"]))
            if key not in self._sent:
                self._sent.add(key)
                fresh.append(person)
        return fresh

    def _named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return `tmdb_id, crew_id` of everybody whom a field that is sent holds."""
        fields = [n for n in ("cast", "directors", "crew") if self.contract.knows("movies", n)]
        return rows.select("tmdb_id", crew_id=pl.concat_list(fields)).explode(
            "crew_id", empty_as_null=False, keep_nulls=False
        )

    def _send_people(self, people: list[Document]) -> None:
        self._halving(self.target.add_people, people, lambda _row, _error: [])

    def _send_genres(self, genres: list[Document]) -> None:
        self._halving(self.target.add_genres, genres, lambda _row, _error: [])

    def _send_changes(self, changes: list[Change]) -> dict[int, Document]:
        sent = self._pool.map(self._send_batch, _movie_batches(changes))
        return {int(outcome["tmdb_id"]): outcome for some in sent for outcome in some}

    def _send_batch(self, batch: list[Document]) -> list[Document]:
        def failed(change: Document, error: ServiceError) -> list[Document]:
            return [{"tmdb_id": change["tmdb_id"], "outcome": "failed", "reason": str(error)}]

        return self._halving(self.target.apply_movies, batch, failed)

    def _halving(
        self,
        send: Callable[[Sequence[Document]], Any],
        batch: list[Document],
        failed: Callable[[Document, ServiceError], list[Document]],
    ) -> list[Document]:
        """Send a batch; where it is refused, halve it until what is refused stands alone."""
        self._batches += 1
        try:
            answer = send(batch)
        except PassingFault as error:
            return [outcome for item in batch for outcome in failed(item, error)]
        except (BatchTooLarge, RequestRefused) as error:
            if len(batch) == 1:
                return failed(batch[0], error)
        else:
            return answer if isinstance(answer, list) else []
        middle = len(batch) // 2
        first = self._halving(send, batch[:middle], failed)
        return first + self._halving(send, batch[middle:], failed)

    def _outcomes(self, changes: list[Change], sent: dict[int, Document]) -> pl.DataFrame:
        at = self._now()
        rows = []
        for change in changes:
            outcome, reason = _outcome(change, sent.get(change.tmdb_id))
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


def _outcome(change: Change, sent: Document | None) -> tuple[str, str]:
    """Return what became of a planned change, and why.

    The plan saw no such value, and carries the time of this push: where the target says that all
    of it is there already, it was written by a try of ours whose answer was lost.
    """
    if change.kind in ("unchanged", "withheld"):
        return change.kind, change.reason
    if sent is None:
        return "failed", "not sent: the push stopped before"
    said = str(sent["outcome"])
    if said == "unchanged":
        return ("created" if change.kind == "create" else "updated"), ""
    if said == "conflict":
        return said, f"changed by someone else since: {', '.join(sent['differs'])}"
    return said, str(sent.get("reason", ""))


def _movie_batches(changes: Iterable[Change]) -> Iterator[list[Document]]:
    """Cut changes into batches by count and by bytes."""
    batch: list[Document] = []
    filled = 0
    for change in changes:
        arguments = change.arguments()
        size = len(_json(arguments).encode())
        if batch and (len(batch) >= BATCH_MOVIES or filled + size > BATCH_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(arguments)
        filled += size
    if batch:
        yield batch


def _people_batches(people: list[Document]) -> Iterator[list[Document]]:
    """Cut people, who are sorted by id, into batches that no person straddles."""
    batch: list[Document] = []
    for person in people:
        if len(batch) >= BATCH_PEOPLE and batch[-1]["crew_id"] != person["crew_id"]:
            yield batch
            batch = []
        batch.append(person)
    if batch:
        yield batch


def _sliced(items: Sequence[Any], size: int) -> Iterator[Any]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _all(results: Iterable[object]) -> None:
    """Wait for all of them, and raise what one of them raised."""
    for _ in results:
        pass


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
