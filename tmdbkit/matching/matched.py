"""A list with the films that its rows mean, as a table that a person may edit; pure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from tmdbkit.matching.asked import Asked
from tmdbkit.matching.candidates import Candidate, Match
from tmdbkit.surrogates import loads
from tmdbkit.tables import ASKED, id_in

COLUMNS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "imdb_id": pl.String(),
        "title": pl.String(),
        "year": pl.Int64(),
        "confidence": pl.Float64(),
        "margin": pl.Float64(),
        "how": pl.String(),
        "sure": pl.Boolean(),
        "others": pl.String(),  # JSON
    }
)
DECIMALS = 3


def is_matched(table: pl.DataFrame) -> bool:
    """Tell whether a table is one that was matched before."""
    return set(COLUMNS) <= set(table.columns)


def own_columns(table: pl.DataFrame) -> pl.DataFrame:
    """Return a list's own columns, those renamed that the answer has as well."""
    if is_matched(table):
        return table.drop(*COLUMNS)
    taken = [name for name in table.columns if name.removeprefix(ASKED) in COLUMNS]
    return table.rename({name: f"{ASKED}{name}" for name in taken})


def earlier_matches(table: pl.DataFrame) -> list[Match]:
    """Return what each row of a matched table comes to; what a person typed over it is `id`."""
    return [_earlier(row) for row in table.select(*COLUMNS).to_dicts()]


def _earlier(row: dict[str, Any]) -> Match:
    others, best = _candidates(row["others"]), _film(row)
    sure = str(row["sure"]).strip().lower() in ("true", "1", "yes")
    how, ids = row["how"] or "", [one.tmdb_id for one in others]
    guessed = ids[:1] if how not in ("", "none") else []
    is_typed = best is not None and not sure and [best.tmdb_id] != guessed
    is_other = best is not None and sure and best.tmdb_id in ids
    if best and (is_typed or is_other):  # of which the row's own title does not tell
        how = "id"
        best = next((one for one in others if one.tmdb_id == best.tmdb_id), Candidate(best.tmdb_id))
    confidence, margin = (_share(row[name]) for name in ("confidence", "margin"))
    return Match(best, confidence, margin, how, sure or is_typed, others)


def _share(text: str | None) -> float:
    """Return a number from 0 to 1, as spreadsheets write it; 0 where it is none."""
    try:
        number = float((text or "0").replace(",", "."))
    except ValueError:
        return 0.0
    return number if 0 <= number <= 1 else 0.0


def _film(row: dict[str, Any]) -> Candidate | None:
    year = str(row["year"] or "").strip().removesuffix(".0")
    tmdb_id = id_in(str(row["tmdb_id"] or "").strip())
    found = Candidate.of_facts({**row, "tmdb_id": tmdb_id, "year": year})
    return replace(found, imdb_id=row["imdb_id"] or None) if found.tmdb_id else None


def _candidates(text: str | None) -> list[Candidate]:
    try:
        found = loads(text or "[]")
    except ValueError:
        return []
    listed = found if isinstance(found, list) else []
    films = [Candidate.of_facts(one) for one in listed if isinstance(one, dict)]
    return [one for one in films if one.tmdb_id]


def told_apart(matches: Iterable[Match]) -> list[Match]:
    """Return them without being sure of any whose film another row means as well."""
    found = list(matches)
    claims = Counter(match.best.tmdb_id for match in found if match.best)
    return [
        replace(match, sure=False, others=_with_best(match))
        if match.best and claims[match.best.tmdb_id] > 1
        else match
        for match in found
    ]


def _with_best(match: Match) -> list[Candidate]:
    best = [match.best] if match.best else []
    return best + [one for one in match.others if one.tmdb_id not in [b.tmdb_id for b in best]]


def answers(matches: Sequence[Match]) -> pl.DataFrame:
    """Return matches as the columns that stand behind a list's own."""
    return pl.DataFrame([_answer(match) for match in matches], COLUMNS, orient="row")


def _answer(match: Match) -> tuple[Any, ...]:
    best = match.best
    of_best = (best.tmdb_id, best.imdb_id, best.title, best.year) if best else (None,) * 4
    others = json.dumps([one.facts() for one in match.others], ensure_ascii=False)
    confidence, margin = (round(n, DECIMALS) for n in (match.confidence, match.margin))
    return (*of_best, confidence, margin, match.how, match.sure, others)


def candidates_of(frame: pl.DataFrame, row: int) -> list[Candidate]:
    """Return what a row of a matched list may mean, the likeliest first."""
    return _candidates(frame["others"][row])


def with_choice(frame: pl.DataFrame, row: int, chosen: Candidate | None) -> pl.DataFrame:
    """Return a matched list in which a person chose a row's film, or said that there is none."""
    how = "none" if chosen is None else "id"
    match = Match(chosen, 1.0, 1.0, how, sure=True, others=candidates_of(frame, row))
    answer = dict(zip(COLUMNS, _answer(match), strict=True))
    is_row = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(is_row).then(pl.lit(answer[name], dtype)).otherwise(name).alias(name)
        for name, dtype in COLUMNS.items()
    )


def carried_over(
    asked: Iterable[Asked], before: Iterable[tuple[Asked, Match]]
) -> list[Match | None]:
    """Return for each row what a row that asked for the same came to; None where there is none."""
    known: dict[Asked, list[Match]] = defaultdict(list)
    for row, match in before:
        known[row].append(match)
    return [known[row].pop(0) if known[row] else None for row in asked]


def kept(match: Match | None, asked: Asked) -> Match | None:
    """Return what nobody has to be asked for again: it was sure, or a person typed the id."""
    if match is None:
        return None
    is_typed = match.how == "id" and match.best is not None and asked.id is None
    return replace(match, sure=True) if match.sure or is_typed else None
