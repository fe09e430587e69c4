from __future__ import annotations

import io
import os
import re
import termios
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

from tmdbkit.notebook.progress import ProgressView
from tmdbkit.progress import LogLines, Pace, TerminalLine, tracked

from .conftest import words

pytestmark = pytest.mark.once


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("total", "done", "seconds", "told"),
    [
        (100, 0, 1, ""),
        (100, 50, 5, "10 a second, 5 s left"),
        (10_000, 400, 10, "40 a second, 4 min left"),
        (1_000_000, 380, 10, "38 a second, 7.3 h left"),
        (100, 100, 5, ""),
        (0, 0, 5, ""),
        (2, 1, 100, "0.01 a second, 2 min left"),
        (100_000, 12_340, 10, "1,234 a second, 71 s left"),
        (10**9, 10**8, 10, "10,000,000 a second, 2 min left"),
        (10**9, 1, 100, "0.01 a second, 27,777,777.8 h left"),
    ],
)
def test_a_pace_tells_the_rate_and_the_time_that_is_left(
    total: int, done: int, seconds: float, told: str
) -> None:
    clock = Clock()
    pace = Pace(total, clock)
    pace.describe(0)
    clock.now = seconds
    assert pace.describe(done) == told


def test_what_was_done_before_does_not_count_as_fast() -> None:
    clock = Clock()
    pace = Pace(1000, clock)
    pace.describe(900)
    clock.now = 5
    assert pace.describe(950) == "10 a second, 5 s left"


def test_a_terminal_has_one_line_with_the_pace_and_the_note() -> None:
    clock, stream = Clock(), io.StringIO()
    line = TerminalLine(stream, clock)
    line.begin("staging", 100)
    line.update(0)
    clock.now = 5
    line.update(50, "2 missing")
    line.end()
    last = stream.getvalue().split("\r\x1b[K")
    assert last[-2:] == ["staging 50 of 100 · 10 a second, 5 s left · 2 missing", ""]


def test_a_line_is_no_longer_than_its_terminal_is_wide() -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 30))
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        line = TerminalLine(stream, Clock())
        line.begin("staging", 100)
        line.update(50, "1 cached, 2 missing, 3 failed")
        shown = os.read(ours, 1000)
        if not shown.endswith("…".encode()):  # what is written in two pieces may come in two
            shown += os.read(ours, 1000)
    os.close(ours)
    lines = shown.decode().split("\r\x1b[K")
    assert lines == ["", "staging 0 of 100", "staging 50 of 100 · 1 cached…"]


def test_a_log_has_a_line_every_five_minutes_and_none_of_short_work() -> None:
    clock, stream = Clock(), io.StringIO()
    lines = LogLines(stream, clock)
    lines.begin("staging", 10_000)
    for clock.now in range(0, 700, 7):  # type: ignore[assignment]
        lines.update(int(clock.now), "waiting: TMDB cannot be reached" if clock.now > 500 else "")
    lines.end()
    assert stream.getvalue().splitlines() == [
        "staging 301 of 10,000 · 1 a second, 2.7 h left",
        "staging 602 of 10,000 · 1 a second, 2.6 h left · waiting: TMDB cannot be reached",
    ]


class Recorder:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def begin(self, what: str, total: int) -> None:
        self.calls.append((what, total))

    def update(self, done: int, note: str = "") -> None:
        self.calls.append((done,))

    def end(self) -> None:
        self.calls.append(())


def test_what_is_iterated_over_is_told_item_by_item() -> None:
    recorder = Recorder()
    assert list(tracked("ab", recorder, "reading page", 2)) == ["a", "b"]
    assert recorder.calls == [("reading page", 2), (1,), (2,), ()]


def test_a_single_item_is_not_told() -> None:
    recorder = Recorder()
    assert list(tracked("a", recorder, "reading page", 1)) == ["a"]
    assert recorder.calls == []


def test_what_breaks_off_is_told_to_be_over() -> None:
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError):
        list(tracked((1 // n for n in (1, 0)), recorder, "reading page", 2))
    assert recorder.calls[-1] == ()


def test_a_view_shows_how_far_it_is_and_escapes_what_it_is_told() -> None:
    view = ProgressView()
    view.begin("staging", 1000)
    assert words(view._line.value) == "staging 1,000"
    view.update(250, "3 cached, <b>")
    assert view._bar.value == 250
    assert view._line.value == "250 of 1,000 · 3 cached, &lt;b&gt;"


def test_a_view_of_nothing_to_do_says_so() -> None:
    view = ProgressView()
    view.begin("pushing", 0)
    view.update(0)
    assert view._line.value == "0 of 0"


SENDS = """
import tmdbkit
from tmdbkit import notebook
stage, target = tmdbkit.sample(), tmdbkit.ConvexSnapshot("rehearsal")
plan = tmdbkit.plan_push(stage, target)
sent = tmdbkit.push(stage, target)
"""


def test_a_saved_notebook_has_nothing_of_a_bar_that_is_closed() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SENDS)])
    ExecutePreprocessor(kernel_name="python3", store_widget_state=True).preprocess(notebook)
    outputs = notebook.cells[0].outputs
    assert [dict(output.data) for output in outputs] == [{"text/plain": ""}] * 2
    page, _ = HTMLExporter().from_notebook_node(notebook)
    shown = page[page.index("</head>") : page.index('type="application/vnd.jupyter.widget-state')]
    assert not re.search("planning|pushing|widget-view", shown[shown.index("jp-Cell-output") :])


def test_a_stop_that_was_heard_is_said_at_once() -> None:
    view = ProgressView()
    view.begin("pushing", 1000)
    view.stop()
    assert view._line.value == "stopping once what is under way has come"
