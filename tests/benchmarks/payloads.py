"""Payloads as large as TMDB's, and as hard to compress: what is measured on them holds for real."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.demo import sample_payloads
from tmdbkit.stage.tables import PAYLOADS, STAGED

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 40_000  # characters; TMDB's are 39,000 on average where all sections are asked for
DIFFERENT = 1_000  # movies until a text comes again, which is far beyond what zstd remembers
AT = datetime(2026, 1, 1, tzinfo=UTC)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

People = dict[str, list[dict[str, Any]]]


def payloads(first: int, count: int) -> pl.DataFrame:
    """Rows of a stage's payloads, for ids that follow one another."""
    ids = range(first, first + count)
    rests = [_rests()[tmdb_id % DIFFERENT] for tmdb_id in ids]
    return _staged(ids, pl.Series(rests))


def small(first: int, count: int) -> pl.DataFrame:
    """The same with next to nothing in them, where only their number matters."""
    ids = range(first, first + count)
    return _staged(ids, pl.repeat('"title":"A movie"}', count, eager=True))


def portions(total: int, size: int) -> Iterator[tuple[int, int]]:
    """The first id and the number of ids, portion by portion."""
    return ((first, min(size, total - first + 1)) for first in range(1, total + 1, size))


def _staged(ids: range, rests: pl.Series) -> pl.DataFrame:
    rows = pl.DataFrame({"tmdb_id": ids, "rest": rests}).select(
        "tmdb_id",
        payload=pl.concat_str(pl.lit('{"id":'), "tmdb_id", pl.lit(","), "rest"),
        fetched_at=pl.lit(AT),
        http_status=pl.lit(STAGED),
    )
    return rows.cast(PAYLOADS)


@cache
def _rests() -> list[str]:
    """What follows the id: the sample's movies, with more people until they are large enough."""
    movies = [json.loads(text) for text in sample_payloads().values()]
    known = {role: [p for m in movies for p in m["credits"][role]] for role in ("cast", "crew")}
    draw = random.Random(1)
    return [_rest(movies[n % len(movies)], known, draw) for n in range(DIFFERENT)]


def _rest(movie: dict[str, Any], known: People, draw: random.Random) -> str:
    credited = {role: list(movie["credits"][role]) for role in known}
    size = len(_text(movie))
    while size < SIZE:
        for role, people in known.items():
            credited[role].append(_stranger(draw.choice(people), draw))
            size += len(_text(credited[role][-1])) + 1
    rest = {name: value for name, value in movie.items() if name != "id"}
    return _text(rest | {"credits": credited}).removeprefix("{")


def _stranger(person: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """Somebody like that person, with the noise that no compression gets rid of."""
    path = "".join(draw.choices(LETTERS, k=27))
    return {
        **person,
        "id": draw.randrange(1, 5_000_000),
        "popularity": round(draw.expovariate(1), 4),
        "profile_path": f"/{path}.jpg" if draw.random() < 0.6 else None,
        "credit_id": f"{draw.getrandbits(96):024x}",
    }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
