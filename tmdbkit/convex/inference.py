"""What can be told of a deployment's tables by its export alone, where nobody asked it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tmdbkit.convex.contract import Contract
from tmdbkit.schema import NEW_WITH_US, validator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tmdbkit.convex.target import Document

_HOW = "; --contract FILE takes what plan --save-contract FILE was told by the deployment"


def inferred(
    rows: Mapping[str, Sequence[Document]],
    numbered: Sequence[Document],
    *,
    began_empty: bool,
    own: Mapping[str, dict[str, Any]],
) -> Contract:
    """Return what the tables of a snapshot accept, and say how far that is known.

    Of a table with documents, a field that is new with us, or a user's own, and that none of them
    has is left out;
    and a table that the deployment has not numbered. Of an empty one nothing is known: it is
    taken to accept what we have.

    Args:
        rows: The documents of each table.
        numbered: The deployment's table of tables.
        began_empty: Whether it is no export.
        own: What the user's own fields of movies accept.
    """
    names = {"movies", *(row.get("name") for row in numbered)}
    tables = {n: validator(n) for n in rows if rows[n] or not numbered or n in names}
    new: set[str] = {*NEW_WITH_US, *own}
    is_inferred = bool(rows["movies"]) and not began_empty
    lacking = new - {name for row in rows["movies"] for name in row} if is_inferred else new - new
    members = {**tables["movies"]["value"], **own}.items()
    tables["movies"] = {"type": "object", "value": {n: m for n, m in members if n not in lacking}}
    empty = [] if began_empty else [name for name in tables if not rows[name]]
    return Contract(tables, (), source=f"{_known(empty, began_empty=began_empty)}{_HOW}")


def _known(empty: Sequence[str], *, began_empty: bool) -> str:
    if began_empty:
        return "not known, for it began empty: all that tmdbkit has is taken to fit"
    doubt = f"; {' and '.join(empty)} may hold anything, being empty" if empty else ""
    return f"not known: inferred from the documents of the export{doubt}"
