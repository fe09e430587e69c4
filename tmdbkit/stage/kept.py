"""What a stage keeps beside its logs: what deployments accept, and what was exported as sheets."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from secrets import token_hex
from typing import Any

import polars as pl

from tmdbkit.exceptions import StageError, StopError
from tmdbkit.stage.storage import Root

CONTRACTS = "contracts"
EXPORTS = "exports"


@dataclass(frozen=True)
class KeptContract:
    """What a deployment said at the last contact.

    Attributes:
        target: Which one it is.
        asked_at: When that was, ISO.
        answer: Of the `contract` query, as it is.
        documents: The `_id` of some of its movies, by which an export of it is known.
    """

    target: str
    asked_at: str
    answer: dict[str, Any]
    documents: tuple[str, ...]


class Contracts:
    """One file for each deployment."""

    def __init__(self, root: Root) -> None:
        self._root = root.under(CONTRACTS)

    def keep(self, address: str, kept: KeptContract) -> None:
        """Keep one in place of what the same address said before; not where nobody can write."""
        name = f"{hashlib.sha256(address.encode()).hexdigest()[:16]}.json"
        with suppress(OSError, StageError, StopError):
            self._root.write(name, json.dumps(asdict(kept)).encode())

    def all(self) -> list[KeptContract]:
        """Return all that can be read, the latest last."""
        found = []
        for name in self._root.names_after(""):
            if name.endswith(".json"):
                with suppress(ValueError, TypeError, KeyError, OSError):  # of another hand
                    said = json.loads(self._root.read(name))
                    found.append(KeptContract(**{**said, "documents": tuple(said["documents"])}))
        return sorted(found, key=lambda kept: kept.asked_at)

    def of_export(self, ids: set[str]) -> KeptContract | None:
        """Return what the deployment said that an export came from, by the `_id` of its movies.

        Where none of them is known, all that are kept must say the same.
        """
        every = self.all()
        known = [kept for kept in every if not ids.isdisjoint(kept.documents)]
        agree = all(kept.answer == every[-1].answer for kept in every)
        return next(reversed(known or every), None) if known or agree else None


class Exports:
    """One file for each export."""

    def __init__(self, root: Root) -> None:
        self._root = root.under(EXPORTS)

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
