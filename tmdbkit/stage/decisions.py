"""What people decided about movies: which decisions stand, what they say and set; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from math import floor
from typing import Any

import polars as pl

from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.schema import CREATED_ONLY, IMAGES, ROW, SCALES, STAMPS, SYSTEMS
from tmdbkit.stage.tables import DECISIONS
from tmdbkit.surrogates import loads, whole

VERDICTS = ("approve", "hold", "reject")
WORDS = {"approve": "approved", "hold": "held", "reject": "rejected"}
POINTS_FIELD, VOTES_FIELD = "vote_pts_system", "vote_count_system"
# What a verdict judges: the values that a card shows, as it shows them. Points count as moved where
# they are other ones as finely as the systems publish them. Votes are not among them: they move
# every day, and would bring every movie back.
JUDGED = ("title", "release_date", "runtime_minutes", "imdb_id")
DIGITS = {f"{system}_points": 1 if scale <= 10 else 0 for system, scale in SCALES.items()}
IN_VIEW = pl.Struct({**{n: ROW[n] for n in JUDGED}, **dict.fromkeys(DIGITS, pl.Float64())})
MOST = 2**53  # past which a number is none that anybody could judge
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
    return live(decisions).unique(["tmdb_id", "field"], keep="last", maintain_order=True)


def live(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the decisions that nobody took back, in their order."""
    undone = decisions.filter(pl.col("kind") == "undo").select("tmdb_id", decision="undoes")
    said = decisions.filter(pl.col("kind") != "undo")
    return said.join(undone, on=["tmdb_id", "decision"], how="anti", maintain_order="left")


def verdicts(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the verdict that stands for each movie, in `DECISIONS`."""
    return standing(decisions).filter(pl.col("kind").is_in(VERDICTS), field="")


def overrides(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id, field, value, at` of the values that people set and that stand."""
    found = standing(decisions).filter(pl.col("kind") == "override")
    return found.select("tmdb_id", "field", "value", "at")


def judged() -> pl.Expr:
    """Return the values of a row of the flat table that a verdict judges, as JSON."""
    return pl.struct(*JUDGED, *DIGITS).struct.json_encode()


def changed_since(table: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id, judged, now` of movies whose judged values have moved since the verdict."""
    said = verdicts(decisions).select("tmdb_id", "judged")
    decided = table.join(said, on="tmdb_id", how="semi")
    current = decided.select("tmdb_id", judged().alias("now"))
    both = said.join(current, on="tmdb_id").filter(pl.col("judged") != pl.col("now"))
    before, now = (_compared(_in_view(both[name])) for name in ("judged", "now"))
    differs = [before[name].ne_missing(now[name]) for name in before.columns]
    return both.filter(pl.any_horizontal(*differs))


def moved(before: str, now: str) -> list[str]:
    """Return a line for each value that differs between two judged texts: `title: old → new`."""
    old, new = _object(before), _object(now)
    names = [n for n in new if _published(n, old.get(n)) != _published(n, new[n])]
    return [f"{name}: {_shown(old.get(name))} → {_shown(new[name])}" for name in names]


def unreadable(judged: pl.Series) -> list[str]:
    """Return the texts that do not say what was in view; only those of other hands are parsed."""
    return [text for text in judged.filter(~judged.str.contains(_OURS)) if not _is_judged(text)]


@lru_cache(maxsize=2**16)
def _is_judged(text: str) -> bool:
    """Tell whether a text says what was in view: values by their names, each of its kind."""
    values = _object(text)
    kinds = IN_VIEW.to_schema().items()
    return bool(values) and all(_is_of(kind, values.get(name)) for name, kind in kinds)


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


def decision(tmdb_id: int, kind: str, **said: Any) -> pl.DataFrame:
    """Return one decision as a frame of `DECISIONS`; what else it says as for `row`."""
    return frame([row(tmdb_id, kind, **said)])


def frame(rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    """Return decisions as a frame of `DECISIONS`."""
    return pl.DataFrame(list(rows), DECISIONS, orient="row")


def row(
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
    batch: str | None = None,
    overrules: str | None = None,
) -> tuple[Any, ...]:
    """Return one decision as a row of `DECISIONS`."""
    sets = kind == "override"
    texts = [whole(json.dumps(part, ensure_ascii=False)) if sets else None for part in (value, old)]
    said = (whole(note), whole(by))
    rest = (judged, waived or [], name, undoes, batch, overrules)
    return (tmdb_id, kind, field, *texts, *said, at, *rest)


def _object(text: str) -> dict[str, Any]:
    """Return what was in view; nothing is known of it where another program decided."""
    try:
        return dict(loads(text))
    except (ValueError, TypeError):
        return {}


_FORMS: dict[object, str] = {
    pl.String: r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])*"',
    pl.Int64: r"-?[0-9]{1,15}",
    pl.Float64: r"-?[0-9]{1,15}(?:\.[0-9]{1,20})?",
}
_VALUES = (f'"{n}":(?:null|{_FORMS[kind.base_type()]})' for n, kind in IN_VIEW.to_schema().items())
# What `judged` writes, as a pattern: a stage may have a hundred thousand verdicts.
_OURS = rf"^\{{{','.join(_VALUES)}\}}$"


def _is_of(kind: object, value: Any) -> bool:
    if value is None or kind == pl.String:
        return isinstance(value, str | None)
    numbers = int if kind == pl.Int64 else int | float
    return isinstance(value, numbers) and not isinstance(value, bool) and abs(value) < MOST


def _in_view(texts: pl.Series) -> pl.DataFrame:
    """Return what judged texts say; those of another program one by one, for some are no JSON."""
    # Polars reads JSON by lines, of which an empty one is no row.
    lines = texts.str.replace_all(r"[\r\n]", " ").str.replace(r"^\s*$", "{}")
    try:
        found = lines.str.json_decode(IN_VIEW)
    except pl.exceptions.PolarsError:
        found = pl.Series([_object(text) for text in texts], dtype=IN_VIEW, strict=False)
    return found.struct.unnest()


def _compared(values: pl.DataFrame) -> pl.DataFrame:
    return values.with_columns(pl.col(name).round(digits) for name, digits in DIGITS.items())


def _published(name: str, value: Any) -> Any:
    """Return points as finely as their system publishes them, and other values as they are."""
    if name not in DIGITS or not isinstance(value, int | float):
        return value
    return floor(value * 10 ** DIGITS[name] + 0.5)  # as polars rounds, not to even numbers


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"  # as on the card
    return "nothing" if value in (None, "") else str(value)
