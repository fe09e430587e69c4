"""IMDb's ratings: one file for all movies, joined by IMDb id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import polars as pl

from tmdbkit.ratings.imdb_files import TERMS, IMDbFile, rows_of
from tmdbkit.ratings.model import RATINGS, Collected, Cost
from tmdbkit.ratings.rows import as_ratings, by_imdb_id
from tmdbkit.ratings.web import Timing
from tmdbkit.settings import Settings

FILE = "title.ratings.tsv.gz"
COLUMNS = pl.Schema({"tconst": pl.String(), "averageRating": pl.Float64(), "numVotes": pl.Int64()})
SYSTEM = "imdb"


class IMDb(IMDbFile):
    """IMDb's daily data set of ratings, kept in the cache's folder: as it came, and as Parquet.

    Args:
        settings: The address, the cache's folder, whether to stay offline; default
            `Settings.from_env()`.
        **timing: What a session waits and tells the time by; see `Session`.
    """

    name = SYSTEM
    systems: tuple[str, ...] = (SYSTEM,)
    metered = False
    fallback = False
    terms = TERMS

    def __init__(self, settings: Settings | None = None, **timing: Unpack[Timing]) -> None:
        super().__init__(FILE, COLUMNS, settings, **timing)

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self.session.requests

    def cost(self, wanted: pl.DataFrame) -> Cost:
        """Return one request for all movies, or none where the server was asked today."""
        askable, _ = by_imdb_id(wanted)
        return Cost(0 if askable.is_empty() or self._is_current else 1)

    def collect(self, wanted: pl.DataFrame) -> Iterator[Collected]:
        """Yield all at once; an id that the data set does not have is settled without a rating.

        Raises:
            OfflineError: Offline, and no data set is there.
            StopError: The file does not come, or is no data set; the one that is there stays.
        """
        askable, failed = by_imdb_id(wanted)
        ratings = RATINGS.to_frame()
        if not askable.is_empty():
            rows, since = self._scan()
            found = join(askable, rows).with_columns(fetched_at=pl.lit(since))
            ratings = as_ratings(found, self.name)
        yield Collected(askable["tmdb_id"].to_list(), ratings, failed)


def join(askable: pl.DataFrame, data_set: pl.LazyFrame) -> pl.DataFrame:
    """Return `tmdb_id, system, points, votes` of the movies that the data set rates.

    Args:
        askable: Frames of `tmdb_id, imdb_id`.
        data_set: Frames of `COLUMNS`; where it repeats an id, the row with the most votes counts.
    """
    found = rows_of(data_set, askable["imdb_id"])
    rated = found.filter(pl.col("averageRating").is_not_null())
    once = rated.sort("numVotes", "averageRating", descending=True, nulls_last=True).unique(
        "tconst", keep="first"
    )
    return askable.join(once, left_on="imdb_id", right_on="tconst").select(
        "tmdb_id", system=pl.lit(SYSTEM), points="averageRating", votes="numVotes"
    )
