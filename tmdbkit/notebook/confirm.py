"""Pushing in a notebook: the plan is looked at, confirmed, and sent exactly so."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import ipywidgets

from tmdbkit.convex.plan import MovieChange
from tmdbkit.display import draw_facts, fold, line, plain_lines
from tmdbkit.exceptions import TMDBKitError
from tmdbkit.notebook.widgets import Drawing, Line, Panel, button, column, row, wide
from tmdbkit.notebook.work import BackgroundJob
from tmdbkit.progress import Silent
from tmdbkit.workflows import plan_push, push

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tmdbkit.convex.changes import Change
    from tmdbkit.convex.plan import Plan
    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Target
    from tmdbkit.progress import Progress
    from tmdbkit.stage.stage import Stage

OFFERED = 300  # movies in the box's list; any other is named by its title or id
TOLD_APART = 8  # movies whose titles have what was typed
LISTED = 50  # lines of what is withheld


class PushPanel(Panel):
    """Shows a plan and, once it is confirmed, sends exactly that.

    Args:
        stage: Whose movies go, and whose import log tells what was done.
        target: Where they go.
        ids: Only these; default all that are staged.
        choices: `scope, limit, people, images`, as `plan_push` takes them.
    """

    def __init__(
        self, stage: Stage, target: Target, ids: Iterable[int] | None = None, **choices: Any
    ) -> None:
        self.stage, self.target = stage, target
        self.plan: Plan | None = None
        self.result: PushResult | None = None
        self._people = choices.get("people")
        self._make()
        try:
            self.plan = plan_push(stage, target, ids, progress=Silent(), **choices)
        except TMDBKitError as error:
            self._said.say(str(error), severity="error")
        self._draw()

    def _make(self) -> None:
        self._said, self._drawn, self._change = Line(), Drawing(), Drawing()
        self.work = BackgroundJob(self._said, pausable=False)
        self._movie = ipywidgets.Combobox(
            placeholder="a movie's changes: title or id",
            continuous_update=False,
            layout=wide("24em"),
        )
        self._movie.observe(lambda _: self._show_change(), "value")
        self._name = ipywidgets.Text(
            placeholder=f"type {self.target.title.name} to confirm", layout=wide("24em")
        )
        self._name.observe(lambda _: self._allow(), "value")
        self._send = button("Send", "send exactly this plan", "primary", "upload")
        self._send.layout.width = "auto"
        self._send.on_click(lambda _: self.send())
        self.widget = column(
            self._drawn,
            self._movie,
            self._change,
            row(self._name, self._send),
            self._said,
            self.work.widget,
        )

    # What a person does.

    @property
    def confirmed(self) -> bool:
        """Whether sending is allowed: a production target wants its name typed."""
        title = self.target.title
        return title.kind != "prod" or self._name.value.strip() == (title.name or title.location)

    def send(self) -> None:
        """Send the plan in a thread; the verb is `push(..., plan=...)`."""
        plan = self.plan
        if plan is None or not plan or not self.confirmed or self.result is not None:
            return
        self._said.say()
        self._send.disabled = True

        def do(progress: Progress) -> PushResult:
            return push(self.stage, self.target, plan=plan, people=self._people, progress=progress)

        self.work.start(do, self._show_result, self._allow)

    def _show_result(self, result: PushResult) -> None:
        self.result = result
        self._draw()

    def _show_change(self) -> None:
        """Show what would be done to the movie that the box names, by title or by id."""
        text = self._movie.value.strip()
        self._change.draw("")
        self._said.say()
        if not text or self.plan is None:
            return
        match _meant(text, self.plan.changes):
            case []:
                self._said.say(f"{text!r} is not in the plan")
            case [one]:
                self._change.draw(MovieChange(one)._repr_html_())
            case several:
                named = ", ".join(_label(change) for change in several[:TOLD_APART])
                rest = len(several) - TOLD_APART
                more = f", and {rest:,} more" if rest > 0 else ""
                self._said.say(f"{text!r} is in several titles: {named}{more}")

    # What is seen.

    def _draw(self) -> None:
        self._drawn.draw(self._repr_html_())
        plan = self.plan
        if plan is not None:
            moving = (change for change in plan.changes if change.kind != "unchanged")
            self._movie.options = [_label(change) for change in islice(moving, OFFERED)]
            going = sum(change.goes for change in plan.changes)
            self._send.description = f"Send {going:,} changes" if going else "Nothing to send"
        self._name.layout.display = "" if self.target.title.kind == "prod" else "none"
        self._allow()

    def _allow(self) -> None:
        ready = bool(self.plan) and self.result is None and not self.work.running
        self._send.disabled = not (ready and self.confirmed)

    def _withheld(self) -> list[str]:
        """Return what is not sent, and why, a line each."""
        if self.plan is None:
            return []
        lines = [
            f"{change.title}: {line}"
            for change in self.plan.changes
            for line in (*([change.reason] if change.reason else []), *change.withheld)
        ]
        rest = len(lines) - LISTED
        return lines[:LISTED] + ([f"and {rest:,} more in .plan.fields()"] if rest > 0 else [])

    @property
    def _call(self) -> str:
        return "push(stage, target, plan=plan_push(stage, target))"

    def __repr__(self) -> str:
        shown = [repr(drawn) for drawn in (self.plan, self.result) if drawn is not None]
        lines = plain_lines(f"not sent: {told}" for told in self._withheld())
        return "\n".join([f"push to {self.target.title}", *shown, *([lines] if lines else [])])

    def _repr_html_(self) -> str:
        if self.plan is None:
            return draw_facts("Push", [("target", str(self.target.title))])
        lines = "".join(line(told, "padding:2px 0") for told in self._withheld())
        more = fold("not sent, and why", lines)
        came = self.result._repr_html_() if self.result else ""
        return f"{self.plan._repr_html_()}{more}{came}"


def _label(change: Change) -> str:
    return f"{change.title} ({change.tmdb_id})"


def _meant(text: str, changes: Sequence[Change]) -> list[Change]:
    """Return the movies that a text may mean: by id or label, else by title, else by a part."""
    named = [change for change in changes if text in (str(change.tmdb_id), _label(change))]
    part = text.casefold()
    titled = [change for change in changes if part in change.title.casefold()]
    return named or [one for one in titled if one.title.casefold() == part] or titled
