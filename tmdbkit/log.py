"""An append-only Parquet table: whole parts or none, and a compaction that disturbs no reader."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.exceptions import StageError, StopError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEVEL = 3  # zstd; level 9 saves a tenth more for four times the time
KEPT_AFTER_COMPACTION = timedelta(hours=24)
PILE = 200  # small parts of a log that are worth a compaction
FULL = 32 * 2**20  # bytes of a part that is not small


class Log:
    """A folder of small Parquet files of one schema.

    A part is written aside and renamed, so it is whole or not there. A compaction writes a larger
    part, then a manifest beside it that names the parts it replaces: the manifest's appearance is
    the moment at which readers change over. Replaced parts stay for a day, for whoever has listed
    them already.

    Args:
        folder: Where the parts are; made with the first one.
        columns: The schema; a part without a column reads as null there.
    """

    def __init__(self, folder: Path, columns: pl.Schema) -> None:
        self.folder = folder
        self.columns = columns

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
        self.folder.mkdir(parents=True, exist_ok=True)
        # scan_parquet never looks at names that do not end in .parquet, nor do we.
        aside = self.folder / f".{part}.{secrets.token_hex(4)}.tmp"
        try:
            rows.match_to_schema(self.columns).write_parquet(
                aside, compression="zstd", compression_level=LEVEL, metadata=tags
            )
            _sync(aside)
            aside.replace(self.path(part))
        except OSError as error:
            raise StopError(
                f"{self.folder} cannot be written to ({error.strerror}); "
                "make room and run the same again, it goes on from here"
            ) from error
        finally:
            aside.unlink(missing_ok=True)
        return part

    def path(self, part: str) -> Path:
        """Return a part's file."""
        return self.folder / f"{part}.parquet"

    def parts(self) -> list[str]:
        """Return the names of the parts that count, the oldest first."""
        files = self._listed(".parquet")
        manifests = self._listed(".json")
        replaced = {part for name in manifests for part in self._replaced_by(name)}
        unfinished = {name for name in files if name.endswith(MERGED)} - set(manifests)
        return sorted(set(files) - replaced - unfinished)

    def all_parts(self) -> set[str]:
        """Return the names of all parts on the disk, those replaced included."""
        return set(self._listed(".parquet"))

    def keep_only(self, parts: set[str]) -> None:
        """Delete every other part: for a log that is made from another."""
        for part in self.all_parts() - parts:
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
        self._sweep(now)
        replaced = 0
        for group in self._groups():
            with reading(self.folder):
                rows = self.scan(group).drop("part").unique(maintain_order=True).collect()
            merged = self.append(rows, name=new_part_name() + MERGED)
            manifest = {"replaces": group, "at": now.isoformat()}
            write_text(self.folder / f"{merged}.json", json.dumps(manifest))
            replaced += len(group)
        return replaced

    def is_piled_up(self) -> bool:
        """Tell whether there are so many small parts that reading suffers."""
        return sum(1 for part in self.parts() if self._size(part) < FULL) >= PILE

    def _groups(self) -> list[list[str]]:
        """Return runs of small parts that together make a full one."""
        groups: list[list[str]] = [[]]
        filled = 0
        for part in self.parts():
            size = self._size(part)
            if size >= FULL:
                continue
            if filled + size > 2 * FULL:
                groups.append([])
                filled = 0
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

    def _replaced_by(self, merged: str) -> list[str]:
        try:
            manifest = json.loads((self.folder / f"{merged}.json").read_text())
            return list(manifest["replaces"])
        except FileNotFoundError:
            return []

    def _sweep(self, now: datetime) -> None:
        """Delete what nobody reads any more: parts replaced a day ago, and a killed run's rests.

        A manifest goes after the parts that it hides, or they would count again.
        """
        for merged in self._listed(".json"):
            manifest = json.loads((self.folder / f"{merged}.json").read_text())
            if now - datetime.fromisoformat(manifest["at"]) < KEPT_AFTER_COMPACTION:
                continue
            for part in manifest["replaces"]:
                self.path(part).unlink(missing_ok=True)
            if not self.path(merged).exists():
                (self.folder / f"{merged}.json").unlink(missing_ok=True)
        oldest = (now - KEPT_AFTER_COMPACTION).timestamp()
        for rest in self.folder.glob(".*.tmp"):
            with suppress(FileNotFoundError):
                if rest.stat().st_mtime < oldest:
                    rest.unlink()


MERGED = "-merged"


def new_part_name() -> str:
    """Return a name that sorts by time and that no other run makes."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    aside.write_text(text, encoding="utf-8")
    _sync(aside)
    aside.replace(path)


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn what polars says of a damaged part into one clear line."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StageError(
            f"a part of {folder} cannot be read ({first}); "
            "move that file away, and what was in it is fetched again"
        ) from error


def _sync(path: Path) -> None:
    """Wait until the file is on the disk, so that a power cut leaves it whole too."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
