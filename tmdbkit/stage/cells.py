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
# The same within a text, which is a cell of its own where another separator is told.
_RUN_WITHIN = r"([;\t|\r\n]\"*)('*[=+\-@\uff1d\uff0b\uff0d\uff20])"
_RUN_ESCAPED = _RUN_WITHIN.replace("('*", "'('*")
_NUMBER = r"(?i)^[$€£]?[.,]?\d[\d.,:/% -]*(?:e[+-]?\d+)?(?: ?[ap]m)?$"
_WORDS = rf"(?i)^(?:true|false|wahr|falsch)$|^{_MONTH}[ -]?\d+$|^\d+[. -]*{_MONTH}(?: \d+)?$"
_WHOLE = r"^(?:0|[1-9]\d{0,14})$"  # a number that comes back as it was
_AS_ISO = r"^\d{4}-\d{2}-\d{2}$"
_SLASHED = re.compile(r"(\d\d?)[/-](\d\d?)[/-](\d{2}|\d{4})")
_WIDE = re.compile(r"\d[.,]\d\d+E[+-]\d\d+")  # as many digits as the column was wide
_ERROR = re.compile(
    r"#(?:REF|BEZUG|NAME|VALUE|WERT|DIV/0|NUM|ZAHL|NULL|N/?A|NV|SPILL|CALC)[!?]?|#{3,}|Err:\d+"
)
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
    text = text.str.replace_all(_RUN_WITHIN, "${1}'${2}")
    return pl.when(odd).then(pl.format("'{}", text)).otherwise(text)


def unescaped(cell: str) -> str:
    """Return the text that a cell stands for."""
    cell = re.sub(_RUN_ESCAPED, r"\1\2", cell)
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
        gone: What stands in it where a letter beyond cp1252 was lost, a pattern; "" where none is.
        day_first: Whether 7/8/2009 is the seventh day; None where no cell tells.
    """

    decimal: str
    gone: str
    day_first: bool | None

    @classmethod
    def of(cls, cells: pl.DataFrame, measures: list[str], gone: str, *, semicolons: bool) -> Reader:
        """Return how a sheet is to be read, by its cells; `measures` are its columns of fractions.

        With `semicolons` between cells, a comma is the decimal mark.
        """
        words = [word for name in measures for word in cells[name].drop_nulls()]
        commas, points = (sum(mark in word for word in words) for mark in ",.")
        is_comma = commas > 0 or points == 0 if semicolons else commas > points
        return cls("," if is_comma else ".", gone, _day_first(cells))

    def says(self, cell: str | None, value: Any, name: str) -> bool:
        """Tell whether a cell says the value that its column had, in whatever way."""
        if value in (None, "", []) or cell is None:
            return value in (None, "", []) and cell is None
        if isinstance(value, bool):
            return cell.lower() in ("yes" if value else "no", str(value).lower())
        if isinstance(value, int | float):
            return self._says_number(cell, value)
        text = JOINED.join(map(str, value)) if isinstance(value, list) else str(value)
        if name in DATES and _likely(_dates(cell, self.day_first), text) == {text}:
            return True
        text, said = (each.replace("\r\n", "\n").strip() for each in (text, unescaped(cell)))
        return said == text or bool(
            self.gone and re.fullmatch(self._rest_of(text), said, re.DOTALL)
        )

    def check(self, cell: str | None, value: str | None, name: str) -> None:
        """Stop a text that may be another one only because the file lost its letters."""
        both = f"{cell or ''}{value or ''}"
        if self.gone and not both.isascii() and re.search(self.gone, cell or "", re.DOTALL):
            raise UsageError(f"{name}: its letters may have been lost; save it as UTF-8")

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
        if _ERROR.fullmatch(cell):
            raise UsageError(f"{cell} is an error of the spreadsheet, and no {name}")
        if kind.is_numeric():
            number = self._number(cell)
            if number is None:
                raise UsageError(f"{cell!r} is no number, and {name} is one")
            if isinstance(was, int | float) and _is_shortened(cell, number, was):
                raise UsageError(f"{cell} may be {was} cut short; write {name} with all its digits")
            return number
        found = _likely(_dates(cell, self.day_first), str(was)) if name in DATES else set()
        if len(found) > 1:
            raise UsageError(f"{cell!r} may be {' or '.join(sorted(found))}; write one of these")
        return found.pop() if found else unescaped(cell)

    def _says_number(self, cell: str, value: float) -> bool:
        text, number = f"{value}", self._number(cell)
        if cell == text or number is None:
            return cell == text
        if re.search(r"\.\d{3}$", text) and cell == text.replace(".", "").lstrip("0"):
            return True  # a point that was taken for one between thousands
        if _WIDE.fullmatch(cell):
            return _is_shortened(cell, number, value)
        return number == value or (
            isinstance(value, float) and math.isclose(number, value, rel_tol=1e-8)
        )

    def _rest_of(self, text: str) -> str:
        """Return what a text may be after its letters beyond cp1252 were lost, a pattern."""
        return "".join(re.escape(each) if _fits_cp1252(each) else self.gone for each in text)

    def _number(self, cell: str) -> float | None:
        other = "." if self.decimal == "," else ","
        text = re.sub(r"[\s\u00a0\u202f']", "", cell)
        if re.search(_GROUPED[self.decimal], text):
            text = text.replace(other, "")
        try:
            return None if "_" in text or not text.isascii() else float(text.replace(",", "."))
        except ValueError:
            return None


def _fits_cp1252(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _is_shortened(cell: str, number: float, value: float) -> bool:
    """Tell whether a number with an exponent is a value in as few digits, such as 4,64E+08."""
    mantissa, mark, _ = cell.lower().partition("e")
    digits = len(re.sub(r"\D", "", mantissa)) - 1
    return bool(mark) and f"{number:.{digits}e}" == f"{value:.{digits}e}"


def _day_first(cells: pl.DataFrame) -> bool | None:
    """Return in which order a sheet has days and months, by those that are no month."""
    words = [word for name in DATES if name in cells.columns for word in cells[name].drop_nulls()]
    found = [match for word in words if (match := _SLASHED.fullmatch(word))]
    orders = {int(match[1]) > 12 for match in found if (int(match[1]) > 12) != (int(match[2]) > 12)}
    return orders.pop() if len(orders) == 1 else None


def _dates(cell: str, day_first: bool | None) -> set[str]:
    """Return the days that a cell may mean, ISO; none where it is no date."""
    if match := re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)(?:[ T]00:00.*)?", cell):
        return _days([match.groups()])
    if match := re.fullmatch(r"(\d\d?)\.\s?(\d\d?)\.\s?(\d{2}|\d{4})", cell):
        day, month, year = match.groups()
        return _days((each, month, day) for each in _years(year))
    if match := _SLASHED.fullmatch(cell):
        one, two, year = match.groups()
        either = [(one, two), (two, one)]
        if day_first is not None:
            either = either[day_first:][:1]
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
