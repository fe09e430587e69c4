"""Where the command line finds ids: filters, titles, IMDb ids, changes, exports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import counts_in
from tests.servers.tmdb import TMDBServer, export_of
from tmdbkit.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, dict[str, int], str]]

pytestmark = pytest.mark.once

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def tmdb(monkeypatch: pytest.MonkeyPatch) -> Iterator[TMDBServer]:
    with TMDBServer(
        missing=[60, 61],
        size=2_000,
        lists={"popular": [603, 550, 603, 13], "discover": range(1, 46), "search": range(1, 31)},
        changes={YESTERDAY.isoformat(): [603, 60, 13]},
        shared={8136: range(1, 46)},
        collections={10: [11, 1891, 1892]},
        exports={YESTERDAY.isoformat(): export_of((603, 80.0), (550, 20.0), (7, 0.5))},
    ) as server:
        monkeypatch.setenv("TMDB_BASE_URL", server.base_url)
        monkeypatch.setenv("TMDB_EXPORTS_URL", server.exports_url)
        monkeypatch.setenv("TMDB_READ_ACCESS_TOKEN", server.token or "")
        monkeypatch.setenv("TMDBKIT_RATE", "1000")
        yield server


@pytest.fixture
def run(tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]) -> Run:
    def once(*words: str) -> tuple[int, dict[str, int], str]:
        status = main([*words, "--json"])
        said = capsys.readouterr()
        return status, counts_in(said.out, status), said.err

    return once


def test_repeats_of_a_list_are_left_out_and_said(run: Run) -> None:
    _, counts, said = run("stage", "--list", "popular")
    assert counts["requested"] == 3
    assert said == "popular: 3 ids, and 1 repeats left out\n"


@pytest.mark.parametrize(
    ("words", "staged"),
    [
        (["--list", "8136"], 45),
        (["--list", "8136", "--pages", "2"], 40),
        (["--collection", "10"], 3),
        (["--list", "8136", "--collection", "10", "603"], 48),
    ],
)
def test_lists_that_people_made_and_collections_are_named_by_their_number(
    words: list[str], staged: int, run: Run
) -> None:
    assert run("stage", *words)[1]["staged"] == staged


def test_discover_takes_filters_and_all_pages(run: Run, tmdb: TMDBServer) -> None:
    assert run("stage", "--discover", "vote_count.gte=10", "with_genres=18")[1]["staged"] == 45
    assert tmdb.requests[0].params["vote_count.gte"] == "10"


def test_discover_takes_some_pages_where_that_is_said(run: Run) -> None:
    assert run("stage", "--discover", "with_genres=18", "--pages", "2")[1]["staged"] == 40


def test_a_search_is_one_page_of_titles(run: Run) -> None:
    assert run("stage", "--search", "Movie")[1]["staged"] == 20


def test_imdb_ids_stand_among_tmdb_s_and_in_files(run: Run) -> None:
    Path("ids.txt").write_text("tt0000550 13\n", encoding="utf-8")
    status, counts, said = run("stage", "603", "tt0000603", "tt0000061", "--from-file", "ids.txt")
    assert (status, counts["requested"], counts["staged"]) == (0, 3, 3)
    assert said == "TMDB has no movie under tt0000061: left out\n"


def test_what_changed_since_a_day_is_staged_but_not_what_is_gone(run: Run) -> None:
    _, counts, _ = run("stage", "--changed-since", YESTERDAY.isoformat())
    assert (counts["staged"], counts["missing"]) == (2, 0)


@pytest.mark.parametrize("day", ["latest", YESTERDAY.isoformat()])
def test_an_export_is_staged_down_to_some_popularity(day: str, run: Run) -> None:
    _, counts, said = run("stage", "--export", day, "--min-popularity", "20")
    assert counts["staged"] == 2
    assert said == f"the export of {YESTERDAY}: 2 ids\n"


def test_refresh_fetches_what_changed(run: Run, tmdb: TMDBServer) -> None:
    run("stage", "603", "550", "13")
    tmdb.catalogue.changes = {TODAY.isoformat(): [13, 999]}
    _, counts, _ = run("refresh", "--changed")
    assert (counts["requested"], counts["staged"], counts["http_requests"]) == (1, 1, 2)


def test_an_export_is_downloaded_once_and_goes_with_the_cache(run: Run, tmdb: TMDBServer) -> None:
    def downloads() -> int:
        run("stage", "--export", YESTERDAY.isoformat(), "--min-popularity", "50")
        return sum(request.path.startswith("/p/") for request in tmdb.requests)

    assert (downloads(), downloads()) == (1, 1)
    run("cache", "clear")
    assert downloads() == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--min-popularity", "5", "603"], "--min-popularity is of --export"),
        (["--list", "popular", "--pages", "0"], "--pages is 0"),
        (["--list", "best"], "those that people made by their number"),
        (["--list", "7"], "TMDB has no list 7; its number stands in its address"),
        (["--list", "8136", "--pages", "501"], "--pages is 501"),
        (["--collection", "7"], "TMDB has no collection 7"),
        (["tt12"], "'tt12' in the arguments is not a TMDB id"),
        (["--export", "2020-01-01"], "TMDB has no export of 2020-01-01"),
        (["--changed-since", "2999-01-01"], "2999-01-01 is still to come"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(
    words: list[str], complaint: str, run: Run
) -> None:
    status, _, said = run("stage", *words)
    assert status == 2
    assert complaint in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--discover", "drama"], "'drama' is no filter; write KEY=VALUE"),
        (["--changed-since", "yesterday"], "'yesterday' is no day; write YYYY-MM-DD"),
        (["--collection", "Star Wars"], "'Star Wars' is not a number above 0"),
        (["--export", "newest"], "'newest' is no day; write YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_read_is_seen_at_once(
    words: list[str], complaint: str, tmdb: TMDBServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["stage", *words])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
    assert tmdb.requests == []


def test_a_saved_plan_takes_no_ids_from_anywhere(run: Run) -> None:
    assert run("push", "--plan", "plan.json", "--export", "latest", "--snapshot", "snap")[0] == 2
