from __future__ import annotations

import re
import subprocess
import sys
import time
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import altair
import polars as pl
import pytest

from tmdbkit import plots
from tmdbkit.exceptions import UsageError
from tmdbkit.plots import charts, marks
from tmdbkit.plots.picture import SHARP
from tmdbkit.schema import SCALES, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[pl.DataFrame], plots.Picture]

pytestmark = pytest.mark.once

DRAWN = (plots.coverage, plots.distribution, plots.agreement, plots.disputed)
GROUNDS = ("#ffffff", "#111111")  # of JupyterLab, in light and in dark
HOSTILE = "<img src=x onerror=alert(1)>"


def table(*movies: dict[str, Any]) -> pl.DataFrame:
    """A table of movies that have the scores of 100 that are given, by system."""
    rows = [
        {
            "tmdb_id": number,
            "title": movie.get("title", f"Movie {number}"),
            "year": movie.get("year", 1999),
            **{f"{s}_points": _points(s, movie.get(s)) for s in SYSTEMS},
        }
        for number, movie in enumerate(movies, 1)
    ]
    points = {f"{system}_points": pl.Float64() for system in SYSTEMS}
    schema = pl.Schema({"tmdb_id": pl.Int64(), "title": pl.String(), "year": pl.Int32(), **points})
    return pl.DataFrame(rows, schema)


def _points(system: str, score: float | None) -> float | None:
    return None if score is None else score * SCALES[system] / 100


def crowd(size: int) -> pl.DataFrame:
    """A large table in which scores go up and down together, and some are missing."""
    number = pl.int_range(size)
    # A step that has no factor in common with a prime visits each remainder, in no order.
    score = (number * 7919 % 8_101) / 100 + 10
    off = {s: (number * (2 * k + 101) % 1_009) / 100 for k, s in enumerate(SYSTEMS)}
    points = {
        f"{s}_points": pl.when(number % (7 + k) > 0).then((score + off[s]) * SCALES[s] / 100)
        for k, s in enumerate(SYSTEMS)
    }
    year = (1_880 + number * 31 % 150).cast(pl.Int32)
    return pl.select(tmdb_id=number, title=pl.format("Movie {}", number), year=year, **points)


UNKNOWN = {"title": None, "year": None, "tmdb": float("nan"), "metacritic": float("inf")}
EDGES = {
    "empty": table(),
    "one movie": table({"imdb": 80, "rotten_tomatoes": 90, "tmdb": 75}),
    "nothing known": table(UNKNOWN, UNKNOWN).with_columns(
        pl.lit(None).alias(name) for name in ("year", "imdb_points", "letterboxd_points")
    ),
}


def values(picture: plots.Picture) -> list[dict[str, Any]]:
    """All marks that a picture is made of."""
    sets = picture.chart.to_dict()["datasets"].values()
    return [row for rows in sets for row in rows]


def labels(picture: plots.Picture) -> list[str]:
    found = (row["label"] for row in values(picture) if "label" in row)
    return list(dict.fromkeys(found))


def contrast(one: str, other: str) -> float:
    """How two colours stand out from each other, from 1 to 21, as WCAG 2 reckons it."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    hexed = {"white": "#ffffff", "black": "#000000"}.get(colour, colour)
    if hexed.startswith("rgb"):
        parts = [int(part) for part in re.findall(r"\d+", hexed)]
    else:
        parts = list(bytes.fromhex(hexed[1:]))
    shares = [part / 255 for part in parts]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# Drawing.


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_the_same_movies_in_any_order_make_the_same_chart(draw: Draw) -> None:
    movies = crowd(300)
    other = draw(movies.sample(fraction=1, shuffle=True, seed=3))
    assert draw(movies).chart.to_dict() == other.chart.to_dict()


def test_the_same_chart_makes_the_same_bytes() -> None:
    one, other = (plots.agreement(crowd(60)).png() for _ in range(2))
    assert one.startswith(b"\x89PNG\r\n")
    assert one == other


@pytest.mark.parametrize("edge", EDGES)
def test_a_table_with_little_in_it_is_drawn(edge: str, tmp_path: Path) -> None:
    sheet = altair.vconcat(*(draw(EDGES[edge]).chart for draw in DRAWN))
    place = plots.Picture(sheet, "all four").save(tmp_path / "sheet.svg")
    text = "".join(ElementTree.parse(place).getroot().itertext())
    assert all(title in text for title in ("by decade", "ratings lie", "against", "part most"))
    assert not {"NaN", "null", "undefined"} & set(re.findall(r"\w+", text))


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_a_hundred_thousand_movies_are_a_few_marks_and_at_once(draw: Draw) -> None:
    movies = crowd(100_000)
    began = time.process_time()
    picture = draw(movies)
    assert time.process_time() - began < 2
    assert 0 < len(values(picture)) < 2_000


@pytest.mark.parametrize("draw", [plots.agreement, plots.disputed], ids=["agreement", "disputed"])
def test_a_title_is_text_and_never_an_element(draw: Draw, tmp_path: Path) -> None:
    movie = {"title": HOSTILE, "imdb": 20, "rotten_tomatoes": 90, "tmdb": 50}
    root = ElementTree.parse(draw(table(movie)).save(tmp_path / "picture.svg")).getroot()
    assert f"{HOSTILE} (1999)" in "".join(root.itertext())
    assert not [e for e in root.iter() if e.tag.rpartition("}")[2] in ("img", "image", "script")]
    assert not [name for e in root.iter() for name in e.attrib if name.startswith("on")]


def test_a_picture_is_shown_at_half_its_pixels_with_its_caption_beside() -> None:
    picture = plots.disputed(table())
    shown, metadata = picture._repr_mimebundle_(include=None, exclude=None)
    assert shown["image/png"] == picture.png()
    assert shown["text/plain"] == "Picture: Where the systems part most, of 0 movies"
    size = metadata["image/png"]
    assert isinstance(size, dict)
    assert 500 < size["width"] < 700


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_a_picture_has_a_font_of_its_own_and_no_ground(draw: Draw, tmp_path: Path) -> None:
    root = ElementTree.parse(draw(crowd(30)).save(tmp_path / "picture.svg")).getroot()
    fonts = {e.get("font-family") for e in root.iter() if e.get("font-family")}
    assert fonts == {"Liberation Sans"}
    whole = [e for e in root.iter() if e.get("width") == root.get("width") and e is not root]
    assert {e.get("fill", "transparent") for e in whole} <= {"transparent"}


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_text_is_read_on_white_and_on_black_alike(draw: Draw, tmp_path: Path) -> None:
    root = ElementTree.parse(draw(crowd(30)).save(tmp_path / "picture.svg")).getroot()
    texts = [e for e in root.iter() if e.tag.endswith("text")]
    inks = {e.get("fill", "#000000") for e in texts if not (e.text or "").endswith("%")}
    # No ink has more than 4.35 on both.
    assert [i for i in inks if min(contrast(i, ground) for ground in GROUNDS) < 4.3] == []
    assert not any(e.get("stroke") for e in texts)


@pytest.mark.parametrize("colour", charts.COLOURS)
def test_a_mark_is_seen_on_white_and_on_black(colour: str) -> None:
    assert min(contrast(colour, ground) for ground in GROUNDS) > 3


def test_a_share_is_read_on_its_tile_whatever_it_is(tmp_path: Path) -> None:
    decades = range(1880, 2090, 10)  # of 20 movies each, one more is rated from decade to decade
    movies = (
        {"year": year, "imdb": 80 if n < i else None}
        for i, year in enumerate(decades)
        for n in range(20)
    )
    place = plots.coverage(table(*movies)).save(tmp_path / "picture.svg")
    marked = [e for e in ElementTree.parse(place).getroot().iter() if e.get("aria-label")]
    tiles = [e.get("fill", "") for e in marked if e.get("aria-roledescription") == "rect mark"]
    inks = [e.get("fill", "") for e in marked if e.get("aria-roledescription") == "text mark"]
    assert len(set(tiles)) == 21
    assert min(contrast(*pair) for pair in zip(inks, tiles, strict=True)) > 4.3


def test_altair_s_own_settings_are_neither_used_nor_changed(tmp_path: Path) -> None:
    renderer = altair.renderers.active
    plain = plots.coverage(crowd(50)).png()
    with altair.data_transformers.enable("json"), altair.theme.enable("default"):
        assert plots.coverage(crowd(50)).png() == plain
        assert altair.data_transformers.active == "json"
    assert altair.renderers.active == renderer
    assert list(Path.cwd().iterdir()) == []


def test_a_picture_is_saved_as_png_or_svg_and_nothing_else(tmp_path: Path) -> None:
    picture = plots.disputed(table())
    assert picture.save(tmp_path / "a.PNG").read_bytes() == picture.png()
    with pytest.raises(UsageError, match=r"a\.html must end in \.png or \.svg"):
        picture.save(tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_without_altair_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match=re.escape('pip install "tmdbkit[plots]"')):
        plots.coverage(table())


def test_importing_plots_does_not_import_altair() -> None:
    code = "import sys, tmdbkit.plots; print({'altair', 'vl_convert'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_a_table_of_something_else_is_refused_with_what_it_lacks(draw: Draw) -> None:
    with pytest.raises(UsageError, match=r"the table has no .*(year|imdb_points)"):
        draw(pl.DataFrame({"tmdb_id": [1], "title": ["Alpha"]}))


# What is drawn.


def test_coverage_is_the_share_of_a_decade_s_movies_that_a_system_has_rated() -> None:
    shares = marks.shares(table({"year": 1990, "imdb": 80}, {"year": 1999}, {"year": 2000}))
    imdb = shares.filter(pl.col("system") == "IMDb").select("decade", "movies", "share")
    assert imdb.rows() == [("1990s", 2, 0.5), ("2000s", 1, 0.0)]
    assert shares.height == 2 * len(SYSTEMS)


def test_decades_stand_in_order_and_what_has_no_year_after_them() -> None:
    movies = table(*({"year": year} for year in (2031, None, 1895, 1960)))
    decades = marks.shares(movies)["decade"].unique(maintain_order=True).to_list()
    assert decades == ["1890s", "1960s", "2030s", "no year"]


@pytest.mark.parametrize("year", [None, 0, 199, 20_019])
def test_a_year_that_cannot_be_is_no_decade(year: int | None) -> None:
    assert set(marks.shares(table({"year": year}))["decade"]) == {"no year"}


def test_coverage_says_100_percent_only_where_none_is_missing() -> None:
    rated = plots.coverage(table(*({"imdb": 80} for _ in range(299)), {}))
    assert "99%" in {row["text"] for row in values(rated)}


def test_a_median_is_of_those_who_have_a_rating_on_the_scale_of_all() -> None:
    rated = table({"letterboxd": 60, "tmdb": 50}, {"letterboxd": 80}, {"letterboxd": 90})
    assert marks.medians(rated).rows() == [("Letterboxd", 3, 80.0), ("TMDB", 1, 50.0)]


def test_a_distribution_says_how_many_were_rated_by_each_system_or_that_none_was(
    tmp_path: Path,
) -> None:
    drawn = plots.distribution(table({"imdb": 80}, {"imdb": 70}))
    text = drawn.save(tmp_path / "picture.svg").read_text()
    assert text.count("2 movies") == 1
    assert text.count("no ratings") == 4


def test_a_distribution_is_highest_where_the_ratings_are() -> None:
    heights = marks.densities(table(*({"letterboxd": 70} for _ in range(5)), {"letterboxd": 20}))
    assert heights.filter(pl.col("height") == 1)["score"].to_list() == [70]
    assert set(heights["system"]) == {"Letterboxd"}
    assert heights.height == 101


def test_a_distribution_does_not_fade_at_the_end_of_the_scale() -> None:
    even = table(*({"rotten_tomatoes": score} for score in range(101)))
    assert marks.densities(even)["height"].round(2).unique().to_list() == [1.0]


def test_points_off_their_scale_are_drawn_at_its_edge() -> None:
    off = table({"letterboxd": 144, "imdb": 744}, {"letterboxd": -3, "imdb": 50})
    assert marks.pairs(off, "letterboxd", "imdb").select("x", "y").rows() == [(100, 100), (0, 50)]


def test_systems_that_differ_by_a_level_agree_and_who_falls_out_of_line_is_named() -> None:
    steady = [{"imdb": x, "metacritic": x - 20} for x in range(30, 90)]
    odd = {"imdb": 50, "metacritic": 95, "title": "Odd"}
    found = plots.agreement(table(*steady, odd), y="metacritic")
    assert labels(found)[0] == "Odd (1999)"
    assert "correlation 0.9" in found.caption


def test_a_line_is_fitted_through_all_pairs() -> None:
    straight = table(*({"imdb": x, "metacritic": 2 * x + 5} for x in (10, 20, 40)))
    slope, start, correlation = marks.fit(marks.pairs(straight, "imdb", "metacritic"))
    assert (slope, start, correlation) == pytest.approx((2, 5, 1))


def test_a_movie_that_one_of_two_systems_has_not_rated_is_no_pair() -> None:
    rated = table({"imdb": 80, "tmdb": 70}, {"imdb": 80}, {"tmdb": 70})
    assert marks.pairs(rated, "imdb", "tmdb").select("x", "y").rows() == [(80, 70)]


def test_a_pair_alone_stands_where_it_is_and_neighbours_share_a_circle() -> None:
    rated = table(
        {"imdb": 31.2, "tmdb": 64.9}, {"imdb": 80, "tmdb": 70}, {"imdb": 81, "tmdb": 70.5}
    )
    cells = marks.cells(marks.pairs(rated, "imdb", "tmdb"))
    assert cells.rows() == [(31.2, 64.9, 1), (80.5, 70.25, 2)]


def test_circles_count_every_pair() -> None:
    pairs = marks.pairs(crowd(5_000), "imdb", "metacritic")
    assert marks.cells(pairs)["movies"].sum() == pairs.height


@pytest.mark.parametrize(
    ("spot", "to_the_right"),
    [((50, 90), False), ((10, 90), True), ((50, 10), True), ((90, 10), False)],
)
def test_a_name_stands_away_from_the_crowd_but_inside(
    spot: tuple[int, int], to_the_right: bool
) -> None:
    pair = marks.pairs(table({"imdb": spot[0], "tmdb": spot[1]}), "imdb", "tmdb")
    assert marks.outliers(pair, slope=0.0, start=50.0)["to_the_right"].to_list() == [to_the_right]


def test_names_do_not_run_into_each_other() -> None:
    spots = marks.outliers(marks.pairs(crowd(5_000), "imdb", "tmdb"), 0.0, 0.0)
    rows = spots.select("at", "y").rows()
    near = [
        (one, other)
        for place, one in enumerate(rows)
        for other in rows[:place]
        if abs(one[1] - other[1]) <= 4 and abs(one[0] - other[0]) <= 50
    ]
    assert rows
    assert near == []


@pytest.mark.parametrize("scores", [[], [(80, 70)], [(80, 70), (80, 20)]])
def test_too_little_for_a_line_is_level(scores: list[tuple[int, int]]) -> None:
    movies = table(*({"imdb": x, "tmdb": y} for x, y in scores))
    slope, _, correlation = marks.fit(marks.pairs(movies, "imdb", "tmdb"))
    assert (slope, correlation) == (0, None)


def test_agreement_is_between_two_of_the_five() -> None:
    with pytest.raises(UsageError, match="no such system: trakt; there are imdb, letterboxd"):
        plots.agreement(table(), "imdb", "trakt")


WIDE = {"title": "Wide", "imdb": 20, "tmdb": 90, "letterboxd": 50}
CLOSE = {"title": "Close", "imdb": 50, "tmdb": 51, "letterboxd": 52}
TWO = {"title": "Two", "imdb": 1, "tmdb": 99}


def test_the_most_disputed_come_first_and_two_ratings_are_no_dispute() -> None:
    assert labels(plots.disputed(table(CLOSE, TWO, WIDE))) == ["Wide (1999)", "Close (1999)"]


def test_a_disputed_movie_has_a_line_from_its_lowest_to_its_highest_score() -> None:
    chosen = marks.most_disputed(table(WIDE), count=1)
    assert chosen.select("low", "high").rows() == [(20, 90)]
    rated = [("IMDb", 20), ("Letterboxd", 50), ("TMDB", 90)]
    assert marks.ratings(chosen).select("system", "score").rows() == rated


def test_a_spread_that_the_table_has_decides() -> None:
    rated = table(CLOSE, WIDE, WIDE).with_columns(spread=pl.Series([9.0, 2.0, None]))
    assert labels(plots.disputed(rated)) == ["Close (1999)", "Wide (1999)"]


def test_as_many_disputed_movies_are_drawn_as_are_asked_for() -> None:
    assert len(labels(plots.disputed(crowd(100), count=5))) == 5


def test_two_movies_of_one_title_and_year_have_a_line_each() -> None:
    twins = plots.disputed(table(WIDE, WIDE, CLOSE))
    assert labels(twins) == ["Wide (1999) · 1", "Wide (1999) · 2", "Close (1999)"]


def test_a_long_title_is_cut_and_a_title_stays_on_its_line() -> None:
    long = {**WIDE, "title": "A\nvery \x1b long title " + "and longer " * 9}
    [label] = labels(plots.disputed(table(long)))
    assert re.fullmatch(r"A very long title and .*… \(1999\)", label)
    assert len(label) <= marks.LONGEST + 7


def pixels(png: bytes) -> tuple[bytes, bytes]:
    """The header of a PNG, and what its chunks of pixels unpack to; each chunk's sum is right."""
    place, header, packed = 8, b"", b""
    while place < len(png):
        size = int.from_bytes(png[place : place + 4])
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        end = place + 8 + size
        assert zlib.crc32(kind + content) == int.from_bytes(png[end : end + 4])
        header = content if kind == b"IHDR" else header
        packed += content if kind == b"IDAT" else b""
        place = end + 4
    return header, zlib.decompress(packed)


def test_a_picture_is_packed_and_its_pixels_are_those_that_were_drawn() -> None:
    picture = plots.coverage(table(CLOSE, WIDE))
    drawn = BytesIO()
    picture._dressed().save(drawn, format="png", scale_factor=SHARP)
    assert pixels(picture.png()) == pixels(drawn.getvalue())
    assert len(picture.png()) < len(drawn.getvalue()) / 2
