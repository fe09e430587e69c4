"""Slugs: readable for any script, and never empty."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmdbkit.transform.slugs import movie_slug, slugify

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("The Matrix", "the-matrix"),
        ("Ocean's Eleven", "oceans-eleven"),
        ("Ocean\u2019s Eleven", "oceans-eleven"),
        ("Amélie", "amelie"),
        ("2001: A Space Odyssey", "2001-a-space-odyssey"),
        ("WALL·E", "wall-e"),
        ("Se7en", "se7en"),
        ("周处除三嗨", "zhou-chu-chu-san-hai"),
        ("기생충", "gi-saeng-chung"),
        ("S的秘密", "s-de-mi-mi"),
        ("Ölüme Koşanlar", "olume-kosanlar"),
        ("Москва слезам не верит", "moskva-slezam-ne-verit"),
        ("  --  ", ""),
        ("!!!", ""),
    ],
)
def test_a_slug_is_readable(title: str, slug: str) -> None:
    assert slugify(title) == slug


def test_a_title_of_symbols_falls_back_on_the_original_title_and_then_on_the_id() -> None:
    assert movie_slug("!!!", "Chi Chi Chi", 7) == "chi-chi-chi"
    assert movie_slug("!!!", "???", 7) == "movie-7"


@given(st.text(), st.text(), st.integers(min_value=1))
def test_any_title_gets_words_of_lower_case_ascii_apart_by_single_hyphens(
    title: str, original: str, tmdb_id: int
) -> None:
    slug = movie_slug(title, original, tmdb_id)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)


@given(st.text())
def test_a_slug_is_its_own_slug(title: str) -> None:
    assert slugify(slugify(title)) == slugify(title)
