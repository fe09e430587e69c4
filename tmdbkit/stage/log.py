"""An append-only Parquet table: whole parts or none, and a compaction that disturbs no reader."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.exceptions import StageError, StopError
from tmdbkit.stage.storage import root_of, said_in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from tmdbkit.stage.storage import Entry, Root

LEVEL = 3  # zstd; level 9 saves a tenth more for four times the time
ROW_GROUP = 500  # rows that are read together: who wants some reads little more
KEPT_AFTER_COMPACTION = timedelta(hours=24)
PILE = 200  # small parts of a log that are worth a compaction
FULL = 16 * 2**20  # bytes of a part that is not small: payloads of 2,000 movies or so
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
    """A folder of small Parquet files of one schema, on this machine or in an object store.

    A part is whole or not there. A compaction writes a larger
    part, then a manifest beside it that names the parts it replaces: the manifest's appearance is
    the moment at which readers change over. Replaced parts stay for a day, for whoever has listed
    them already. Parts sort by the time at which their last row was written, merged ones too.

    Args:
        root: Where the parts are; made with the first one.
        columns: The schema; a part without a column reads as null there.
        kept: What a compaction keeps of neighbouring parts' rows, which it gets in their order.
    """

    def __init__(
        self,
        root: Root | Path,
        columns: pl.Schema,
        kept: Callable[[pl.LazyFrame], pl.LazyFrame] = each_once,
    ) -> None:
        self.root = root_of(root)
        self.columns = columns
        self._kept = kept
        self._known: dict[str, dict[str, Any]] = {}  # manifests that were read; none ever changes

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
        self._write(f"{part}.parquet", content.getvalue())
        return part

    def _write(self, name: str, content: bytes) -> None:
        try:
            self.root.write(name, content)
        except OSError as error:
            raise StopError(
                f"{self.root} cannot be written to ({error.strerror}); see to it that it can, "
                "and run the same again: it goes on from here"
            ) from error

    def source(self, part: str) -> str:
        """Return the path or the address of a part's file."""
        return self.root.source(f"{part}.parquet")

    def parts(self) -> list[str]:
        """Return the names of the parts that count, the oldest first.

        Manifests are listed first: the merged part of one that appears meanwhile does not count
        yet, and those that it replaces still do.
        """
        return sorted(self._sizes())

    def all_parts(self) -> set[str]:
        """Return the names of all parts there are, those replaced included."""
        return set(self._listed(".parquet"))

    def _sizes(self) -> dict[str, int]:
        """Return the parts that count, with their bytes."""
        manifests = self._manifests()
        files = self._listed(".parquet")
        replaced = {part for manifest in manifests.values() for part in manifest["replaces"]}
        hidden = replaced | _unfinished(set(files), manifests)
        return {part: file.size for part, file in files.items() if part not in hidden}

    def remove(self, parts: set[str]) -> None:
        """Delete parts: for a log that is made from another, and follows it."""
        for part in parts:
            self.root.remove(f"{part}.parquet")

    def scan(self, parts: list[str] | None = None) -> pl.LazyFrame:
        """Return all rows lazily, with the `part` each stands in."""
        names = self.parts() if parts is None else parts
        if not names:
            return pl.LazyFrame(schema=pl.Schema({**self.columns, "part": pl.String()}))
        found = pl.scan_parquet(
            [self.source(name) for name in names],
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
            return pl.read_parquet_metadata(self.source(part)).get(name)
        except (OSError, pl.exceptions.PolarsError):
            return None

    def compact(self, now: datetime) -> int:
        """Merge small parts into larger ones, unnoticed by readers; return how many they replace.

        A part of `FULL` bytes is left alone, so that the work does not grow with the log.
        """
        self.sweep(now)
        replaced = 0
        for group in self._groups():
            with reading(self.root):
                rows = self._kept(self.scan(group)).collect()
            merged = self.append(rows, name=_merged_name(group[-1]))
            manifest = {"replaces": group, "at": now.isoformat()}
            self._write(f"{merged}.json", json.dumps(manifest).encode())
            replaced += len(group)
        return replaced

    def is_piled_up(self) -> bool:
        """Tell whether there are so many small parts that reading suffers."""
        return sum(1 for size in self._sizes().values() if size < FULL) >= PILE

    def _groups(self) -> list[list[str]]:
        """Return runs of small neighbours that together make a full part."""
        groups: list[list[str]] = [[]]
        filled = 0
        for part, size in sorted(self._sizes().items()):
            if size >= FULL or filled + size > 2 * FULL:
                groups.append([])
                filled = 0
            if size < FULL:
                groups[-1].append(part)
                filled += size
        return [group for group in groups if len(group) > 1]

    def _listed(self, suffix: str) -> dict[str, Entry]:
        return {
            file.name.removesuffix(suffix): file
            for file in self.root.entries()
            if file.name.endswith(suffix) and not file.name.startswith(".")
        }

    def _manifests(self) -> dict[str, dict[str, Any]]:
        """Return what each merged part `replaces` and the instant `at` which it was made."""
        found = {}
        for merged in self._listed(".json"):
            with suppress(FileNotFoundError):  # swept a moment ago, after all that it replaced
                found[merged] = self._known.get(merged) or self._read_manifest(merged)
        self._known = found
        return found

    def _read_manifest(self, merged: str) -> dict[str, Any]:
        name = f"{merged}.json"
        content = self.root.read(name)
        try:
            manifest = json.loads(content)
            at = datetime.fromisoformat(manifest["at"])
            return {"replaces": set(manifest["replaces"]), "at": at}
        except (ValueError, KeyError, TypeError):
            raise StageError(
                f"{self.root.source(name)} cannot be read; move it away and compact again"
            ) from None

    def sweep(self, now: datetime) -> None:
        """Delete what nobody reads any more: parts replaced a day ago, and a killed run's rests.

        A manifest goes after the parts that it hides, or they would count again.
        """
        oldest = now - KEPT_AFTER_COMPACTION
        manifests = self._manifests()
        files = self.all_parts()
        for merged, manifest in manifests.items():
            if manifest["at"] <= oldest:
                self.remove(manifest["replaces"] & files)
                if merged not in self.all_parts():
                    self.root.remove(f"{merged}.json")
        unfinished = {f"{part}.parquet" for part in _unfinished(self.all_parts(), manifests)}
        for rest in self.root.entries():
            if (rest.name in unfinished or _is_aside(rest.name)) and rest.written_at < oldest:
                self.root.remove(rest.name)


def _is_aside(name: str) -> bool:
    """Tell whether a file was being written, aside, when its run was killed."""
    return name.startswith(".") and name.endswith(".tmp")


def _unfinished(files: set[str], manifests: Collection[str]) -> set[str]:
    """Return merged parts without a manifest: a compaction is at it, or was killed."""
    return {name for name in files if name.endswith(MERGED)}.difference(manifests)


def new_part_name() -> str:
    """Return a name that sorts by time and that no other run makes."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"


def _merged_name(last: str) -> str:
    """Return a name that takes the place of the last part that is merged."""
    return f"{last.partition('-')[0]}-{secrets.token_hex(4)}{MERGED}"


@contextmanager
def reading(root: Root) -> Iterator[None]:
    """Turn what polars or an object store says of a part into one clear line."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        said = said_in_one_line(error)
        raise StageError(
            f"{_damaged(root) or f'a part of {root}'} cannot be read ({said}); "
            "move that file away, and what was in it is fetched again"
        ) from error


def _damaged(root: Root) -> str | None:
    """Return the first part that is no Parquet file, for polars does not say which it is.

    Raises:
        StageError: Its place cannot be reached.
    """
    try:
        for name in root.walk():
            if name.endswith(".parquet") and not _is_whole(root, name):
                return root.source(name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StageError(
            f"{root} cannot be reached ({error.strerror}); run the same again"
        ) from None
    return None


def _is_whole(root: Root, name: str) -> bool:
    try:
        pl.read_parquet_metadata(root.source(name))
    except (pl.exceptions.PolarsError, OSError):
        root.read(name)  # an object store that cannot be reached says so here
        return False
    return True
