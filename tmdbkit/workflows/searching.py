"""Asks TMDB which film a row of a list means, in as few requests as that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tmdbkit.exceptions import NotFound
from tmdbkit.matching.asked import Asked
from tmdbkit.matching.candidates import (
    FITS,
    POSSIBLE,
    Candidate,
    Match,
    candidate,
    fit,
    match_candidates,
    queries,
)
from tmdbkit.matching.titles import BEGINS, LAST_PART, bare, likeness
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.tmdb.discovery import id_of

DETAILS = "alternative_titles,credits,translations"
SHORT = 7  # letters of a title that hundreds begin with
LOOKED_INTO = 3  # films whose details are asked for where several may be meant


def find(client: TMDBClient, asked: Asked) -> Match:
    """Return what a row means: the film of its id, or the one of its title."""
    if not asked.is_film:
        return Match()
    own = None if asked.id is None else by_id(client, asked.id)
    if own is None:
        return find_by_title(client, asked) if asked.titles else Match()
    confidence = fit(asked, own) if asked.titles else 1.0
    if confidence < POSSIBLE and not own.is_whole:  # perhaps by a title that was not listed
        own = replace(details(client, own.tmdb_id), imdb_id=own.imdb_id)
        confidence = fit(asked, own)
    found = Match(own, confidence, 1.0, "id", sure=True)
    if confidence >= POSSIBLE or not asked.titles:
        return found
    others = find_by_title(client, asked)
    named = [one for one in _named(others) if one.tmdb_id != own.tmdb_id]
    return replace(found, sure=False, others=[own, *named])


def find_by_title(client: TMDBClient, asked: Asked) -> Match:
    """Return which film a title means; more is asked for only where that is not clear yet."""
    search = _Search(client, asked)
    for query, year in search.queries():
        search.ask(query, year)
    if not search.match.sure:
        search.look_into(search.telling())
    return _with_id(client, asked, search.match)


def by_id(client: TMDBClient, named: int | str) -> Candidate | None:
    """Return the film of an id, IMDb's or TMDB's, with its details; None where there is none."""
    if isinstance(named, str):
        found = _films(client.find(named)["movie_results"])
        return replace(found[0], imdb_id=named) if found else None
    with suppress(NotFound):
        return details(client, named)
    return None


def details(client: TMDBClient, tmdb_id: int) -> Candidate:
    """Return a film with all of its titles, its directors and its length, in one request."""
    language = client.session.settings.language
    movie = client.get(f"/movie/{tmdb_id}", language=language, append_to_response=DETAILS)
    return candidate(movie, tmdb_id)


def found_by(client: TMDBClient, query: str) -> list[Candidate]:
    """Return what TMDB finds under a title, the most popular first."""
    return _films(client.search(query)["results"])


def _films(movies: Iterable[Any]) -> list[Candidate]:
    return [candidate(movie, tmdb_id) for movie in movies if (tmdb_id := id_of(movie))]


class _Search:
    """What was found for a row so far."""

    def __init__(self, client: TMDBClient, asked: Asked) -> None:
        self._client, self._asked = client, asked
        self._found: dict[int, Candidate] = {}
        self._by_title: set[int] = set()  # found under all that is asked for, not under a part
        self._all = False  # whether no search without a year would find more
        self.match = Match()

    def queries(self) -> Iterator[tuple[str, int | None]]:
        """Yield what to search for, as long as that can help: a text, and a year.

        A short title finds so many films that the year comes first; else it is the year that may
        be wrong.
        """
        asked, (title, rest) = self._asked, queries(self._asked)
        years = [asked.year, None] if len("".join(bare(title))) < SHORT else [None, asked.year]
        for year in dict.fromkeys(years):
            if not (self._all or self._is_clear()):
                yield title, year
        self._by_title = {*self._found}
        if rest != title and self.match.confidence < BEGINS and not self.telling():
            yield rest, asked.year

    def ask(self, query: str, year: int | None) -> None:
        """Search, and judge anew."""
        page: Any = self._client.search(query, year=year)
        self._all = self._all or (year is None and page.get("total_pages", 1) <= 1)
        self._take(_films(page["results"]))

    def look_into(self, some: Iterable[Candidate]) -> None:
        """Ask for the details of some, and judge anew."""
        self._take([details(self._client, one.tmdb_id) for one in some])

    def telling(self) -> list[Candidate]:
        """Return the films whose details may tell: those of one title, or one by another title.

        TMDB finds a film by titles that it does not list: of the right year, it may be the one.
        """
        named = [one for one in _named(self.match) if not one.is_whole]
        if self.match.best and (self._asked.director or self._asked.minutes):
            return named[:LOOKED_INTO]
        likely = named[:1] if self.match.best else named
        return [one for one in likely if self._may_be(one)][:1]

    def _may_be(self, one: Candidate) -> bool:
        titles = (one.title, *one.other_titles)
        likest = max(likeness(asked, title) for asked in self._asked.titles for title in titles)
        year = self._asked.year
        near = year is None or (one.year is not None and abs(year - one.year) <= 1)
        return near and likest < LAST_PART and one.tmdb_id in self._by_title

    def _is_clear(self) -> bool:
        best = self.match.best
        right_year = best is not None and self._asked.year in (None, best.year)
        return self.match.confidence >= FITS and right_year

    def _take(self, some: Iterable[Candidate]) -> None:
        self._found |= {one.tmdb_id: one for one in some}
        self.match = match_candidates(self._asked, self._found.values())


def _named(match: Match) -> list[Candidate]:
    """Return all films that may be meant, the likeliest first."""
    best = [match.best] if match.best else []
    return best + [one for one in match.others if one not in best]


def _with_id(client: TMDBClient, asked: Asked, match: Match) -> Match:
    """Return a match that also names the film whose id the title is, where it is a number.

    Without a year that may be the one that is meant.
    """
    is_number = asked.title.isascii() and asked.title.isdigit() and int(asked.title) > 0
    own = by_id(client, int(asked.title)) if is_number else None
    if own is None or (match.best and own.tmdb_id == match.best.tmdb_id):
        return match
    sure = match.sure and asked.year is not None
    named = _named(match) if not sure else match.others
    others = [one for one in named if one.tmdb_id != own.tmdb_id]
    return replace(match, sure=sure, others=[*others, own])
