"""Deciding in a notebook on all that is shown, once a person has seen what that would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tmdbkit.display import line
from tmdbkit.exceptions import UsageError
from tmdbkit.notebook.widgets import Drawing, button, row
from tmdbkit.progress import counted
from tmdbkit.stage.decisions import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit.review import Batch, ReviewQueue

WAIVE = "waive"
CHANGED = "what is shown has changed meanwhile; this is how it would be now"
WHICH = "choose a rule and a system above: it is the error of their whole column that is waived"


class AllShown:
    """Asks before many are decided on, with what the queue says of them.

    Args:
        queue: Whose filter says which.
        act: Runs what a click does, and tells what does not fit.
        say: Tells what was done.
        note: Why, as it is typed.
    """

    def __init__(
        self,
        queue: ReviewQueue,
        act: Callable[[Callable[[], None]], None],
        say: Callable[[str], None],
        note: Callable[[], str],
    ) -> None:
        self._queue, self._say, self._note = queue, say, note
        self._asked: Batch | None = None
        self._kind = ipywidgets.Dropdown(options=(*VERDICTS, WAIVE), layout={"width": "7.5em"})
        self._ask = button("All shown", "look at what it would be, and then say yes", icon="list")
        self._yes, self._no = button("Yes", "do that", "primary"), button("No", "do nothing")
        self._ask.layout.width = self._yes.layout.width = "auto"
        self._facts = Drawing()
        self._ask.on_click(lambda _: act(lambda: self.ask(self._kind.value)))
        self._yes.on_click(lambda _: act(self._decide))
        self._no.on_click(lambda _: self.forget())
        self._answer = row(self._yes, self._no)
        self.widget = ipywidgets.VBox([row(self._kind, self._ask), self._facts, self._answer])
        self.forget()

    def forget(self) -> None:
        """Ask about nothing any more."""
        self._asked = None
        self._facts.draw("")
        self._answer.layout.display = "none"

    def ask(self, kind: str) -> None:
        """Show which movies these are, and what would be done to them."""
        seen: list[Batch] = []

        def look(batch: Batch) -> bool:
            seen.append(batch)
            return False

        self._run(kind, look)
        self._asked = seen[0]
        self._facts.draw("".join(line(told) for told in seen[0].lines()))
        self._yes.description = f"{kind.capitalize()} {seen[0].count:,}"
        self._yes.disabled = seen[0].count == 0
        self._answer.layout.display = ""

    def _decide(self) -> None:
        """Do what was asked about, where it is still the same; else ask again."""
        if (asked := self._asked) is None:
            return
        found: list[Batch] = []

        def is_same(now: Batch) -> bool:
            found.append(now)
            return now == asked

        done = self._run(asked.kind, is_same)
        if found == [asked]:
            self.forget()
            of = "rating" if done.kind == WAIVE else "movie"
            late = [f"{len(done.left_out):,} left out: decided on meanwhile"] * bool(done.left_out)
            told = [f"{done.kind}: {counted(done.count, of)}", self._queue.said, *late]
            self._say("; ".join(filter(None, told)))
        else:
            self.ask(asked.kind)
            self._say(CHANGED)

    def _run(self, kind: str, confirm: Callable[[Batch], bool]) -> Batch:
        queue, shown = self._queue, self._queue.shown
        if kind != WAIVE:
            return queue.decide_all(kind, note=self._note(), confirm=confirm, **vars(shown))
        if shown.rule is None or shown.system is None:
            raise UsageError(WHICH)
        return queue.waive(shown.rule, shown.system, note=self._note(), confirm=confirm)
