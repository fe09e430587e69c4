"""A sheet there and back: the flat table as CSV, and as corrections what was edited in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.display import brief
from tmdbkit.exceptions import UsageError
from tmdbkit.files import atomic_write
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.cells import Reader, as_cells, normal
from tmdbkit.stage.decisions import PLAIN_FIELDS, POINTS_FIELD, VOTES_FIELD, standing
from tmdbkit.stage.fitting import fitting
from tmdbkit.stage.tables import DECISIONS
from tmdbkit.tables import decoded_text, reading, scan_csv_text, separator_of, texts
from tmdbkit.workflows.pending import PendingDecisions, decided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tmdbkit.stage.stage import Stage

    Fields = dict[int, dict[str, Any]]  # of movies, by id

EXPORT = "export_id"  # the last column
# The columns that a person corrects, and their fields.
CORRECTED = {
    **{name: name for name in PLAIN_FIELDS},
    **{f"{system}_points": f"{POINTS_FIELD}.{system}" for system in SYSTEMS},
    **{f"{system}_votes": f"{VOTES_FIELD}.{system}" for system in SYSTEMS},
}
MEASURES = ("popularity", *(f"{system}_points" for system in SYSTEMS))


def export_sheet(stage: Stage, path: str | Path) -> int:
    """Write one flat row a movie as CSV, and keep in the stage what was; return how many.

    Ratings that a push withholds are in it, for they are those that want correcting.
    """
    table = _table(stage)
    stage.store.marker.begin()
    cells = as_cells(table).with_columns(pl.lit(stage.store.exports.keep(table)).alias(EXPORT))
    with atomic_write(Path(path).expanduser()) as aside:
        cells.write_csv(aside, include_bom=True)  # by which Excel knows UTF-8
    return table.height


def apply_sheet(stage: Stage, path: str | Path) -> PendingDecisions:
    """Log as corrections what a person edited in a sheet; return what became of each cell."""
    return read_sheet(stage, path).write(stage)


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
    for (name,), rows in table.group_by(EXPORT, maintain_order=True):
        exported = stage.store.exports.read(str(name))
        if exported is None:
            found.refuse(rows.item(0, "row"), f"no export {name or 'id'} is known to this stage")
            continue
        unknown.update(set(rows.columns) - set(exported.columns) - {EXPORT, "row"})
        strangers = rows.join(exported, on="tmdb_id", how="anti")
        for row, tmdb_id in strangers.select("row", "tmdb_id").rows():
            found.refuse(row, f"movie {tmdb_id} is not in that export")
        for column in exported.columns:
            if column in rows.columns and column != "tmdb_id":
                found.compare(rows, exported, column)
    return found.pending(unknown)


def _table(stage: Stage) -> pl.DataFrame:
    return stage.table(raw=True).select(pl.exclude(EXPORT))


def _read(path: Path, title: str) -> tuple[pl.DataFrame, Reader]:
    """Return the rows of a sheet, each with its number, and how its cells are to be read."""
    with reading(title):
        content = path.read_bytes()
        try:
            text = decoded_text(content)
        except UnicodeDecodeError:  # as Excel writes what it calls CSV
            text = content.decode("cp1252", "replace")
        table = texts(scan_csv_text(text.encode()))
    lacking = [name for name in ("tmdb_id", EXPORT) if name not in table.columns]
    if lacking:
        raise UsageError(
            f"{title} has no column {lacking[0]}; tmdbkit export writes it, and by it a sheet "
            "that comes back is understood"
        )
    measures = [name for name in MEASURES if name in table.columns]
    semicolons = separator_of(text.encode()) == ";"
    reader = Reader.of(table, measures, text, semicolons=semicolons)
    ids = pl.col("tmdb_id").str.replace(r"[.,]0+$", "").cast(pl.Int64, strict=False)
    rows = table.with_columns(ids).with_row_index("row", offset=2)
    return rows.filter(pl.any_horizontal(pl.exclude("row").is_not_null())), reader


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
        self._now = _table(self.stage)
        self._places = {tmdb_id: row for row, tmdb_id in enumerate(self._now["tmdb_id"])}

    def refuse(self, row: int, why: str) -> None:
        """Take down what is not applied, and why."""
        self.refused.append((row, why))

    def compare(self, rows: pl.DataFrame, exported: pl.DataFrame, column: str) -> None:
        """Look at the cells of one column that are not as they were exported."""
        was = exported.select("tmdb_id", value=column)
        cells = as_cells(exported.select("tmdb_id", column)).select(
            exported["tmdb_id"], was=normal(pl.col(column))
        )
        beside = rows.select("row", "tmdb_id", cell=normal(pl.col(column))).join(
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
        if isinstance(value, str) and self.reader.lost(value):
            raise UsageError(f"{column} has letters that this file lost; save it as UTF-8")
        kind = self._now.schema[column]
        new = fitting(CORRECTED[column], self.reader.read(cell, kind, column, value))
        now = self._now.item(self._places[tmdb_id], column)
        title = self._now.item(self._places[tmdb_id], "title")
        if _is_same(now, new):
            self.known += 1
        elif not _is_same(now, value):
            three = f"{brief(value)} when exported, {brief(now)} now, {brief(new)} in the sheet"
            self.conflicts.append(f"row {row}: {title} · {column}: {three}")
        elif self.corrections.setdefault((tmdb_id, column), (new, now, title))[0] != new:
            raise UsageError(f"{tmdb_id} stands in two rows, with another {column} in each")

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

    def _lines(self) -> Iterator[str]:
        for (_, column), (new, now, title) in self.corrections.items():
            yield f"{title} · {column} · {brief(now)} → {brief(new)}"


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values of one field are the same; an empty text is none."""
    first, second = (
        each.strip() or None if isinstance(each, str) else each for each in (one, other)
    )
    return bool(first == second)
