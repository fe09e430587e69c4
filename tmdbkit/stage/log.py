"""An append-only Parquet table: whole parts or none, and a compaction that disturbs no reader."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import polars as pl

from tmdbkit.exceptions import StopError
from tmdbkit.stage import foreign, parts
from tmdbkit.stage.foreign import reading
from tmdbkit.stage.parts import MERGED, Order
from tmdbkit.stage.storage import Entry, Root, root_of, writing

KEPT_AFTER_COMPACTION = timedelta(hours=24)
PILE = 200  # small parts of a log that are worth a compaction
FULL = 16 * 2**20  # bytes of a part that is not small: payloads of 2,000 movies or so
OWN = pl.Schema({"part": pl.String(), "file": pl.String()})  # beside a log's own columns


def each_once(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows without repeats, which two compactions at once leave behind: each one's last."""
    columns = [name for name in rows.collect_schema().names() if name not in OWN]
    in_order = rows.sort("part", maintain_order=True)
    return in_order.unique(columns, keep="last", maintain_order=True)


def is_any_of(tmdb_ids: Collection[int]) -> pl.Expr:
    """Return whether a row is of these movies; by their range polars skips what lies far off."""
    if not tmdb_ids:
        return pl.lit(value=False)
    ids = pl.Series(list(tmdb_ids), dtype=pl.Int64)
    near = pl.col("tmdb_id").is_between(ids.min(), ids.max())
    return near & pl.col("tmdb_id").is_in(ids.implode())


@dataclass(frozen=True)
class Listing:
    """What stands in a log's folder at one moment.

    Attributes:
        files: All parts, those replaced included.
        merged: What those of them that are merged say in their footers.
        manifests: By name, what the manifests of an older tmdbkit say.
        asides: Files that are being written, or whose writer was killed.
    """

    files: dict[str, Entry]
    merged: dict[str, parts.Merged]
    manifests: dict[str, frozenset[str]]
    asides: list[Entry]

    def replaced_by(self, part: str) -> frozenset[str]:
        """Return the parts that stand in one's place, wherever that is said."""
        if part in self.merged:
            return self.merged[part].replaces
        return parts.all_replaced(part, self.manifests)

    def replaced(self, by: Collection[str] | None = None) -> set[str]:
        """Return the names of what the parts there replace, or some of them."""
        named = (self.replaced_by(part) - {part} for part in (self.files if by is None else by))
        return set[str]().union(*named)

    def counting(self) -> list[str]:
        """Return the parts that count, the oldest first: those that none replaces."""
        return sorted(self.files.keys() - self.replaced())

    def to_fold_in(self, part: str) -> bool:
        """Tell whether only a manifest hides what this part replaces, and the disk has that yet."""
        return part not in self.merged and not self.replaced_by(part).isdisjoint(self.files)


class Log:
    """A folder of small Parquet files of one schema, on this machine or in an object store.

    A part is whole or not there, and carries its checksum. A compaction writes a larger part whose
    footer names those that it replaces: readers pass over a part exactly while one that names it is
    there. Replaced parts stay for a day, for whoever has listed them already. Parts sort in the
    order in which they were written; a row that was merged keeps the name of its `part`, and the
    one that it stands in is its `file`.

    Args:
        root: Where the parts are; made with the first one.
        columns: The schema; a part without a column reads as null there.
        kept: What a compaction keeps of neighbouring parts' rows.
        age: What told the order of rows that an older tmdbkit merged, which kept no `part`; a row
            for which it is null is before the others.
        order: Whose names sort after one another; default this log's alone.
        mixed: Whether people and other programs write to it as well: files are looked at first.
    """

    def __init__(
        self,
        root: Root | Path,
        columns: pl.Schema,
        kept: Callable[[pl.LazyFrame], pl.LazyFrame] = each_once,
        *,
        age: pl.Expr | None = None,
        order: Order | None = None,
        mixed: bool = False,
    ) -> None:
        self.root = root_of(root)
        self.columns = columns
        self._order = order or Order(self.root)
        self.damaged: dict[str, str] = {}  # what the last compaction left out, and why
        self._kept = kept
        self._age = age
        self._footers: dict[str, dict[str, str]] = {}  # of merged parts
        self._manifests: dict[str, frozenset[str]] = {}
        self._mixed = mixed
        self._strange: dict[str, set[str]] = {}
        self._listed: dict[str, Entry] = {}

    def append(
        self, rows: pl.DataFrame, *, name: str | None = None, tags: dict[str, str] | None = None
    ) -> str:
        """Write the rows as one part and return its name.

        Args:
            rows: Frames of the log's schema; with the `part` that each came in, if not in this.
            name: A part to replace, or the name of the part that this one is made from.
            tags: Facts about the part, kept in the file and read by `tag`.
        """
        part = name or self.new_part()
        content = BytesIO()
        own = {"part": pl.String()} if "part" in rows.columns else {}
        columns = pl.Schema({**self.columns, **own})
        parts.write_part(rows.match_to_schema(columns), content, tags or {})
        self._footers.pop(part, None)
        with writing(self.root):
            self.root.write(f"{part}.parquet", content.getvalue())
        return part

    def new_part(self) -> str:
        """Return a name that sorts after those of all parts there are."""
        with writing(self.root):
            return self._order.next()

    def source(self, part: str) -> str:
        """Return the path or the address of a part's file."""
        return self.root.source(f"{part}.parquet")

    def parts(self) -> list[str]:
        """Return the names of the parts that count, the oldest first."""
        return self.listing().counting()

    def all_parts(self) -> set[str]:
        """Return the names of all parts there are, those replaced included."""
        return set(self.listing().files)

    def listing(self) -> Listing:
        """Look at what is there, once."""
        entries = self.root.entries()
        files, named = _with_suffix(entries, ".parquet"), _with_suffix(entries, parts.SUFFIX)
        self._forget_replaced(files)
        found = {part: parts.merged_of(self._footer(part)) for part in files if _is_merged(part)}
        return Listing(
            files,
            {part: merged for part, merged in found.items() if merged},
            {part: self._manifest(part) for part in named},
            [entry for entry in entries if is_aside(entry.name)],
        )

    def _forget_replaced(self, files: dict[str, Entry]) -> None:
        """Forget what was read of files in whose place others stand by now."""
        for part in [n for n, entry in files.items() if self._listed.get(n, entry) != entry]:
            self._footers.pop(part, None)
            self._strange.pop(part, None)
        self._listed = files

    def remove(self, parts: Collection[str]) -> None:
        """Delete parts: for a log that is made from another, and follows it."""
        for part in parts:
            self.root.remove(f"{part}.parquet")

    def scan(self, parts: list[str] | None = None) -> pl.LazyFrame:
        """Return all rows lazily, with the `part` each came in."""
        return self.scan_files(parts).drop("file")

    def scan_files(self, files: list[str] | None = None) -> pl.LazyFrame:
        """Return the same with the `file` too that each row stands in: a merged part, perhaps."""
        names = self.parts() if files is None else files
        odd = [name for name in names if not self._strange_columns(name).isdisjoint(self.columns)]
        if not odd:
            return self._scan(names)
        others = [name for name in names if name not in odd]
        return pl.concat([self._scan(others), *map(self._read_foreign, odd)])

    def _scan(self, names: list[str]) -> pl.LazyFrame:
        if not names:
            return pl.LazyFrame(schema=pl.Schema({**self.columns, **OWN}))
        found = pl.scan_parquet(
            [self.source(name) for name in names],
            schema={**self.columns, "part": pl.String()},
            missing_columns="insert",
            extra_columns="ignore",
            include_file_paths="file",
            glob=False,
        )
        stem = pl.col("file").str.extract(r"([^/\\]+)\.parquet$", 1)
        return found.with_columns(part=self._part_of_rows(names, stem), file=stem)

    def _strange_columns(self, name: str) -> set[str]:
        """Return what of a file these columns do not hold; few logs need to ask."""
        if not self._mixed:
            return set()
        if name not in self._strange:
            self._strange[name] = foreign.strange_columns(self.source(name), self.columns)
        return self._strange[name]

    def _read_foreign(self, name: str) -> pl.LazyFrame:
        rows = foreign.read(self.source(name), self.columns)
        return rows.with_columns(part=pl.coalesce("part", pl.lit(name)), file=pl.lit(name))

    def _part_of_rows(self, names: list[str], stem: pl.Expr) -> pl.Expr:
        """Return the part that each row came in, as cheaply as the files there allow."""
        merged = [name for name in names if _is_merged(name)]
        if not merged:
            return stem
        if self._age is None or all(parts.has_own_parts(self._footer(name)) for name in merged):
            return pl.coalesce("part", stem)
        age = self._age.to_physical().cast(pl.String)
        aged = pl.when(stem.str.ends_with(MERGED)).then(pl.concat_str(stem, pl.lit("@"), age))
        return pl.coalesce("part", aged, stem)

    def tag(self, part: str, name: str) -> str | None:
        """Return a fact about a part, or None where the part or the fact is missing."""
        return parts.footer(self.source(part)).get(name)

    def compact(self, now: datetime) -> int:
        """Merge small parts into larger ones, unnoticed by readers; return how many they replace.

        A part of `FULL` bytes is left alone, so that the work does not grow with the log; and so is
        a damaged one, which `damaged` names, and one of another program or version: merged, it
        would lose what these columns cannot hold.

        Raises:
            StopError: What was merged could not be written, or is not what was written.
        """
        self.damaged = {}
        self.sweep(now)
        listing, replaced = self.listing(), 0
        for group in _groups(listing):
            held = [part for part in group if not self._strange_columns(part)]
            whole = [part for part in held if self._is_whole(part)]
            if len(whole) > 1 or any(map(listing.to_fold_in, whole)):
                self._merge(whole, listing, now)
                replaced += len(whole)
        return replaced

    def _merge(self, group: list[str], listing: Listing, now: datetime) -> None:
        """Write a part in place of others; its name, when it appears, is what hides those.

        Of what they replaced before it names what is still there: none of that counts again,
        whichever of them goes first.
        """
        with reading(self.root):
            rows = self._kept(self.scan(group)).collect()
        there = listing.replaced(by=group) & listing.files.keys()
        tags = parts.tags_of_merged(parts.Merged(frozenset(there.union(group)), now))
        merged = self.append(rows, name=parts.merged_name(group[-1]), tags=tags)
        del rows
        if not self._is_whole(merged):
            self.remove([merged])
            raise StopError(
                f"{self.source(merged)} does not read as it was written, and is gone again; "
                "nothing is lost, but look after that disk"
            )

    def _is_whole(self, part: str) -> bool:
        """Tell whether a part's content is what was written; what is wrong goes to `damaged`."""
        try:
            wrong = parts.fault(self.root.read(f"{part}.parquet"))
        except OSError as error:
            wrong = error.strerror or "it cannot be read"
        if wrong:
            self.damaged[part] = wrong
        return not wrong

    def is_piled_up(self) -> bool:
        """Tell whether there are so many small parts that reading suffers."""
        listing = self.listing()
        return sum(listing.files[part].size < FULL for part in listing.counting()) >= PILE

    def _footer(self, part: str) -> dict[str, str]:
        if part not in self._footers:
            found = parts.footer(self.source(part))
            if not found:
                return found  # gone or damaged, and perhaps put back later
            self._footers[part] = found
        return self._footers[part]

    def _manifest(self, merged: str) -> frozenset[str]:
        if not self._manifests.get(merged):
            self._manifests[merged] = parts.read_manifest(self.root, merged)
        return self._manifests[merged]

    def sweep(self, now: datetime) -> None:
        """Delete what nobody needs any more: parts replaced a day ago, and a killed run's rests.

        A part goes only where one that names it in its footer was just found whole: whatever it is
        that is missing, it is no leave to delete anything.
        """
        oldest = now - KEPT_AFTER_COMPACTION
        listing = self.listing()
        for part, merged in listing.merged.items():
            going = merged.replaces & listing.files.keys() - {part}
            if going and merged.at <= oldest and self._is_whole(part):
                self.remove(going)
        for part in _done_manifests(listing):
            self.root.remove(f"{part}{parts.SUFFIX}")
        for rest in listing.asides:
            if rest.written_at < oldest:
                self.root.remove(rest.name)


def is_aside(name: str) -> bool:
    """Tell whether a file was being written, aside, when its run was killed, or still is."""
    return name.startswith(".") and name.endswith(".tmp")


def _with_suffix(entries: list[Entry], suffix: str) -> dict[str, Entry]:
    seen = (entry for entry in entries if not entry.name.startswith("."))
    return {e.name.removesuffix(suffix): e for e in seen if e.name.endswith(suffix)}


def _is_merged(part: str) -> bool:
    return part.endswith(MERGED)


def _groups(listing: Listing) -> list[list[str]]:
    """Return runs of small neighbours that together make a full part, and what is to fold in."""
    groups: list[list[str]] = [[]]
    filled = 0
    for part in listing.counting():
        size = listing.files[part].size
        if size >= FULL or filled + size > 2 * FULL:
            groups.append([])
            filled = 0
        if size < FULL:
            groups[-1].append(part)
            filled += size
        elif listing.to_fold_in(part):
            groups[-1:] = [[part], []]
    return [group for group in groups if len(group) > 1 or any(map(listing.to_fold_in, group))]


def _done_manifests(listing: Listing) -> list[str]:
    """Return the manifests without which all stays as it is.

    What one names is gone, or a footer names it too; and so it is with the part that it is of,
    whose loss would else stand nowhere.
    """
    in_footers = listing.replaced(by=listing.merged)
    safe = listing.files.keys() | in_footers
    return [
        part
        for part, replaces in listing.manifests.items()
        if part in safe and replaces.isdisjoint(listing.files.keys() - in_footers)
    ]
