"""The local stage: a folder of append-only logs between TMDB and Convex."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import transform
from tmdbkit.exceptions import StageError
from tmdbkit.log import Log, reading, write_text
from tmdbkit.schema import INSTANT, ROW
from tmdbkit.settings import Settings
from tmdbkit.views import MovieCard, draw_facts, flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LAYOUT = 1
MISSING_FOR = timedelta(days=30)  # then a 404 is asked again
STAGED, MISSING, DROPPED = 200, 404, 410

PAYLOADS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "payload": pl.String(),
        "fetched_at": INSTANT,
        "http_status": pl.Int16(),
    }
)
FAILURES = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "reason": pl.String(),
        "passing": pl.Boolean(),
        "attempts": pl.Int32(),
        "http_status": pl.Int16(),
        "failed_at": INSTANT,
    }
)
IMPORTS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "push": pl.String(),
        "target": pl.String(),
        "outcome": pl.String(),
        "reason": pl.String(),
        "before": pl.String(),
        "after": pl.String(),
        "content_hash": pl.String(),
        "pushed_at": INSTANT,
    }
)
TAG = "tmdbkit.transform"


class Stage:
    """A folder of movies on their way to Convex.

    Args:
        folder: Where it is; default as the settings say.
        settings: What shapes rows, and the default folder; default `Settings.from_env()`.
        name: What its drawing calls it, instead of the folder.

    Raises:
        StageError: The folder is a file, or of a newer tmdbkit.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        settings: Settings | None = None,
        name: str | None = None,
    ) -> None:
        settings = settings or Settings.from_env()
        self.folder = Path(folder).expanduser() if folder is not None else settings.stage
        self.name = name or str(self.folder)
        self.options = transform.Options.of(settings)
        self._payloads = Log(self.folder / "payloads", PAYLOADS)
        self._movies = Log(self.folder / "movies", transform.ROWS)
        self._failures = Log(self.folder / "failures", FAILURES)
        self._imports = Log(self.folder / "imports", IMPORTS)
        self._current: set[str] = set()
        _check_layout(self.folder)

    # Reading.

    def movies(self) -> pl.DataFrame:
        """Return the rows as documents will have them, by `tmdb_id`."""
        with reading(self.folder):
            return self.scan().sort("tmdb_id").collect()

    def scan(self) -> pl.LazyFrame:
        """Return the same rows lazily and in no order."""
        rows = self._movies.scan(self._derived())
        keys = ["tmdb_id", "fetched_at", "part"]
        return rows.join(self._newest(), on=keys, how="semi").select(ROW.names())

    def ids(self) -> set[int]:
        """Return the ids that are staged."""
        with reading(self.folder):
            return set(self._newest().select("tmdb_id").collect()["tmdb_id"])

    def fetched_before(self, instant: datetime) -> set[int]:
        """Return the staged ids whose payload is older than that."""
        with reading(self.folder):
            old = self._newest().filter(pl.col("fetched_at") < instant)
            return set(old.select("tmdb_id").collect()["tmdb_id"])

    def missing(self) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the ids that TMDB does not have, by its latest answer."""
        with reading(self.folder):
            latest = self._payloads.scan().select("tmdb_id", "fetched_at", "http_status")
            return (
                latest.sort("fetched_at")
                .unique("tmdb_id", keep="last")
                .filter(pl.col("http_status") == MISSING)
                .select("tmdb_id", pl.col("fetched_at").alias("asked_at"))
                .sort("tmdb_id")
                .collect()
            )

    def lately_missing(self, now: datetime) -> set[int]:
        """Return the missing ids that are not worth asking for again yet."""
        missing = self.missing()
        return set(missing.filter(pl.col("asked_at") > now - MISSING_FOR)["tmdb_id"])

    def failures(self) -> pl.DataFrame:
        """Return the ids that could not be staged and still are not: why, how often, when."""
        with reading(self.folder):
            settled = pl.concat(
                [
                    self._movies.scan(self._derived()).select("tmdb_id", "fetched_at"),
                    self._payloads.scan()
                    .filter(pl.col("http_status") != STAGED)
                    .select("tmdb_id", "fetched_at"),
                ]
            )
            latest = settled.group_by("tmdb_id").agg(pl.col("fetched_at").max())
            return (
                self._failures.scan()
                .drop("part")
                .sort("failed_at")
                .unique("tmdb_id", keep="last")
                .join(latest, on="tmdb_id", how="left")
                .filter(
                    pl.col("fetched_at").is_null() | (pl.col("fetched_at") < pl.col("failed_at"))
                )
                .select(FAILURES.names())
                .sort("tmdb_id")
                .collect()
            )

    def payloads(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `tmdb_id, payload, fetched_at` of the staged movies, or of some of them."""
        newest = self._newest()
        if tmdb_ids is not None:
            newest = newest.join(_wanted(tmdb_ids), on="tmdb_id", how="semi")
        with reading(self.folder):
            return (
                self._payloads.scan()
                .filter(pl.col("http_status") == STAGED)
                .join(newest, on=["tmdb_id", "fetched_at", "part"], how="semi")
                .select("tmdb_id", "payload", "fetched_at")
                .sort("tmdb_id")
                .collect()
            )

    def batches(
        self, tmdb_ids: Iterable[int] | None = None, *, size: int
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield rows and payloads of up to `size` movies at a time, reading each part once.

        Memory does not grow with the stage, and the order is that of the parts.
        """
        keys = ["tmdb_id", "fetched_at", "part"]
        newest = self._newest()
        if tmdb_ids is not None:
            newest = newest.join(_wanted(tmdb_ids), on="tmdb_id", how="semi")
        with reading(self.folder):
            found = newest.sort("part", "tmdb_id").collect()
            for some in found.iter_slices(size):
                parts = some["part"].unique(maintain_order=True).to_list()
                rows = self._movies.scan(parts).join(some.lazy(), on=keys, how="semi")
                texts = self._payloads.scan(parts).join(some.lazy(), on=keys, how="semi")
                yield (
                    rows.select(ROW.names()).collect(),
                    texts.select("tmdb_id", "payload", "fetched_at").collect(),
                )

    def imports(self) -> pl.DataFrame:
        """Return the import log: one row for each document of each push, the newest last."""
        with reading(self.folder):
            rows = self._imports.scan().drop("part").unique().sort("pushed_at", "tmdb_id")
            return rows.collect()

    def status(self) -> dict[str, int]:
        """Return how many movies are staged, missing, failed, rated, decided upon and pushed."""
        staged = self.ids()
        wrote = pl.col("outcome").is_in(["created", "updated", "unchanged"])
        pushed = self.imports().filter(wrote)["tmdb_id"].n_unique()
        return {
            "staged": len(staged),
            "missing": self.missing().height,
            "failed": self.failures().height,
            "rated": 0,
            "approved": 0,
            "held": 0,
            "rejected": 0,
            "undecided": len(staged),
            "pushed": pushed,
        }

    def table(self) -> pl.DataFrame:
        """Return one flat row a movie, for reading: names instead of ids, year, points, votes."""
        return flat(self.movies(), self.payloads())

    def find(self, text: str) -> pl.DataFrame:
        """Return the rows of `table` whose title or people have `text` in them, in any case."""
        needle = text.casefold()
        rows = self.table()
        names = pl.concat_list(pl.concat_list("title", "original_title"), "directors", "cast")
        found = names.list.join("\n").str.to_lowercase().str.contains(needle, literal=True)
        return rows.filter(found)

    def __getitem__(self, tmdb_id: int) -> MovieCard:
        """Return one movie's card.

        Raises:
            KeyError: It is not staged.
        """
        with reading(self.folder):
            rows = self.scan().filter(pl.col("tmdb_id") == tmdb_id).collect()
        if rows.is_empty():
            raise KeyError(f"{tmdb_id} is not staged in {self.folder}")
        row = flat(rows, self.payloads([tmdb_id])).row(0, named=True)
        return MovieCard(row, self.poster(tmdb_id))

    def poster(self, tmdb_id: int) -> Path | None:
        """Return the movie's picture where the stage brings its own, as the sample does."""
        path = self.folder / "posters" / f"{tmdb_id}.png"
        return path if path.is_file() else None

    def __len__(self) -> int:
        with reading(self.folder):
            return int(self._newest().select(pl.len()).collect().item())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, tmdb_id: object) -> bool:
        return tmdb_id in self.ids()

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts("Stage", self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        count = len(self)
        found = [("staged", f"{count:,} movies"), ("folder", self.name)]
        if count == 0:
            found.append(
                ("empty", f"looked in {self.folder.resolve()}; tmdbkit stage 603 fills it")
            )
        return found

    # Writing.

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Append answers of TMDB, make their rows, and return the malformed ones.

        Args:
            rows: Frames of `tmdb_id, payload, fetched_at, http_status`.
        """
        self._begin()
        part = self._payloads.append(rows)
        malformed = self._derive(part, rows)
        times = rows.select("tmdb_id", pl.col("fetched_at").alias("failed_at"))
        failed = malformed.join(times, on="tmdb_id").with_columns(
            passing=pl.lit(value=False), attempts=pl.lit(1), http_status=pl.lit(STAGED)
        )
        self.add_failures(failed)
        return malformed

    def add_failures(self, rows: pl.DataFrame) -> None:
        """Append ids that could not be staged, in the columns of `failures()`."""
        if not rows.is_empty():
            self._begin()
            self._failures.append(rows.select(pl.col(n).cast(t) for n, t in FAILURES.items()))

    def add_imports(self, rows: pl.DataFrame) -> None:
        """Append outcomes of a push, in the columns of `imports()`."""
        if not rows.is_empty():
            self._begin()
            self._imports.append(rows)

    def drop(self, tmdb_ids: Iterable[int], *, now: datetime | None = None) -> int:
        """Take movies out, and return how many; what was logged of them stays in the log."""
        going = sorted(self.ids() & set(tmdb_ids))
        if going:
            at = now or datetime.now(UTC)
            self._payloads.append(
                pl.DataFrame(
                    [(tmdb_id, "", at, DROPPED) for tmdb_id in going], PAYLOADS, orient="row"
                )
            )
        return len(going)

    def compact(self, *, now: datetime | None = None) -> int:
        """Merge small files, and return how many were replaced; nobody who reads is disturbed."""
        at = now or datetime.now(UTC)
        replaced = sum(log.compact(at) for log in (self._payloads, self._failures, self._imports))
        self._movies.keep_only(self._payloads.all_parts())
        return replaced

    def compact_if_piled_up(self) -> None:
        """Merge small files where there are many."""
        if self._payloads.is_piled_up() or self._imports.is_piled_up():
            self.compact()

    # Inside.

    def _begin(self) -> None:
        """Make the folder, with its layout's version, where there is none."""
        marker = self.folder / "stage.json"
        if not marker.exists():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_text(marker, json.dumps({"layout": LAYOUT}) + "\n")
            except OSError as error:
                raise StageError(f"{self.folder} cannot be made: {error.strerror}") from error

    def _derived(self) -> list[str]:
        """Return the parts of payloads, once each has rows of the transform of today."""
        parts = self._payloads.parts()
        tag = self.options.tag()
        for part in parts:
            if part not in self._current:
                if self._movies.tag(part, TAG) != tag:
                    self._derive(part, self._payloads.scan([part]).drop("part").collect())
                self._current.add(part)
        return parts

    def _derive(self, part: str, payloads: pl.DataFrame) -> pl.DataFrame:
        """Make the rows of a part of payloads; return the malformed ones."""
        staged = payloads.filter(pl.col("http_status") == STAGED)
        made = transform.transform(staged, self.options)
        self._movies.append(made.rows, name=part, tags={TAG: self.options.tag()})
        self._current.add(part)
        return made.malformed

    def _newest(self) -> pl.LazyFrame:
        """Return `tmdb_id, fetched_at, part` of the row that counts, for every staged movie.

        Only these narrow columns are sorted, never whole rows.
        """
        keys = ("tmdb_id", "fetched_at", "part")
        dropped = (
            self._payloads.scan()
            .filter(pl.col("http_status") == DROPPED)
            .group_by("tmdb_id")
            .agg(pl.col("fetched_at").max().alias("dropped_at"))
        )
        return (
            self._movies.scan(self._derived())
            .select(keys)
            .sort("fetched_at", "part")
            .unique("tmdb_id", keep="last")
            .join(dropped, on="tmdb_id", how="left")
            .filter(pl.col("dropped_at").is_null() | (pl.col("dropped_at") < pl.col("fetched_at")))
            .select(keys)
        )


def _wanted(tmdb_ids: Iterable[int]) -> pl.LazyFrame:
    return pl.LazyFrame({"tmdb_id": list(tmdb_ids)}, schema={"tmdb_id": pl.Int64})


def _check_layout(folder: Path) -> None:
    """Refuse a folder that cannot be a stage of ours, before anything is done with it."""
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
