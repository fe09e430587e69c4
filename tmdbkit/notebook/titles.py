"""Deciding in a notebook which films a list means: candidates with posters, a button for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tmdbkit.display import block, counted_facts, counted_votes, cover, line, picture
from tmdbkit.display import row as draw_row
from tmdbkit.exceptions import TMDBKitError
from tmdbkit.images import image_url
from tmdbkit.notebook.widgets import Drawing, Line, Panel, button, column, row, wide
from tmdbkit.workflows.picking import Picking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tmdbkit.matching.candidates import Candidate
    from tmdbkit.tmdb.session import TMDBSession
    from tmdbkit.workflows.matching import Matches


class MatchPanel(Panel):
    """The rows of a list that are not sure, one after the other, with candidates to choose from.

    Args:
        session: Whom to ask.
        matches: What was matched.
        out: Where the list is written after each choice; default nowhere.
    """

    _heading = "Titles to decide"

    def __init__(
        self, session: TMDBSession, matches: Matches, out: str | Path | None = None
    ) -> None:
        self.picking = Picking(session, matches, out)
        self._online = not session.offline
        self._row, self._said, self._films = Line(), Line(), ipywidgets.VBox()
        self._words = ipywidgets.Text(placeholder="another title, or an id", layout=wide("18em"))
        self._search = button("Search", "look for another title, or an id", icon="search")
        self._none = button("None", "it is none of these", icon="ban")
        self._skip = button("Skip", "decide later", icon="forward")
        self._search.on_click(lambda _: self._try(lambda: self._show(self._words.value.strip())))
        self._none.on_click(lambda _: self._go_on(lambda: self.picking.choose(None)))
        self._skip.on_click(lambda _: self._go_on(self.picking.skip))
        controls = row(self._none, self._skip, self._words, self._search)
        self.widget = column(self._row, self._films, controls, self._said)
        self._go_on(lambda: None)

    def _go_on(self, decide: Callable[[], None]) -> None:
        """Do what a person says, and show the next row."""

        def show() -> None:
            decide()
            self._words.value = ""
            self._show()

        self._try(show)

    def _show(self, text: str = "") -> None:
        over = self.picking.is_over
        for one in (self._none, self._skip, self._search):
            one.disabled = over
        self._row.say("all rows were gone through" if over else self.picking.heading())
        found = [] if over else self.picking.candidates(text)
        self._films.children = [self._drawn(one) for one in found]

    def _drawn(self, one: Candidate) -> ipywidgets.HBox:
        chosen = button("This one", f"take TMDB {one.tmdb_id}", icon="check")
        chosen.on_click(lambda _: self._go_on(lambda: self.picking.choose(one)))
        facts = [str(one.year or "no date"), *one.directors]
        facts += [f"{one.minutes} min"] * bool(one.minutes) + [counted_votes(one.votes)]
        text = line(one.title, "font-weight:bold") + line(" · ".join(facts), "opacity:0.7")
        has_poster = self._online and one.poster.startswith("/")
        poster = image_url(one.poster, "w92") if has_poster else ""
        drawing = Drawing()
        drawing.draw(
            draw_row(
                block(text, "order:1;min-width:0px"),
                picture(poster, 44) if poster else cover(one.title, one.tmdb_id, width=44),
            )
        )
        return row(chosen, drawing)

    def _try(self, verb: Callable[[], None]) -> None:
        """Do it, and tell what does not fit in one line."""
        self._said.say()
        try:
            verb()
        except TMDBKitError as error:
            self._said.say(str(error), severity="error")

    @property
    def _call(self) -> str:
        return "picking.choose(picking.candidates()[0]); picking = notebook.match(…).picking"

    def _facts(self) -> list[tuple[str, str]]:
        return counted_facts({"gone through": self.picking.place, "rows": len(self.picking.rows)})
