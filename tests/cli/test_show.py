"""Looking at a stage in a terminal: a card, a table, colours; what the shell completes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit import Stage, sample
from tmdbkit.cli.completion import FILES, VALUES
from tmdbkit.cli.grammar import ORDER
from tmdbkit.cli.main import main, parser
from tmdbkit.cli.table import _width, aligned
from tmdbkit.review import ReviewQueue

from .terminal import COMMAND

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

RED, GREEN, YELLOW, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("show") / "stage"
    queue = ReviewQueue(sample(place), by="Ann")
    queue.hold(13)
    return place


@pytest.fixture(scope="module")
def raw(folder: Path) -> pl.DataFrame:
    return Stage(folder).table(raw=True)


def shown(
    capsys: pytest.CaptureFixture[str], folder: Path, *words: str, status: int = 0
) -> list[str]:
    assert main(["show", *words, "--stage", str(folder)]) == status
    told = capsys.readouterr()
    return (told.err if status else told.out).splitlines()


def table(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> list[dict[str, Any]]:
    """The rows of a table, without the object that comes last."""
    return [json.loads(row) for row in shown(capsys, folder, *words, "--rows")][:-1]


# One movie.


@pytest.mark.parametrize("named", ["603", "tt0133093", "The Matrix", "the matrix"])
def test_a_movie_is_shown_by_whatever_names_it(
    folder: Path, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, folder, named)[:2] == [
        "The Matrix (1999)",
        "  directed by: Lana Wachowski, Lilly Wachowski",
    ]


def test_a_movie_as_json_is_all_that_is_known_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads("".join(shown(capsys, folder, "603", "--json")))
    assert (told["movies"], told["shown"]) == (1, 1)
    assert told["movie"]["title"] == "The Matrix"
    assert told["movie"].keys() >= {"imdb_points", "directors", "genres"}


# Many.


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--missing", "imdb"], pl.col("imdb_points").is_null()),
        (["--missing", "tagline,imdb"], pl.col("imdb_points").is_null() & pl.col("tagline").eq("")),
        (["--missing", "directors"], pl.col("directors").list.len().eq(0)),
        (["--finding", "scale_mix_up"], pl.col("findings").list.contains("scale_mix_up")),
        (["--decision", "hold"], pl.col("tmdb_id").eq(13)),
        (["--decision", "none", "--year", "1999"], pl.col("year").eq(1999)),
        (["--year", "1990-1999"], pl.col("year").is_between(1990, 1999)),
        (["--text", "kubrick"], pl.col("directors").list.contains("Stanley Kubrick")),
        (["603", "Fight Club"], pl.col("tmdb_id").is_in([603, 550])),
        ([], pl.lit(value=True)),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_movies_are_shown_that_are_like_what_is_said(
    folder: Path,
    raw: pl.DataFrame,
    words: list[str],
    expected: pl.Expr,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = raw.filter(expected)["tmdb_id"].to_list()
    assert [row["tmdb_id"] for row in table(capsys, folder, *words)] == wanted
    assert wanted


def test_what_could_not_be_staged_is_shown_with_its_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert table(capsys, folder, "--failed") == []
    assert table(capsys, folder, "--not-on-tmdb") == []


def test_fields_and_their_order_can_be_chosen(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(
        capsys, folder, *shlex.split("--fields title,year --sort year --descending --limit 3")
    )
    assert all(list(row) == ["title", "year"] for row in rows)
    years = [row["year"] for row in rows]
    assert len(years) == 3
    assert years == sorted(years, reverse=True)


def test_rows_are_json_lines_and_the_counts_come_last(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *rows, last = map(json.loads, shown(capsys, folder, "--limit", "2", "--rows"))
    assert (len(rows), last) == (2, {"movies": 96, "shown": 2, "exit": 0, "error": None})


def test_rows_have_the_signs_that_a_terminal_is_not_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "stage"
    ReviewQueue(sample(place), by="Ann").correct("title", "a\u202eb", 603)
    (row,) = table(capsys, place, "603", "--fields", "title")
    assert row == {"title": "a\u202eb"}
    assert shown(capsys, place, "603", "--fields", "title") == ["title", "a b"]


def test_in_a_pipe_there_are_tabs_and_nothing_is_cut(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heading, *rows = shown(capsys, folder, "--fields", "tmdb_id,title,synopsis")
    assert heading.split("\t") == ["tmdb_id", "title", "synopsis"]
    assert len(rows) == 96
    assert not any("…" in row for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "'nonsense' is not staged in"),
        (["--missing", "imbd"], "no field 'imbd'; there are .*did you mean imdb"),
        (["--fields", "nonsense"], "no field 'nonsense'; there are tmdb_id, title"),
        (["--finding", "scale_mixup"], "no rule 'scale_mixup'; .*did you mean scale_mix_up?"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    folder: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = shown(capsys, folder, *words, status=2)
    assert re.search(said, line)


@pytest.mark.parametrize(
    ("years", "said"),
    [
        ("1995-1990", "1995-1990 ends before it begins; write 1990-1995"),
        ("2001-2000", "2001-2000 ends before it begins; write 2000-2001"),
        ("95-99", "'95-99' is no year; write 1999 or 1990-1999"),
        ("1990-", "'1990-' is no year"),
    ],
)
def test_years_that_no_film_can_be_of_are_one_line(
    folder: Path, years: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        shown(capsys, folder, "--year", years)
    assert (left.value.code, said in capsys.readouterr().err) == (2, True)


def test_an_empty_stage_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([], ["603"]):
        (line,) = shown(capsys, tmp_path / "typo", *words, status=2)
        assert f"is empty; looked in {tmp_path / 'typo'}" in line


# On a terminal.


def on_terminal(words: Sequence[str], columns: int = 80, **environment: str) -> str:
    """What a command shows on a terminal that is so wide."""
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    usual = {n: v for n, v in os.environ.items() if n not in ("NO_COLOR", "COLUMNS", "LINES")}
    running = subprocess.Popen(
        [*COMMAND, *words],
        stdin=screen,
        stdout=screen,
        stderr=screen,
        env={**usual, "TERM": "xterm", **environment},
    )
    os.close(screen)
    seen = b""
    while True:
        try:
            some = os.read(keyboard, 4096)
        except OSError:  # the command has ended, and its terminal with it
            break
        if not some:
            break
        seen += some
    running.wait()
    os.close(keyboard)
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_table_is_as_wide_as_the_terminal_at_most(folder: Path, columns: int) -> None:
    told = on_terminal(["show", "--stage", str(folder)], columns).splitlines()
    assert len(told) == 32  # the names, 30 movies, and how many there are
    assert max(map(len, told[:-1])) <= columns
    assert told[-1] == "30 of 96 movies; --limit 96 shows all"


@pytest.mark.parametrize("columns", [60, 62, 80, 81, 100])
def test_a_line_with_a_title_of_two_columns_a_sign_is_folded_between_words(
    folder: Path, columns: int
) -> None:
    told = on_terminal(["check", "--stage", str(folder)], columns, NO_COLOR="1")
    assert max(map(_width, told.splitlines())) <= columns
    assert "\0" not in told
    assert "架空の猫は夜を測る (900000001): Letterboxd 7.2 of 5" in " ".join(told.split())


def test_signs_of_two_columns_are_counted_as_two(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "14")
    rows = pl.DataFrame({"title": ["千と千尋の神隠し", "Amélie"], "year": [2001, 2001]})
    assert aligned(rows) == [
        ["title   ", "year"],
        ["千と千… ", "2001"],
        ["Amélie  ", "2001"],
    ]


def test_counts_and_errors_have_colours_on_a_terminal(folder: Path) -> None:
    told = on_terminal(["status", "--stage", str(folder)])
    assert f"{GREEN}staged: 96{PLAIN}" in told
    assert f"{YELLOW}held: 1{PLAIN}" in told
    assert "\nfailed: 0\n" in told  # nothing to worry about
    assert on_terminal(["show", "nonsense", "--stage", str(folder)]).startswith(f"{RED}tmdbkit: ")
    assert on_terminal(["nonsense"]).startswith(f"{RED}tmdbkit: ")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_turned_off(folder: Path, environment: dict[str, str]) -> None:
    assert "\x1b" not in on_terminal(["status", "--stage", str(folder)], **environment)


def test_there_are_no_colours_in_a_pipe(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "status", "--stage", str(folder)], capture_output=True, text=True, check=True
    )
    assert "staged: 96" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_what_a_check_says_is_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--stage", str(folder)])
    told = capsys.readouterr().out
    assert "O… (900000011): Letterboxd 32 of 5, The points are not on the system's scale\n" in told
    assert "…\n" not in told


# What there is.


def verbs() -> dict[str, argparse.ArgumentParser]:
    return next(a.choices for a in parser()._actions if isinstance(a.choices, dict))


def test_a_bare_command_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "in the order of the work:" in capsys.readouterr().out


def test_commands_are_said_in_the_order_of_the_work_and_those_for_upkeep_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = verbs()
    main([])
    told = capsys.readouterr().out
    places = [told.index(f"\n  {n} ") for names in ORDER.values() for n in names if n in there]
    assert places == sorted(places)
    assert len(places) == len(there)
    assert told.index("maintenance:") < told.index("\n  compact ")


@pytest.mark.parametrize("columns", ["72", "80", "100", "120"])
def test_no_help_breaks_an_option_in_two(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for verb in verbs().values():
        assert re.findall(r"^.*\w-$", verb.format_help(), re.MULTILINE) == []


def test_every_option_says_what_it_does() -> None:
    silent = [
        f"{name} {action.option_strings}"
        for name, verb in verbs().items()
        for action in verb._actions
        if action.option_strings and not action.help
    ]
    assert silent == []


# Completion, as a shell asks for it.


def completed(line: str, cache: Path, shell: str = "bash") -> list[str]:
    """What comes next on a line, by the call that the shell's own function makes."""
    asked = f"exec 8>&1 9>/dev/null >/dev/null 2>/dev/null </dev/null; exec {shlex.join(COMMAND)}"
    done = subprocess.run(
        ["bash", "-c", asked],
        env={
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": shell,
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line.encode())),
            "TMDBKIT_CACHE": str(cache),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [said.partition(":")[0].strip() for said in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("tmdbkit sh", ["show"]),
        ("tmdbkit show --de", ["--decision", "--descending"]),
        ("tmdbkit show --decision a", ["approve"]),
        ("tmdbkit check --skip scale_m", ["scale_mix_up"]),
        ("tmdbkit check --skip adult,scale_m", ["adult,scale_mix_up"]),
        ("tmdbkit review --system let", ["letterboxd"]),
        ("tmdbkit review --state ch", ["changed"]),
        ("tmdbkit push --only ratings,tag", ["ratings,tagline"]),
        ("tmdbkit show --sort runt", ["runtime_minutes"]),
        ("tmdbkit stage --list pop", ["popular"]),
        ("tmdbkit ratings --provider o", ["omdb"]),
        ("tmdbkit show --nonsense", []),
    ],
)
def test_the_shell_completes(line: str, found: list[str], shell: str, tmp_path: Path) -> None:
    assert completed(line, tmp_path, shell) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("tmdbkit show --year ", []),
        ("tmdbkit show --text f", []),
        ("tmdbkit stage f", []),
        ("tmdbkit delete --max ", []),
        ("tmdbkit undo f", []),
        ("tmdbkit refresh --older-than ", []),
        ("tmdbkit apply f", ["films.csv"]),
        ("tmdbkit push --plan=f", ["--plan=films.csv"]),
        ("tmdbkit plan --snapshot reh", ["rehearsal/"]),
        ("tmdbkit status --stage reh", ["rehearsal/"]),
        ("tmdbkit functions reh", ["rehearsal/"]),
    ],
)
def test_files_are_completed_where_a_file_or_a_folder_is_meant_and_nowhere_else(
    line: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "films.csv").touch()
    (tmp_path / "rehearsal").mkdir()
    monkeypatch.chdir(tmp_path)
    assert completed(line, tmp_path / "cache", "zsh") == found


def test_names_are_kept_for_the_next_time(tmp_path: Path) -> None:
    first = completed("tmdbkit push --only tag", tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(kept.read_text() + "\ntagged")
    assert completed("tmdbkit push --only tag", tmp_path) == [*first, "tagged"]


def test_a_folder_that_cannot_be_written_to_keeps_nobody_from_completing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert completed("tmdbkit push --only tagl", tmp_path / "file") == ["tagline"]


def test_whatever_is_completed_is_an_option_s_value() -> None:
    said = {action.metavar for verb in verbs().values() for action in verb._actions}
    assert said >= {*VALUES, *FILES}


def test_the_line_that_the_page_names_lets_bash_complete(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    line = 'eval "$(register-python-argcomplete tmdbkit)"'
    assert f"\n{line}\n" in page
    asked = f"""{line}
        COMP_LINE="tmdbkit show --de" COMP_POINT=17 _python_argcomplete tmdbkit
        echo "${{COMPREPLY[@]}}"; complete -p tmdbkit"""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", asked],
        env={**os.environ, "PATH": path, "TMDBKIT_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0].split() == ["--decision", "--descending"]
    assert "_python_argcomplete tmdbkit" in done.stdout


def test_zsh_gets_what_each_command_does_beside_it(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"exec 8>&1 >/dev/null 2>/dev/null; exec {shlex.join(COMMAND)}"],
        env={
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": "zsh",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "COMP_LINE": "tmdbkit ",
            "COMP_POINT": "8",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "status:say what the stage holds and what was pushed" in done.stdout.splitlines()


# Ids of standard input.


def test_ids_come_from_standard_input(folder: Path) -> None:
    for text in ("603 550", "tmdb_id,title\n603,The Matrix\n550,Fight Club\n"):
        done = subprocess.run(
            [*COMMAND, "stage", "--from-file", "-", "--json", "--stage", str(folder)],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TMDBKIT_OFFLINE": "1"},
        )
        assert json.loads(done.stdout)["skipped"] == 2


def test_what_is_no_id_on_standard_input_is_said_to_be_there(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "stage", "--from-file", "-", "--stage", str(folder)],
        input="603 nonsense",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "'nonsense' in line 1 of " in done.stderr
    assert "standard input is not a TMDB id" in done.stderr
