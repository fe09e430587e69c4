"""Before something changes: who is asked, what has to be typed, and that nobody is no yes."""

from __future__ import annotations

import shlex
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import COMMAND, Terminal
from tmdbkit.images import ImageForm
from tmdbkit.progress import Silent
from tmdbkit.workflows import push

from .backend import ConvexBackend
from .bench import SnapshotBench, deployment, movie, payload, staged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.once

LARGE = pytest.mark.large  # what differs by the verb, or the source, alone

KEYS = {"dev": "dev:tmdbkit-tests|0123456789abcdef", "prod": "prod:tmdbkit-tests|0123456789abcdef"}


@pytest.fixture(scope="module")
def production() -> Iterator[ConvexBackend]:
    with ConvexBackend(key=KEYS["prod"]) as backend:
        yield backend


@pytest.fixture
def deployed(
    request: pytest.FixtureRequest, production: ConvexBackend, monkeypatch: pytest.MonkeyPatch
) -> ConvexBackend:
    """A deployment of the kind that a test names, with one movie of somebody else's in it."""
    kind = request.param
    backend: ConvexBackend = production if kind == "prod" else request.getfixturevalue("backend")
    backend.reset()
    backend.insert("movies", movie(1))
    monkeypatch.setenv("CONVEX_URL", backend.url)
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", KEYS[kind])
    return backend


@pytest.fixture
def pushed(tmp_path: Path, deployed: ConvexBackend) -> Path:
    """A stage whose movie 2 was pushed there, and whose movie 3 was not."""
    stage = staged(tmp_path / "stage", payload(2))
    key = KEYS["prod"] if "prod" in deployed.key else KEYS["dev"]
    push(stage, deployment(deployed.url, key), progress=Silent(), images=ImageForm())
    staged(tmp_path / "stage", payload(3))
    return tmp_path / "stage"


def there(backend: ConvexBackend) -> list[int]:
    return sorted(int(row["tmdb_id"]) for row in backend.dump("movies"))


def piped(*words: str, answer: str = "y\n") -> subprocess.CompletedProcess[str]:
    """Run a command into whose standard input somebody writes, as `yes` or xargs would."""
    return subprocess.run(
        [*COMMAND, *words], input=answer, capture_output=True, text=True, check=False, timeout=60
    )


# Nobody to ask


CHANGES = {
    "delete": ("delete", "1"),
    "undo": ("undo",),
    "push": ("push",),
    "import": ("import", "603"),
}


@pytest.mark.parametrize(
    ("deployed", "verb", "answer"),
    [
        *(("prod", verb, "tmdbkit-tests\n") for verb in ("delete", "push")),
        *(
            pytest.param("prod", verb, "tmdbkit-tests\n", marks=LARGE)
            for verb in ("undo", "import")
        ),
        ("dev", "undo", "y\n"),
        pytest.param("dev", "delete", "y\n", marks=LARGE),
    ],
    indirect=["deployed"],
)
def test_where_nobody_can_be_asked_nothing_changes(
    deployed: ConvexBackend, pushed: Path, verb: str, answer: str
) -> None:
    words = [*CHANGES[verb], *([] if verb == "import" else ["--stage", str(pushed)])]
    done = piped(*words, answer=answer)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "tmdbkit: nobody can be asked, for standard input is no terminal; nothing was changed: "
        "say --yes if it is meant"
    )
    assert there(deployed) == [1, 2]


@pytest.mark.parametrize("deployed", ["dev"], indirect=True)
@pytest.mark.parametrize(
    "source",
    [
        *("<&-", "</dev/null", "< <(yes)"),
        *(pytest.param(source, marks=LARGE) for source in ("< /dev/urandom", "<<< y")),
    ],
)
def test_whatever_is_no_terminal_is_nobody(
    deployed: ConvexBackend, pushed: Path, source: str
) -> None:
    line = f"{shlex.join([*COMMAND, 'delete', '1', '--stage', str(pushed)])} {source}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "nobody can be asked" in done.stderr.splitlines()[-1]
    assert there(deployed) == [1, 2]


@pytest.mark.parametrize(
    ("deployed", "words", "left"),
    [
        ("prod", ("delete", "1", "--yes"), [2]),
        ("prod", ("undo", "--yes"), [1]),
        ("prod", ("push", "--yes"), [1, 2, 3]),
        pytest.param("dev", ("delete", "1", "--yes"), [2], marks=LARGE),
        pytest.param("dev", ("undo", "--yes"), [1], marks=LARGE),
        ("dev", ("push",), [1, 2, 3]),
    ],
    indirect=["deployed"],
)
def test_yes_needs_nobody_and_a_push_to_no_production_neither(
    deployed: ConvexBackend, pushed: Path, words: tuple[str, ...], left: list[int]
) -> None:
    done = piped(*words, "--stage", str(pushed), answer="")
    assert done.returncode == 0, done.stderr
    assert there(deployed) == left


@pytest.mark.parametrize("words", [("push",), ("undo",), ("delete", "2")])
def test_a_snapshot_asks_nobody(tmp_path: Path, words: tuple[str, ...]) -> None:
    bench = SnapshotBench(tmp_path)
    push(stage := staged(tmp_path / "stage", payload(2)), bench.target, progress=Silent())
    place = ("--stage", str(stage.store.root.folder), "--snapshot", str(bench.path))
    assert piped(*words, *place, answer="").returncode == 0
    assert piped("verify", *place, answer="").returncode == (0 if words == ("push",) else 1)


@pytest.mark.parametrize("deployed", ["prod"], indirect=True)
@pytest.mark.parametrize("words", [("plan",), ("verify",)])
def test_what_only_reads_asks_nobody(
    deployed: ConvexBackend, pushed: Path, words: tuple[str, ...]
) -> None:
    done = piped(*words, "--stage", str(pushed), answer="")
    assert done.returncode in (0, 1), done.stderr
    assert "nobody can be asked" not in done.stderr


# On a terminal


@pytest.mark.parametrize(
    ("deployed", "words", "says", "typed"),
    [
        ("prod", ("push",), "create 1, unchanged 1", b"y\r"),
        ("prod", ("push",), "create 1, unchanged 1", b"\r"),
        ("prod", ("delete", "1"), "1 movie: 1", b"tmdbkit-test\r"),
        ("prod", ("undo",), "which created 1", b"\x04"),
    ],
    indirect=["deployed"],
)
def test_production_takes_no_yes_but_its_name(
    deployed: ConvexBackend, pushed: Path, words: tuple[str, ...], says: str, typed: bytes
) -> None:
    with closing(Terminal(*words, "--stage", str(pushed))) as terminal:
        seen = terminal.shows("type tmdbkit-tests to go on: ")
        assert seen.index(says) < seen.index("this is production")
        terminal.types(typed)
        assert "nothing was changed" in terminal.shows("nothing was changed")
        assert terminal.running.wait(timeout=20) == 2
    assert there(deployed) == [1, 2]


@pytest.mark.parametrize(
    ("deployed", "words", "left"),
    [
        ("prod", ("push",), [1, 2, 3]),
        ("prod", ("delete", "1"), [2]),
        ("prod", ("undo",), [1]),
    ],
    indirect=["deployed"],
)
def test_with_its_name_typed_production_changes(
    deployed: ConvexBackend, pushed: Path, words: tuple[str, ...], left: list[int]
) -> None:
    with closing(Terminal(*words, "--stage", str(pushed))) as terminal:
        terminal.shows("type tmdbkit-tests to go on: ")
        terminal.types(b"tmdbkit-tests\r")
        terminal.shows("nothing more")
        assert terminal.running.wait(timeout=20) == 0
    assert there(deployed) == left


@pytest.mark.parametrize("deployed", ["prod"], indirect=True)
def test_a_push_that_changes_nothing_in_production_asks_nothing(
    deployed: ConvexBackend, pushed: Path
) -> None:
    with closing(Terminal("push", "2", "--stage", str(pushed))) as terminal:
        assert "to go on" not in terminal.shows("batches: 0")
        assert terminal.running.wait(timeout=20) == 0


@pytest.mark.parametrize("deployed", ["prod"], indirect=True)
def test_what_was_not_staged_is_said_of_a_push_that_was_asked_for_too(
    deployed: ConvexBackend, pushed: Path
) -> None:
    with closing(Terminal("push", "3", "77", "--stage", str(pushed))) as terminal:
        assert "not_staged 1" in terminal.shows("to go on: ")
        terminal.types(b"tmdbkit-tests\r")
        assert "movie 77: not staged; tmdbkit stage 77 fetches it" in terminal.shows("fetches it")
        assert terminal.running.wait(timeout=20) == 1
    assert there(deployed) == [1, 2, 3]


@pytest.mark.parametrize("deployed", ["dev"], indirect=True)
@pytest.mark.parametrize(
    ("answer", "status", "left"),
    [(b"y\r", 0, [2]), (b"YES\r", 0, [2]), (b"\r", 2, [1, 2]), (b"\x04", 2, [1, 2])],
)
def test_elsewhere_a_yes_deletes_and_nothing_else(
    deployed: ConvexBackend, pushed: Path, answer: bytes, status: int, left: list[int]
) -> None:
    with closing(Terminal("delete", "1", "--stage", str(pushed))) as terminal:
        terminal.shows("go on? [y/N] ")
        terminal.types(answer)
        terminal.shows("nothing more")
        assert terminal.running.wait(timeout=20) == status
    assert there(deployed) == left


@pytest.mark.parametrize(
    ("deployed", "words", "prompt"),
    [
        ("dev", ("delete", "1"), "go on? [y/N] "),
        ("dev", ("undo",), "go on? [y/N] "),
        ("prod", ("push",), "to go on: "),
    ],
    indirect=["deployed"],
)
def test_ctrl_c_at_a_prompt_ends_it_at_once_and_changes_nothing(
    deployed: ConvexBackend, pushed: Path, words: tuple[str, ...], prompt: str
) -> None:
    with closing(Terminal(*words, "--stage", str(pushed))) as terminal:
        assert prompt in terminal.shows(prompt)
        assert terminal.ends() == 130
        assert "\ntmdbkit: interrupted" in terminal.shows("from here").replace("\r", "")
    assert there(deployed) == [1, 2]
