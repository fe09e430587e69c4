"""Movies that nobody made: payloads in TMDB's full shape, cheap to serve."""

from __future__ import annotations

import json
from typing import Any

JOBS = ("Director", "Screenplay", "Producer", "Editor", "Original Music Composer", "Stunts")
MARK = 1234567890  # stands for the id in the generated payload's template


def dumps(value: object) -> bytes:
    """JSON as TMDB sends it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def details(movie_id: int) -> dict[str, Any]:
    """A generated movie's own fields, in TMDB's order and shape."""
    title = f"Movie {movie_id}"
    company = {"id": 79, "logo_path": "/logo.png", "name": "A Studio", "origin_country": "US"}
    return {
        "adult": False,
        "backdrop_path": "/backdrop.jpg",
        "belongs_to_collection": None,
        "budget": 63000000,
        "genres": [{"id": 28, "name": "Action"}, {"id": 878, "name": "Science Fiction"}],
        "homepage": "",
        "id": movie_id,
        "imdb_id": f"tt{movie_id:07d}",
        "origin_country": ["US"],
        "original_language": "en",
        "original_title": title,
        "overview": "Somebody wants something badly and has a hard time getting it.",
        "popularity": 12.3456,
        "poster_path": "/poster.jpg",
        "production_companies": [company],
        "production_countries": [{"iso_3166_1": "US", "name": "United States of America"}],
        "release_date": "1999-03-31",
        "revenue": 463517383,
        "runtime": 136,
        "spoken_languages": [{"english_name": "English", "iso_639_1": "en", "name": "English"}],
        "status": "Released",
        "tagline": "",
        "title": title,
        "video": False,
        "vote_average": 7.432,
        "vote_count": 2468,
    }


def _person(number: int, known_for: str, **role: object) -> dict[str, object]:
    name = f"Person Number {number}"
    return {
        "adult": False,
        "gender": number % 3,
        "id": number,
        "known_for_department": known_for,
        "name": name,
        "original_name": name,
        "popularity": 1.234,
        "profile_path": f"/profile{number}.jpg",
        **role,
        "credit_id": f"52fe{number:020x}",
    }


def _credits(pairs: int) -> dict[str, Any]:
    actors, crew = range(1000, 1000 + pairs), range(500_000, 500_000 + pairs)
    return {
        "cast": [
            _person(n, "Acting", cast_id=i, character=f"Character {i}", order=i)
            for i, n in enumerate(actors)
        ],
        "crew": [
            _person(n, "Directing", department="Directing", job=JOBS[i % len(JOBS)])
            for i, n in enumerate(crew)
        ],
    }


def _sections(pairs: int) -> dict[str, Any]:
    """What `append_to_response` adds to a generated movie."""
    premiere = {"certification": "", "descriptors": [], "iso_639_1": "", "note": "Premiere"}
    cinema = {"certification": "R", "descriptors": [], "iso_639_1": "", "note": ""}
    dates = [
        premiere | {"release_date": "1999-03-24T00:00:00.000Z", "type": 1},
        cinema | {"release_date": "1999-03-31T00:00:00.000Z", "type": 3},
    ]
    video = {"iso_639_1": "en", "iso_3166_1": "US", "site": "YouTube", "size": 1080}
    when = {"official": True, "published_at": "2014-09-03T21:26:01.000Z"}
    return {
        "credits": _credits(pairs),
        "keywords": {"keywords": [{"id": 100 + n, "name": f"keyword {n}"} for n in range(12)]},
        "release_dates": {"results": [{"iso_3166_1": "US", "release_dates": dates}]},
        "videos": {
            "results": [
                video | {"name": "Clip", "key": "clip0000000", "type": "Clip"} | when,
                video | {"name": "Trailer", "key": "trailer0000", "type": "Trailer"} | when,
            ]
        },
    }


class Generated:
    """Movies made from one template, so that serving one costs a few microseconds."""

    def __init__(self, size: int) -> None:
        bare, ten = (len(dumps(details(MARK) | _sections(n))) for n in (0, 10))
        sections = _sections(max(1, round((size - bare) / ((ten - bare) / 10))))
        self.sections = {name: dumps(section) for name, section in sections.items()}
        template = dumps(details(MARK)).replace(b"%", b"%%")
        template = template.replace(b"tt%d" % MARK, b"tt%(id)07d")
        self._template = template.replace(b"%d" % MARK, b"%(id)d").removesuffix(b"}")
        self._tails: dict[str, bytes] = {}

    def body(self, movie_id: int, appended: str) -> bytes:
        """One movie with the sections that were asked for."""
        tail = self._tails.get(appended)
        if tail is None:
            known = [name for name in appended.split(",") if name in self.sections]
            parts = [b',"%s":%s' % (name.encode(), self.sections[name]) for name in known]
            tail = self._tails[appended] = b"".join(parts) + b"}"
        return self._template % {b"id": movie_id} + tail

    def section(self, movie_id: int, name: str) -> bytes | None:
        """One section alone, as /movie/{id}/credits answers."""
        known = self.sections.get(name)
        return known and b'{"id":%d,%s' % (movie_id, known[1:])
