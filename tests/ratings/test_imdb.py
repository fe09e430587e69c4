from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.datasets import HEADER, DatasetServer, tsv
from tests.servers.trouble import PASSES
from tests.servers.wire import Answer
from tmdbkit.exceptions import OfflineError, StopError
from tmdbkit.ratings import imdb_files
from tmdbkit.ratings.imdb import IMDb
from tmdbkit.ratings.model import RATINGS, Cost
from tmdbkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tmdbkit.ratings.model import Collected

    Open = Callable[..., IMDb]

pytestmark = pytest.mark.once

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
MODIFIED = datetime(2026, 2, 2, 3, 4, 5, tzinfo=UTC)
ROWS = [("tt0133093", 8.7, 2_100_000), ("tt0137523", 8.8, 2_300_000), ("tt10872600", 8.1, 900_000)]
WANTED = {603: "tt0133093", 550: "tt0137523", 634649: "tt10872600"}


def wanted(ids: dict[int, Any] = WANTED) -> pl.DataFrame:
    schema = {"tmdb_id": pl.Int64, "imdb_id": pl.String}
    return pl.DataFrame({"tmdb_id": list(ids), "imdb_id": list(ids.values())}, schema)


def collected(imdb: IMDb, ids: dict[int, Any] = WANTED) -> Collected:
    [all_at_once] = imdb.collect(wanted(ids))
    return all_at_once


def points(imdb: IMDb, ids: dict[int, Any] = WANTED) -> dict[int, float]:
    return dict(collected(imdb, ids).ratings.select("tmdb_id", "points").rows())


@pytest.fixture
def server() -> Iterator[DatasetServer]:
    with DatasetServer(tsv(ROWS)) as started:
        yield started


@pytest.fixture
def imdb(server: DatasetServer, tmp_path: Path) -> Iterator[Open]:
    """Open the provider at some time of day; its waits take no time."""
    opened = []

    def open_one(at: datetime = NOON, **settings: Any) -> IMDb:
        given = {"imdb_datasets_url": server.url, "cache": tmp_path, **settings}
        provider = IMDb(Settings(**given), now=lambda: at, sleep=lambda _: None)
        opened.append(provider)
        return provider

    yield open_one
    for provider in opened:
        provider.close()


def test_a_movie_gets_its_points_and_votes_by_its_imdb_id(imdb: Open) -> None:
    came = collected(imdb(), {603: "tt0133093"})
    row = (603, "imdb", 8.7, 10.0, 87.0, 2_100_000, "imdb", MODIFIED)
    assert came.ratings.schema == RATINGS
    assert came.ratings.rows() == [row]
    assert (came.asked, came.failed.height) == ([603], 0)


def test_a_movie_that_the_data_set_lacks_or_does_not_rate_is_settled_without_a_rating(
    imdb: Open, server: DatasetServer
) -> None:
    server.body = tsv([*ROWS, ("tt0000007", None, None)])
    came = collected(imdb(), {1: "tt9999999", 2: "tt0000007", 603: "tt0133093"})
    assert came.asked == [1, 2, 603]
    assert came.ratings["tmdb_id"].to_list() == [603]


def test_a_movie_that_cannot_be_asked_for_has_failed_with_the_reason(imdb: Open) -> None:
    odd = {1: "", 2: None, 3: "nm0000206", 4: "tt133", 5: "133093", 6: " tt0133093", 7: "tt0133093"}
    came = collected(imdb(), odd)
    assert came.asked == [7]
    assert came.failed["tmdb_id"].to_list() == [1, 2, 3, 4, 5, 6]
    assert came.failed["reason"][0] == came.failed["reason"][1] == "has no IMDb id"
    assert came.failed["reason"][2] == "nm0000206 is no IMDb id, which is one such as tt0133093"


def test_an_id_that_the_data_set_repeats_is_one_rating_that_of_the_most_votes(
    imdb: Open, server: DatasetServer
) -> None:
    server.body = tsv([("tt0133093", 1.0, 5), *ROWS, ("tt0133093", 2.0, None)])
    assert points(imdb(), {603: "tt0133093"}) == {603: 8.7}


def test_two_movies_of_one_imdb_id_have_the_same_rating(imdb: Open) -> None:
    assert points(imdb(), {603: "tt0133093", 604: "tt0133093"}) == {603: 8.7, 604: 8.7}


def test_the_ratings_are_of_the_time_at_which_imdb_made_the_file(
    imdb: Open, server: DatasetServer
) -> None:
    assert set(collected(imdb()).ratings["fetched_at"]) == {MODIFIED}
    assert repr(imdb()) == "IMDb(data set of 2026-02-02)"


@pytest.mark.parametrize("said", ["", "yesterday", "Tue, 02 Feb 2038 03:04:05 GMT"])
def test_a_file_whose_time_is_not_told_is_of_the_time_at_which_it_came(
    said: str, imdb: Open, server: DatasetServer
) -> None:
    server.headers = {"Last-Modified": said} if said else {}
    assert set(collected(imdb()).ratings["fetched_at"]) == {NOON}


def test_the_server_is_asked_once_a_day_and_the_file_stays_while_its_mark_does(
    imdb: Open, server: DatasetServer
) -> None:
    for hours in (0, 1, 11, 12, 20, 36):  # two midnights
        assert points(imdb(NOON + timedelta(hours=hours)))[603] == 8.7
    asked = [request.headers.get("if-none-match") for request in server.requests]
    assert len(asked) == 3
    assert asked[0] is None
    assert asked[1] == asked[2] is not None


def test_a_new_version_takes_the_place_of_the_old_one(imdb: Open, server: DatasetServer) -> None:
    collected(imdb())
    server.body = tsv([("tt0133093", 9.9, 3_000_000)])
    assert points(imdb(NOON + timedelta(days=1))) == {603: 9.9}
    assert points(imdb(NOON + timedelta(days=1, hours=1))) == {603: 9.9}
    assert len(server.requests) == 2


def test_the_cost_is_a_request_for_all_movies_or_none_after_todays(imdb: Open) -> None:
    assert imdb().cost(wanted()) == Cost(1)
    assert imdb().cost(wanted({1: "", 2: "x"})) == Cost(0)
    provider = imdb()
    collected(provider)
    assert provider.requests == 1
    assert imdb().cost(wanted()) == Cost(0)
    assert imdb(NOON + timedelta(days=1)).cost(wanted()) == Cost(1)


def test_nobody_is_asked_where_no_movie_has_an_id(imdb: Open, server: DatasetServer) -> None:
    assert collected(imdb(), {1: ""}).failed.height == 1
    assert collected(imdb(), {}).ratings.schema == RATINGS
    assert server.connections == 0


def test_offline_the_file_that_is_there_serves_however_old_it_is(
    imdb: Open, server: DatasetServer
) -> None:
    collected(imdb())
    offline = imdb(NOON + timedelta(days=400), offline=True)
    assert offline.cost(wanted()) == Cost(0)
    assert points(offline)[603] == 8.7
    assert len(server.requests) == 1


def test_offline_without_a_file_is_an_error_that_says_what_to_do(
    imdb: Open, server: DatasetServer
) -> None:
    with pytest.raises(OfflineError, match=r"title\.ratings\.tsv\.gz.*TMDBKIT_OFFLINE"):
        collected(imdb(offline=True))
    assert server.connections == 0


PAGE = b"<html><body>\n<h1>Sign in to this network</h1>\n</body></html>"
GOOD = tsv(ROWS)
BAD = {
    "cut within the gzip": GOOD[: len(GOOD) // 2],
    "cut by its sum": GOOD[:-4],
    "changed on the way": GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:],
    "a page": PAGE,
    "a page in gzip": gzip.compress(PAGE),
    "other columns": tsv([("tt0133093", "The Matrix")], ("tconst", "primaryTitle")),
    "a column too few": tsv([("tt0133093", 8.7)], HEADER[:2]),
    "points that are no numbers": tsv([*ROWS, ("tt0000001", "8,7", 10)]),
    "no rows": tsv([]),
    "nothing": b"",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_data_set_is_never_taken_in_place_of_a_good_one(
    body: bytes, imdb: Open, server: DatasetServer, tmp_path: Path
) -> None:
    collected(imdb())
    server.body = body
    tomorrow = NOON + timedelta(days=1)
    with pytest.raises(StopError, match="not the data set") as caught:
        collected(imdb(tomorrow))
    assert "IMDB_DATASETS_URL" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert points(imdb(tomorrow, offline=True))[603] == 8.7
    server.body = tsv([("tt0133093", 9.9, 3_000_000)])
    assert points(imdb(tomorrow)) == {603: 9.9}
    assert sorted(path.name for path in (tmp_path / "imdb").iterdir()) == FILES


FILES = ["title.ratings.parquet", "title.ratings.tsv.gz"]


@pytest.mark.parametrize("size", [1, 7, 23, 24, 10_000])
def test_a_file_is_read_in_pieces_of_which_no_row_is_lost(
    size: int, imdb: Open, server: DatasetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imdb_files, "PIECE", size)
    server.body = tsv([(f"tt{n:07}", n % 10, n) for n in range(1, 41)])
    found = points(imdb(), {n: f"tt{n:07}" for n in range(1, 41)})
    assert found == {n: float(n % 10) for n in range(1, 41)}


def test_more_columns_in_another_order_are_no_reason_to_refuse(
    imdb: Open, server: DatasetServer
) -> None:
    server.body = tsv([(2_100_000, "x", "tt0133093", 8.7)], ("numVotes", "new", *HEADER[:2]))
    assert points(imdb()) == {603: 8.7}


@pytest.mark.parametrize("fault", ["503", "cut", "reset", "close", "429html"])
def test_a_fault_that_passes_costs_nothing_but_another_request(
    fault: str, imdb: Open, server: DatasetServer
) -> None:
    server.script = [fault]
    assert points(imdb())[603] == 8.7
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", PASSES)
def test_a_status_that_passes_costs_nothing_but_another_request(
    status: int, imdb: Open, server: DatasetServer
) -> None:
    server.script = [Answer(status, b"<html>Access denied</html>", "text/html")] * 3
    assert points(imdb())[603] == 8.7
    assert len(server.requests) == 4


@pytest.mark.parametrize("fault", ["503", "cut", "reset"])
def test_a_fault_that_stays_stops_and_says_how_to_go_on_with_what_is_there(
    fault: str, imdb: Open, server: DatasetServer, tmp_path: Path
) -> None:
    server.script = [fault] * 4
    with pytest.raises(StopError, match=r"title\.ratings\.tsv\.gz: .* after 4 attempts") as caught:
        collected(imdb())
    assert "OFFLINE" not in str(caught.value)
    assert not any((tmp_path / "imdb").iterdir())
    collected(imdb())
    server.body = tsv(ROWS[:1])
    server.script = [fault] * 4
    with pytest.raises(StopError, match="TMDBKIT_OFFLINE=1 goes on"):
        collected(imdb(NOON + timedelta(days=1)))


def test_a_server_without_the_file_stops_with_the_setting_that_may_be_wrong(
    imdb: Open, server: DatasetServer
) -> None:
    with pytest.raises(StopError, match=r"404.*IMDB_DATASETS_URL"):
        collected(imdb(imdb_datasets_url=f"{server.url}/elsewhere"))


def test_a_damaged_parquet_file_is_made_again(imdb: Open, tmp_path: Path) -> None:
    collected(imdb())
    parquet = tmp_path / "imdb" / FILES[0]
    parquet.write_bytes(parquet.read_bytes()[:-20])
    assert points(imdb())[603] == 8.7


def test_a_cache_that_cannot_be_written_to_is_one_clear_line(imdb: Open, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StopError, match="cannot be written to"):
        collected(imdb(cache=blocked))
