"""What the rules look at: the movies and the ratings of a stage, of a frame, or of a target."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime
from functools import partial

import polars as pl

from tmdbkit.convex.changes import Withheld
from tmdbkit.convex.read import movies_of
from tmdbkit.convex.target import Target
from tmdbkit.exceptions import UsageError
from tmdbkit.executors import run_on
from tmdbkit.matching.candidates import candidate
from tmdbkit.quality import Rule, find, same_film, withheld
from tmdbkit.quality.features import FACTS, feature_names
from tmdbkit.ratings.columns import explain
from tmdbkit.ratings.imdb_titles import IMDbTitles
from tmdbkit.ratings.model import RATINGS
from tmdbkit.ratings.rows import IMDB_ID, as_ratings
from tmdbkit.schema import INSTANT, ROW, SYSTEMS
from tmdbkit.settings import Settings
from tmdbkit.stage.asked import TOLD
from tmdbkit.stage.card import flat
from tmdbkit.stage.decisions import JUDGED, WORDS, changed_since, moved, verdicts
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.waivers import RATING_ERRORS, with_waivers
from tmdbkit.surrogates import loads
from tmdbkit.transform import ROWS

OF_EVERY_RULE = (
    *("tmdb_id", "title", "original_title", "release_date", "imdb_id"),
    *(f"{system}_points" for system in SYSTEMS),
)
PIECE = 20_000  # movies that a worker reads at a time


def tables_for_rules(
    source: Stage | pl.DataFrame | pl.LazyFrame | Target, rules: Sequence[Rule]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the flat table of movies, and the ratings that count.

    Args:
        source: A stage; a target; or a frame, of documents or of the flat table.
        rules: What will be looked for; a stage's other columns are not read.

    Raises:
        UsageError: The frame has no `tmdb_id`, or a column of another kind.
    """
    if isinstance(source, Stage):
        return source.store.for_rules(columns=_columns(rules))
    if isinstance(source, pl.DataFrame | pl.LazyFrame):
        table = _flat(_typed(source.lazy().collect()))
    else:
        source.preflight(writing=False)
        table = _flat(movies_of(source))
    return table, _ratings_of(table)


def tables_for_rules_on(
    executor: Executor, workers: int, stage: Stage, rules: Sequence[Rule]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the same of a stage, read by the workers of an executor: what the rules need.

    What is judged is judged by the whole: a rule may look at all movies together.
    """
    ids = sorted(stage.ids())
    if not ids:
        return tables_for_rules(stage, rules)
    keyless = stage.store.settings.keyless()
    work = partial(read_for_rules, stage.store.root.full, keyless, _columns(rules))
    pieces = (ids[first : first + PIECE] for first in range(0, len(ids), PIECE))
    read = list(run_on(executor, work, pieces, workers))
    movies = pl.concat([movies for movies, _ in read]).sort("tmdb_id")
    return movies, pl.concat([ratings for _, ratings in read]).sort("tmdb_id", "system")


def read_for_rules(
    root: str, settings: Settings, columns: Collection[str] | None, ids: list[int]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return columns of some movies of a stage, and their ratings, as a worker does."""
    return Stage(root, settings=settings).store.for_rules(ids, columns)


def _columns(rules: Sequence[Rule]) -> set[str] | None:
    """Return the columns that rules look at; None for all."""
    if any(rule.selects() for rule in rules):
        return None
    return {*OF_EVERY_RULE, *(name for rule in rules for name in rule.needs())}


def beside_imdb(movies: pl.DataFrame, titles: IMDbTitles, source: object) -> pl.DataFrame:
    """Return movies with what IMDb has of their ids; what else TMDB calls them, a stage tells."""
    has_titles = {"title", "imdb_id"} <= set(movies.columns)
    if not has_titles or not movies["imdb_id"].str.contains(IMDB_ID).any():
        return movies
    known, since = titles.look_up(movies["imdb_id"])
    stage = source if isinstance(source, Stage) else None
    return same_film.beside_imdb(movies, known, since, partial(_other_titles, stage))


def _other_titles(stage: Stage | None, ids: list[int]) -> dict[int, tuple[str, ...]]:
    """Return what the payloads of some movies call them, beside title and original title."""
    texts = () if stage is None else stage.store.texts(ids)
    return {
        tmdb_id: candidate(loads(payload), tmdb_id).other_titles
        for some in texts
        for tmdb_id, payload in some.select("tmdb_id", "payload").iter_rows()
    }


def applicable(rules: Sequence[Rule], movies: pl.DataFrame) -> list[Rule]:
    """Return the rules that can be looked at: all of their columns can be had of these movies.

    Where nobody said what was asked for, nothing is to be compared with that.
    """
    rated = any(f"{system}_points" in movies.columns for system in SYSTEMS)
    of_ratings = feature_names(frozenset(movies.columns) & FACTS) if rated else frozenset()
    unsaid = {name for name in TOLD if name in movies.columns and movies[name].is_null().all()}
    seen = {"movie": {*movies.columns, "now"} - unsaid, "rating": of_ratings}
    return [rule for rule in rules if rule.needs() <= seen[rule.of]]


def errors_of(stage: Stage) -> pl.DataFrame:
    """Return the errors of a stage's ratings, and which of them a person let go.

    Ratings of movies that are not staged are judged by the columns of those that are, as `check`
    sees them.
    """
    table, ratings, others = stage.store.for_errors(SEEN_BY_ERRORS)
    columns = explain(others if ratings.is_empty() else ratings)
    every = pl.concat([ratings, others])
    errors = find(table, every, RATING_ERRORS, now=stage.store.now(), columns=columns)
    return with_waivers(errors, table, stage.decisions())


def withheld_of(stage: Stage, errors: pl.DataFrame) -> Withheld:
    """Return what of a stage no push sends: errors that nobody let go, what is held or rejected."""
    said = verdicts(stage.decisions())
    kept_back = said.filter(pl.col("kind").is_in(["hold", "reject"]))
    reasons = {
        tmdb_id: f"{WORDS[kind]} in review{by and f' by {by}'}{note and f': {note}'}"
        for tmdb_id, kind, by, note in kept_back.select("tmdb_id", "kind", "by", "note").rows()
    }
    return Withheld(reasons, _reasons(errors.filter(~pl.col("let_go"))))


def withheld_unless_approved(stage: Stage, errors: pl.DataFrame) -> Withheld:
    """Return what no push of approved movies sends: those as well that have changed since."""
    table = stage.store.look_up(SEEN_BY_ERRORS)
    approved = verdicts(stage.decisions()).filter(pl.col("kind") == "approve")
    changed = {
        tmdb_id: f"changed since it was approved: {'; '.join(moved(before, now))}"
        for tmdb_id, before, now in changed_since(table, approved).rows()
    }
    kept_back = withheld_of(stage, errors)
    return replace(kept_back, movies={**kept_back.movies, **changed})


def withheld_rows(rows: pl.DataFrame, now: datetime) -> Withheld:
    """Return the ratings of rows that were just fetched which break an error rule."""
    return Withheld(
        ratings=_reasons(find(*tables_for_rules(rows, RATING_ERRORS), RATING_ERRORS, now=now))
    )


SEEN_BY_ERRORS = ["tmdb_id", *JUDGED, *(f"{system}_points" for system in SYSTEMS)]


def _reasons(errors: pl.DataFrame) -> dict[int, dict[str, str]]:
    """Return why each rating is kept back, by movie and system."""
    kept_back = errors.join(withheld(errors), on=["tmdb_id", "system"], how="semi")
    reasons: dict[int, dict[str, str]] = {}
    for tmdb_id, system, why in kept_back.select("tmdb_id", "system", "why").rows():
        reasons.setdefault(tmdb_id, {}).setdefault(system, why)
    return reasons


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose texts are texts and whose numbers are numbers, of any size."""
    if "tmdb_id" not in frame.columns:
        raise UsageError("the frame has no column tmdb_id; name the one that holds TMDB's ids so")
    flat_kinds = flat(ROWS.to_frame()).schema
    kinds = {
        **{name: kind for name, kind in ROW.items() if not kind.is_nested()},
        **{f"{system}_points": pl.Float64() for system in SYSTEMS},
        **{f"{system}_votes": pl.Int64() for system in SYSTEMS},
        **{n: kind for n, kind in flat_kinds.items() if kind in (pl.Boolean, pl.List)},
    }
    known = {name: kind for name, kind in frame.schema.items() if name in kinds}
    for name, kind in known.items():
        if kind.is_nested() and not isinstance(kinds[name], pl.List):
            raise UsageError(f"{name} of the frame is a {kind}; {kinds[name]} is wanted")
    casts = [
        _as(kinds[name], pl.col(name)).alias(name)
        for name, kind in known.items()
        if name == "tmdb_id" or not _is_as_good(kind, kinds[name])
    ]
    try:
        return frame.with_columns(casts)
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"a column of the frame is of another kind: {_first(error)}") from None


def _as(wanted: pl.DataType, column: pl.Expr) -> pl.Expr:
    """Return a column as another kind; one text of names is a list of one."""
    if not isinstance(wanted, pl.List):
        return column.cast(wanted)
    return pl.concat_list(column.cast(pl.String).replace("", None)).list.drop_nulls()


def _is_as_good(kind: pl.DataType, wanted: pl.DataType) -> bool:
    """Tell whether rules can look at a column of a kind as well: of any numbers, of any lists."""
    both = (kind, wanted)
    return all(k.is_numeric() for k in both) or all(isinstance(k, pl.List) for k in both)


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with the columns that rules look at, as far as they can be had of it."""
    added = []
    if "year" not in frame.columns and "release_date" in frame.columns:
        year = pl.col("release_date").str.slice(0, 4).cast(pl.Int32, strict=False)
        added.append(year.alias("year"))
    for column, name in (("vote_pts_system", "points"), ("vote_count_system", "votes")):
        kind = frame.schema.get(column)
        members = [field.name for field in kind.fields] if isinstance(kind, pl.Struct) else []
        added += [
            pl.col(column).struct.field(system).alias(f"{system}_{name}")
            for system in SYSTEMS
            if system in members
        ]
    return frame.with_columns(added)


def _ratings_of(table: pl.DataFrame) -> pl.DataFrame:
    """Return the ratings in a flat table's columns `{system}_points` and `{system}_votes`."""
    known = pl.lit(None, INSTANT)
    if "tmdb_data_imported_at" in table.columns:
        known = pl.col("tmdb_data_imported_at").str.to_datetime(time_zone="UTC", strict=False)
    systems = [system for system in SYSTEMS if f"{system}_points" in table.columns]
    uncounted = [name for s in systems if (name := f"{s}_votes") not in table.columns]
    table = table.with_columns(pl.lit(None, pl.Int64).alias(name) for name in uncounted)
    found = [
        as_ratings(
            table.select(
                "tmdb_id",
                pl.lit(system).alias("system"),
                pl.col(f"{system}_points").cast(pl.Float64).alias("points"),
                pl.col(f"{system}_votes").cast(pl.Int64, strict=False).alias("votes"),
                known.alias("fetched_at"),
            ),
            "document",
        ).filter(pl.col("points").is_not_null() | pl.col("votes").is_not_null())
        for system in systems
    ]
    return pl.concat([RATINGS.to_frame(), *found])
