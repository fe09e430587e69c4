"""Nothing that a stranger wrote steers a terminal, makes a line more, or becomes mathematics."""

from __future__ import annotations

import io
import json
import unicodedata
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.convex.bench import payload, staged
from tmdbkit import ConvexSnapshot, Stage, check, exceptions, plan_push, push, verify
from tmdbkit.cli.main import main
from tmdbkit.display import cover, draw_facts, escaped, plain
from tmdbkit.fetch.staging import StageResult
from tmdbkit.notebook.confirm import PushPanel
from tmdbkit.notebook.panel import ReviewPanel
from tmdbkit.notebook.progress import ProgressView
from tmdbkit.notebook.widgets import Line
from tmdbkit.progress import LogLines, Silent, TerminalLine
from tmdbkit.review import ReviewQueue
from tmdbkit.workflows.collecting import RatingsResult

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.once

QUIET = Silent()
STEERS = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b1m\u202egnp.exe\u2066\u200f\u2028\u0085\r\n\b\x7f\0"
MATHS = r"$e=mc^2$ and $$x$$ \(y\) \[z\] \begin{x}w\end{x}"
HOSTILE = f"Alpha {STEERS} {MATHS} omega"
TAME = "Alpha, and omega"


def steers(text: str) -> list[str]:
    """What in a text steers a terminal: controls, separators of lines, turned directions."""
    bidi = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return [
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Zl", "Zp")
        or unicodedata.bidirectional(character) in bidi
    ]


class Runs(HTMLParser):
    """The runs of text between two tags, in which MathJax looks for formulas."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found = [""]
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self.found.append("")

    def handle_data(self, data: str) -> None:
        self.found[-1] += data

    def formulas(self) -> list[str]:
        return [run for run in self.found if len(run) > 1 and ("$" in run or "\\" in run)]


def made(title: str, folder: Path) -> Stage:
    """A stage with a movie all of whose texts are a stranger's, and whose points are wrong."""
    who = {"id": 7, "name": title, "order": 0, "job": "Director"}
    stage = staged(
        folder / "stage",
        payload(
            1,
            title=title,
            original_title=title,
            tagline=title,
            overview=title,
            genres=[{"id": 28, "name": title}],
            credits={"cast": [who], "crew": [who]},
            vote_average=11.0,
        ),
        payload(2, title=f"{title} again", runtime=0),
    )
    ReviewQueue(stage, by=title).hold(2, note=title)
    return stage


def _push_result(stage: Stage, target: ConvexSnapshot) -> Any:
    return push(stage, target, progress=QUIET)


def _verification(stage: Stage, target: ConvexSnapshot) -> Any:
    push(stage, target, progress=QUIET)
    ReviewQueue(stage).correct("tagline", f"{stage[1].row['title']} anew", 1)
    return verify(stage, target, progress=QUIET)


def _stage_result(*_: Any) -> Any:
    missing = pl.DataFrame({"tmdb_id": [9]})
    failures = pl.DataFrame({"tmdb_id": [8], "reason": [HOSTILE]})
    return StageResult(2, 0, 0, 1, 1, 2, missing, failures)


def _ratings_result(*_: Any) -> Any:
    failures = pl.DataFrame({"provider": ["omdb"], "tmdb_id": [1], "reason": [HOSTILE]})
    return RatingsResult(1, 0, 0, 1, 3, {"imdb": 0}, failures, (f"omdb: {HOSTILE}",))


DRAWINGS: dict[str, Callable[[Stage, ConvexSnapshot], Any]] = {
    "stage": lambda stage, _: Stage(stage.store.root.folder, name=HOSTILE),
    "status": lambda stage, target: (push(stage, target, progress=QUIET), stage.status())[1],
    "movie card": lambda stage, _: stage[1],
    "movie to decide on": lambda stage, _: ReviewQueue(stage).item(1),
    "movie that was decided on": lambda stage, _: ReviewQueue(stage).item(2),
    "report": lambda stage, _: check(stage),
    "plan": lambda stage, target: plan_push(stage, target, progress=QUIET),
    "change": lambda stage, target: plan_push(stage, target, progress=QUIET)[1],
    "push result": _push_result,
    "verification": _verification,
    "stage result": _stage_result,
    "ratings result": _ratings_result,
    "push panel": PushPanel,
    "review panel": lambda stage, _: ReviewPanel(stage),
}


@cache
def drawn(kind: str, title: str) -> tuple[str, str]:
    """The text and the HTML of a thing of a kind."""
    folder = Path(kind, "hostile" if title == HOSTILE else "tame").resolve()
    thing = DRAWINGS[kind](made(title, folder), ConvexSnapshot(folder / "snapshot"))
    return repr(thing), thing._repr_html_()


@pytest.mark.parametrize("kind", DRAWINGS)
def test_no_text_of_a_drawing_steers_a_terminal_or_takes_more_than_its_line(
    kind: str,
) -> None:
    (text, _), (tame, _) = drawn(kind, HOSTILE), drawn(kind, TAME)
    assert "Alpha" in text or kind in ("status", "push result")
    assert steers(text.replace("\n", "")) == []
    assert text.count("\n") == tame.count("\n")


@pytest.mark.parametrize("kind", DRAWINGS)
def test_no_text_of_a_drawing_is_mathematics_in_jupyterlab(kind: str) -> None:
    _, html = drawn(kind, HOSTILE)
    assert Runs(html).formulas() == []
    assert steers(html) == []


COMMANDS = {
    "status": 0,
    "check": 1,
    "plan --snapshot there": 0,
    "plan --snapshot there --movie 1": 0,
    "push --snapshot there": 0,
    "verify --snapshot there": 0,
    "delete 1 --snapshot there": 0,
    "undo --snapshot there": 0,
    "review --state all": 0,
    "ratings --table mine.csv --points imdb=points": 2,
    "stage --from-file ids.txt": 2,
    "plan --snapshot broken.zip": 2,
    "push --plan broken.json": 2,
}


@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_lets_a_strangers_text_steer_the_terminal(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("b\nn\nn\n"))
    made(HOSTILE, Path("data"))
    Path("mine.csv").write_text(f"{STEERS.replace(chr(10), '')},points\n1,2\n", encoding="utf-8")
    Path("ids.txt").write_text(f"603{STEERS}\n", encoding="utf-8")
    Path("broken.json").write_text(json.dumps({"plan": HOSTILE}), encoding="utf-8")
    Path("broken.zip").write_bytes(STEERS.encode())
    if words.split()[0] in ("verify", "delete", "undo"):
        main(["push", "--snapshot", "there"])
    assert main(words.split()) == COMMANDS[words]
    said = capsys.readouterr()
    assert steers((said.out + said.err).replace("\n", "")) == []


ERRORS = [
    kind
    for kind in vars(exceptions).values()
    if isinstance(kind, type)
    and issubclass(kind, (exceptions.TMDBKitError, UserWarning))
    and kind.__module__ == exceptions.__name__
]


@pytest.mark.parametrize("kind", ERRORS)
def test_what_an_error_or_a_warning_says_is_one_line(kind: type[Exception]) -> None:
    assert steers(str(kind(HOSTILE))) == []


def test_what_a_server_says_in_an_error_is_plain_and_kept_as_it_was() -> None:
    error = exceptions.RequestRefused("refused it", path=f"/{STEERS}", message=HOSTILE)
    assert steers(str(error)) == []
    assert error.message == HOSTILE


def test_a_notebook_s_error_is_plain() -> None:
    assert steers("".join(exceptions.UsageError(HOSTILE)._render_traceback_())) == []


def test_the_progress_of_work_is_one_plain_line() -> None:
    for kind in (TerminalLine, LogLines):
        clock = iter(range(0, 10_000, 1_000))
        stream = io.StringIO()
        shown = kind(stream, lambda clock=clock: float(next(clock)))  # type: ignore[misc]
        shown.begin("staging", 10)
        shown.update(3, HOSTILE)
        assert "Alpha" in stream.getvalue()
        assert steers(stream.getvalue().replace("\r\x1b[K", "").replace("\n", "")) == []


def test_what_widgets_show_is_no_mathematics() -> None:
    line, view = Line(), ProgressView()
    line.say(HOSTILE, severity="error")
    view.begin("staging", 10)
    view.update(3, HOSTILE)
    for html in (line.value, view._line.value):
        assert "omega" in html
        assert Runs(html).formulas() == []
        assert steers(html) == []


# The two ways out.


@pytest.mark.parametrize(
    "title",
    [
        "می‌خواهم زنده بمانم",  # joined by a zero-width non-joiner
        "הסרט של 2024",
        "👨‍👩‍👧 family",  # joined by zero-width joiners
        "Amélie · 千と千尋の神隠し",
        "$9.99",
        "a\\b",
    ],
)
def test_a_title_of_any_script_stays_as_it_is(title: str) -> None:
    assert plain(title) == title


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("Alpha", 5, "Alpha"),
        ("Alphabet", 5, "Alph…"),
        ("a\x1b[31mb", 0, "a [31mb"),
        ("a\r\nb", 0, "a  b"),
        ("", 5, ""),
    ],
)
def test_a_text_is_cut_to_a_width_and_what_steers_is_a_space(
    text: str, width: int, shown: str
) -> None:
    assert plain(text, width) == shown


def test_each_dollar_and_backslash_stands_in_an_element_of_its_own() -> None:
    assert escaped("$x$ & \\(y") == ("<span>$</span>x<span>$</span> &amp; <span>\\</span>(y")


@pytest.mark.parametrize("title", ["$5 a Day", "\\ \\", "\u202e \x1b", "<b> <i>"])
def test_a_cover_s_initials_are_a_strangers_too(title: str) -> None:
    html = cover(title, 1) + draw_facts(title, [(title, title)])
    assert Runs(html).formulas() == []
    assert steers(html) == []
    assert "<b>" not in html
