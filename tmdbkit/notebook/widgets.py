"""What widgets share: how they are laid out, what a saved notebook keeps of them, and one line."""

from __future__ import annotations

from typing import Any

import ipywidgets

from tmdbkit.display import BORDER, Drawn, badge, block, line
from tmdbkit.display import row as draw_row


class Panel(Drawn):
    """A widget, and what is shown where no kernel runs: HTML, or text."""

    widget: ipywidgets.Widget

    @property
    def _call(self) -> str:
        """What a cell calls to do the same."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        live = self.widget._repr_mimebundle_() or {}
        told = f"without buttons, call {self._call}"
        html = self._repr_html_() + line(told, "opacity:0.7;padding-top:8px")
        return {**live, "text/html": html, "text/plain": f"{self!r}\n{told}"}


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Return widgets side by side, and on the next line where the screen is narrow."""
    return ipywidgets.HBox(widgets, layout={"flex_flow": "row wrap", "align_items": "center"})


def together(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Return widgets side by side, however narrow the screen is."""
    return ipywidgets.HBox(widgets, layout={"flex": "0 0 auto"})


def column(*widgets: ipywidgets.Widget) -> ipywidgets.VBox:
    """Return widgets one below the other, in a frame."""
    layout = {"border": BORDER, "padding": "12px", "max_width": "56em"}
    return ipywidgets.VBox(widgets, layout=layout)


def wide(width: str) -> dict[str, str]:
    """Return the layout of a widget that is so wide where there is room for it."""
    return {"width": width, "max_width": "calc(100% - 4px)"}


def button(text: str, tooltip: str, style: str = "", icon: str = "") -> ipywidgets.Button:
    """Return a button; the tooltip tells which verb it does."""
    return ipywidgets.Button(
        description=text, tooltip=tooltip, button_style=style, icon=icon, layout={"width": "7.5em"}
    )


class Line(ipywidgets.HTML):  # type: ignore[misc]
    """One line of text, whoever wrote it; an error gets a badge."""

    def say(self, text: str = "", *, severity: str = "") -> None:
        """Show a text in place of the last one."""
        told = line(text, "line-height:1.5")
        self.value = text and (draw_row(badge(severity), told) if severity else told)


class Drawing(ipywidgets.HTML):  # type: ignore[misc]
    """HTML of an object that draws itself; the widget's own lines would stand far apart."""

    def draw(self, html: str) -> None:
        """Show it in place of the last one."""
        self.value = block(html, "line-height:1.5") if html else ""
