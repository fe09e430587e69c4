"""An append-only Parquet table: whole parts or none, and a compaction that disturbs no reader."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.exceptions import StageError, StopError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

LEVEL = 3  # zstd; level 9 saves a tenth more for four times the time
ROW_GROUP = 500  # rows that are read together: who wants some reads little more
KEPT_AFTER_COMPACTION = timedelta(hours=24)
PILE = 200  # small parts of a log that are worth a compaction
FULL = 32 * 2**20  # bytes of a part that is not small
MERGED = "-merged"


def each_once(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows without repeats, which two compactions at once leave behind."""
    return rows.drop("part").unique(maintain_order=True)


def among(tmdb_ids: Collection[int]) -> pl.Expr:
    """Return whether a row is of these movies; by their range polars skips what lies far off."""
    ids = pl.Series(list(tmdb_ids), dtype=pl.Int64)
    near = pl.col("tmdb_id").is_between(ids.min(), ids.max())
    return near & pl.col("tmdb_id").is_in(ids.implode())


class Log:
    """A folder of small Parquet files of one schema.

    A part is written aside and renamed, so it is whole or not there. A compaction writes a larger
    part, then a manifest beside it that names the parts it replaces: the manifest's appearance is
    the moment at which readers change over. Replaced parts stay for a day, for whoever has listed
    them already. Parts sort by the time at which their last row was written, merged ones too.

    Args:
        folder: Where the parts are; made with the first one.
        columns: The schema; a part without a column reads as null there.
        kept: What a compaction keeps of neighbouring parts' rows, which it gets in their order.
    """

    def __init__(
        self,
        folder: Path,
        columns: pl.Schema,
        kept: Callable[[pl.LazyFrame], pl.LazyFrame] = each_once,
    ) -> None:
        self.folder = folder
        self.columns = columns
        self._kept = kept

    def append(
        self, rows: pl.DataFrame, *, name: str | None = None, tags: dict[str, str] | None = None
    ) -> str:
        """Write the rows as one part and return its name.

        Args:
            rows: Frames of the log's schema.
            name: A part to replace, or the name of the part that this one is made from.
            tags: Facts about the part, kept in the file and read by `tag`.
        """
        part = name or new_part_name()
        content = BytesIO()
        rows.match_to_schema(self.columns).write_parquet(
            content,
            compression="zstd",
            compression_level=LEVEL,
            row_group_size=ROW_GROUP,
            metadata=tags,
        )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.path(part), content.getbuffer())
        except OSError as error:
            raise StopError(
                f"{self.folder} cannot be written to ({error.strerror}); see to it that it can, "
                "and run the same again: it goes on from here"
            ) from error
        return part

    def path(self, part: str) -> Path:
        """Return a part's file."""
        return self.folder / f"{part}.parquet"

    def parts(self) -> list[str]:
        """Return the names of the parts that count, the oldest first.

        Manifests are listed first: the merged part of one that appears meanwhile does not count
        yet, and those that it replaces still do.
        """
        manifests = self._manifests()
        files = self.all_parts()
        replaced = {part for manifest in manifests.values() for part in manifest["replaces"]}
        return sorted(files - replaced - _unfinished(files, manifests))

    def all_parts(self) -> set[str]:
        """Return the names of all parts on the disk, those replaced included."""
        return set(self._listed(".parquet"))

    def remove(self, parts: set[str]) -> None:
        """Delete parts: for a log that is made from another, and follows it."""
        for part in parts:
            self.path(part).unlink(missing_ok=True)

    def scan(self, parts: list[str] | None = None) -> pl.LazyFrame:
        """Return all rows lazily, with the `part` each stands in."""
        names = self.parts() if parts is None else parts
        if not names:
            return pl.LazyFrame(schema=pl.Schema({**self.columns, "part": pl.String()}))
        found = pl.scan_parquet(
            [self.path(name) for name in names],
            schema=dict(self.columns),
            missing_columns="insert",
            extra_columns="ignore",
            include_file_paths="part",
            glob=False,
        )
        stem = pl.col("part").str.extract(r"([^/\\]+)\.parquet$", 1)
        return found.with_columns(stem.alias("part"))

    def tag(self, part: str, name: str) -> str | None:
        """Return a fact about a part, or None where the part or the fact is missing."""
        try:
            return pl.read_parquet_metadata(self.path(part)).get(name)
        except (OSError, pl.exceptions.PolarsError):
            return None

    def compact(self, now: datetime) -> int:
        """Merge small parts into larger ones, unnoticed by readers; return how many they replace.

        A part of `FULL` bytes is left alone, so that the work does not grow with the log.
        """
        self.sweep(now)
        replaced = 0
        for group in self._groups():
            with reading(self.folder):
                rows = self._kept(self.scan(group)).collect()
            merged = self.append(rows, name=_merged_name(group[-1]))
            manifest = {"replaces": group, "at": now.isoformat()}
            write_text(self.folder / f"{merged}.json", json.dumps(manifest))
            replaced += len(group)
        return replaced

    def is_piled_up(self) -> bool:
        """Tell whether there are so many small parts that reading suffers."""
        return sum(1 for part in self.parts() if self._size(part) < FULL) >= PILE

    def _groups(self) -> list[list[str]]:
        """Return runs of small neighbours that together make a full part."""
        groups: list[list[str]] = [[]]
        filled = 0
        for part in self.parts():
            size = self._size(part)
            if size >= FULL or filled + size > 2 * FULL:
                groups.append([])
                filled = 0
            if size < FULL:
                groups[-1].append(part)
                filled += size
        return [group for group in groups if len(group) > 1]

    def _size(self, part: str) -> int:
        with suppress(FileNotFoundError):
            return self.path(part).stat().st_size
        return 0

    def _listed(self, suffix: str) -> list[str]:
        with suppress(FileNotFoundError):
            return [
                entry.name.removesuffix(suffix)
                for entry in os.scandir(self.folder)
                if entry.name.endswith(suffix) and not entry.name.startswith(".")
            ]
        return []

    def _manifests(self) -> dict[str, dict[str, Any]]:
        """Return what each merged part `replaces` and the instant `at` which it was made."""
        found = {}
        for merged in self._listed(".json"):
            path = self.folder / f"{merged}.json"
            try:
                manifest = json.loads(path.read_text(encoding="utf-8"))
                at = datetime.fromisoformat(manifest["at"])
                found[merged] = {"replaces": set(manifest["replaces"]), "at": at}
            except FileNotFoundError:
                continue  # swept a moment ago, after all that it replaced
            except (ValueError, KeyError, TypeError):
                raise StageError(f"{path} cannot be read; move it away and compact again") from None
        return found

    def sweep(self, now: datetime) -> None:
        """Delete what nobody reads any more: parts replaced a day ago, and a killed run's rests.

        A manifest goes after the parts that it hides, or they would count again.
        """
        oldest = now - KEPT_AFTER_COMPACTION
        manifests = self._manifests()
        for merged, manifest in manifests.items():
            if manifest["at"] <= oldest:
                self.remove(manifest["replaces"])
                if not self.path(merged).exists():
                    (self.folder / f"{merged}.json").unlink(missing_ok=True)
        unfinished = map(self.path, _unfinished(self.all_parts(), manifests))
        for rest in (*self.folder.glob(".*.tmp"), *unfinished):
            with suppress(FileNotFoundError):
                if rest.stat().st_mtime < oldest.timestamp():
                    rest.unlink()


def _unfinished(files: set[str], manifests: Collection[str]) -> set[str]:
    """Return merged parts without a manifest: a compaction is at it, or was killed."""
    return {name for name in files if name.endswith(MERGED)}.difference(manifests)


def new_part_name() -> str:
    """Return a name that sorts by time and that no other run makes."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"


def _merged_name(last: str) -> str:
    """Return a name that takes the place of the last part that is merged."""
    return f"{last.partition('-')[0]}-{secrets.token_hex(4)}{MERGED}"


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    write_whole(path, text.encode())


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all, and on the disk, so that a power cut leaves it so too."""
    # Neither polars nor we look at names that begin with a dot and end in .tmp.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn what polars says of a damaged part into one clear line."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StageError(
            f"{_damaged(folder) or f'a part of {folder}'} cannot be read ({first}); "
            "move that file away, and what was in it is fetched again"
        ) from error


def _damaged(folder: Path) -> Path | None:
    """Return the first part that is no Parquet file, for polars does not say which it is."""
    for path in sorted(folder.rglob("*.parquet")):
        try:
            pl.read_parquet_metadata(path)
        except (pl.exceptions.PolarsError, OSError):
            return path
    return None
