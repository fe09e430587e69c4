"""Whoever can read a stage reads all of it, though nothing can be written there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.read_only import WAYS, run
from tests.servers.object_store import refusing_writes
from tmdbkit import ConvexSnapshot, Settings, Stage, push
from tmdbkit.exceptions import StopError

from .conftest import T0, answers, let_rows_be_old, movies, payload, reopened, results, titles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.object_store import ObjectStoreServer

pytestmark = pytest.mark.once

resource = pytest.importorskip("resource")  # Unix alone
READS = """
import json, sys
from tests.stage.conftest import results
from tmdbkit import Settings, Stage

stage = Stage(sys.argv[1], settings=Settings())
print(json.dumps([results(stage), results(stage)], default=str))
"""


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize(
    ("way", "gone"),
    [
        *((way, ("movies", "failures")) for way in WAYS),
        ("no permission", ("old rows",)),
        *(
            pytest.param("no permission", gone, marks=pytest.mark.large)
            for gone in ((), ("movies",))
        ),
    ],
)
def test_a_stage_that_nothing_is_written_to_is_read_whole(
    eventful: Stage, way: str, gone: tuple[str, ...]
) -> None:
    folder = eventful.store.root.folder
    assert folder is not None
    expected = json.loads(json.dumps(results(eventful), default=str))
    if gone == ("old rows",):
        let_rows_be_old(eventful)
    else:
        for name in gone:
            shutil.rmtree(folder / name)
    before = tree(folder)
    done = run(way, folder, sys.executable, "-c", READS, str(folder))
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [expected, expected]
    assert tree(folder) == before


COMMANDS = ("status", "check", "plan --snapshot SNAPSHOT", "verify --snapshot SNAPSHOT")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        pytest.param(way, words, marks=() if (n + m) % len(WAYS) == 0 else pytest.mark.large)
        for n, way in enumerate(WAYS)
        for m, words in enumerate(COMMANDS)
    ],
)
def test_a_command_that_only_reads_says_what_it_says_where_it_may_write(
    stage: Stage, tmp_path: Path, way: str, words: str
) -> None:
    stage.store.add(movies(1, 2))
    push(stage, ConvexSnapshot(tmp_path / "snapshot"))
    stage.store.add(answers((1, payload(1, "Newer", tagline="New"), T0), (3, "{", T0)))
    assert stage.store.root.folder is not None
    shutil.rmtree(stage.store.root.folder / "movies")
    shutil.rmtree(stage.store.root.folder / "failures")
    given = words.replace("SNAPSHOT", str(tmp_path / "snapshot")).split()
    command = [
        sys.executable,
        "-m",
        "tmdbkit",
        *given,
        "--stage",
        str(stage.store.root.folder),
        "--json",
    ]
    done = run(way, stage.store.root.folder, *command)
    subprocess.run(["chmod", "-R", "u+w", str(stage.store.root.folder)], check=True)
    free = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (
        free.returncode,
        free.stdout,
        free.stderr,
    )
    assert json.loads(done.stdout)


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_are_to_be_written_and_cannot_are_one_clear_line(stage: Stage, way: str) -> None:
    stage.store.add(movies(1, 2))
    assert stage.store.root.folder is not None
    shutil.rmtree(stage.store.root.folder / "movies")
    command = [
        sys.executable,
        "-m",
        "tmdbkit",
        "transform",
        "--stage",
        str(stage.store.root.folder),
    ]
    done = run(way, stage.store.root.folder, *command)
    subprocess.run(["chmod", "-R", "u+w", str(stage.store.root.folder)], check=True)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "movies cannot be written to" in done.stderr


@contextmanager
def no_files() -> Iterator[None]:
    """Let this process write no file of any size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def rowless(stage: Stage) -> Stage:
    """A stage with payloads and no rows, one payload malformed."""
    stage.store.append(answers((1, payload(1), T0), (2, payload(2), T0), (3, "{", T0)))
    return stage


@pytest.mark.parametrize("marker", ['{"layout": 1}', '{"layout": 2, "language": "en-US"}\n'])
def test_who_only_reads_leaves_the_marker_as_it_is(eventful: Stage, marker: str) -> None:
    assert eventful.store.root.folder is not None
    path = eventful.store.root.folder / "stage.json"
    path.write_text(marker)
    before = path.stat()
    results(reopened(eventful))
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert path.read_text() == marker


def test_doctor_looks_at_what_it_may_only_read(eventful: Stage) -> None:
    folder = eventful.store.root.folder
    assert folder is not None
    command = [sys.executable, "-m", "tmdbkit", "doctor", "--json", "--stage", str(folder)]
    done = run("a read-only file system", folder, *command)
    assert (done.returncode, json.loads(done.stdout)["problems"]) == (0, [])


def test_rows_in_memory_and_on_the_disk_are_read_together(rowless: Stage) -> None:
    with no_files():
        assert titles(rowless) == {1: "Movie 1", 2: "Movie 2"}
    rowless.store.add(movies(4))
    assert sorted(titles(rowless)) == sorted(titles(reopened(rowless))) == [1, 2, 4]


def test_files_for_others_are_refused_while_they_cannot_be_written(rowless: Stage) -> None:
    with no_files():
        rowless.movies()
        with pytest.raises(StopError, match="cannot be written to"):
            rowless.files()
    assert pl.read_parquet(rowless.files())["title"].to_list() == ["Movie 1", "Movie 2"]


def test_a_malformed_payload_is_told_though_it_cannot_be_noted(rowless: Stage) -> None:
    with no_files():
        assert reopened(rowless).failures()["tmdb_id"].to_list() == [3]
    other = reopened(rowless)
    assert other.failures()["tmdb_id"].to_list() == [3]
    assert other.store.movies.derived.failures.scan().collect()["tmdb_id"].to_list() == [3]


def test_an_object_store_that_takes_nothing_is_read_whole(
    s3: ObjectStoreServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(f"{bucket}/movies", settings=Settings())
    stage.store.add(movies(1, 2))
    stage.store.append(answers((3, payload(3), T0), (4, "{", T0)))
    expected = [*range(1, 4)]
    with refusing_writes(s3) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        other = Stage(f"{bucket}/movies", settings=Settings())
        with pytest.raises(StopError, match="cannot be written to"):
            other.store.add(movies(9))
        assert sorted(titles(other)) == expected
        assert other.failures()["tmdb_id"].to_list() == [4]
