"""Long work behind a button: it runs in a thread, so that the kernel can be used meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tmdbkit.exceptions import Interrupted, TMDBKitError
from tmdbkit.fetch.pool import Gate
from tmdbkit.notebook.progress import ProgressView
from tmdbkit.notebook.widgets import Line, button, row

if TYPE_CHECKING:
    from collections.abc import Callable

    import ipywidgets

    from tmdbkit.progress import Progress

STOPPED = "stopped; what came until then is kept, and the same again goes on from here"


class BackgroundJob:
    """One piece of work after the other, each with a live view and a button that stops it.

    Args:
        said: Where an error is shown as one line.
        pausable: Whether it passes a gate, where a button can hold it.
    """

    def __init__(self, said: Line, *, pausable: bool) -> None:
        self.gate = Gate()
        self._said = said
        self._view = ProgressView()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.running = False  # whether something is under way
        self._pause = button("Pause", "hold the requests, and let them on", icon="pause")
        self._stop = button("Stop", "end it as Ctrl-C does; what came is kept", icon="stop")
        self._pause.on_click(lambda _: self._hold_or_let_on())
        self._stop.on_click(lambda _: self.stop())
        self._controls = [*([self._pause] if pausable else []), self._stop]
        self.widget: ipywidgets.Widget = row(self._view.widget, *self._controls)
        self._show(running=False)

    def start(
        self,
        do: Callable[[Progress], Any],
        done: Callable[[Any], None],
        ended: Callable[[], None],
    ) -> None:
        """Begin, where nothing is under way.

        Args:
            do: The work; it reports to this.
            done: Is given what came of it, where it came to its end.
            ended: Is called after that, or after a stop or an error.
        """
        if self.running:
            return
        self._stopped.clear()
        self._let_on()
        self._view.begin("beginning", 0)
        self._show(running=True)
        self._thread = threading.Thread(
            target=self._run, args=(do, done, ended), name="tmdbkit-work", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until it is over."""
        if self._thread is not None:
            self._thread.join(seconds)

    def stop(self) -> None:
        """End it at its next report."""
        self._stopped.set()
        self._view.stop()
        self._let_on()

    def _run(
        self,
        do: Callable[[Progress], Any],
        done: Callable[[Any], None],
        ended: Callable[[], None],
    ) -> None:
        try:
            done(do(self))
        except Interrupted:
            self._said.say(STOPPED)
        except TMDBKitError as error:
            self._said.say(str(error), severity="error")
        except BaseException as error:  # a defect; the log has its traceback
            self._said.say(f"a defect ended it: {type(error).__name__}", severity="error")
            raise
        finally:
            self._show(running=False)
            ended()

    def _show(self, *, running: bool) -> None:
        self.running = running
        self.widget.layout.display = "" if running else "none"

    def _hold_or_let_on(self) -> None:
        if self._pause.description == "Pause":
            self.gate.hold()
            self._pause.description, self._pause.icon = "Go on", "play"
        else:
            self._let_on()

    def _let_on(self) -> None:
        self.gate.let_on()
        self._pause.description, self._pause.icon = "Pause", "pause"

    # What it tells the work, as a `Progress`.

    def begin(self, what: str, total: int) -> None:
        """Begin anew."""
        self._view.begin(what, total)

    def update(self, done: int, note: str = "") -> None:
        """Show how far it is.

        Raises:
            Interrupted: A person wants it to stop.
        """
        if self._stopped.is_set():
            raise Interrupted("stopped")
        self._view.update(done, note)

    def end(self) -> None:
        """Leave the last line as it is."""
