"""Whether an IMDb id is the film's: what is found, what is not, and what is told of it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.datasets import BASICS, BASICS_HEADER, DatasetServer, tsv
from tests.stage.conftest import T0, answers, payload
from tmdbkit import Settings, Stage, check
from tmdbkit.cli.main import main
from tmdbkit.exceptions import OfflineError
from tmdbkit.quality.same_film import SAME_FILM_RULES
from tmdbkit.ratings.imdb_titles import IMDbTitles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Doubts = Callable[..., dict[str, tuple[str, str]]]

pytestmark = pytest.mark.once

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
ID = "tt0084787"
THE_THING = {"title": "The Thing", "original_title": "The Thing", "year": 1982, "minutes": 109}
LATER = {"kind": "movie", "title": "The Thing", "year": 2011, "minutes": 103}


def basics(imdb_id: str = ID, **facts: Any) -> tuple[Any, ...]:
    """A row of the data set: that of the film, but for the facts that are given."""
    known = {"kind": "movie", **THE_THING, **facts}
    own = facts.get("original_title", known["title"])
    titles = (known["title"], own, 0)
    return (imdb_id, known["kind"], *titles, known["year"], None, known["minutes"], "Horror")


def film(tmdb_id: int = 1, **facts: Any) -> dict[str, Any]:
    """The film as a document, but for the facts that are given."""
    return {
        "tmdb_id": tmdb_id,
        "imdb_id": ID,
        "title": "The Thing",
        "original_title": "The Thing",
        "release_date": "1982-06-25",
        "runtime_minutes": 109,
    } | facts


@pytest.fixture
def server() -> Iterator[DatasetServer]:
    with DatasetServer(tsv([basics()], BASICS_HEADER), path=BASICS) as started:
        yield started


@pytest.fixture
def titles(server: DatasetServer, tmp_path: Path) -> Iterator[IMDbTitles]:
    settings = Settings(imdb_datasets_url=server.url, cache=tmp_path / "cache")
    with IMDbTitles(settings, now=lambda: NOON, sleep=lambda _: None) as opened:
        yield opened


@pytest.fixture
def doubts(server: DatasetServer, tmp_path: Path) -> Doubts:
    """What is found in a film, by what IMDb has of its id, and what is said of it."""
    times = count()

    def ask(row: tuple[Any, ...], **facts: Any) -> dict[str, tuple[str, str]]:
        server.body = tsv([row], BASICS_HEADER)
        settings = Settings(imdb_datasets_url=server.url, cache=tmp_path / str(next(times)))
        with IMDbTitles(settings) as titles:
            frame = pl.DataFrame([film(**facts)])
            found = check(frame, rules=SAME_FILM_RULES, imdb=titles).findings
        return {rule: (value, why) for rule, value, why in found["rule", "value", "why"].rows()}

    return ask


def test_the_same_film_is_no_finding(doubts: Doubts) -> None:
    assert doubts(basics()) == {}


def test_a_finding_says_what_imdb_has_and_what_tmdb_has(doubts: Doubts) -> None:
    told = (
        "Alien, Das unheimliche Wesen, 1979, 117 min, a film",
        "TMDB has: The Thing, 1982, 109 min",
    )
    other = basics(title="Alien", original_title="Das unheimliche Wesen", year=1979, minutes=117)
    assert doubts(other) == {"imdb_id_other_film": told}


@pytest.mark.parametrize(
    "row",
    [
        basics(**LATER),
        basics(year=2011, minutes=None),
        basics(title="The Thing 2", year=1984, minutes=95),
        basics(title="Poltergeist", minutes=114 + 30),
        basics(title="Poltergeist", year=1987, minutes=None),
    ],
    ids=["a remake", "a remake without a length", "a sequel", "of its year", "without a length"],
)
def test_another_film_is_found(doubts: Doubts, row: tuple[Any, ...]) -> None:
    assert doubts(row).keys() == {"imdb_id_other_film"}


@pytest.mark.parametrize(
    "row",
    [
        basics(title="the thing!"),
        basics(title="Thing"),
        basics(title="The Thing: Ultimate Alien Terror"),
        basics(title="La cosa", original_title="The Thing"),
        basics(title="La cosa"),
        basics(title="La cosa", minutes=None),
        basics(title="遊星からの物体X", year=1983),
        basics(year=1983, minutes=112),
        basics(year=1980, minutes=None),
        basics(year=1984),
        basics(minutes=130),
        basics(year=None, minutes=None),
        basics(kind="tvMovie"),
        basics(kind="video"),
    ],
    ids=lambda row: " ".join(map(str, row[1:8])),
)
def test_a_film_that_imdb_has_otherwise_is_no_finding(doubts: Doubts, row: tuple[Any, ...]) -> None:
    assert doubts(row) == {}


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("tvSeries", "a series"),
        ("tvMiniSeries", "a mini-series"),
        ("tvEpisode", "an episode"),
        ("tvPilot", "a pilot"),
        ("videoGame", "a game"),
    ],
)
def test_what_is_no_film_is_found_whatever_its_title(doubts: Doubts, kind: str, named: str) -> None:
    for facts in ({}, LATER):
        found = doubts(basics(**facts | {"kind": kind}))
        assert found.keys() == {"imdb_id_series"}
        assert found["imdb_id_series"][0].endswith(named)


def test_a_short_under_the_id_of_a_feature_is_found_and_a_feature_under_that_of_a_short(
    doubts: Doubts,
) -> None:
    for row in (basics(kind="short", minutes=12), basics(kind="tvShort", minutes=None)):
        assert doubts(row).keys() == {"imdb_id_short"}
    assert doubts(basics(), runtime_minutes=12).keys() == {"imdb_id_short"}


@pytest.mark.parametrize(("ours", "theirs"), [(12, 12), (12, None), (50, 40), (0, 12), (109, 109)])
def test_a_short_under_its_own_id_is_no_finding(
    doubts: Doubts, ours: int, theirs: int | None
) -> None:
    assert doubts(basics(kind="short", minutes=theirs), runtime_minutes=ours) == {}


@pytest.mark.parametrize("date", ["1982-06-25", "2025-10-01"])
def test_an_id_that_the_data_set_lacks_is_found(doubts: Doubts, date: str) -> None:
    found = doubts(basics("tt0000001"), release_date=date)
    assert found == {"imdb_id_unknown": (ID, "not in the data set of 2026-02-02")}


@pytest.mark.parametrize("date", ["2026-01-20", "2027-01-01", ""])
def test_of_a_new_film_it_is_said_that_it_is_new(doubts: Doubts, date: str) -> None:
    [(value, why)] = doubts(basics("tt0000001"), release_date=date).values()
    assert (value, why.partition("; ")[2]) == (ID, "the film is new, and may be in a later one")


@pytest.mark.parametrize("imdb_id", ["", None, "tt1", "nm0000206", "84787"])
def test_what_is_no_imdb_id_is_left_to_other_rules(doubts: Doubts, imdb_id: str | None) -> None:
    assert doubts(basics(), imdb_id=imdb_id) == {}


@pytest.mark.parametrize("column", ["year", "minutes"])
def test_a_number_that_is_none_is_not_known(doubts: Doubts, column: str) -> None:
    assert doubts(basics(**{column: "Reality-TV"})) == {}


def test_an_id_that_the_data_set_repeats_is_the_first(
    server: DatasetServer, titles: IMDbTitles
) -> None:
    server.body = tsv([basics(), basics(**LATER)], BASICS_HEADER)
    assert check(pl.DataFrame([film()]), rules=SAME_FILM_RULES, imdb=titles).findings.is_empty()


def test_each_row_of_a_frame_is_compared_with_its_own_id(
    server: DatasetServer, titles: IMDbTitles
) -> None:
    server.body = tsv([basics(), basics("tt0905372", **LATER)], BASICS_HEADER)
    rows = [film(), film(imdb_id="tt0905372"), film(2), film(imdb_id="")]
    frame = pl.DataFrame(rows).with_columns(imdb_year=1900)  # a column of the user's own
    found = check(frame, rules=SAME_FILM_RULES, imdb=titles).findings
    assert found["value"].to_list() == ["The Thing, 2011, 103 min, a film"]


def test_what_is_farthest_off_stands_first(server: DatasetServer, titles: IMDbTitles) -> None:
    far = basics("tt0042876", title="Rashomon", year=1950, minutes=88)
    server.body = tsv([basics("tt0905372", **LATER), far], BASICS_HEADER)
    frame = pl.DataFrame([film(1, imdb_id="tt0905372"), film(2, imdb_id="tt0042876")])
    found = check(frame, rules=SAME_FILM_RULES, imdb=titles).findings
    assert found["tmdb_id"].to_list() == [2, 1]


def test_what_imdb_does_not_say_speaks_neither_for_a_film_nor_against_it(doubts: Doubts) -> None:
    nothing = dict.fromkeys(("title", "year", "minutes"))
    assert doubts(basics(**nothing)) == {}
    assert doubts(basics(**nothing | {"kind": "tvSeries"})) == {
        "imdb_id_series": ("a series", "TMDB has: The Thing, 1982, 109 min")
    }


def test_a_frame_without_titles_or_ids_is_checked_by_the_other_rules(
    server: DatasetServer, titles: IMDbTitles
) -> None:
    for lacking in ("title", "imdb_id"):
        report = check(pl.DataFrame([film()]).drop(lacking), imdb=titles)
        assert not {rule.name for rule in SAME_FILM_RULES} & {rule.name for rule in report.rules}
    assert server.connections == 0


def test_a_frame_without_lengths_is_asked_only_what_it_can_answer(titles: IMDbTitles) -> None:
    report = check(pl.DataFrame([film()]).drop("runtime_minutes"), imdb=titles)
    names = {rule.name for rule in report.rules}
    assert "imdb_id_unknown" in names
    assert "imdb_id_other_film" not in names


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "stage", settings=Settings())


def fetched(stage: Stage, **facts: Any) -> None:
    known = {"imdb_id": ID, "title": "The Thing", "original_title": "The Thing", "runtime": 109}
    movie = {**json.loads(payload(1)), **known, "release_date": "1982-06-25", **facts}
    stage.store.add(answers((1, json.dumps(movie), T0)))


def in_stage(stage: Stage, **options: Any) -> list[str]:
    return check(stage, rules=SAME_FILM_RULES, **options).findings["rule"].to_list()


def test_without_the_data_set_the_rules_are_passed_over(stage: Stage) -> None:
    fetched(stage)
    assert check(stage, rules=SAME_FILM_RULES).rules == ()


SECTIONS = {
    "alternative_titles": {"titles": [{"iso_3166_1": "IT", "title": "La cosa"}]},
    "translations": {"translations": [{"iso_639_1": "it", "data": {"title": "La cosa"}}]},
}


@pytest.mark.parametrize("section", SECTIONS)
def test_another_title_that_is_staged_tells_that_it_is_the_film(
    stage: Stage, server: DatasetServer, titles: IMDbTitles, section: str
) -> None:
    server.body = tsv([basics(title="La cosa", year=1984, minutes=116)], BASICS_HEADER)
    fetched(stage)
    assert in_stage(stage, imdb=titles) == ["imdb_id_other_film"]
    fetched(stage, **{section: SECTIONS[section]})
    assert in_stage(stage, imdb=titles) == []


def test_the_workers_of_an_executor_find_the_same(
    stage: Stage, server: DatasetServer, titles: IMDbTitles
) -> None:
    server.body = tsv([basics(title="Alien", year=1979)], BASICS_HEADER)
    fetched(stage, original_title="Alien")
    with ThreadPoolExecutor(2) as pool:
        assert in_stage(stage, imdb=titles, executor=pool) == in_stage(stage, imdb=titles)


def test_where_no_movie_has_an_id_nobody_is_asked(stage: Stage, titles: IMDbTitles) -> None:
    assert check(stage, imdb=titles).verdict() == "nothing is staged: no movies to check"
    fetched(stage, imdb_id=None)
    assert in_stage(stage, imdb=titles) == []
    assert titles.session.requests == 0


def test_the_command_downloads_once_a_day_and_works_offline_from_what_came(
    stage: Stage,
    server: DatasetServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IMDB_DATASETS_URL", server.url)
    server.body = tsv([basics(**LATER)], BASICS_HEADER)
    fetched(stage)
    for _ in range(2):
        assert main(["check", "--imdb", "--stage", str(stage.store.root)]) == 0
        assert "The Thing, 2011, 103 min, a film" in capsys.readouterr().out
    assert len(server.requests) == 1
    monkeypatch.setenv("TMDBKIT_OFFLINE", "1")
    monkeypatch.setenv("IMDB_DATASETS_URL", "http://127.0.0.1:9")
    assert main(["check", "--imdb", "--stage", str(stage.store.root)]) == 0
    assert "The Thing, 2011" in capsys.readouterr().out


def test_offline_without_a_data_set_is_one_line(stage: Stage, tmp_path: Path) -> None:
    fetched(stage)
    settings = Settings(cache=tmp_path / "none", offline=True)
    with (
        IMDbTitles(settings) as titles,
        pytest.raises(OfflineError, match=r"title\.basics.*TMDBKIT_OFFLINE"),
    ):
        check(stage, imdb=titles)
