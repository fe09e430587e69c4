"""What the commands `ratings` and `check` do with their arguments."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmdbkit import progress
from tmdbkit.cli.inputs import (
    filled,
    named_ids,
    open_source,
    open_stage,
    output_file,
    read_settings,
    same_source,
)
from tmdbkit.cli.output import FINE, FOUND, kept_for_json, say, say_aside, say_rows
from tmdbkit.exceptions import StopError, UsageError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse

    import polars as pl

    from tmdbkit.ratings.imdb_titles import IMDbTitles
    from tmdbkit.ratings.model import Provider
    from tmdbkit.stage.stage import Stage
    from tmdbkit.workflows.collecting import RatingsResult


def ratings(args: argparse.Namespace) -> int:
    """Ask providers for ratings, or say what that would take."""
    from tmdbkit.workflows import collect_ratings, rating_costs
    from tmdbkit.workflows.collecting import opened

    stage = open_stage(args)
    with opened(_providers(args, stage), read_settings()) as providers:
        target, ids = open_source(args), named_ids(args)
        if target is None and ids is None:
            filled(stage)
        if args.dry_run:
            asked = rating_costs(stage, providers, ids, target=target, older_than=args.older_than)
            return _print_costs(args, asked)
        return _print_ratings(
            args, collect_ratings(stage, providers, ids, target=target, older_than=args.older_than)
        )


def _print_ratings(args: argparse.Namespace, result: RatingsResult) -> int:
    if not kept_for_json(args, result.counts()):
        say(repr(result))
    if result.stopped:
        raise StopError(f"stopped: {', '.join(result.stopped)}")
    return FOUND if result.failed else FINE


def _providers(args: argparse.Namespace, stage: Stage) -> list[str | Provider] | None:
    """Return the providers that are named, and the table where there is one."""
    found: list[str | Provider] = [name for name in args.provider or [] if name != "table"]
    if args.table:
        from tmdbkit.ratings.table import Table

        path = Path(args.table).expanduser()
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        if not args.points:
            raise UsageError("no column is named; name one, such as --points imdb=rating")
        points, votes = _pairs(args.points, "points"), _pairs(args.votes, "votes")
        column, of = _id_column(path, args.id, None if args.from_target or args.snapshot else stage)
        found.append(Table(path, points=points, votes=votes, id=column, id_of=of))
    elif "table" in (args.provider or []):
        raise UsageError("--provider table needs --table FILE, and --points imdb=COLUMN")
    elif args.points or args.votes:
        raise UsageError("--points and --votes name columns of a table; add --table FILE")
    return found or None


def _id_column(
    path: Path, name: str | None, stage: Stage | None
) -> tuple[str, Literal["tmdb", "imdb"]]:
    """Return a table's column of ids, and whose they are; say which rows have no part in it."""
    from tmdbkit.cli.listed import tell_left_out, tell_not_staged
    from tmdbkit.matching.listed import named_in
    from tmdbkit.tables import id_columns, texts

    table = texts(path)
    columns = [] if name and name not in table.columns else id_columns(table, name)
    column, of = columns[0] if columns else (name or "tmdb_id", "tmdb")
    if columns:
        listed = named_in(table, column)
        tell_left_out(str(path), listed)
        if stage is not None:
            tell_not_staged(listed["id"].drop_nulls(), stage)
    return column, "imdb" if of == "imdb" else "tmdb"


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts or []]
    for name, sign, column in pairs:
        if not (name and sign and column):
            raise UsageError(f"--{option} takes SYSTEM=COLUMN, such as imdb=my_rating")
    return {name: column for name, _, column in pairs}


def _print_costs(args: argparse.Namespace, asked: pl.DataFrame) -> int:
    from tmdbkit.display import SYSTEM_NAMES
    from tmdbkit.ratings.providers import missing

    lacking = [] if args.provider or args.table else missing(read_settings())
    if not kept_for_json(args, {"providers": asked.to_dicts(), "missing": lacking}):
        for row in asked.iter_rows(named=True):
            days = f", {row['days']} days of its quota" if row["days"] > 1 else ""
            took = f"{counted(row['movies'], 'movie')}, {counted(row['requests'], 'request')}"
            say(f"{row['provider']}: {took}{days}")
            say(f"  {row['terms']}")
        for one in lacking:
            brings = ", ".join(SYSTEM_NAMES[name] for name in one["systems"])
            say(f"{one['provider']}, free key: {brings}")
            say(f"  set {one['key']}; it is had at {one['key_from']}")
    return FINE


def rules(args: argparse.Namespace) -> int:
    """Say each rule, what it is about, and what to do about what it finds."""
    from tmdbkit.quality import RULES
    from tmdbkit.quality.remedies import REMEDIES

    rows = [
        {name: getattr(rule, name) for name in ("name", "of", "severity", "sentence")}
        | {"do": REMEDIES[rule.name]}
        for rule in RULES
    ]
    if not kept_for_json(args, {"rules": rows}):
        for row in rows:
            say(f"{row['name']} ({row['of']}, {row['severity']}): {row['sentence']}")
            say(f"  {row['do']}")
    return FINE


def check(args: argparse.Namespace) -> int:
    """Look for what is wrong with the stage, or with what a target holds."""
    from tmdbkit.files import write_text
    from tmdbkit.workflows import check as check_movies

    page = output_file(args.html, "--html") if args.html else None
    target = open_source(args)
    source = filled(open_stage(args)) if target is None else target
    with _titles() if args.imdb else nullcontext() as titles:
        report = check_movies(source, skip=args.skip, imdb=titles)
    if page is not None:
        write_text(page, report.page())
        say_aside(f"written to {page}")
    if args.rows:
        say_rows(args, report)
    counts = report.counts()
    if not kept_for_json(args, counts):
        skipped = f" --skip {','.join(args.skip)}" if args.skip else ""
        same = f"{' --imdb' * args.imdb}{skipped}{same_source(args)}"
        shown_by = page or f"tmdbkit check --html report.html{same}"
        say(report.text(more=f": {shown_by} shows more", width=0))
    return FOUND if counts["errors"] else FINE


def _titles() -> IMDbTitles:
    from tmdbkit.ratings.imdb_titles import IMDbTitles

    return IMDbTitles(read_settings(), progress.default())
