"""How often a wrong IMDb id is found, and a right one accused, on real films by their path.

python -m tests.benchmarks.same_film TABLE [--payloads FILE] [--half fit|held-out] [--show]

The table has a row a film: tmdb_id, imdb_id, title, release_date, language. Of the payloads
(JSON lines with `payload`) come original titles and runtimes; for other films both are drawn.
In a `title.basics.tsv.gz` made of them each film is as IMDb may have it: 62 % by the same title,
12 % with other signs, 6 % another article, 6 % without a subtitle or with one, 13 % with another
language's title first, 1 % by no title that TMDB has; the year is another one of 15 %, the runtime
of 35 %, and of 10 % unknown. Of 1 % of the movies the id is another film's, a remake's, a series'.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tests.servers.datasets import BASICS, BASICS_HEADER, DatasetServer, tsv
from tmdbkit import check
from tmdbkit.quality.same_film import SAME_FILM_RULES
from tmdbkit.ratings.imdb_titles import IMDbTitles
from tmdbkit.settings import Settings
from tmdbkit.surrogates import loads

from .matching import _articled
from .measure import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANTED = 0.01
WRONG = ("another film's", "a remake's", "a series'")
HARDER = ("a sequel's", "a short's of its title")
TITLED = {
    "same": 62,
    "signs": 12,
    "article": 6,
    "subtitle": 6,
    "language": 13,
    "other": 1,
}
YEARS = {0: 85, 1: 6, -1: 6, 2: 1, -2: 1, 4: 0.5, -4: 0.5}
MINUTES = {0: 55, 1: 10, -1: 10, 2: 4, -3: 4, 7: 3, -12: 4, None: 10}
KINDS = {"movie": 91, "tvMovie": 4, "video": 4, "tvSpecial": 1}
OTHER_SCRIPTS = ("ja", "zh", "ko", "ru", "hi", "th", "el", "uk", "ta", "te", "fa", "ar", "he", "cn")
SHORT, UNTIMED = 0.03, 0.03  # films that are shorts; of which TMDB has no runtime


@dataclass
class Drawn:
    """Movies as TMDB has them, what IMDb has, and what is wrong with the ids of some."""

    movies: list[dict[str, Any]] = field(default_factory=list)
    basics: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)


def chosen(draw: random.Random, weights: dict[Any, float]) -> Any:
    return draw.choices(list(weights), list(weights.values()))[0]


def films_of(
    table: pl.DataFrame, payloads: dict[int, Any], seed: int, untimed: float = UNTIMED
) -> list[dict[str, Any]]:
    """Each film as TMDB has it; what no payload tells is drawn."""
    draw = random.Random(seed)
    rows = table.select("tmdb_id", "imdb_id", "title", "release_date", "language").rows()
    titles = [row[2] for row in rows]
    known = [p["runtime"] for p in payloads.values() if (p.get("runtime") or 0) > 60] or [100]
    films = []
    for tmdb_id, imdb_id, title, date, language in rows:
        payload = payloads.get(tmdb_id, {})
        is_short = draw.random() < SHORT
        minutes = draw.randint(3, 40) if is_short else draw.choice(known) + draw.randint(-4, 4)
        films.append(
            {
                "tmdb_id": tmdb_id,
                "imdb_id": imdb_id,
                "title": title,
                "original_title": payload.get("original_title")
                or original(title, language, draw.choice(titles), draw),
                "year": int(date[:4]),
                "runtime_minutes": payload.get("runtime")
                or (None if draw.random() < untimed else minutes),
                "minutes": payload.get("runtime") or minutes,
            }
        )
    return films


def original(title: str, language: str, other: str, draw: random.Random) -> str:
    """A title in the film's own language: the same, another one, or one in another script."""
    if language == "en" or draw.random() < 0.2:
        return title
    if language in OTHER_SCRIPTS:
        return "".join(chr(0x30A1 + ord(c) % 80) if c.isalpha() else c for c in title)
    return other


def as_imdb(film: dict[str, Any], other: str, draw: random.Random) -> tuple[Any, ...]:
    """A film's row of `title.basics`."""
    first, own = film["title"], film["original_title"]
    if not own.isascii() and any(ord(c) > 0x3000 for c in own):
        own = other  # IMDb writes all in Latin letters
    first, own = titled(first, own, chosen(draw, TITLED), other, draw)
    off = chosen(draw, MINUTES)
    minutes = None if off is None else max(1, film["minutes"] + off)
    kind = "short" if film["minutes"] <= 40 else chosen(draw, KINDS)
    return basics(film["imdb_id"], kind, first, own, film["year"] + chosen(draw, YEARS), minutes)


def titled(first: str, own: str, how: str, other: str, draw: random.Random) -> tuple[str, str]:
    if how == "signs":
        changed = re.sub(r"[:'.,!&-]", lambda m: " and " if m[0] == "&" else "", first)
        return changed if changed != first else first.upper(), own
    if how == "article":
        return _articled(first, draw), own
    if how == "subtitle":
        parts = re.split(r": | - ", first)
        return (parts[0] if parts[1:] else f"{first}: {other}"), own
    if how == "language":  # the first is another country's, and the own one stays
        return other, own if own != other else first
    return (other, f"{other} 0") if how == "other" else (first, own)


def basics(
    tconst: str, kind: str, title: str, own: str, year: int | None, minutes: int | None
) -> tuple[Any, ...]:
    return (tconst, kind, title, own, 0, year, None, minutes, "Drama")


def drawn(films: list[dict[str, Any]], seed: int, kinds: tuple[str, ...] = WRONG) -> Drawn:
    """All films, with the ids of some exchanged."""
    draw = random.Random(seed)
    titles = [film["title"] for film in films]
    by_title: dict[str, list[dict[str, Any]]] = {}
    for film in films:
        by_title.setdefault(film["title"].lower(), []).append(film)
    found = Drawn(basics={f["imdb_id"]: as_imdb(f, draw.choice(titles), draw) for f in films})
    for number, film in enumerate(films):
        movie = {name: value for name, value in film.items() if name != "minutes"}
        if draw.random() < PLANTED:
            kind = kinds[len(found.wrong) % len(kinds)]
            twins = [
                f for f in by_title[film["title"].lower()] if abs(f["year"] - film["year"]) > 3
            ]
            if kind == HARDER[1] and film["minutes"] < 60:
                kind = HARDER[0]  # a short's id does no harm to a short
            if kind == "another film's":
                movie["imdb_id"] = draw.choice([f for f in films[:2000] if f is not film])[
                    "imdb_id"
                ]
            elif kind == "a remake's" and twins:
                movie["imdb_id"] = draw.choice(twins)["imdb_id"]
            else:
                movie["imdb_id"] = f"tt99{number:06}"
                row = planted(movie["imdb_id"], film, kind, draw.choice(films), draw)
                found.basics[movie["imdb_id"]] = row
            found.wrong[film["tmdb_id"]] = kind
        found.movies.append(movie)
    return found


def planted(
    tconst: str, film: dict[str, Any], kind: str, other: dict[str, Any], draw: random.Random
) -> tuple[Any, ...]:
    """What is of the film's title, and another one's."""
    title, year = film["title"], film["year"]
    minutes = None if draw.random() < 0.1 else other["minutes"]
    if kind == "a remake's":
        gap = draw.randint(4, 50)
        later = year + gap if year + gap <= 2026 and draw.random() < 0.5 else year - gap
        return basics(tconst, "movie", title, title, later, minutes)
    if kind == "a series'":
        name = title if draw.random() < 0.5 else other["title"]
        which = draw.choice(("tvSeries", "tvMiniSeries", "tvEpisode"))
        return basics(tconst, which, name, name, other["year"], draw.choice((25, 45, 60, None)))
    if kind == "a sequel's":
        name = f"{title} {draw.choice(('2', 'II', '3', 'Returns'))}"
        return basics(tconst, "movie", name, name, year + draw.randint(1, 6), minutes)
    return basics(tconst, "short", title, title, year - draw.randint(0, 3), draw.randint(4, 30))


def accused(made: Drawn) -> set[int]:
    """The movies whose id is doubted, asked from a server to a report."""
    frame = pl.DataFrame(made.movies, infer_schema_length=None)
    with (
        tempfile.TemporaryDirectory() as folder,
        DatasetServer(tsv(made.basics.values(), BASICS_HEADER), path=BASICS) as server,
    ):
        settings = Settings(imdb_datasets_url=server.url, cache=Path(folder))
        with IMDbTitles(settings) as titles:
            report = check(frame, rules=SAME_FILM_RULES, imdb=titles)
    return set(report.findings["tmdb_id"])


def measured(films: list[dict[str, Any]], rounds: int, *, show: bool) -> Iterator[Line]:
    planted_ids: Counter[str] = Counter()
    found: Counter[str] = Counter()
    right = falsely = 0
    for seed in range(rounds):
        made = drawn(films, seed, WRONG if seed < rounds - rounds // 4 else HARDER)
        doubted = accused(made)
        planted_ids.update(made.wrong.values())
        found.update(kind for tmdb_id, kind in made.wrong.items() if tmdb_id in doubted)
        right += len(films) - len(made.wrong)
        falsely += len(doubted - made.wrong.keys())
        if show:
            _show(made, doubted)
    whole = sum(found[kind] for kind in WRONG) / sum(planted_ids[kind] for kind in WRONG)
    yield Line("wrong ids found", whole, 0.98)
    yield Line("right ids accused, %", 100 * falsely / right, 0.1, at_most=True)
    for kind in (*WRONG, *HARDER):
        bar = 0.9 if kind in HARDER else 0.95
        yield Line(f"found of {kind}", found[kind] / max(planted_ids[kind], 1), bar)


def _show(made: Drawn, doubted: set[int]) -> None:
    """The right ones that are accused, and the wrong ones that are not."""
    for movie in made.movies:
        if (movie["tmdb_id"] in doubted) != (movie["tmdb_id"] in made.wrong):
            told = made.wrong.get(movie["tmdb_id"], "right")
            print(told, *list(movie.values())[2:], "|", *made.basics[movie["imdb_id"]][1:8])


def main() -> int:
    """0 when every bar is kept, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.same_film", description=__doc__
    )
    parser.add_argument("table", help="a Parquet file")
    parser.add_argument("--payloads", help="JSON lines in gzip, a payload each")
    parser.add_argument("--half", choices=("fit", "held-out"), help="half of the films, by id")
    parser.add_argument("--rounds", type=int, default=20, help="default %(default)s")
    parser.add_argument(
        "--untimed", type=float, default=UNTIMED, help="share without a drawn runtime; %(default)s"
    )
    parser.add_argument("--show", action="store_true", help="what is wrong, too")
    given = parser.parse_args()
    dated = (pl.col("release_date").str.len_chars() == 10) & (pl.col("imdb_id") != "")
    table = pl.read_parquet(given.table).filter(dated)
    if given.half:
        is_fit = pl.col("tmdb_id").hash(15) % 2 == 0
        table = table.filter(is_fit if given.half == "fit" else ~is_fit)
    payloads = {}
    if given.payloads:
        with gzip.open(given.payloads, "rt", encoding="utf-8") as lines:
            payloads = {p["id"]: p for line in lines if (p := loads(line)["payload"])}
    films = films_of(table.unique("tmdb_id").sort("tmdb_id"), payloads, 16, given.untimed)
    lines_of = list(measured(films, given.rounds, show=given.show))
    for line in lines_of:
        print(line.drawn())
    return 0 if all(line.holds for line in lines_of) else 1


if __name__ == "__main__":
    sys.exit(main())
