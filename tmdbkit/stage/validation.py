"""What is understood of rows that other hands and other versions write; the rest is said."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.exceptions import PassedOver
from tmdbkit.progress import counted
from tmdbkit.schema import LAST_ID
from tmdbkit.stage.decisions import PLAIN_FIELDS, RATING_FIELDS, VERDICTS, unreadable
from tmdbkit.stage.fitting import fitting
from tmdbkit.stage.tables import DECISIONS, OUTCOMES
from tmdbkit.surrogates import loads

if TYPE_CHECKING:
    from tmdbkit.ratings.rows import Frame

CHANGES = ("create", "update", "delete")
KINDS = (*VERDICTS, "undecide", "override", "waive", "undo")
FIELDS = frozenset((*PLAIN_FIELDS, *RATING_FIELDS))
TEXTS = ("field", "note", "by", "judged", "undoes")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # where nobody wrote a time
NAMED = 3  # of what is passed over, in one line


def decisions(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the decisions in the rows of their log, in `DECISIONS`, with the `part` of each.

    What another program left out is filled in, and what it judged counts as nothing where that
    cannot be read. One of a kind or a field that is not known here, that cannot be about what it
    names, or whose field cannot hold its value, is passed over.

    Args:
        rows: In the log's order, with the `part` that each came in.
    """
    if rows.is_empty():
        return rows.select(*DECISIONS.names(), "part")
    whole = named(rows).with_columns(
        *(pl.col(name).fill_null("") for name in TEXTS),
        at=pl.col("at").fill_null(LONG_AGO),
        waived=pl.col("waived").fill_null(pl.lit([], pl.List(pl.String))),
        batch=pl.when(pl.col("batch") != "").then("batch"),
    )
    nothing = pl.col("judged").is_in(unreadable(whole["judged"].unique()))
    whole = whole.with_columns(judged=pl.when(~nothing).then("judged").otherwise(pl.lit("")))
    is_override = pl.col("kind").eq_missing("override")
    held = _held_values(whole.filter(is_override).select("field", "value").unique())
    found = whole.join(
        held, on=["field", "value"], how="left", nulls_equal=True, maintain_order="left"
    )
    made = whole.select(undoes="decision", made_on="tmdb_id").unique("undoes", keep="first")
    found = found.join(made, on="undoes", how="left", maintain_order="left")
    is_known = _has_id() & pl.col("kind").is_in(KINDS).fill_null(value=False)
    is_understood = is_known & _can_be_meant() & (~is_override | pl.col("held").is_not_null())
    _say_passed_over(found.with_row_index("place"), is_understood)
    value = pl.when(is_override).then("held").otherwise("value")
    return found.filter(is_understood).with_columns(value=value).select(*DECISIONS.names(), "part")


def named(rows: Frame) -> Frame:
    """Return all decisions of some parts, each with a name: its place, where it has none."""
    at_place = pl.format("{}:{}", "part", pl.int_range(pl.len()).over("part"))
    return rows.with_columns(decision=pl.coalesce("decision", at_place))


def ratings(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the ratings that are of a movie and a system, whichever; the others are said.

    Points off every scale, such as infinity, are a finding of rules.
    """
    is_ours = _has_id() & pl.col("system").is_not_null()
    odd = rows.filter(~is_ours)
    if odd.is_empty():
        return rows
    told = [
        f"{system or 'no system'} {points} of {f'movie {tmdb_id}' if tmdb_id else 'no movie'}"
        for tmdb_id, system, points in odd.select("tmdb_id", "system", "points").rows()
    ]
    what = f"{counted(odd.height, 'rating')} passed over, which this tmdbkit does not understand"
    _say(what, told, "; ", "upgrade it, or collect them again")
    return rows.filter(is_ours)


def imports(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows of the import log that say of which movie, push and target they are.

    An outcome that is not known here is `unknown`. Both are said, with the file.
    """
    outcome = pl.col("outcome")
    is_named = _has_id() & pl.col("push").is_not_null() & pl.col("target").is_not_null()
    is_known = outcome.is_null() | outcome.is_in(list(OUTCOMES.values()))
    is_ours = is_named & is_known & (pl.col("kind").is_null() | pl.col("kind").is_in(CHANGES))
    _say_of_imports(rows.filter(~is_ours).select("part").collect()["part"])
    reason = pl.format("the log says {}, which this tmdbkit does not know", outcome)
    return rows.filter(is_named).with_columns(
        outcome=pl.when(is_known).then(outcome).otherwise(pl.lit("unknown")),
        reason=pl.when(is_known).then("reason").otherwise(reason),
        pushed_at=pl.col("pushed_at").fill_null(LONG_AGO),
    )


def _say_of_imports(parts: pl.Series) -> None:
    """Warn of lines of the import log that are not understood."""
    if parts.is_empty():
        return
    files = [f"imports/{part.partition('@')[0]}.parquet" for part in parts.unique().sort()]
    what = f"{counted(len(parts), 'line')} of the import log passed over, or unknown, which this "
    what += "tmdbkit does not understand"
    _say(what, files, ", ", "upgrade it, or move that file away")


def _say(what: str, named: list[str], mark: str, do: str) -> None:
    """Warn of what is not understood, of which the first are named."""
    told = mark.join(named[:NAMED]) + " …" * (len(named) > NAMED)
    warnings.warn(f"{what}: {told}; {do}", PassedOver, stacklevel=4)


def _has_id() -> pl.Expr:
    return pl.col("tmdb_id").is_between(0, LAST_ID).fill_null(value=False)


def _can_be_meant() -> pl.Expr:
    """Tell whether a decision is about what one of its kind can be about.

    Verdicts are on a whole movie, waivers on a column of all, and an undo is on the movie of the
    decision that it takes back.
    """
    from tmdbkit.stage.waivers import WAIVERS  # and with it all rules, where somebody decided

    kind, tmdb_id, field = pl.col("kind"), pl.col("tmdb_id"), pl.col("field")
    return (
        pl.when(kind.is_in((*VERDICTS, "undecide")))
        .then(field == "")
        .when(kind == "waive")
        .then((tmdb_id == 0) & field.is_in(WAIVERS))
        .when(kind == "undo")
        .then(pl.col("made_on").is_null() | (pl.col("made_on") == tmdb_id))
        .otherwise(pl.lit(value=True))
    )


def _held_values(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return `field, value` and `held`: the value as the field holds it, null where it cannot."""
    held = [_held(*pair) for pair in pairs.rows()]
    return pairs.with_columns(held=pl.Series(held, dtype=pl.String))


@lru_cache(maxsize=2**16)
def _held(field: str, text: str | None) -> str | None:
    """Return a value, which is JSON, as its field holds it; None where it cannot."""
    if field not in FIELDS or text is None:
        return None
    try:
        return json.dumps(fitting(field, loads(text)), ensure_ascii=False)
    except (ValueError, OverflowError):
        return None


def _say_passed_over(rows: pl.DataFrame, is_understood: pl.Expr) -> None:
    """Warn of decisions that are not understood, and after which nobody decided on the movie."""
    odd = rows.filter(~is_understood)
    if odd.is_empty():
        return
    last = rows.filter(is_understood).group_by("tmdb_id").agg(last=pl.max("place"))
    later = pl.col("last").is_null() | (pl.col("place") > pl.col("last"))
    odd = odd.join(last, on="tmdb_id", how="left", maintain_order="left").filter(later)
    if odd.is_empty():
        return
    told = [_what(*row) for row in odd.select("tmdb_id", "kind", "field", "value").rows()]
    what = f"{counted(odd.height, 'decision')} passed over, which this tmdbkit does not understand"
    _say(what, told, "; ", "upgrade it, or decide anew with tmdbkit review")


def _what(tmdb_id: int | None, kind: str | None, field: str, value: str | None) -> str:
    which = f"of movie {tmdb_id}" if tmdb_id else "of no movie"
    if kind != "override":
        return " ".join(part for part in (kind or "no kind", field, which) if part)
    return f"{field or 'no field'} {value or ''} {which}"
