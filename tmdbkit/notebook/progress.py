"""Progress as a widget in a live notebook; a saved one has nothing of it."""

from __future__ import annotations

from typing import Any

from tmdbkit.display import escaped
from tmdbkit.progress import STOPPING, Pace

NOTHING = {"text/plain": ""}


class ProgressView:
    """A bar and a line: how many are done, how fast, how long it takes, and what else there is."""

    def __init__(self) -> None:
        import ipywidgets

        self._bar = ipywidgets.IntProgress(max=1, layout={"width": "16em"})
        self._line = ipywidgets.HTML()
        self._total, self._pace = 0, Pace(0)
        self.widget = ipywidgets.HBox([self._bar, self._line], layout={"flex_flow": "row wrap"})

    def begin(self, what: str, total: int) -> None:
        """Begin anew."""
        self._total, self._pace = total, Pace(total)
        self._bar.max, self._bar.value = max(total, 1), 0
        self._line.value = escaped(f"{what} {total:,}" if total else what)

    def update(self, done: int, note: str = "") -> None:
        """Move it."""
        self._bar.value = done
        parts = (f"{done:,} of {self._total:,}", self._pace.describe(done), note)
        self._line.value = escaped(" · ".join(part for part in parts if part))

    def stop(self) -> None:
        """Say that a wish to stop was heard."""
        self._line.value = escaped(STOPPING)

    def end(self) -> None:
        """Leave it as it is."""

    def close(self) -> None:
        """Take it away."""
        for widget in (self._bar, self._line, self.widget):
            widget.close()


class WidgetProgress:
    """A bar and a line while the work is under way; nothing stays, for the result tells it.

    An output cannot be taken back, but be made an empty text: a saved notebook or Voilà would miss
    the widget that is closed by then.
    """

    def __init__(self) -> None:
        self._view: Any = None
        self._shown: Any = None

    def begin(self, what: str, total: int) -> None:
        """Show the bar."""
        from IPython.display import display

        self._view = ProgressView()
        self._view.begin(what, total)
        bundle = dict(self._view.widget._repr_mimebundle_() or {})
        self._shown = display({**bundle, **NOTHING}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def update(self, done: int, note: str = "") -> None:
        """Move it."""
        self._view.update(done, note)

    def end(self) -> None:
        """Take it away."""
        self._view.close()
        if self._shown is not None:  # there is none outside of a notebook
            self._shown.update(NOTHING, raw=True)
