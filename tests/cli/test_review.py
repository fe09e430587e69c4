"""Review in a terminal: filters, keys, many at once, a waiver, a sample."""

from __future__ import annotations

import io
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import Terminal, counts_in
from tests.convex.bench import payload, staged
from tests.convex.test_withheld import rate
from tmdbkit import sample
from tmdbkit.cli.main import main
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.decisions import overrides, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit import Stage

    Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.once

IDS = range(601, 613)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Three films; the second has no poster, the third no runtime and IMDb's points out of 100."""
    monkeypatch.setenv("TMDBKIT_REVIEWER", "Ann")
    found = staged(
        Path("data/stage"),
        payload(603),
        payload(604, title="Reloaded", imdb_id="tt0234215", poster_path=None),
        payload(605, title="Revolutions", imdb_id="tt0242653", runtime=0),
    )
    rate(found, (605, "imdb", 74.0))
    return found


@pytest.fixture
def same(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Twelve films to all of which a provider gives the same points of IMDb."""
    monkeypatch.setenv("TMDBKIT_REVIEWER", "Ann")
    films = (
        payload(n, title=f"Film {n}", imdb_id=f"tt{n:07}", vote_average=5 + n % 100 / 4)
        for n in IDS
    )
    found = staged(Path("data/stage"), *films)
    rate(found, *((n, "imdb", 7.0) for n in IDS))
    return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a review, with what is typed: its status, and what it said on both outputs."""

    def run_one(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        try:
            status = main(["review", *words])
        except SystemExit as left:
            status = int(left.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run_one


def said(stage: Stage) -> dict[int, str]:
    return dict(verdicts(stage.decisions()).select("tmdb_id", "kind").rows())


# One movie at a time.


def test_p_accepts_what_a_finding_proposes_and_says_where_none_does(
    tmp_path: Path, run: Run
) -> None:
    stage = sample(tmp_path / "sample")
    _, out, _ = run("--stage", str(stage.store.root.folder), typed="p\np\nq\n")
    assert overrides(stage.decisions()).select("field", "value").rows() == [
        ("vote_pts_system.metacritic", "54.0")
    ]
    assert "no finding proposes a value for !!! (2003)" in out


@pytest.mark.parametrize("key", ["u", "t", "p", "y", "n", "b"])
def test_a_key_that_takes_nothing_more_does_nothing_where_more_is_typed(
    stage: Stage, run: Run, key: str
) -> None:
    _, out, _ = run(typed=f"h\nj 603\n{key} 604\nq\n")
    assert f"{key} takes nothing more" in out
    assert len(stage.decisions()) == 1


def test_each_film_says_where_it_stands_among_those_with_findings(stage: Stage, run: Run) -> None:
    out = run(typed="n\nn\nn\n")[1]
    places = [line for line in out.splitlines() if " of " in line and line[0].isdigit()]
    assert places[:3] == ["1 of 2 with findings", "2 of 2 with findings", "3 of 3"]


@pytest.mark.parametrize(
    ("typed", "value", "note"),
    [
        ("c imdb 7.4", "7.4", ""),
        ("c imdb 7.4 # as on the site", "7.4", "as on the site"),
        ("c imdb none # they took it away", "null", "they took it away"),
        ("c title Matrix #3 # a working title", '"Matrix #3"', "a working title"),
        ("c title Matrix # 3 # so it is called", '"Matrix # 3"', "so it is called"),
        ("c title Matrix #3", '"Matrix #3"', ""),
        ("c imdb 7.4 #", "7.4 #", None),
    ],
)
def test_a_correction_has_a_note_after_a_sign(
    stage: Stage, run: Run, typed: str, value: str, note: str | None
) -> None:
    out = run(typed=f"j 605\n{typed}\nq\n")[1]
    if note is None:
        assert f"'{value}' is no number" in out
    else:
        assert overrides(stage.decisions())["value"].to_list() == [value]
        assert stage.decisions()["note"].to_list() == [note]


@pytest.mark.parametrize(
    ("text", "held"),
    [("603", 603), ("reLOADed", 604), ("the matrix", 603), ("re", 604)],
)
def test_a_person_jumps_to_a_film_by_its_id_or_title(
    stage: Stage, run: Run, text: str, held: int
) -> None:
    run(typed=f"j {text}\nh\nq\n")
    assert said(stage) == {held: "hold"}


@pytest.mark.parametrize("text", ["", " nowhere", " 999"])
def test_a_jump_to_nowhere_is_one_line(stage: Stage, run: Run, text: str) -> None:
    assert "j takes an id, or a part of a title" in run(typed=f"j{text}\n")[1]


def test_a_decision_of_an_earlier_day_is_taken_back(stage: Stage, run: Run) -> None:
    run(typed="j 603\nh\nq\n")
    assert "taken back" in run(typed="u\nu\nq\n")[1]
    assert said(stage) == {}


def test_a_film_is_undecided_again_and_another_s_decision_taken_back(
    stage: Stage, run: Run
) -> None:
    ReviewQueue(stage, by="Ben").hold(603)
    ReviewQueue(stage, by="Ben").hold(604)
    out = run("--state", "all", typed="j 603\nt\nj 604\nd\nd\nq\n")[1]
    assert said(stage) == {}
    assert "taken back" in out
    assert "Ben held this" in out  # asked once


def test_what_a_verdict_waives_is_said(stage: Stage, run: Run) -> None:
    rate(stage, (603, "metacritic", 8.1), (603, "letterboxd", 4.2), (603, "imdb", 8.7))
    assert "waived 1: Metacritic 8.1 of 100, by Ann" in run(typed="j 603\na\n")[1]
    assert "kept back 1: IMDb 74 of 10: nothing waives outside_scale" in run(typed="j 605\na\n")[1]


def test_a_history_is_said(stage: Stage, run: Run) -> None:
    ReviewQueue(stage, by="Ben").hold(603, note="wrong year")
    out = run(typed="j 604\ny\nj 603\ny\nq\n")[1]
    assert "nobody has decided on this" in out
    assert " Ben held: wrong year\n" in out


def test_what_others_decided_is_said_before_it_is_overruled(stage: Stage) -> None:
    with closing(Terminal("review")) as terminal:
        terminal.shows("> ")
        terminal.types(b"j 603\n")
        assert "The Matrix" in terminal.shows("> ")
        ReviewQueue(stage, by="Ben").hold(603)
        terminal.types(b"a\n")
        assert "Ben held this" in terminal.shows("overrule that")
        assert said(stage) == {603: "hold"}
        terminal.types(b"a\n")
        terminal.shows(" of ")
        assert said(stage) == {603: "approve"}


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("--severity error", 1),
        ("--severity warning", 2),
        ("--text re", 2),
        ("--text MATRIX --severity warning", 0),
        ("--rule poster_missing --text reloaded", 1),
    ],
)
def test_only_what_is_asked_for_is_shown(stage: Stage, run: Run, words: str, left: int) -> None:
    status, out, _ = run(*words.split(), "--json")
    assert (status, json.loads(out)["left"]) == (0, left)


# Many at once.


def test_all_that_is_shown_is_decided_at_once(stage: Stage, run: Run) -> None:
    words = "--all approve --rule poster_missing --yes --note fine"
    status, out, err = run(*words.split())
    assert (status, said(stage)) == (0, {604: "approve"})
    assert stage.decisions()["note"].to_list() == ["fine"]
    assert "approve 1 movie: undecided movies, that break poster_missing" in err
    assert "first: Reloaded (604)" in err
    assert out.startswith("approve: 1; u in tmdbkit review --state all takes it back")


def test_where_nobody_can_be_asked_nothing_is_decided_and_the_status_is_2(
    stage: Stage, run: Run
) -> None:
    status, out, err = run("--all", "approve", "--rule", "poster_missing")
    assert (status, out) == (2, "")
    assert "nobody can be asked" in err
    assert stage.decisions().is_empty()


@pytest.mark.parametrize(("answer", "decided"), [(b"y\n", {604: "hold"}), (b"n\n", {})])
def test_a_person_is_asked_with_the_count_first(
    stage: Stage, answer: bytes, decided: dict[int, str]
) -> None:
    with closing(Terminal("review", "--all", "hold", "--rule", "poster_missing")) as terminal:
        asked = terminal.shows("go on? [y/N] ")
        assert "hold 1 movie: undecided movies, that break poster_missing" in asked
        terminal.types(answer)
        assert terminal.running.wait(timeout=20) == (0 if decided else 2)
    assert said(stage) == decided


def test_nothing_that_is_like_that_is_nothing_to_decide(stage: Stage, run: Run) -> None:
    status, out, _ = run("--all", "approve", "--text", "nowhere", "--yes", "--json")
    counts = {"kind": "approve", "done": 0, "left_out": 0, "decided": 0, "movies": 3}
    assert (status, counts_in(out, status)) == (0, {**counts, "left": 3})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--all approved --yes", "'approved' is none of approve, hold, reject"),
        ("--all approve --rule poster --yes", "no rule 'poster'; there are"),
        ("--all approve --system IMDb --yes", "no system 'IMDb'; there are"),
        ("--all approve --waive column_scale --yes", "three ways to review; choose one"),
        ("--waive same_everywhere --yes", "--waive RULE takes --system SYSTEM"),
        ("--waive same_everywhere --system imdb --text x --yes", "and no more"),
        ("--waive same_everywhere --system imdb --yes", "keeps back no whole column of IMDb"),
        ("--note fine", "--note and --yes are of --all and --waive"),
        ("--yes", "--note and --yes are of --all and --waive"),
        ("--sample 0", "'0' is not a number above 0"),
        ("--sample 3 --rule poster_missing", "leave the filters out"),
        ("--severity bad", "'bad' is none of error, warning"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    stage: Stage, run: Run, words: str, says: str
) -> None:
    status, out, err = run(*words.split())
    assert (status, out) == (2, "")
    assert says in err.splitlines()[-1]
    assert stage.decisions().is_empty()


def test_a_column_is_waived_with_the_count_of_what_it_lets_go(same: Stage, run: Run) -> None:
    status, out, err = run("--waive", "same_everywhere", "--system", "imdb", "--yes")
    assert status == 0
    assert "waive 12 ratings: same_everywhere of the whole column IMDb" in err
    assert "waived 12 of a whole column: same_everywhere of IMDb, by Ann" in out
    assert same.table()["imdb_points"].null_count() == 0


# A sample.


def test_a_sample_says_at_its_end_how_much_is_wrong_at_most(stage: Stage, run: Run) -> None:
    out = run("--sample", "200", typed="a\n")[1]
    assert out.splitlines()[-1] == "0 of 1 wrong: at most 95 % wrong, with 95 % confidence"


def test_of_a_sample_of_nothing_there_is_one_line(stage: Stage, run: Run) -> None:
    run(typed="j 603\na\nq\n")
    status, _, err = run("--sample", "200")
    assert (status, err.count("\n")) == (2, 1)
    assert "no sample of 200; 0 movies without a finding are undecided" in err
