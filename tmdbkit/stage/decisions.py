"""What people decided about movies: which decisions stand, what they say and set; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.schema import CREATED_ONLY, IMAGES, ROW, SCALES, STAMPS, SYSTEMS
from tmdbkit.stage.tables import DECISIONS
from tmdbkit.surrogates import loads, whole

if TYPE_CHECKING:
    from datetime import datetime

VERDICTS = ("approve", "hold", "reject")
WORDS = {"approve": "approved", "hold": "held", "reject": "rejected"}
POINTS_FIELD, VOTES_FIELD = "vote_pts_system", "vote_count_system"
# What a verdict judges: the values that a card shows, as finely as it shows them. Votes are not
# among them: they move every day, and would bring every movie back.
JUDGED = ("title", "release_date", "runtime_minutes", "imdb_id")
PLAIN_FIELDS = tuple(
    name
    for name, kind in ROW.items()
    if kind in (pl.String, pl.Int64, pl.Float64)
    and name not in CREATED_ONLY | STAMPS | IMAGES | {"tmdb_id"}
)
RATING_FIELDS = tuple(f"{part}.{s}" for part in (POINTS_FIELD, VOTES_FIELD) for s in SYSTEMS)


def standing(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the decisions that stand: the newest verdict of each movie, and of each field's.

    The newest is the last: the log's order counts, not the clocks of those who decided. An undo
    takes back the one that it names; the one before it stands again.
    """
    undone = decisions.filter(pl.col("kind") == "undo").select(decision="undoes")
    said = decisions.filter(pl.col("kind") != "undo").join(
        undone, on="decision", how="anti", maintain_order="left"
    )
    return said.unique(["tmdb_id", "field"], keep="last", maintain_order=True)


def verdicts(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the verdict that stands for each movie, in `DECISIONS`."""
    return standing(decisions).filter(pl.col("kind").is_in(VERDICTS))


def overrides(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id, field, value, at` of the values that people set and that stand."""
    found = standing(decisions).filter(pl.col("kind") == "override")
    return found.select("tmdb_id", "field", "value", "at")


def judged() -> pl.Expr:
    """Return the values of a row of the flat table that a verdict judges, as JSON."""
    points = [pl.col(f"{s}_points").round(1 if SCALES[s] <= 10 else 0) for s in SYSTEMS]
    return pl.struct(*JUDGED, *points).struct.json_encode()


def changed_since(table: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id, judged, now` of movies whose judged values have moved since the verdict.

    Args:
        table: Flat rows of movies.
        decisions: Frames of `DECISIONS`.
    """
    said = verdicts(decisions).select("tmdb_id", "judged")
    decided = table.join(said, on="tmdb_id", how="semi")
    current = decided.select("tmdb_id", judged().alias("now"))
    return said.join(current, on="tmdb_id").filter(pl.col("judged") != pl.col("now"))


def moved(before: str, now: str) -> list[str]:
    """Return a line for each value that differs between two judged texts: `title: old → new`."""
    old, new = _object(before), _object(now)
    names = [name for name in new if old.get(name) != new[name]]
    return [f"{name}: {_shown(old.get(name))} → {_shown(new[name])}" for name in names]


def field_named(name: str) -> str:
    """Return the field that a person means: `imdb` is the points of IMDb, `imdb_votes` its votes.

    Raises:
        UsageError: There is no such field, or none that a person sets.
    """
    if name in SCALES:
        return f"{POINTS_FIELD}.{name}"
    if name.removesuffix("_votes") in SCALES:
        return f"{VOTES_FIELD}.{name.removesuffix('_votes')}"
    if name in PLAIN_FIELDS or name in RATING_FIELDS:
        return name
    names = [*SYSTEMS, *(f"{system}_votes" for system in SYSTEMS), *PLAIN_FIELDS]
    meant = did_you_mean(name, names)
    raise UsageError(f"{name!r} is no field to correct; there are {', '.join(names)}{meant}")


def typed(text: str) -> str | None:
    """Return the value that a person typed; `none` takes the value away.

    Raises:
        UsageError: Nothing was typed.
    """
    if not text.strip():
        raise UsageError("no value; write one, or none to take it away")
    return None if text.strip() == "none" else text.strip()


def decision(
    tmdb_id: int,
    kind: str,
    *,
    name: str,
    by: str,
    at: datetime,
    note: str = "",
    field: str = "",
    value: Any = None,
    old: Any = None,
    judged: str = "",
    waived: list[str] | None = None,
    undoes: str = "",
) -> pl.DataFrame:
    """Return one decision as a frame of `DECISIONS`."""
    texts = [
        whole(json.dumps(part, ensure_ascii=False)) if field else None for part in (value, old)
    ]
    said = (whole(note), whole(by))
    row = (tmdb_id, kind, field, *texts, *said, at, judged, waived or [], name, undoes)
    return pl.DataFrame([row], DECISIONS, orient="row")


def _object(text: str) -> dict[str, Any]:
    """Return what was in view; nothing is known of it where another program decided."""
    try:
        return dict(loads(text))
    except (ValueError, TypeError):
        return {}


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "") else str(value)
