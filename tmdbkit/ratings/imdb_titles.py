"""What IMDb says that its ids are: title, year, length and kind; one file for all."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

import polars as pl

from tmdbkit.progress import Progress
from tmdbkit.ratings.imdb_files import TERMS, IMDbFile, rows_of
from tmdbkit.ratings.web import Timing
from tmdbkit.settings import Settings

FILE = "title.basics.tsv.gz"
# Years and minutes as text: one of twelve million that is no number is a number less, no fault.
COLUMNS = pl.Schema(
    dict.fromkeys(
        ("tconst", "titleType", "primaryTitle", "originalTitle", "startYear", "runtimeMinutes"),
        pl.String(),
    )
)
TITLES = pl.Schema(
    {
        "imdb_id": pl.String(),
        "imdb_kind": pl.String(),
        "imdb_title": pl.String(),
        "imdb_original_title": pl.String(),
        "imdb_year": pl.Int32(),
        "imdb_minutes": pl.Int32(),
    }
)


class IMDbTitles(IMDbFile):
    """IMDb's daily data set of titles, some 200 MB, kept in the cache's folder.

    Args:
        settings: The address, the cache's folder, whether to stay offline; default
            `Settings.from_env()`.
        progress: Progress reporter for the download; default none.
        **timing: What a session waits and tells the time by; see `Session`.
    """

    terms = TERMS

    def __init__(
        self,
        settings: Settings | None = None,
        progress: Progress | None = None,
        **timing: Unpack[Timing],
    ) -> None:
        super().__init__(FILE, COLUMNS, settings, progress, **timing)

    def look_up(self, imdb_ids: pl.Series) -> tuple[pl.DataFrame, datetime]:
        """Return what IMDb has of some ids, in `TITLES`, and since when it has that.

        Raises:
            OfflineError: Offline, and no data set is there.
            StopError: The file does not come, or is no data set; the one that is there stays.
        """
        rows, since = self._scan()
        found = rows_of(rows, imdb_ids)
        named = dict(zip(COLUMNS, TITLES, strict=True))
        return (
            found.unique("tconst", keep="first", maintain_order=True)
            .rename(named)
            .select(pl.col(name).cast(kind, strict=False) for name, kind in TITLES.items()),
            since,
        )
