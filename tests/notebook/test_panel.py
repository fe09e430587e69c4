from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.convex.test_withheld import rate
from tests.plots.test_plots import GROUNDS, contrast
from tests.servers.convex import FakeTime
from tests.stage.conftest import T0, answers, payload, reopened
from tmdbkit import Settings, Stage, sample
from tmdbkit import notebook as nb
from tmdbkit.exceptions import UsageError
from tmdbkit.notebook import panel as panels
from tmdbkit.notebook.panel import ReviewPanel
from tmdbkit.quality import Rule
from tmdbkit.review import ReviewQueue
from tmdbkit.review.assessment import assess
from tmdbkit.stage.decisions import overrides, verdicts

from .conftest import WHOLE, words

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def panel(stage: Stage) -> ReviewPanel:
    return nb.review(stage, by="Ann")


def click(panel: ReviewPanel, name: str) -> None:
    panel._buttons[name].click()


def card(panel: ReviewPanel) -> str:
    return words(panel._card.value)


def line(panel: ReviewPanel) -> str:
    return words(panel._said.value)


def reviewed(panel: ReviewPanel) -> str:
    return words(panel._reviewed.value)


def correct(panel: ReviewPanel, field: str, value: str) -> None:
    panel._field.value, panel._new.value = field, value
    click(panel, "correct")


# What is seen.


def test_it_opens_with_the_worst_movie_and_all_that_is_known_of_it(panel: ReviewPanel) -> None:
    assert card(panel).startswith("Gamma (1999)")
    assert "TMDB 8.2 of 10 · 900 votes" in card(panel)
    assert "warn A released film without a runtime" in card(panel)
    assert "warn 0 directors" in card(panel)
    assert reviewed(panel) == "0 of 3 reviewed"


def test_five_ratings_stand_on_one_scale(panel: ReviewPanel) -> None:
    panel.queue.correct("letterboxd", 4)
    panel.queue.correct("metacritic", 80)
    assert panel._card.value.count("width:80.0%") == 2
    assert card(panel).count("no rating") == 2


def test_a_saved_notebook_has_the_card_as_html_and_as_text(panel: ReviewPanel) -> None:
    kept = panel._repr_mimebundle_()
    assert set(kept) >= {"text/html", "text/plain", "application/vnd.jupyter.widget-view+json"}
    seen = words(kept["text/html"])
    told = [part.strip() for part in kept["text/plain"].splitlines()]
    assert told[0] == "0 of 3 reviewed"
    assert [part for part in told if words(part).split(": ")[-1] not in seen] == []


def test_a_title_that_is_markup_is_text_everywhere(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", settings=Settings(), now=lambda: T0)
    stage.store.add(answers((1, payload(1, HOSTILE), T0)))
    panel = nb.review(stage)
    panel._field.value = "title"
    panel._note.value = HOSTILE
    correct(panel, "tagline", HOSTILE)
    panel._note.value = HOSTILE
    click(panel, "hold")
    panel._filters["state"].value = "all"
    drawn = [panel._card.value, panel._old.value, panel._said.value, panel._repr_html_()]
    assert [html for html in drawn if "<img src=x" in html] == []
    assert HOSTILE in words(panel._card.value)


def test_the_buttons_that_decide_are_read_in_either_theme(panel: ReviewPanel) -> None:
    for name in ("approve", "hold", "reject"):
        style = panel._buttons[name].style
        assert contrast(style.text_color, style.button_color) > 4.5
        assert min(contrast(style.button_color, ground) for ground in GROUNDS) > 3


# What a person does.


@pytest.mark.parametrize(
    ("button", "kind"), [("approve", "approve"), ("hold", "hold"), ("reject", "reject")]
)
def test_a_verdict_is_in_the_stage_at_once_with_its_note_and_the_next_movie_is_shown(
    button: str, kind: str, panel: ReviewPanel, stage: Stage
) -> None:
    panel._note.value = "looked at"
    click(panel, button)
    said = verdicts(reopened(stage).decisions())
    assert said.select("tmdb_id", "kind", "note", "by").rows() == [(3, kind, "looked at", "Ann")]
    assert card(panel).startswith("Beta")
    assert panel._note.value == ""
    assert reviewed(panel) == "1 of 3 reviewed"
    assert panel._bar.value == 1


def test_undo_takes_the_latest_back_and_looks_at_its_movie(
    panel: ReviewPanel, stage: Stage
) -> None:
    click(panel, "approve")
    click(panel, "hold")
    click(panel, "undo")
    assert line(panel) == "taken back"
    assert card(panel).startswith("Beta")
    assert verdicts(stage.decisions())["kind"].to_list() == ["approve"]


def test_undo_with_nothing_to_take_back_says_so(panel: ReviewPanel) -> None:
    click(panel, "undo")
    assert line(panel) == "nothing to take back"


def test_back_and_next_look_without_deciding(panel: ReviewPanel, stage: Stage) -> None:
    seen = []
    for button in ("next", "next", "back"):
        click(panel, button)
        seen.append(card(panel).split()[0])
    assert seen == ["Beta", "Alpha", "Beta"]
    assert stage.decisions().is_empty()


def test_at_the_end_it_says_so_and_offers_nothing_to_decide(panel: ReviewPanel) -> None:
    for _ in range(3):
        click(panel, "approve")
    assert "Nothing is left" in card(panel)
    off = {name for name, button in panel._buttons.items() if button.disabled}
    assert off == set(panel._buttons) - {"back", "undo"}
    click(panel, "back")
    assert card(panel).startswith("Alpha")


def test_a_correction_shows_the_old_value_and_then_the_new_one(
    panel: ReviewPanel, stage: Stage
) -> None:
    panel._field.value = "runtime_minutes"
    assert words(panel._old.value) == "is 0, becomes"
    correct(panel, "runtime_minutes", "95")
    assert words(panel._old.value) == "is 95, becomes"
    assert "set by hand: runtime_minutes = 95" in card(panel)
    assert "without a runtime" not in card(panel)
    assert panel._new.value == ""
    assert overrides(stage.decisions()).select("field", "value").rows() == [
        ("runtime_minutes", "95")
    ]


def test_a_correction_is_seen_before_the_rules_have_judged_it(panel: ReviewPanel) -> None:
    seen: list[str] = []
    panel.queue.listeners.append(lambda: seen.append(card(panel)))
    correct(panel, "runtime_minutes", "95")
    assert ["95 min" in shown for shown in seen] == [True, True]
    assert ["without a runtime" in shown for shown in seen] == [True, False]


def test_the_word_none_takes_a_rating_away(panel: ReviewPanel, stage: Stage) -> None:
    correct(panel, "tmdb", "none")
    assert stage.movies()["vote_pts_system"].struct.field("tmdb").to_list() == [8.2, 8.2, None]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("imdb", "11", "goes from 0 to 10; 11 does not fit"),
        ("imdb", "good", "'good' is no number"),
        ("tmdb", "", "write one, or none to take it away"),
        ("tagline", " ", "write one, or none to take it away"),
    ],
)
def test_a_value_that_does_not_fit_is_one_line_and_stays_to_be_mended(
    field: str, value: str, told: str, panel: ReviewPanel, stage: Stage
) -> None:
    correct(panel, field, value)
    assert told in line(panel)
    assert panel._new.value == value
    assert stage.decisions().is_empty()
    panel._new.value = ""
    click(panel, "next")
    assert line(panel) == ""


# A correction is what was typed, where it was meant.


def enter(panel: ReviewPanel, text: str) -> None:
    """Type and press Enter: a browser tells the Enter first, and then what was typed."""
    panel._new._handle_custom_msg({"event": "submit"}, [])
    panel._new.value = text


def off_scale(tmp_path: Path) -> ReviewPanel:
    """The sample's film whose Letterboxd rating is 7.2 of 5, and whose IMDb rating is right."""
    panel = nb.review(sample(tmp_path / "sample"), by="Ann")
    panel.queue.open(900000001)
    return panel


def corrections(panel: ReviewPanel) -> list[tuple[Any, ...]]:
    return overrides(panel.queue.stage.decisions()).select("tmdb_id", "field", "value").rows()


def test_the_correction_row_offers_the_system_of_the_first_finding(tmp_path: Path) -> None:
    panel = off_scale(tmp_path)
    assert panel._field.value == "letterboxd"
    assert "is 7.2, becomes" in words(panel._old.value)
    panel.queue.open(900000004)
    assert panel._field.value == "imdb"
    panel.queue.open(900000002)
    assert panel._field.value == "metacritic"
    panel.queue.open(603)
    assert panel._field.value == "imdb"


def test_enter_corrects_what_is_offered(tmp_path: Path) -> None:
    panel = off_scale(tmp_path)
    enter(panel, "3.6")
    assert corrections(panel) == [(900000001, "vote_pts_system.letterboxd", "3.6")]
    assert panel._new.value == ""


def test_a_field_that_was_left_waits_for_an_enter_of_its_own(stage: Stage) -> None:
    time = FakeTime()
    panel = nb.review(stage, by="Ann", clock=time.clock)
    panel._new.value = "7"
    assert corrections(panel) == []
    panel._new._handle_custom_msg({"event": "submit"}, [])
    assert "7 is typed and not set: press Enter in its field, or Correct" in line(panel)
    time.sleep(2)
    panel._new.value = "8"
    assert corrections(panel) == []
    enter(panel, "9")
    assert [value for _, _, value in corrections(panel)] == ["9.0"]


def test_a_value_that_a_browser_tells_after_the_click_on_correct_is_set(stage: Stage) -> None:
    time = FakeTime()
    panel = nb.review(stage, by="Ann", clock=time.clock)
    click(panel, "correct")
    assert "no value" in line(panel)
    panel._new.value = "9"
    assert [value for _, _, value in corrections(panel)] == ["9.0"]
    assert "no value" not in line(panel)
    click(panel, "correct")
    time.sleep(2)
    panel._new.value = "8"
    assert len(corrections(panel)) == 1


@pytest.mark.parametrize("name", ["approve", "hold", "reject", "back", "next", "undo"])
def test_a_typed_value_is_dropped_by_no_other_button(
    name: str, panel: ReviewPanel, stage: Stage
) -> None:
    seen = card(panel)
    panel._new.value = "3.6"
    click(panel, name)
    assert "3.6 is typed and not set" in line(panel)
    assert (panel._new.value, card(panel)) == ("3.6", seen)
    assert stage.decisions().is_empty()
    click(panel, "correct")
    click(panel, name)
    assert "is typed" not in line(panel)


@pytest.mark.parametrize(
    ("name", "value"), [("state", "all"), ("severity", "warning"), ("text", "beta")]
)
def test_nor_by_showing_other_movies(name: str, value: str, panel: ReviewPanel) -> None:
    seen, before = card(panel), panel._filters[name].value
    panel._new.value = "3.6"
    panel._filters[name].value = value
    assert "3.6 is typed and not set" in line(panel)
    assert (panel._new.value, panel._filters[name].value) == ("3.6", before)
    assert card(panel) == seen


# Proposals.


def proposals(panel: ReviewPanel) -> list[tuple[Any, ...]]:
    current = panel.queue.current
    return [] if current is None else [tuple(one) for one in current.proposals]


def test_what_a_finding_proposes_is_accepted_with_one_click_and_a_note_that_names_the_rule(
    tmp_path: Path,
) -> None:
    panel = off_scale(tmp_path)
    accept = panel._buttons["accept"]
    assert (accept.description, accept.layout.display) == ("Accept Letterboxd points 3.6", "")
    click(panel, "accept")
    assert corrections(panel) == [(900000001, "vote_pts_system.letterboxd", "3.6")]
    assert panel.queue.stage.decisions()["note"].to_list() == ["proposed by outside_scale"]
    assert "set by hand: vote_pts_system.letterboxd = 3.6" in card(panel)
    assert accept.layout.display == "none"


def test_a_proposal_that_was_accepted_or_undone_is_offered_as_it_then_stands(
    tmp_path: Path,
) -> None:
    panel = off_scale(tmp_path)
    click(panel, "accept")
    click(panel, "accept")
    assert "no finding proposes a value for" in line(panel)
    assert len(corrections(panel)) == 1
    click(panel, "undo")
    assert panel._buttons["accept"].layout.display == ""


@pytest.mark.parametrize("tmdb_id", [603, 900000011, 900000012])
def test_where_nothing_or_only_to_ask_again_is_proposed_there_is_no_button(
    tmdb_id: int, tmp_path: Path
) -> None:
    panel = off_scale(tmp_path)
    panel.queue.open(tmdb_id)
    assert proposals(panel) == []
    assert panel._buttons["accept"].layout.display == "none"
    with pytest.raises(UsageError, match="no finding proposes a value for"):
        panel.queue.accept()


def proposing(*proposed: tuple[str, str]) -> list[Rule]:
    """Rules of one's own that propose these values of all movies' fields."""
    return [
        Rule(f"mine_{place}", "warning", "Mine", pl.lit(value=True), "movie", pl.lit("0"),
             proposal=(pl.lit(field), pl.lit(value)))
        for place, (field, value) in enumerate(proposed)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("imdb", "11"),
        ("imdb", "ask"),
        ("imdb_votes", "-3"),
        ("imdb_votes", "1e12"),
        ("letterboxd", "NaN"),
        ("release_date", "2005-13-45"),
        ("nonsense", "7"),
        ("title", " "),
    ],
)
def test_what_does_not_fit_its_field_is_no_proposal(field: str, value: str, stage: Stage) -> None:
    queue = ReviewQueue(stage, rules=proposing((field, value)))
    assert [item.proposals for item in queue] == [[], [], []]


def test_the_first_proposal_of_a_field_counts_and_all_are_accepted_at_once(stage: Stage) -> None:
    rules = proposing(("runtime_minutes", "95"), ("imdb", "7"), ("vote_pts_system.imdb", "8"))
    queue = ReviewQueue(stage, by="Ann", rules=rules)
    assert [str(one) for one in queue.item(2).proposals] == ["runtime minutes 95", "IMDb points 7"]
    queue.accept(2)
    movie = queue.item(2).movie
    assert (movie["runtime_minutes"], movie["imdb_points"]) == (95, 7.0)
    assert queue.item(2).proposals == []


def test_what_is_proposed_for_one_system_is_accepted_alone(tmp_path: Path) -> None:
    queue = ReviewQueue(sample(tmp_path / "sample"), by="Ann")
    with pytest.raises(UsageError, match="no finding of 'imdb' proposes a value"):
        queue.accept(900000001, system="imdb")
    queue.accept(900000001, system="letterboxd")
    assert queue.item(900000001).movie["letterboxd_points"] == 3.6


# Keys.


def type_keys(panel: ReviewPanel, *texts: str) -> None:
    """The texts that a browser sends of the field while it is typed in."""
    for text in texts:
        panel._keys.value = text


@pytest.mark.parametrize(("key", "kind"), [("a", "approve"), ("h", "hold"), ("R", "reject")])
def test_a_key_decides_and_the_next_movie_is_shown(
    key: str, kind: str, panel: ReviewPanel, stage: Stage
) -> None:
    type_keys(panel, key)
    assert verdicts(stage.decisions()).select("tmdb_id", "kind").rows() == [(3, kind)]
    assert card(panel).startswith("Beta")


@pytest.mark.parametrize(
    "texts", [("a", "aa"), ("aa",)], ids=["heard one by one", "heard while the kernel worked"]
)
def test_a_key_typed_twice_acts_on_two_movies(
    texts: tuple[str, ...], panel: ReviewPanel, stage: Stage
) -> None:
    type_keys(panel, *texts)
    assert verdicts(stage.decisions())["tmdb_id"].to_list() == [3, 2]


def test_keys_look_undo_and_accept(tmp_path: Path) -> None:
    panel = off_scale(tmp_path)
    type_keys(panel, "p", "pn", "pnb", "pnbu")
    assert line(panel) == "taken back"
    assert panel.queue.stage.decisions()["kind"].to_list() == ["override", "undo"]


def test_a_key_that_there_is_not_is_one_line_that_says_which_there_are(
    panel: ReviewPanel, stage: Stage
) -> None:
    type_keys(panel, "x")
    assert line(panel).startswith("x is no key; there are a approve · h hold")
    assert stage.decisions().is_empty()


def test_nothing_is_done_by_taking_keys_out_of_the_field(panel: ReviewPanel, stage: Stage) -> None:
    type_keys(panel, "n", "na", "n", "")
    assert stage.decisions()["tmdb_id"].to_list() == [2]
    type_keys(panel, "a")
    assert stage.decisions()["tmdb_id"].to_list() == [2, 1]


def test_a_key_between_others_is_the_one_that_is_new(panel: ReviewPanel) -> None:
    type_keys(panel, "n", "nb", "nnb")
    assert card(panel).startswith("Beta")


def test_the_field_is_emptied_by_all_else_and_the_same_key_is_heard_again(
    panel: ReviewPanel, stage: Stage
) -> None:
    type_keys(panel, "a")
    panel._filters["state"].value = "all"
    assert panel._keys.value == ""
    type_keys(panel, "n")
    click(panel, "next")
    assert panel._keys.value == ""
    type_keys(panel, "n", "nb")
    assert card(panel).startswith("Alpha")


@pytest.mark.parametrize(
    ("texts", "decided"), [(("na",), [2]), (("na", "a"), [2, 1]), (("na", "naa"), [2, 1])]
)
def test_a_key_that_crosses_the_emptying_is_done_once_and_none_before_it_again(
    texts: tuple[str, ...], decided: list[int], panel: ReviewPanel, stage: Stage
) -> None:
    type_keys(panel, "n")
    panel._keys.empty()
    type_keys(panel, *texts)  # the first was typed before the browser knew
    assert stage.decisions()["tmdb_id"].to_list() == decided


def test_what_follows_a_w_is_the_note_and_enter_goes_back_to_the_keys(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = FakeTime()
    panel = nb.review(stage, by="Ann", clock=time.clock)
    sent: list[Any] = []
    monkeypatch.setattr(panel._note, "send", sent.append)
    monkeypatch.setattr(panel._keys, "send", sent.append)
    type_keys(panel, "w", "wba", "wbah")  # before the browser has moved the focus
    assert (panel._note.value, stage.decisions().height) == ("bah", 0)
    panel._note._handle_custom_msg({"event": "submit"}, [])
    assert sent == [{"do": "focus"}, {"do": "focus"}]
    type_keys(panel, "h")
    assert stage.decisions()["note"].to_list() == ["bah"]
    type_keys(panel, "hw")
    time.sleep(2)
    type_keys(panel, "hwa")
    assert stage.decisions()["kind"].to_list() == ["hold", "approve"]


def test_a_key_waits_for_a_value_that_was_typed_and_not_set(
    panel: ReviewPanel, stage: Stage
) -> None:
    panel._new.value = "3.6"
    type_keys(panel, "a")
    assert "3.6 is typed and not set" in line(panel)
    assert stage.decisions().is_empty()


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
def test_where_no_kernel_runs_the_card_says_which_calls_do_the_same(
    kind: str, panel: ReviewPanel
) -> None:
    assert "queue.approve(3), queue.hold(3), queue.reject(3), queue.accept(3)" in words(
        panel._repr_mimebundle_()[kind]
    )
    assert "without buttons" not in card(panel)


# With others.


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def shared(stage: Stage, time: FakeTime) -> tuple[ReviewPanel, ReviewQueue]:
    """Ann's panel, and Ben's queue over the same folder."""
    panel = ReviewPanel(stage, by="Ann", clock=time.clock)
    return panel, ReviewQueue(reopened(stage, offline=True), by="Ben")


def test_what_another_decided_is_said_once_and_overruled_by_doing_it_again(
    shared: tuple[ReviewPanel, ReviewQueue], time: FakeTime, stage: Stage
) -> None:
    panel, ben = shared
    ben.hold(3, note="wrong year")
    click(panel, "approve")
    assert line(panel).startswith("warn Ben held this 0 s ago: wrong year; do it again")
    assert "held by Ben: wrong year" in card(panel)
    assert verdicts(stage.decisions())["kind"].to_list() == ["hold"]
    time.sleep(1)
    click(panel, "approve")
    assert verdicts(stage.decisions())["kind"].to_list() == ["approve"]
    assert card(panel).startswith("Beta")


@pytest.mark.parametrize("keys", [("aa",), ("a", "aa"), ("a", "aa", "aah")])
def test_keys_that_nobody_can_have_typed_after_reading_that_overrule_nobody(
    keys: tuple[str, ...],
    shared: tuple[ReviewPanel, ReviewQueue],
    time: FakeTime,
    stage: Stage,
) -> None:
    panel, ben = shared
    ben.hold(3)
    type_keys(panel, *keys)
    assert verdicts(stage.decisions()).select("tmdb_id", "kind").rows() == [(3, "hold")]
    assert "Ben held this" in line(panel)
    time.sleep(1)
    type_keys(panel, f"{keys[-1]}a")
    assert verdicts(stage.decisions()).select("tmdb_id", "kind").rows() == [(3, "approve")]


def test_a_double_click_overrules_nobody(
    shared: tuple[ReviewPanel, ReviewQueue], stage: Stage
) -> None:
    panel, ben = shared
    ben.hold(3)
    click(panel, "approve")
    click(panel, "approve")
    assert verdicts(stage.decisions())["kind"].to_list() == ["hold"]


@pytest.mark.parametrize("button", ["undecide", "take_back", "accept", "correct"])
def test_nor_does_any_other_button_unseen(
    button: str, shared: tuple[ReviewPanel, ReviewQueue], stage: Stage
) -> None:
    panel, ben = shared
    ben.hold(3)
    panel._new.value = "9.5" if button == "correct" else ""
    click(panel, button)
    assert "Ben held this" in line(panel)
    assert stage.decisions()["by"].to_list() == ["Ben"]


def test_the_next_card_shows_what_another_decided(
    shared: tuple[ReviewPanel, ReviewQueue],
) -> None:
    panel, ben = shared
    ben.reject(2, note="no film")
    click(panel, "next")
    assert "rejected by Ben: no film" in card(panel)
    assert reviewed(panel) == "1 of 3 reviewed"


def test_the_history_of_a_movie_is_folded_away_below_its_card(
    shared: tuple[ReviewPanel, ReviewQueue],
) -> None:
    panel, ben = shared
    assert panel._past.value == ""
    ben.hold(3, note="wrong year")
    ben.undo()
    click(panel, "next")
    click(panel, "back")
    assert panel._past.value.startswith('<div style="line-height:1.5"><details><summary')
    told = words(panel._past.value)
    assert told.startswith("history (2) ")
    assert "Ben held: wrong year (taken back)" in told


def shows(panel: ReviewPanel, name: str) -> bool:
    return bool(panel._buttons[name].layout.display != "none")


def test_a_movie_is_undecided_again_and_what_was_set_stays(
    panel: ReviewPanel, stage: Stage
) -> None:
    assert not shows(panel, "undecide")
    panel.queue.correct("imdb", 7.4)
    assert (shows(panel, "undecide"), shows(panel, "take_back")) == (False, True)
    click(panel, "hold")
    click(panel, "back")
    assert shows(panel, "undecide")
    click(panel, "undecide")
    assert verdicts(stage.decisions()).is_empty()
    assert overrides(stage.decisions())["value"].to_list() == ["7.4"]
    assert not shows(panel, "undecide")


def test_the_latest_on_a_movie_is_taken_back_whoever_decided_it(stage: Stage) -> None:
    ReviewQueue(stage, by="Ben").hold(3)
    panel = nb.review(stage, by="Ann", state="all")
    panel._clock = lambda: 0.0
    click(panel, "undo")
    assert line(panel) == "nothing to take back"
    click(panel, "take_back")
    assert verdicts(stage.decisions()).is_empty()


def test_undo_takes_back_what_was_decided_in_an_earlier_session(
    panel: ReviewPanel, stage: Stage
) -> None:
    click(panel, "hold")
    again = nb.review(reopened(stage, offline=True), by="Ann")
    click(again, "undo")
    assert line(again) == "taken back"
    assert card(again).startswith("Gamma")


def test_what_an_approval_waives_is_said(tmp_path: Path) -> None:
    panel = off_scale(tmp_path)
    panel.queue.open(900000002)
    click(panel, "approve")
    assert "waived 1: Metacritic 5.4 of 100" in line(panel)


# Many at once.


def all_shown(panel: ReviewPanel, kind: str) -> str:
    """Ask what it would be to decide on all that is shown."""
    panel._all._kind.value = kind
    panel._all._ask.click()
    return words(panel._all._facts.value)


def asks(panel: ReviewPanel) -> bool:
    return bool(panel._all._answer.layout.display != "none")


def test_all_that_is_shown_is_asked_about_with_its_facts_and_decided_with_yes(
    panel: ReviewPanel, stage: Stage
) -> None:
    assert not asks(panel)
    panel._filters["rule"].value = "runtime_missing"
    told = all_shown(panel, "hold")
    assert "hold 2 movies: undecided movies, that break runtime_missing" in told
    assert "first: Gamma (3)" in told
    assert stage.decisions().is_empty()
    assert panel._all._yes.description == "Hold 2"
    panel._note.value = "no runtime"
    panel._all._yes.click()
    said = verdicts(stage.decisions()).sort("tmdb_id").select("tmdb_id", "kind", "note")
    assert said.rows() == [(2, "hold", "no runtime"), (3, "hold", "no runtime")]
    assert line(panel) == "hold: 2 movies"
    assert not asks(panel)
    click(panel, "undo")
    assert verdicts(stage.decisions()).is_empty()


def test_no_decides_nothing_and_asks_no_more(panel: ReviewPanel, stage: Stage) -> None:
    all_shown(panel, "approve")
    panel._all._no.click()
    assert not asks(panel)
    panel._all._yes.click()
    assert stage.decisions().is_empty()


@pytest.mark.parametrize("deed", ["filter", "next", "key"])
def test_a_question_ends_with_whatever_else_is_done(deed: str, panel: ReviewPanel) -> None:
    all_shown(panel, "approve")
    assert asks(panel)
    if deed == "filter":
        panel._filters["severity"].value = "warning"
    elif deed == "next":
        click(panel, "next")
    else:
        type_keys(panel, "n")
    assert not asks(panel)


def test_what_changed_while_it_was_asked_is_asked_about_again(
    shared: tuple[ReviewPanel, ReviewQueue], stage: Stage
) -> None:
    panel, ben = shared
    all_shown(panel, "approve")
    ben.hold(2)
    panel._all._kind.value = "reject"  # what was asked about counts
    panel._all._yes.click()
    assert "what is shown has changed meanwhile" in line(panel)
    assert "approve 2 movies" in words(panel._all._facts.value)
    assert verdicts(stage.decisions())["tmdb_id"].to_list() == [2]
    panel._all._yes.click()
    assert sorted(verdicts(stage.decisions()).select("tmdb_id", "kind").rows()) == [
        (1, "approve"),
        (2, "hold"),
        (3, "approve"),
    ]


def test_where_nothing_is_shown_there_is_nothing_to_say_yes_to(panel: ReviewPanel) -> None:
    panel._filters["severity"].value = "error"
    assert "approve 0 movies" in all_shown(panel, "approve")
    assert panel._all._yes.disabled


def test_a_waiver_wants_a_rule_and_a_system_and_a_whole_column(panel: ReviewPanel) -> None:
    all_shown(panel, "waive")
    assert "choose a rule and a system above" in line(panel)
    panel.queue.show(rule="stale", system="imdb")
    all_shown(panel, "waive")
    assert "stale keeps back no whole column of IMDb" in line(panel)
    assert not asks(panel)


def test_the_error_of_a_whole_column_is_waived_by_a_question_of_its_own(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "same", settings=Settings(offline=True), now=lambda: T0)
    films = (payload(n, f"Film {n}", **{**WHOLE, "vote_average": 5 + n / 4}) for n in range(1, 13))
    stage.store.add(answers(*((n + 1, text, T0) for n, text in enumerate(films))))
    rate(stage, *((n, "imdb", 7.0) for n in range(1, 13)))
    panel = nb.review(stage, by="Ann", rule="same_everywhere", system="imdb")
    assert "waive 12 ratings: same_everywhere of the whole column IMDb" in all_shown(panel, "waive")
    panel._all._yes.click()
    assert line(panel).startswith("waive: 12 ratings; waived 12")
    assert stage.decisions().select("kind", "field").rows() == [("waive", "same_everywhere:imdb")]


# What is there after a while.


def test_what_changed_since_a_verdict_comes_back_old_to_new(stage: Stage) -> None:
    click(nb.review(stage), "hold")
    stage.store.add(answers((3, payload(3, "Gamma Again", **WHOLE), T0.replace(year=2027))))
    panel = nb.review(stage, state="changed")
    assert card(panel).startswith("Gamma Again")
    assert "held by" in card(panel)
    assert "changed since: title: Gamma → Gamma Again" in card(panel)


# Filters.


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("rule", "runtime_missing", ["Beta", "Gamma"]),
        ("rule", "director_missing", ["Gamma"]),
        ("severity", "error", []),
        ("severity", "warning", ["Gamma", "Beta"]),
        ("system", "imdb", []),
        ("decade", 2000, ["Beta"]),
        ("state", "decided", []),
        ("text", "alph", ["Alpha"]),
    ],
)
def test_a_filter_narrows_what_is_shown(
    name: str, value: Any, shown: list[str], panel: ReviewPanel
) -> None:
    panel._filters[name].value = value
    assert [item.movie["title"] for item in panel.queue] == shown
    told = "shown" if name == "state" else "to go"
    assert words(panel._place.value) == f"· {len(shown)} {told}"


def test_what_is_to_go_is_what_the_filter_shows_and_nobody_has_decided(panel: ReviewPanel) -> None:
    click(panel, "approve")
    assert words(panel._place.value) == "· 2 to go"
    panel._filters["rule"].value = "runtime_missing"
    assert words(panel._place.value) == "· 1 to go"
    panel._filters["rule"].value = panels.ANY
    panel._filters["state"].value = "all"
    assert words(panel._place.value) == "· 3 shown"


def test_a_filter_is_taken_off_again(panel: ReviewPanel) -> None:
    panel._filters["decade"].value = 2000
    panel._filters["decade"].value = panels.ANY
    assert len(panel.queue) == 3


def test_it_opens_with_the_filters_that_are_given_and_shows_them(stage: Stage) -> None:
    panel = nb.review(stage, rule="director_missing", state="all")
    assert panel._filters["rule"].value == "director_missing"
    assert panel._filters["state"].value == "all"
    assert len(panel.queue) == 1


def test_a_filter_that_there_is_not_is_an_error_of_the_cell(stage: Stage) -> None:
    with pytest.raises(UsageError, match="no rule 'nonsense'"):
        nb.review(stage, rule="nonsense")


# Cells.


def test_what_a_cell_does_with_the_queue_is_seen_in_the_panel(panel: ReviewPanel) -> None:
    panel.queue.show(text="beta").approve(note="from a cell")
    panel.queue.show(state="decided", text="")
    assert card(panel).startswith("Beta")
    assert "approved by Ann: from a cell" in card(panel)
    assert panel._filters["state"].value == "decided"


def test_a_button_decides_on_the_movie_in_view_whatever_a_cell_did(
    panel: ReviewPanel, stage: Stage
) -> None:
    panel.queue.listeners.clear()  # as if the cell's change had not reached the browser yet
    panel.queue.go(2)
    click(panel, "approve")
    assert verdicts(stage.decisions())["tmdb_id"].to_list() == [3]


def test_another_panel_finds_what_was_decided(panel: ReviewPanel, stage: Stage) -> None:
    click(panel, "approve")
    correct(panel, "imdb", "7.4")
    again = nb.review(reopened(stage, offline=True))
    assert reviewed(again) == "1 of 3 reviewed"
    assert "set by hand: vote_pts_system.imdb = 7.4" in card(again)


# Large stages, of which three movies stand for many.


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> Stage:
    shutil.rmtree(stage.store.root.folder / "assessed")
    monkeypatch.setattr(panels, "AT_ONCE", 2)
    monkeypatch.setattr(panels, "FEW", 1)
    return stage


def test_a_large_stage_opens_with_a_few_and_goes_on_with_all(large: Stage) -> None:
    panel = nb.review(large)
    assert card(panel).startswith("Alpha")
    assert len(panel.queue) == 3  # which waits for all
    assert card(panel).startswith("Alpha")  # and stays in view
    assert line(panel) == ""
    click(panel, "back")
    assert card(panel).startswith("Beta")


def test_a_correction_that_comes_first_is_not_lost(large: Stage) -> None:
    panel = nb.review(large)
    correct(panel, "imdb", "7.4")
    assert panel.queue.item(1).movie["imdb_points"] == 7.4


def test_a_large_stage_that_was_looked_through_opens_with_the_worst(large: Stage) -> None:
    assess(large)
    assert card(nb.review(large)).startswith("Gamma")


def test_a_correction_of_before_is_there_when_it_opens(large: Stage) -> None:
    first = nb.review(large)
    first.queue.correct("runtime_minutes", 95, 3)
    again = nb.review(large)
    assert again.queue.item(3).movie["runtime_minutes"] == 95
    assert "runtime_missing" not in again.queue.item(3).findings["rule"].to_list()


def test_the_log_of_many_clicks_is_compacted(
    monkeypatch: pytest.MonkeyPatch, panel: ReviewPanel, stage: Stage
) -> None:
    monkeypatch.setattr("tmdbkit.stage.log.PILE", 8)
    for _ in range(10):
        click(panel, "approve")
        click(panel, "undo")
    assert len(stage.store.decisions.parts()) < 8
    assert stage.decisions().filter(pl.col("kind") == "undo").height == 10
