"""Titles as slugs: readable for any script."""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_SYLLABLE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_APOSTROPHES = re.compile("['`\u00b4\u2018\u2019]")
_OTHERS = re.compile(r"[^a-z0-9]+")


def slugify(title: str) -> str:
    """Return the title in lower-case ASCII words with hyphens, "" where it has no letter or digit.

    anyascii writes each ideograph as a capitalised syllable; hyphens part them, so that 周处 reads
    "zhou-chu" and S的秘密 "s-de-mi-mi".

    Example:
        >>> slugify("Les Misérables")
        'les-miserables'
    """
    latin = _APOSTROPHES.sub("", _FOREIGN.sub(_transliterate, title))
    return _OTHERS.sub("-", latin.lower()).strip("-")


def _transliterate(run: re.Match[str]) -> str:
    text = _SYLLABLE.sub("-", anyascii(run.group()))
    is_script = any(unicodedata.category(character) == "Lo" for character in run.group())
    return f"-{text}-" if is_script else text


def movie_slug(title: str, original_title: str, tmdb_id: int) -> str:
    """Return a movie's plain slug, which is never empty."""
    return slugify(title) or slugify(original_title) or f"movie-{tmdb_id}"
