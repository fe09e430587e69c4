"""What was exported as sheets, kept in a stage: by it a sheet that comes back is understood."""

from __future__ import annotations

import re
from io import BytesIO
from secrets import token_hex
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from tmdbkit.stage.storage import Root

FOLDER = "exports"


class Exports:
    """One file for each export.

    Args:
        root: The stage's.
    """

    def __init__(self, root: Root) -> None:
        self._root = root.under(FOLDER)

    def keep(self, table: pl.DataFrame) -> str:
        """Keep the values that a sheet is made of, and return the export's name.

        It begins with a word, for a spreadsheet takes `12e45678` for a number.
        """
        name, content = f"export-{token_hex(4)}", BytesIO()
        table.write_parquet(content)
        self._root.write(f"{name}.parquet", content.getvalue())
        return name

    def read(self, name: str) -> pl.DataFrame | None:
        """Return what was exported under a name; None where that is not known here."""
        if not re.fullmatch(r"export-[0-9a-f]{8}", name):
            return None
        try:
            return pl.read_parquet(BytesIO(self._root.read(f"{name}.parquet")))
        except (OSError, pl.exceptions.PolarsError):
            return None
