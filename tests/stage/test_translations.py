"""Several languages: what the first lacks comes from the next, field by field, in one request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.tmdb import TMDBServer
from tmdbkit import Settings, Stage, plan_push, stage_movies
from tmdbkit.convex.snapshot import ConvexSnapshot
from tmdbkit.exceptions import SettingsError
from tmdbkit.progress import Silent
from tmdbkit.tmdb.client import movie_request

from .conftest import T0, answers, payload

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

GERMAN_FIRST = Settings(languages=("de-DE", "en-US"))


def translation(language: str, **data: Any) -> dict[str, Any]:
    code, _, country = language.partition("-")
    return {"iso_639_1": code, "iso_3166_1": country, "data": data}


ENGLISH = translation("en-US", title="The Matrix", overview="A hacker.", tagline="Free your mind.")
GERMAN = translation("de-DE", title="Matrix", overview="Ein Hacker.", tagline="")


def staged(folder: Path, *entries: Any, settings: Settings = GERMAN_FIRST, **fields: Any) -> Stage:
    """A stage in German of one movie with translations."""
    movie = json.loads(payload(1)) | {
        "title": "Matrix",
        "original_title": "Matrix",
        "original_language": "fr",
        "overview": "Ein Hacker.",
        "tagline": "",
        "translations": {"translations": list(entries)},
    }
    stage = Stage(folder, settings=settings)
    stage.store.add(answers((1, json.dumps(movie | fields), T0)))
    return stage


def texts(stage: Stage) -> tuple[str, ...]:
    return stage.movies().select("title", "synopsis", "tagline").row(0)


def test_each_text_comes_from_the_first_language_that_has_it(tmp_path: Path) -> None:
    stage = staged(tmp_path, ENGLISH, GERMAN)
    assert texts(stage) == ("Matrix", "Ein Hacker.", "Free your mind.")
    assert stage.table().select("title", "synopsis", "tagline").row(0) == texts(stage)
    assert stage.scan().collect()["tagline"].to_list() == ["Free your mind."]
    assert "translated: tagline in en-US" in repr(stage[1])


@pytest.mark.parametrize(
    ("fields", "entries", "wanted"),
    [
        ({"overview": ""}, [ENGLISH, GERMAN], ("Matrix", "A hacker.", "Free your mind.")),
        ({"overview": None, "tagline": None}, [GERMAN], ("Matrix", "", "")),
        ({}, [ENGLISH], ("The Matrix", "Ein Hacker.", "Free your mind.")),  # no German title
        ({"original_language": "de"}, [ENGLISH], ("Matrix", "Ein Hacker.", "Free your mind.")),
        (
            {"original_language": "en", "original_title": "Le Matrix", "title": "Le Matrix"},
            [translation("en-US", title="", overview="", tagline="")],
            ("Le Matrix", "Ein Hacker.", ""),
        ),
        ({}, [translation("en-GB", title="Matrix, The")], ("Matrix, The", "Ein Hacker.", "")),
        ({"overview": ""}, [translation("en-US", overview=5)], ("Matrix", "", "")),
        ({"translations": None}, [], ("Matrix", "Ein Hacker.", "")),
        ({"translations": []}, [], ("Matrix", "Ein Hacker.", "")),
        ({"translations": {"translations": [None, {"iso_639_1": "en"}]}}, [], None),
    ],
)
def test_what_no_language_has_stays_as_it_came(
    tmp_path: Path, fields: dict[str, Any], entries: list[Any], wanted: tuple[str, ...] | None
) -> None:
    wanted = wanted or ("Matrix", "Ein Hacker.", "")
    assert texts(staged(tmp_path, *entries, **fields)) == wanted


def test_one_language_alone_reads_no_translations(tmp_path: Path) -> None:
    stage = staged(tmp_path, ENGLISH, settings=Settings(languages=("de-DE",)))
    assert texts(stage) == ("Matrix", "Ein Hacker.", "")
    assert "translated" not in repr(stage[1])


def test_a_correction_by_hand_counts_more_and_a_push_sends_what_is_read(tmp_path: Path) -> None:
    stage = staged(tmp_path / "stage", ENGLISH)
    change = plan_push(stage, ConvexSnapshot(tmp_path / "snapshot"))[1].change
    assert (change.set["title"], change.set["slug"]) == ("The Matrix", "the-matrix")
    assert change.set["tagline"] == "Free your mind."


def test_they_come_with_the_same_request() -> None:
    path, params = movie_request(603, GERMAN_FIRST)
    assert params["append_to_response"] == "credits,keywords,release_dates,videos,translations"
    assert params["language"] == "de-DE"
    more = Settings(append=("watch/providers", "videos", "watch/providers"))
    appended = movie_request(603, more)[1]["append_to_response"]
    assert (path, appended) == (
        "/movie/603",
        "credits,keywords,release_dates,videos,watch/providers",
    )


def test_sections_that_are_asked_for_are_staged(tmp_path: Path, connect: Any) -> None:
    with TMDBServer(size=1, missing=[]) as server:
        session = connect(server)
        session.settings = replace(session.settings, append=("external_ids",))
        stage = Stage(tmp_path, settings=session.settings)
        stage_movies(session, stage, [603], progress=Silent())
    assert server.requests[0].params["append_to_response"].endswith(",videos,external_ids")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TMDBKIT_LANGUAGE", " , ", "names no language"),
        ("TMDBKIT_LANGUAGE", "de_DE,en-US", "has 'de_DE', .* did you mean de-DE?"),
        ("TMDBKIT_LANGUAGE", "de-DE;en-US", "has 'de-DE;en-US', .* did you mean de-DE,en-US?"),
        ("TMDBKIT_LANGUAGE", "de-DE en-US", "has 'de-DE en-US', .* did you mean de-DE,en-US?"),
        ("TMDBKIT_LANGUAGE", "German", "has 'German', which is no language; write one such as"),
        ("TMDBKIT_LANGUAGE", "\U0001f600", "which is no language"),
        ("TMDBKIT_APPEND", "watch providers", "TMDB's sections are like watch/providers"),
        ("TMDBKIT_APPEND", "../account", "TMDB's sections are like"),
        (
            "TMDBKIT_APPEND",
            ",".join(f"{a}_x" for a in "abcdefghijklmnop"),
            "16 sections; TMDB takes 15 more",
        ),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_variable(
    variable: str, value: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} .*{said}"):
        Settings.from_env({variable: value}, folder=tmp_path)


def test_the_variable_lists_them_in_order(tmp_path: Path) -> None:
    found = Settings.from_env({"TMDBKIT_LANGUAGE": "de-DE, en-US"}, folder=tmp_path)
    assert (found.languages, found.language) == (("de-DE", "en-US"), "de-DE")
