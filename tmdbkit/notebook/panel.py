"""Review in a notebook: one movie at a time, a button for each verb of the queue."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from tmdbkit.display import BADGES, SYSTEM_NAMES, fold, line
from tmdbkit.exceptions import DecidedMeanwhile, TMDBKitError, UsageError
from tmdbkit.notebook.all_shown import AllShown
from tmdbkit.notebook.filters import ANY, draw, filters
from tmdbkit.notebook.keys import Keys
from tmdbkit.notebook.widgets import Drawing, Line, Panel, button, column, row, together, wide
from tmdbkit.review import ReviewQueue
from tmdbkit.review.assessment import assess, kept, of_some
from tmdbkit.review.told import lines
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.decisions import PLAIN_FIELDS, typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit.review.item import Item
    from tmdbkit.stage.stage import Stage

AT_ONCE = 5_000  # movies that are looked through before a panel opens
FEW = 100  # movies that a larger stage's panel opens with, while the others are looked through
LOOKING = (
    "These are the first few movies; the worst of all come as soon as all were looked through."
)
# Of the buttons that decide; JupyterLab's own orange, with its white text, is hard to read.
COLOURS = {"approve": BADGES["pass"][1], "hold": BADGES["warning"][1], "reject": BADGES["error"][1]}
ENTERED = 1.0  # seconds within which a browser that says Enter, or Correct, says what was typed
TYPED = "{} is typed and not set: press Enter in its field, or Correct; or empty the field"
DEEDS = ("approve", "hold", "reject", "accept", "next", "back", "undo", "note")
KEYS = dict(zip("ahrpnbuw", DEEDS, strict=True))
KEYS_SAID = " · ".join(f"{key} {name}" for key, name in KEYS.items())
NOTING = 1.0  # seconds after `w` in which what is typed belongs to the note, whoever has the focus
UNREAD = 0.5  # seconds in which nobody has read that somebody else was first
NOTHING_LEFT = "Nothing is left to decide here; choose another state to see others."


class ReviewPanel(Panel):
    """Shows what a queue looks at, and does its verbs; a cell can call `queue` all the same.

    Args:
        stage: What is reviewed.
        by: Whose name decisions carry; default as the settings say, or the login.
        clock: Seconds that only grow.
        shown: What to show first, by the attributes of `review.Filter`.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        by: str = "",
        clock: Callable[[], float] = time.monotonic,
        **shown: Any,
    ) -> None:
        self._clock, self._entered_at, self._noted_at = clock, -ENTERED, -NOTING
        self._refused_at = -UNREAD
        self._lock = threading.RLock()  # a large stage is looked through while a person clicks
        self._drawing = False
        self._in_view: int | None = None
        self._queue, whole, hint = _opened(stage, by)
        if shown:
            self._queue.show(**shown)
        self._make()
        self._queue.listeners.append(self._draw)
        self._draw()
        self._said.say(hint)
        self._looking = threading.Thread(target=self._look, name="tmdbkit-look", daemon=True)
        if not whole:
            self._looking.start()

    @property
    def queue(self) -> ReviewQueue:
        """The queue behind the panel, once the whole stage has been looked through."""
        if self._looking.is_alive():
            self._looking.join()
        return self._queue

    def _look(self) -> None:
        """Look through the whole stage; what was corrected meanwhile is judged once more."""
        try:
            seen = assess(self._queue.stage)
            with self._lock:
                self._queue.take(seen.rejudged(self._queue.stage, self._queue.corrected))
                self._said.say()
        except TMDBKitError as error:
            self._said.say(str(error), severity="error")

    # The widgets.

    def _make(self) -> None:
        self._bar = ipywidgets.IntProgress(layout=wide("16em"))
        self._reviewed, self._place = Line(), Line()
        self._card, self._past = Drawing(), Drawing()
        self._said, self._old = Line(), Line()
        self._filters = filters()
        for name, widget in self._filters.items():
            widget.observe(partial(self._filter, name), "value")
        self._note = ipywidgets.Text(placeholder="a note, where you like", layout=wide("31em"))
        self._note.on_msg(lambda _, content, __: self._note_done(content))
        self._keys = Keys(self._press, placeholder="keys", layout=wide("6em"))
        self._keys.tooltip = "a key that is typed here is done at once"
        keys_said = Drawing()
        keys_said.draw(line(KEYS_SAID, "opacity:0.7"))
        self._field = ipywidgets.Dropdown(options=_fields(), layout=wide("13em"))
        self._field.observe(lambda _: self._show_old(), "value")
        # Told when it is left or entered: what is told letter by letter may be late for an Enter.
        self._new = ipywidgets.Text(
            placeholder="new value, or none", continuous_update=False, layout=wide("11em")
        )
        self._new.on_msg(self._enter)
        self._new.observe(self._take_in, "value")
        self._buttons = _buttons()
        for name, widget in self._buttons.items():
            widget.on_click(partial(self._click, name))
        self._all = AllShown(self._queue, self._do, self._said.say, lambda: self._note.value)
        deciding = together(*(self._buttons[name] for name in COLOURS))
        looking = together(*(self._buttons[name] for name in ("back", "next", "undo")))
        self.widget = column(
            row(self._bar, self._reviewed, self._place),
            row(*self._filters.values()),
            self._card,
            self._past,
            self._said,
            self._note,
            row(deciding, looking, self._buttons["undecide"], self._buttons["take_back"]),
            row(self._keys, keys_said),
            row(
                self._field,
                self._old,
                self._new,
                self._buttons["correct"],
                self._buttons["accept"],
            ),
            self._all.widget,
        )

    # What a person does.

    def _click(self, name: str, _: Any) -> None:
        self._keys.empty()
        self._act(name)

    def _act(self, name: str) -> None:
        if self._clock() - self._refused_at < UNREAD:
            return  # meant for the next movie, and this one would be overruled unseen
        verbs: dict[str, Callable[[], Any]] = {
            "back": lambda: self._queue.go(-1),
            "next": lambda: self._queue.go(1),
            "undo": self._undo,
            "correct": self._correct,
            "accept": lambda: self._queue.accept(self._in_view),
            "undecide": lambda: self._queue.undecide(self._in_view, note=self._note.value),
            "take_back": lambda: self._queue.undo(self._in_view),
        }
        verb = verbs.get(name) or partial(self._decide, name)
        self._do(verb if name == "correct" else partial(self._unless_typed, verb))

    def _press(self, key: str) -> None:
        """Do what a key stands for; what follows a `w` before the focus has moved is the note's."""
        if self._clock() - self._noted_at < NOTING:
            self._note.value += key
        elif KEYS.get(key.lower()) == "note":
            self._noted_at = self._clock()
            self._note.focus()
        elif name := KEYS.get(key.lower()):
            self._act(name)
        else:
            self._said.say(f"{key} is no key; there are {KEYS_SAID}")

    def _note_done(self, content: dict[str, Any]) -> None:
        """Go back to the keys with an Enter."""
        if content.get("event") == "submit":
            self._noted_at = -NOTING
            self._keys.empty()
            self._keys.focus()

    def _unless_typed(self, verb: Callable[[], Any]) -> None:
        """Do what would look at another movie, unless a value for this one was typed, and not set.

        Raises:
            UsageError: One was.
        """
        if typed_here := self._new.value.strip():
            raise UsageError(TYPED.format(typed_here))
        verb()

    def _enter(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Note an Enter, which a browser tells before the value that was typed."""
        if content.get("event") == "submit":
            self._entered_at = self._clock()
            if self._new.value.strip():  # it was told when the field was left, and is not again
                self._said.say(TYPED.format(self._new.value.strip()))

    def _take_in(self, change: dict[str, Any]) -> None:
        """Set a value that was entered; one whose field was merely left waits."""
        entered = self._clock() - self._entered_at < ENTERED
        self._entered_at = -ENTERED
        if entered and change["new"].strip():
            self._click("correct", None)

    def _decide(self, verb: str) -> None:
        """Decide on the movie that is in view, whatever a cell has done with the queue."""
        getattr(self._queue, verb)(self._in_view, note=self._note.value)
        self._said.say(self._queue.said)  # what it waives

    def _undo(self) -> None:
        self._said.say("taken back" if self._queue.undo() else "nothing to take back")

    def _correct(self) -> None:
        field, text, note = self._field.value, self._new.value.strip(), self._note.value
        if not text:  # a browser may tell a click, as it tells an Enter, before what was typed
            self._entered_at = self._clock()
        value = typed(text)
        self._new.value = self._note.value = ""  # before: a person may type on meanwhile
        try:
            self._queue.correct(field, value, self._in_view, note=note)
        except TMDBKitError:
            self._new.value, self._note.value = text, note
            raise

    def _filter(self, name: str, change: dict[str, Any]) -> None:
        if not self._drawing:
            self._keys.empty()
            chosen = None if change["new"] == ANY else change["new"]
            self._do(partial(self._unless_typed, partial(self._queue.show, **{name: chosen})))
            self._draw_filters()  # as they were, where it was not done

    def _do(self, verb: Callable[[], Any]) -> None:
        """Do it, and tell what does not fit in one line."""
        with self._lock:
            self._said.say()
            try:
                verb()
            except DecidedMeanwhile as error:
                self._refused_at = self._clock()
                self._said.say(str(error), severity="warning")
            except TMDBKitError as error:
                self._said.say(str(error), severity="error")

    # What is seen.

    def _draw(self) -> None:
        with self._lock:
            item = self._queue.current
            self._draw_filters()
            self._draw_progress()
            self._card.draw(item._repr_html_() if item else line(NOTHING_LEFT))
            for name, widget in self._buttons.items():
                widget.disabled = item is None and name not in ("back", "undo")
            self._draw_proposals(item)
            self._draw_past(item)
            self._all.forget()
            if (now := item.tmdb_id if item else None) != self._in_view:
                self._note.value = self._new.value = ""  # they were about another movie
                self._field.value = _field_to_correct(item)
            self._in_view = now
            self._show_old(item)

    def _draw_filters(self) -> None:
        """Show what the queue shows, without asking it to show that."""
        self._drawing = True
        draw(self._filters, self._queue)
        self._drawing = False

    def _draw_progress(self) -> None:
        decided, movies = self._queue.progress
        self._bar.max, self._bar.value = max(movies, 1), decided
        self._reviewed.say(f"{decided:,} of {movies:,} reviewed")
        to_go = self._queue.shown.state in ("undecided", "changed")
        told = f"{self._queue.left:,} to go" if to_go else f"{len(self._queue):,} shown"
        self._place.say(f"· {told}")

    def _draw_proposals(self, item: Item | None) -> None:
        """Offer what the findings propose, or nothing."""
        proposed = [str(one) for one in item.proposals] if item else []
        accept = self._buttons["accept"]
        accept.layout.display = "" if proposed else "none"
        few = proposed[0] if len(proposed) == 1 else f"{len(proposed)} values"
        accept.description, accept.tooltip = f"Accept {few}", f"set {', '.join(proposed)}"

    def _draw_past(self, item: Item | None) -> None:
        """Fold away who decided what on the movie, and offer to take back what stands."""
        told = lines(self._queue.history(item.tmdb_id)) if item else []
        self._past.draw(fold(f"history ({len(told)})", "".join(map(line, told))))
        has_verdict = item is not None and item.verdict is not None
        stands = has_verdict or (item is not None and bool(item.overrides))
        self._buttons["undecide"].layout.display = "" if has_verdict else "none"
        self._buttons["take_back"].layout.display = "" if stands else "none"

    def _show_old(self, item: Item | None = None) -> None:
        item = item or self._queue.current
        old = item.value(self._field.value) if item else None
        self._old.say(f"is {'nothing' if old in (None, '') else old}, becomes")

    # Without a kernel.

    @property
    def _call(self) -> str:
        at = self._queue.current.tmdb_id if self._queue.current else ""
        calls = [f"queue.{verb}({at})" for verb in ("approve", "hold", "reject", "accept")]
        return f"{', '.join(calls)}, queue.undo(); queue = notebook.review(stage).queue"

    def __repr__(self) -> str:
        decided, movies = self._queue.progress
        shown = repr(self._queue.current) if self._queue.current else NOTHING_LEFT
        return f"{decided:,} of {movies:,} reviewed\n{shown}"

    def _repr_html_(self) -> str:
        item = self._queue.current
        decided, movies = self._queue.progress
        head = line(f"{decided:,} of {movies:,} reviewed", "padding-bottom:8px")
        return head + (item._repr_html_() if item else line(NOTHING_LEFT))


def _opened(stage: Stage, by: str) -> tuple[ReviewQueue, bool, str]:
    """Return a queue, whether it has seen the whole stage as it is now, and what to say if not."""
    seen, changed = kept(stage) or (None, set())
    if seen is not None and not changed:
        return ReviewQueue(stage, by=by, seen=seen), True, ""
    if len(ids := stage.ids()) <= AT_ONCE:
        return ReviewQueue(stage, by=by), True, ""
    if seen is None:
        few = of_some(stage, sorted(ids)[:FEW])
        return ReviewQueue(stage, by=by, seen=few), False, LOOKING
    return ReviewQueue(stage, by=by, seen=seen.reread(stage, changed)), False, ""


_BUTTONS = {
    "approve": ("Approve", "let it go, and waive what was found", "check"),
    "hold": ("Hold", "keep it back for now", "pause"),
    "reject": ("Reject", "keep it back for good", "times"),
    "back": ("Back", "look at the one before", "arrow-left"),
    "next": ("Next", "look at the next one", "arrow-right"),
    "undo": ("Undo", "take the latest decision back", "undo"),
    "correct": ("Correct", "set the value by hand; none takes it away", "pencil"),
    "accept": ("Accept", "set what is proposed", "magic"),
    "undecide": ("Undecide", "let nobody have decided on it", "eraser"),
    "take_back": ("Take back", "the latest on this movie, whoever decided it", "undo"),
}


def _buttons() -> dict[str, ipywidgets.Button]:
    made = {name: button(text, told, icon=icon) for name, (text, told, icon) in _BUTTONS.items()}
    for name, colour in COLOURS.items():
        made[name].style = {"button_color": colour, "text_color": "#ffffff"}
    for name in ("accept", "undecide", "take_back"):
        made[name].layout.width = "auto"
    return made


def _field_to_correct(item: Item | None) -> str:
    """Return the field that a correction is offered of: of what is proposed, or found, first."""
    proposed = [one.field for one in item.proposals] if item else []
    found = item.findings["system"].drop_nulls().to_list() if item else []
    offered = {field for _, field in _fields()}
    return next((field for field in (*proposed, *found) if field in offered), SYSTEMS[0])


def _fields() -> list[tuple[str, str]]:
    """Return the fields that a person sets, the points and votes of the five systems first."""
    points = [(f"{SYSTEM_NAMES[system]} points", system) for system in SYSTEMS]
    votes = [(f"{SYSTEM_NAMES[system]} votes", f"{system}_votes") for system in SYSTEMS]
    return [*points, *votes, *((name.replace("_", " "), name) for name in PLAIN_FIELDS)]
