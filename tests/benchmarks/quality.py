"""All rules over as many movies as a large stage has."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.quality import RULES, find
from tmdbkit.ratings.agreement import POINTS
from tmdbkit.ratings.model import RATINGS, STEPS
from tmdbkit.schema import SCALES, SYSTEMS

from .measure import Line, medians, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 100_000


def movies(count: int) -> pl.DataFrame:
    """Movies with all that the rules look at, each with something that somebody may ask about."""
    number = pl.int_range(1, count + 1)
    return pl.select(tmdb_id=number).with_columns(
        title=pl.format("Film {}", "tmdb_id"),
        original_title=pl.format("Film {}", "tmdb_id"),
        year=pl.lit(2001),
        directors=pl.lit(["Ann"]),
        runtime_minutes=pl.lit(90),
        original_language=pl.lit("English"),
        status=pl.lit("Released"),
        release_date=pl.lit("2001-05-04"),
        budget=pl.lit(0),
        imdb_id=pl.format("tt{}", pl.col("tmdb_id") + 5_000_000),
        slug=pl.format("film-{}", "tmdb_id"),
        main_poster=pl.lit("/p.jpg"),
        asked_title=pl.format("film {}", "tmdb_id"),
        asked_year=pl.lit(2001),
    )


def ratings(count: int, seed: int = 1) -> pl.DataFrame:
    """Five ratings of each movie that go together about as real ones do."""
    draw = random.Random(seed)
    quality = [draw.gauss(0, 1) for _ in range(count)]
    frames = []
    for system in SYSTEMS:
        step, scale = STEPS[system], SCALES[system]
        scores = [
            POINTS.level[system] + POINTS.dispersion[system] * (q + draw.gauss(0, 0.3))
            for q in quality
        ]
        points = [round(min(max(s, 1), 99) * scale / 100 / step) * step for s in scores]
        frames.append(
            pl.DataFrame({"tmdb_id": range(1, count + 1), "points": points}).with_columns(
                system=pl.lit(system),
                scale=pl.lit(scale),
                score_100=pl.col("points") * 100 / scale,
                votes=pl.lit(1_000),
                provider=pl.lit("mdblist" if system != "tmdb" else "tmdb"),
                fetched_at=pl.lit(NOW),
            )
        )
    return pl.concat(frames).select(pl.col(n).cast(d) for n, d in RATINGS.items())


def finding() -> Iterator[Line]:
    """All rules over 100,000 movies with five ratings each."""
    rows, rated = movies(MANY), ratings(MANY)
    (took,) = medians(3, lambda: seconds(lambda: find(rows, rated, now=NOW)))
    parts = f"{len(RULES)} rules, {rated.height:,} ratings"
    yield Line("all rules over 100,000 movies, s", took, 1.0, at_most=True, parts=parts)
