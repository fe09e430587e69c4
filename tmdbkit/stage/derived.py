"""Rows made from payloads: a file for each part of them; in memory, where none can be written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from tmdbkit import transform
from tmdbkit.exceptions import StopError
from tmdbkit.stage.foreign import reading
from tmdbkit.stage.log import Log, is_any_of
from tmdbkit.stage.parts import Order
from tmdbkit.stage.storage import Entry, Root
from tmdbkit.stage.tables import FAILURES, STAGED
from tmdbkit.transform.rows import VERSION

TAG, TODAY = "tmdbkit.transform", str(VERSION)  # of a file: the transform that made it
LOOKING = 8  # threads that look at parts
AGE = pl.col("fetched_at")


@dataclass(frozen=True)
class _Made:
    """What a part of payloads comes to: rows, and the failures of payloads that are none."""

    rows: pl.DataFrame
    failed: pl.DataFrame


class Derived:
    """Two logs that payloads are the truth of: rows under the same names, and what is no row.

    No file of rows is needed. One that is missing, damaged or of another transform is made again by
    whoever reads; where it cannot be written, what it would hold is kept in memory. No setting has
    a part in them, so that all who read a stage read the same files. Parts of failures take names
    of the `order`.
    """

    def __init__(self, root: Root, payloads: Log, order: Order | None = None) -> None:
        self.log = Log(root.under("movies"), transform.STORED, age=AGE)
        failed_at = pl.col("failed_at")
        self.failures = Log(root.under("failures"), FAILURES, age=failed_at, order=order)
        self._root = root
        self._payloads = payloads
        self._seen: dict[str, Entry] = {}  # files found to be of today's transform, as they were
        self._held: dict[str, _Made] = {}  # what could not be written

    def ensure_rows(self, parts: list[str]) -> None:
        """See to it that there are rows of these parts, here or in memory, for who reads them."""
        for part in self.stale(parts):
            if part not in self._held:
                made = self._make(part, self._read(part))
                try:
                    self._write(part, made)
                except StopError:  # a folder or a key for reading, a full disk
                    self._held[part] = made

    def derive_again(self, part: str) -> None:
        """Write the rows of a part that is there already.

        Raises:
            StopError: They cannot be written.
        """
        self._write(part, self._make(part, self._read(part)))

    def derive(self, part: str, payloads: pl.DataFrame) -> pl.DataFrame:
        """Write the rows of a part of payloads; note those that are none, and return them.

        Raises:
            StopError: They cannot be written.
        """
        made = self._make(part, payloads)
        self._write(part, made)
        return made.failed.select("tmdb_id", "reason")

    def stale(self, parts: list[str]) -> list[str]:
        """Return the parts whose file is not of today's transform; each file is looked at once."""
        there = self.log.listing().files
        known = {part: seen for part, seen in self._seen.items() if there.get(part) == seen}
        unknown = [part for part in parts if part not in known]
        with ThreadPoolExecutor(LOOKING) as pool:  # an object store answers each after a while
            tags = list(pool.map(lambda part: part in there and self.log.tag(part, TAG), unknown))
        fine = {part: there[part] for part, tag in zip(unknown, tags, strict=True) if tag == TODAY}
        self._seen = known | fine
        return [part for part in unknown if part not in fine]

    def scan_files(self, parts: list[str]) -> pl.LazyFrame:
        """Return `transform.STORED` of parts, and the `part` and `file` of each row."""
        held = [self._held[part].rows.lazy() for part in parts if part in self._held]
        written = [part for part in parts if part not in self._held]
        return pl.concat([self.log.scan_files(written), *held])

    def files(self, parts: list[str]) -> list[str]:
        """Return the files of parts, for others to read.

        Raises:
            StopError: Some could not be written.
        """
        for part in filter(self._held.__contains__, parts):
            self._write(part, self._held[part])
        return [self.log.source(part) for part in parts]

    def failed(self) -> pl.LazyFrame:
        """Return all failures, in `FAILURES`, with the `part` that each came in."""
        held = [made.failed.lazy() for made in list(self._held.values())]  # others may add some
        return pl.concat([self.failures.scan(), *held])

    def _read(self, part: str) -> pl.DataFrame:
        with reading(self._root):
            return self._payloads.scan([part]).collect()

    def _make(self, part: str, payloads: pl.DataFrame) -> _Made:
        """Make rows; each says the part that it came in, as what was merged does there."""
        staged = payloads.filter(pl.col("http_status") == STAGED)
        made = transform.derive(staged)
        rows = made.rows.with_columns(part=pl.lit(part))  # for DuckDB, which sees no log
        if "part" in payloads.columns:
            came_in = staged.select("tmdb_id", "fetched_at", "part")
            rows = made.rows.join(came_in, on=["tmdb_id", "fetched_at"], maintain_order="left")
        return _Made(
            rows.with_columns(file=pl.lit(part)),
            _failures(made.malformed, staged).with_columns(part=pl.lit(part)),
        )

    def _write(self, part: str, made: _Made) -> None:
        """Write rows; the failures first, for who finds the rows takes them to be noted."""
        if not made.failed.is_empty():
            self._note(made.failed.drop("part"))
        self.log.append(made.rows.drop("file"), name=part, tags={TAG: TODAY})

    def _note(self, failed: pl.DataFrame) -> None:
        """Append failures that are not in their log: rows are made more than once."""
        with reading(self._root):
            key = ["tmdb_id", "failed_at"]
            known = self.failures.scan().filter(is_any_of(failed["tmdb_id"].to_list())).select(key)
            new = failed.join(known.collect(), on=key, how="anti")
        if not new.is_empty():
            self.failures.append(new)


def _failures(malformed: pl.DataFrame, payloads: pl.DataFrame) -> pl.DataFrame:
    """Return what cannot become a row as failures of the time at which it came."""
    times = payloads.select("tmdb_id", pl.col("fetched_at").alias("failed_at"))
    return (
        malformed.join(times, on="tmdb_id")
        .with_columns(passing=pl.lit(value=False), attempts=pl.lit(1), http_status=pl.lit(STAGED))
        .select(pl.col(name).cast(kind) for name, kind in FAILURES.items())
    )
