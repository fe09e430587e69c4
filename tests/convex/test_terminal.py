"""The command line against Convex: all of the way, and one line where it cannot be gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.tmdb import TMDBServer
from tmdbkit import Stage
from tmdbkit.cli.main import main

from .backend import ConvexBackend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tmdb(monkeypatch: pytest.MonkeyPatch) -> Iterator[TMDBServer]:
    with TMDBServer(missing=[60], size=4000) as server:
        monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
        monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", server.token)
        monkeypatch.setenv("TMDBKIT_RATE", "1000")
        yield server


def deploy(monkeypatch: pytest.MonkeyPatch, url: str, key: str) -> None:
    monkeypatch.setenv("CONVEX_URL", url)
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", key)


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main([*words, "--json"]) == 0
    counts: dict[str, object] = json.loads(capsys.readouterr().out)
    return counts


def test_stage_push_import_refresh_and_delete_do_what_they_say(
    backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, backend.url, backend.key)
    assert asked(capsys, "stage", "603", "550")["staged"] == 2
    assert asked(capsys, "push")["created"] == 2
    assert asked(capsys, "push")["unchanged"] == 2
    assert asked(capsys, "import", "603", "13")["created"] == 1
    assert asked(capsys, "import", "603", "13")["unchanged"] == 2
    backend.patch("movies", 603, title="Changed by hand")
    assert asked(capsys, "refresh", "603")["staged"] == 1
    assert asked(capsys, "push", "603")["updated"] == 1
    deleted = asked(capsys, "delete", "13", "60", "--yes")
    assert (deleted["deleted"], deleted["absent"]) == (1, 1)
    assert asked(capsys, "undo", "--yes")["created"] == 1
    assert asked(capsys, "delete", "13", "--yes")["deleted"] == 1
    assert {int(movie["tmdb_id"]) for movie in backend.dump("movies")} == {603, 550}


def test_plan_verify_undo_and_the_targets_ids(
    backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, backend.url, backend.key)
    main(["stage", "603", "550"])
    capsys.readouterr()
    assert asked(capsys, "plan", "--save", "plan.json")["create"] == 2
    assert backend.dump("movies") == []
    assert asked(capsys, "push", "--plan", "plan.json")["created"] == 2
    assert asked(capsys, "verify") == {"checked": 2, "equal": 2, "different": 0, "absent": 0}
    assert asked(capsys, "stage", "--from-target", "--stage", "other")["staged"] == 2
    assert main(["plan", "--size"]) == 0
    assert "there in movies: 2 documents" in capsys.readouterr().out
    asked(capsys, "undo", "--yes")
    assert backend.dump("movies") == []


def test_absent_stops_where_it_would_delete_suspiciously_much(
    backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, backend.url, backend.key)
    main(["stage", "603", "550"])
    main(["push"])
    Stage().drop([550])
    capsys.readouterr()
    assert main(["delete", "--absent", "--yes"]) == 2
    assert "say --max 1" in capsys.readouterr().err
    assert len(backend.dump("movies")) == 2
    assert asked(capsys, "delete", "--absent", "--max", "1", "--yes")["deleted"] == 1


def test_the_target_is_named_before_anything_is_written(
    backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, backend.url, backend.key)
    main(["stage", "603"])
    capsys.readouterr()
    main(["push"])
    assert capsys.readouterr().err.startswith(f"push to dev tmdbkit-tests at {backend.url}\n")


def test_a_push_never_goes_to_the_production_of_a_file_where_the_environment_names_another(
    backend: ConvexBackend,
    app_backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(".env").write_text(f"CONVEX_URL={backend.url}\nCONVEX_DEPLOY_KEY={backend.key}\n")
    monkeypatch.setenv("CONVEX_SELF_HOSTED_URL", app_backend.url)
    monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", app_backend.key)
    main(["stage", "603"])
    capsys.readouterr()
    assert asked(capsys, "push")["created"] == 1
    assert (len(backend.dump("movies")), len(app_backend.dump("movies"))) == (0, 1)


def test_of_a_deployment_whose_halves_come_from_two_places_that_is_said_first(
    backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(".env").write_text(f"CONVEX_DEPLOY_KEY={backend.key}\n")
    monkeypatch.setenv("CONVEX_URL", backend.url)
    main(["stage", "603"])
    capsys.readouterr()
    main(["push"])
    first, second, *_ = capsys.readouterr().err.splitlines()
    here = Path(".env").resolve()
    assert first == f"CONVEX_URL is from the environment, CONVEX_DEPLOY_KEY from {here}"
    assert second == f"push to dev tmdbkit-tests at {backend.url}"


def test_an_app_without_crew_and_genres_takes_it_all_the_same(
    app_backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, app_backend.url, app_backend.key)
    main(["stage", "603"])
    capsys.readouterr()
    assert main(["push"]) == 0
    assert "not known there: movies.crew, genres" in capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 3
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


@pytest.fixture
def staged(tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stage", "603"]) == 0
    capsys.readouterr()


@pytest.mark.usefixtures("staged")
@pytest.mark.parametrize("words", [["push"], ["import", "603"], ["delete", "603", "--yes"]])
def test_a_key_for_reading_only_ends_it_with_status_3_before_the_first_write(
    words: list[str],
    backend: ConvexBackend,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, backend.url, backend.read_only_key)
    said = refused(capsys, *words)
    assert "deployment:functions:runInternalMutations" in said
    assert backend.read_only_key not in said
    assert backend.dump("movies") == []


@pytest.mark.usefixtures("staged")
def test_a_wrong_key_ends_it_with_status_3(
    backend: ConvexBackend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(monkeypatch, backend.url, "dev:tmdbkit-tests|wr0ng")
    said = refused(capsys, "push")
    assert "check CONVEX_DEPLOY_KEY" in said
    assert "wr0ng" not in said


@pytest.mark.usefixtures("staged")
def test_missing_functions_end_it_with_status_3_and_the_way_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ConvexBackend(functions=False) as bare:
        deploy(monkeypatch, bare.url, bare.key)
        assert "tmdbkit functions convex" in refused(capsys, "push")
