"""What a stage says of itself in `stage.json`: its layout, its language, a sample's present."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tmdbkit.exceptions import StageError
from tmdbkit.stage.storage import Root, writing
from tmdbkit.stage.tables import LAYOUT, MARKER
from tmdbkit.surrogates import loads

LANGUAGE, CHANGING, SINCE, PRESENT = "language", "changing", "since", "present"
FIRST = "language.json"  # who may note the first language of a stage that was begun without one


class Marker:
    """The file by which a folder is a stage; keys that it does not know stay as they are.

    A stage is in one language, that of the payloads. It is noted with the first of them, and while
    all are fetched again in another one, the marker says so: until that is finished, nothing else
    is fetched. A stage of before has none until more is staged.

    Raises:
        StageError: It cannot be a stage of ours.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._check_layout()

    def begin(self, language: str | None = None) -> None:
        """Make the stage where there is none, or one of today's of an older; note a language.

        Raises:
            StageError: It is in another language, or cannot be made.
            StopError: It cannot be written to.
        """
        said = self._read() or self._created({LANGUAGE: language} if language else {})
        noted = {**said, "layout": LAYOUT}
        if language and not said.get(LANGUAGE):
            noted[LANGUAGE] = self._first(language)
            self._check_same(noted, language)
        if noted != said:
            self._write(noted)
            said = noted
        self._check_same(said, language)

    def check(self, language: str) -> None:
        """Make sure that payloads in this language may be added; nothing is written.

        Raises:
            StageError: It is in another one, or on the way to one.
        """
        said = self._read()
        if CHANGING in said:
            raise StageError(
                f"not all of {self._root} is in {said[LANGUAGE]} yet; "
                f"finish that with tmdbkit refresh --language {said[LANGUAGE]}"
            )
        self._check_same(said, language)

    @property
    def language(self) -> str | None:
        """The language, or the one that it is on the way to; None where nobody noted it."""
        return self._read().get(LANGUAGE)

    @property
    def is_changing(self) -> bool:
        """Whether not all payloads are in that language yet."""
        return CHANGING in self._read()

    def change(self, language: str) -> datetime | None:
        """Begin or go on to change the language; return which payloads are to be fetched again.

        Returns:
            The instant before which they were fetched; None where all are in this language.
        """
        said = self._read()
        is_same = _is_same(said.get(LANGUAGE), language)
        if is_same and CHANGING not in said:
            return None
        since = _since(said) if is_same else None
        if since is None:
            if not said.get(LANGUAGE):
                self._first(language)  # whoever is about to note the old one comes too late
            # In two steps: once the first is seen, nobody adds a payload in the old language, so
            # that each of the second's time or later is in the new one.
            begun = {**said, "layout": LAYOUT, LANGUAGE: language}
            self._write({**begun, CHANGING: {"from": said.get(LANGUAGE)}})
            since = datetime.now(UTC)
            noted = {"from": said.get(LANGUAGE), SINCE: since.isoformat()}
            self._write({**begun, CHANGING: noted})
        return since

    def changed(self, language: str) -> None:
        """Note that all payloads are in the language, unless somebody wants another one by now."""
        said = self._read()
        if _is_same(said.get(LANGUAGE), language):
            self._write({name: value for name, value in said.items() if name != CHANGING})

    def stand_still(self, at: datetime) -> None:
        """Let it be that instant in the stage, for whoever opens it: a sample does not age."""
        said = self._read() or self._created({})
        if said.get(PRESENT) != at.isoformat():
            self._write({**said, PRESENT: at.isoformat()})

    @property
    def stands_still(self) -> bool:
        """Whether it is always the same instant in the stage."""
        return PRESENT in self._read()

    def clock(self) -> Callable[[], datetime]:
        """Return what tells the time in the stage: the clock, unless it stands still."""
        text = self._read().get(PRESENT)
        if text is None:
            return lambda: datetime.now(UTC)
        present = datetime.fromisoformat(text).astimezone(UTC)
        return lambda: present

    def _check_layout(self) -> None:
        """Refuse a folder that cannot be a stage of ours, before anything is done with it."""
        root = self._root
        if root.folder and root.folder.exists() and not root.folder.is_dir():
            raise StageError(f"{root} is a file; a stage is a folder: name another with --stage")
        layout = self._read().get("layout", LAYOUT)
        if layout > LAYOUT:
            raise StageError(
                f"{root} is of a newer tmdbkit (layout {layout}, this one knows {LAYOUT}); "
                "upgrade with: pip install --upgrade tmdbkit"
            )

    def _check_same(self, said: dict[str, Any], language: str | None) -> None:
        there = said.get(LANGUAGE)
        if there and language and not _is_same(there, language):
            raise StageError(
                f"{self._root} is in {there}, and {language} is asked for; set TMDBKIT_LANGUAGE "
                f"to {there}, or fetch all of it in {language}: tmdbkit refresh --language "
                f"{language}"
            )

    def _read(self) -> dict[str, Any]:
        """Return what it says; {} where there is no stage yet."""
        try:
            content = self._root.read(MARKER)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StageError(
                f"{self._root} cannot be read ({error.strerror}); is it a stage?"
            ) from None
        try:
            said = _facts(content)
            _check_meant(said)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StageError(
                f"{self._root.source(MARKER)} cannot be read; is {self._root} a stage?"
            ) from None
        return said

    def _created(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Make it where there is none, and return what it says: of two who do, one has made it."""
        made = {"layout": LAYOUT, **facts}
        try:
            return made if self._root.create(MARKER, _content(made)) else self._read()
        except OSError as error:
            raise StageError(f"{self._root} cannot be made: {error.strerror}") from error

    def _first(self, language: str) -> str:
        """Return the first language that anybody wanted to note: this one, or another's."""
        with writing(self._root):
            if self._root.create(FIRST, _content({LANGUAGE: language})):
                return language
            return str(json.loads(self._root.read(FIRST))[LANGUAGE])

    def _write(self, said: dict[str, Any]) -> None:
        with writing(self._root):
            self._root.write(MARKER, _content(said))


def layout_of(content: bytes) -> int:
    """Return the layout that a marker says; a ValueError, TypeError or KeyError where it is none.

    What is nested too deeply is one of them.
    """
    return _layout(_facts(content))


def _facts(content: bytes) -> dict[str, Any]:
    said: dict[str, Any] = loads(content.decode("utf-8-sig"))
    return said


def _layout(said: dict[str, Any]) -> int:
    layout = said["layout"]
    if isinstance(layout, bool) or not isinstance(layout, int) or layout < 1:
        raise ValueError("layout")
    return layout


def _check_meant(said: dict[str, Any]) -> None:
    """Raise whatever comes of it where this is no marker; a newer layout may be of any form."""
    if _layout(said) > LAYOUT:
        return
    language = said.get(LANGUAGE)
    if not isinstance(language, str | None) or (CHANGING in said and not language):
        raise ValueError(LANGUAGE)
    _since(said)
    datetime.fromisoformat(said.get(PRESENT, "2026-01-01"))


def _since(said: dict[str, Any]) -> datetime | None:
    text = said.get(CHANGING, {}).get(SINCE)
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _content(said: dict[str, Any]) -> bytes:
    return f"{json.dumps(said)}\n".encode()


def _is_same(one: str | None, other: str) -> bool:
    """Tell whether two tags are of one language: `de-DE` and `de-de` are (BCP 47)."""
    return one is not None and one.casefold() == other.casefold()
