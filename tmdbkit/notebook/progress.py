"""Progress as a widget in a live notebook, and as a stable sentence in a saved one."""

from __future__ import annotations

from typing import Any


class WidgetProgress:
    """A bar and a line while the work is under way; what stays is one sentence.

    The sentence is the text of the same output, so a saved notebook, which has no widgets, shows
    what was done and nothing that changes from run to run.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._line: Any = None
        self._box: Any = None

    def begin(self, what: str, total: int) -> None:
        """Show the bar."""
        import ipywidgets
        from IPython.display import display

        self._bar = ipywidgets.IntProgress(max=max(total, 1), layout={"width": "24em"})
        self._line = ipywidgets.Label()
        self._box = ipywidgets.HBox([self._bar, self._line])
        bundle = dict(self._box._repr_mimebundle_() or {})
        noun = "movie" if total == 1 else "movies"
        bundle["text/plain"] = f"{what} {total:,} {noun}"
        display(bundle, raw=True)  # type: ignore[no-untyped-call]

    def update(self, done: int, note: str = "") -> None:
        """Move it."""
        self._bar.value = done
        self._line.value = f"{done:,} of {self._bar.max:,}" + (f" · {note}" if note else "")

    def end(self) -> None:
        """Take it away; the sentence stays."""
        for widget in (self._bar, self._line, self._box):
            widget.close()
