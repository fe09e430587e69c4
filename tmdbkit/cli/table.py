"""A frame as a terminal shows it: columns as wide as there is room; in a pipe, tabs and no cuts."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING

from tmdbkit.display import plain
from tmdbkit.stage.card import said

if TYPE_CHECKING:
    import polars as pl

NARROWEST = 6  # a column's width, where room is short; of a name that is wider than its values


def aligned(rows: pl.DataFrame) -> list[list[str]]:
    """Return the names of the columns and the rows, as texts that are as wide as there is room."""
    heading = [name.removesuffix("_points") for name in rows.columns]
    cells = [[plain(said(value)) for value in row] for row in rows.rows()]
    if not sys.stdout.isatty():
        return [rows.columns, *cells]
    held = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    widths = [max(w, min(len(name), NARROWEST)) for w, name in zip(held, heading, strict=True)]
    room = shutil.get_terminal_size().columns - 2 * (len(widths) - 1)
    for place, name in enumerate(heading):
        widths[place] += max(0, min(len(name) - widths[place], room - sum(widths)))
    while sum(widths) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    while sum(widths) > room and widths[1:]:  # the last columns have no room at all
        widths.pop()
        room += 2
    right = [dtype.is_numeric() for dtype in rows.dtypes]
    return [list(map(_fitted, row, widths, right)) for row in [heading, *cells]]


def _width(text: str) -> int:
    """Return how many columns a text takes: two for each sign of Chinese, none for an accent."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def _fitted(text: str, width: int, to_the_right: bool) -> str:
    """Return a text in so many columns; one that is cut ends with a mark of that."""
    shown = text
    while _width(shown) > width:
        shown = f"{shown.removesuffix('…')[:-1]}…"
    room = " " * (width - _width(shown))
    return room + shown if to_the_right else shown + room
