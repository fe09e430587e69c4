"""How often the film of a title is found, measured on a table of real films by its path.

python -m tests.benchmarks.matching TABLE [--half fit|held-out] [--titles N] [--show]

The table has a row a film: tmdb_id, imdb_id, title, release_date, tmdb_votes. Titles are drawn from
it and written otherwise: 30 % as they are, 25 % with another article or accent, 15 % without their
subtitle, 15 % with the year before or after, 15 % with a typo; a fifth of the others has no year.
"""

from __future__ import annotations

import argparse
import random
import re
import string
import sys
import tempfile
import time
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tests.servers.tmdb import TMDBServer
from tmdbkit import TMDBSession, match_titles
from tmdbkit.progress import Silent
from tmdbkit.settings import Secret, Settings
from tmdbkit.surrogates import loads

from .measure import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.tmdb import TMDBProcess

KINDS = {"as it is": 30, "article, accent": 25, "subtitle": 15, "year": 15, "typo": 15}
SUBTITLED, LONG = ".: .|. - .", 0.1  # such a title, and the share of them
ALLOWED, TIMED, LATENCY = 38, 300, 0.1  # a second; titles; seconds an answer
ACCENTED = dict(zip("aeiouncy", "áèîöúñçý", strict=True))


def written(title: str, year: int, kind: str, draw: random.Random) -> tuple[str, int | None, str]:
    """A title and a year as somebody writes them, and how; as they are, where there is no other."""
    known = None if draw.random() < 0.2 else year
    if kind == "year":
        return title, year + draw.choice((-1, 1)), kind
    if kind == "subtitle" and re.search(SUBTITLED, title):
        return re.split(r": | - ", title)[0], known, kind
    if kind == "article, accent":
        return _articled(title, draw), known, kind
    if kind == "typo" and len(title) > 4:
        return _mistyped(title, draw), known, kind
    return title, known, "as it is"


def _articled(title: str, draw: random.Random) -> str:
    """Without its article, with it behind, or with one more; or with other accents."""
    if article := re.match(r"(The|A|An) (?=\w)", title):
        rest = title[article.end() :]
        return draw.choice((rest, f"{rest}, {article[1]}"))
    if draw.random() < 0.5:
        return f"The {title}"
    if plain := "".join(c for c in unicodedata.normalize("NFD", title) if c.isascii()).strip():
        title = plain if plain != title else title
    places = [place for place, letter in enumerate(title) if letter in ACCENTED]
    if not places:
        return title
    place = draw.choice(places)
    return f"{title[:place]}{ACCENTED[title[place]]}{title[place + 1 :]}"


def _mistyped(title: str, draw: random.Random) -> str:
    """With two letters swapped, one lost, one doubled or another one."""
    place = draw.randrange(1, len(title) - 1)
    before, one, after = title[:place], title[place], title[place + 1 :]
    kinds = (
        f"{before}{after[0]}{one}{after[1:]}",
        f"{before}{after}",
        f"{before}{one}{one}{after}",
        f"{before}{draw.choice(string.ascii_lowercase)}{after}",
    )
    return next((t for t in draw.sample(kinds, len(kinds)) if t != title), f"{title}x")


def drawn(films: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """`title, year` as they are asked for, `kind`, and the film that is meant: `truth`."""
    draw = random.Random(seed)
    rows = films.select("title", "release_date", "tmdb_id").sample(
        fraction=1, seed=seed, shuffle=True
    )
    long = rows.filter(pl.col("title").str.contains(SUBTITLED)).rows()
    others = [row for row in rows.rows() if row not in set(long)]
    kinds = draw.choices(list(KINDS), list(KINDS.values()), k=count)
    asked = []
    for kind in kinds:
        pool = long if kind == "subtitle" or (draw.random() < LONG and long) else others
        if pool:
            title, date, tmdb_id = pool.pop()
            asked.append((*written(title, int(date[:4]), kind, draw), tmdb_id))
    return pl.DataFrame(asked, ["title", "year", "kind", "truth"], orient="row")


@contextmanager
def asking(server: TMDBProcess, rate: float) -> Iterator[TMDBSession]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            tmdb_token=Secret(server.token or ""),
            tmdb_base_url=server.base_url,
            cache=Path(folder),
            rate=rate,
        )
        with TMDBSession(settings) as session:
            yield session


def measured(server: TMDBProcess, asked: pl.DataFrame, *, show: bool) -> Iterator[Line]:
    with asking(server, 100_000) as session:
        found = match_titles(session, asked.select("title", "year"), progress=Silent())
    rows = found.frame.with_columns(asked["kind", "truth"])
    shown = [
        truth in {tmdb_id, *(one["tmdb_id"] for one in loads(others))}
        for truth, tmdb_id, others in rows.select("truth", "tmdb_id", "others").rows()
    ]
    rows = rows.with_columns(
        right=pl.col("tmdb_id").eq_missing(pl.col("truth")), shown=pl.Series(shown)
    )
    if show:
        _show(rows)
    typed, sure = pl.col("kind") == "typo", pl.col("sure")
    clean = rows.filter(~typed)
    dated = clean.filter(pl.col("asked_year").is_not_null())
    twice = rows.filter(sure & pl.col("tmdb_id").is_duplicated()).height
    yield Line("of the sure, right", _mean(rows.filter(sure)["right"]), 0.99)
    yield Line("sure, of those with a year and without a typo", _mean(dated["sure"]), 0.9)
    yield Line("the right film shown, of those without a typo", _mean(clean["shown"]), 0.98)
    yield Line("the right film shown, of typos", _mean(rows.filter(typed)["shown"]), 0.5)
    yield Line("requests a title", found.http_requests / rows.height, 1.2, at_most=True)
    yield Line("two rows sure of one film", twice, 0, at_most=True)


def timed(server: TMDBProcess, asked: pl.DataFrame) -> Line:
    with asking(server, ALLOWED) as session:
        began = time.monotonic()
        match_titles(session, asked.select("title", "year").head(TIMED), progress=Silent())
        return Line(
            f"{TIMED} titles at {ALLOWED} a second, s", time.monotonic() - began, 12, at_most=True
        )


def _mean(values: pl.Series) -> float:
    return float(values.cast(pl.Float64).mean() or 0)


def _show(rows: pl.DataFrame) -> None:
    """What is sure and wrong, what is not shown, what is not sure; and the share of each kind."""
    clean = rows.filter(pl.col("kind") != "typo").drop("imdb_id", "others", "asked_year")
    with pl.Config(tbl_rows=60, tbl_cols=-1, fmt_str_lengths=34, tbl_width_chars=200):
        print(rows.filter(pl.col("sure") & ~pl.col("right")).drop("imdb_id", "others"))
        print(clean.filter(~pl.col("shown")))
        print(clean.filter(~pl.col("sure")))
        print(rows.group_by("kind").agg(pl.len(), pl.col("sure", "right", "shown").mean()))


def main() -> int:
    """0 when every bar is kept, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.matching", description=__doc__
    )
    parser.add_argument("table", help="a Parquet file")
    parser.add_argument("--half", choices=("fit", "held-out"), help="half of the films, by id")
    parser.add_argument("--titles", type=int, default=3000, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=16, help="default %(default)s")
    parser.add_argument("--show", action="store_true", help="what is wrong, too")
    given = parser.parse_args()
    films = pl.read_parquet(given.table).filter(pl.col("release_date").str.len_chars() == 10)
    if given.half:
        is_fit = pl.col("tmdb_id").hash(15) % 2 == 0
        films = films.filter(is_fit if given.half == "fit" else ~is_fit)
    asked = drawn(films.unique("tmdb_id").sort("tmdb_id"), given.titles, given.seed)
    with TMDBServer.process(films=given.table, latency=LATENCY) as server:
        lines = [*measured(server, asked, show=given.show), timed(server, asked)]
    for line in lines:
        print(line.drawn())
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
