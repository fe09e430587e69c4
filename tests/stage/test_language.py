"""A stage is in one language: another one is refused, or all of it is fetched again in that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.tmdb import TMDBServer
from tests.servers.wire import Answer, Request
from tmdbkit import (
    ConvexSnapshot,
    Settings,
    Stage,
    import_direct,
    refresh_movies,
    run_local_import,
    stage_movies,
)
from tmdbkit.cli.main import main
from tmdbkit.exceptions import StageError, StopError
from tmdbkit.fetch.pool import OUTSTANDING
from tmdbkit.progress import Silent
from tmdbkit.stage.log import Log
from tmdbkit.stage.storage import root_of
from tmdbkit.stage.tables import PAYLOADS

from .conftest import T0, movies, payload, titles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tmdbkit import TMDBSession
    from tmdbkit.fetch.staging import StageResult

    from .conftest import Connect

pytestmark = pytest.mark.once

QUIET = Silent()
ENGLISH, GERMAN, FRENCH = "en-US", "de-DE", "fr-FR"


class Translated(TMDBServer):
    """TMDB, whose titles say in which language they were asked for.

    Attributes:
        on_movie: Is called with the number of movies asked for, if there is anything.
    """

    on_movie: Callable[[int], object] | None = None

    def __init__(self, *ids: int, **options: Any) -> None:
        super().__init__(payloads={n: payload(n) for n in ids}, **options)

    def handle(self, request: Request) -> Answer:
        answer = super().handle(request)
        if answer.status == 200 and "/movie/" in request.path:
            movie = json.loads(answer.body)
            title = f"{request.params['language']} {movie['id']}"
            answer.body = json.dumps({**movie, "title": title}).encode()
            if self.on_movie:
                self.on_movie(len(self.by_id))
        return answer

    def asked(self) -> list[int]:
        """The ids that were asked for since the last time."""
        found = sorted(self.by_id)
        self.reset()
        return found


@pytest.fixture
def server() -> Iterator[Translated]:
    with Translated(*range(1, 301), lists={"popular": [1, 2, 3]}) as started:
        yield started


@pytest.fixture
def speak(connect: Connect, server: Translated) -> Callable[[str], TMDBSession]:
    """A session that asks in a language."""

    def in_language(language: str) -> TMDBSession:
        session = connect(server)
        session.settings = replace(session.settings, languages=(language,))
        return session

    return in_language


def staged(stage: Stage, session: TMDBSession, *ids: int) -> Stage:
    stage_movies(session, stage, ids, progress=QUIET)
    return stage


def changed(stage: Stage, session: TMDBSession, language: str = GERMAN) -> StageResult:
    return refresh_movies(session, stage, language=language, progress=QUIET)


def languages(stage: Stage) -> set[str]:
    """The languages of what is staged."""
    return {title.split()[0] for title in titles(stage).values()}


def marker(stage: Stage) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(stage.store.root.read("stage.json"))
    return said


# A stage has a language.


def test_it_is_noted_with_the_first_payload_beside_the_layout(stage: Stage, speak: Any) -> None:
    assert stage.store.marker.language is None
    staged(stage, speak(GERMAN), 1)
    assert stage.store.marker.language == GERMAN
    assert marker(stage) == {"layout": 2, "language": GERMAN}


def test_a_run_that_stages_nothing_notes_none(stage: Stage, speak: Any) -> None:
    staged(stage, speak(GERMAN), 999)  # which TMDB does not have
    staged(Stage(stage.store.root.full, settings=Settings()), speak(GERMAN))
    assert staged(stage, speak(GERMAN), 1).store.marker.language == GERMAN


def test_a_stage_of_before_has_that_of_the_next_payload(stage: Stage, speak: Any) -> None:
    stage.store.add(movies(1))
    assert marker(stage) == {"layout": 2}
    assert stage.store.marker.language is None
    staged(stage, speak(FRENCH), 2)
    assert stage.store.marker.language == FRENCH


def test_what_a_newer_tmdbkit_notes_beside_it_stays(stage: Stage, speak: Any) -> None:
    stage.store.add(movies(1))
    stage.store.root.write("stage.json", b'{"layout": 2, "mood": "dark"}')
    staged(stage, speak(ENGLISH), 2)
    changed(stage, speak(ENGLISH))
    assert marker(stage) == {"layout": 2, "mood": "dark", "language": GERMAN}


@pytest.mark.parametrize(
    "text",
    [
        '{"layout": 2, "language": 5}',
        '{"layout": 2, "language": ["de-DE"]}',
        '{"layout": 2, "changing": {}}',
        '{"layout": 2, "language": "de-DE", "changing": []}',
        '{"layout": 2, "language": "de-DE", "changing": {"since": "soon"}}',
        '{"layout": 2, "language": "de-DE", "changing": {"since": 5}}',
    ],
)
def test_a_marker_that_cannot_be_meant_is_one_clear_error(stage: Stage, text: str) -> None:
    stage.store.root.write("stage.json", text.encode())
    with pytest.raises(StageError, match=r"stage\.json cannot be read"):
        Stage(stage.store.root.folder, settings=Settings())


# Another one is refused.


@pytest.mark.parametrize(
    "verb",
    [
        lambda session, stage: stage_movies(session, stage, [2], progress=QUIET),
        lambda session, stage: stage_movies(session, stage, [1], refresh=True, progress=QUIET),
        lambda session, stage: stage_movies(
            session, stage, [2], progress=QUIET, executor=ThreadPoolExecutor(1)
        ),
        lambda session, stage: refresh_movies(session, stage, progress=QUIET),
        lambda session, stage: refresh_movies(session, stage, changed=True, progress=QUIET),
        lambda session, stage: refresh_movies(
            session, stage, older_than=timedelta(0), progress=QUIET
        ),
        lambda session, stage: run_local_import(
            session, stage, ConvexSnapshot("snapshot"), [2], progress=QUIET
        ),
    ],
)
def test_every_verb_that_fetches_refuses_it_before_any_request(
    verb: Callable[[TMDBSession, Stage], object], stage: Stage, server: Translated, speak: Any
) -> None:
    staged(stage, speak(ENGLISH), 1)
    server.reset()
    with pytest.raises(StageError) as raised:
        verb(speak(GERMAN), stage)
    assert server.requests == []
    assert str(raised.value) == (
        f"{stage.store.root} is in en-US, and de-DE is asked for; set TMDBKIT_LANGUAGE to en-US, "
        "or fetch all of it in de-DE: tmdbkit refresh --language de-DE"
    )


def test_one_language_may_be_written_in_two_ways(stage: Stage, speak: Any) -> None:
    staged(stage, speak("de-DE"), 1)
    assert len(staged(stage, speak("de-de"), 2)) == 2


def test_an_import_without_a_stage_is_in_whatever_language(speak: Any, tmp_path: Path) -> None:
    target = ConvexSnapshot(tmp_path / "snapshot")
    import_direct(speak(GERMAN), target, [1], progress=QUIET)
    import_direct(speak(FRENCH), target, [2], progress=QUIET)
    assert [row["title"] for row in target.table("movies")] == ["de-DE 1", "fr-FR 2"]


@pytest.fixture
def settings(
    server: Translated, stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], None]:
    """Let the environment ask for a language."""
    monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
    monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", server.token or "")
    monkeypatch.setenv("TMDBKIT_STAGE", str(stage.store.root.folder))
    monkeypatch.setenv("TMDBKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMDBKIT_RATE", "1000")
    return lambda language: monkeypatch.setenv("TMDBKIT_LANGUAGE", language)


@pytest.mark.parametrize(
    "words",
    ["stage 2", "stage --list popular", "stage --refresh 1", "refresh", "refresh --changed"],
)
def test_a_command_says_it_in_one_line_with_status_2(
    words: str,
    settings: Callable[[str], None],
    server: Translated,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings(ENGLISH)
    main(["stage", "1"])
    server.reset()
    capsys.readouterr()
    settings(GERMAN)
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert "is in en-US, and de-DE is asked for" in said
    assert said.count("\n") == 1
    assert server.requests == []


@pytest.mark.parametrize(
    "words",
    ["status", "check", "plan --snapshot s", "push --snapshot s", "transform", "compact"],
)
def test_what_is_staged_is_read_in_whatever_language(
    words: str, settings: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    settings(ENGLISH)
    main(["stage", "1"])
    settings(GERMAN)
    assert main(words.split()) in (0, 1)
    assert "asked for" not in capsys.readouterr().err


# All of it is fetched again in another one.


def test_all_is_fetched_in_the_new_language_and_only_that_is_staged_then(
    stage: Stage, server: Translated, speak: Any
) -> None:
    staged(stage, speak(ENGLISH), 1, 2, 3)
    server.reset()
    session = speak(ENGLISH)
    result = changed(stage, session)
    assert (result.requested, result.staged) == (3, 3)
    assert server.asked() == [1, 2, 3]
    assert session.settings.language == ENGLISH
    assert titles(stage) == {1: "de-DE 1", 2: "de-DE 2", 3: "de-DE 3"}
    assert marker(stage) == {"layout": 2, "language": GERMAN}
    with pytest.raises(StageError, match="is in de-DE, and en-US is asked for"):
        staged(stage, session, 4)
    assert len(staged(stage, speak(GERMAN), 4)) == 4


def test_once_it_is_changed_nothing_is_fetched_again(
    stage: Stage, server: Translated, speak: Any
) -> None:
    staged(stage, speak(GERMAN), 1, 2)
    server.reset()
    assert changed(stage, speak(ENGLISH)).requested == 0
    assert server.requests == []


def test_a_stage_of_before_can_be_changed_as_well(stage: Stage, speak: Any) -> None:
    stage.store.add(movies(1, 2))
    changed(stage, speak(ENGLISH))
    assert (languages(stage), marker(stage)) == ({GERMAN}, {"layout": 2, "language": GERMAN})


def test_an_empty_stage_is_changed_at_once(
    stage: Stage, settings: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    settings(ENGLISH)
    main(["stage", "1"])
    stage.drop([1])
    settings(GERMAN)
    assert main(["stage", "1"]) == 2
    assert main(["refresh", "--language", GERMAN]) == 0
    assert main(["stage", "1"]) == 0
    assert titles(stage) == {1: "de-DE 1"}


def test_workers_of_an_executor_fetch_in_it(stage: Stage, speak: Any) -> None:
    staged(stage, speak(ENGLISH), *range(1, 151))
    with ThreadPoolExecutor(2) as threads:
        refresh_movies(speak(ENGLISH), stage, language=GERMAN, executor=threads, progress=QUIET)
    assert (languages(stage), stage.store.marker.language) == ({GERMAN}, GERMAN)


def test_the_command_does_it_and_the_settings_follow(
    stage: Stage, settings: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    settings(ENGLISH)
    main(["stage", "1", "2"])
    assert main(["refresh", "--language", GERMAN]) == 0
    assert main(["stage", "3"]) == 2
    settings(GERMAN)
    assert main(["stage", "3"]) == 0
    assert languages(stage) == {GERMAN}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--language german", "'german' is no language; write one such as de-DE"),
        ("--language de_DE", "'de_DE' is no language"),
        ("--language de-DE 1", "another language is for all that is staged"),
        ("--language de-DE --changed", "another language is for all that is staged"),
        ("--language de-DE --older-than 30d", "another language is for all that is staged"),
        ("--language de-DE --list popular", "another language is for all that is staged"),
        ("--language de-DE --from-target", "another language is for all that is staged"),
    ],
)
def test_a_wish_that_cannot_be_meant_is_status_2_and_changes_nothing(
    words: str,
    complaint: str,
    stage: Stage,
    server: Translated,
    settings: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings(ENGLISH)
    main(["stage", "1"])
    server.reset()
    assert main(["refresh", *words.split()]) == 2
    assert complaint in capsys.readouterr().err
    assert server.requests == []
    assert marker(stage) == {"layout": 2, "language": ENGLISH}


# Half-way.


def revoked(server: Translated, after: int) -> None:
    """Let the server refuse the key after so many requests."""
    server.reset()
    server.revoke_after = after


@pytest.fixture
def halfway(stage: Stage, server: Translated, speak: Any) -> Stage:
    """A stage whose change of language was stopped in the middle."""
    staged(stage, speak(ENGLISH), *range(1, 121))
    revoked(server, 60)
    with pytest.raises(StopError):
        changed(stage, speak(ENGLISH))
    server.revoke_after = None
    server.reset()
    assert languages(stage) == {ENGLISH, GERMAN}
    return stage


@pytest.mark.parametrize("language", [ENGLISH, GERMAN, FRENCH])
def test_nothing_else_is_staged_until_it_is_finished(
    language: str, halfway: Stage, server: Translated, speak: Any
) -> None:
    for verb in (stage_movies, refresh_movies):
        with pytest.raises(StageError, match="finish that with tmdbkit refresh --language de-DE"):
            verb(speak(language), halfway, [1], progress=QUIET)
    assert server.requests == []


def test_it_says_from_which_language_and_since_when_and_a_stage_shows_it(halfway: Stage) -> None:
    said = marker(halfway)
    assert (said["language"], said["changing"]["from"]) == (GERMAN, ENGLISH)
    assert datetime.fromisoformat(said["changing"]["since"]) < datetime.now(UTC)
    assert "not all in de-DE yet; tmdbkit refresh --language de-DE fetches the rest" in repr(
        halfway
    )


def test_the_next_run_fetches_the_rest_alone(
    halfway: Stage, server: Translated, speak: Any
) -> None:
    rest = [n for n, title in titles(halfway).items() if title.startswith(ENGLISH)]
    assert 60 <= len(rest) < 120
    result = changed(halfway, speak(ENGLISH))
    assert server.asked() == rest
    assert result.requested == len(rest)
    assert (languages(halfway), marker(halfway)) == ({GERMAN}, {"layout": 2, "language": GERMAN})


def test_it_outlives_a_compaction(halfway: Stage, server: Translated, speak: Any) -> None:
    halfway.compact()
    rest = [n for n, title in titles(halfway).items() if title.startswith(ENGLISH)]
    changed(halfway, speak(ENGLISH))
    assert server.asked() == rest


@pytest.mark.parametrize("language", [ENGLISH, FRENCH])
def test_who_wants_another_one_meanwhile_gets_all_of_it_in_that(
    language: str, halfway: Stage, speak: Any
) -> None:
    assert changed(halfway, speak(GERMAN), language).staged == 120
    assert (languages(halfway), halfway.store.marker.language) == ({language}, language)


def test_a_run_in_the_old_language_that_is_under_way_stops_and_adds_no_more(
    stage: Stage, server: Translated, speak: Any
) -> None:
    staged(stage, speak(ENGLISH), 1)
    server.on_movie = lambda count: stage.store.marker.change(GERMAN) if count == 100 else None
    with pytest.raises(StageError, match="is in de-DE, and en-US is asked for"):
        staged(stage, speak(ENGLISH), *range(2, 301))
    server.on_movie = None
    assert len(stage) <= 101
    changed(stage, speak(ENGLISH))
    assert (languages(stage), stage.store.marker.language) == ({GERMAN}, GERMAN)


@pytest.mark.parametrize(
    ("answer", "is_finished"),
    [
        ("404", True),
        ("id_invalid_500", True),
        (Answer(200, b'{"id": 2, "genres": 5}'), True),
        ("503", False),
        ("502html", False),
        ("reset", False),
        (Answer(403, b"<html>a proxy</html>", "text/html"), False),
        (Answer(404, b"<html>another address</html>", "text/html"), False),
    ],
)
def test_it_is_finished_where_tmdb_will_never_answer_the_rest_and_not_where_it_may(
    answer: Any, is_finished: bool, stage: Stage, server: Translated, speak: Any
) -> None:
    staged(stage, speak(ENGLISH), 1, 2, 3)
    server.script["/3/movie/2"] = [answer] * 8
    changed(stage, speak(ENGLISH))
    assert titles(stage) == {1: "de-DE 1", 2: "en-US 2", 3: "de-DE 3"}
    assert stage.store.marker.is_changing is not is_finished
    server.script.clear()
    server.reset()
    changed(stage, speak(ENGLISH))
    assert server.asked() == ([] if is_finished else [2])
    assert stage.store.marker.is_changing is False


def test_without_a_network_nothing_is_finished(
    stage: Stage, server: Translated, connect: Connect, speak: Any
) -> None:
    staged(stage, speak(ENGLISH), 1)
    changed(stage, connect(server, offline=True))
    assert stage.store.marker.is_changing
    assert languages(stage) == {ENGLISH}


def test_a_command_that_could_not_fetch_all_says_so_with_status_1(
    settings: Callable[[str], None], server: Translated, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(ENGLISH)
    main(["stage", "1", "2"])
    server.script["/3/movie/2"] = [Answer(403, b"<html>", "text/html")]
    assert main(["refresh", "--language", GERMAN]) == 1
    assert "not all is in de-DE yet; run the same again\n" in capsys.readouterr().err
    assert main(["refresh", "--language", GERMAN]) == 0


def test_a_run_that_is_killed_neither_loses_nor_mixes_anything(
    stage: Stage, server: Translated, speak: Any, settings: Callable[[str], None]
) -> None:
    settings(ENGLISH)
    ids = range(1, 301)
    staged(stage, speak(ENGLISH), *ids)
    server.latency = 0.01
    asked = 0
    for share in (0.3, 0.6):
        server.reset()
        with running("refresh", "--language", GERMAN) as run:
            server.on_movie = lambda count, at=share * 150: count >= at and run.kill()  # type: ignore[misc]
            run.wait(timeout=60)
        asked += len(server.by_id)
        assert set(titles(stage)) == set(ids)
        assert main(["stage", "1"]) == 2
    server.on_movie = None
    server.reset()
    assert main(["refresh", "--language", GERMAN]) == 0
    assert asked + len(server.by_id) <= len(ids) + 2 * OUTSTANDING
    assert (languages(stage), marker(stage)) == ({GERMAN}, {"layout": 2, "language": GERMAN})


def running(*words: str) -> subprocess.Popen[bytes]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tmdbkit", *words],
        cwd=Path(__file__).parents[2],
        env=os.environ.copy(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


# Two at once.


def race(stage: Callable[[], Stage], speak: Any) -> list[BaseException | None]:
    """Stage different movies in two languages at the same moment; return how each ended."""
    start = threading.Barrier(2)

    def run(language: str, first: int) -> None:
        session, opened = speak(language), stage()
        start.wait(10)
        staged(opened, session, *range(first, first + 120))

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, ENGLISH, 1), pool.submit(run, GERMAN, 151)]
        return [run.exception(60) for run in runs]


@pytest.mark.parametrize("begun", [False, True], ids=["new", "of before"])
def test_of_two_that_begin_a_stage_in_two_languages_one_wins_and_the_other_stops(
    begun: bool, stage: Stage, server: Translated, speak: Any
) -> None:
    if begun:
        stage.store.root.write("stage.json", b'{"layout": 1}')
    server.latency = 0.001
    ends = race(lambda: Stage(stage.store.root.folder, settings=Settings()), speak)
    [stopped] = filter(None, ends)
    assert isinstance(stopped, StageError)
    assert languages(stage) == {stage.store.marker.language}
    assert len(stage) == 120


def test_in_an_object_store_as_well(bucket: str, server: Translated, speak: Any) -> None:
    server.latency = 0.001
    address = f"{bucket}/movies"
    ends = race(lambda: Stage(address, settings=Settings()), speak)
    [stopped] = filter(None, ends)
    assert isinstance(stopped, StageError)
    stage = Stage(address, settings=Settings())
    assert languages(stage) == {stage.store.marker.language}
    other = GERMAN if stage.store.marker.language == ENGLISH else ENGLISH
    changed(stage, speak(ENGLISH), other)
    assert (languages(stage), stage.store.marker.language) == ({other}, other)


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_file_is_created_by_one_alone(place: str, request: pytest.FixtureRequest) -> None:
    fixture = {"folder": "tmp_path", "bucket": "bucket"}[place]
    root = root_of(f"{request.getfixturevalue(fixture)}/new")
    with ThreadPoolExecutor(8) as pool:
        contents = [str(n).encode() for n in range(8)]
        told = list(pool.map(lambda content: root.create("one", content), contents))
    assert told.count(True) == 1
    assert root.read("one") == contents[told.index(True)]
    assert [entry.name for entry in root.entries()] == ["one"]


def test_a_folder_whose_file_system_has_no_links_can_be_a_stage(
    stage: Stage, speak: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert staged(stage, speak(GERMAN), 1).store.marker.language == GERMAN


def test_a_payload_that_came_late_in_the_old_language_is_fetched_as_well(
    stage: Stage, server: Translated, speak: Any
) -> None:
    staged(stage, speak(ENGLISH), 1)

    def late(_count: int) -> None:
        server.on_movie = None
        Log(stage.store.root.under("payloads"), PAYLOADS).append(movies(2, at=T0))

    server.on_movie = late
    changed(stage, speak(ENGLISH))
    assert stage.store.marker.is_changing
    changed(stage, speak(ENGLISH))
    assert (languages(stage), stage.store.marker.is_changing) == ({GERMAN}, False)
