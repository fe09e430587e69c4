"""When two titles are the same, and how alike others are."""

from __future__ import annotations

import pytest

from tmdbkit.matching.titles import BARE, likeness

pytestmark = pytest.mark.once

SAME = [
    ("The Matrix", "the matrix"),
    ("Amelie", "Amélie"),
    ("Le Fabuleux Destin d'Amelie Poulain", "Le Fabuleux Destin d\u2019Amélie Poulain"),
    ("WALL-E", "WALL·E"),
    ("Spiderman", "Spider-Man"),
    ("Fast and Furious", "Fast & Furious"),
    ("Romeo and Juliet", "Romeo + Juliet"),
    ("Rocky II", "Rocky 2"),
    ("Ocean's Eleven", "Oceans 11"),
    ("The Godfather Part II", "The Godfather: Part Two"),
    ("The Godfather, Pt. 2", "The Godfather Part II"),
    ("Kill Bill Volume 1", "Kill Bill: Vol. 1"),
    ("Alien 3", "Alien³"),
    ("Dr Strangelove", "Doctor Strangelove"),
    ("Matrix, The", "The Matrix"),
    ("Matrix", "The Matrix"),
    ("Lodz", "Łódź"),
    ("The V/H/S", "V/H/S"),
    ("Part One", "Part I"),
    ("Godfather 2", "The Godfather Part II"),
    ("Kill Bill 1", "Kill Bill: Vol. 1"),
    ("千と千尋の神隠し", "千と千尋の神隠し"),
    ("$", "$"),
]


@pytest.mark.parametrize(("asked", "title"), SAME)
def test_titles_that_are_only_written_otherwise_are_the_same(asked: str, title: str) -> None:
    assert likeness(asked, title) >= BARE


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("Mission: Impossible", "Mission: Impossible - Fallout"),
        ("Birdman", "Birdman or (The Unexpected Virtue of Ignorance)"),
        ("Dr. Strangelove", "Dr. Strangelove or: How I Learned to Stop Worrying"),
        ("Star Wars: Episode V - The Empire Strikes Back", "The Empire Strikes Back"),
        ("Mission: Impossible: Fallout", "Mission: Impossible - Fallout - The Film"),
        ("Borat", "Borat: Cultural Learnings of America"),
        ("The Matirx", "The Matrix"),
        ("Inglorious Basterds", "Inglourious Basterds"),
    ],
)
def test_a_title_without_its_subtitle_or_with_a_slip_is_near_it(asked: str, title: str) -> None:
    assert 0.75 < likeness(asked, title) < BARE


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("Toy Story 2", "Toy Story 3"),
        ("Rocky III", "Rocky IV"),
        ("Star Wars: Episode IV", "Star Wars: Episode V"),
        ("Heat", "Hair"),
        ("Up", "Us"),
        ("$", "?"),
        ("Die Hard", "Die Mumie"),
        ("Malcolm X", "Malcolm XI"),
    ],
)
def test_titles_of_two_films_are_apart(asked: str, title: str) -> None:
    assert likeness(asked, title) < 0.75
