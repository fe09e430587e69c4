"""What TMDB's answers look like: another one is a fault that passes, and is never kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tmdbkit.surrogates import loads

if TYPE_CHECKING:
    from collections.abc import Callable

# The sections that a movie is asked for with, and the lists in them.
SECTIONS = {
    "credits": ("cast", "crew"),
    "keywords": ("keywords",),
    "release_dates": ("results",),
    "videos": ("results",),
}


def misfit(path: str, text: str) -> str:
    """Return what is wrong with the answer to a path, as "without a list of movies"; "" if nothing.

    Args:
        path: As TMDB documents it; one that is not known here may be answered with anything.
        text: The body, which is JSON.
    """
    if re.fullmatch(r"/movie/\d+", path):
        return "" if _looks_whole(text) else _judged(text, _wrong_sections)
    for pattern, wrong in _SHAPES:
        if re.fullmatch(pattern, path):
            return _judged(text, wrong)
    return ""


def _judged(text: str, wrong: Callable[[Any], str]) -> str:
    try:
        return wrong(loads(text))
    except ValueError:
        return ""  # nested too deeply: told as such by whoever reads it


def _looks_whole(text: str) -> bool:
    """Tell whether all sections of a movie are sound, by its text: parsing it takes far longer."""
    return '"success":false' not in text and all(
        f'"{section}":{{"{lists[0]}":[' in text and all(f'"{name}":[' in text for name in lists)
        for section, lists in SECTIONS.items()
    )


def _wrong_sections(movie: Any) -> str:
    if not isinstance(movie, dict):
        return ""  # no movie: told as such when it is read
    wrong = [name for name in SECTIONS if name in movie and not _is_section(name, movie[name])]
    return f"with an error for {', '.join(wrong)}" if wrong else ""


def _is_section(name: str, section: Any) -> bool:
    return isinstance(section, dict) and all(
        isinstance(section.get(part), list) for part in SECTIONS[name]
    )


def _holding(name: str) -> Callable[[Any], str]:
    """Return what tells of an object that it lacks a list."""

    def wrong(answer: Any) -> str:
        found = answer.get(name) if isinstance(answer, dict) else None
        return "" if isinstance(found, list) else f"without its {name}"

    return wrong


def _page_of(name: str) -> Callable[[Any], str]:
    """Return what tells the same of an object that is a page of several."""

    def wrong(answer: Any) -> str:
        if lacks := _holding(name)(answer):
            return lacks
        pages = answer.get("total_pages", 1)
        counts = isinstance(pages, int) and not isinstance(pages, bool) and pages >= 0
        return "" if counts else "without a number of pages"

    return wrong


def _wrong_configuration(answer: Any) -> str:
    images = answer.get("images") if isinstance(answer, dict) else None
    return "" if isinstance(images, dict) else "without its images"


_SHAPES: tuple[tuple[str, Callable[[Any], str]], ...] = (
    (r"/movie/[a-z_]+|/(discover|search)/movie", _page_of("results")),
    (r"/list/\d+", _page_of("items")),
    (r"/collection/\d+", _holding("parts")),
    (r"/find/\w+", _holding("movie_results")),
    (r"/genre/movie/list", _holding("genres")),
    (r"/configuration", _wrong_configuration),
)
