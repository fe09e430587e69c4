"""A sheet there and back: the flat table as CSV, and as corrections what was edited in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import polars as pl

from tmdbkit.display import brief
from tmdbkit.exceptions import UsageError
from tmdbkit.files import atomic_write
from tmdbkit.schema import SYSTEMS
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.card import columns
from tmdbkit.stage.cells import Reader, as_cells, normal
from tmdbkit.stage.decisions import PLAIN_FIELDS, POINTS_FIELD, VOTES_FIELD, standing
from tmdbkit.stage.fitting import fitting
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.tables import DECISIONS
from tmdbkit.tables import decoded_text, file_to_write, reading, scan_csv_text, separator_of, texts
from tmdbkit.workflows.pending import PendingDecisions, Row, by_key, decided, who_works_on

Fields = dict[int, dict[str, Any]]  # of movies, by id

EXPORT = "export_id"  # the last column
ROW = "\0row"  # a name that no column of a sheet has
_LETTERS = re.compile(  # of several bytes in UTF-8
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
# The columns that a person corrects, and their fields.
CORRECTED = {
    **{name: name for name in PLAIN_FIELDS},
    **{f"{system}_points": f"{POINTS_FIELD}.{system}" for system in SYSTEMS},
    **{f"{system}_votes": f"{VOTES_FIELD}.{system}" for system in SYSTEMS},
}
MEASURES = ("popularity", *(f"{system}_points" for system in SYSTEMS))


@checked
def export_sheet(stage: Stage, path: str | Path) -> int:
    """Write one flat row a movie as CSV, and keep in the stage what was; return how many.

    Ratings that a push withholds are in it, for they are those that want correcting.
    """
    file, table = file_to_write(path), stage.table(raw=True).select(pl.exclude(EXPORT))
    stage.store.marker.begin()
    cells = as_cells(table).with_columns(pl.lit(stage.store.exports.keep(table)).alias(EXPORT))
    with reading(str(path), "written"), atomic_write(file) as aside:
        cells.write_csv(aside, include_bom=True)  # by which Excel knows UTF-8
    return table.height


@checked
def apply_sheet(stage: Stage, path: str | Path) -> PendingDecisions:
    """Log as corrections what a person edited in a sheet; return what became of each cell."""
    return read_sheet(stage, path).write(stage)


@checked
def read_sheet(stage: Stage, path: str | Path) -> PendingDecisions:
    """Return the corrections in a sheet: its cells that say another thing than was exported.

    Where the stage says a third thing by now, it is a conflict. Rows may be sorted, and rows and
    columns missing or moved.

    Raises:
        UsageError: It cannot be read, or is not of an export.
    """
    table, reader = _read(Path(path).expanduser(), str(path))
    found = _Found(stage, reader)
    unknown: set[str] = set()
    for (name,), rows in found.clear(table).group_by(EXPORT, maintain_order=True):
        exported = stage.store.exports.read(str(name))
        if exported is None:
            found.refuse(rows.item(0, ROW), f"no export {name or 'id'} is known to this stage")
            continue
        unknown.update(set(rows.columns) - set(exported.columns) - {EXPORT, ROW})
        strangers = rows.join(exported, on="tmdb_id", how="anti")
        for row, tmdb_id in strangers.select(ROW, "tmdb_id").rows():
            found.refuse(row, f"movie {tmdb_id} is not in that export")
        for column in exported.columns:
            if column in rows.columns and column != "tmdb_id":
                found.compare(rows, exported, column)
    return found.pending(unknown)


def _read(path: Path, title: str) -> tuple[pl.DataFrame, Reader]:
    """Return the rows of a sheet, each with its number, and how its cells are to be read."""
    with reading(title):
        text, gone = _text_of(path.read_bytes(), title)
        table = texts(scan_csv_text(text.encode()), title)
    lacking = [name for name in ("tmdb_id", EXPORT) if name not in table.columns]
    if lacking:
        raise UsageError(
            f"{title} has no column {lacking[0]}; tmdbkit export writes it, and by it a sheet "
            "that comes back is understood"
        )
    measures = [name for name in MEASURES if name in table.columns]
    semicolons = separator_of(text.encode()) == ";"
    reader = Reader.of(table, measures, gone, semicolons=semicolons)
    rows = table.with_row_index(ROW, offset=2)
    return rows.filter(pl.any_horizontal(pl.exclude(ROW).is_not_null())), reader


def _text_of(content: bytes, title: str) -> tuple[str, str]:
    """Return the text of a sheet, and what stands in it where a letter was lost, a pattern.

    Raises:
        UsageError: It is not all in UTF-8, and is not of what knows no UTF-8 either.
    """
    try:
        text = decoded_text(content)
    except UnicodeDecodeError as error:
        if _LETTERS.search(content) or content.startswith((b"\xff\xfe", b"\xfe\xff")):
            line = error.object[: error.start].count(b"\n") + 1
            raise UsageError(
                f"{title} cannot be read: line {line} is not text in UTF-8; save it as UTF-8"
            ) from None
        return content.decode("cp1252", "replace"), ".{1,2}"  # as Excel writes what it calls CSV
    return text, r"\?{1,2}" if content.isascii() else ""


@dataclass
class _Found:
    """What the cells of a sheet come to, one after the other."""

    stage: Stage
    reader: Reader
    corrections: dict[tuple[int, str], tuple[Any, Any, str]] = field(default_factory=dict)
    known: int = 0
    conflicts: list[str] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._standing = standing(self.stage.decisions())  # before the values that it sets
        self._corrected, self._by = by_key(self._standing), who_works_on(self.stage)
        names = [name for name in columns() if name == "tmdb_id" or name in CORRECTED]
        self._now = self.stage.store.look_up(names)
        self._places = {tmdb_id: row for row, tmdb_id in enumerate(self._now["tmdb_id"])}

    def refuse(self, row: int, why: str) -> None:
        """Take down what is not applied, and why."""
        self.refused.append((row, why))

    def clear(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that each are of one movie, and of another one; refuse the others."""
        ids = pl.col("tmdb_id").str.extract(r"^([0-9]{1,18})(?:[.,]0{1,2})?$").cast(pl.Int64)
        rows = table.with_columns(ids)
        for row, word in table.filter(rows["tmdb_id"].is_null()).select(ROW, "tmdb_id").rows():
            self.refuse(row, f"{word or 'nothing'} is no whole number, and tmdb_id is one")
        rows = rows.drop_nulls("tmdb_id")
        twice = pl.col("tmdb_id").is_duplicated()
        for row, tmdb_id in rows.filter(twice).select(ROW, "tmdb_id").rows():
            self.refuse(row, f"movie {tmdb_id} stands in several rows, of which none is applied")
        return rows.filter(~twice)

    def compare(self, rows: pl.DataFrame, exported: pl.DataFrame, column: str) -> None:
        """Look at the cells of one column that are not as they were exported."""
        was = exported.select("tmdb_id", value=column)
        cells = as_cells(exported.select("tmdb_id", column)).select(
            exported["tmdb_id"], was=normal(pl.col(column))
        )
        beside = rows.select(ROW, "tmdb_id", cell=normal(pl.col(column))).join(
            cells.join(was, on="tmdb_id"), on="tmdb_id", maintain_order="left"
        )
        edited = beside.filter(pl.col("cell").ne_missing(pl.col("was")))
        for row, tmdb_id, cell, _, value in edited.iter_rows():
            if not self.reader.says(cell, value, column):
                try:
                    self._take(row, tmdb_id, column, cell, value)
                except UsageError as error:
                    self.refuse(row, str(error))

    def _take(self, row: int, tmdb_id: int, column: str, cell: str | None, value: Any) -> None:
        """Take one cell that a person edited, to become a correction or a conflict."""
        if tmdb_id not in self._places:
            raise UsageError(f"no such movie {tmdb_id}")
        if column not in CORRECTED:
            raise UsageError(f"{column} is nothing that a sheet corrects")
        kind = self._now.schema[column]
        if kind == pl.String:
            self.reader.check(cell, value, column)
        new = fitting(CORRECTED[column], self.reader.read(cell, kind, column, value))
        now = self._now.item(self._places[tmdb_id], column)
        title = self._now.item(self._places[tmdb_id], "title")
        if _is_same(now, new):
            self.known += 1
        elif not _is_same(now, value):
            three = f"{brief(value)} when exported, {brief(now)} now, {brief(new)} in the sheet"
            self.conflicts.append(f"row {row}: {title} · {column}: {three}")
        else:
            self.corrections[tmdb_id, column] = new, now, title

    def pending(self, unknown: set[str]) -> PendingDecisions:
        """Return what is to be written, under one batch."""
        batch = token_hex(4) if self.corrections else ""
        made = [
            decided(
                *(self.stage, tmdb_id, "override"),
                field=CORRECTED[column],
                value=new,
                old=now,
                batch=batch,
                overrules=self._theirs(tmdb_id, column).get("decision"),
            )
            for (tmdb_id, column), (new, now, _) in self.corrections.items()
        ]
        left = f"columns that were not exported are left alone: {', '.join(sorted(unknown))}"
        return PendingDecisions(
            pl.concat([DECISIONS.to_frame(), *made]),
            changes=tuple(self._lines()),
            known=self.known,
            conflicts=tuple(self.conflicts),
            refused=tuple(f"row {row}: {why}" for row, why in sorted(self.refused)),
            notes=(left,) if unknown else (),
            batch=batch,
            seen=self._standing,
        )

    def _theirs(self, tmdb_id: int, column: str) -> Row:
        """Return the correction of somebody else that stands where another one would."""
        there = self._corrected.get((tmdb_id, CORRECTED[column]), {})
        return there if there.get("by") != self._by or not self._by else {}

    def _lines(self) -> Iterator[str]:
        for (tmdb_id, column), (new, now, title) in self.corrections.items():
            theirs = self._theirs(tmdb_id, column)
            whose = f" (set by {theirs['by'] or 'somebody'})" if theirs else ""
            yield f"{title} · {column} · {brief(now)}{whose} → {brief(new)}"


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values of one field are the same; an empty text is none."""
    first, second = (
        each.strip() or None if isinstance(each, str) else each for each in (one, other)
    )
    return bool(first == second)
