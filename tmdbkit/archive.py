"""What a stage keeps on the disk: its logs, and how they are written."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import transform
from tmdbkit.exceptions import StageError
from tmdbkit.holdings import Holdings
from tmdbkit.log import Log, write_text
from tmdbkit.logs import DECISIONS, FAILURES, IMPORTS, STAGED
from tmdbkit.ratings.model import RATINGS
from tmdbkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

LAYOUT = 1


class Archive:
    """A folder of append-only logs; `Stage` reads them.

    Args:
        folder: Where it is; default as the settings say.
        settings: What shapes rows, and the default folder; default `Settings.from_env()`.
        name: What its drawing calls it, instead of the folder.
        now: The time of day, by which rules judge what is stale or still to come.

    Raises:
        StageError: The folder is a file, or of a newer tmdbkit.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        settings: Settings | None = None,
        name: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        settings = settings or Settings.from_env()
        self.folder = Path(folder).expanduser() if folder is not None else settings.stage
        self.name = name or str(self.folder)
        self.offline = settings.offline
        self.now = now
        self.options = transform.Options.of(settings)
        self.providers = settings.providers
        self._holdings = Holdings(self.folder, self.options)
        self._failures = Log(self.folder / "failures", FAILURES)
        self._ratings = Log(self.folder / "ratings", RATINGS)
        self._decisions = Log(self.folder / "decisions", DECISIONS)
        self._imports = Log(self.folder / "imports", IMPORTS)
        self._logs = (self._failures, self._ratings, self._decisions, self._imports)
        _check_layout(self.folder)

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Append answers of TMDB, make their rows, and return the malformed ones.

        Args:
            rows: Frames of `tmdb_id, payload, fetched_at, http_status`.
        """
        return self.derive(self.append(rows), rows)

    def append(self, rows: pl.DataFrame) -> str:
        """Append answers of TMDB, and return the part's name: from now on they are safe."""
        self._begin()
        return self._holdings.payloads.append(rows)

    def derive(self, part: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Make the rows of a part that was appended, and return the malformed answers."""
        malformed = self._holdings.derive(part, rows)
        if not malformed.is_empty():
            times = rows.select("tmdb_id", pl.col("fetched_at").alias("failed_at"))
            failed = malformed.join(times, on="tmdb_id").with_columns(
                passing=pl.lit(value=False), attempts=pl.lit(1), http_status=pl.lit(STAGED)
            )
            self.add_failures(failed)
        return malformed

    def derive_all(self) -> int:
        """Make the rows of parts whose transform is not today's, and return how many there were.

        Reading does the same by itself; this is for whoever wants to choose the moment.
        """
        return self._holdings.derive_stale()

    def add_failures(self, rows: pl.DataFrame) -> None:
        """Append ids that could not be staged, in the columns of `failures()`."""
        if not rows.is_empty():
            self._begin()
            self._failures.append(rows.select(pl.col(n).cast(t) for n, t in FAILURES.items()))

    def add_ratings(self, rows: pl.DataFrame) -> None:
        """Append ratings, in `RATINGS`; one of the system "" says that there was none."""
        if not rows.is_empty():
            self._begin()
            self._ratings.append(rows)

    def add_decisions(self, rows: pl.DataFrame) -> None:
        """Append decisions, in `DECISIONS`: they are on the disk when this returns."""
        if not rows.is_empty():
            self._begin()
            self._decisions.append(rows)
            if self._decisions.is_piled_up():  # each click is a part of its own
                self._decisions.compact(self.now())

    def add_imports(self, rows: pl.DataFrame) -> None:
        """Append outcomes of a push, in the columns of `imports()`."""
        if not rows.is_empty():
            self._begin()
            self._imports.append(rows)

    def mark(self) -> str:
        """Return a text that is another one once rows or ratings are; decisions do not count."""
        parts = (*self._holdings.payloads.parts(), *self._ratings.parts())
        return " ".join([self.options.tag(), *self.providers, *parts])

    def compact(self, *, now: datetime | None = None) -> int:
        """Merge small files, and return how many were replaced; nobody who reads is disturbed."""
        at = now or self.now()
        return self._holdings.compact(at) + sum(log.compact(at) for log in self._logs)

    def compact_if_piled_up(self) -> None:
        """Merge small files where there are many."""
        if any(log.is_piled_up() for log in (self._holdings.payloads, *self._logs)):
            self.compact()

    def _begin(self) -> None:
        """Make the folder, with its layout's version, where there is none."""
        marker = self.folder / "stage.json"
        if not marker.exists():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_text(marker, json.dumps({"layout": LAYOUT}) + "\n")
            except OSError as error:
                raise StageError(f"{self.folder} cannot be made: {error.strerror}") from error


def _check_layout(folder: Path) -> None:
    """Refuse a folder that cannot be a stage of ours, before anything is done with it."""
    if re.match(r"[a-z0-9]+:/", str(folder)):
        raise StageError(f"{folder} is an address; a stage is a folder on this machine")
    if folder.exists() and not folder.is_dir():
        raise StageError(f"{folder} is a file; a stage is a folder: name another with --stage")
    marker = folder / "stage.json"
    if not marker.exists():
        return
    try:
        layout = int(json.loads(marker.read_text(encoding="utf-8"))["layout"])
    except (ValueError, KeyError, TypeError, OSError):
        raise StageError(f"{marker} cannot be read; is {folder} a stage?") from None
    if layout > LAYOUT:
        raise StageError(
            f"{folder} is of a newer tmdbkit (layout {layout}, this one knows {LAYOUT}); "
            "upgrade with: pip install --upgrade tmdbkit"
        )
