"""The review panel over a large stage: how long it takes to open, and until a click is seen."""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import Settings, Stage
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.stage.tables import PAYLOADS, STAGED

from .measure import Line, apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tmdbkit.notebook.panel import ReviewPanel

MOVIES, CLICKS = 100_000, 9
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCALES = {"imdb": 10, "letterboxd": 5, "metacritic": 100, "rotten_tomatoes": 100}
ONE_OF = 100  # so many ratings has one that is far off


def reviewing(openings: int = 3) -> Iterator[Line]:
    """Each opening in a process of its own, with the import of what widgets need."""
    with tempfile.TemporaryDirectory() as folder:
        _stage(Path(folder))
        fresh = [apart(__name__, "anew", folder) for _ in range(openings)]
        again = [apart(__name__, "again", folder) for _ in range(openings)]
    for what, runs in (("for the first time", fresh), ("looked through before", again)):
        opened = statistics.median(run["open"] for run in runs)
        whole = statistics.median(run["whole"] for run in runs)
        parts = f"the whole stage after {whole:.1f} s"
        yield Line(f"opening {MOVIES:,} movies, {what}, s", opened, 1.0, at_most=True, parts=parts)
    for click in ("verdict", "next", "filter", "correct", "undo"):
        slowest = statistics.median(run[click] for run in again)
        yield Line(f"  until {click} is seen, ms", slowest * 1000, 250, at_most=True)


def _stage(folder: Path) -> None:
    """A stage whose systems agree as they do, but for a rating here and there."""
    stage, draw = _opened(folder), random.Random(1)
    good = [min(max(draw.gauss(65, 12), 5), 95) for _ in range(MOVIES)]
    for start in range(0, MOVIES, 10_000):
        some = range(start, start + 10_000)
        rows = [(n + 1, _payload(n + 1, good[n]), AT, STAGED) for n in some]
        stage.store.add(pl.DataFrame(rows, PAYLOADS, orient="row"))
    for system, scale in SCALES.items():
        points = [
            round(min(max(q + draw.gauss(0, 6) - 40 * (draw.random() < 1 / ONE_OF), 5), 98), 0)
            for q in good
        ]
        rated = pl.DataFrame({"tmdb_id": range(1, MOVIES + 1), "points": points}).with_columns(
            pl.col("tmdb_id").cast(pl.Int64),
            (pl.col("points") * scale / 100).round(1 if scale <= 10 else 0),
            system=pl.lit(system),
            votes=pl.lit(5000, pl.Int64),
            fetched_at=pl.lit(AT),
        )
        stage.store.add_ratings(as_ratings(rated, "table"))


def _opened(folder: Path) -> Stage:
    return Stage(folder / "stage", settings=Settings(offline=True), now=lambda: AT)


def _payload(tmdb_id: int, quality: float) -> str:
    crew = [{"id": tmdb_id, "name": f"Person {tmdb_id}", "job": "Director"}]
    return json.dumps(
        {
            "id": tmdb_id,
            "title": f"Movie {tmdb_id}",
            "imdb_id": f"tt{tmdb_id + 5_000_000:07}",
            "overview": "Somebody wants something badly and has a hard time getting it.",
            "release_date": f"{1950 + tmdb_id % 70}-03-31",
            "original_language": "en",
            "poster_path": "/p.jpg",
            "runtime": 100,
            "status": "Released",
            "vote_average": quality / 10,
            "vote_count": 900,
            "credits": {"cast": [], "crew": crew},
        }
    )


def _measure(how: str, folder: Path) -> dict[str, float]:
    """What one opening takes, and how long it is until a click is seen."""
    stage = _opened(folder)
    if how == "anew":
        for path in (folder / "stage" / "assessed").glob("*"):
            path.unlink()
    began = time.perf_counter()
    from tmdbkit import notebook

    panel = notebook.review(stage, by="Ann")
    opened = time.perf_counter() - began
    _ = panel.queue  # which waits for the whole stage
    whole = time.perf_counter() - began
    return {"open": opened, "whole": whole, **_clicks(panel)}


def _clicks(panel: ReviewPanel) -> dict[str, float]:
    """The medians of a few clicks of each kind; all that they decide is taken back."""
    draw = random.Random(2)
    seen: list[float] = []
    panel.queue.listeners.append(lambda: seen.append(time.perf_counter()))

    def press(name: str) -> None:
        if name == "correct":  # what is typed keeps every other button from going on
            panel._new.value = str(draw.randrange(10, 99) / 10)
        panel._buttons[name].click()

    def narrow() -> None:
        others = {"error", "warning", "any"} - {panel._filters["severity"].value}
        panel._filters["severity"].value = draw.choice(sorted(others))

    def until_seen(click: Callable[[], None]) -> float:
        seen.clear()
        began = time.perf_counter()
        click()
        return seen[0] - began  # the first drawing has the effect

    clicks: dict[str, Callable[[], None]] = {
        "verdict": partial(press, "approve"),
        "next": partial(press, "next"),
        "filter": narrow,
        "correct": partial(press, "correct"),
        "undo": partial(press, "undo"),
    }
    took = {
        name: statistics.median(until_seen(click) for _ in range(CLICKS))
        for name, click in clicks.items()
    }
    while panel.queue.undo():
        pass
    return took


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))
