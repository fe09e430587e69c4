from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.wire import Answer, LocalServer, Request
from tmdbkit.exceptions import (
    HostUnreachable,
    OfflineError,
    PassingFault,
    RequestRefused,
    StopError,
)
from tmdbkit.http.service import Service
from tmdbkit.http.session import Session
from tmdbkit.progress import TerminalLine
from tmdbkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.http.conftest import FakeClock

    Open = Callable[..., Session]

FILE = "/a.tsv.gz"
BODY = bytes(range(256)) * 20_000  # 5 MB, and no text


class Files(LocalServer):
    """Has one file in some version, and repeats whatever is posted; `script` comes before that."""

    def __init__(self) -> None:
        super().__init__()
        self.version, self.body = '"1"', BODY
        self.script: list[Answer] = []
        self.requests: list[Request] = []

    def handle(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.script:
            return self.script.pop(0)
        if request.method == "POST":
            body = b'{"said": %b, "turn": %d}' % (request.body, len(self.requests))
            return Answer(200, body, headers={"X-Left": "7"})
        marks = {"ETag": self.version, "Last-Modified": "Fri, 02 May 2031 01:02:03 GMT"}
        if request.headers.get("if-none-match") == self.version:
            return Answer(304, headers=marks)
        return Answer(200, self.body, "application/octet-stream", headers=marks)


@pytest.fixture
def files() -> Iterator[Files]:
    with Files() as server:
        yield server


@pytest.fixture
def connect(files: Files, tmp_path: Path, clock: FakeClock) -> Iterator[Open]:
    """Open a session with a service that has no key."""
    opened: list[Session] = []

    def open_one(**options: Any) -> Session:
        service = Service(name="Files", base_url=files.url, variable="FILES_URL", rate=50)
        settings = Settings(cache=tmp_path / "cache")
        timed = {"clock": clock, "sleep": clock.sleep, "jitter": lambda: 1.0}
        opened.append(Session(service, settings, **{**timed, **options}))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files" / "a.tsv.gz"


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# A question that is posted.


def test_what_is_posted_is_sent_as_json(files: Files, connect: Open) -> None:
    assert connect().post("/ask", {"ids": [1, 2]}).value == {"said": {"ids": [1, 2]}, "turn": 1}
    [request] = files.requests
    assert (request.path, json.loads(request.body)) == ("/ask", {"ids": [1, 2]})
    assert request.headers["content-type"] == "application/json"


def test_the_body_tells_one_cached_answer_from_another(files: Files, connect: Open) -> None:
    session = connect()
    turns = [session.post("/ask", {"ids": ids}).value["turn"] for ids in ([1], [2], [1], [2])]
    assert turns == [1, 2, 1, 2]
    assert connect().post("/ask", {"ids": [2]}).cached
    assert not session.post("/other", {"ids": [2]}).cached
    assert session.post("/ask", {"ids": [2]}, refresh=True).value["turn"] == 4


def test_headers_come_with_an_answer_but_not_from_the_cache(connect: Open) -> None:
    session = connect()
    fresh, kept = (session.post("/ask", {"ids": []}) for _ in range(2))
    assert (fresh.headers["x-left"], dict(kept.headers)) == ("7", {})


def test_each_service_has_a_cache_of_its_own(connect: Open, tmp_path: Path) -> None:
    session = connect()
    session.post("/ask", {"ids": []})
    assert (tmp_path / "cache" / "files.sqlite").exists()
    assert (
        repr(session)
        == "FilesSession(live, 1 cached answers, 0 hits, 1 requests, 50 a second at most)"
    )


def test_an_answer_of_a_service_is_good_for_a_day_by_default() -> None:
    service = Service(name="Any", base_url="", variable="", rate=1)
    assert service.lifetime("/any") == timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (404, RequestRefused, "answered 404, but not as Files does; check FILES_URL"),
        (302, StopError, "answered 302, a redirect; check FILES_URL"),
        (503, PassingFault, "answered 503"),
        (410, RequestRefused, "answered 410"),
    ],
)
def test_a_status_is_told_with_the_services_name_and_setting(
    status: int, kind: type[Exception], words: str, files: Files, connect: Open
) -> None:
    files.script = [Answer(status)]
    with pytest.raises(kind, match=words):
        connect(retries=0).get("/any")


def test_a_host_is_named_as_the_service(files: Files, connect: Open) -> None:
    files.pause()
    with pytest.raises(HostUnreachable, match=r"Files cannot be reached .* and FILES_URL"):
        connect().get("/any")


# A file.


def test_a_file_is_saved_as_the_server_has_it(files: Files, connect: Open, to: Path) -> None:
    came = connect().download(FILE, to)
    assert to.read_bytes() == BODY
    assert (came.changed, came.etag) == (True, '"1"')
    assert came.last_modified == "Fri, 02 May 2031 01:02:03 GMT"
    assert left_in(to.parent) == [to.name]
    assert files.requests[0].headers["accept-encoding"] == "identity"


def test_a_download_tells_how_much_came(connect: Open, to: Path, clock: FakeClock) -> None:
    stream = io.StringIO()
    connect().download(FILE, to, progress=TerminalLine(stream, clock))
    lines = stream.getvalue().split("\r\x1b[K")
    assert [line for line in lines if "of" in line] == [
        f"downloading MiB {n} of 5" for n in range(6)
    ]
    assert lines[-1] == ""


def test_a_file_that_calls_itself_compressed_is_not_unpacked(
    files: Files, connect: Open, to: Path
) -> None:
    files.script = [Answer(200, b"\x1f\x8b no gzip at all", headers={"Content-Encoding": "gzip"})]
    connect().download(FILE, to)
    assert to.read_bytes() == b"\x1f\x8b no gzip at all"


def test_the_version_that_is_there_is_not_sent_again(files: Files, connect: Open, to: Path) -> None:
    session = connect()
    etag = session.download(FILE, to).etag
    to.write_bytes(b"kept")
    again = session.download(FILE, to, etag=etag)
    assert (again.changed, again.etag, to.read_bytes()) == (False, '"1"', b"kept")
    files.version = '"2"'
    assert session.download(FILE, to, etag=etag).changed
    assert to.read_bytes() == BODY


def test_a_mark_without_its_file_counts_for_nothing(connect: Open, to: Path) -> None:
    assert connect().download(FILE, to, etag='"1"').changed
    assert to.read_bytes() == BODY


@pytest.mark.parametrize(
    "turn",
    [
        Answer(200, BODY, ending="cut"),
        Answer(200, b"", ending="reset"),
        Answer(503),
        Answer(429, headers={"Retry-After": "3"}),
    ],
)
def test_a_download_that_breaks_off_is_begun_again(
    turn: Answer, files: Files, connect: Open, to: Path
) -> None:
    files.script = [turn]
    assert connect().download(FILE, to).changed
    assert to.read_bytes() == BODY
    assert len(files.requests) == 2


@pytest.mark.parametrize("turn", [Answer(200, BODY, ending="cut"), Answer(500), Answer(404)])
def test_a_download_that_fails_leaves_the_older_file_and_nothing_else(
    turn: Answer, files: Files, connect: Open, to: Path
) -> None:
    to.write_bytes(b"older")
    files.script = [turn]
    with pytest.raises((PassingFault, RequestRefused)):
        connect(retries=0).download(FILE, to)
    assert to.read_bytes() == b"older"
    assert left_in(to.parent) == [to.name]


def test_a_file_that_cannot_be_written_is_an_error_of_the_disk(
    connect: Open, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        connect().download(FILE, tmp_path / "no such folder" / "a")


def test_offline_no_file_is_asked_for(files: Files, connect: Open, to: Path) -> None:
    with pytest.raises(OfflineError, match=r"a\.tsv\.gz"):
        connect(offline=True).download(FILE, to)
    assert (files.requests, to.exists()) == ([], False)
