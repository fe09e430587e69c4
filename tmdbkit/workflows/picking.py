"""The rows of a list that are not sure, one after the other, and what a person says of them."""

from __future__ import annotations

from pathlib import Path

from tmdbkit.matching.candidates import SHOWN, Candidate
from tmdbkit.matching.matched import candidates_of, with_choice
from tmdbkit.progress import Silent
from tmdbkit.tables import id_in
from tmdbkit.tmdb.client import TMDBClient, ask_each
from tmdbkit.tmdb.session import TMDBSession
from tmdbkit.workflows.matching import OF_THE_ROW, Matches, write_matched
from tmdbkit.workflows.searching import by_id, details, found_by


class Picking:
    """Goes through the rows that are not sure; each choice is written at once.

    Args:
        session: Whom to ask.
        matches: What was matched.
        out: Where the list is written; default nowhere.

    Attributes:
        frame: The list with all choices so far.
        rows: Which of its rows were not sure.
        place: How many of them were gone through.
    """

    def __init__(
        self, session: TMDBSession, matches: Matches, out: str | Path | None = None
    ) -> None:
        self.frame = matches.frame
        self.rows = [row for row, sure in enumerate(self.frame["sure"]) if not sure]
        self.place = 0
        self._client = TMDBClient(session, progress=Silent())
        self._asked, self._out = matches.asked, out

    @property
    def is_over(self) -> bool:
        """Whether there is no other row."""
        return self.place >= len(self.rows)

    @property
    def was_asked_for(self) -> bool:
        """Whether TMDB was asked what the row may mean, and answered."""
        return bool(self.frame["how"][self.rows[self.place]])

    def heading(self) -> str:
        """Return the row, and what it asks for."""
        asked = self._asked[self.rows[self.place]]
        year = f" ({asked.year})" if asked.year else ""
        facts = [asked.director, f"{asked.minutes} min" if asked.minutes else ""]
        told = " · ".join([f"{asked.title or asked.id}{year}", *filter(None, facts)])
        return f"{self.place + 1} of {len(self.rows)}: {told}"

    def candidates(self, text: str = "") -> list[Candidate]:
        """Return what the row may mean, or what TMDB has under a title or an id, with details."""
        found = self._search(text) if text else candidates_of(self.frame, self.rows[self.place])
        return [*ask_each(self._client, self._with_details, found[:SHOWN], "looking up film")]

    def _with_details(self, film: Candidate) -> Candidate:
        try:
            return details(self._client, film.tmdb_id)
        except OF_THE_ROW:
            return film

    def _search(self, text: str) -> list[Candidate]:
        named = id_in(text)
        own = None if named is None else by_id(self._client, named)
        return [*([own] if own else []), *found_by(self._client, text)]

    def choose(self, film: Candidate | None) -> None:
        """Take a film for the row, or none at all, and go on to the next."""
        self.frame = with_choice(self.frame, self.rows[self.place], film)
        self.place += 1
        if self._out is not None:
            write_matched(self.frame, self._out)

    def skip(self) -> None:
        """Go on to the next row without a decision."""
        self.place += 1
