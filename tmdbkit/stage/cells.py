"""A movie's values as cells of a spreadsheet, and back: what one runs, rewrites or loses; pure."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from tmdbkit.exceptions import UsageError

JOINED = " | "  # between the parts of a list
DATES = ("release_date",)  # texts that a spreadsheet may write as dates of its own
_MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*\.?"
# What a spreadsheet runs, or takes for a number, a date or a truth, and writes back otherwise.
_RUN = r"^[=+\-@\t\r'\uff1d\uff0b\uff0d\uff20]"
_NUMBER = r"(?i)^[$€£]?[.,]?\d[\d.,:/% -]*(?:e[+-]?\d+)?(?: ?[ap]m)?$"
_WORDS = rf"(?i)^(?:true|false|wahr|falsch)$|^{_MONTH}[ -]?\d+$|^\d+[. -]*{_MONTH}(?: \d+)?$"
_WHOLE = r"^(?:0|[1-9]\d{0,14})$"  # a number that comes back as it was
_AS_ISO = r"^\d{4}-\d{2}-\d{2}$"
_GROUPED = {".": r"^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?$", ",": r"^-?\d{1,3}(?:\.\d{3})+(?:,\d+)?$"}


def as_cells(table: pl.DataFrame) -> pl.DataFrame:
    """Return cells; what a spreadsheet would not leave alone begins with an apostrophe."""
    return table.select(_as_cell(name, kind).alias(name) for name, kind in table.schema.items())


def _as_cell(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind == pl.Boolean:
        return pl.when(column).then(pl.lit("yes")).when(~column).then(pl.lit("no"))
    if kind.is_numeric():
        return column.cast(pl.String).str.replace(r"\.0$", "")
    text = column.cast(pl.List(pl.String)).list.join(JOINED) if kind.is_nested() else column
    text = text.cast(pl.String).str.strip_chars()
    odd = pl.any_horizontal(text.str.contains(each) for each in (_RUN, _NUMBER, _WORDS))
    odd &= ~text.str.contains(_WHOLE)
    if name in DATES:
        odd &= ~text.str.contains(_AS_ISO)
    return pl.when(odd).then(pl.format("'{}", text)).otherwise(text)


def unescaped(cell: str) -> str:
    """Return the text that a cell stands for."""
    text = cell.removeprefix("'")
    is_odd = any(re.search(each, text) for each in (_RUN, _NUMBER, _WORDS))
    return text if is_odd and not re.search(_WHOLE, text) else cell


def normal(text: pl.Expr) -> pl.Expr:
    """Return texts as those of any sheet are compared: null where blank, one kind of line end."""
    return text.str.replace_all("\r\n", "\n").str.strip_chars().replace("", None)


@dataclass(frozen=True)
class Reader:
    """How the cells of one sheet are read.

    Attributes:
        decimal: Its decimal mark, a point or a comma.
        narrow: Whether it has no letter beyond cp1252, as one that lost all others has none.
    """

    decimal: str
    narrow: bool

    @classmethod
    def of(cls, cells: pl.DataFrame, measures: list[str], text: str, *, semicolons: bool) -> Reader:
        """Return how a sheet is to be read.

        Args:
            cells: Its cells.
            measures: Those of its columns that hold numbers which are not whole.
            text: The whole of it.
            semicolons: Whether they stand between its cells, as where a comma is the decimal mark.
        """
        words = [word for name in measures for word in cells[name].drop_nulls()]
        commas, points = (sum(mark in word for word in words) for mark in ",.")
        is_comma = commas > 0 or points == 0 if semicolons else commas > points
        return cls("," if is_comma else ".", _fits_cp1252(text))

    def says(self, cell: str | None, value: Any, name: str) -> bool:
        """Tell whether a cell says the value that its column had, in whatever way."""
        if value in (None, "", []) or cell is None:
            return value in (None, "", []) and cell is None
        if isinstance(value, bool):
            return cell.lower() in ("yes" if value else "no", str(value).lower())
        if isinstance(value, int | float):
            return self._says_number(cell, value)
        text = JOINED.join(map(str, value)) if isinstance(value, list) else str(value)
        if name in DATES and text in _dates(cell):
            return True
        text, said = (each.replace("\r\n", "\n").strip() for each in (text, unescaped(cell)))
        return said == text or (self.lost(text) and _is_rest_of(said, text))

    def lost(self, text: str) -> bool:
        """Tell whether a text had letters that this sheet cannot have."""
        return self.narrow and not _fits_cp1252(text)

    def read(self, cell: str | None, kind: pl.DataType, name: str, was: Any = None) -> Any:
        """Return the value that a person wrote; None where the cell is empty.

        Args:
            cell: What they wrote.
            kind: The type of its column.
            name: The column's.
            was: The value that was there, by whose year a date of two digits is understood.

        Raises:
            UsageError: It is none of that kind, or may mean two.
        """
        if cell is None:
            return None
        if kind.is_numeric():
            number = self._number(cell)
            if number is None:
                raise UsageError(f"{cell!r} is no number, and {name} is one")
            return number
        found = _likely(_dates(cell), str(was)) if name in DATES else set()
        if len(found) > 1:
            raise UsageError(f"{cell!r} may be {' or '.join(sorted(found))}; write one of these")
        return found.pop() if found else unescaped(cell)

    def _says_number(self, cell: str, value: float) -> bool:
        text, number = f"{value}", self._number(cell)
        if cell == text or number is None:
            return cell == text
        if re.search(r"\.\d{3}$", text) and cell == text.replace(".", "").lstrip("0"):
            return True  # a point that was taken for one between thousands
        if "e" in cell.lower():  # 4,64E+08: as many digits as the column was wide
            digits = len(re.sub(r"\D", "", cell.lower().partition("e")[0])) - 1
            return f"{number:.{digits}e}" == f"{value:.{digits}e}"
        return number == value or (
            isinstance(value, float) and math.isclose(number, value, rel_tol=1e-8)
        )

    def _number(self, cell: str) -> float | None:
        other = "." if self.decimal == "," else ","
        text = re.sub(r"[\s\u00a0\u202f']", "", cell)
        if re.search(_GROUPED[self.decimal], text):
            text = text.replace(other, "")
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return None


def _fits_cp1252(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _is_rest_of(said: str, text: str) -> bool:
    """Tell whether it is a text after its letters beyond cp1252 were lost: `?`, or one like it."""
    parts = (re.escape(letter) if _fits_cp1252(letter) else ".{1,2}" for letter in text)
    return re.fullmatch("".join(parts), said, re.DOTALL) is not None


def _dates(cell: str) -> set[str]:
    """Return the days that a cell may mean, ISO; none where it is no date."""
    if match := re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)(?:[ T]00:00.*)?", cell):
        return _days([match.groups()])
    if match := re.fullmatch(r"(\d\d?)\.\s?(\d\d?)\.\s?(\d{2}|\d{4})", cell):
        day, month, year = match.groups()
        return _days((each, month, day) for each in _years(year))
    if match := re.fullmatch(r"(\d\d?)[/-](\d\d?)[/-](\d{2}|\d{4})", cell):
        one, two, year = match.groups()
        either = ((one, two), (two, one))
        return _days((each, month, day) for each in _years(year) for month, day in either)
    return set()


def _likely(days: set[str], was: str) -> set[str]:
    """Return those of the year that was there; else those before 2030, as spreadsheets do."""
    same = {day for day in days if day[:4] == was[:4]}
    return same or {day for day in days if day < "2030"} or days


def _years(text: str) -> tuple[str, ...]:
    return (text,) if len(text) == 4 else (f"19{text}", f"20{text}")


def _days(parts: Any) -> set[str]:
    found = set()
    for year, month, day in parts:
        with suppress(ValueError):
            found.add(date(int(year), int(month), int(day)).isoformat())
    return found
