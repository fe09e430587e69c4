"""Which film each row of a list names by an id, and what it says of it; pure."""

from __future__ import annotations

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.matching.asked import NAMES, asked_in
from tmdbkit.matching.matched import earlier_matches, is_matched, own_columns
from tmdbkit.tables import first_named, id_columns, ids_in

LISTED = pl.Schema(
    {
        "row": pl.Int64(),
        "id": pl.String(),  # digits of TMDB's, or tt and digits of IMDb's
        "title": pl.String(),
        "year": pl.Int64(),
        "why": pl.String(),  # there is no id
    }
)


def named_in(table: pl.DataFrame, column: str | None = None) -> pl.DataFrame:
    """Return the rows of a list as `LISTED`; of a matched one what is sure, or was typed into it.

    Args:
        table: Texts.
        column: Which column holds the ids, where a person says it.

    Raises:
        UsageError: No column is recognised, or there is none of that name.
    """
    own = own_columns(table)
    if column is None and is_matched(table):
        ids, why = _of_matches(table)
    else:
        ids, why = _of_columns(table, column), ["without an id"] * table.height
    columns = {w: c for w in ("title", "year") if (c := first_named(own.columns, NAMES[w]))}
    asked = asked_in(own, columns)
    rows = zip(range(1, own.height + 1), ids, asked, why, strict=True)
    return pl.DataFrame(
        [(row, one, said.title, said.year, None if one else why) for row, one, said, why in rows],
        LISTED,
        orient="row",
    )


def _of_columns(table: pl.DataFrame, column: str | None) -> list[str | None]:
    named = id_columns(table, column)
    if not named:
        raise UsageError(
            f"no column of ids is recognised; there are {', '.join(table.columns)}: name it with "
            "--id COLUMN, or find the films of titles with tmdbkit match"
        )
    return ids_in(table, named).to_list()


def _of_matches(table: pl.DataFrame) -> tuple[list[str | None], list[str]]:
    matches = earlier_matches(table)
    ids = [str(match.best.tmdb_id) if match.best and match.sure else None for match in matches]
    return ids, ["not sure" if match.best else "without an id" for match in matches]
