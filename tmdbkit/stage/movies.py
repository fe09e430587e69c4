"""The movies of a stage: what TMDB said, the rows made from it, and which of them count."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import transform
from tmdbkit.executors import spread
from tmdbkit.schema import INSTANT
from tmdbkit.stage.damage import reading
from tmdbkit.stage.log import Log, among
from tmdbkit.stage.parts import MERGED
from tmdbkit.stage.storage import root_of
from tmdbkit.stage.tables import DROPPED, FAILURES, PAYLOADS, STAGED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Executor
    from datetime import datetime

    from tmdbkit.stage.parts import Order
    from tmdbkit.stage.storage import Root

TAG = "tmdbkit.transform"
LOOKING = 8  # threads that look at parts
KEYS = ("tmdb_id", "fetched_at", "file")  # of a row: both logs have it in a file of one name
AGE = pl.col("fetched_at")
# Of rows that an older tmdbkit merged, a drop is before the others: it had taken out all it meant.
ANSWERED = pl.when(pl.col("http_status") != DROPPED).then(AGE)
CHECKS = pl.Schema({"tmdb_id": pl.Int64(), "fetched_at": INSTANT, "checked_at": INSTANT})


class Holdings:
    """Two logs with files of the same names: payloads, and the rows made from them.

    The rows of a file are made again where they are missing, or of another transform than today's.
    Of a payload that cannot become one, a third log says why. A fourth, of checks, says until when
    a payload was known to be what TMDB has.

    Args:
        root: Where the stage is.
        options: What shapes rows.
        order: Whose names the parts of payloads take.
    """

    def __init__(self, root: Root, options: transform.Options, order: Order | None = None) -> None:
        failed_at = pl.col("failed_at")
        self.payloads = Log(root.under("payloads"), PAYLOADS, _kept, age=ANSWERED, order=order)
        self.movies = Log(root.under("movies"), transform.ROWS, age=AGE)
        self.failures = Log(root.under("failures"), FAILURES, age=failed_at, order=order)
        self.checks = Log(root.under("checks"), CHECKS, _latest_checks)
        self._root = root
        self._options = options
        self._current: set[str] = set()

    def parts(self) -> list[str]:
        """Return the parts of payloads, once each has rows of the transform of today."""
        parts = self.payloads.parts()
        self._derive_stale(parts)
        return parts

    def derive_stale(self, executor: Executor | None = None, workers: int = 1) -> int:
        """Make the rows of parts whose transform is not today's; return how many there were."""
        parts = self.payloads.parts()
        if executor is None:
            return self._derive_stale(parts)
        stale = self._stale(parts)
        work = partial(derive_part, self._root.full, self._options)
        for part in spread(executor, work, stale, workers):
            self._current.add(part)
        return len(stale)

    def _derive_stale(self, parts: list[str]) -> int:
        stale = self._stale(parts)
        for part in stale:
            self.derive_again(part)
        return len(stale)

    def derive_again(self, part: str) -> None:
        """Make the rows of a part that is there already."""
        with reading(self._root):
            payloads = self.payloads.scan([part]).collect()
        self.derive(part, payloads)

    def _stale(self, parts: list[str]) -> list[str]:
        """Return the parts without rows of the transform of today; each is looked at once."""
        self._current &= self.movies.all_parts()
        unknown = [part for part in parts if part not in self._current]
        tag = self._options.tag()
        with ThreadPoolExecutor(LOOKING) as pool:  # an object store answers each after a while
            tags = list(pool.map(lambda part: self.movies.tag(part, TAG), unknown))
        made = {part for part, found in zip(unknown, tags, strict=True) if found == tag}
        self._current |= made
        return [part for part in unknown if part not in made]

    def derive(self, part: str, payloads: pl.DataFrame) -> pl.DataFrame:
        """Make the rows of a part of payloads; note the malformed ones as failures, return them.

        Each says the part that it came in, as what was merged does there: DuckDB sees no log.
        """
        staged = payloads.filter(pl.col("http_status") == STAGED)
        made = transform.transform(staged, self._options)
        if not made.malformed.is_empty():
            self._note(_failures(made.malformed, staged))
        rows = made.rows.with_columns(part=pl.lit(part))
        if "part" in payloads.columns:
            came_in = staged.select("tmdb_id", "fetched_at", "part")
            rows = made.rows.join(came_in, on=["tmdb_id", "fetched_at"], maintain_order="left")
        self.movies.append(rows, name=part, tags={TAG: self._options.tag()})
        self._current.add(part)
        return made.malformed

    def _note(self, failed: pl.DataFrame) -> None:
        """Append failures that are not in their log: rows are made more than once."""
        with reading(self._root):
            key = ["tmdb_id", "failed_at"]
            known = self.failures.scan().filter(among(failed["tmdb_id"].to_list())).select(key)
            new = failed.join(known.collect(), on=key, how="anti")
        if not new.is_empty():
            self.failures.append(new)

    def rows(self) -> pl.LazyFrame:
        """Return `transform.ROWS` of the staged movies."""
        parts = self.parts()
        return self.movies.scan_files(parts).join(self._newest(parts), on=KEYS, how="semi")

    def rows_of(self, found: pl.DataFrame) -> pl.LazyFrame:
        """Return the rows of some `KEYS`."""
        return self._those(found, self.movies)

    def _those(self, found: pl.DataFrame, log: Log) -> pl.LazyFrame:
        """Return what a log has of some `KEYS`; polars skips the row groups far off."""
        ids = found["tmdb_id"]
        near = pl.col("tmdb_id").is_between(ids.min(), ids.max())
        files = found["file"].unique().sort().to_list()
        return (
            log.scan_files(files)
            .filter(near)
            .join(found.lazy(), on=KEYS, how="semi", maintain_order="left")
        )

    def texts(self, found: pl.DataFrame) -> pl.LazyFrame:
        """Return the payloads of some of the newest."""
        texts = self._those(found, self.payloads).filter(pl.col("http_status") == STAGED)
        return texts.select("tmdb_id", "payload", "fetched_at")

    def ids(self) -> set[int]:
        """Return the ids of the staged movies; nothing is sorted for it."""
        return set(
            self._standing(self.parts(), None).select("tmdb_id").unique().collect()["tmdb_id"]
        )

    def newest(self, tmdb_ids: Iterable[int] | None = None) -> pl.LazyFrame:
        """Return the `KEYS` of the row that counts, for every staged movie or for some."""
        return self._newest(self.parts(), tmdb_ids)

    def _newest(self, parts: list[str], tmdb_ids: Iterable[int] | None = None) -> pl.LazyFrame:
        """Look for them in some parts; only narrow columns are sorted, never whole rows."""
        rows = self._standing(parts, tmdb_ids)
        return rows.sort("part", maintain_order=True).unique("tmdb_id", keep="last")

    def _standing(self, parts: list[str], tmdb_ids: Iterable[int] | None) -> pl.LazyFrame:
        """Return `KEYS` and part of all rows in some parts but for those of dropped movies."""
        rows = self.movies.scan_files(parts).select(*KEYS, "part")
        if tmdb_ids is not None:
            rows = rows.filter(among(list(tmdb_ids)))
        return _without_dropped(rows, self.payloads.scan(parts))

    def versions(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return the `KEYS` of every payload there was, as they came, each once; none dropped."""
        rows = self._standing(self.parts(), tmdb_ids).sort("part", maintain_order=True)
        last = rows.unique(["tmdb_id", "fetched_at"], keep="last", maintain_order=True)
        return last.collect()

    def settled(self) -> pl.LazyFrame:
        """Return `tmdb_id, fetched_at, part` of all that came of ids: rows, and answers of none."""
        parts = self.parts()
        none = self.payloads.scan(parts).filter(pl.col("http_status") != STAGED)
        which = ("tmdb_id", "fetched_at", "part")
        return pl.concat([self.movies.scan(parts).select(which), none.select(which)])

    def as_of(self) -> pl.DataFrame:
        """Return `tmdb_id, fetched_at, as_of`: until when a payload is known to be TMDB's."""
        checked = self.checks.scan().group_by("tmdb_id", "fetched_at").agg(pl.max("checked_at"))
        newest = self.newest().join(checked, on=["tmdb_id", "fetched_at"], how="left")
        as_of = pl.max_horizontal("fetched_at", "checked_at")
        return newest.select("tmdb_id", "fetched_at", as_of=as_of).sort("tmdb_id").collect()

    def add_checks(self, rows: pl.DataFrame) -> None:
        """Append checks, in `CHECKS`."""
        self.checks.append(rows.cast(CHECKS))

    def compact(self, now: datetime) -> int:
        """Merge small parts, and return how many were replaced."""
        self.payloads.sweep(now)
        self._follow()  # before what is merged next names only what is there by now
        replaced = self.payloads.compact(now) + self.checks.compact(now)
        self.parts()
        self.movies.sweep(now)
        return replaced

    def _follow(self) -> None:
        """Delete the rows of parts that a merged one replaced, and that are swept.

        Where a part of payloads is missing for another reason, its rows tell what was in it.
        """
        listing = self.payloads.listing()
        swept = listing.replaced(by=listing.merged) - listing.files.keys()
        self.movies.remove(swept & self.movies.all_parts())


def derive_part(root: str, options: transform.Options, part: str) -> str:
    """Make the rows of a part, as a worker does; return the part."""
    Holdings(root_of(root), options).derive_again(part)
    return part


def _failures(malformed: pl.DataFrame, payloads: pl.DataFrame) -> pl.DataFrame:
    """Return what cannot become a row as failures of the time at which it came."""
    times = payloads.select("tmdb_id", pl.col("fetched_at").alias("failed_at"))
    return (
        malformed.join(times, on="tmdb_id")
        .with_columns(passing=pl.lit(value=False), attempts=pl.lit(1), http_status=pl.lit(STAGED))
        .select(pl.col(name).cast(kind) for name, kind in FAILURES.items())
    )


def is_settled() -> pl.Expr:
    """Return whether something that came of an id, `part_right`, came after its failure, `part`.

    Where an older tmdbkit merged either, which kept no order between the two, their times tell.
    """
    part, failed_in = pl.col("part_right"), pl.col("part")
    timed = part.str.contains(MERGED, literal=True) | failed_in.str.contains(MERGED, literal=True)
    later = pl.col("fetched_at") >= pl.col("failed_at")
    return pl.when(timed).then(later).otherwise(part > failed_in)


def _without_dropped(rows: pl.LazyFrame, log: pl.LazyFrame) -> pl.LazyFrame:
    """Leave out the rows of movies that were dropped in a later part of the log."""
    dropped = log.filter(pl.col("http_status") == DROPPED).group_by("tmdb_id")
    return (
        rows.join(
            dropped.agg(pl.col("part").max().alias("dropped_in")),
            on="tmdb_id",
            how="left",
            maintain_order="left",
        )
        .filter(pl.col("dropped_in").is_null() | (pl.col("dropped_in") <= pl.col("part")))
        .drop("dropped_in")
    )


def _kept(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return what a compaction keeps of payloads: of a movie and a time the last, none dropped.

    All times are kept: they are the movie's history. Which rows they are is told by narrow columns,
    so that the texts, hundreds of megabytes, are read once and put in order once.
    """
    numbered = rows.with_row_index("row")
    keys = ("tmdb_id", "fetched_at", "http_status")
    kept = (
        _without_dropped(numbered.select("row", "part", *keys), rows)
        .sort("part", maintain_order=True)
        .unique(keys, keep="last")
        .select("row")
    )
    return numbered.join(kept, on="row", how="semi").sort("tmdb_id", "row").drop("row")


def _latest_checks(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return what a compaction keeps of checks: of each payload the latest."""
    return rows.sort("checked_at").unique(["tmdb_id", "fetched_at"], keep="last").sort("tmdb_id")
