"""The movies of a stage: what TMDB answered, the rows made from it, and which of them count."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from tmdbkit import transform
from tmdbkit.executors import run_on
from tmdbkit.schema import INSTANT
from tmdbkit.stage.derived import Derived
from tmdbkit.stage.foreign import reading
from tmdbkit.stage.log import Log, is_any_of
from tmdbkit.stage.parts import MERGED, Order
from tmdbkit.stage.storage import Root, root_of
from tmdbkit.stage.tables import DROPPED, FAILURES, MISSING, PAYLOADS, STAGED
from tmdbkit.transform import translations
from tmdbkit.transform.shape import DEFAULTS

KEYS = ("tmdb_id", "fetched_at", "file")  # of a row: both logs have it in a file of one name
# Of rows that an older tmdbkit merged, a drop is before the others: it had taken out all it meant.
ANSWERED = pl.when(pl.col("http_status") != DROPPED).then("fetched_at")
READ_AT_ONCE = 500  # payloads, some 20 MB
TAKEN_BACK = ("main_poster", "main_backdrop", "trailer_url", "synopsis", "belong_to_collection")
GONE = pl.Schema({"tmdb_id": pl.Int64(), "taken_back": pl.String(), "not_on_tmdb": pl.Boolean()})
MISSING_FOR = timedelta(days=30)  # then a 404 is asked again
REFUSED = (400, 422, 500)  # a 500 of the failures that do not pass is TMDB's "the ID is invalid"
CHECKS = pl.Schema({"tmdb_id": pl.Int64(), "fetched_at": INSTANT, "checked_at": INSTANT})


class MovieLog:
    """Two logs with files of the same names: payloads, and the rows `derived` from them.

    Of a payload that cannot become one, a third log says why. A fourth, of checks, says until when
    a payload was known to be what TMDB has. The options shape rows when they are read; parts of
    payloads take names of the `order`.
    """

    def __init__(
        self,
        root: Root,
        options: transform.Options = DEFAULTS,
        order: Order | None = None,
    ) -> None:
        self.payloads = Log(root.under("payloads"), PAYLOADS, _kept, age=ANSWERED, order=order)
        self.derived = Derived(root, self.payloads, order)
        self.checks = Log(root.under("checks"), CHECKS, _latest_checks)
        self._root = root
        self._options = options

    def parts(self) -> list[str]:
        """Return the parts of payloads, once there are rows of each."""
        parts = self.payloads.parts()
        self.derived.ensure_rows(parts)
        return parts

    def derive_stale(self, executor: Executor | None = None, workers: int = 1) -> int:
        """Write the rows of parts whose transform is not today's; return how many there were."""
        stale = self.derived.stale(self.payloads.parts())
        if executor is None:
            for part in stale:
                self.derived.derive_again(part)
        else:
            for _ in run_on(executor, partial(derive_part, self._root.full), stale, workers):
                pass
        return len(stale)

    def rows(self) -> pl.LazyFrame:
        """Return `transform.ROWS` of the staged movies."""
        parts = self.parts()
        stored = self.derived.scan_files(parts).join(self._newest(parts), on=KEYS, how="semi")
        return self._translated(transform.shaped(stored, self._options))

    def rows_of(self, found: pl.DataFrame) -> pl.LazyFrame:
        """Return the rows of some `KEYS`."""
        self.derived.ensure_rows(found["file"].unique().to_list())  # files may have gone since
        shaped = transform.shaped(_those(found, self.derived.scan_files), self._options)
        return self._translated(shaped)

    def _translated(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return rows with the texts that the first language lacks; only they are read again."""
        languages = self._options.languages
        if not languages[1:]:
            return rows
        lacking = rows.filter(translations.may_lack()).select(KEYS).collect().sort("file")
        patches = [
            translations.patch(self.texts(some).collect(), languages)
            for some in lacking.iter_slices(READ_AT_ONCE)
        ]
        empty = translations.PATCH.to_frame()
        return translations.translated(rows, pl.concat([empty, *patches]))

    def texts(self, found: pl.DataFrame) -> pl.LazyFrame:
        """Return the payloads of some of the newest."""
        texts = _those(found, self.payloads.scan_files).filter(pl.col("http_status") == STAGED)
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
        rows = self.derived.scan_files(parts).select(*KEYS, "part")
        if tmdb_ids is not None:
            rows = rows.filter(is_any_of(list(tmdb_ids)))
        return _without_dropped(rows, self.payloads.scan(parts))

    def ever_like(self, like: pl.Expr, besides: list[int]) -> list[int] | None:
        """Return the ids that were like something at any time, and others; None for all.

        Titles that come from another language stand in payloads alone.
        """
        if self._options.languages[1:]:
            return None
        rows = self.derived.scan_files(self.parts()).filter(like).select("tmdb_id")
        return [*rows.collect()["tmdb_id"], *besides]

    def versions(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return the `KEYS` of every payload there was, as they came, each once; none dropped."""
        rows = self._standing(self.parts(), tmdb_ids).sort("part", maintain_order=True)
        last = rows.unique(["tmdb_id", "fetched_at"], keep="last", maintain_order=True)
        return last.collect()

    def fetched_before(self, instant: datetime, now: datetime) -> set[int]:
        """Return the staged ids whose payload is older than that, or of a clock that was wrong.

        Of one that was fetched later than now nobody knows how old it is.
        """
        with reading(self._root):
            known = pl.col("fetched_at").is_between(instant, now)
            return set(self.newest().filter(~known).collect()["tmdb_id"])

    def gone(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `GONE`: what TMDB had of movies when they were fetched before, and has no longer.

        Only of movies with an earlier payload, or that TMDB dropped; nothing is read of the others.
        """
        dropped = self.missing().select("tmdb_id", not_on_tmdb=pl.lit(value=True))
        return (
            self._taken_back(tmdb_ids)
            .join(dropped, on="tmdb_id", how="full", coalesce=True)
            .match_to_schema(GONE)
        )

    def _taken_back(self, tmdb_ids: Iterable[int] | None) -> pl.DataFrame:
        times = self._standing(self.parts(), tmdb_ids).group_by("tmdb_id").len()
        again = times.filter(pl.col("len") > 1).collect()["tmdb_id"].to_list()
        if not again:
            return GONE.to_frame().select("tmdb_id", "taken_back")
        collection = (
            pl.col("belong_to_collection").struct.field("name").alias("belong_to_collection")
        )
        rows = self.rows_of(self.versions(again)).with_columns(collection)
        lost = (
            rows.sort("part", maintain_order=True)
            .select("tmdb_id", *(pl.col(name).fill_null("") != "" for name in TAKEN_BACK))
            .group_by("tmdb_id", maintain_order=True)
            .agg((pl.col(name).any() & ~pl.col(name).last()) for name in TAKEN_BACK)
        )
        names = (pl.when(name).then(pl.lit(name)) for name in TAKEN_BACK)
        told = pl.concat_str(*names, separator=", ", ignore_nulls=True)
        return lost.select("tmdb_id", taken_back=told).filter(pl.col("taken_back") != "").collect()

    def missing(self) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the ids that TMDB does not have, by its latest answer."""
        with reading(self._root):
            answers = self.payloads.scan()
            return (
                answers.select("tmdb_id", "fetched_at", "http_status", "part")
                .sort("part", maintain_order=True)
                .unique("tmdb_id", keep="last")
                .filter(pl.col("http_status") == MISSING)
                .select("tmdb_id", pl.col("fetched_at").alias("asked_at"))
                .sort("tmdb_id")
                .collect()
            )

    def lately_missing(self, now: datetime) -> set[int]:
        """Return the missing ids that are not worth asking for again yet."""
        lately = pl.col("asked_at").is_between(now - MISSING_FOR, now, closed="right")
        return set(self.missing().filter(lately)["tmdb_id"])

    def failed(self) -> pl.DataFrame:
        """Return the ids that could not be staged and still are not, in `FAILURES`."""
        with reading(self._root):
            self.parts()  # some payloads may turn out to be no movie
            failures = self.derived.failed().sort("part", maintain_order=True)
            latest = failures.unique("tmdb_id", keep="last").collect().lazy()
            settled = latest.join(self._settled(), on="tmdb_id").filter(_is_settled())
            return (
                latest.join(settled, on="tmdb_id", how="anti")
                .select(FAILURES.names())
                .sort("tmdb_id")
                .collect()
            )

    def refused(self) -> pl.DataFrame:
        """Return the failures that TMDB answers with the same whenever it is asked.

        Others that are not passing are not of the id: a wrong address, a proxy's page, no network.
        """
        return self.lasting().filter(pl.col("http_status").is_in(REFUSED))

    def lasting(self) -> pl.DataFrame:
        """Return the failures that lie in the id: those of `refused`, and answers that are none."""
        statuses = (*REFUSED, STAGED)
        return self.failed().filter(~pl.col("passing") & pl.col("http_status").is_in(statuses))

    def _settled(self) -> pl.LazyFrame:
        """Return `tmdb_id, fetched_at, part` of all that came of ids: rows, and answers of none."""
        parts = self.parts()
        none = self.payloads.scan(parts).filter(pl.col("http_status") != STAGED)
        which = ("tmdb_id", "fetched_at", "part")
        return pl.concat([self.derived.scan_files(parts).select(which), none.select(which)])

    def files(self) -> list[str]:
        """Return the files of rows that count, for others to read."""
        return self.derived.files(self.parts())

    def as_of(self) -> pl.DataFrame:
        """Return `tmdb_id, fetched_at, as_of`: until when a payload is known to be TMDB's."""
        as_of = pl.max_horizontal("fetched_at", "checked_at")
        with reading(self._root):
            checks = self.checks.scan().group_by("tmdb_id", "fetched_at").agg(pl.max("checked_at"))
            newest = self.newest().join(checks, on=["tmdb_id", "fetched_at"], how="left")
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
        self.derived.log.sweep(now)
        return replaced

    def _follow(self) -> None:
        """Delete the rows of parts that a merged one replaced, and that are swept.

        Where a part of payloads is missing for another reason, its rows tell what was in it.
        """
        listing = self.payloads.listing()
        swept = listing.replaced(by=listing.merged) - listing.files.keys()
        rows = self.derived.log
        rows.remove(swept & rows.all_parts())


def derive_part(root: str, part: str) -> str:
    """Make the rows of a part, as a worker does; return the part."""
    MovieLog(root_of(root)).derived.derive_again(part)
    return part


def _those(found: pl.DataFrame, scan: Callable[[list[str]], pl.LazyFrame]) -> pl.LazyFrame:
    """Return what a log has of some `KEYS`; polars skips the row groups far off."""
    ids = found["tmdb_id"]
    near = pl.col("tmdb_id").is_between(ids.min(), ids.max())
    files = found["file"].unique().sort().to_list()
    return scan(files).filter(near).join(found.lazy(), on=KEYS, how="semi", maintain_order="left")


def _is_settled() -> pl.Expr:
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
