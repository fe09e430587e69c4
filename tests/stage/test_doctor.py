"""What the doctor says of a stage's files: each damage named, what it loses, what to do."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.cli.terminal import counts_in
from tmdbkit import Settings, Stage
from tmdbkit.cli.main import main
from tmdbkit.exceptions import StageError
from tmdbkit.ratings.rows import as_ratings

from .conftest import T0, correct, movies, reopened
from .test_stage import failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tmdbkit.stage.doctor import Problem

pytestmark = pytest.mark.once

DAY = timedelta(days=1)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A stage with something in each of its logs."""
    for tmdb_id in (1, 2, 3):
        stage.store.add(movies(tmdb_id))
    stage.store.add_checks([1], datetime.now(UTC))
    stage.store.add_failures(failure(9, T0))
    found = [(1, "imdb", 7.5, 100, T0)]
    names = ["tmdb_id", "system", "points", "votes", "fetched_at"]
    stage.store.add_ratings(as_ratings(pl.DataFrame(found, names, orient="row"), "imdb"))
    correct(stage, "title", "By hand")
    return stage


def parts(stage: Stage, log: str) -> list[Path]:
    return sorted((stage.store.root.folder / log).glob("*.parquet"))


def flip(path: Path, bit: int = 400) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(content))


def problems(stage: Stage) -> tuple[Problem, ...]:
    return stage.doctor().problems


def only(stage: Stage) -> Problem:
    [problem] = problems(stage)
    return problem


def test_a_stage_that_is_whole_has_no_problem(stage: Stage) -> None:
    for at in (T0, T0 + DAY):
        stage.compact(now=at)
    health = stage.doctor()
    assert health.counts() == {"files": health.files, "bytes": health.bytes, "problems": []}
    assert health.files == sum(1 for path in stage.store.root.folder.rglob("*.parquet")) + 1
    assert "problems: none" in repr(health)


def test_an_empty_place_has_no_problem(tmp_path: Path) -> None:
    assert problems(Stage(tmp_path / "none", settings=Settings())) == ()


def test_of_five_hundred_flipped_bits_each_is_found_and_its_file_named(stage: Stage) -> None:
    stage.compact(now=T0)
    files = list(stage.store.root.folder.rglob("*.parquet"))
    chosen = random.Random(1)
    for _ in range(500):
        path = chosen.choice(files)
        content = path.read_bytes()
        flip(path, chosen.randrange(len(content) * 8))
        problem = only(stage)
        assert (problem.kind, problem.file, problem.log) == (
            "damaged",
            str(path),
            path.parent.name,
        )
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("log", "lost", "do"),
    [
        ("payloads", "1 payload", "tmdbkit stage --refresh 1"),
        ("movies", "nothing", "it is made again by itself"),
        ("decisions", "1 decision", "from a backup"),
        ("ratings", "1 rating", "from a backup; or move that file away"),
        ("failures", "1 failure", "found out again"),
        ("checks", "1 check", "found out again"),
    ],
)
def test_what_is_lost_and_what_to_do_is_said_for_each_log(
    stage: Stage, log: str, lost: str, do: str
) -> None:
    flip(parts(stage, log)[0])
    problem = only(stage)
    assert (problem.kind, problem.log) == ("damaged", log)
    assert lost in problem.lost
    assert do in problem.do


def test_what_it_says_to_do_about_a_payload_mends_it(stage: Stage) -> None:
    damaged = parts(stage, "payloads")[1]
    flip(damaged)
    assert only(stage).ids == (2,)
    damaged.rename(stage.store.root.folder.parent / "away")
    assert only(stage).kind == "missing"
    stage.store.add(movies(2))
    assert problems(reopened(stage)) == ()


def test_a_damaged_part_that_was_merged_is_no_loss(stage: Stage) -> None:
    source = parts(stage, "payloads")[0]
    stage.compact(now=T0)
    flip(source)
    assert "nothing: it was merged" in only(stage).lost
    stage.compact(now=T0 + DAY)
    assert problems(stage) == ()


def test_a_damaged_merged_part_is_no_loss_while_its_sources_are_there(stage: Stage) -> None:
    stage.compact(now=T0)
    [merged] = (stage.store.root.folder / "payloads").glob("*-merged.parquet")
    flip(merged)
    problem = only(stage)
    assert "all that was merged to it is there yet" in problem.lost
    assert "delete that file" in problem.do
    merged.unlink()
    assert list(reopened(stage)) == [1, 2, 3]


def test_a_merged_part_is_a_loss_once_its_sources_are_swept(stage: Stage) -> None:
    for at in (T0, T0 + DAY):
        stage.compact(now=at)
    [merged] = parts(stage, "payloads")
    flip(merged)
    assert only(stage).ids == (1, 2, 3)
    merged.unlink()
    assert (only(stage).kind, only(stage).ids) == ("missing", (1, 2, 3))


def test_a_manifest_of_layout_1_tells_of_a_part_that_is_gone(stage: Stage) -> None:
    name = "20260101T000000000000-0badcafe"
    manifest = {"replaces": [name], "at": T0.isoformat()}
    (stage.store.root.folder / "decisions" / f"{name}-merged.json").write_text(json.dumps(manifest))
    problem = only(stage)
    assert (problem.kind, problem.log) == ("missing", "decisions")
    assert "from a backup" in problem.do


def test_a_rest_of_a_killed_write_is_a_problem_once_it_is_a_day_old(stage: Stage) -> None:
    rest = stage.store.root.folder / "payloads" / ".x.parquet.aaaa.tmp"
    rest.write_bytes(b"half")
    assert problems(stage) == ()
    os.utime(rest, (T0.timestamp(), T0.timestamp()))
    assert only(stage).kind == "leftover"
    stage.compact()
    assert problems(stage) == ()


def _say(text: str) -> Callable[[Path], object]:
    return lambda marker: marker.write_text(text)


@pytest.mark.parametrize(
    "change",
    [Path.unlink, _say(""), _say("[]"), _say('{"layout": null}'), _say('{"layout": 99}')],
)
def test_a_marker_that_is_wrong_is_a_problem(
    stage: Stage, change: Callable[[Path], object]
) -> None:
    change(stage.store.root.folder / "stage.json")
    assert only(stage).kind == "marker"


def test_a_marker_of_layout_1_is_wrong_where_parts_were_merged_since(stage: Stage) -> None:
    (stage.store.root.folder / "stage.json").write_text('{"layout": 1}')
    assert problems(stage) == ()
    stage.compact(now=T0)
    (stage.store.root.folder / "stage.json").write_text('{"layout": 1}')
    assert only(stage).kind == "marker"


@pytest.mark.parametrize("name", ["notes.txt", "20260101T000000000000-0badcafe (1).parquet"])
def test_a_file_of_somebody_else_is_a_problem(stage: Stage, name: str) -> None:
    source = parts(stage, "payloads")[0]
    (stage.store.root.folder / "payloads" / name).write_bytes(source.read_bytes())
    problem = only(stage)
    assert (problem.kind, Path(problem.file).name) == ("unknown", name)


def test_a_part_without_a_checksum_is_said(stage: Stage) -> None:
    path = parts(stage, "payloads")[0]
    pl.read_parquet(path).write_parquet(path)
    health = stage.doctor()
    assert (health.problems, health.unsealed) == ((), 1)
    assert "no checksum: 1" in repr(health)


def test_a_result_draws_itself_with_all_that_it_says(stage: Stage) -> None:
    flip(parts(stage, "decisions")[0])
    health = stage.doctor()
    problem = health.problems[0]
    for drawn in (repr(health), health._repr_html_()):
        assert all(text in drawn for text in (problem.kind, problem.file, problem.lost))


# In a terminal.


def test_the_command_says_it_and_its_status_tells(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--stage", str(stage.store.root.folder)]) == 0
    flip(parts(stage, "decisions")[0])
    assert main(["doctor", "--stage", str(stage.store.root.folder), "--json"]) == 1
    said = counts_in(capsys.readouterr().out.splitlines()[-1], 1)
    assert said.keys() == {"files", "bytes", "problems"}
    assert [problem.keys() for problem in said["problems"]] == [
        {"kind", "file", "log", "lost", "do"}
    ]


def test_the_command_looks_at_a_stage_that_cannot_be_opened(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    (stage.store.root.folder / "stage.json").write_text("{")
    with pytest.raises(StageError):
        reopened(stage)
    assert main(["doctor", "--stage", str(stage.store.root.folder)]) == 1
    assert "stage.json" in capsys.readouterr().out


def test_a_stage_that_is_a_file_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stage").write_text("")
    assert main(["doctor", "--stage", str(tmp_path / "stage")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_it_looks_into_an_object_store_too(bucket: str) -> None:
    stage = Stage(f"{bucket}/stage", settings=Settings())
    part = stage.store.append(movies(1))
    content = stage.store.root.read(f"payloads/{part}.parquet")
    assert problems(stage) == ()
    stage.store.root.write(f"payloads/{part}.parquet", content[:40] + b"\0" + content[41:])
    assert only(stage).file == f"{bucket}/stage/payloads/{part}.parquet"
