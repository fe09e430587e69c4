"""Which movies the review panel shows: its boxes, and what can be chosen in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from tmdbkit.display import SYSTEM_NAMES
from tmdbkit.notebook.widgets import wide
from tmdbkit.review.item import STATES
from tmdbkit.schema import SYSTEMS

if TYPE_CHECKING:
    from tmdbkit.review import ReviewQueue

ANY = "any"  # a dropdown shows no label for None


def filters() -> dict[str, ipywidgets.Widget]:
    """Return a box for each attribute of `review.Filter`."""
    severities = [("any severity", ANY), ("errors", "error"), ("warnings", "warning")]
    systems = [("any system", ANY), *((SYSTEM_NAMES[name], name) for name in SYSTEMS)]
    short = {"width": "9.5em"}
    return {
        "rule": ipywidgets.Dropdown(options=[("any rule", ANY)], layout=wide("15em")),
        "severity": ipywidgets.Dropdown(options=severities, layout=short),
        "system": ipywidgets.Dropdown(options=systems, layout=short),
        "decade": ipywidgets.Dropdown(options=[("any year", ANY)], layout=short),
        "state": ipywidgets.Dropdown(options=STATES, layout=short),
        "text": ipywidgets.Text(
            placeholder="in the title", continuous_update=False, layout=wide("12em")
        ),
    }


def draw(boxes: dict[str, ipywidgets.Widget], queue: ReviewQueue) -> None:
    """Show what a queue shows, and what else it can."""
    shown = queue.shown
    rules = [(f"{rule} ({count:,})", rule) for rule, count in queue.rules.items()]
    if shown.rule is not None and shown.rule not in queue.rules:
        rules.append((f"{shown.rule} (0)", shown.rule))
    decades = {*queue.decades, *([shown.decade] if shown.decade is not None else [])}
    _offer(boxes["rule"], [("any rule", ANY), *rules])
    _offer(boxes["decade"], [("any year", ANY), *((f"{n}s", n) for n in sorted(decades))])
    for name, box in boxes.items():
        chosen = getattr(shown, name)
        box.value = ANY if chosen is None else chosen


def _offer(box: ipywidgets.Dropdown, options: list[tuple[str, Any]]) -> None:
    """Change what can be chosen, where that is something else: a browser is told each time."""
    if box.options != tuple(options):
        box.options = options
