"""Which staged movie a text means: by TMDB's id or address, by IMDb's, or by its title."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

import polars as pl

from tmdbkit.display import plain
from tmdbkit.exceptions import NoSuchMovie, UsageError
from tmdbkit.stage.storage import Root
from tmdbkit.tables import id_in

Like = Callable[[pl.Expr], pl.LazyFrame]

COLUMNS = ("tmdb_id", "imdb_id", "title", "original_title", "release_date")
MOST = 3  # movies that a line names
ALIKE, MISTYPED = 0.8, 2  # how much a mistyped title has of the one that is meant, and letters off
_TITLES = pl.col("title", "original_title").str.to_lowercase()


def meant_by(text: str, rows: Like, root: Root) -> int:
    """Return the id of the one movie that a text means.

    Args:
        text: An id, an address of TMDB's or IMDb's, or a whole title in any case.
        rows: Returns the staged movies that are like something, in `COLUMNS`.
        root: Where they are staged.

    Raises:
        NoSuchMovie: None is; the line names titles that have the text in them.
        UsageError: Several are; the line names them.
    """
    word = text.strip()
    asked = id_in(word)
    of_id = pl.col("imdb_id" if isinstance(asked, str) else "tmdb_id") == pl.lit(asked)
    by_id = pl.lit(value=False) if asked is None else of_id
    has_title = pl.any_horizontal(_TITLES.eq(word.lower())) & pl.lit(value=word != "")
    found = rows(by_id | has_title).with_columns(by_id=by_id).sort("tmdb_id").collect()
    if found.height == 1:
        return int(found["tmdb_id"].item())
    if found.is_empty():
        raise no_such(text, rows, root)
    named = [
        f"the {'id' if row['by_id'] else 'title'} of {_named(row)}"
        for row in found.head(MOST).iter_rows(named=True)
    ]
    last = found["tmdb_id"][-1]
    raise UsageError(
        f"{text!r} is {' and '.join(named)}; say themoviedb.org/movie/{last}, or the number {last}"
        " in Python, for the one that you mean"
    )


def no_such(movie: int | str, rows: Like, root: Root) -> NoSuchMovie:
    """Return the error about a movie that is not staged, and what may be meant instead."""
    near = _meant(movie, rows) if isinstance(movie, str) else []
    hint = ""
    if near:
        hint = f"; did you mean {' or '.join(near)}?"
    elif rows(pl.lit(value=True)).head(1).collect().is_empty():
        hint = f", which is empty; looked in {root.full}"
    return NoSuchMovie(f"{plain(repr(movie), 80)} is not staged in {root}{hint}")


def _meant(text: str, rows: Like) -> list[str]:
    """Return the first movies that have a text in their title, or else one that is spelled like it.

    Titles of another length are not compared letter by letter, which takes long for many.
    """
    word = text.strip().lower()
    found = rows(pl.any_horizontal(_TITLES.str.contains(word, literal=True))).sort("tmdb_id")
    near = found.head(MOST).collect()
    if near.is_empty() and id_in(word) is None:
        first, last = len(word) - MISTYPED, len(word) + MISTYPED
        as_long = rows(pl.any_horizontal(_TITLES.str.len_chars().is_between(first, last))).collect()
        titles = pl.concat(as_long.select(_TITLES)).drop_nulls().unique()
        alike = get_close_matches(word, titles, MOST, ALIKE)
        has_one = pl.any_horizontal(_TITLES.is_in(alike))
        near = as_long.filter(has_one).sort("tmdb_id").head(MOST)
    return [_named(row) for row in near.iter_rows(named=True)]


def _named(row: dict[str, object]) -> str:
    year, number = str(row["release_date"])[:4], str(row["tmdb_id"])
    return f"{row['title']} ({year}, {number})" if year else f"{row['title']} ({number})"
