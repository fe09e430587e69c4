from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stage.conftest import T0, answers, payload
from tmdbkit import ConvexSnapshot, Stage, verify
from tmdbkit import notebook as nb
from tmdbkit.convex.target import TargetName
from tmdbkit.exceptions import HostUnreachable
from tmdbkit.review import ReviewQueue

from .conftest import words

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit.notebook.confirm import PushPanel

pytestmark = pytest.mark.once


class Production(ConvexSnapshot):
    """A target that says of itself that it is production."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        url = "https://happy-otter-123.convex.cloud"
        self.title = TargetName("happy-otter-123", "prod", url)


class Away(ConvexSnapshot):
    """A target that cannot be reached."""

    def preflight(self, *, writing: bool) -> None:
        raise HostUnreachable("127.0.0.1 does not answer")


@pytest.fixture
def target(tmp_path: Path) -> ConvexSnapshot:
    return ConvexSnapshot(tmp_path / "snapshot")


@pytest.fixture
def panel(stage: Stage, target: ConvexSnapshot) -> PushPanel:
    return nb.push(stage, target)


@pytest.fixture
def films(stage: Stage, target: ConvexSnapshot) -> PushPanel:
    """A plan of movies whose titles have parts in common, and numbers in them."""
    titles = {603: "The Matrix", 604: "The Matrix Reloaded", 530915: "1917", 568: "Apollo 13"}
    stage.store.add(
        answers(*((number, payload(number, title), T0) for number, title in titles.items()))
    )
    return nb.push(stage, target)


def sent(panel: PushPanel) -> PushPanel:
    panel._send.click()
    panel.work.wait(30)
    return panel


def test_it_shows_the_plan_before_anything_is_sent(
    panel: PushPanel, target: ConvexSnapshot
) -> None:
    assert "create 3" in words(panel._drawn.value)
    assert panel._send.description == "Send 3 changes"
    assert target.movies().is_empty()


def test_the_button_sends_exactly_the_plan_and_shows_the_result(
    panel: PushPanel, stage: Stage, target: ConvexSnapshot
) -> None:
    sent(panel)
    assert panel.result is not None
    assert panel.result.counts()["created"] == 3
    assert "created 3" in words(panel._drawn.value)
    assert stage.imports()["plan"].unique().to_list() == [panel.plan.id if panel.plan else ""]
    assert verify(stage, target).counts()["equal"] == 3


def test_what_is_staged_after_the_plan_is_not_sent(panel: PushPanel, stage: Stage) -> None:
    ReviewQueue(stage).correct("title", "Another", 1)
    sent(panel)
    assert "Another" not in panel.target.movies()["title"].to_list()  # type: ignore[attr-defined]


def test_a_plan_is_sent_once(panel: PushPanel) -> None:
    sent(panel)
    assert panel._send.disabled
    panel.send()
    assert not panel.work.running


def test_fields_that_change_are_counted_and_a_movie_s_changes_are_shown_on_demand(
    panel: PushPanel, stage: Stage, target: ConvexSnapshot
) -> None:
    sent(panel)
    ReviewQueue(stage).correct("runtime_minutes", 95, 3)
    again = nb.push(stage, target)
    assert "fields runtime_minutes 1" in words(again._drawn.value)
    assert again._movie.options == ("Gamma (3)",)
    again._movie.value = "Gamma (3)"
    assert "runtime_minutes: 0 → 95" in words(again._change.value)
    again._movie.value = "1"
    assert words(again._change.value) == "Alpha (1): unchanged"
    again._movie.value = "99"
    assert words(again._said.value) == "'99' is not in the plan"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("603", "The Matrix (603): create"),
        ("The Matrix (603)", "The Matrix (603): create"),
        ("matrix rel", "The Matrix Reloaded (604): create"),
        ("the matrix", "The Matrix (603): create"),  # a whole title before a part of one
        ("1917", "1917 (530915): create"),
        ("apollo 13", "Apollo 13 (568): create"),  # no id, though it ends in a number
    ],
)
def test_a_movie_is_named_by_its_id_its_title_or_a_part_of_it(
    typed: str, shown: str, films: PushPanel
) -> None:
    films._movie.value = typed
    assert words(films._change.value) == shown
    assert films._said.value == ""


def test_a_part_of_several_titles_says_which(films: PushPanel) -> None:
    films._movie.value = "MATR"
    assert words(films._change.value) == ""
    told = "'MATR' is in several titles: The Matrix (603), The Matrix Reloaded (604)"
    assert words(films._said.value) == told


def test_what_is_in_no_title_is_not_in_the_plan(films: PushPanel) -> None:
    films._movie.value = "603"
    films._movie.value = "the matrix of 1999"
    assert words(films._change.value) == ""
    assert words(films._said.value) == "'the matrix of 1999' is not in the plan"


def test_nothing_to_send_offers_nothing(panel: PushPanel, stage: Stage) -> None:
    again = nb.push(stage, sent(panel).target)
    assert again._send.description == "Nothing to send"
    assert again._send.disabled


def test_what_is_withheld_is_listed_with_its_reason(stage: Stage, target: ConvexSnapshot) -> None:
    queue = ReviewQueue(stage, by="Ann")
    queue.hold(2, note="wrong poster")
    queue.correct("imdb", 7, 1)
    panel = nb.push(stage, target)
    assert "Beta: held in review by Ann: wrong poster" in words(panel._drawn.value)
    assert "not sent: Beta: held in review by Ann: wrong poster" in repr(panel)


def test_only_these_and_so_many_as_plan_push_takes_them(
    stage: Stage, target: ConvexSnapshot
) -> None:
    assert nb.push(stage, target, [1, 2], limit=1)._send.description == "Send 1 changes"


# Production.


def test_production_wants_its_name_typed(stage: Stage, tmp_path: Path) -> None:
    target = Production(tmp_path / "production")
    panel = nb.push(stage, target)
    assert panel._name.layout.display == ""
    assert panel._send.disabled
    for typed in ("", "happy-otter", "HAPPY-OTTER-123"):
        panel._name.value = typed
        assert panel._send.disabled
        panel.send()
    assert target.movies().is_empty()
    panel._name.value = " happy-otter-123 "
    assert not panel._send.disabled
    assert sent(panel).result is not None


def test_another_target_wants_no_name(panel: PushPanel) -> None:
    assert panel._name.layout.display == "none"
    assert not panel._send.disabled


# What does not go.


def test_a_target_that_cannot_be_reached_is_one_line(stage: Stage, tmp_path: Path) -> None:
    panel = nb.push(stage, Away(tmp_path / "away"))
    assert words(panel._said.value) == "error 127.0.0.1 does not answer"
    assert panel._send.disabled
    assert str(panel.target.title) in repr(panel)
    assert str(panel.target.title) in words(panel._repr_html_())


def test_a_saved_notebook_has_plan_and_result_as_html_and_as_text(panel: PushPanel) -> None:
    kept = sent(panel)._repr_mimebundle_()
    seen = words(kept["text/html"])
    facts = [words(told.replace(": ", " ", 1)) for told in kept["text/plain"].splitlines()[1:]]
    assert [fact for fact in facts if fact not in seen] == []
