"""`tmdbkit export` and `tmdbkit apply`: shown first, asked, and undone in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import Terminal, counts_in
from tests.convex.bench import payload, staged
from tmdbkit import Stage
from tmdbkit.cli.main import main
from tmdbkit.review import ReviewQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once


@pytest.fixture
def stage() -> Stage:
    return staged(Path("data/stage"), payload(1, title="One"), payload(2, title="Two"))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(words)
    said = capsys.readouterr()
    return status, said.out, said.err


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    status, out, _ = run(capsys, *words, "--json")
    return status, counts_in(out, status)


def edited(old: str, new: str) -> None:
    """A sheet that was exported, with one cell edited."""
    Path("films.csv").unlink(missing_ok=True)
    main(["export", "films.csv"])
    text = Path("films.csv").read_text("utf-8-sig")
    assert text.count(old) == 1
    Path("films.csv").write_text(text.replace(old, new), "utf-8")


def test_a_sheet_goes_out_comes_back_and_is_undone(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(capsys, "export", "films.csv") == (0, {"file": "films.csv", "movies": 2})
    edited("1,One,", "1,Eins,")
    capsys.readouterr()
    status, out, _ = run(capsys, "apply", "films.csv", "--yes")
    assert (status, 'change: One · title · "One" → "Eins"' in out.splitlines()) == (0, True)
    assert stage.table()["title"].to_list() == ["Eins", "Two"]
    batch = str(stage.decisions()["batch"].item())
    assert f"tmdbkit apply --undo {batch} takes all of it back" in out
    assert asked(capsys, "apply", "--undo", batch) == (0, {"undone": 1})
    assert stage.table()["title"].to_list() == ["One", "Two"]
    assert run(capsys, "apply", "--undo", batch)[0] == 2


def test_where_nobody_can_be_asked_it_is_shown_and_not_applied(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    edited("1,One,", "1,Eins,")
    capsys.readouterr()
    status, out, err = run(capsys, "apply", "films.csv")
    assert (status, stage.decisions().height) == (2, 0)
    assert 'One · title · "One" → "Eins"' in out
    assert "nobody can be asked" in err
    assert asked(capsys, "apply", "films.csv", "--yes")[1]["applied"] == 1


@pytest.fixture
def terminal(stage: Stage) -> Iterator[Terminal]:
    edited("1,One,", "1,Eins,")
    opened = Terminal("apply", "films.csv")
    yield opened
    opened.close()


@pytest.mark.parametrize(("keys", "titles"), [(b"y\n", "Eins"), (b"n\n", "One"), (b"\n", "One")])
def test_a_person_is_asked_after_they_have_seen_it(
    keys: bytes, titles: str, terminal: Terminal, stage: Stage
) -> None:
    assert '"One" → "Eins"' in terminal.shows("go on? [y/N] ")
    terminal.types(keys)
    assert terminal.running.wait(timeout=30) == (0 if titles == "Eins" else 2)
    assert stage.table()["title"].to_list()[0] == titles


def test_what_does_not_fit_is_status_1_and_the_rest_is_applied(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    edited("1,One,", "1,Eins,")
    text = Path("films.csv").read_text("utf-8")
    Path("films.csv").write_text(text.replace(",8.2,", ",98,"), "utf-8")
    capsys.readouterr()
    status, counts = asked(capsys, "apply", "films.csv", "--yes")
    assert (status, counts["applied"], counts["refused"]) == (1, 1, 2)


def test_decisions_go_out_and_into_another_stage_without_a_question(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    ReviewQueue(stage, by="Ann").hold(2)
    counts = {"file": "said.jsonl", "decisions": 1}
    assert asked(capsys, "export", "--decisions", "said.jsonl") == (0, counts)
    staged(Path("other"), payload(2))
    assert asked(capsys, "apply", "said.jsonl", "--stage", "other", "--yes")[1]["applied"] == 1
    assert asked(capsys, "apply", "said.jsonl", "--stage", "other", "--yes") == (
        0,
        {"applied": 0, "known": 1, "conflicts": 0, "refused": 0, "batch": ""},
    )
    assert Stage("other").status()["held"] == 1


def test_a_line_that_does_not_fit_is_said_with_status_1(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [{"tmdb_id": 99, "kind": "hold"}, {"tmdb_id": 1, "kind": "hold"}]
    Path("said.jsonl").write_text("\n".join(map(json.dumps, lines)))
    status, out, _ = run(capsys, "apply", "said.jsonl", "--yes")
    assert (status, "refused: line 1: no such movie 99" in out.splitlines()) == (1, True)
    assert out.splitlines()[-1] == "1 decision logged"
    assert stage.decisions().height == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["export"], "name one file: FILE.csv for the movies, or --decisions FILE"),
        (["export", "a.csv", "--decisions", "b.jsonl"], "name one file"),
        (["export", "a.xlsx"], "a sheet is CSV; name the file .csv"),
        (["export", "--decisions", "a.csv"], "decisions are JSON Lines; name the file .jsonl"),
        (["export", "no/such/a.csv"], "cannot be written"),
        (["export", "a.csv", "--stage", "nowhere"], "the stage is empty"),
        (["apply"], "name the file, or a batch to take back"),
        (["apply", "a.csv", "--undo", "x"], "name the file, or a batch to take back"),
        (["apply", "a.xlsx"], "a.xlsx is a workbook; save the sheet as CSV, and apply that"),
        (["apply", "a.csv"], "a.csv cannot be read"),
        (["apply", "a.jsonl"], "a.jsonl cannot be read"),
        (["apply", "--undo", "x"], "nothing of a batch x stands here"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_status_2(
    words: list[str], says: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.parametrize("words", [["films.csv"], ["--decisions", "said.jsonl"]])
def test_a_file_that_is_there_is_not_overwritten_for_edits_may_be_in_it(
    words: list[str], stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(words[-1])
    path.write_text("mine", "utf-8")
    status, out, err = run(capsys, "export", *words)
    said = f"{path} is there; name another file, or delete it"
    assert (status, out, said in err, path.read_text("utf-8")) == (2, "", True, "mine")
