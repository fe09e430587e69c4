"""The daily export: downloaded once, checked whole, read lazily."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.tmdb import TMDBServer, export_of
from tmdbkit.exceptions import HostUnreachable, OfflineError, StopError, UsageError
from tmdbkit.settings import Settings
from tmdbkit.tmdb.discovery import IDS
from tmdbkit.tmdb.export import Exports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Open = Callable[..., Exports]

NOW = datetime(2026, 3, 3, 6, tzinfo=UTC)
DAY = date(2026, 3, 1)
FILE = "/p/exports/movie_ids_03_01_2026.json.gz"


@pytest.fixture
def server() -> Iterator[TMDBServer]:
    """A server whose newest export is two days old."""
    whole = export_of((603, 80.5), (550, 99), (7, 0.5))
    with TMDBServer(exports={"2026-03-01": whole}) as started:
        yield started


@pytest.fixture
def open_exports(server: TMDBServer, tmp_path: Path) -> Iterator[Open]:
    """Open the exports as the next process does; they wait for nothing."""
    opened: list[Exports] = []

    def open_one(**changes: Any) -> Exports:
        given = {"tmdb_exports_url": server.exports_url, "cache": tmp_path / "cache", **changes}
        exports = Exports(Settings(**given), now=lambda: NOW, sleep=lambda _: None)
        opened.append(exports)
        return exports

    yield open_one
    for exports in opened:
        exports.close()


def test_an_export_is_ids_the_most_popular_first(open_exports: Open) -> None:
    found = open_exports().of(DAY).ids()
    assert found.schema == IDS
    assert found.select("tmdb_id", "rank").rows() == [(550, 1), (603, 2), (7, 3)]
    assert found["source"].unique().to_list() == ["export 2026-03-01"]


def test_less_popular_movies_can_be_left_out(open_exports: Open) -> None:
    export = open_exports().of(DAY)
    assert export.ids(min_popularity=80.5)["tmdb_id"].to_list() == [550, 603]


@pytest.mark.parametrize("field", ["adult", "video"])
def test_movies_for_adults_and_videos_can_be_left_out_or_alone(
    field: str, open_exports: Open, server: TMDBServer
) -> None:
    server.exports["2026-03-01"] += export_of((8, 1), **{field: True})
    export = open_exports().of(DAY)
    assert export.ids(**{field: True})["tmdb_id"].to_list() == [8]
    assert export.ids(**{field: False})["tmdb_id"].to_list() == [550, 603, 7]
    assert export.ids().height == 4


def test_a_movie_that_comes_twice_is_one(open_exports: Open, server: TMDBServer) -> None:
    server.exports["2026-03-01"] += export_of((7, 0.5))
    found = open_exports().of(DAY).ids()
    assert found.filter(pl.col("tmdb_id") == 7)["repeats"].to_list() == [1]


def test_it_is_downloaded_once_and_needs_no_key(open_exports: Open, server: TMDBServer) -> None:
    open_exports().of(DAY)
    assert open_exports().of(DAY).ids().height == 3
    assert [request.path for request in server.requests] == [FILE]
    assert "authorization" not in server.requests[0].headers


def test_the_latest_is_looked_for_some_days_back(open_exports: Open, server: TMDBServer) -> None:
    assert open_exports().latest().day == DAY
    assert [request.path[-18:-8] for request in server.requests] == [
        "03_03_2026",
        "03_02_2026",
        "03_01_2026",
    ]


def test_where_there_is_no_late_one_the_address_is_doubted(
    open_exports: Open, server: TMDBServer
) -> None:
    server.exports.clear()
    with pytest.raises(StopError, match="check TMDB_EXPORTS_URL"):
        open_exports().latest()


def test_a_day_that_tmdb_does_not_have_is_one_clear_line(open_exports: Open) -> None:
    with pytest.raises(UsageError, match="no export of 2020-01-01; it keeps three months"):
        open_exports().of(date(2020, 1, 1))


def test_offline_the_newest_that_is_there_is_the_latest(open_exports: Open) -> None:
    with pytest.raises(OfflineError, match="no export was downloaded before"):
        open_exports(offline=True).latest()
    open_exports().of(DAY)
    assert open_exports(offline=True).latest().ids().height == 3


def test_a_download_that_breaks_off_is_begun_again(open_exports: Open, server: TMDBServer) -> None:
    server.script[FILE] = ["cut", "503", "reset"]
    assert open_exports().of(DAY).ids().height == 3


WHOLE = export_of(*((i, 1.0) for i in range(1, 2000)))


@pytest.mark.parametrize(
    "body",
    [
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-4] + b"\0\0\0\0",
        b"<html>Please stand by</html>",
        gzip.compress(b'{"id":1,"popularity":1.0}\n{"id":2,"popu\n'),
        gzip.compress(b'{"name":"no movie"}\n'),
        gzip.compress(b""),
        b"",
    ],
    ids=["cut", "wrong sum", "a page", "half a line", "no ids", "no lines", "nothing"],
)
def test_what_is_no_whole_export_is_one_clear_line_and_leaves_nothing(
    body: bytes, open_exports: Open, server: TMDBServer, tmp_path: Path
) -> None:
    server.exports["2026-03-01"] = body
    with pytest.raises(StopError, match=r"not a whole export .*; try again later"):
        open_exports().of(DAY)
    assert list((tmp_path / "cache" / "exports").iterdir()) == []
    server.exports["2026-03-01"] = WHOLE
    assert open_exports().of(DAY).ids().height == 1999


BAD_LINES = [
    b"garbage",
    b'{"id":7,"popu',
    b'{"name":"no movie"}',
    b'{"id":"seven"}',
    b'{"id":7.5}',
    b'{"id":null}',
    b"[7]",
    b"null",
    b"<html>",
    b'{"id":7}}',
    b'{"id":7,"popularity":"much"}',
    b'{"id":7,"adult":"no"}',
    b'{"id":99999999999999999999}',
]


@pytest.mark.parametrize("line", BAD_LINES)
@pytest.mark.parametrize("number", [1, 777, 1999])
def test_of_one_bad_line_the_number_is_said_and_nothing_is_used(
    number: int, line: bytes, open_exports: Open, server: TMDBServer, tmp_path: Path
) -> None:
    lines = gzip.decompress(WHOLE).splitlines()
    lines[number - 1] = line
    server.exports["2026-03-01"] = gzip.compress(b"\n".join(lines) + b"\n")
    told = f"\\(line {number:,} of it is no movie, and none of it is used\\); try again later"
    with pytest.raises(StopError, match=told):
        open_exports().of(DAY)
    assert list((tmp_path / "cache" / "exports").iterdir()) == []


def test_a_server_that_fails_for_good_stops_it(open_exports: Open, server: TMDBServer) -> None:
    server.script[FILE] = ["500"] * 9
    with pytest.raises(StopError, match="answered 500"):
        open_exports().of(DAY)


def test_a_host_that_does_not_answer_stops_it_and_names_the_setting(open_exports: Open) -> None:
    with pytest.raises(HostUnreachable, match="TMDB_EXPORTS_URL"):
        open_exports(tmdb_exports_url="http://127.0.0.1:9/p").of(DAY)


def test_two_days_differ_by_what_was_added_and_removed(
    open_exports: Open, server: TMDBServer
) -> None:
    server.exports["2026-03-02"] = export_of((603, 81.0), (550, 98.0), (8, 1.0))
    exports = open_exports()
    change = exports.of(date(2026, 3, 2)).since(exports.of(DAY))
    assert change.select("tmdb_id", "change").rows() == [(7, "removed"), (8, "added")]


def test_a_file_that_came_in_another_way_is_a_day_s_export(
    open_exports: Open, server: TMDBServer, tmp_path: Path
) -> None:
    (tmp_path / "copied.json.gz").write_bytes(export_of((603, 80.5)))
    exports = open_exports(offline=True)
    assert exports.remember(DAY, tmp_path / "copied.json.gz").ids()["tmdb_id"].to_list() == [603]
    assert exports.latest() == open_exports().of(DAY)
    assert server.requests == []


def test_exports_tell_what_is_there(open_exports: Open) -> None:
    exports = open_exports()
    assert repr(exports) == "Exports(none yet)"
    assert repr(exports.of(DAY)) == "Export(2026-03-01, 3 movies)"
    assert repr(exports) == "Exports(2026-03-01)"
