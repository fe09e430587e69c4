"""The sample and the demo: offline, from any install, and true to what they promise."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

import tmdbkit
from tmdbkit.demo import (
    EXPORTED_ON,
    SEEN_AT,
    copy_gallery,
    run_demo,
    sample_exports,
    sample_payloads,
    sample_table,
    shipped,
)
from tmdbkit.exceptions import UsageError
from tmdbkit.ratings.table import Table
from tmdbkit.review import ReviewQueue

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once


def test_the_sample_is_a_stage_that_can_be_written_to(tmp_path: Path) -> None:
    stage = tmdbkit.sample(tmp_path / "sample")
    assert len(stage) == len(sample_payloads())
    assert stage.drop([603]) == 1
    assert 603 in tmdbkit.sample()


def test_the_demo_does_not_age_and_a_terminal_finds_what_a_notebook_finds(tmp_path: Path) -> None:
    run_demo(tmp_path / "demo")
    opened = tmdbkit.Stage(tmp_path / "demo" / "stage")
    assert opened.store.now() == SEEN_AT
    report, of_the_sample = tmdbkit.check(opened), tmdbkit.check(tmdbkit.sample(tmp_path / "s"))
    assert report.counts() == of_the_sample.counts()
    assert report.findings.filter(rule="stale").height == 2


def test_what_a_person_sets_in_the_sample_is_not_of_the_future(tmp_path: Path) -> None:
    stage = tmdbkit.sample(tmp_path / "sample")
    ReviewQueue(stage, by="Ann").correct("imdb", 8.5, 603)
    assert tmdbkit.check(stage).findings.filter(rule="fetched_in_future").is_empty()


def test_the_first_finding_is_about_a_film_and_not_about_markup(tmp_path: Path) -> None:
    first = tmdbkit.check(tmdbkit.sample(tmp_path / "sample")).findings.row(0, named=True)
    assert first["title"] == "Written, Directed and Played Twice by One Person"
    assert (first["system"], first["value"]) == ("letterboxd", "32 of 5")


def test_the_sample_goes_over_nothing_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        tmdbkit.sample(tmp_path)


def test_every_movie_of_the_sample_has_a_picture(tmp_path: Path) -> None:
    stage = tmdbkit.sample(tmp_path / "sample")
    assert all(stage.store.poster(tmdb_id) for tmdb_id in sample_payloads())


def test_the_sample_has_all_decades_many_languages_and_a_dozen_traps() -> None:
    payloads = [json.loads(text) for text in sample_payloads().values()]
    real = [payload for payload in payloads if payload["id"] < 900_000_000]
    assert len(payloads) - len(real) == 12
    assert {payload["release_date"][:3] for payload in real} >= {str(d) for d in range(191, 203)}
    assert len({payload["original_language"] for payload in real}) >= 15


def test_the_sample_s_exports_have_every_movie_of_it_and_some_that_it_has_not(
    tmp_path: Path,
) -> None:
    exports = sample_exports(tmp_path)
    before, latest = (exports.of(day) for day in EXPORTED_ON)
    assert latest == exports.latest()
    beyond = set(latest.ids()["tmdb_id"]) - set(sample_payloads())
    assert latest.ids().height == len(sample_payloads()) + len(beyond)
    assert all(tmdb_id > 900_000_000 for tmdb_id in beyond)
    assert set(latest.since(before)["change"]) == {"added", "removed"}


def test_the_demo_ends_in_a_snapshot_of_every_movie(tmp_path: Path) -> None:
    done = run_demo(tmp_path)
    assert done.staged.http_requests == 0
    assert done.pushed.created == len(sample_payloads())
    with zipfile.ZipFile(done.snapshot.path) as archive:
        lines = archive.read("movies/documents.jsonl").splitlines()
    assert {json.loads(line)["tmdb_id"] for line in lines} == set(sample_payloads())


def test_the_demo_has_ratings_that_a_check_finds_fault_with(tmp_path: Path) -> None:
    done = run_demo(tmp_path)
    assert done.stage.status()["rated"] == 37
    assert {3} == {tmdbkit.check(done.stage).counts()["errors"], done.pushed.withheld}
    ratings = done.stage.ratings().height
    assert run_demo(tmp_path).stage.ratings().height == ratings


def test_the_demo_can_be_run_again_and_finds_all_as_it_should_be(tmp_path: Path) -> None:
    run_demo(tmp_path)
    again = run_demo(tmp_path)
    assert (again.staged.staged, again.pushed.created) == (0, 0)
    assert again.pushed.unchanged == len(sample_payloads())


def test_the_gallery_is_copied_and_never_over_a_notebook_of_the_same_name(tmp_path: Path) -> None:
    notebooks = {path.name for path in shipped("notebooks").glob("*.ipynb")}
    assert {path.name for path in copy_gallery(tmp_path)} == notebooks
    (tmp_path / "01_stage_and_push.ipynb").write_text("mine")
    assert copy_gallery(tmp_path) == []
    assert (tmp_path / "01_stage_and_push.ipynb").read_text() == "mine"


def test_a_notebook_whose_copy_broke_off_is_copied_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_source: Path, to: Path) -> None:
        to.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfile", break_off)
    with pytest.raises(KeyboardInterrupt):
        copy_gallery(tmp_path)
    monkeypatch.undo()
    assert len(copy_gallery(tmp_path)) == len(list(shipped("notebooks").glob("*.ipynb")))


@pytest.mark.parametrize(
    ("table", "rule", "systems"),
    [
        ("letterboxd_joined_wrongly", "same_everywhere", ["letterboxd"]),
        ("imdb_shifted", "other_movies", ["imdb"]),
        ("critics_swapped", "swapped_systems", ["metacritic", "rotten_tomatoes"]),
    ],
)
def test_a_table_of_the_sample_has_the_fault_that_its_name_says_and_no_other(
    tmp_path: Path, table: str, rule: str, systems: list[str]
) -> None:
    stage = tmdbkit.sample(tmp_path / "s")
    before = tmdbkit.check(stage).findings.filter(severity="error")["rule"].unique().to_list()
    points = {system: system for system in systems}
    tmdbkit.collect_ratings(stage, [Table(sample_table(table), points=points)])
    found = tmdbkit.check(stage).findings.filter(severity="error")
    new = found.filter(~found["rule"].is_in(before))
    assert new["rule"].unique().to_list() == [rule]
    assert sorted(new["system"].unique()) == systems
