"""Whether a value that a person gives fits its field: its kind, its scale, its form; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Any

import polars as pl

from tmdbkit.display import plain
from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.ratings.model import MOST_VOTES
from tmdbkit.schema import ROW, SCALES
from tmdbkit.stage.decisions import POINTS_FIELD
from tmdbkit.transform.languages import LANGUAGES

# What no film has more of; the longest of all runs for 51,420 minutes.
MOST = {"runtime_minutes": 6e4, "budget": 1e11, "revenue": 1e11, "popularity": 1e6}
YEARS = range(1870, 2200)  # in which films come out, those announced for later among them
OLDEST = 21  # the highest age that a country's certification names
STATUSES = ("Rumored", "Planned", "In Production", "Post Production", "Released", "Canceled")
NAMES = frozenset(LANGUAGES.values())
IMDB_ID = re.compile(r"tt(?!0+$)[0-9]{7,9}")
ADDRESS = re.compile(r"https?://[^\s/?#@]+\.[^\s/?#@.]+/\S+")
# PG-13 and NC-17, but also 16, FSK 16, MA15+, VM14, A/i and UA 13+: each country has its own.
CERTIFICATION = re.compile(
    r"(?=.*\w)[^\W\d_]{0,10}(?:[ /-][^\W\d_]{1,6})?[ /-]?([0-9]{0,2})[^\W\d_]?\+?"
)


@dataclass(frozen=True)
class Form:
    """What the texts of a field look like.

    Attributes:
        fits: Whether a text, which is not empty, is one.
        advice: What to write instead.
        names: All that there are, of a field that holds one of a few.
    """

    fits: Callable[[str], object]
    advice: str
    names: Collection[str] = ()


def fitting(field: str, value: Any) -> Any:
    """Return a value as its field holds it; None takes a rating away, or empties a text.

    Raises:
        UsageError: It is of another kind, off its scale, or not of its field's form.
    """
    part, _, system = field.partition(".")
    if system and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | Real | Decimal | date | None):
        raise UsageError(f"{_named(value)} is no value of {field}; give a text or a number")
    kind = ROW[field] if not system else pl.Float64() if part == POINTS_FIELD else pl.Int64()
    if kind == pl.String:
        if isinstance(value, float | Decimal) and not isfinite(value):
            raise UsageError(f"{value} is no value of {field}; give a text")
        return _text(field, "" if value is None else str(value).strip())
    most = MOST.get(field, MOST_VOTES) if part != POINTS_FIELD else SCALES[system]
    number = _number(field, value, most)
    if kind == pl.Int64 and not number.is_integer():
        raise UsageError(f"{field} is a whole number, and {number:g} is none")
    return number if kind == pl.Float64 else int(number)


def _named(value: Any) -> str:
    """Return what somebody gave in a line; a frame or an object by its type alone."""
    if isinstance(value, bool | list | tuple | set | dict | bytes):
        return plain(repr(value), 60)
    return f"something of type {type(value).__name__}"


def _number(field: str, value: Any, most: float) -> float:
    # Python takes 1_0 for ten, and the digits of any script for digits.
    is_odd = isinstance(value, str) and ("_" in value or not value.isascii())
    try:
        number = float("" if is_odd else value)
    except (TypeError, ValueError):
        raise UsageError(f"{value!r} is no number, and {field} is one") from None
    except OverflowError:
        number = float("inf")
    if not 0 <= number <= most:
        raise UsageError(f"{field} goes from 0 to {most:,.0f}; {number:g} does not fit")
    return abs(number)  # without the sign of -0


def _text(field: str, text: str) -> str:
    if field == "title" and not text:
        raise UsageError("a movie has a title; give the new one")
    form = FORMS.get(field)
    if text and form and not form.fits(text):
        named = field.replace("_", " ").replace("imdb", "IMDb").replace("url", "URL")
        advice = form.advice + did_you_mean(text, form.names)
        raise UsageError(f"{text!r} is no {named}; {advice}")
    return text


def _is_day(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return day.isoformat() == text and day.year in YEARS


def _is_certification(text: str) -> bool:
    form = CERTIFICATION.fullmatch(text)
    return form is not None and int(form[1] or 0) <= OLDEST


FORMS = {
    "release_date": Form(_is_day, "write a day in which a film may come out, such as 1999-03-31"),
    "imdb_id": Form(IMDB_ID.fullmatch, "write tt and seven digits or more, such as tt0133093"),
    "mpaa_rating": Form(_is_certification, "write a certification, such as PG-13, 16 or MA15+"),
    "trailer_url": Form(ADDRESS.fullmatch, "write all of it, https://www.youtube.com/watch?v=…"),
    "status": Form(STATUSES.__contains__, f"there are {', '.join(STATUSES)}", STATUSES),
    "original_language": Form(
        NAMES.__contains__,
        "write its English name as TMDB has it, such as French",
        NAMES,
    ),
}
