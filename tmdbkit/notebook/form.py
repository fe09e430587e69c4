"""Staging in a notebook: what to stage, how far it is, and what came of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ipywidgets

from tmdbkit.display import block, counted_facts, counted_votes, cover, line, picture
from tmdbkit.display import row as draw_row
from tmdbkit.exceptions import TMDBKitError, UsageError
from tmdbkit.images import image_url
from tmdbkit.notebook.widgets import Drawing, Line, Panel, button, column, row, wide
from tmdbkit.notebook.work import BackgroundJob
from tmdbkit.tmdb.client import LAST_PAGE, LISTS, TMDBClient
from tmdbkit.tmdb.discovery import list_ids
from tmdbkit.tmdb.session import TMDBSession
from tmdbkit.workflows import stage_movies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tmdbkit.fetch.staging import StageResult
    from tmdbkit.progress import Progress
    from tmdbkit.stage.stage import Stage

OFFLINE = "offline: only what the cache has can be staged; live needs TMDBKIT_OFFLINE unset"
SOURCES = {"ids": "ids", "list": "one of TMDB's lists", "search": "a search"}


class StageForm(Panel):
    """A form for what to stage, and its result.

    Args:
        stage: Where movies go.
        session: Where they come from; default a `TMDBSession()` of the settings, at the start.
    """

    _heading = "Stage movies"

    def __init__(self, stage: Stage, session: TMDBSession | None = None) -> None:
        self.stage = stage
        self.result: StageResult | None = None
        self._session = session
        self._chosen: dict[int, ipywidgets.Checkbox] = {}
        self._make()
        if stage.store.settings.offline if session is None else session.offline:
            self._said.say(OFFLINE)

    def _make(self) -> None:
        self._said, self._came = Line(), Drawing()
        self.work = BackgroundJob(self._said, pausable=True)
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
        self.stage.store.marker.check(self.session.settings.language)
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
            row(box, _drawn(_draw_found(movie, online=online)))
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
            self._said.say(str(error), severity="error")

    # What is seen.

    def _show_form(self) -> None:
        for name, form in self._forms.items():
            form.layout.display = "" if name == self._source.value else "none"

    def _show_result(self, result: StageResult) -> None:
        self.result = result
        self._came.draw(result._repr_html_())

    def _ready(self) -> None:
        self._start.disabled = False

    @property
    def _call(self) -> str:
        return "stage_movies(TMDBSession(), stage, [603, 604])"

    def _facts(self) -> list[tuple[str, str]]:
        counts = self.result.counts() if self.result else {}
        return counted_facts({"into": self.stage.store.name, **counts})


def _draw_found(movie: Mapping[str, Any], *, online: bool) -> str:
    """One result of TMDB's search: a small poster, title and year, how many voted.

    Args:
        movie: As TMDB sends it.
        online: Whether the poster's address may be shown, which a browser then asks for.
    """
    title, path = str(movie.get("title") or ""), str(movie.get("poster_path") or "")
    has_poster = online and path.startswith("/")
    year, votes = str(movie.get("release_date") or "")[:4], int(movie.get("vote_count") or 0)
    told = " · ".join((year or "no date", f"TMDB {movie['id']}", counted_votes(votes)))
    text = line(title, "font-weight:bold") + line(told, "opacity:0.7")
    return draw_row(
        block(text, "order:1;min-width:0px"),
        picture(image_url(path, "w92"), 44) if has_poster else cover(title, movie["id"], width=44),
        style="line-height:1.4",
    )


def _drawn(html: str) -> Drawing:
    drawing = Drawing()
    drawing.draw(html)
    return drawing


def _box() -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(indent=False, layout={"width": "2em"})
