"""Files written whole or not at all, and on the disk before anyone counts on them."""

from __future__ import annotations

import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest

from tests.convex.bench import movie
from tests.convex.test_snapshot import export
from tests.plots.test_plots import crowd
from tests.servers.datasets import DatasetServer, tsv
from tests.servers.tmdb import TMDBServer, export_of
from tmdbkit import files, plots
from tmdbkit.cli.main import main
from tmdbkit.demo import copy_gallery
from tmdbkit.files import atomic_write, make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = tuple[str, ...]  # its name, and the paths that it is about


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The calls to the system that concern what is on the disk, as they come to a good end."""
    made: list[Call] = []
    opened: dict[int, str] = {}

    def watch(name: str, paths: Callable[..., tuple[str, ...]]) -> None:
        call = getattr(os, name)

        def watched(*args: object, **more: object) -> object:
            done = call(*args, **more)
            if name == "open":
                opened[done] = os.path.abspath(str(args[0]))
            else:
                made.append((name, *map(os.path.abspath, paths(*args))))
            return done

        monkeypatch.setattr(os, name, watched)

    watch("open", lambda *_: ())
    watch("fsync", lambda file: (opened[file],))
    watch("replace", lambda old, new: (str(old), str(new)))
    watch("link", lambda old, new: (str(old), str(new)))
    watch("mkdir", lambda path, *_: (str(path),))
    return made


# Whole, or not at all.


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_leaves_the_older_file_and_no_rests(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "plan.json"
    path.write_text("older")

    def break_off() -> None:
        with atomic_write(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(type(error)):
        break_off()
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_full_is_said_of_the_file_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "plan.json", "{}")
    assert caught.value.filename == str(tmp_path / "plan.json")


@pytest.mark.parametrize("name", ["nowhere/plan.json", f"{'n' * 250}.json"])
def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=name) as caught:
        write_text(tmp_path / name, "{}")
    assert caught.value.filename == str(tmp_path / name)


def test_a_pipe_is_written_to_and_no_file_takes_its_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "{}")
    assert (os.read(reader, 9), pipe.is_fifo()) == (b"{}", True)
    os.close(reader)


def test_a_device_that_is_full_is_said_by_its_name_and_stays(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(device, "{}")
    assert (caught.value.filename, device.is_char_device()) == (str(device), True)


def test_where_a_link_is_named_the_file_that_it_leads_to_is_written(tmp_path: Path) -> None:
    file, link = tmp_path / "plan.json", tmp_path / "latest.json"
    file.write_text("older")
    link.symlink_to("plan.json")
    write_text(link, "{}")
    assert (file.read_text(), link.is_symlink()) == ("{}", True)


# On the disk.


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_end(
    tmp_path: Path, calls: list[Call]
) -> None:
    path = tmp_path / "plan.json"
    write_text(path, "{}")
    aside = calls[0][1]
    assert calls == [
        ("fsync", aside),
        ("replace", aside, str(path)),
        ("fsync", str(tmp_path)),
    ]


def test_of_folders_that_are_made_each_name_is_on_the_disk(
    tmp_path: Path, calls: list[Call]
) -> None:
    make_folder(tmp_path / "a" / "b")
    synced = {path for name, path in calls if name == "fsync"}
    assert synced == {str(tmp_path), str(tmp_path / "a")}


def test_a_folder_that_is_there_costs_no_wait(tmp_path: Path, calls: list[Call]) -> None:
    make_folder(tmp_path)
    assert calls == []


def refuse(monkeypatch: pytest.MonkeyPatch, step: str, number: int) -> None:
    """Let the system refuse a step of each sync of a folder."""
    call = getattr(os, step)

    def refusing(what: str | Path | int, *more: object) -> object:
        if os.path.isdir(what):
            raise OSError(number, os.strerror(number))
        return call(what, *more)

    monkeypatch.setattr(files.os, step, refusing)


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("open", errno.EACCES),  # Windows; a folder that may be written to, but not read
        ("open", errno.EPERM),
        ("open", errno.EISDIR),
        ("fsync", errno.EINVAL),  # file systems of a network
        ("fsync", errno.ENOTSUP),
        ("fsync", errno.ENOSYS),
        ("fsync", errno.EBADF),
    ],
)
def test_where_a_folder_cannot_be_synced_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    with monkeypatch.context() as patched:  # the folder itself is deleted afterwards
        refuse(patched, step, number)
        make_folder(tmp_path / "a")
        write_text(tmp_path / "a" / "plan.json", "{}")
    assert (tmp_path / "a" / "plan.json").read_text() == "{}"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patched:
        refuse(patched, "fsync", number)
        with pytest.raises(OSError, match=os.strerror(number)):
            write_text(tmp_path / "plan.json", "{}")


# All that the commands write.

COMMANDS = (
    "stage 603",
    "ratings --provider imdb",
    "stage --export 2026-01-31 --min-popularity 5",
    "review",
    "check --html report.html",
    "plan --snapshot prod.zip --save plan.json",
    "push --snapshot prod.zip",
    "push --snapshot new/rehearsal",
    "functions convex",
)
TYPED = "a\nq\n"
WRITTEN = (
    *("data/stage/stage.json", "data/stage/payloads/*.parquet", "data/stage/movies/*.parquet"),
    *("data/stage/decisions/*.parquet", "data/stage/imports/*.parquet"),
    *("prod.zip", "prod.export.zip", "prod.import.zip", "new/rehearsal/snapshot.zip"),
    *("plan.json", "report.html", "convex/tmdbkit.ts", "convex/schema.ts"),
    *("cache/imdb/*.tsv.gz", "cache/imdb/*.parquet", "cache/exports/*.parquet"),
)
SEEN = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,mkdir,mkdirat"
RUN = (
    "import sys; from tmdbkit.cli.main import main; [main(words.split()) for words in sys.argv[1:]]"
)
TRACED = (  # what strace writes of a call, and which one it is
    (r"fsync\(\d+<(.+)>\) += 0|fdatasync\(\d+<(.+)>\) += 0", "fsync"),
    (r'rename\w*\([^"]*"(.+)", [^"]*"(.+)"(?:, \w+)?\) += 0', "replace"),
    (r'link\w*\([^"]*"(.+)", [^"]*"(.+)"(?:, \w+)?\) += 0', "link"),
    (r'mkdir\w*\([^"]*"(.+)", \d+\) += 0', "mkdir"),
)


def run_here(calls: list[Call], monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Run the commands in this process."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(TYPED))
    for words in COMMANDS:
        main(words.split())
    return calls


def run_traced(folder: Path) -> list[Call]:
    """Run the commands in a process of their own, and read what the system was asked for."""
    if which("strace") is None:
        pytest.skip("without strace nobody sees what a process asks of the system")
    strace = ["strace", "-qq", "-ff", "-y", "-s", "4096", "-e", f"trace={SEEN}"]
    command = [*strace, "-o", str(folder / "trace"), sys.executable, "-c", RUN, *COMMANDS]
    done = subprocess.run(command, input=TYPED, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr:
        pytest.skip(f"no process may be traced here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    lines = [line for file in folder.iterdir() for line in file.read_text().splitlines()]
    return [call for line in lines for call in traced(line)]


def traced(line: str) -> Iterator[Call]:
    for pattern, name in TRACED:
        if match := re.match(pattern, line):
            yield name, *(os.path.abspath(path) for path in match.groups() if path)


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with an export of production in it, and servers of movies, ratings, exports."""
    here = Path.cwd()
    export(here / "prod.zip", movie())
    exports, rated = {"2026-01-31": export_of((603, 80.0))}, tsv([("tt0133093", 8.7, 2_100_000)])
    with TMDBServer(exports=exports) as tmdb, DatasetServer(rated) as imdb:
        monkeypatch.setenv("TMDB_BASE_URL", tmdb.base_url)
        monkeypatch.setenv("TMDB_EXPORTS_URL", tmdb.exports_url)
        monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", tmdb.token or "")
        monkeypatch.setenv("IMDB_DATASETS_URL", imdb.url)
        monkeypatch.setenv("TMDBKIT_CACHE", str(here / "cache"))
        yield here


def renamed(calls: list[Call], folder: Path) -> set[str]:
    """What got its name in a folder, once it is sure that each file and name was on the disk."""
    made = [call for call in calls if Path(call[-1]).is_relative_to(folder)]
    found = set()
    for position, (name, *paths) in enumerate(made):
        parent = str(Path(paths[-1]).parent)
        if name in ("replace", "link"):
            assert made[position - 1] == ("fsync", paths[0])
            assert made[position + 1] == ("fsync", parent)
            found.add(paths[1])
        elif name == "mkdir":
            assert ("fsync", parent) in made[position:]
    return found


@pytest.mark.parametrize("seen_by", ["this process", "strace"])
def test_whatever_a_command_writes_is_on_the_disk_when_it_has_its_name(
    surroundings: Path,
    seen_by: str,
    calls: list[Call],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = run_traced(tmp_path) if seen_by == "strace" else run_here(calls, monkeypatch)
    on_the_disk = renamed(made, surroundings)
    for pattern in WRITTEN:
        written = set(map(str, surroundings.glob(pattern)))
        assert written, pattern
        assert written <= on_the_disk


def test_notebooks_that_are_copied_are_on_the_disk(tmp_path: Path, calls: list[Call]) -> None:
    copied = copy_gallery(tmp_path / "gallery")
    assert renamed(calls, tmp_path) == set(map(str, copied))


@pytest.mark.parametrize("name", ["votes.png", "votes.svg"])
def test_a_picture_that_is_saved_is_on_the_disk(
    tmp_path: Path, calls: list[Call], name: str
) -> None:
    saved = plots.coverage(crowd(30)).save(tmp_path / name)
    assert renamed(calls, tmp_path) == {str(saved)}
