"""How often findings about ratings are right, measured on a table of real ratings by its path.

python -m tests.benchmarks.accuracy TABLE [--part FIRST:LAST] [--stages N] [--only WORD ...]

The table has a row a film: tmdb_id, title, release_date, language, and points and votes of the five
systems. Each stage is drawn from it at random; in some, a fault is planted.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import combinations
from statistics import mean
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.quality import RULES, find, withheld
from tmdbkit.ratings.aggregate import consensus
from tmdbkit.ratings.model import AUDIENCE
from tmdbkit.schema import SCALES, SYSTEMS

from . import planted
from .measure import Line
from .planted import Planted, ratings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RATING_RULES = [rule for rule in RULES if rule.of == "rating"]
SYSTEMS_KNOWN = pl.sum_horizontal(pl.col(system).is_not_null() for system in SYSTEMS)
YEAR = pl.col("release_date").str.slice(0, 4).cast(pl.Int32, strict=False)
KINDS = {
    "mixed": pl.lit(value=True),
    "three systems": SYSTEMS_KNOWN >= 3,
    "five": SYSTEMS_KNOWN == 5,
    "popular": pl.col("imdb_votes") >= 100_000,
    "best": pl.col("imdb") >= 7.8,
    "worst": pl.col("imdb") <= 4.5,
    "obscure": pl.col("imdb_votes") < 1_000,
    "new": YEAR >= 2017,
    "before 1960": YEAR < 1960,
    "not English": ~pl.col("language").is_in(["en", ""]),
}


class Stages:
    """Stages of films drawn from a table."""

    def __init__(self, films: pl.DataFrame) -> None:
        self.films = films

    @cached_property
    def regressions(self) -> Regressions:
        """What each system's values are like around the others'."""
        return Regressions(self.films)

    def draw(self, kind: str, size: int, seed: int) -> pl.DataFrame | None:
        """Return films of a kind, or None where there are not so many."""
        of_kind = self.films.filter(KINDS[kind])
        return of_kind.sample(size, seed=seed) if of_kind.height >= size else None


def error_of(films: pl.DataFrame, ratings: pl.DataFrame) -> pl.DataFrame:
    """Return what the rules find."""
    movies = films.select("tmdb_id", "title", "release_date", original_language="language")
    return find(movies, ratings, RATING_RULES, now=NOW)


def share(found: pl.DataFrame, wrong: pl.DataFrame) -> float:
    """Return which part of the wrong ratings was found."""
    on = ["tmdb_id", "system"]
    return wrong.join(found.select(on).unique(), on=on, how="semi").height / max(1, wrong.height)


# Right ratings.


def innocent(stages: Stages, times: int) -> Iterator[Line]:
    """How many right ratings are accused, by kind and size."""
    warned: dict[int, list[float]] = defaultdict(list)
    for size in (30, 100, 1_000, 5_000, 10_000):
        for kind in KINDS:
            repeats = times if size <= 100 else max(2, times // 12) if size == 1_000 else 1
            rates = [r for seed in range(repeats) if (r := _accused(stages, kind, size, seed))]
            if not rates:
                continue
            errors, warnings = (
                mean(rate) * 100 for rate in zip(*[r[:2] for r in rates], strict=True)
            )
            warned[size].append(warnings)
            told = _summary([r[2] for r in rates])
            what = f"{kind}, {size:,}"
            yield Line(f"false errors, % of ratings: {what}", errors, 0.5, at_most=True, parts=told)
            yield Line(f"false warnings, % of ratings: {what}", warnings, 6.0, at_most=True)
    for size, rates in warned.items():
        what = f"false warnings, % of ratings, mean over kinds: {size:,}"
        yield Line(what, mean(rates), 3.0, at_most=True)


def _accused(
    stages: Stages, kind: str, size: int, seed: int
) -> tuple[float, float, dict[str, int]] | None:
    films = stages.draw(kind, size, seed)
    if films is None:
        return None
    ratings = ratings_of(films, NOW)
    rated = ratings.filter(pl.col("system") != AUDIENCE).height
    found = error_of(films, ratings)
    errors, warnings = (
        found.filter(severity=s).select("tmdb_id", "system").n_unique() / rated
        for s in ("error", "warning")
    )
    counts = dict(found.group_by("rule").len().rows())
    return errors, warnings, {rule: count * 10_000 // rated for rule, count in counts.items()}


def _summary(counts: list[dict[str, int]]) -> str:
    total: dict[str, float] = defaultdict(float)
    for each in counts:
        for rule, count in each.items():
            total[rule] += count / 100 / len(counts)
    ranked = sorted(total.items(), key=lambda pair: -pair[1])
    return " ".join(f"{rule} {rate:.2f}" for rule, rate in ranked)


# Whole columns.

Plant = "Callable[[pl.DataFrame, str], Planted]"


def columns(stages: Stages, times: int) -> Iterator[Line]:
    """How often a wrong column is found, and a right one beside it accused."""
    accused: list[bool] = []
    sizes = (
        ("three systems", 30),
        ("mixed", 100),
        ("three systems", 100),
        ("five", 100),
        ("mixed", 1_000),
    )
    for name, faults in _column_faults().items():
        for kind, size in sizes:
            found: dict[str, list[bool]] = defaultdict(list)
            for of, plant in faults.items():
                for seed in range(times if size < 1_000 else max(1, times // 5)):
                    films = stages.draw(kind, size, seed)
                    if films is None:
                        continue
                    case = plant(ratings_of(films, NOW))
                    ok, blamed = _columns_accused(films, case)
                    found[of].append(ok)
                    accused.append(blamed)
            rates = {of: mean(oks) for of, oks in found.items()}
            parts = " ".join(f"{of} {rate:.2f}" for of, rate in rates.items() if rate < 1)
            bar = 0.95 if size < 100 else 1.0
            if rates:
                yield Line(f"{name}: {kind}, {size:,}", mean(rates.values()), bar, parts=parts)
    if accused:
        what = "a right column accused beside a wrong one, % of cases"
        yield Line(what, 100 * mean(accused), 2.0, at_most=True, parts=f"{len(accused)} cases")


def _column_faults() -> dict[str, dict[str, Callable[[pl.DataFrame], Planted]]]:
    pairs = list(combinations(SYSTEMS, 2))
    return {
        "shifted by a row": {s: lambda r, s=s: planted.shifted(r, s) for s in SYSTEMS},
        "constant": {s: lambda r, s=s: planted.constant(r, s) for s in SYSTEMS},
        "swapped": {f"{a}/{b}": lambda r, a=a, b=b: planted.swapped(r, a, b) for a, b in pairs},
        "swapped, points as they are": {
            f"{a}/{b}": lambda r, a=a, b=b: planted.swapped(r, a, b, rescaled=False)
            for a, b in pairs
            if SCALES[a] != SCALES[b]
        },
        "on another scale": {
            f"{s}/{scale:g}": lambda r, s=s, scale=scale: planted.on_scale(r, s, scale, None)
            for s, scale in planted.RESCALED
        },
    }


def _columns_accused(films: pl.DataFrame, case: Planted) -> tuple[bool, bool]:
    """Return whether all of the wrong columns is withheld, and much of a right one."""
    kept_back = withheld(error_of(films, case.ratings))
    bad = set(case.wrong["system"])
    rated = dict(
        case.ratings.filter(pl.col("points").is_not_null()).group_by("system").len().rows()
    )
    lost = dict(kept_back.group_by("system").len().rows())
    blamed = any(lost.get(s, 0) > max(3, 0.2 * rated.get(s, 0)) for s in SYSTEMS if s not in bad)
    return share(kept_back, case.wrong) == 1, blamed


# Values.


def values(stages: Stages, times: int) -> Iterator[Line]:
    """How many wrong values are found, among right ones."""
    for part in (0.01, 0.05, 0.2):
        for system, scale in planted.RESCALED:
            yield from _partly(stages, times, system, scale, part)
    for size in (100, 1_000):
        for beyond, bar in ((1.0, 0.95), (1.5, 0.99)):
            found: dict[str, list[float]] = defaultdict(list)
            for kind in ("mixed", "three systems", "five"):
                for seed in range(times if size == 100 else max(1, times // 8)):
                    _find_outside(stages, kind, size, seed, beyond, found)
            what = f"a value outside {beyond:g} bands, among {size:,}"
            parts = " ".join(f"{s} {mean(f):.2f}" for s, f in sorted(found.items()))
            yield Line(what, mean(v for f in found.values() for v in f), bar, parts=parts)


def _find_outside(
    stages: Stages, kind: str, size: int, seed: int, beyond: float, found: dict[str, list[float]]
) -> None:
    films = stages.draw(kind, size, seed)
    if films is None:
        return
    bands, chance = stages.regressions.bands(films), random.Random(seed)
    case = planted.outside(ratings_of(films, NOW), bands, 0.1, chance, beyond)
    met = error_of(films, case.ratings)
    for (system,), wrong in case.wrong.partition_by("system", as_dict=True).items():
        found[system] += [share(met, one) for one in wrong.iter_slices(1)]


def _partly(stages: Stages, times: int, system: str, scale: float, part: float) -> Iterator[Line]:
    any_, errors = [], []
    for kind, size in (("mixed", 1_000), ("three systems", 1_000), ("three systems", 100)):
        for seed in range(max(1, times // 10)):
            films = stages.draw(kind, size, seed)
            if films is None:
                continue
            rated = films.filter(pl.col(system).is_not_null())["tmdb_id"].sort().to_list()
            ids = random.Random(seed).sample(rated, max(1, round(part * len(rated))))
            case = planted.on_scale(ratings_of(films, NOW), system, scale, ids)
            found = error_of(films, case.ratings)
            any_ += [share(found, one) for one in case.wrong.iter_slices(1)]
            errors += [share(withheld(found), one) for one in case.wrong.iter_slices(1)]
    odd = system == "rotten_tomatoes" and scale != 100
    what = f"{system} on 0-{scale:g}, {part:.0%} of the column"
    yield Line(f"{what}: any finding", mean(any_), 0.95 if odd else 0.97)
    yield Line(f"{what}: an error", mean(errors), 0.0 if odd else 0.90)


class Regressions:
    """Every regression of a system on two others or more, and the 2 % band around it.

    An opinion of its own, by least squares over the films of a table that have these systems.
    """

    def __init__(self, films: pl.DataFrame) -> None:
        scores = films.select(
            (pl.col(s).cast(pl.Float64) * 100 / SCALES[s]).alias(s) for s in SYSTEMS
        )
        self._known = {
            (system, others): fitted
            for system in SYSTEMS
            for count in (2, 3, 4)
            for others in combinations([s for s in SYSTEMS if s != system], count)
            if (fitted := _regression(scores, system, others))
        }

    def bands(self, films: pl.DataFrame) -> pl.DataFrame:
        """Return `tmdb_id, system, low, middle, high` of what two others or more say."""
        scored = films.select("tmdb_id", *(pl.col(s) * 100 / SCALES[s] for s in SYSTEMS))
        rows = []
        for tmdb_id, *scores in scored.rows():
            known = {s: v for s, v in zip(SYSTEMS, scores, strict=True) if v is not None}
            for system in known:
                others = tuple(s for s in known if s != system)
                if fitted := self._known.get((system, others)):
                    middle = fitted.level + sum(
                        w * known[o] for o, w in zip(others, fitted.weights, strict=True)
                    )
                    rows.append(
                        (tmdb_id, system, fitted.low, min(max(middle, 0.0), 100.0), fitted.high)
                    )
        names = ["tmdb_id", "system", "low", "middle", "high"]
        return pl.DataFrame(rows, names, orient="row")


@dataclass(frozen=True)
class Regression:
    """One system on others: level, weights, and the 2 % band of the residuals."""

    level: float
    weights: list[float]
    low: float
    high: float


def _regression(scores: pl.DataFrame, system: str, others: tuple[str, ...]) -> Regression | None:
    known = scores.drop_nulls([system, *others])
    if known.height < 200:
        return None
    rows = [
        [known.select(pl.cov(a, b)).item() for b in others]
        + [known.select(pl.cov(a, system)).item()]
        for a in others
    ]
    for i, j in combinations(range(len(rows)), 2):
        factor = rows[j][i] / rows[i][i]
        rows[j] = [v - factor * p for v, p in zip(rows[j], rows[i], strict=True)]
    weights = [0.0] * len(rows)
    for i in reversed(range(len(rows))):
        rest = sum(rows[i][k] * weights[k] for k in range(i + 1, len(rows)))
        weights[i] = (rows[i][-1] - rest) / rows[i][i]
    told = sum((pl.col(o) * w for o, w in zip(others, weights, strict=True)), pl.lit(0.0))
    level = known.select((pl.col(system) - told).mean()).item()
    away = known.select(pl.col(system) - (told + level).clip(0, 100)).to_series()
    low, high = away.quantile(0.01), away.quantile(0.99)
    return None if low is None or high is None else Regression(level, weights, low, high)


# Votes.


def votes(stages: Stages, times: int) -> Iterator[Line]:
    """How many wrong counts of votes are found, and ratings of other films by them."""
    for factor, told in ((0.001, "in thousands"), (1_000.0, "times a thousand")):
        for system in ("imdb", "letterboxd", "tmdb"):
            for part in (0.05, 1.0):
                found = []
                for seed in range(max(2, times // 6)):
                    films = stages.draw(
                        ("mixed", "three systems")[seed % 2], (100, 1_000)[seed // 2 % 2], seed
                    )
                    rated = films.filter(pl.col(system).is_not_null())["tmdb_id"].sort().to_list()
                    ids = random.Random(seed).sample(rated, max(1, round(part * len(rated))))
                    case = planted.with_votes(ratings_of(films, NOW), system, factor, ids)
                    met = withheld(error_of(films, case.ratings))
                    found += [share(met, one) for one in case.wrong.iter_slices(1)]
                yield Line(f"{system} votes {told}, {part:.0%} of the column", mean(found), 0.95)
    for kind in ("mixed", "three systems"):
        found = []
        for seed in range(times):
            films = stages.draw(kind, 1_000 if seed % 8 == 0 else 100, seed)
            rated = films.filter(pl.col("imdb").is_not_null())["tmdb_id"].sort().to_list()
            ids = random.Random(seed).sample(rated, max(1, len(rated) // 20))
            case = planted.of_others(ratings_of(films, NOW), ids, random.Random(seed))
            met = error_of(films, case.ratings)
            found += [share(met, one) for one in case.wrong.iter_slices(1)]
        yield Line(f"another film's IMDb rating with its votes: {kind}", mean(found), 0.70)


def ranking(stages: Stages, times: int) -> Iterator[Line]:
    """How near the top what is planted in 1 % of a thousand stands."""
    first, within = [], []
    for seed in range(max(3, times // 4)):
        films = stages.draw("three systems", 1_000, seed)
        case = planted.outside(
            ratings_of(films, NOW), stages.regressions.bands(films), 0.01, random.Random(seed), 2.0
        )
        found = error_of(films, case.ratings).select("tmdb_id").unique(maintain_order=True)
        on = case.wrong.select("tmdb_id")
        first.append(found.head(10).join(on, on="tmdb_id", how="semi").height)
        within.append(found.head(50).join(on, on="tmdb_id", how="semi").height / on.height)
    yield Line("planted in 1 % of a thousand: of the first ten", mean(first), 9.0, parts=str(first))
    yield Line("planted in 1 % of a thousand: within the first fifty", mean(within), 1.0)


# Consensus.


def consensuses(stages: Stages, times: int) -> Iterator[Line]:
    """How the consensus of the others ranks films, by a system that is hidden from it.

    Against a mean of z-scores, a plain mean of points of 100, and the best of single ratings, each
    drawn to its system's mean where few voted.
    """
    del times
    for kind in ("three systems", "five"):
        films = stages.films.filter(KINDS[kind])
        for hidden in SYSTEMS:
            known = films.filter(pl.col(hidden).is_not_null())
            ratings = ratings_of(known, NOW).filter(~pl.col("system").is_in([hidden, AUDIENCE]))
            ours = consensus(ratings).select("tmdb_id", "consensus")
            # A single rating counts where all films have it.
            table = known.select("tmdb_id", hidden, *_baselines(hidden))
            table = table.join(ours, on="tmdb_id", how="inner")
            ranks = {
                name: table.select(pl.corr(hidden, name, method="spearman")).item()
                for name in table.columns[2:]
                if table[name].null_count() == 0
            }
            own = ranks.pop("consensus")
            best = max(ranks, key=lambda name: ranks[name])
            what = f"rank correlation with {hidden}, hidden: {kind}, {table.height:,}"
            yield Line(what, own, round(ranks[best], 3), parts=f"of {best}; {own:.4f}")


def _baselines(hidden: str) -> list[pl.Expr]:
    shown = [s for s in SYSTEMS if s != hidden]
    scores = {s: pl.col(s).cast(pl.Float64) * 100 / SCALES[s] for s in shown}
    z = {s: (score - score.mean()) / score.std() for s, score in scores.items()}
    weight = {s: pl.col(f"{s}_votes") / (pl.col(f"{s}_votes") + 50) for s in ("imdb", "tmdb")}
    return [
        pl.mean_horizontal(z.values()).alias("mean of z-scores"),
        pl.mean_horizontal(scores.values()).alias("plain mean"),
        *(
            (scores[s].mean() + weight.get(s, pl.lit(1.0)) * (scores[s] - scores[s].mean())).alias(
                s
            )
            for s in shown
        ),
    ]


PARTS = {
    "consensus": consensuses,
    "innocent": innocent,
    "columns": columns,
    "values": values,
    "votes": votes,
    "ranking": ranking,
}


def main() -> int:
    """0 when every bar is kept, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.accuracy", description=__doc__
    )
    parser.add_argument("table", help="a Parquet file")
    parser.add_argument("--half", choices=("fit", "held-out"), help="half of the films, by id")
    parser.add_argument("--stages", type=int, default=60, help="stages a row (default %(default)s)")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    films = pl.read_parquet(given.table).sort("tmdb_id")
    if given.half:
        is_fit = pl.col("tmdb_id").hash(15) % 2 == 0
        films = films.filter(is_fit if given.half == "fit" else ~is_fit)
    held = True
    for part in given.only:
        for line in PARTS[part](Stages(films), given.stages):
            print(line.drawn(), flush=True)
            held &= line.holds or math.isnan(line.measured)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
