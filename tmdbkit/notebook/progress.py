"""Progress as a widget in a live notebook, and as a stable sentence in a saved one."""

from __future__ import annotations

from typing import Any

from tmdbkit.display import escaped
from tmdbkit.progress import Pace


class ProgressView:
    """A bar and a line: how many are done, how fast, how long it takes, and what else there is."""

    def __init__(self) -> None:
        import ipywidgets

        self._bar = ipywidgets.IntProgress(max=1, layout={"width": "16em"})
        self._line = ipywidgets.HTML()
        self._pace = Pace(0)
        self.widget = ipywidgets.HBox([self._bar, self._line], layout={"flex_flow": "row wrap"})

    def begin(self, what: str, total: int) -> None:
        """Begin anew."""
        self._pace = Pace(total)
        self._bar.max, self._bar.value = max(total, 1), 0
        self._line.value = escaped(f"{what} {total:,}" if total else what)

    def update(self, done: int, note: str = "") -> None:
        """Move it."""
        self._bar.value = done
        parts = (f"{done:,} of {self._bar.max:,}", self._pace.describe(done), note)
        self._line.value = escaped(" · ".join(part for part in parts if part))

    def end(self) -> None:
        """Leave it as it is."""

    def close(self) -> None:
        """Take it away."""
        for widget in (self._bar, self._line, self.widget):
            widget.close()


class WidgetProgress:
    """A bar and a line while the work is under way; what stays is one sentence.

    The sentence is the text of the same output, so a saved notebook, which has no widgets, shows
    what was done and nothing that changes from run to run.
    """

    def __init__(self) -> None:
        self._view: Any = None

    def begin(self, what: str, total: int) -> None:
        """Show the bar."""
        from IPython.display import display

        self._view = ProgressView()
        self._view.begin(what, total)
        bundle = dict(self._view.widget._repr_mimebundle_() or {})
        noun = "movie" if total == 1 else "movies"
        bundle["text/plain"] = f"{what} {total:,} {noun}"
        display(bundle, raw=True)  # type: ignore[no-untyped-call]

    def update(self, done: int, note: str = "") -> None:
        """Move it."""
        self._view.update(done, note)

    def end(self) -> None:
        """Take it away; the sentence stays."""
        self._view.close()
