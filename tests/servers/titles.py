"""Films by their titles, as TMDB's search finds them: by words and their beginnings, by renown.

Accents and signs count for nothing; all words of the query must begin a word of one of a film's
titles (the listed, the original, an alternative one); a typo finds nothing. Deterministic.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Film = dict[str, Any]

DECOYS = 900_000_000  # ids from here on are of films that nobody made


def film(
    tmdb_id: int,
    title: str,
    date: str,
    *,
    votes: int = 100,
    original: str = "",
    others: Iterable[str] = (),
    director: str = "",
    runtime: int = 100,
    imdb_id: str = "",
) -> Film:
    """A film's payload, as far as a search and its details tell of it."""
    crew = [{"id": 1, "name": director, "job": "Director"}] if director else []
    return {
        "id": tmdb_id,
        "imdb_id": imdb_id or f"tt{tmdb_id:07d}",
        "title": title,
        "original_title": original or title,
        "release_date": date,
        "vote_count": votes,
        "popularity": votes / 100,
        "runtime": runtime,
        "credits": {"cast": [], "crew": crew},
        "alternative_titles": {"titles": [{"iso_3166_1": "US", "title": t} for t in others]},
        "translations": {"translations": []},
    }


def films_of(table: str) -> dict[int, Film]:
    """The films of a Parquet file with titles, dates and votes; and decoys.

    One film in eight has been made before or will be again, one in twenty shares its title and its
    year with a short that hardly anybody saw.
    """
    import polars as pl

    names = ("tmdb_id", "imdb_id", "title", "release_date", "tmdb_votes")
    rows = pl.read_parquet(table).select(names).drop_nulls(["tmdb_id", "title"]).rows()
    found: dict[int, Film] = {}
    for tmdb_id, imdb_id, title, date, votes in rows:
        chance, decoy = Random(tmdb_id), DECOYS + 2 * len(found)
        own = {"votes": votes or 0, "imdb_id": imdb_id or ""}
        found[tmdb_id] = film(tmdb_id, title, date or "", **own)
        year = int((date or "2000")[:4])
        if chance.random() < 1 / 8:
            other = min(max(1920, year + chance.choice((-1, 1)) * chance.randint(2, 40)), 2025)
            seen = int((votes or 0) * chance.random() ** 3)
            found[decoy] = film(decoy, title, f"{other}-05-05", votes=seen)
        if chance.random() < 1 / 20:
            short = film(decoy + 1, title, f"{year}-03-03", votes=chance.randint(0, 9), runtime=12)
            found[decoy + 1] = short
    return found


class Titles:
    """An index of films' titles."""

    def __init__(self, films: Mapping[int, Film]) -> None:
        self._films = films
        self._holding: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for tmdb_id, one in films.items():
            for place, title in enumerate(_titles(one)):
                for word in _words(title):
                    self._holding[word].add((tmdb_id, place))
        self._known = sorted(self._holding)

    def search(self, query: str, year: str = "") -> list[int]:
        """The ids of what is found, the most popular first."""
        words = _words(query)
        holding = [self._beginning(word) for word in words]
        ids = {tmdb_id for tmdb_id, _ in set.intersection(*holding)} if holding else set()
        found = [i for i in ids if str(self._films[i]["release_date"]).startswith(year)]
        return sorted(found, key=lambda i: (-self._films[i]["popularity"], i))

    def _beginning(self, word: str) -> set[tuple[int, int]]:
        first = bisect_left(self._known, word)
        last = bisect_left(self._known, f"{word}\U0010ffff")
        return set().union(*(self._holding[known] for known in self._known[first:last]))


def _titles(one: Film) -> list[str]:
    others = [other["title"] for other in one["alternative_titles"]["titles"]]
    return [one["title"], one["original_title"], *others]


def _words(text: str) -> list[str]:
    letters = unicodedata.normalize("NFD", text.lower())
    plain = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    return re.findall(r"\w+", plain.replace("'", ""))
