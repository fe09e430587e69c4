"""IMDb's data sets: each a file, looked for once a day, and kept as Parquet beside it."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Unpack

import polars as pl
from polars.io.plugins import register_io_source

from tmdbkit.exceptions import ServiceError, StopError
from tmdbkit.files import atomic_write, make_folder, sweep
from tmdbkit.http.answers import Download
from tmdbkit.http.files import check_lines
from tmdbkit.http.service import Service
from tmdbkit.http.session import Connected, Session
from tmdbkit.progress import Progress
from tmdbkit.ratings.web import Timing
from tmdbkit.settings import Settings

PIECE = 8 * 2**20  # bytes, unpacked, that are read at once
ROW_GROUP = 50_000  # rows that a thread holds in memory at once; larger ones are no faster to join
TERMS = (
    "IMDb's data sets are for personal and non-commercial use, and for no online database of "
    "them; developer.imdb.com/non-commercial-datasets"
)


class IMDbFile(Connected):
    """One of IMDb's daily files, kept in the cache's folder: as it came, and as Parquet.

    Args:
        file: What IMDb calls it.
        columns: Which of its columns are kept, and their types.
        settings: The address, the cache's folder, whether to stay offline; default
            `Settings.from_env()`.
        progress: Progress reporter for the download; default none.
        **timing: What a session waits and tells the time by; see `Session`.
    """

    def __init__(
        self,
        file: str,
        columns: pl.Schema,
        settings: Settings | None = None,
        progress: Progress | None = None,
        **timing: Unpack[Timing],
    ) -> None:
        settings = settings or Settings.from_env()
        service = Service(
            name="IMDb", base_url=settings.imdb_datasets_url, variable="IMDB_DATASETS_URL", rate=1
        )
        self.session = Session(service, settings, cache=False, **timing)
        self._now = timing.get("now", lambda: datetime.now(UTC))
        self._file, self._columns, self._progress = file, columns, progress
        self._folder = settings.cache / "imdb"
        self._parquet = self._folder / f"{file.removesuffix('.tsv.gz')}.parquet"

    @property
    def _is_current(self) -> bool:
        """Whether nobody is to be asked: there is one, and the server was asked today."""
        version = self._version
        return version is not None and self._is_fresh(version)

    @property
    def _version(self) -> Version | None:
        """Which is there; None where there is none yet."""
        return Version.of(self._parquet)

    def _scan(self) -> tuple[pl.LazyFrame, datetime]:
        """Return its rows, and since when IMDb has them, after a look for newer ones where due.

        Raises:
            OfflineError: Offline, and no data set is there.
            StopError: The file does not come, or is no data set; the one that is there stays.
        """
        since = self._current().since
        return pl.scan_parquet(self._parquet, glob=False), since

    def __repr__(self) -> str:
        version = self._version
        which = f"data set of {version.since:%Y-%m-%d}" if version else "no data set yet"
        return f"{type(self).__name__}({which})"

    def _is_fresh(self, version: Version) -> bool:
        """Tell whether nobody is to be asked: the data set is a daily one."""
        today = self._now().astimezone(UTC).date()
        return self.session.offline or version.looked_at.date() == today

    def _current(self) -> Version:
        """Return the version that is there, after a look for a newer one where that is due."""
        version = self._version
        if version and self._is_fresh(version):
            return version
        came = self._download(version)
        if version and not came.changed:
            _looked(self._parquet, came.received_at)
            return version
        newer = Version(came.etag, _since(came), came.received_at)
        convert(self._folder / self._file, self._parquet, self._columns, newer)
        return newer

    def _download(self, version: Version | None) -> Download:
        """Save the server's file where it is not the version that is there already."""
        etag = version.etag if version else ""
        to = self._folder / self._file
        try:
            make_folder(self._folder)
            sweep(self._folder)
            return self.session.download(f"/{to.name}", to, etag=etag, progress=self._progress)
        except StopError:
            raise
        except ServiceError as error:  # one file for all movies: there is no next one to try
            kept = "; TMDBKIT_OFFLINE=1 goes on with the data set that is there" if version else ""
            raise StopError(
                f"{error.reason}{kept}",
                path=error.path,
                status=error.status,
                attempts=error.attempts,
            ) from error
        except OSError as error:
            raise StopError(f"{self._folder} cannot be written to ({error.strerror})") from error


@dataclass(frozen=True)
class Version:
    """Which data set a Parquet file holds.

    Attributes:
        etag: The server's mark of it, kept in the file.
        since: Since when IMDb has it, kept in the file.
        looked_at: When the server was last asked for a newer one; the file's own time.
    """

    etag: str
    since: datetime
    looked_at: datetime

    @classmethod
    def of(cls, parquet: Path) -> Version | None:
        """Return which is there; None where there is none, or no whole one."""
        try:
            kept = pl.read_parquet_metadata(parquet)
            looked_at = datetime.fromtimestamp(parquet.stat().st_mtime, UTC)
            return cls(kept["etag"], datetime.fromisoformat(kept["since"]), looked_at)
        except (OSError, pl.exceptions.PolarsError, KeyError, ValueError):
            return None

    @property
    def kept(self) -> dict[str, str]:
        """What the file says of itself."""
        return {"etag": self.etag, "since": self.since.isoformat()}


def _looked(parquet: Path, at: datetime) -> None:
    os.utime(parquet, (at.timestamp(), at.timestamp()))


def _since(came: Download) -> datetime:
    """Return since when the server has a file; since now where it does not say."""
    try:
        told = parsedate_to_datetime(came.last_modified).astimezone(UTC)
    except (ValueError, TypeError):
        return came.received_at
    return min(told, came.received_at)


def convert(source: Path, parquet: Path, columns: pl.Schema, version: Version) -> None:
    """Make a Parquet file of IMDb's, whole or not at all.

    Reading checks all of it: the sum at the end of the gzip, the columns, each number.

    Raises:
        StopError: It is cut, or a page, or of other columns; what was there before stays.
    """
    try:
        check_lines(source)
        with atomic_write(parquet) as aside:
            with aside.open("wb") as file:  # polars may create one of its own after it has failed
                _rows(source, columns).sink_parquet(
                    file, compression="lz4", row_group_size=ROW_GROUP, metadata=version.kept
                )
            if not pl.scan_parquet(aside).select(pl.len()).collect().item():
                raise pl.exceptions.NoDataError("it has no rows")
            _looked(aside, version.looked_at)
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        source.unlink(missing_ok=True)
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise StopError(
            f"answered with something that is not the data set ({first}); try again later, "
            "and check IMDB_DATASETS_URL",
            path=f"/{source.name}",
        ) from error


def _rows(source: Path, columns: pl.Schema) -> pl.LazyFrame:
    """Return some columns of a file, lazily; polars would hold all of it, packed, in memory."""

    def pieces(*_: object) -> Iterator[pl.DataFrame]:
        with gzip.open(source) as file:
            names = file.readline()
            while piece := file.read(PIECE):
                yield pl.read_csv(
                    names + piece + file.readline(),
                    separator="\t",
                    quote_char=None,
                    null_values=r"\N",
                    schema_overrides=columns,
                    infer_schema=False,
                ).select(columns.names())

    return register_io_source(pieces, schema=columns)


def rows_of(data_set: pl.LazyFrame, imdb_ids: pl.Series) -> pl.DataFrame:
    """Return the rows of some ids; a filter, since a join would hold far more in memory."""
    wanted = pl.col("tconst").is_in(imdb_ids.unique().implode())
    return data_set.filter(wanted).collect(engine="streaming")
