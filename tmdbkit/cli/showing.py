"""What the command `show` does: one movie's card, or a table of those that are meant."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tmdbkit.cli.inputs import filled, open_stage
from tmdbkit.cli.output import FINE, kept_for_json, say, say_aside, say_cells, say_json
from tmdbkit.display import SYSTEM_NAMES
from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    import polars as pl

    from tmdbkit.stage.stage import Stage

FIRST = 30  # rows that a terminal shows, where nothing else is said
OF_A_TABLE = (
    *("missing", "finding", "decision", "year", "text", "failed", "not_on_tmdb"),
    *("fields", "rows"),
)
FIELDS = ("tmdb_id", "title", "year", *SYSTEM_NAMES)


def show(args: argparse.Namespace) -> int:
    """Show a movie, or those that are like what the options say."""
    staged = open_stage(args)
    is_list = len(args.movies) != 1 or any(getattr(args, name) for name in OF_A_TABLE)
    if not is_list:
        card = staged[args.movies[0]]
        if not kept_for_json(args, {"movies": 1, "shown": 1, "movie": card.row}):
            say(repr(card))
        return FINE
    if not (args.failed or args.not_on_tmdb):
        filled(staged)
    args.json |= args.rows
    rows = _chosen(args, staged)
    is_short = sys.stdout.isatty() and not args.json
    shown = rows.head(args.limit or (FIRST if is_short else rows.height))
    if args.rows:
        for row in shown.iter_rows(named=True):
            say_json(row)
    if not kept_for_json(args, {"movies": rows.height, "shown": shown.height}):
        _show_table(shown, rows.height)
    return FINE


def _show_table(shown: pl.DataFrame, count: int) -> None:
    from tmdbkit.cli.table import aligned

    if count:
        say_cells(aligned(shown))
    more = f"; --limit {count} shows all" if shown.height < count else ""
    say_aside(f"{shown.height:,} of {counted(count, 'movie')}{more}")


def _chosen(args: argparse.Namespace, staged: Stage) -> pl.DataFrame:
    """Return the rows that are meant, in order, with the fields that are wanted."""
    if args.failed or args.not_on_tmdb:
        rows = staged.failures() if args.failed else staged.missing()
    else:
        rows = _like(args, staged)
    if args.sort:
        by = _columns(rows, args.sort)
        rows = rows.sort(by, descending=args.descending, nulls_last=True, maintain_order=True)
    usual = rows.columns if args.failed or args.not_on_tmdb else FIELDS
    return rows.select(_columns(rows, args.fields or usual))


def _like(args: argparse.Namespace, staged: Stage) -> pl.DataFrame:
    import polars as pl

    from tmdbkit.quality.remedies import REMEDIES
    from tmdbkit.stage.stage import having

    table = staged.table(raw=True)
    if args.movies:
        table = table.filter(pl.col("tmdb_id").is_in([staged.id_of(m) for m in args.movies]))
    for name in _columns(table, args.missing):
        none = pl.col(name).is_null() | pl.col(name).cast(pl.String, strict=False).eq("")
        is_list = isinstance(table[name].dtype, pl.List)
        table = table.filter(pl.col(name).list.len().eq(0) if is_list else none)
    if args.finding:
        rule = _known("rule", args.finding, REMEDIES)
        table = table.filter(pl.col("findings").list.contains(rule))
    if args.decision:
        said = None if args.decision == "none" else args.decision
        table = table.filter(pl.col("decision").eq_missing(pl.lit(said)))
    if args.year:
        table = table.filter(pl.col("year").is_between(*args.year))
    return having(args.text, table) if args.text else table


def _columns(rows: pl.DataFrame, names: Iterable[str]) -> list[str]:
    """Return columns by the names that a person gives them: `imdb` for `imdb_points`."""
    return [
        f"{name}_points"
        if name in SYSTEM_NAMES and f"{name}_points" in rows.columns
        else _known("field", name, rows.columns)
        for name in names
    ]


def _known(what: str, name: str, names: Iterable[str]) -> str:
    there = list(names)
    if name not in there:
        near = did_you_mean(name, [*SYSTEM_NAMES, *there])
        raise UsageError(f"no {what} {name!r}; there are {', '.join(there)}{near}")
    return name
