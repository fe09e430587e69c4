"""Which of the films that TMDB finds a row means, and whether that is sure; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tmdbkit.matching.asked import Asked
from tmdbkit.matching.titles import BARE, last_part, likeness, words

APART = {0: 1.0, 1: 0.92, 2: 0.7, 3: 0.5}  # by years between what is asked for and the release
FAR, NO_YEAR, UNDATED = 0.35, 0.9, 0.8  # more years; none is asked for; the film has none
OTHER_DIRECTOR, OTHER_LENGTH = 0.6, 0.8
SHARPNESS, FLOOR = 12.0, 5  # how fit and votes weigh, where several fit
POSSIBLE, FITS, CLEAR = 0.5, 0.8, 0.8  # confidence to be named at all, to be sure; margin for it
DIGITS = 15  # at most, of a number in a list that a person may have edited
SHOWN = 9


@dataclass(frozen=True)
class Candidate:
    """A film as TMDB lists it; of its details as much as was asked for."""

    tmdb_id: int
    title: str = ""
    other_titles: tuple[str, ...] = ()
    year: int | None = None
    votes: int = 0
    imdb_id: str | None = None
    directors: tuple[str, ...] = ()
    minutes: int | None = None
    poster: str = ""
    is_whole: bool = False  # with its details

    def facts(self) -> dict[str, Any]:
        """Return what a person tells it from others by."""
        known = {"tmdb_id": self.tmdb_id, "title": self.title, "year": self.year}
        more = {"director": ", ".join(self.directors), "minutes": self.minutes}
        return {**known, **{n: v for n, v in more.items() if v}, "votes": self.votes}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Candidate:
        """Return the film of such facts, as far as they are any."""
        numbers = {name: _number(facts.get(name)) for name in ("tmdb_id", "year", "votes")}
        director = _text(facts.get("director"))
        return cls(
            numbers["tmdb_id"] or 0,
            title=_text(facts.get("title")),
            year=numbers["year"],
            votes=numbers["votes"] or 0,
            directors=(director,) if director else (),
            minutes=_number(facts.get("minutes")),
        )


@dataclass(frozen=True)
class Match:
    """What a row comes to.

    Attributes:
        best: The film that it means; None where none fits.
        confidence: From 0 to 1, how well that fits what is asked for.
        margin: From 0 to 1, how far it is ahead of the next one.
        how: `id`, `exact`, `other_title`, `near` or `none`; "" where it could not be asked for.
        sure: Whether nobody has to look.
        others: All that may be meant, the likeliest first; without the best where it is sure.
    """

    best: Candidate | None = None
    confidence: float = 0.0
    margin: float = 0.0
    how: str = "none"
    sure: bool = False
    others: list[Candidate] = field(default_factory=list)


def candidate(movie: Mapping[str, Any], tmdb_id: int) -> Candidate:
    """Return a film of a list of TMDB's, or of its details."""
    title = _text(movie.get("title")) or _text(movie.get("name"))
    parts = (
        [movie.get("original_title")],
        (name.get("title") for name in _listed(movie, "alternative_titles", "titles")),
        (_text_of_data(one) for one in _listed(movie, "translations", "translations")),
    )
    others = dict.fromkeys(_text(name) for part in parts for name in part)
    crew = _listed(movie, "credits", "crew")
    return Candidate(
        tmdb_id,
        title=title,
        other_titles=tuple(name for name in others if name and name != title),
        year=_number(_text(movie.get("release_date"))[:4]),
        votes=_number(movie.get("vote_count")) or 0,
        imdb_id=_text(movie.get("imdb_id")) or None,
        directors=tuple(_text(one.get("name")) for one in crew if one.get("job") == "Director"),
        minutes=_number(movie.get("runtime")) or None,
        poster=_text(movie.get("poster_path")),
        is_whole="credits" in movie,
    )


def match_candidates(asked: Asked, candidates: Iterable[Candidate]) -> Match:
    """Return which candidate is meant, and whether that is sure."""
    by_id = {one.tmdb_id: one for one in candidates}
    fits = {tmdb_id: fit(asked, one) for tmdb_id, one in by_id.items()}
    ranked = sorted(by_id, key=lambda i: _weight(fits[i], by_id[i]), reverse=True)
    shown = [by_id[i] for i in ranked[:SHOWN]]
    if not ranked or fits[ranked[0]] < POSSIBLE:
        return Match(others=shown)
    best, confidence = by_id[ranked[0]], fits[ranked[0]]
    margin = 1.0
    if len(ranked) > 1:
        second = by_id[ranked[1]]
        margin -= 10 ** (_weight(fits[ranked[1]], second) - _weight(confidence, best))
    sure = confidence >= FITS and margin >= CLEAR and confidence == max(fits.values())
    others = shown[1:] if sure else shown
    return Match(best, confidence, margin, how_named(asked, best), sure, others)


def fit(asked: Asked, one: Candidate) -> float:
    """Return from 0 to 1 how well a film fits what is asked for."""
    found = max((_alike(asked, title) for title in (one.title, *one.other_titles)), default=0.0)
    if asked.year is None:
        found *= NO_YEAR
    else:
        found *= UNDATED if one.year is None else APART.get(abs(asked.year - one.year), FAR)
    if asked.director and one.directors:
        found *= 1.0 if _directed(asked.director, one.directors) else OTHER_DIRECTOR
    if asked.minutes and one.minutes:
        found *= 1.0 if abs(asked.minutes - one.minutes) <= 0.1 * one.minutes else OTHER_LENGTH
    return found


def how_named(asked: Asked, one: Candidate) -> str:
    """Return by which of its titles a film is asked for."""
    if _alike(asked, one.title) >= BARE:
        return "exact"
    return "other_title" if any(_alike(asked, t) >= BARE for t in one.other_titles) else "near"


def _alike(asked: Asked, title: str) -> float:
    return max((likeness(one, title) for one in asked.titles), default=1.0)


def _weight(fit: float, one: Candidate) -> float:
    """Return the decimal logarithm of how likely a film is meant: by its fit and its renown."""
    return SHARPNESS * fit + math.log10(one.votes + FLOOR)


def _directed(asked: str, directors: Iterable[str]) -> bool:
    """Tell whether one of the people who are named directed it; a surname is enough."""
    names = [words(name) for name in re.split(r"[,;/&]| and ", asked) if name.strip()]
    own = [words(name) for name in directors]
    return any(ours == theirs or ours[-1] == theirs[-1] for ours in names for theirs in own)


def _listed(movie: Mapping[str, Any], section: str, name: str) -> list[Mapping[str, Any]]:
    found = movie.get(section)
    listed = found.get(name) if isinstance(found, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _text_of_data(translation: Mapping[str, Any]) -> object:
    data = translation.get("data")
    return data.get("title") if isinstance(data, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    """Return a count, or the digits of a text as one; none beyond all numbers of a table."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 10**DIGITS else None


def queries(asked: Asked) -> tuple[str, str]:
    """Return what to search for: the title without its article, and what a slip in it may leave.

    TMDB wants all words to be in a title, or to begin one: an article too many would find nothing,
    and one too few finds the same.
    """
    title = asked.title or asked.original
    title = re.sub(r"(?<=\S)\s*[(\[][^)\]]*[)\]]$", "", title)
    plain = re.sub(r"^(the|an?)\s+(?=\S)", "", title, flags=re.IGNORECASE)
    part = last_part(title)
    known = [word for word in part if not word.isdigit()] or part
    count, letters = (
        (1, 3) if asked.year else (2, 4)
    )  # a year leaves so few films that less will do
    longest = sorted(known, key=len, reverse=True)[:count]
    return plain, " ".join(word[:letters] for word in known if word in longest)
