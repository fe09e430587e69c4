"""The power fails: what had returned is on the disk, on a real file system that loses the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.convex.bench import NOW, movie, payload, push, staged
from tmdbkit import ConvexSnapshot, Settings, Stage
from tmdbkit.review import ReviewQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.once

MIB = 48
SOME, ALL = [2, 7], range(1, 11)  # after which steps it fails


class Disk:
    """A file system in a file, which holds of what was written only what was synced.

    The kernel writes nothing to it by itself within the time of a test.
    """

    def __init__(self, place: Path) -> None:
        self._image, self.folder = place / "disk.img", place / "disk"
        self._place, self._cuts = place, 0
        with self._image.open("wb") as file:
            file.truncate(MIB * 2**20)
        subprocess.run(["mkfs.ext4", "-q", self._image], check=True, capture_output=True)
        _mount(self._image, self.folder)
        os.sync()

    def after_a_cut(self) -> Path:
        """Return what is there when the power comes back, in a folder of its own."""
        self._cuts += (
            1  # of a file that was mounted before, the kernel may still know what was in it
        )
        image, folder = self._place / f"after{self._cuts}.img", self._place / "after"
        if folder.exists():
            subprocess.run(["umount", folder], check=True)
        shutil.copyfile(self._image, image)
        _mount(image, folder)
        return folder

    def close(self) -> None:
        for folder in (self._place / "after", self.folder):
            subprocess.run(["umount", folder], check=False, capture_output=True)


def _mount(image: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    options = "loop,commit=900"  # seconds until the kernel would write by itself
    done = subprocess.run(
        ["mount", "-o", options, image, folder], check=False, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no loop device can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if not shutil.which("mkfs.ext4") or os.geteuid():
        pytest.skip("whoever runs this cannot make a file system")
    disk = Disk(tmp_path)
    yield disk
    disk.close()


def test_the_disk_loses_what_was_not_synced(disk: Disk) -> None:
    (disk.folder / "written").write_text("x")
    with (disk.folder / "synced").open("w") as file:
        file.write("x")
    os.sync()
    (disk.folder / "later").write_text("x")
    assert sorted(path.name for path in disk.after_a_cut().iterdir() if path.is_file()) == [
        "synced",
        "written",
    ]


def stage_a_movie(folder: Path, n: int) -> None:
    staged(folder / "stage", payload(n, title=f"Movie {n}"))


def stage_and_compact(folder: Path, n: int) -> None:
    """Merge what is there, and sweep what the merge of the day before replaced."""
    stage_a_movie(folder, n)
    Stage(folder / "stage", settings=Settings()).compact(now=NOW + timedelta(days=2 * n))


def movies_there(folder: Path) -> list[int]:
    stage = Stage(folder / "stage", settings=Settings())
    assert stage.doctor().problems == ()
    assert stage.movies()["tmdb_id"].to_list() == list(stage)
    return list(stage)


def decide(folder: Path, n: int) -> None:
    ReviewQueue(Stage(folder / "stage", settings=Settings()), by="Ann").hold(n, note="wait")


def decisions_there(folder: Path) -> list[int]:
    return sorted(Stage(folder / "stage", settings=Settings()).decisions()["tmdb_id"])


def push_a_movie(folder: Path, n: int) -> None:
    push(Stage(folder / "stage", settings=Settings()), ConvexSnapshot(folder / "snap"), ids=[n])


def pushed_there(folder: Path) -> list[int]:
    stage, target = Stage(folder / "stage", settings=Settings()), ConvexSnapshot(folder / "snap")
    logged = stage.imports()
    assert set(logged["outcome"]) <= {"created"}
    there = sorted(int(row["tmdb_id"]) for row in target.table("movies"))
    assert there == sorted(logged["tmdb_id"])
    return there


def change_somebodys(folder: Path, n: int) -> None:
    """Change a document of somebody's snapshot, which the log alone then remembers as it was."""
    target = ConvexSnapshot(folder / "theirs")
    target.apply_movies([{"tmdb_id": n, "create": movie(n, tagline="Theirs", slug=f"s{n}")}])
    target.flush()
    push(Stage(folder / "stage", settings=Settings()), target, ids=[n])


def remembered(folder: Path) -> list[int]:
    logged = Stage(folder / "stage", settings=Settings()).imports()
    return sorted(logged.filter(logged["before"].str.contains("Theirs"))["tmdb_id"])


@pytest.mark.parametrize(
    "moments", [SOME, pytest.param(ALL, marks=pytest.mark.large)], ids=["some", "all"]
)
@pytest.mark.parametrize(
    ("do", "there"),
    [
        pytest.param(stage_a_movie, movies_there, marks=pytest.mark.large),
        (stage_and_compact, movies_there),
        (decide, decisions_there),
        pytest.param(push_a_movie, pushed_there, marks=pytest.mark.large),
        (change_somebodys, remembered),
    ],
    ids=["stage", "compaction", "decisions", "snapshot", "push"],
)
def test_what_had_returned_is_there(
    disk: Disk,
    do: Callable[[Path, int], None],
    there: Callable[[Path], list[int]],
    moments: list[int],
) -> None:
    if there is not movies_there:
        staged(disk.folder / "stage", *(payload(n, title=f"Movie {n}") for n in ALL))
    for step in ALL:
        do(disk.folder, step)
        if step in moments:
            assert there(disk.after_a_cut()) == list(range(1, step + 1))
