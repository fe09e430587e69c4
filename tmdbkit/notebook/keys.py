"""A field in which each key that is typed does something at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Callable


class Keys(ipywidgets.Text):  # type: ignore[misc]
    """Presses each key once, in the order in which they were typed.

    While a kernel works, a browser gathers what is typed, and sends the whole text later; where the
    kernel empties the field meanwhile, keys are lost, or come twice. So the text grows, and what
    was pressed is told by its place; it is emptied when a person does something else.

    Args:
        press: What a key does.
        looks: Any of `ipywidgets.Text`.
    """

    def __init__(self, press: Callable[[str], None], **looks: Any) -> None:
        self._press = press
        self._pressed = ""  # all that the browser's field had when it was last heard of
        self._emptied = False  # since then; a key may have crossed that
        super().__init__(continuous_update=True, **looks)
        self.observe(self._take, "value")

    def empty(self) -> None:
        """Empty the field; its keys were pressed."""
        self._emptied = True
        self.value = ""

    def _take(self, change: dict[str, Any]) -> None:
        if change["new"] or not self._emptied:  # or nobody has typed that
            for key in self._fresh(change["new"]):
                self._press(key)

    def _fresh(self, text: str) -> str:
        """Return the keys of a text that were not pressed yet."""
        before, self._pressed = self._pressed, text
        more = max(len(text) - len(before), 0)
        if self._emptied and not (more and text.startswith(before)):
            self._emptied = False
            return text
        same = zip(before, text, strict=False)
        start = next((at for at, (old, new) in enumerate(same) if old != new), len(before))
        return text[start : start + more]
