"""Staging in a notebook: what to stage, how far it is, and what came of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ipywidgets

from tmdbkit.display import draw_facts, draw_found
from tmdbkit.exceptions import TMDBKitError, UsageError
from tmdbkit.notebook.showing import Drawing, Line, bundle, button, column, row, wide
from tmdbkit.notebook.work import Work
from tmdbkit.tmdb.client import LISTS, TMDBClient
from tmdbkit.tmdb.discovery import list_ids
from tmdbkit.tmdb.pages import LAST_PAGE
from tmdbkit.tmdb.session import TMDBSession
from tmdbkit.workflows import stage_movies

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit.fetch.staging import StageResult
    from tmdbkit.progress import Progress
    from tmdbkit.stage.stage import Stage

OFFLINE = "offline: only what the cache has can be staged; live needs TMDBKIT_OFFLINE unset"
SOURCES = {"ids": "ids", "list": "one of TMDB's lists", "search": "a search"}


class StageForm:
    """A form for what to stage, and its result.

    Args:
        stage: Where movies go.
        session: Where they come from; default a `TMDBSession()` of the settings, at the start.
    """

    def __init__(self, stage: Stage, session: TMDBSession | None = None) -> None:
        self.stage = stage
        self.result: StageResult | None = None
        self._session = session
        self._chosen: dict[int, ipywidgets.Checkbox] = {}
        self._make()
        if stage.offline if session is None else session.offline:
            self._said.say(OFFLINE)

    def _make(self) -> None:
        self._said, self._came = Line(), Drawing()
        self.work = Work(self._said, pausable=True)
        self._source = ipywidgets.Dropdown(options=[(told, name) for name, told in SOURCES.items()])
        self._ids = ipywidgets.Textarea(placeholder="603, 604, 605", layout=wide("24em"))
        self._list = ipywidgets.Dropdown(options=LISTS, layout=wide("12em"))
        self._pages = ipywidgets.BoundedIntText(
            value=1, min=1, max=LAST_PAGE, description="pages", layout=wide("11em")
        )
        self._words = ipywidgets.Text(placeholder="a title", layout=wide("18em"))
        self._search = button("Search", "look for movies with such a title", icon="search")
        self._search.on_click(lambda _: self._try(self._look_for))
        self._found = ipywidgets.VBox()
        self._start = button("Stage", "fetch what is not staged yet", "primary", "download")
        self._start.on_click(lambda _: self._try(self.start))
        self._forms = {
            "ids": self._ids,
            "list": row(self._list, self._pages),
            "search": ipywidgets.VBox([row(self._words, self._search), self._found]),
        }
        self._source.observe(lambda _: self._show_form(), "value")
        self._show_form()
        self.widget = column(
            self._source,
            *self._forms.values(),
            self._start,
            self._said,
            self.work.widget,
            self._came,
        )

    # What a person does.

    def start(self) -> None:
        """Stage what the form names, in a thread; the verb is `stage_movies`.

        Raises:
            UsageError: It names nothing or what is no id, or the stage is in another language.
        """
        self.stage.marker.check(self.session.settings.language)
        ids = {"ids": self._typed, "list": self._listed, "search": self._ticked}[
            self._source.value
        ]()

        def do(progress: Progress) -> StageResult:
            return stage_movies(
                self.session, self.stage, ids(), progress=progress, gate=self.work.gate
            )

        self._came.draw("")
        self._start.disabled = True
        self.work.start(do, self._show_result, self._ready)

    @property
    def session(self) -> TMDBSession:
        """Where movies come from, opened when it is first needed."""
        if self._session is None:
            self._session = TMDBSession()
        return self._session

    def _typed(self) -> Callable[[], list[int]]:
        words = [word for word in re.split(r"[\s,;]+", self._ids.value) if word]
        if not words:
            raise UsageError("name some ids, such as 603, 604")
        if strange := [word for word in words if not re.fullmatch(r"[1-9][0-9]{0,14}", word)]:
            raise UsageError(f"{strange[0]!r} is not a TMDB id, a whole number such as 603")
        return lambda: [int(word) for word in words]

    def _listed(self) -> Callable[[], list[int]]:
        name, pages = self._list.value, self._pages.value
        return lambda: list_ids(TMDBClient(self.session), name, pages=pages)["tmdb_id"].to_list()

    def _ticked(self) -> Callable[[], list[int]]:
        ids = [tmdb_id for tmdb_id, box in self._chosen.items() if box.value]
        if not ids:
            raise UsageError("search, and tick what is to be staged")
        return lambda: ids

    def _look_for(self) -> None:
        words = self._words.value.strip()
        if not words:
            raise UsageError("type a title, or a part of one")
        found = TMDBClient(self.session).search(words)["results"]
        self._chosen = {int(movie["id"]): _box() for movie in found}
        online = not self.session.offline
        self._found.children = [
            row(box, _drawn(draw_found(movie, online=online)))
            for movie, box in zip(found, self._chosen.values(), strict=True)
        ]
        if not found:
            self._said.say(f"TMDB has no movie with a title like {words!r}")

    def _try(self, verb: Callable[[], None]) -> None:
        """Do it, and tell what does not fit in one line."""
        self._said.say()
        try:
            verb()
        except TMDBKitError as error:
            self._said.say(str(error), badge="error")

    # What is seen.

    def _show_form(self) -> None:
        for name, form in self._forms.items():
            form.layout.display = "" if name == self._source.value else "none"

    def _show_result(self, result: StageResult) -> None:
        self.result = result
        self._came.draw(result._repr_html_())

    def _ready(self) -> None:
        self._start.disabled = False

    def _facts(self) -> list[tuple[str, str]]:
        counts = self.result.counts() if self.result else {}
        return [("into", self.stage.name), *((name, f"{n:,}") for name, n in counts.items())]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts("Stage movies", self._facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return bundle(self.widget, self._repr_html_(), repr(self))


def _drawn(html: str) -> Drawing:
    drawing = Drawing()
    drawing.draw(html)
    return drawing


def _box() -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(indent=False, layout={"width": "2em"})
