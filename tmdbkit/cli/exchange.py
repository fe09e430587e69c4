"""The commands `export` and `apply`: a stage's movies and decisions as files, there and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit.cli.inputs import ask_yes, filled, is_asked, open_stage, output_file
from tmdbkit.cli.output import FINE, FOUND, kept_for_json, say, say_aside
from tmdbkit.exceptions import UsageError
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import argparse

    from tmdbkit.stage.stage import Stage

SHEETS, WORKBOOKS = (".csv", ".tsv"), (".xlsx", ".xls", ".ods", ".numbers")


def export(args: argparse.Namespace) -> int:
    """Write the movies as a sheet, or the decisions as a file."""
    from tmdbkit.workflows.decisions_file import export_decisions
    from tmdbkit.workflows.sheet import export_sheet

    if (args.file is None) == (args.decisions is None):
        raise UsageError("name one file: FILE.csv for the movies, or --decisions FILE")
    if args.decisions:
        path = _new_file(args.decisions, "--decisions")
        if path.suffix.lower() in SHEETS:
            raise UsageError(f"{path}: decisions are JSON Lines; name the file .jsonl")
        what, many = "decision", export_decisions(open_stage(args), path)
    else:
        path = _new_file(args.file, "export")
        if path.suffix.lower() != ".csv":
            raise UsageError(f"{path}: a sheet is CSV; name the file .csv")
        what, many = "movie", export_sheet(filled(open_stage(args)), path)
    if not kept_for_json(args, {"file": str(path), f"{what}s": many}):
        say(f"{counted(many, what)} in {path}; tmdbkit apply reads what is changed there")
    return FINE


def apply(args: argparse.Namespace) -> int:
    """Take corrections from a sheet, or decisions from a file, once they were shown and asked."""
    from tmdbkit.workflows.decisions_file import read_decisions
    from tmdbkit.workflows.sheet import read_sheet

    staged = open_stage(args)
    if (args.file is None) == (args.undo is None):
        raise UsageError("name the file, or a batch to take back: --undo BATCH")
    if args.undo:
        return _undo(args, staged)
    suffix = Path(args.file).suffix.lower()
    if suffix in WORKBOOKS:
        raise UsageError(f"{args.file} is a workbook; save the sheet as CSV, and apply that")
    pending = (read_sheet if suffix in SHEETS else read_decisions)(staged, args.file)
    for line in repr(pending).splitlines():
        (say_aside if args.json else say)(line)
    if pending and is_asked(args):
        ask_yes()
    done = pending.write(staged)
    for line in done.conflicts[len(pending.conflicts) :]:
        say_aside(f"conflict: {line}")
    if not kept_for_json(args, done.counts()):
        undo = f"; tmdbkit apply --undo {done.batch} takes all of it back"
        say(f"{counted(len(done.decisions), 'decision')} logged{undo if done.batch else ''}")
    return FOUND if done.conflicts or done.refused else FINE


def _new_file(name: str, option: str) -> Path:
    """Return the file to write; one that is there may hold what a person edited."""
    path = output_file(name, option)
    if path.exists():
        raise UsageError(f"{path} is there; name another file, or delete it")
    return path


def _undo(args: argparse.Namespace, staged: Stage) -> int:
    from tmdbkit.workflows.pending import undo_batch

    many = undo_batch(staged, args.undo)
    if not kept_for_json(args, {"undone": many}):
        say(f"{counted(many, 'decision')} taken back")
    return FINE
