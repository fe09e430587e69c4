"""TMDB's daily export: all movies it has, one file a day, kept in the cache's folder."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from tmdbkit.exceptions import NotFound, OfflineError, ServiceError, StopError, UsageError
from tmdbkit.files import aside_of, atomic_write, make_folder, sweep
from tmdbkit.http.files import LONGEST_LINE, MOST_LINES, check_lines
from tmdbkit.http.service import Service
from tmdbkit.http.session import Connected, Session
from tmdbkit.progress import Progress
from tmdbkit.settings import Settings
from tmdbkit.tmdb.discovery import IDS

DAYS_BACK = 5  # that `latest` looks for; a day's file is there by 08:00 UTC
FOLDER = "exports"  # of the cache's
COLUMNS = pl.Schema(
    {
        "id": pl.Int64(),
        "original_title": pl.String(),
        "popularity": pl.Float64(),
        "adult": pl.Boolean(),
        "video": pl.Boolean(),
    }
)
KINDS = (("popularity", (int, float)), ("adult", bool), ("video", bool))
ROW_GROUP = 50_000  # rows that a reader holds at once


@dataclass(frozen=True)
class Export:
    """All movies of one day, and the Parquet file that has them."""

    day: date
    path: Path

    def scan(self) -> pl.LazyFrame:
        """Return `tmdb_id, title, popularity, adult, video` lazily; `title` is the original one."""
        rows = pl.scan_parquet(self.path, glob=False)
        return rows.rename({"id": "tmdb_id", "original_title": "title"})

    def ids(
        self,
        *,
        min_popularity: float | None = None,
        adult: bool | None = None,
        video: bool | None = None,
    ) -> pl.DataFrame:
        """Return the movies as `discovery.IDS`, the most popular first; `year` is not known.

        Args:
            min_popularity: Only those that are as popular.
            adult: Only those that are for adults, or only the others.
            video: Only those that TMDB has as videos, such as making-ofs, or only the others.
        """
        rows = self.scan()
        if min_popularity is not None:
            rows = rows.filter(pl.col("popularity") >= min_popularity)
        for name, wanted in (("adult", adult), ("video", video)):
            if wanted is not None:
                rows = rows.filter(pl.col(name) == wanted)
        found = rows.select("tmdb_id", "title", "popularity").collect(engine="streaming")
        once = found.group_by("tmdb_id").agg(pl.all().first(), repeats=pl.len().cast(pl.Int64) - 1)
        ranked = once.sort("popularity", "tmdb_id", descending=[True, False], nulls_last=True)
        return ranked.select(
            "tmdb_id",
            source=pl.lit(f"export {self.day}"),
            rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
            title="title",
            year=pl.lit(None, pl.Int32),
            repeats="repeats",
        ).match_to_schema(IDS)

    def since(self, older: Export) -> pl.DataFrame:
        """Return `tmdb_id, title, popularity, change` of what was `added` and `removed` since."""
        pairs = ((self, older, "added"), (older, self, "removed"))
        parts = [
            one.scan()
            .join(other.scan().select("tmdb_id"), on="tmdb_id", how="anti")
            .select("tmdb_id", "title", "popularity", change=pl.lit(change))
            for one, other, change in pairs
        ]
        return pl.concat(parts).sort("tmdb_id", "change").collect(engine="streaming")

    def __repr__(self) -> str:
        count = self.scan().select(pl.len()).collect().item()
        return f"Export({self.day}, {count:,} movies)"


class Exports(Connected):
    """Where the exports are; they need no key.

    Args:
        settings: The address, the cache's folder, whether to stay offline; default
            `Settings.from_env()`.
        progress: Progress reporter for files; default none.
        **timing: What a session waits and tells the time by; see `Session`.
    """

    def __init__(
        self, settings: Settings | None = None, *, progress: Progress | None = None, **timing: Any
    ) -> None:
        settings = settings or Settings.from_env()
        service = ExportService(
            name="TMDB",
            base_url=settings.tmdb_exports_url,
            variable="TMDB_EXPORTS_URL",
            rate=1,
        )
        self.session = Session(service, settings, cache=False, **timing)
        self._folder = settings.cache / FOLDER
        self._progress = progress

    def of(self, day: date) -> Export:
        """Return the export of a day, which is downloaded once.

        Raises:
            UsageError: TMDB has none of that day; it keeps them for three months.
            OfflineError: Offline, and it was not downloaded before.
            StopError: The file does not come, or is no export.
        """
        try:
            return self._of(day)
        except NotFound:
            raise UsageError(
                f"TMDB has no export of {day}; it keeps three months, and a day's is there by "
                "08:00 UTC: try --export latest"
            ) from None

    def latest(self) -> Export:
        """Return the newest export of the last days; offline, the newest that is there.

        Raises:
            OfflineError: Offline, and none was downloaded before.
            StopError: There is none, or as for `of`.
        """
        if self.session.offline:
            return self._newest_here()
        today = self.session.now().astimezone(UTC).date()
        for back in range(DAYS_BACK + 1):
            try:
                return self._of(today - timedelta(days=back))
            except NotFound:
                continue
        raise StopError(
            f"TMDB has no export of the last {DAYS_BACK + 1} days; check TMDB_EXPORTS_URL"
        )

    def remember(self, day: date, file: Path) -> Export:
        """Keep a day's file that came in another way, as the sample's do.

        Raises:
            StopError: It is cut, or no export.
            OSError: The cache's folder cannot be made.
        """
        make_folder(self._folder)
        export = Export(day, self._parquet(day))
        convert(file, export.path, f"/{file_name(day)}")
        return export

    def __repr__(self) -> str:
        return f"Exports({', '.join(map(str, self._days())) or 'none yet'})"

    def _days(self) -> list[date]:
        """Return the days whose export is here."""
        names = (re.fullmatch(r"movie_ids_(.+)", p.stem) for p in self._folder.glob("*.parquet"))
        return sorted(date.fromisoformat(name.group(1)) for name in names if name)

    def _newest_here(self) -> Export:
        days = self._days()
        if not days:
            raise OfflineError(
                "offline, and no export was downloaded before; "
                "run it once without TMDBKIT_OFFLINE=1"
            )
        return Export(days[-1], self._parquet(days[-1]))

    def _parquet(self, day: date) -> Path:
        return self._folder / f"movie_ids_{day}.parquet"

    def _of(self, day: date) -> Export:
        export = Export(day, self._parquet(day))
        if export.path.exists():
            return export
        sweep(self._folder)
        source = aside_of(self._folder / file_name(day))
        try:
            self._download(day, source)
            return self.remember(day, source)
        finally:
            source.unlink(missing_ok=True)

    def _download(self, day: date, to: Path) -> None:
        try:
            make_folder(self._folder)
            self.session.download(f"/{file_name(day)}", to, progress=self._progress)
        except (NotFound, StopError):
            raise
        except ServiceError as error:  # one file for all movies: there is no next one to try
            raise StopError(
                error.reason, path=error.path, status=error.status, attempts=error.attempts
            ) from error
        except OSError as error:
            raise StopError(f"{self._folder} cannot be written to ({error.strerror})") from error


@dataclass(frozen=True, kw_only=True)
class ExportService(Service):
    """A store of files; of one that it does not have, it says 404 or 403."""

    def by_status(self, status: int) -> tuple[type[ServiceError], str]:
        """Return the kind of error that a status is."""
        if status in (403, 404):
            return NotFound, f"answered {status}"
        return super().by_status(status)


def file_name(day: date) -> str:
    """Return what TMDB calls a day's file."""
    return f"movie_ids_{day:%m_%d_%Y}.json.gz"


def convert(source: Path, parquet: Path, path: str) -> None:
    """Make a Parquet file of an export, whole or not at all.

    Reading checks all of it: the sum at the end of the gzip, each line, and that each has an id.

    Raises:
        StopError: It is cut, or no export.
    """
    ids = pl.col("id")
    try:
        check_lines(source)
        with atomic_write(parquet) as aside:
            with aside.open("wb") as file:  # polars may create one of its own after it has failed
                pl.scan_ndjson(source, schema=COLUMNS).sink_parquet(
                    file, compression="zstd", row_group_size=ROW_GROUP
                )
            made = pl.scan_parquet(aside).select(pl.len(), ids.null_count())
            rows, without = made.collect().row(0)
            if not rows or without:
                raise pl.exceptions.NoDataError(f"{without:,} of its {rows:,} lines have no id")
    except (OSError, pl.exceptions.PolarsError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        line = _bad_line(source)
        where = f"line {line:,} of it is no movie, and none of it is used" if line else first
        raise StopError(
            f"answered with something that is not a whole export ({where}); try again later, "
            "and check TMDB_EXPORTS_URL",
            path=path,
        ) from error


def _bad_line(source: Path) -> int:
    """Return the number of the first line that is no movie; 0 where it is the file that is cut."""
    try:
        with gzip.open(source) as file:
            lines = islice(iter(partial(file.readline, LONGEST_LINE), b""), MOST_LINES)
            return next((n for n, line in enumerate(lines, 1) if not _is_movie(line)), 0)
    except (OSError, EOFError, zlib.error):
        return 0


def _is_movie(line: bytes) -> bool:
    try:
        found = json.loads(line)
        whole = type(found["id"]) is int and abs(found["id"]) < 2**63
        return whole and all(found.get(n) is None or isinstance(found[n], t) for n, t in KINDS)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
