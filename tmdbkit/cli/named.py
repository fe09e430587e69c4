"""The films that arguments name by title or IMDb id, of those that are staged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmdbkit.exceptions import UsageError

if TYPE_CHECKING:
    import argparse

    import polars as pl

    from tmdbkit.stage.stage import Stage

TOLD_APART = 5  # films that a line names


def name_staged(args: argparse.Namespace, stage: Stage) -> None:
    """Put the TMDB id of a staged film in the place of its title, or of its IMDb id.

    What is an id and not staged stays as it is.

    Raises:
        UsageError: A title is of none of them, or of several.
    """
    from tmdbkit.tables import id_in

    if all(isinstance(id_in(word), int) for word in args.ids):
        return
    names = ("tmdb_id", "imdb_id", "title", "original_title", "year")
    table = stage.store.look_up(names)
    args.ids = [_staged(word, table) for word in args.ids]


def _staged(word: str, table: pl.DataFrame) -> str:
    from tmdbkit.tables import id_in

    known = id_in(word)
    if isinstance(known, int):
        return word
    found = table.filter(imdb_id=known) if known else _titled(word, table)
    if known and found.is_empty():
        return word
    if found.height == 1:
        return str(found["tmdb_id"].item())
    if found.is_empty():
        raise UsageError(f"no movie here is called {word!r}; tmdbkit stage --search finds more")
    told = [f"{title} ({year}, {n})" for n, _, title, _, year in found.head(TOLD_APART).rows()]
    more = f" and {found.height - TOLD_APART:,} more" * (found.height > TOLD_APART)
    raise UsageError(f"{word!r} may be {', '.join(told)}{more}; say which by its id")


def _titled(word: str, table: pl.DataFrame) -> pl.DataFrame:
    """Return the films of a title, with or without the year; else those with it in theirs."""
    wanted = word.strip().casefold()
    titles = [
        [text.casefold() for text in (title, original, f"{title} ({year})")]
        for title, original, year in table.select("title", "original_title", "year").rows()
    ]
    exact = table.filter([wanted in each for each in titles])
    part = [any(wanted in text for text in each) for each in titles]
    return table.filter(part) if exact.is_empty() else exact
