"""What a stage keeps on the disk: its logs, and how they are written."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import transform
from tmdbkit.exceptions import DamageError, StopError
from tmdbkit.executors import workers_of
from tmdbkit.files import sweep
from tmdbkit.ratings.model import RATINGS
from tmdbkit.settings import Settings
from tmdbkit.stage import asked
from tmdbkit.stage.derived import TODAY
from tmdbkit.stage.doctor import Health, examine
from tmdbkit.stage.log import Log, among
from tmdbkit.stage.marker import Marker
from tmdbkit.stage.movies import Holdings
from tmdbkit.stage.parts import Order
from tmdbkit.stage.storage import root_of
from tmdbkit.stage.tables import DECISIONS, FAILURES, IMPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor
    from datetime import datetime
    from pathlib import Path

ASSESSED = "assessed"  # where a reviewer's view is kept
SAME_ANSWER = ("tmdb_id", "fetched_at", "http_status")


class Archive:
    """A folder of append-only logs, here or in an object store; `Stage` reads them.

    Args:
        place: The folder's path, or an address `s3://…`, `gs://…`, `az://…`; default as the
            settings say.
        settings: What shapes rows when read, and the default folder; default `Settings.from_env()`.
        name: What its drawing calls it, instead of the folder.
        now: The time of day, by which rules judge what is stale or still to come; default the
            clock's, or the instant at which a sample stands still.

    Raises:
        StageError: The folder is a file, or of a newer tmdbkit.
    """

    def __init__(
        self,
        place: str | Path | None = None,
        *,
        settings: Settings | None = None,
        name: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.settings = settings = settings or Settings.from_env()
        self.root = root_of(settings.stage if place is None else place)
        self.name = name or str(self.root)
        self.offline = settings.offline
        self.options = transform.Options.of(settings)
        self.providers = settings.providers
        # A failure is settled by what came after it: these two logs have one order.
        order = Order(self.root.under("payloads"), self.root.under("failures"))
        self._holdings = Holdings(self.root, self.options, order)
        self._failures = self._holdings.derived.failures
        self._ratings = self._log("ratings", RATINGS, "fetched_at")
        self._decisions = self._log("decisions", DECISIONS, "at")
        self._imports = self._log("imports", IMPORTS, "pushed_at")
        self._asked = asked.log_of(self.root)
        self._logs = (self._failures, self._ratings, self._decisions, self._imports, self._asked)
        self.marker = Marker(self.root)
        self.now = now or self.marker.clock()

    @property
    def language(self) -> str | None:
        """The language of what is staged; None where nobody has noted it."""
        return self.marker.language

    def _log(self, name: str, columns: pl.Schema, age: str, order: Order | None = None) -> Log:
        return Log(self.root.under(name), columns, age=pl.col(age), order=order, mixed=True)

    @property
    def folder(self) -> Path | None:
        """The folder, where it is on this machine."""
        return self.root.folder

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Append answers of TMDB, make their rows, and return the malformed ones.

        Args:
            rows: Frames of `tmdb_id, payload, fetched_at, http_status`.
        """
        return self.derive(self.append(rows), rows)

    def append(
        self, rows: pl.DataFrame, part: str | None = None, language: str | None = None
    ) -> str:
        """Append answers of TMDB, and return the part's name: from now on they are safe.

        Args:
            rows: As for `add`; of those of one movie, time and status the last counts.
            part: A part to replace. Where it was merged by now, the rows come in one of their own.
            language: In which they were asked for, which the stage has from now on.

        Raises:
            StageError: The stage is in another language.
        """
        self.marker.begin(language)
        if part is not None and part in self._holdings.payloads.listing().replaced():
            part = None
        each = rows.unique(SAME_ANSWER, keep="last", maintain_order=True)
        return self._holdings.payloads.append(each, name=part)

    def new_part(self) -> str:
        """Return a name for a part that is written later, by whoever it is told."""
        return self._holdings.payloads.new_part()

    def derive(self, part: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Make the rows of a part that was appended, and return the malformed answers."""
        return self._holdings.derived.derive(part, rows)

    def derive_all(self, *, executor: Executor | None = None, workers: int | None = None) -> int:
        """Write the rows of parts whose transform is not today's, and return how many there were.

        Reading does the same by itself; this is for whoever wants to choose the moment.

        Args:
            executor: Who does it, instead of this process; its workers must reach the stage.
            workers: How many parts are made at once; default what the executor says of itself.
        """
        if executor is None:
            return self._holdings.derive_stale()
        return self._holdings.derive_stale(executor, workers or workers_of(executor))

    def add_checks(self, tmdb_ids: Iterable[int], at: datetime) -> None:
        """Note that TMDB's changes were gone through for these movies; newer payloads need none."""
        known = self._holdings.as_of()
        older = known.filter(pl.col("as_of") < at, among(list(tmdb_ids)))
        if not older.is_empty():
            self.marker.begin()
            self._holdings.add_checks(older.select("tmdb_id", "fetched_at", checked_at=pl.lit(at)))

    def add_failures(self, rows: pl.DataFrame) -> None:
        """Append ids that could not be staged, in the columns of `failures()`."""
        if not rows.is_empty():
            self.marker.begin()
            self._failures.append(rows.select(pl.col(n).cast(t) for n, t in FAILURES.items()))

    def add_ratings(self, rows: pl.DataFrame) -> None:
        """Append ratings, in `RATINGS`; one of the system "" says that there was none."""
        if not rows.is_empty():
            self.marker.begin()
            self._ratings.append(rows)

    def add_decisions(self, rows: pl.DataFrame) -> None:
        """Append decisions, in `DECISIONS`: they are on the disk when this returns."""
        if not rows.is_empty():
            self.marker.begin()
            self._decisions.append(rows)
            if self._decisions.is_piled_up():  # each click is a part of its own
                with suppress(StopError):  # the decision itself is on the disk
                    self._decisions.compact(self.now())

    def add_imports(self, rows: pl.DataFrame) -> None:
        """Append intents or outcomes of a push, in some or all of the columns of `imports()`."""
        if not rows.is_empty():
            self.marker.begin()
            self._imports.append(pl.concat([IMPORTS.to_frame(), rows], how="diagonal_relaxed"))

    def mark(self) -> str:
        """Return a text that is another one once rows or ratings are; decisions do not count."""
        logs = (self._holdings.payloads, self._ratings, self._asked)
        parts = (part for log in logs for part in log.parts())
        return " ".join([TODAY, str(self.options), *self.providers, *parts])

    def compact(self, *, now: datetime | None = None) -> int:
        """Merge small files, and return how many were replaced; nobody who reads is disturbed.

        Raises:
            DamageError: A damaged file was left as it is; all others are merged.
        """
        replaced = self._compact(now or self.now())
        damaged = [log.source(part) for log in self._all_logs() for part in log.damaged]
        if damaged:
            raise DamageError(
                f"{', '.join(damaged)}: damaged, and left as it is; all else is merged. "
                "tmdbkit doctor says what is lost"
            )
        return replaced

    def compact_if_piled_up(self) -> None:
        """Merge small files where there are many; a disk that is too full for it is no matter."""
        if any(log.is_piled_up() for log in self._all_logs()):
            with suppress(StopError):  # nothing is lost, and the next run tries again
                self._compact(self.now())

    def doctor(self) -> Health:
        """Look at every file, whole, and return what is wrong; nothing is changed or asked for."""
        return examine(self.root, self.now())

    def _compact(self, now: datetime) -> int:
        if not self._is_there():
            return 0
        self.marker.begin()  # what is merged now, an older tmdbkit would take for a rest
        if self.folder is not None:  # the logs sweep their own
            for folder in (self.folder, self.folder / ASSESSED):
                sweep(folder)
        return self._holdings.compact(now) + sum(log.compact(now) for log in self._logs)

    def _all_logs(self) -> tuple[Log, ...]:
        return (self._holdings.payloads, self._holdings.checks, *self._logs)

    def _is_there(self) -> bool:
        return any(log.all_parts() for log in self._all_logs())
