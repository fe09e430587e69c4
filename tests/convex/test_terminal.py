"""The command line against Convex: all of the way, and one line where it cannot be gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import counts_in
from tests.servers.tmdb import TMDBServer
from tmdbkit import Stage
from tmdbkit.cli.main import main

from .backend import HERE, ConvexBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once


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
    return counts_in(capsys.readouterr().out, 0)


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
    all_equal = {"checked": 2, "equal": 2, "different": 0, "absent": 0, "not_staged": 0}
    assert asked(capsys, "verify") == all_equal
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


def test_a_contract_is_saved_from_a_deployment_and_used_on_a_snapshot(
    app_backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, app_backend.url, app_backend.key)
    assert asked(capsys, "stage", "603")["staged"] == 1
    assert asked(capsys, "plan", "--save-contract", "app.json")["create"] == 1
    monkeypatch.delenv("CONVEX_URL")
    assert main(["plan", "--snapshot", "first", "--contract", "app.json"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("contract: of app.json\ntarget: snapshot at first")
    assert "not known there: movies.crew, genres" in out
    for words in (["push"], ["verify"], ["undo"], ["delete", "603"]):
        assert main([*words, "--snapshot", "first", "--contract", "app.json"]) == 0
    capsys.readouterr()
    assert main(["plan", "--snapshot", "first", "--contract", "nothing.json"]) == 2
    assert "nothing.json cannot be read: No such file" in capsys.readouterr().err


def test_a_contract_is_no_deployments(
    backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, backend.url, backend.key)
    asked(capsys, "stage", "603")
    assert main(["push", "--contract", "app.json"]) == 2
    assert "--contract is of --snapshot" in capsys.readouterr().err
    assert main(["plan", "--snapshot", "first", "--save-contract", "app.json"]) == 2
    assert "--save-contract asks a deployment" in capsys.readouterr().err
    assert not Path("app.json").exists()


def test_images_are_converted_from_the_command_line(
    backend: ConvexBackend,
    tmdb: TMDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(monkeypatch, backend.url, backend.key)
    asked(capsys, "stage", "603", "550")
    assert asked(capsys, "push")["created"] == 2
    assert asked(capsys, "plan", "--images", "path")["images"] == 4
    assert asked(capsys, "push", "--images", "path")["updated"] == 2
    assert {row["main_poster"][0] for row in backend.dump("movies")} == {"/"}
    asked(capsys, "undo", "--yes")
    assert {row["main_poster"][:5] for row in backend.dump("movies")} == {"https"}
    assert main(["push", "--plan", "x.json", "--images", "url"]) == 2
    assert "--images and --approved" in capsys.readouterr().err


def test_a_kind_that_cannot_be_filled_is_one_line_and_status_3(
    tmdb: TMDBServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours = str(HERE.parents[1] / "tmdbkit/convex/functions/schema")
    (tmp_path / "schema.ts").write_text(
        f"""
import {{ defineSchema, defineTable }} from "convex/server";
import {{ v }} from "convex/values";
import ours from "{ours}";
const movies = {{ ...ours.tables.movies.validator.fields, revenue: v.int64() }};
export default defineSchema({{ ...ours.tables, movies: defineTable(movies)
  .index("by_tmdb_id", ["tmdb_id"]).index("by_slug", ["slug"]) }});
"""
    )
    with ConvexBackend(tmp_path / "schema.ts") as backend:
        deploy(monkeypatch, backend.url, backend.key)
        asked(capsys, "stage", "603")
        for verb in ("plan", "push", "import"):
            assert main([verb, "603"]) == 3
            last = capsys.readouterr().err.splitlines()[-1]
            assert last.startswith(
                "tmdbkit: movies.revenue is v.int64(), which tmdbkit cannot fill;"
            )
        assert backend.dump("crew") == []
