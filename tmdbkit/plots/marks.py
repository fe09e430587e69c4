"""What pictures are drawn of: a table of any size, brought down to some hundred marks by polars."""

from __future__ import annotations

import polars as pl

from tmdbkit.display import STEERING, SYSTEM_NAMES
from tmdbkit.exceptions import UsageError
from tmdbkit.schema import SCALES, SYSTEMS

SMOOTH = 3.0  # the standard deviation of a density's kernel, in points of 100
CELL = 2.5  # the side of a cell of pairs, in points of 100: 41 by 41 of them at most
OUTLIERS = 10  # pairs with a name
FEWEST = 3  # systems that rate a disputed movie
LONGEST = 34  # letters of a title

NAMES = [SYSTEM_NAMES[system] for system in SYSTEMS]
# A spot with a name, and the side of it where the name stands.
NAMED = pl.Schema(
    {"at": pl.Float64, "y": pl.Float64, "label": pl.String, "to_the_right": pl.Boolean}
)


def shares(table: pl.DataFrame) -> pl.DataFrame:
    """Return `decade, movies, system, share`: how much of each decade a system has rated."""
    year = pl.col("year").cast(pl.Int32)
    dated = year.is_between(1870, 2099)  # other years are a slip, and each would be a decade
    decade = pl.when(dated).then(pl.format("{}s", year // 10 * 10)).otherwise(pl.lit("no year"))
    return (
        _scores(table, "year")
        .group_by(decade.alias("decade"), "system")
        .agg(pl.len().alias("movies"), pl.col("score").is_not_null().mean().alias("share"))
        .sort("decade", "system")
    )


def medians(table: pl.DataFrame) -> pl.DataFrame:
    """Return `system, movies, median` of the systems that have ratings."""
    scores = _scores(table).drop_nulls()
    return (
        scores.group_by("system")
        .agg(pl.len().alias("movies"), pl.col("score").median().alias("median"))
        .sort("system")
    )


def densities(table: pl.DataFrame) -> pl.DataFrame:
    """Return `system, score, height` at whole scores, the highest of each system at 1.

    One Gaussian kernel a rating, reflected at the ends of the scale so that it does not fade there
    (B. W. Silverman, Density Estimation for Statistics and Data Analysis, 1986, section 2.10).
    """
    at = pl.DataFrame({"score": range(101)}, {"score": pl.Int32})
    here = pl.col("from")
    images = (here, -1 - here, 201 - here)  # a whole score is a cell, whose ends are at the halves
    weight = pl.sum_horizontal(
        (-(((pl.col("score") - image) / SMOOTH) ** 2) / 2).exp() for image in images
    )
    kernel = at.join(at.rename({"score": "from"}), how="cross").with_columns(weight.alias("weight"))
    rounded = pl.col("score").round().cast(pl.Int32).alias("from")
    height = (pl.col("weight") * pl.col("len")).sum()
    return (
        _scores(table)
        .drop_nulls()
        .group_by("system", rounded)
        .len()
        .join(kernel, on="from")
        .group_by("system", "score")
        .agg(height.alias("height"))
        .with_columns((pl.col("height") / pl.col("height").max().over("system")).round(4))
        .sort("system", "score")
    )


def pairs(table: pl.DataFrame, x: str, y: str) -> pl.DataFrame:
    """Return `title, year, x, y` of the movies that two systems have rated.

    Raises:
        UsageError: One of them is no system, or the table has no such column.
    """
    if unknown := [system for system in (x, y) if system not in SYSTEMS]:
        raise UsageError(f"no such system: {unknown[0]}; there are {', '.join(SYSTEMS)}")
    _need(table, "title", "year", f"{x}_points", f"{y}_points")
    scores = (_score(x).alias("x"), _score(y).alias("y"))
    return table.select("title", "year", *scores).drop_nulls(["x", "y"])


def fit(found: pl.DataFrame) -> tuple[float, float, float | None]:
    """Return slope and start of the least-squares line of y on x, and their correlation."""
    x, y = pl.col("x"), pl.col("y")
    [(covariance, of_x, of_y, mean_x, mean_y)] = found.select(
        pl.cov(x, y), x.var().alias("of_x"), y.var().alias("of_y"), x.mean().alias("mx"), y.mean()
    ).rows()
    slope = covariance / of_x if of_x else 0.0
    start = (mean_y or 0.0) - slope * (mean_x or 0.0)
    return slope, start, covariance / (of_x * of_y) ** 0.5 if of_x and of_y else None


def cells(found: pl.DataFrame) -> pl.DataFrame:
    """Return `at, y, movies`: pairs counted by cell, each where its own pairs are on average."""
    row, column = ((pl.col(name) / CELL).round().alias(f"_{name}") for name in "xy")
    means = (pl.col("x").mean().round(2).alias("at"), pl.col("y").mean().round(2))
    counted = found.group_by(row, column).agg(*means, pl.len().alias("movies"))
    return counted.select("at", "y", "movies").sort("at", "y")


def outliers(found: pl.DataFrame, slope: float, start: float) -> pl.DataFrame:
    """Return frames of `NAMED`: what lies farthest from the line, and a label that has room.

    A label stands where fewer spots are: left of one above the line, right of one below it.
    """
    off = pl.col("y") - start - slope * pl.col("x")
    worst = (
        found.with_columns(off.alias("off"))
        .sort(pl.col("off").abs(), "title", "year", descending=[True, False, False])
        .head(50 * OUTLIERS)
        .select("x", "y", _label(), "off")
    )
    taken: list[tuple[float, float, str, bool]] = []
    for x, y, label, distance in worst.iter_rows():
        if all(abs(y - other) > 4 or abs(x - at) > 50 for at, other, _, _ in taken):
            taken.append((x, y, label, x < (35 if distance > 0 else 65)))
    return pl.DataFrame(taken[:OUTLIERS], NAMED, orient="row")


def most_disputed(table: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return `label, low, high` and the points of the movies with the widest spread, in order."""
    _need(table, "tmdb_id", "title", "year", *_points())
    scores = [_score(system) for system in SYSTEMS]
    spread = pl.col("spread") if "spread" in table.columns else pl.col("high") - pl.col("low")
    return (
        table.filter(pl.sum_horizontal(score.is_not_null() for score in scores) >= FEWEST)
        .with_columns(
            pl.min_horizontal(scores).alias("low"), pl.max_horizontal(scores).alias("high")
        )
        .with_columns(spread.cast(pl.Float64).fill_nan(None).alias("spread"))
        .drop_nulls("spread")
        .sort("spread", "tmdb_id", descending=[True, False])
        .head(count)
        .with_columns(_label())
        .select(_told_apart(), "low", "high", *_points())
    )


def ratings(disputed: pl.DataFrame) -> pl.DataFrame:
    """Return `label, system, score` of each rating of disputed movies."""
    return _scores(disputed, "label").drop_nulls("score")


def _points() -> list[str]:
    return [f"{system}_points" for system in SYSTEMS]


def _need(table: pl.DataFrame, *columns: str) -> None:
    if missing := [name for name in columns if name not in table.columns]:
        raise UsageError(
            f"the table has no {', '.join(missing)}; pictures are drawn of Stage.table()"
        )


def _score(system: str) -> pl.Expr:
    """A system's points as 0 to 100, null where there are none."""
    score = pl.col(f"{system}_points").cast(pl.Float64) * (100 / SCALES[system])
    return pl.when(score.is_finite()).then(score.clip(0, 100))


def _scores(table: pl.DataFrame, *keep: str) -> pl.DataFrame:
    """Return one row a movie and system: what is kept, `system, score`."""
    _need(table, *keep, *_points())
    wide = (_score(system).alias(SYSTEM_NAMES[system]) for system in SYSTEMS)
    return table.select(*keep, *wide).unpivot(
        index=list(keep), variable_name="system", value_name="score"
    )


def _label() -> pl.Expr:
    """A movie's title and year on one line."""
    title = pl.col("title").fill_null("").str.replace_all(rf"(?:\s|{STEERING})+", " ")
    cut = pl.when(title.str.len_chars() > LONGEST).then(title.str.head(LONGEST - 1) + "…")
    year = pl.format(" ({})", pl.col("year").cast(pl.Int32))
    return (cut.otherwise(title) + year.fill_null("")).alias("label")


def _told_apart() -> pl.Expr:
    """Labels, with the id where two movies have the same."""
    twins = pl.len().over("label") > 1
    return (
        pl.when(twins)
        .then(pl.format("{} · {}", "label", "tmdb_id"))
        .otherwise("label")
        .alias("label")
    )
