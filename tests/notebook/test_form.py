from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.servers.tmdb import TMDBServer
from tmdbkit import Settings, Stage, TMDBSession
from tmdbkit import notebook as nb
from tmdbkit.demo import sample_session

from .conftest import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stage.conftest import Connect
    from tmdbkit.notebook.form import StageForm

pytestmark = pytest.mark.once

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "empty", settings=Settings())


@pytest.fixture
def server() -> Iterator[TMDBServer]:
    with TMDBServer(missing=[404]) as server:
        yield server


@pytest.fixture
def form(stage: Stage, server: TMDBServer, connect: Connect) -> StageForm:
    return nb.stage(stage, connect(server))


def started(form: StageForm) -> StageForm:
    form._start.click()
    form.work.wait(30)
    return form


def line(form: StageForm) -> str:
    return words(form._said.value)


def test_typed_ids_are_staged_and_the_result_is_shown(form: StageForm, stage: Stage) -> None:
    form._ids.value = "11, 12\n13;404"
    started(form)
    assert stage.ids() == {11, 12, 13}
    assert "staged 3" in words(form._came.value)
    assert "missing 1" in words(form._came.value)
    assert not form._start.disabled
    assert form.work.widget.layout.display == "none"


def test_a_list_of_tmdb_is_staged_by_pages(
    form: StageForm, stage: Stage, server: TMDBServer
) -> None:
    form._source.value, form._list.value, form._pages.value = "list", "top_rated", 2
    started(form)
    listed = [request.path for request in server.requests if "top_rated" in request.path]
    assert len(listed) == 2
    assert len(stage) == 40


def test_a_search_shows_posters_and_what_is_ticked_is_staged(
    form: StageForm, stage: Stage, server: TMDBServer
) -> None:
    _two_results(server)
    form._source.value, form._words.value = "search", "alpha"
    form._search.click()
    seen = "".join(found.children[1].value for found in form._found.children)
    assert "https://image.tmdb.org/t/p/w92/p.jpg" in seen
    assert "Alpha 1999 · TMDB 21 · 900 votes" in words(seen)
    assert HOSTILE in words(seen)
    assert "<img src=x" not in seen
    form._chosen[21].value = True
    started(form)
    assert stage.ids() == {21}


def _two_results(server: TMDBServer) -> None:
    from tests.servers.wire import Answer

    alpha = {"id": 21, "title": "Alpha", "release_date": "1999-03-31", "vote_count": 900}
    found = [{**alpha, "poster_path": "/p.jpg"}, {"id": 22, "title": HOSTILE}]
    server.script["/3/search/movie"] = [Answer(200, json.dumps({"results": found}).encode())]


@pytest.mark.parametrize(
    ("source", "told"),
    [("ids", "name some ids"), ("search", "search, and tick what is to be staged")],
)
def test_a_form_with_nothing_in_it_says_what_to_do(
    source: str, told: str, form: StageForm, server: TMDBServer
) -> None:
    form._source.value = source
    started(form)
    assert told in line(form)
    assert server.requests == []


@pytest.mark.parametrize("text", ["x", "-1", "0", "603 1.5", HOSTILE])
def test_what_is_no_id_is_one_line(text: str, form: StageForm) -> None:
    form._ids.value = text
    started(form)
    assert "is not a TMDB id" in line(form)
    assert "<img" not in form._said.value


def test_only_the_form_that_is_chosen_is_shown(form: StageForm) -> None:
    form._source.value = "list"
    shown = [name for name, part in form._forms.items() if part.layout.display != "none"]
    assert shown == ["list"]


# While it is under way.


class Slow:
    """Holds the server's answers from the third on, until it is let go."""

    def __init__(self, server: TMDBServer) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        self._handle, self._seen = server.handle, 0
        server.handle = self.handle  # type: ignore[method-assign]

    def handle(self, request: object) -> object:
        self._seen += 1
        if self._seen > 2:
            self.reached.set()
            self.go.wait(30)
        return self._handle(request)  # type: ignore[arg-type]


def test_the_kernel_is_free_meanwhile_and_the_view_tells_how_far_it_is(
    form: StageForm, server: TMDBServer
) -> None:
    slow = Slow(server)
    form._ids.value = "11 12 13 14"
    form._start.click()
    assert slow.reached.wait(30)
    assert form.work.running
    assert form._start.disabled
    assert form.work.widget.layout.display == ""
    slow.go.set()
    form.work.wait(30)
    assert words(form.work._view._line.value).startswith("4 of 4")


def test_stop_keeps_what_came(form: StageForm, server: TMDBServer, stage: Stage) -> None:
    slow = Slow(server)
    form._ids.value = " ".join(map(str, range(100, 400)))
    form._start.click()
    assert slow.reached.wait(30)
    form.work._stop.click()
    slow.go.set()
    form.work.wait(30)
    assert line(form).startswith("stopped")
    assert 0 < len(stage) < 300
    assert not form._start.disabled
    started(form)
    assert len(stage) == 300


def test_pause_holds_the_requests_and_go_on_lets_them_on(
    form: StageForm, server: TMDBServer, stage: Stage
) -> None:
    slow = Slow(server)
    form._ids.value = " ".join(map(str, range(100, 400)))
    form._start.click()
    assert slow.reached.wait(30)
    form.work._pause.click()
    assert form.work._pause.description == "Go on"
    slow.go.set()
    while form.work._view._bar.value == 0:  # until what was under way has come
        form.work.wait(0.05)
    assert form.work.running
    assert len(server.requests) < 300
    form.work._pause.click()
    form.work.wait(30)
    assert len(stage) == 300


def test_a_paused_run_can_be_stopped(form: StageForm, server: TMDBServer) -> None:
    slow = Slow(server)
    form._ids.value = " ".join(map(str, range(100, 400)))
    form._start.click()
    assert slow.reached.wait(30)
    form.work._pause.click()
    form.work._stop.click()
    slow.go.set()
    form.work.wait(30)
    assert line(form).startswith("stopped")


# What does not go.


def test_a_refused_key_is_one_line_without_the_key(
    stage: Stage, server: TMDBServer, connect: Connect
) -> None:
    form = nb.stage(stage, connect(server, token="a.wrong.token"))
    form._ids.value = "11"
    started(form)
    assert "the key was refused" in line(form)
    assert "a.wrong.token" not in form._said.value


def test_a_missing_key_is_one_line(stage: Stage) -> None:
    form = nb.stage(stage)
    form._ids.value = "11"
    started(form)
    assert "no TMDB credentials" in line(form)


def test_offline_says_so_and_stages_what_the_cache_has(stage: Stage, tmp_path: Path) -> None:
    with sample_session(tmp_path / "cache") as session:
        form = nb.stage(stage, session)
        assert line(form).startswith("offline: only what the cache has")
        form._ids.value = "603"
        assert started(form).result is not None
        assert len(stage) == 1


@pytest.mark.parametrize("source", ["list", "search"])
def test_offline_a_list_or_a_search_is_one_clear_line(
    source: str, stage: Stage, tmp_path: Path
) -> None:
    with sample_session(tmp_path / "cache") as session:
        form = nb.stage(stage, session)
        form._source.value, form._words.value = source, "Alpha"
        form._search.click() if source == "search" else started(form)
        assert line(form).startswith("error offline, and the cache has no answer")


def test_a_session_is_opened_when_it_is_first_needed(stage: Stage) -> None:
    assert isinstance(nb.stage(stage).session, TMDBSession)


@pytest.mark.parametrize("source", ["ids", "list"])
def test_a_stage_in_another_language_is_said_before_anything_is_asked(
    source: str, form: StageForm, stage: Stage, server: TMDBServer
) -> None:
    stage.store.marker.begin("de-DE")
    form._source.value, form._ids.value = source, "11"
    started(form)
    assert "is in de-DE, and en-US is asked for" in line(form)
    assert server.requests == []
    assert not form._start.disabled
