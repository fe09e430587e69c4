"""Deciding: taken back on any day, looked up, many at once, and together with others."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.notebook.conftest import WHOLE, opened
from tests.stage.conftest import T0, answers, payload
from tmdbkit.display import plain
from tmdbkit.exceptions import DecidedMeanwhile, UsageError
from tmdbkit.review import Filter, ReviewQueue
from tmdbkit.review.told import lines
from tmdbkit.stage.decisions import live, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit import Stage
    from tmdbkit.review.batch import Batch

pytestmark = pytest.mark.once


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = T0

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(stage: Stage, clock: Clock) -> Callable[[str], ReviewQueue]:
    """Open the stage as somebody, from a process of their own."""
    folder = stage.store.root.folder
    assert folder is not None
    return lambda by: ReviewQueue(opened(folder), by=by, now=clock)


def said(stage: Stage) -> dict[int, str]:
    """The verdicts that stand."""
    return dict(verdicts(stage.decisions()).select("tmdb_id", "kind").rows())


def twice(verb: Callable[..., object], *args: object, **more: object) -> str:
    """Decide once, which tells something, and once more, which does it; return what was told."""
    with pytest.raises(DecidedMeanwhile) as told:
        verb(*args, **more)
    verb(*args, **more)
    return str(told.value)


# Taken back.


def test_one_s_latest_decision_is_taken_back_in_a_new_session(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ann").hold(1)
    people("Ann").approve(2)
    ann = people("Ann")
    assert ann.undo()
    assert ann.current is not None
    assert (ann.current.tmdb_id, said(stage)) == (2, {1: "hold"})
    assert people("Ann").undo()
    assert said(stage) == {}
    assert not people("Ann").undo()


def test_what_another_decided_later_is_not_one_s_own(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ann").hold(1)
    people("Ben").approve(2)
    assert people("Ann").undo()
    assert said(stage) == {2: "approve"}


def test_what_this_session_decided_is_taken_back_before_all_of_earlier_ones(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    ann, her_other_tab = people("Ann"), people("Ann")
    ann.hold(1)
    her_other_tab.hold(2)
    assert ann.undo()
    assert said(stage) == {2: "hold"}


def test_a_film_s_decision_is_taken_back_by_whoever_reviews_it(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ann").hold(1)
    people("Cem").hold(2)
    assert people("Ben").undo(1)
    assert said(stage) == {2: "hold"}
    assert not people("Ben").undo(1)


def test_of_a_film_the_latest_decision_that_stands_is_taken_back_then_the_one_before(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ann").correct("runtime_minutes", 95, 2)
    people("Ann").hold(2)
    ben = people("Ben")
    assert ben.undo(2)
    assert (said(stage), ben.item(2).value("runtime_minutes")) == ({}, 95)
    assert ben.undo(2)
    assert ben.item(2).value("runtime_minutes") == 0


def test_a_film_is_undecided_again_and_its_corrections_stay(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    ann = people("Ann")
    ann.correct("runtime_minutes", 95, 2)
    ann.hold(2)
    ann.approve(2)
    ann.undecide(2, note="not yet")
    assert (said(stage), ann.progress) == ({}, (0, 3))
    assert ann.item(2).value("runtime_minutes") == 95
    assert 2 in people("Ben").ids
    assert stage.decisions().row(-1, named=True)["note"] == "not yet"
    ann.undo()
    assert said(stage) == {2: "approve"}


def test_a_film_that_nobody_decided_on_cannot_be_undecided(
    people: Callable[[str], ReviewQueue],
) -> None:
    with pytest.raises(UsageError, match="nobody has decided on this"):
        people("Ann").undecide(1)


def test_a_history_says_who_when_what_why_and_what_was_taken_back(
    people: Callable[[str], ReviewQueue], clock: Clock
) -> None:
    ann = people("Ann")
    ann.correct("runtime_minutes", 95, 2, note="the cover")
    ann.hold(2)
    ann.undo()
    clock.passes(hours=1)
    people("Ben").approve(2, note="fine")
    history = ann.history(2)
    assert history.select("at", "by", "kind", "note", "taken_back").rows() == [
        (T0, "Ann", "override", "the cover", False),
        (T0, "Ann", "hold", "", True),
        (T0, "Ann", "undo", "", False),
        (T0 + timedelta(hours=1), "Ben", "approve", "fine", False),
    ]
    assert lines(history) == [
        "2026-01-01 00:00 Ann set runtime_minutes: 0 → 95: the cover",
        "2026-01-01 00:00 Ann held (taken back)",
        "2026-01-01 00:00 Ann took back",
        "2026-01-01 01:00 Ben approved: fine",
    ]
    ann.open(1)
    assert ann.history().is_empty()


# Together.


@pytest.mark.parametrize(
    ("verb", "word"), [("approve", "approved"), ("hold", "held"), ("reject", "rejected")]
)
def test_what_another_decided_since_it_was_drawn_is_told_and_nothing_is_logged(
    stage: Stage, people: Callable[[str], ReviewQueue], clock: Clock, verb: str, word: str
) -> None:
    ann, ben = people("Ann"), people("Ben")
    ann.open(1)
    assert ann.current is not None
    getattr(ben, verb)(1, note="seen")
    clock.passes(seconds=3)
    with pytest.raises(DecidedMeanwhile, match=f"^Ben {word} this 3 s ago: seen; do it again"):
        ann.hold()
    assert stage.decisions()["by"].to_list() == ["Ben"]
    assert ann.current is not None
    assert ann.current.tmdb_id == 1
    ann.hold()
    last = stage.decisions().row(-1, named=True)
    assert (last["by"], last["overrules"]) == ("Ann", stage.decisions()["decision"][0])


def test_overruling_what_was_decided_before_is_asked_once_a_decision(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ben").hold(1)
    ann = people("Ann")
    ann.show(state="all").open(1)
    assert "Ben held this" in twice(ann.approve, 1)
    ann.hold(1)  # her own stands by now
    assert said(stage) == {1: "hold"}
    assert "Ann held this" in twice(people("Ben").approve, 1)


def test_one_s_own_decisions_of_an_earlier_day_are_overruled_unasked(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ann").hold(1)
    people("Ann").approve(1)
    assert stage.decisions()["overrules"].to_list() == [None, None]


def test_a_person_in_two_tabs_is_told_of_the_other_one(
    people: Callable[[str], ReviewQueue],
) -> None:
    one, other = people("Ann"), people("Ann")
    other.hold(1)
    assert "Ann held this 0 s ago" in twice(one.approve, 1)


def test_a_card_that_is_drawn_after_another_s_decision_shows_it(
    people: Callable[[str], ReviewQueue],
) -> None:
    ann, ben = people("Ann"), people("Ben")
    ben.correct("runtime_minutes", 95, 2)
    ben.hold(2, note="wrong year")
    item = ann.item(2)
    assert item.value("runtime_minutes") == 95
    assert "runtime_missing" not in item.findings["rule"].to_list()
    assert {"held by Ben: wrong year", "set by hand: runtime_minutes = 95"} <= {*item.history()}
    assert ann.progress == (1, 3)


def test_whoever_draws_is_called_when_others_decide(people: Callable[[str], ReviewQueue]) -> None:
    ann, ben = people("Ann"), people("Ben")
    drawn: list[int] = []
    ann.listeners.append(lambda: drawn.append(ann.progress[0]))
    ben.hold(3)
    assert ann.current is not None
    assert drawn == [1]


def test_a_correction_that_came_in_since_it_was_drawn_is_told_before_a_verdict(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    ann, ben = people("Ann"), people("Ben")
    ann.open(2)
    assert ann.current is not None
    ben.correct("runtime_minutes", 95, 2)
    assert twice(ann.approve).startswith("Ben set runtime_minutes to 95 0 s ago")
    assert people("Cem").item(2).changed == []  # what was approved is what stands
    assert said(stage) == {2: "approve"}


def test_a_correction_overrules_another_s_of_the_same_field_only_when_asked(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ben").correct("runtime_minutes", 95, 2)
    ann = people("Ann")
    ann.correct("imdb", 7.4, 2)  # of another field
    assert "Ben set runtime_minutes to 95" in twice(ann.correct, "runtime_minutes", 96, 2)
    assert [name is not None for name in stage.decisions()["overrules"]] == [False, False, True]


def test_what_another_took_back_since_it_was_drawn_is_told(
    people: Callable[[str], ReviewQueue],
) -> None:
    people("Ann").hold(1)
    ann, ben = people("Ann"), people("Ben")
    ben.undo(1)
    assert twice(ann.approve, 1).startswith("Ben took back a decision on this")


def test_a_film_s_decision_that_was_not_seen_is_not_taken_back(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    ann, ben = people("Ann"), people("Ben")
    ben.hold(1)
    with pytest.raises(DecidedMeanwhile):
        ann.undo(1)
    assert said(stage) == {1: "hold"}
    assert ann.undo(1)


def test_of_two_who_decide_in_the_same_moment_the_first_stands_and_the_second_is_told(
    stage: Stage, people: Callable[[str], ReviewQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = people("Ann"), people("Ben")
    add = ann.stage.store.add_decisions

    def with_ben_before(rows: Any) -> str:
        monkeypatch.setattr(ann.stage.store, "add_decisions", add)
        ben.hold(1)
        return add(rows)

    monkeypatch.setattr(ann.stage.store, "add_decisions", with_ben_before)
    with pytest.raises(DecidedMeanwhile, match="Ben held this"):
        ann.approve(1)
    assert said(stage) == {1: "hold"}
    assert stage.decisions()["kind"].to_list() == ["hold", "approve", "undo"]
    ann.approve(1)
    assert said(stage) == {1: "approve"}


@pytest.mark.parametrize("verb", ["approve", "undo", "accept", "undecide"])
def test_what_comes_in_while_the_news_are_drawn_is_not_overruled_unseen(
    verb: str, stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    ann, ben = people("Ann"), people("Ben")
    ben.hold(2)

    def draw() -> None:
        ann.listeners.clear()
        ben.hold(1)
        assert ann.item(1).tmdb_id == 1

    ann.listeners.append(draw)
    with suppress(UsageError):
        getattr(ann, verb)(1)
    assert said(stage) == {1: "hold", 2: "hold"}


def test_of_two_who_decide_in_the_same_moment_no_later_one_overrules_what_it_has_not_seen(
    stage: Stage, people: Callable[[str], ReviewQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.review.decided.sleep", lambda _: None)
    ann, ben = people("Ann"), people("Ben")
    look = ben.stage.store.decisions.parts
    monkeypatch.setattr(ben.stage.store.decisions, "parts", list)  # it comes too late to him
    add = ann.stage.store.add_decisions

    def with_ben_after(rows: Any) -> str:
        monkeypatch.setattr(ann.stage.store, "add_decisions", add)
        part = add(rows)
        ben.hold(1)
        return part

    monkeypatch.setattr(ann.stage.store, "add_decisions", with_ben_after)
    with pytest.raises(DecidedMeanwhile, match="Ben held this"):
        ann.approve(1)
    monkeypatch.setattr(ben.stage.store.decisions, "parts", look)
    assert said(stage) == {1: "hold"}
    ann.approve(1)
    assert stage.decisions()["overrules"].drop_nulls().len() == 1


@pytest.fixture
def crossing(
    people: Callable[[str], ReviewQueue], monkeypatch: pytest.MonkeyPatch
) -> tuple[ReviewQueue, ReviewQueue]:
    """Ann, and Ben who decides when Ann's decision has its place in the log, and cannot be seen."""
    ann, ben = people("Ann"), people("Ben")
    log = ann.stage.store.decisions
    new_part = log.new_part

    def with_ben_after() -> str:
        name = new_part()
        monkeypatch.setattr(log, "new_part", new_part)
        ben.hold(1)
        return name

    monkeypatch.setattr(log, "new_part", with_ben_after)
    return ann, ben


def test_who_has_the_earlier_place_and_was_seen_is_not_bothered(
    crossing: tuple[ReviewQueue, ReviewQueue], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = crossing
    monkeypatch.setattr("tmdbkit.review.decided.sleep", lambda _: ben.undo())
    ann.approve(1)
    assert said(stage) == {1: "approve"}
    ann.hold(1)
    assert said(stage) == {1: "hold"}


@pytest.mark.parametrize("pile", [200, 3])
def test_two_who_decide_by_turns_lose_nothing_and_overrule_nothing_unseen(
    people: Callable[[str], ReviewQueue], stage: Stage, monkeypatch: pytest.MonkeyPatch, pile: int
) -> None:
    monkeypatch.setattr("tmdbkit.stage.log.PILE", pile)  # the log is merged under their hands
    ann, ben = people("Ann"), people("Ben")
    for turn in range(4):
        for one in (ann, ben):
            for tmdb_id in (1, 2, 3):
                if (one, turn) == (ann, 0):
                    one.approve(tmdb_id)
                else:
                    twice(one.hold if one is ben else one.approve, tmdb_id)
    log = stage.decisions()
    assert log.height == 4 * 2 * 3
    names = log.filter(tmdb_id=2)
    assert names["overrules"].to_list() == [None, *names["decision"][:-1]]
    assert said(stage) == dict.fromkeys((1, 2, 3), "hold")


# Many at once.


def test_many_are_decided_at_once_and_taken_back_at_once(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ann").hold(1)
    ann = people("Ann")
    done = ann.decide_all("approve", note="all fine", rule="runtime_missing")
    assert (done.count, sorted(done.ids)) == (2, [2, 3])
    log = stage.decisions()
    assert log.select("kind", "note", "by").rows()[1:] == [("approve", "all fine", "Ann")] * 2
    assert log["batch"].drop_nulls().n_unique() == 1
    assert people("Ann").undo()
    assert said(stage) == {1: "hold"}
    assert stage.decisions().filter(kind="undo")["batch"].n_unique() == 1


@pytest.mark.parametrize(
    ("shown", "ids"),
    [
        ({}, {2, 3}),
        ({"rule": "director_missing"}, {3}),
        ({"decade": 2000}, {2}),
        ({"text": "gAm"}, {3}),
        ({"state": "decided"}, {1}),
        ({"state": "all"}, {1, 2, 3}),
        ({"severity": "error"}, set()),
        ({"system": "imdb"}, set()),
        ({"text": "nowhere"}, set()),
    ],
)
def test_only_what_the_filter_shows_is_decided(
    people: Callable[[str], ReviewQueue], shown: dict[str, Any], ids: set[int]
) -> None:
    people("Ann").hold(1)
    ann = people("Ann").show(text="beta")  # what is looked at is another matter
    assert set(ann.batch("reject", **shown).ids) == ids
    assert set(ann.decide_all("reject", **shown).ids) == ids


def test_whoever_is_asked_sees_the_filter_the_count_and_the_first_and_says_no(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    asked: list[Batch] = []

    def refuses(batch: Batch) -> bool:
        asked.append(batch)
        return False

    done = people("Ann").decide_all("approve", confirm=refuses, rule="runtime_missing")
    assert not done
    assert stage.decisions().is_empty()
    (batch,) = asked
    assert batch.lines()[:3] == [
        "approve 2 movies: undecided movies, that break runtime_missing",
        "first: Beta (2)",
        "first: Gamma (3)",
    ]
    assert batch == people("Ann").batch("approve", rule="runtime_missing")


def test_what_is_farthest_off_is_one_sentence(people: Callable[[str], ReviewQueue]) -> None:
    lines = people("Ann").batch("approve").lines()
    farthest = [line for line in lines if line.startswith("farthest off: ")]
    assert [line.count(": ") for line in farthest] == [1] * len(farthest) != []
    assert not [line for line in farthest if ", ," in line]


def test_what_others_decide_while_it_is_asked_about_is_left_out(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    ann, ben = people("Ann"), people("Ben")

    def meanwhile(_: Batch) -> bool:
        ben.hold(2)
        return True

    done = ann.decide_all("approve", confirm=meanwhile)
    assert (sorted(done.ids), done.left_out) == ([1, 3], (2,))
    assert "left out 1 movie: decided on meanwhile" in done.lines()
    assert said(stage) == {1: "approve", 2: "hold", 3: "approve"}


def test_overruling_many_is_asked_with_how_many(
    stage: Stage, people: Callable[[str], ReviewQueue]
) -> None:
    people("Ben").hold(1)
    batch = people("Ann").batch("approve", state="all")
    assert "overrules 1 decision of others" in batch.lines()
    people("Ann").decide_all("approve", state="all")
    assert stage.decisions()["overrules"].drop_nulls().len() == 1


@pytest.mark.parametrize(
    ("kind", "shown", "says"),
    [
        ("approved", {}, "no decision 'approved'; there are approve, hold, reject"),
        ("undo", {}, "no decision 'undo'"),
        ("approve", {"rules": "x"}, "no filter 'rules'; .*did you mean rule"),
        ("approve", {"rule": "poster"}, "no rule 'poster'; there are"),
        ("approve", {"severity": "bad"}, "no severity 'bad'; there are error, warning"),
        ("approve", {"system": "IMDb"}, "no system 'IMDb'; there are imdb"),
        ("approve", {"state": None}, "no state None; there are"),
        ("approve", {"decade": "1990"}, "no decade '1990'; give a year of it, such as 1990"),
        ("approve", {"decade": "x"}, "no decade 'x'"),
        ("approve", {"decade": True}, "no decade True"),
        ("approve", {"decade": 1990.0}, "no decade 1990.0"),
        ("approve", {"decade": 10**30}, "no decade 1000"),
        ("approve", {"decade": -10}, "no decade -10"),
        ("approve", {"text": 5}, "text is what titles have, such as 'matrix', not 5"),
        ("approve", {"text": None}, "text is what titles have, such as 'matrix', not None"),
        ("approve", {"rule": ["far_off"]}, r"no rule \['far_off'\]"),
    ],
)
def test_what_cannot_be_decided_at_once_is_one_line(
    people: Callable[[str], ReviewQueue], kind: str, shown: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        people("Ann").decide_all(kind, **shown)


def test_a_thousand_verdicts_are_one_file_and_take_less_than_two_seconds(tmp_path: Path) -> None:
    stage = opened(tmp_path / "s")
    stage.store.add(answers(*((n, payload(n, **WHOLE), T0) for n in range(1, 1001))))
    queue = ReviewQueue(stage, by="Ann")
    began = time.perf_counter()
    assert queue.decide_all("approve").count == 1000
    assert time.perf_counter() - began < 2
    assert len(stage.store.decisions.parts()) == 1
    assert queue.undo()
    assert (queue.progress, len(stage.store.decisions.parts())) == ((0, 1000), 2)


# What is shown.


def test_a_position_counts_among_those_with_findings(stage: Stage) -> None:
    queue = ReviewQueue(stage, by="Ann")
    told = []
    while queue.current is not None:
        told.append(queue.position)
        queue.go()
    assert told == ["1 of 2 with findings", "2 of 2 with findings", "3 of 3"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("2", [2]),
        ("ALPHA", [1]),
        ("a", [1, 2, 3]),
        ("4", []),
        ("x", []),
        ("9" * 19, []),
        ("9" * 5000, []),
    ],
)
def test_a_film_is_found_by_its_id_or_title(stage: Stage, text: str, ids: list[int]) -> None:
    assert ReviewQueue(stage).find(text) == ids


def test_a_year_means_its_decade(stage: Stage) -> None:
    queue = ReviewQueue(stage)
    assert queue.show(decade=1995).shown.decade == 1990
    assert queue.batch("hold", decade=1999).words == "undecided movies, of the 1990s"
    assert queue.show(decade=None).shown.decade is None


@pytest.mark.parametrize(
    "forged", ["\n2026-01-01 00:00 Eve held", "\r", "\u2028x", "\x1b[2K", "\v"]
)
def test_a_history_has_a_line_for_each_decision_whatever_is_in_a_note(
    people: Callable[[str], ReviewQueue], forged: str
) -> None:
    queue = people(f"Ann{forged}")
    queue.hold(1, note=f"a{forged}")
    queue.correct("title", f"One{forged} more", 1)
    told = lines(queue.history(1))
    assert len(told) == 2
    assert all(line == plain(line) for line in told)
    assert len("\n".join(told).splitlines()) == 2
    assert "\x1b" not in twice(people("Ben").reject, 1)


def test_a_filter_has_the_words_for_all_of_its_parts(stage: Stage) -> None:
    filters = {name: value for name, value in vars(Filter()).items() if name != "state"}
    assert set(filters) == {"rule", "severity", "system", "decade", "text"}
    batch = ReviewQueue(stage).batch(
        "hold", rule="far_off", severity="error", system="imdb", decade=1990, text="war"
    )
    assert batch.words == (
        "undecided movies, that break far_off, with an error, with a finding on IMDb, "
        "of the 1990s, with 'war' in the title"
    )


DECIDES = """
import sys
from pathlib import Path
from tests.notebook.conftest import opened
from tmdbkit.exceptions import DecidedMeanwhile
from tmdbkit.review import ReviewQueue

folder, by, verb = sys.argv[1:]
queue = ReviewQueue(opened(Path(folder)), by=by)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(2):
    for tmdb_id in range(1, 21):
        while True:
            try:
                getattr(queue, verb)(tmdb_id)
                break
            except DecidedMeanwhile:
                pass
"""


def test_of_twenty_films_decided_at_once_by_two_none_is_lost_or_overruled_unseen(
    tmp_path: Path,
) -> None:
    stage = opened(tmp_path / "s")
    stage.store.add(answers(*((n, payload(n, **WHOLE), T0) for n in range(1, 21))))
    ReviewQueue(stage)  # has looked through it
    both = [
        subprocess.Popen(
            [sys.executable, "-c", DECIDES, str(stage.store.root.folder), by, verb],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for by, verb in (("Ann", "approve"), ("Ben", "hold"))
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in both:
        one.communicate(timeout=120)
    assert [one.returncode for one in both] == [0, 0]
    left = live(stage.decisions())
    for tmdb_id in range(1, 21):
        made = left.filter(tmdb_id=tmdb_id).select("by", "decision", "overrules").rows()
        assert {by for by, *_ in made} == {"Ann", "Ben"}
        for (by, name, _), (later, _, overrules) in pairwise(made):
            assert by == later or overrules == name
