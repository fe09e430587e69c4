"""The four pictures: what is rated, where ratings lie, how two systems agree, what is disputed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from tmdbkit.display import SYSTEM_NAMES
from tmdbkit.plots import marks
from tmdbkit.plots.marks import NAMES
from tmdbkit.plots.picture import Picture, altair

# Mid-tones, to be seen on white and on black; in the order of SYSTEMS.
COLOURS = ["#b58300", "#2e9e5b", "#7b5ea7", "#d0402b", "#2b7bba"]
SHAPES = ["circle", "square", "diamond", "triangle-up", "cross"]  # for those who see no colours
BLUE, RED, GREY = "#2b7bba", "#d0402b", "#888888"
FEW, ALL = "#c5d5e6", "#1f5a93"  # of a tile, from a share of 0 to one of 1
WIDTH = 520
LINES = "split(datum.label, '|')"  # a label of two lines


def coverage(table: pl.DataFrame) -> Picture:
    """Return how many of the movies of each decade have a rating, system by system.

    Args:
        table: Has `year` and the five `{system}_points`.
    """
    alt = altair()
    shares = marks.shares(table).with_columns(
        pl.format("{}|{}", "decade", "movies").alias("column"),
        # Rounded down: 100% says that none is missing.
        pl.format("{}%", (pl.col("share") * 100).floor().cast(pl.Int32)).alias("text"),
    )
    apart = alt.Scale(paddingInner=0.04)
    base = alt.Chart(_values(shares)).encode(
        x=alt.X("column:O", title=None, axis=alt.Axis(labelAngle=0, labelExpr=LINES), scale=apart),
        y=alt.Y("system:N", title=None, sort=NAMES, scale=apart),
    )
    blues = alt.Scale(domain=[0, 1], range=[FEW, ALL], interpolate="rgb")
    tiles = base.mark_rect().encode(color=alt.Color("share:Q", scale=blues, legend=None))
    ink = alt.condition("datum.share > 0.74", alt.value("white"), alt.value("black"))
    chart = (tiles + base.mark_text().encode(text="text:N", color=ink)).properties(
        width={"step": 46}, height={"step": 30}
    )
    return _picture(chart, "Movies with a rating, by decade", f"of {_movies(table.height)}")


def distribution(table: pl.DataFrame) -> Picture:
    """Return where the ratings of each system lie, each drawn to its own height, and the medians.

    Args:
        table: Has the five `{system}_points`.
    """
    alt = altair()
    medians = marks.medians(table)
    upward = NAMES[::-1]
    rows = pl.col("system").replace_strict(upward, range(len(upward)), return_dtype=pl.Float64)
    ridges = marks.densities(table).with_columns(rows.alias("base"))
    ridges = ridges.with_columns((pl.col("base") + 0.78 * pl.col("height")).alias("top"))
    rated = dict(medians.select("system", "movies").rows())
    labels = [[name, _movies(rated[name]) if name in rated else "no ratings"] for name in upward]
    axis = alt.Axis(
        values=list(range(len(upward))),
        labelExpr=f"{json.dumps(labels)}[datum.value]",
        labelOffset=-28,
        grid=False,
        ticks=False,
        domain=False,
        labelPadding=10,
    )
    up = alt.Scale(domain=[0, len(upward)], nice=False)
    colour = alt.Color("system:N", scale=alt.Scale(domain=NAMES, range=COLOURS), legend=None)
    x = alt.X("score:Q", scale=alt.Scale(domain=[0, 100]), title="score of 100")
    middle = alt.Chart(
        _values(medians.with_columns(rows.alias("base"), (rows + 0.9).alias("top")))
    ).encode(x="median:Q", y=alt.Y("top:Q", scale=up))
    areas = alt.Chart(_values(ridges)).mark_area(opacity=0.8)
    number = middle.mark_text(align="left", dx=4, dy=1, fontWeight="bold")
    chart = (
        areas.encode(
            x=x, y=alt.Y("base:Q", scale=up, axis=axis, title=None), y2="top:Q", color=colour
        )
        + middle.mark_rule(strokeWidth=1.5).encode(y2="base:Q", color=colour)
        + number.encode(text=alt.Text("median:Q", format=".0f"))
    ).properties(width=WIDTH, height=66 * len(upward))
    return _picture(chart, "Where the ratings lie", "with the median of each system")


def agreement(table: pl.DataFrame, x: str = "imdb", y: str = "rotten_tomatoes") -> Picture:
    """Return one system against another, and the names of the movies on which they part most.

    A circle is as large as the number of movies in it. The line is the least-squares fit: what lies
    far from it is named, so that a system's own level and width are no disagreement.

    Args:
        table: Has `title, year` and the two systems' `{system}_points`.
        x: The system from left to right.
        y: The system from bottom to top.

    Raises:
        UsageError: One of them is no system, or a column is missing.
    """
    alt = altair()
    pairs = marks.pairs(table, x, y)
    slope, start, correlation = marks.fit(pairs)
    cells = marks.cells(pairs)
    ends = [0.0, 100.0] if pairs.height > 1 else []
    line = pl.DataFrame({"at": ends, "y": [round(start + slope * end, 2) for end in ends]})
    span = alt.Scale(domain=[0, 100])
    where = {
        "x": alt.X("at:Q", scale=span, title=f"{SYSTEM_NAMES[x]}, of 100"),
        "y": alt.Y("y:Q", scale=span, title=f"{SYSTEM_NAMES[y]}, of 100"),
    }
    many = alt.Scale(domain=[1, max([25, *cells["movies"]])], range=[18, 260])
    size = alt.Size("movies:Q", scale=many, legend=None)
    spots = alt.Chart(_values(marks.outliers(pairs, slope, start))).encode(**where)
    chart = (
        alt.Chart(_values(line)).mark_line(color=GREY, strokeDash=[4, 4], clip=True).encode(**where)
        + alt.Chart(_values(cells)).mark_circle(color=BLUE, opacity=0.7).encode(**where, size=size)
        + spots.mark_point(color=RED, size=40, strokeWidth=1.5, opacity=1)
        + _beside(spots, "left", "datum.to_the_right", dx=8)
        + _beside(spots, "right", "!datum.to_the_right", dx=-8)
    ).properties(width=WIDTH, height=WIDTH * 3 // 4)
    said = _movies(pairs.height)
    said = said if correlation is None else f"{said}, correlation {correlation:.2f}"
    return _picture(chart, f"{SYSTEM_NAMES[x]} against {SYSTEM_NAMES[y]}", said)


def disputed(table: pl.DataFrame, count: int = 12) -> Picture:
    """Return the movies on which the systems part most, five ratings on one line a movie.

    Args:
        table: Has `tmdb_id, title, year` and the five `{system}_points`. Where it has a `spread`,
            the widest come first; else those whose highest and lowest score lie farthest apart.
            Movies with fewer than three ratings are left out.
        count: How many movies.
    """
    alt = altair()
    chosen = marks.most_disputed(table, count)
    axis = alt.Axis(labelLimit=300, ticks=False, domain=False, grid=False, labelPadding=8)
    line = alt.Y("label:N", sort=chosen["label"].to_list(), title=None, axis=axis)
    span = alt.Scale(domain=[0, 100])
    across = alt.Chart(_values(chosen.select("label", "low", "high"))).encode(
        y=line, x=alt.X("low:Q", scale=span, title="score of 100"), x2="high:Q"
    )
    legend = alt.Legend(title=None, orient="top", columns=len(NAMES))
    dots = alt.Chart(_values(marks.ratings(chosen))).encode(
        y=line,
        x=alt.X("score:Q", scale=span),
        color=alt.Color("system:N", scale=alt.Scale(domain=NAMES, range=COLOURS), legend=legend),
        shape=alt.Shape("system:N", scale=alt.Scale(domain=NAMES, range=SHAPES), legend=legend),
    )
    chart = (
        across.mark_bar(height=5, color=GREY, opacity=0.35, cornerRadius=2)
        + dots.mark_point(filled=True, size=90, opacity=0.95)
    ).properties(width=WIDTH, height={"step": 26})
    return _picture(chart, "Where the systems part most", f"of {_movies(table.height)}")


def _beside(spots: Any, align: str, where: str, *, dx: int) -> Any:
    """Names beside their spots, left of them or right."""
    named = spots.transform_filter(where).encode(text="label:N")
    return named.mark_text(align=align, dx=dx)


def _values(frame: pl.DataFrame) -> dict[str, Sequence[dict[str, Any]]]:
    """Rows that stand in the chart, past altair's transformers, which users may have changed."""
    return {"values": frame.to_dicts()}


def _movies(count: int) -> str:
    return "1 movie" if count == 1 else f"{count:,} movies"


def _picture(chart: Any, title: str, subtitle: str) -> Picture:
    return Picture(
        chart.properties(title={"text": title, "subtitle": subtitle}), f"{title}, {subtitle}"
    )
