from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.stage.conftest import T0, answers, payload
from tmdbkit import Settings, Stage, sample
from tmdbkit.display import SYSTEM_NAMES
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.decisions import live, overrides, verdicts

from .lab import write

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from .conftest import Open, Served
    from .lab import Lab

pytestmark = pytest.mark.browser

HOSTILE = '<img src="x" onerror="window.broken = 1"><script>window.broken = 1</script>'
# On how many lines each group of buttons stands.
GROUPS = """() => [['Approve', 'Hold', 'Reject'], ['Back', 'Next', 'Undo']].map(names =>
    new Set([...document.querySelectorAll('button')]
        .filter(button => names.includes(button.textContent.trim()))
        .map(button => button.getBoundingClientRect().top)).size)"""
# In how many ways the rows of a movie's ratings are laid out.
WAYS = """systems => new Set([...document.querySelectorAll('div')]
    .filter(part => systems.includes(part.textContent))
    .map(part => [...part.parentElement.children].map(cell =>
        [cell.offsetLeft, cell.offsetTop - part.offsetTop]).join())).size"""
OPEN = """import tmdbkit
from tmdbkit import notebook

stage = tmdbkit.Stage({folder!r}, settings=tmdbkit.Settings(offline=True))"""


def notebook(served: Served, name: str, stage: Stage, *cells: str) -> str:
    write(served.notebooks / name, OPEN.format(folder=str(stage.store.root.folder)), *cells)
    return name


def opened(lab: Open, name: str, **how: Any) -> Lab:
    tab = lab(name, **how)
    tab.run_all()
    tab.says("reviewed")
    return tab


def test_what_is_decided_in_a_tab_is_there_after_it_was_closed(
    lab: Open, served: Served, tmp_path: Path
) -> None:
    stage = sample(tmp_path / "stage")
    name = notebook(served, "review.ipynb", stage, "notebook.review(stage)")
    tab = opened(lab, name)
    tab.button("Approve").click()
    tab.says("1 of 96 reviewed")
    tab.page.get_by_placeholder("a note, where you like").fill("wrong poster")
    tab.button("Hold").click()
    tab.says("2 of 96 reviewed")
    tab.button("Reject").click()
    tab.says("3 of 96 reviewed")
    tab.button("Undo").click()
    tab.says("2 of 96 reviewed")
    tab.says("is 7.2, becomes")
    tab.page.get_by_placeholder("new value").fill("3.6")
    tab.button("Correct").click()
    tab.says("set by hand: vote_pts_system.letterboxd = 3.6")
    tab.page.get_by_placeholder("new value").fill("72")
    tab.button("Correct").click()
    tab.says("goes from 0 to 5; 72 does not fit")
    tab.picture("review_decided")
    assert (tab.errors, tab.left) == ([], [])
    tab.close()

    again = opened(lab, name)
    again.says("2 of 96 reviewed")
    again.choose("undecided", "decided")
    again.says("by Ann")
    said = verdicts(stage.decisions()).select("kind", "note", "by").rows()
    assert sorted(said) == [("approve", "", "Ann"), ("hold", "wrong poster", "Ann")]
    assert overrides(stage.decisions())["value"].to_list() == ["3.6"]


def test_what_is_typed_corrects_the_rating_that_is_wrong_and_is_dropped_by_nothing(
    lab: Open, served: Served, tmp_path: Path
) -> None:
    stage = sample(tmp_path / "stage")
    panel = "notebook.review(stage, rule='outside_scale', system='letterboxd')"
    tab = opened(lab, notebook(served, "typed.ipynb", stage, panel))
    typing = tab.page.get_by_placeholder("new value")
    tab.says("is 7.2, becomes")
    typing.press_sequentially("3.5")
    tab.button("Next").click()
    tab.says("3.5 is typed and not set")
    tab.says("is 7.2, becomes")
    typing.press("End")
    typing.press("Backspace")
    typing.press_sequentially("6")
    tab.picture("review_typed")
    typing.press("Enter")
    tab.says("is 3.6, becomes")
    assert overrides(stage.decisions()).select("tmdb_id", "field", "value").rows() == [
        (900000001, "vote_pts_system.letterboxd", "3.6")
    ]
    assert (tab.errors, tab.left) == ([], [])


def test_keys_at_15_ms_decide_on_one_movie_each_and_none_is_lost(
    lab: Open, served: Served, tmp_path: Path
) -> None:
    stage = Stage(sample(tmp_path / "stage").store.root.folder, settings=Settings(offline=True))
    order = ReviewQueue(stage, by="Ann").ids
    tab = opened(lab, notebook(served, "keys.ipynb", stage, "notebook.review(stage)"))
    field = tab.page.get_by_placeholder("keys")
    field.press_sequentially("ahrna" * 8, delay=15)
    tab.says("32 of 96 reviewed")
    said = stage.decisions().select("tmdb_id", "kind").rows()
    kinds = ["approve", "hold", "reject", "", "approve"] * 8
    assert said == [pair for pair in zip(order, kinds, strict=False) if pair[1]]
    tab.picture("review_keys")
    tab.button("Undo").click()
    tab.says("31 of 96 reviewed")
    field.press_sequentially("u" * 11 + "w", delay=15)  # the field was emptied by the click
    tab.says("20 of 96 reviewed")
    tab.page.get_by_placeholder("a note, where you like").and_(
        tab.page.locator(":focus")
    ).press_sequentially("ahr wrong year", delay=15)
    tab.page.keyboard.press("Enter")
    tab.page.get_by_placeholder("keys").and_(tab.page.locator(":focus")).press("h")
    tab.says("21 of 96 reviewed")
    assert stage.decisions().select("kind", "note").row(-1) == ("hold", "ahr wrong year")
    assert (tab.errors, tab.left) == ([], [])


def test_a_proposal_is_accepted_with_a_click_or_a_key(
    lab: Open, served: Served, tmp_path: Path
) -> None:
    stage = sample(tmp_path / "stage")
    tab = opened(lab, notebook(served, "proposed.ipynb", stage, "notebook.review(stage)"))
    tab.picture("review_proposed")
    tab.button("Accept Metacritic points 54").click()
    tab.says("is 54.0, becomes")
    assert not tab.page.get_by_text("Accept Metacritic points 54").is_visible()
    tab.page.get_by_placeholder("keys").press_sequentially("uph", delay=15)
    tab.says("1 of 96 reviewed")
    assert stage.decisions()["kind"].to_list() == ["override", "undo", "override", "hold"]
    assert (tab.errors, tab.left) == ([], [])


TYPE_AT = """([at, key]) => setTimeout(() => {
    const field = document.querySelector('[placeholder=keys]')
    field.value += key
    field.dispatchEvent(new Event('input', {bubbles: true}))
}, at - Date.now())"""
WENT_ON_OR_WAS_TOLD = """next => ['do it again to overrule that', `TMDB ${next}`].find(text =>
    document.querySelector('.jp-OutputArea-output').textContent.includes(text))"""
READING = 700  # milliseconds: what is typed before anybody can have read overrules nobody


def test_two_people_decide_by_turns_and_at_once_and_nobody_is_overruled_unseen(
    lab: Open, served: Served, tmp_path: Path
) -> None:
    stage = Stage(sample(tmp_path / "stage").store.root.folder, settings=Settings(offline=True))
    order = ReviewQueue(stage, by="Ann").ids[:21]
    tabs = {
        name: opened(
            lab, notebook(served, f"{name}.ipynb", stage, f"notebook.review(stage, by={name!r})")
        )
        for name in ("Ann", "Ben")
    }
    keys = {"Ann": "a", "Ben": "h"}
    for place, (tmdb_id, following) in enumerate(itertools.pairwise(order)):
        names = sorted(tabs, reverse=bool(place % 2))
        if place < 10:
            for name in names:
                tabs[name].page.get_by_placeholder("keys").press(keys[name])
                tabs[name].page.wait_for_function(WENT_ON_OR_WAS_TOLD, arg=following)
        else:
            at = time.time() * 1000 + 300
            for name in names:
                tabs[name].page.evaluate(TYPE_AT, [at, keys[name]])
        told = []
        for name in names:
            came = tabs[name].page.wait_for_function(WENT_ON_OR_WAS_TOLD, arg=following)
            if str(came.json_value()).startswith("do it again"):
                told.append(name)
                tabs[name].page.wait_for_timeout(READING)
                tabs[name].page.get_by_placeholder("keys").press("n")
                tabs[name].says(f"TMDB {following}")
        assert len(told) == 1, (tmdb_id, told)
        if place < 10:
            assert told == names[1:]
    tabs["Ben"].picture("review_together")
    said = verdicts(stage.decisions())
    assert set(said["tmdb_id"]) == set(order[:20])
    assert said["overrules"].to_list() == [None] * 20
    assert live(stage.decisions()).height == 20  # nobody's lies below another's
    assert [(tab.errors, tab.left) for tab in tabs.values()] == [([], [])] * 2


@pytest.mark.parametrize(
    ("theme", "width"),
    [
        *(("Light", 1280), ("Dark", 800), ("Light", 480), ("Dark", 480)),
        *(
            pytest.param(*both, marks=pytest.mark.large)
            for both in (("Dark", 1280), ("Light", 800))
        ),
    ],
)
def test_the_widgets_are_whole_in_both_themes_and_widths(
    theme: str, width: int, lab: Open, served: Served, tmp_path: Path
) -> None:
    name = notebook(
        served,
        f"widgets_{theme}_{width}.ipynb",
        sample(tmp_path / "stage"),
        "notebook.review(stage)",
        "notebook.stage(stage)",
        f"notebook.push(stage, tmdbkit.ConvexSnapshot({str(tmp_path / 'snapshot')!r}))",
    )
    tab = opened(lab, name, theme=f"JupyterLab {theme}", width=width)
    tab.says("Send 96 changes")
    for place, output in enumerate(tab.page.locator(".jp-OutputArea-child").all()):
        output.scroll_into_view_if_needed()
        tab.picture(f"{('review', 'stage', 'push')[place]}_{theme.lower()}_{width}")
    assert tab.cut_off() == []
    assert tab.page.evaluate(GROUPS) == [1, 1]
    assert (tab.errors, tab.left) == ([], [])


def test_the_rows_of_ratings_wrap_all_together(browser: Browser, tmp_path: Path) -> None:
    movie = ReviewQueue(sample(tmp_path / "stage")).item(900000009)  # TMDB alone has rated it
    page = browser.new_page()
    page.set_content(f'<body style="font:13px sans-serif">{movie._repr_html_()}')
    ways = {}
    for width in range(300, 900, 40):
        page.set_viewport_size({"width": width, "height": 900})
        ways[width] = page.evaluate(WAYS, list(SYSTEM_NAMES.values()))
    page.close()
    assert ways == dict.fromkeys(ways, 1)


def test_a_title_that_is_a_script_does_nothing_anywhere(
    lab: Open, served: Served, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "stage", settings=Settings())
    stage.store.add(answers((1, payload(1, HOSTILE, runtime=0, status="Released"), T0)))
    name = notebook(
        served,
        "hostile.ipynb",
        stage,
        "panel = notebook.review(stage)\n"
        "panel.queue.correct('tagline', stage[1].row['title'])\npanel",
        "stage[1]",
        "tmdbkit.check(stage)",
        f"pushing = notebook.push(stage, tmdbkit.ConvexSnapshot({str(tmp_path / 'snapshot')!r}))\n"
        "pushing._movie.value = '1'\npushing",
    )
    tab = opened(lab, name)
    tab.says("window.broken = 1")
    tab.picture("hostile")
    assert tab.page.evaluate("window.broken") is None
    assert tab.page.locator('img[src="x"]').count() == 0
    assert (tab.errors, tab.left) == ([], [])


def test_a_saved_notebook_that_nobody_trusts_shows_the_card(
    lab: Open, served: Served, tmp_path: Path
) -> None:
    name = notebook(served, "kept.ipynb", sample(tmp_path / "stage"), "notebook.review(stage)")
    tab = opened(lab, name)
    tab.save()
    path = served.notebooks / name
    kept = _saved(path)
    tab.close()
    # As another person's checkout has it: the same outputs, signed by nobody here.
    kept["metadata"]["title"] = "from elsewhere"
    (served.notebooks / "fresh.ipynb").write_text(json.dumps(kept), encoding="utf-8")
    fresh = lab("fresh.ipynb")
    fresh.says("0 of 96 reviewed")
    fresh.says("Rotten Tomatoes")
    fresh.picture("saved_untrusted")
    assert (fresh.errors, fresh.left) == ([], [])


def _saved(path: Path) -> dict[str, Any]:
    """The notebook as it was saved, once its output is in it."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert kept["cells"][-1]["outputs"], "the notebook was not saved"
    return kept
