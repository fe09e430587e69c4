"""A sheet there and back: exactly what a person edited, whatever a spreadsheet made of the rest."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tmdbkit
from tests.convex.bench import LATER, payload, staged
from tmdbkit import ConvexSnapshot, Stage, workflows
from tmdbkit.exceptions import DecidedMeanwhile, UsageError
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue
from tmdbkit.schema import SCALES
from tmdbkit.stage.decisions import standing
from tmdbkit.surrogates import loads
from tmdbkit.workflows.decisions_file import export_decisions, read_decisions
from tmdbkit.workflows.pending import undo_batch
from tmdbkit.workflows.sheet import CORRECTED, apply_sheet, export_sheet, read_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit.workflows.pending import PendingDecisions

    Rows = list[dict[str, str]]

pytestmark = pytest.mark.once

FILMS = [
    payload(1, title="=1+1", original_title="'71", tagline="-", vote_average=8.463),
    payload(2, title="9/11", original_title="千と千尋", tagline="Łódź, ō", vote_average=7.0),
    payload(3, title="True", original_title="1917", overview='Two\nlines; "quoted"', revenue=0),
    payload(4, title="Film 4", release_date=""),
]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return staged(tmp_path / "stage", *FILMS)


class Sheet:
    """A sheet that was exported, as rows of texts."""

    def __init__(self, stage: Stage, path: Path) -> None:
        export_sheet(stage, path)
        self.stage, self.path = stage, path
        self.rows: Rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))

    def edit(self, tmdb_id: int, /, **cells: str) -> Sheet:
        row = next(row for row in self.rows if row["tmdb_id"] == str(tmdb_id))
        row.update(cells)
        return self

    def save(self, *, encoding: str = "utf-8", separator: str = ",", eol: str = "\n") -> Path:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), delimiter=separator, lineterminator=eol)
        writer.writeheader()
        writer.writerows(self.rows)
        self.path.write_bytes(text.getvalue().encode(encoding, "replace"))
        return self.path

    def read(self, **how: str) -> PendingDecisions:
        return read_sheet(self.stage, self.save(**how))


@pytest.fixture
def sheet(stage: Stage, tmp_path: Path) -> Sheet:
    return Sheet(stage, tmp_path / "films.csv")


def as_german(rows: Rows) -> Rows:
    """The cells as LibreOffice writes them in a German locale."""
    return [
        {
            name: cell.replace(".", ",") if re.fullmatch(r"-?\d+\.\d+", cell) else cell
            for name, cell in row.items()
        }
        for row in rows
    ]


def values(pending: PendingDecisions) -> dict[tuple[int, str], Any]:
    rows = pending.decisions.select("tmdb_id", "field", "value").rows()
    return {(tmdb_id, field): loads(value) for tmdb_id, field, value in rows}


# There.


def test_a_sheet_has_a_row_a_movie_and_its_export_in_the_last_column(sheet: Sheet) -> None:
    assert [row["tmdb_id"] for row in sheet.rows] == ["1", "2", "3", "4"]
    assert list(sheet.rows[0])[-1] == "export_id"
    assert len({row["export_id"] for row in sheet.rows}) == 1
    assert set(CORRECTED) <= set(sheet.rows[0])
    assert sheet.rows[0]["directors"] == "Lana Wachowski"


def test_no_cell_begins_with_what_a_spreadsheet_runs(sheet: Sheet) -> None:
    assert [row["title"] for row in sheet.rows] == ["'=1+1", "'9/11", "'True", "Film 4"]
    assert (sheet.rows[0]["original_title"], sheet.rows[0]["tagline"]) == ("''71", "'-")
    assert not any(re.match("[=+@-]", cell) for row in sheet.rows for cell in row.values())


def test_excel_sees_that_it_is_utf_8(stage: Stage, tmp_path: Path) -> None:
    export_sheet(stage, tmp_path / "films.csv")
    assert (tmp_path / "films.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_rating_that_a_push_withholds_is_in_it_for_it_wants_correcting(tmp_path: Path) -> None:
    made = staged(tmp_path / "stage", payload(1, vote_average=82.0))
    assert made.table()["tmdb_points"].item() is None
    found = Sheet(made, tmp_path / "films.csv").edit(1, tmdb_points="8.2").read()
    assert values(found) == {(1, "vote_pts_system.tmdb"): 8.2}


@pytest.mark.parametrize("path", ["", ".", 5, None, "nodir/x.csv"])
@pytest.mark.parametrize("used", [export_sheet, apply_sheet, export_decisions, read_decisions])
def test_a_path_that_is_none_is_one_line(used: Callable[..., Any], path: Any, stage: Stage) -> None:
    with pytest.raises(UsageError, match=r"a path is wanted|is a folder|cannot be") as found:
        used(stage, path)
    assert "\n" not in str(found.value)
    assert "Path(" not in str(found.value)


# And back.


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"encoding": "utf-8-sig", "separator": ";", "eol": "\r\n"},
        {"encoding": "cp1252", "separator": ";", "eol": "\r\n"},
        {"encoding": "utf-16", "separator": "\t", "eol": "\r\n"},
    ],
)
def test_a_sheet_that_nobody_edited_corrects_nothing(how: dict[str, str], sheet: Sheet) -> None:
    if how.get("separator", ",") != ",":
        sheet.rows = as_german(sheet.rows)
    found = sheet.read(**how)
    assert (values(found), found.refused, found.conflicts) == ({}, (), ())


def test_a_cell_that_differs_is_a_correction_whatever_its_kind(sheet: Sheet) -> None:
    sheet.edit(1, title="Two", tmdb_points="8.4", tmdb_votes="26001", runtime_minutes="137")
    sheet.edit(2, title="=2", release_date="30.03.1999", original_title="Ōe")
    sheet.edit(3, imdb_points="7,5", tagline="", synopsis="One line")
    assert values(sheet.read()) == {
        (1, "title"): "Two",
        (1, "vote_pts_system.tmdb"): 8.4,
        (1, "vote_count_system.tmdb"): 26001,
        (1, "runtime_minutes"): 137,
        (2, "title"): "=2",
        (2, "release_date"): "1999-03-30",
        (2, "original_title"): "Ōe",
        (3, "vote_pts_system.imdb"): 7.5,
        (3, "tagline"): "",
        (3, "synopsis"): "One line",
    }


def test_a_rating_whose_cell_was_emptied_is_taken_away(sheet: Sheet, stage: Stage) -> None:
    apply_sheet(stage, sheet.edit(1, tmdb_points="", tmdb_votes="").save())
    assert stage.table().filter(tmdb_id=1)["tmdb_points"].item() is None


@pytest.mark.parametrize("cell", ["-1", "1e999", "nan", "eight"])
def test_a_number_that_its_field_cannot_hold_is_refused(cell: str, sheet: Sheet) -> None:
    kinds = sheet.stage.table().schema
    numbers = [name for name in CORRECTED if kinds[name].is_numeric()]
    found = sheet.edit(4, **dict.fromkeys(numbers, cell)).read()
    assert (values(found), len(found.refused)) == ({}, len(numbers))
    assert all(said.startswith("row 5: ") for said in found.refused)


@pytest.mark.parametrize("times", ["-0.1", "1.01", "10"])
def test_no_points_off_their_scale_are_ever_in_a_plan(
    times: str, sheet: Sheet, tmp_path: Path
) -> None:
    cells = {f"{name}_points": f"{most * float(times):g}" for name, most in SCALES.items()}
    found = apply_sheet(sheet.stage, sheet.edit(1, **cells).save())
    said = "\n".join(found.refused)
    assert all(f"row 2: vote_pts_system.{name} goes from 0 to" in said for name in SCALES)
    plan = workflows.plan_push(sheet.stage, ConvexSnapshot(tmp_path), progress=Silent())
    for change in plan.changes:
        points = change.set["vote_pts_system"]
        assert all(
            points[name] is None or 0 <= points[name] <= most for name, most in SCALES.items()
        )


def test_what_a_sheet_does_not_correct_is_said(sheet: Sheet) -> None:
    columns = ("year", "directors", "cast", "slug", "consensus", "findings", "decision")
    found = sheet.edit(3, **dict.fromkeys(columns, "1")).read()
    assert set(found.refused) == {
        f"row 4: {column} is nothing that a sheet corrects" for column in columns
    }


def test_a_field_of_one_s_own_is_said_too(stage: Stage, tmp_path: Path) -> None:
    stage.set_field("seen", pl.DataFrame({"tmdb_id": [1, 2], "seen": [True, False]}))
    sheet = Sheet(stage, tmp_path / "films.csv")
    assert [row["seen"] for row in sheet.rows] == ["yes", "no", "", ""]
    assert sheet.read().refused == ()
    assert "seen is nothing that a sheet corrects" in sheet.edit(1, seen="no").read().refused[0]


def test_rows_and_columns_may_be_missing_moved_and_sorted(sheet: Sheet) -> None:
    sheet.edit(1, title="One").edit(4, title="Four")
    names = sorted(set(sheet.rows[0]) - {"revenue", "cast"}, reverse=True)
    sheet.rows = [
        {name: row[name] for name in names} for row in reversed(sheet.rows[:1] + sheet.rows[2:])
    ]
    assert values(sheet.read()) == {(1, "title"): "One", (4, "title"): "Four"}


def test_a_column_of_one_s_own_is_left_alone_and_named(sheet: Sheet) -> None:
    for row in sheet.rows:
        row["to see"] = "x"
    found = sheet.read()
    assert found.notes == ("columns that were not exported are left alone: to see",)
    assert (values(found), found.refused) == ({}, ())


def test_of_a_movie_in_two_rows_neither_is_applied_and_both_are_said(sheet: Sheet) -> None:
    sheet.rows.append({**sheet.rows[0], "title": "Other"})
    found = sheet.edit(2, title="Two").read()
    said = "movie 1 stands in several rows, of which none is applied"
    assert values(found) == {(2, "title"): "Two"}
    assert found.refused == (f"row 2: {said}", f"row 6: {said}")


@pytest.mark.parametrize("name", ["row", "cell", "was", "value", "index"])
def test_a_column_of_one_s_own_may_have_any_name(name: str, sheet: Sheet) -> None:
    for row in sheet.rows:
        row[name] = "x"
    found = sheet.edit(1, title="One").read()
    assert values(found) == {(1, "title"): "One"}
    assert found.notes == (f"columns that were not exported are left alone: {name}",)


def test_an_edit_beside_letters_that_the_file_lost_is_said(sheet: Sheet) -> None:
    found = sheet.edit(2, tagline="A new Łódź", title="Nine").read(encoding="cp1252", separator=";")
    assert values(found) == {(2, "title"): "Nine"}
    lost = "row 3: tagline: its letters may have been lost; save it as UTF-8"
    assert found.refused == (lost,)


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850", "cp1250", "shift_jis", "latin-1"])
def test_no_encoding_makes_a_correction_of_what_nobody_edited(
    encoding: str, tmp_path: Path
) -> None:
    made = staged(tmp_path / "stage", payload(1, title="Amélie, žena", tagline="Plain"))
    found = Sheet(made, tmp_path / "films.csv").edit(1, tagline="New").read(encoding=encoding)
    assert values(found) == {(1, "tagline"): "New"}


def test_a_byte_that_is_no_utf_8_among_letters_that_are_is_refused_by_its_line(
    sheet: Sheet,
) -> None:
    path = sheet.save()
    path.write_bytes(path.read_bytes().replace(b"Film 4", b"Film \xff4"))
    with pytest.raises(UsageError, match=r"line 6 is not text in UTF-8; save it as UTF-8"):
        read_sheet(sheet.stage, path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_letters_that_somebody_took_out_of_a_text_in_utf_8_are_an_edit(
    encoding: str, sheet: Sheet
) -> None:
    row = sheet.edit(2, tagline="Lodz, o").rows[1]
    sheet.rows = [{name: row[name] for name in ("tmdb_id", "tagline", "export_id")}]
    found = sheet.read(encoding=encoding)
    assert values(found) == {(2, "tagline"): "Lodz, o"}


@pytest.mark.parametrize("cell", ["#REF!", "#NAME?", "#NV", "#N/A", "#VALUE!", "#WERT!", "Err:508"])
def test_an_error_of_the_spreadsheet_is_no_value(cell: str, sheet: Sheet) -> None:
    found = sheet.edit(1, title=cell, tmdb_points=cell, release_date=cell).read()
    assert (values(found), len(found.refused)) == ({}, 3)
    assert all(f"{cell} is an error of the spreadsheet" in said for said in found.refused)


@pytest.mark.parametrize("cell", ["4e8", "4.6E+8", "4.6e08", "5E+08"])
def test_a_number_that_may_be_the_old_one_cut_short_is_refused(cell: str, sheet: Sheet) -> None:
    found = sheet.edit(1, revenue=cell).read()
    was = sheet.stage.table().filter(tmdb_id=1)["revenue"].item()
    is_near = float(cell) // 1e7 == was // 1e7 or f"{float(cell):.0e}" == f"{was:.0e}"
    said = f"row 2: {cell} may be {was} cut short; write revenue with all its digits"
    assert found.refused == ((said,) if is_near else ())
    assert len(values(found)) == (not is_near)


def test_a_day_is_read_in_the_order_that_other_cells_tell(tmp_path: Path) -> None:
    days = {1: "2009-07-08", 2: "1999-03-31"}
    made = staged(tmp_path / "s", *(payload(n, release_date=day) for n, day in days.items()))
    sheet = Sheet(made, tmp_path / "films.csv")
    sheet.edit(1, release_date="8/7/2009").edit(2, release_date="3/31/1999")
    assert values(sheet.read()) == {(1, "release_date"): "2009-08-07"}
    sheet.edit(2, release_date="31/3/1999")
    assert values(sheet.read()) == {}


def test_a_day_that_may_be_two_is_refused_even_where_one_is_as_it_was(tmp_path: Path) -> None:
    made = staged(tmp_path / "stage", payload(1, release_date="2009-07-08"))
    found = Sheet(made, tmp_path / "films.csv").edit(1, release_date="8/7/2009").read()
    said = "row 2: '8/7/2009' may be 2009-07-08 or 2009-08-07; write one of these"
    assert (values(found), found.refused) == ({}, (said,))


def test_whose_correction_a_sheet_overrules_is_shown_and_logged(
    stage: Stage, tmp_path: Path
) -> None:
    ReviewQueue(stage, by="Ben").correct("title", "Ben's", 1)
    done = apply_sheet(stage, Sheet(stage, tmp_path / "films.csv").edit(1, title="Mine").save())
    assert done.changes == ('Ben\'s · title · "Ben\'s" (set by Ben) → "Mine"',)
    theirs, own = stage.decisions().rows(named=True)
    assert own["overrules"] == theirs["decision"]


@pytest.mark.parametrize("lacking", ["tmdb_id", "export_id"])
def test_a_sheet_that_cannot_be_understood_is_one_line(lacking: str, sheet: Sheet) -> None:
    for row in sheet.rows:
        del row[lacking]
    with pytest.raises(UsageError, match=f"has no column {lacking}; tmdbkit export writes it"):
        sheet.read()


@pytest.mark.parametrize("name", ["", "export-00000000", "../stage", "export-zz"])
def test_rows_of_an_export_that_is_not_known_here_are_said(name: str, sheet: Sheet) -> None:
    sheet.edit(1, title="One").edit(2, title="Two", export_id=name)
    found = sheet.read()
    assert values(found) == {(1, "title"): "One"}
    assert found.refused == (f"row 3: no export {name or 'id'} is known to this stage",)


def test_a_row_of_a_movie_that_was_not_exported_is_said(sheet: Sheet) -> None:
    found = sheet.edit(2, tmdb_id="99").read()
    assert (values(found), found.refused) == ({}, ("row 3: movie 99 is not in that export",))


@pytest.mark.parametrize("word", ["x", "2,000", "2.000", "2.5", "-2", "2e0", "٢", ""])
def test_an_id_that_is_no_whole_number_is_said_by_its_row(word: str, sheet: Sheet) -> None:
    found = sheet.edit(2, tmdb_id=word, title="Two").read()
    said = f"row 3: {word or 'nothing'} is no whole number, and tmdb_id is one"
    assert (values(found), found.refused) == ({}, (said,))


@pytest.mark.parametrize("word", ["2", "2.0", "2,0", "2,00"])
def test_an_id_may_have_a_decimal_tail_of_nothing(word: str, sheet: Sheet) -> None:
    assert values(sheet.edit(2, tmdb_id=word, title="Two").read()) == {(2, "title"): "Two"}


def test_a_movie_that_was_dropped_since_is_said(sheet: Sheet) -> None:
    sheet.stage.drop([2])
    found = sheet.edit(1, title="One").edit(2, title="Two").read()
    assert values(found) == {(1, "title"): "One"}
    assert found.refused == ("row 3: no such movie 2",)


# Where the stage moved on.


def test_where_the_stage_moved_too_it_is_a_conflict_and_shown(sheet: Sheet, tmp_path: Path) -> None:
    staged(tmp_path / "stage", payload(4, title="Film 4", tagline="Theirs", runtime=150), at=LATER)
    found = sheet.edit(4, tagline="Mine", title="Four").read()
    assert values(found) == {(4, "title"): "Four"}
    assert found.conflicts == (
        'row 5: Film 4 · tagline: "Welcome to the Real World." when exported, "Theirs" now, '
        '"Mine" in the sheet',
    )


def test_where_the_stage_moved_to_the_same_there_is_nothing_to_do(
    sheet: Sheet, tmp_path: Path
) -> None:
    staged(tmp_path / "stage", payload(4, title="Film 4", tagline="Both"), at=LATER)
    found = sheet.edit(4, tagline="Both").read()
    assert (values(found), found.conflicts, found.known) == ({}, (), 1)


def test_what_nobody_edited_stays_as_it_was_fetched_since(sheet: Sheet, tmp_path: Path) -> None:
    staged(tmp_path / "stage", payload(4, title="Film 4", tagline="Theirs"), at=LATER)
    assert values(sheet.read()) == {}


def test_applying_a_sheet_twice_changes_nothing(sheet: Sheet) -> None:
    path = sheet.edit(1, title="One", tmdb_points="8.1").save()
    assert apply_sheet(sheet.stage, path).counts()["applied"] == 2
    again = apply_sheet(sheet.stage, path)
    assert (again.counts()["applied"], again.known, again.conflicts) == (0, 2, ())


def test_a_sheet_is_undone_in_one_and_nothing_else_is(sheet: Sheet) -> None:
    stage, before = sheet.stage, sheet.stage.table(raw=True)
    ReviewQueue(stage, by="Ann").correct("tagline", "Kept", 2)
    done = apply_sheet(
        stage, sheet.edit(1, title="One", tmdb_points="8.1").edit(3, status="Canceled").save()
    )
    assert stage.decisions()["batch"].to_list() == [None, *[done.batch] * 3]
    assert undo_batch(stage, done.batch) == 3
    assert standing(stage.decisions())["field"].to_list() == ["tagline"]
    assert stage.table(raw=True).drop("tagline").equals(before.drop("tagline"))
    with pytest.raises(UsageError, match=f"nothing of a batch {done.batch} stands here"):
        undo_batch(stage, done.batch)


def test_what_was_exported_outlives_compaction(sheet: Sheet) -> None:
    sheet.stage.compact()
    again = Stage(sheet.stage.store.root.folder)
    assert len(read_sheet(again, sheet.edit(1, title="One").save()).decisions) == 1
    assert again.doctor().problems == ()


def test_what_somebody_set_after_the_sheet_was_read_stands_and_is_said(sheet: Sheet) -> None:
    pending = sheet.edit(1, title="One", tagline="New").edit(3, title="Three").read()
    ben = ReviewQueue(sheet.stage, by="Ben")
    ben.correct("title", "Ben's", 1)
    ben.correct("title", "Three", 3)
    done = pending.write(sheet.stage)
    assert values(done) == {(1, "tagline"): "New"}
    assert done.conflicts == ("Ben set title of 1 here meanwhile; decide in review",)
    assert (done.known, len(done.changes)) == (1, 1)
    assert sheet.stage.table(raw=True).filter(tmdb_id=1)["title"].item() == "Ben's"


def test_a_sheet_is_undone_with_what_of_it_was_overruled(sheet: Sheet) -> None:
    done = apply_sheet(sheet.stage, sheet.edit(1, title="One").edit(3, title="Three").save())
    ben = ReviewQueue(sheet.stage, by="Ben")
    with pytest.raises(DecidedMeanwhile):
        ben.correct("title", "Ben's", 1)
    ben.correct("title", "Ben's", 1)
    assert undo_batch(sheet.stage, done.batch) == 2
    ReviewQueue(sheet.stage, by="Ben").undo(1)
    assert sheet.stage.table(raw=True).filter(tmdb_id=1)["title"].item() == "=1+1"


# The whole of it.


EDITS: list[tuple[str, Callable[[str], str]]] = [
    ("imdb_points", lambda _: "7,4"),
    ("tmdb_points", lambda _: "6"),
    ("tmdb_votes", lambda _: "1.234"),
    ("runtime_minutes", lambda cell: str(int(cell or 90) + 1)),
    ("title", lambda cell: f"{cell} (restored)"),
    ("release_date", lambda _: "31.12.99"),  # as it writes 31.12.1999
    ("mpaa_rating", lambda cell: "G" if cell != "G" else "R"),
    ("tagline", lambda _: "-- a line; with = signs"),
    ("popularity", lambda _: "12,75"),
    ("metacritic_points", lambda _: "54"),
]


def test_ten_cells_edited_in_libreoffice_in_a_german_locale_are_exactly_those_ten(
    tmp_path: Path,
) -> None:
    stage = tmdbkit.sample(tmp_path / "stage")
    sheet = Sheet(stage, tmp_path / "films.csv")
    sheet.rows = as_german(sheet.rows)
    for row in sheet.rows:
        del row["keywords"], row["revenue"]
    sheet.rows.sort(key=lambda row: row["title"], reverse=True)
    for row, (name, change) in zip(sheet.rows[20:], EDITS, strict=False):
        row[name] = change(row[name])
    edited = {
        (int(row["tmdb_id"]), CORRECTED[name])
        for row, (name, _) in zip(sheet.rows[20:], EDITS, strict=False)
    }
    others = [int(row["tmdb_id"]) for row in sheet.rows[40:60]]
    moved = [payload(number, title=f"Moved {number}", vote_average=3.3) for number in others]
    staged(Path(stage.store.root.full), *moved, at=LATER)

    found = sheet.read(encoding="utf-8-sig", separator=";")
    assert (found.conflicts, found.refused) == ((), ())
    assert set(values(found)) == edited
    assert len(edited) == 10
    found.write(stage)
    assert sheet.read(encoding="utf-8-sig", separator=";").counts()["applied"] == 0
