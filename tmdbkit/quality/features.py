"""What rules about ratings look at: one row a rating, beside the others of its movie and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import polars as pl

from tmdbkit.ratings.aggregate import wide
from tmdbkit.ratings.agreement import POINTS, VOTES, Model
from tmdbkit.ratings.columns import explain, without
from tmdbkit.ratings.model import AUDIENCE, POINTS_OF, RATINGS, STEPS
from tmdbkit.ratings.scales import OTHERS, misfit
from tmdbkit.schema import INSTANT, SYSTEMS

TOLD = (
    "others",
    "count",
    *(f"{m.of}_{name}" for m in (POINTS, VOTES) for name in ("expected", "deviation")),
)

FACTS = frozenset({"title", "release_date"})  # what is looked at of a movie
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
SIDES = ("below", "above", "least", "most")

CLEARLY = 1.7  # how many times farther off are the others without the next that is to blame
SUSPECTED = 2  # of five ratings so many may be wrong


def features(
    ratings: pl.DataFrame,
    movies: pl.DataFrame,
    *,
    now: datetime,
    columns: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return one row a rating, `RATINGS` and what is known of it.

    Args:
        ratings: Preferred ones.
        movies: With `title` and `release_date`, as far as there are.
        now: The time.
        columns: What `columns.explain` says of the columns, where these are some ratings of many.

    Returns:
        `title`, `released`; `now`; `system_scale`, `step` of its system; of its column what
        `columns.explain` says; by the others of its movie `others` (how many), `score_expected` and
        `score_off`, in points of 100 and in its system's bands, `count_expected` and `count_off`,
        the same of log10 of the votes; `score_other`, `score_gain`: the other scale that fits best,
        within its band, and by how many nats better; `count_other`, `count_gain`, the same of votes
        off by a power of ten; `beside_{system}`, the points by which that is expected;
        `audience_points`, the points of the audience where the row is the critics'.
    """
    columns = explain(ratings) if columns is None else columns
    wrong = columns.filter(pl.col("fault").is_not_null() & (pl.col("fault") != "one_of_two"))
    table = wide(without(ratings, wrong))
    points, votes = _of_stage(POINTS, columns), _of_stage(VOTES, columns)
    beside = ratings.select("tmdb_id").unique()
    told = (_judged(table, points), _judged(table, votes), _audience(ratings), _facts(movies))
    for more in told:
        beside = beside.join(more, on="tmdb_id", how="left", maintain_order="left")
    each = [_one_system(ratings, system, columns, beside) for system in POINTS_OF]
    # Lazily, so that what several columns are made of is computed once.
    rows = pl.concat(each, how="diagonal").lazy()
    with_off = rows.with_columns(*_off(points), *_off(votes))
    return with_off.with_columns(pl.lit(now).cast(INSTANT).alias("now")).collect()


@cache
def feature_names(facts: frozenset[str]) -> frozenset[str]:
    """Return the columns of `features`, where so many of `FACTS` are known of the movies."""
    schema = {"tmdb_id": pl.Int64(), **dict.fromkeys(facts, pl.String())}
    return frozenset(
        features(RATINGS.to_frame(), pl.DataFrame(schema=schema), now=_ANY_TIME).columns
    )


def _one_system(
    ratings: pl.DataFrame, system: str, columns: pl.DataFrame, beside: pl.DataFrame
) -> pl.DataFrame:
    """Return one system's rows; those of the audience, which is no system, have no others."""
    its = pl.col("system") == system
    facts = (name for name in ("title", "released", "audience_points") if name in beside.columns)
    told = [pl.col(name) for name in facts]
    told.append(pl.lit(POINTS_OF[system]).alias("system_scale"))
    if system in SYSTEMS:
        told.append(pl.lit(STEPS[system]).alias("step"))
        told += [pl.col(f"{system}_{name}").alias(name) for name in TOLD]
        told += [pl.col(f"{s}_points").alias(f"beside_{s}") for s in SYSTEMS if s != system]
        told += [
            pl.lit(band).alias(f"{model.of}_{side}")
            for model in (POINTS, VOTES)
            for side, band in zip(SIDES, (*model.bands[system], *model.range[system]), strict=True)
        ]
    return (
        ratings.filter(its)
        .join(
            columns.filter(its).drop("system"),
            on="provider",
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        .join(beside.select("tmdb_id", *told), on="tmdb_id", how="left", maintain_order="left")
    )


def _of_stage(model: Model, columns: pl.DataFrame) -> Model:
    """Return the model with the stage's own levels and widths."""
    own = columns.select("system", f"{model.of}_level", f"{model.of}_width").drop_nulls()
    rows = own.unique("system").rows()
    return replace(
        model,
        level={**model.level, **{system: level for system, level, _ in rows}},
        width={**model.width, **{system: width for system, _, width in rows}},
    )


def _judged(table: pl.DataFrame, model: Model) -> pl.DataFrame:
    """Return `tmdb_id` and what the others say of each system's value.

    Nothing is expected of a value by itself, nor by one of its movie that is clearly the only one
    to blame.
    """
    judged = model.compare(
        table.select(
            "tmdb_id",
            *(f"{s}_{name}" for s in SYSTEMS for name in (model.of, "votes", "points")),
            *(pl.lit(value=False).alias(f"{model.name(s)}_silent") for s in SYSTEMS),
        )
    )
    judged = _without_the_worst(judged, model, SUSPECTED)
    told = [
        e
        for s in SYSTEMS
        for e in (
            # Points have a level that is something to go by; counts of votes are of any size.
            pl.when((model.of == "score") | (model.others(s) > 0))
            .then(pl.col(f"{model.name(s)}_expected").clip(*model.range[s]))
            .alias(f"{model.name(s)}_expected"),
            pl.col(f"{model.name(s)}_deviation"),
        )
    ]
    if model.of == "count":
        return judged.select("tmdb_id", *told, *map(model.name, SYSTEMS))
    points = (
        pl.when(~pl.col(f"{s}_score_silent") & model.value(s).is_not_null()).then(f"{s}_points")
        for s in SYSTEMS
    )
    others = (model.others(s).alias(f"{s}_others") for s in SYSTEMS)
    return judged.select("tmdb_id", *others, *told, *points)


def _without_the_worst(judged: pl.DataFrame, model: Model, times: int) -> pl.DataFrame:
    """Silence of each movie with a value beyond its band the one that explains it best.

    Without it the others agree far better than without any other; where two explain it as well,
    neither is to blame alone. Then so many `times` again, with what is left.
    """
    heard = {s: model.value(s).is_not_null() & ~pl.col(f"{model.name(s)}_silent") for s in SYSTEMS}
    far = (pl.when(heard[s]).then(f"{model.name(s)}_off") for s in SYSTEMS)
    doubtful = (pl.max_horizontal(far) > 1) & (pl.sum_horizontal(heard.values()) > 2)
    at_odds = judged.filter(doubtful)
    if not times or at_odds.is_empty():
        return judged
    ranked = pl.concat_list(SYSTEMS).list.drop_nulls().list.sort()
    without = model.odds_without(at_odds).with_columns(
        least=ranked.list.get(0), next=ranked.list.get(1)
    )
    is_clear = pl.col("least") * CLEARLY < pl.col("next")
    blamed = without.select(
        (pl.col(s).eq(pl.col("least")) & is_clear).fill_null(value=False).alias(f"{s}_blamed")
        for s in SYSTEMS
    )
    silenced = pl.concat([at_odds, blamed], how="horizontal").with_columns(
        (pl.col(f"{model.name(s)}_silent") | pl.col(f"{s}_blamed")).alias(f"{model.name(s)}_silent")
        for s in SYSTEMS
    )
    again = model.compare(silenced).select(judged.columns)
    calm = judged.filter(~doubtful.fill_null(value=False))
    return pl.concat([calm, _without_the_worst(again, model, times - 1)])


def _off(model: Model) -> Iterator[pl.Expr]:
    """Yield how far a value is off, and what other scale or factor fits it best, and how well."""
    of, own = model.of, pl.col("system_scale")
    below, above = pl.col(f"{of}_below"), pl.col(f"{of}_above")

    def residual(value: pl.Expr) -> pl.Expr:
        return (value - pl.col(f"{of}_expected")) / pl.col(f"{of}_deviation")

    def off(away: pl.Expr) -> pl.Expr:
        return pl.when(away < 0).then(-away / below).otherwise(away / above)

    value = pl.col("points") * 100 / own if of == "score" else pl.col("count")
    yield off(residual(value)).alias(f"{of}_off")
    gains = []
    for other in OTHERS[of]:
        rather = value * own / other if of == "score" else value - other
        there = residual(rather)
        # Of 1,000 votes a thousandth is 1, whose logarithm is 0 but for a rounding error.
        can_be = rather.round(6).is_between(pl.col(f"{of}_least"), pl.col(f"{of}_most"))
        fits = (off(there) < 1) & (own != other) & can_be
        gains.append(pl.when(fits).then(misfit(residual(value)) - misfit(there)))
    best = pl.max_horizontal(gains)
    yield best.alias(f"{of}_gain")
    yield pl.coalesce(
        pl.when(gain == best).then(other) for gain, other in zip(gains, OTHERS[of], strict=True)
    ).alias(f"{of}_other")


def _audience(ratings: pl.DataFrame) -> pl.DataFrame:
    audience = ratings.filter(pl.col("system") == AUDIENCE)
    return audience.select("tmdb_id", pl.col("points").alias("audience_points")).unique("tmdb_id")


def _facts(movies: pl.DataFrame) -> pl.DataFrame:
    """Return title and day of release, as far as the movies have them."""
    facts = [pl.col("title")] if "title" in movies.columns else []
    if "release_date" in movies.columns:
        facts.append(pl.col("release_date").str.to_date("%Y-%m-%d", strict=False).alias("released"))
    return movies.select(pl.col("tmdb_id").cast(pl.Int64), *facts).unique("tmdb_id", keep="first")
