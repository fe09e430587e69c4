"""What another program or another version wrote into a log is read, or passed over and said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit.cli.main import main
from tmdbkit.exceptions import PassedOver
from tmdbkit.ratings.model import RATINGS
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.decisions import decision, overrides, verdicts
from tmdbkit.stage.tables import DECISIONS

from .conftest import T0, movies, reopened

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit import Stage

pytestmark = pytest.mark.once

LAST = "29990101T000000000000-0badcafe"  # sorts after all that a test writes
HOLD: dict[str, Any] = {
    "tmdb_id": 1,
    "kind": "hold",
    "field": "",
    "value": None,
    "old": None,
    "note": "",
    "by": "Ann",
    "at": T0,
    "judged": "",
    "waived": [],
    "decision": "d1",
    "undoes": "",
}
TITLE = HOLD | {"kind": "override", "field": "title", "value": '"Mine"'}
IMDB = HOLD | {"kind": "override", "field": "vote_pts_system.imdb", "value": "7.4"}


@pytest.fixture
def two(stage: Stage) -> Stage:
    stage.store.add(movies(1, 2))
    return stage


def write(stage: Stage, rows: pl.DataFrame | dict[str, Any], log: str = "decisions") -> Path:
    """A file that another program puts beside those of a log."""
    assert stage.store.root.folder is not None
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame([rows], DECISIONS)
    path = stage.store.root.folder / log / f"{LAST}.parquet"
    path.parent.mkdir(exist_ok=True)
    frame.write_parquet(path)
    return path


def said(stage: Stage) -> dict[int, str]:
    return dict(verdicts(reopened(stage).decisions()).select("tmdb_id", "kind").rows())


# Other types than ours, or other columns.


def as_another_program_has_it(**types: Any) -> pl.DataFrame:
    return pl.DataFrame([HOLD], DECISIONS).cast(types)


@pytest.mark.parametrize(
    "file",
    [
        as_another_program_has_it(tmdb_id=pl.Int32),
        as_another_program_has_it(tmdb_id=pl.UInt64),
        as_another_program_has_it(tmdb_id=pl.Float64),
        as_another_program_has_it(tmdb_id=pl.String),
        as_another_program_has_it(kind=pl.Categorical, by=pl.Enum(["Ann"])),
        as_another_program_has_it(kind=pl.Binary),
        as_another_program_has_it(at=pl.Datetime("ns", "UTC")),
        as_another_program_has_it(at=pl.Datetime("ms", "Europe/Berlin")),
        as_another_program_has_it(at=pl.String),
        as_another_program_has_it().with_columns(value=None, note=None, waived=None),
        as_another_program_has_it().with_columns(team=pl.lit("night")),
        as_another_program_has_it().select(sorted(DECISIONS)),
        as_another_program_has_it().select("tmdb_id", "kind", "at"),
        as_another_program_has_it().with_columns(at=pl.lit("yesterday"), waived=pl.lit(1.5)),
    ],
    ids=lambda file: ",".join(f"{n}:{t}" for n, t in file.schema.items() if DECISIONS.get(n) != t),
)
def test_a_decision_of_another_program_counts_as_it_is_meant(
    two: Stage, file: pl.DataFrame
) -> None:
    write(two, file)
    assert said(two) == {1: "hold"}
    assert reopened(two).decisions().schema == DECISIONS
    assert ReviewQueue(reopened(two), by="Ann").reload() is None


def test_a_time_without_a_zone_is_utc(two: Stage) -> None:
    naive = pl.col("at").dt.replace_time_zone(None).cast(pl.Datetime("ns"))
    write(two, pl.DataFrame([HOLD], DECISIONS).with_columns(naive))
    assert reopened(two).decisions()["at"].to_list() == [T0]


def test_nulls_are_what_nobody_wrote(two: Stage) -> None:
    empty = dict.fromkeys(("field", "note", "by", "at", "judged", "waived", "decision", "undoes"))
    write(two, pl.DataFrame([HOLD | empty, HOLD | empty | {"tmdb_id": 2}], DECISIONS))
    found = reopened(two).decisions()
    assert found.select("tmdb_id", "field", "by", "waived").rows() == [
        (1, "", "", []),
        (2, "", "", []),
    ]
    assert found["decision"].n_unique() == 2
    assert found["at"].to_list() == [datetime(1970, 1, 1, tzinfo=UTC)] * 2


@pytest.mark.parametrize("odd", [28.5, float("nan"), 1e300, -1.0, None])
def test_an_id_that_is_none_is_of_no_movie(two: Stage, odd: float | None) -> None:
    rows = pl.DataFrame([HOLD], DECISIONS).with_columns(tmdb_id=pl.lit(odd, pl.Float64))
    write(two, rows)
    with pytest.warns(PassedOver, match="1 decision passed over.*hold of no movie|of movie -1"):
        assert said(two) == {}


def test_a_compaction_leaves_a_file_alone_that_has_more_than_these_columns(two: Stage) -> None:
    two.store.add_decisions(decision(2, "approve", name="d2", by="Ann", at=T0))
    two.store.add_decisions(decision(2, "hold", name="d3", by="Ann", at=T0))
    path = write(two, as_another_program_has_it().with_columns(team=pl.lit("night")))
    before = path.read_bytes()
    for days in (0, 2):
        two.compact(now=datetime.now(UTC) + timedelta(days=days))
    assert path.read_bytes() == before
    assert said(two) == {1: "hold", 2: "hold"}


def test_ratings_of_another_program_count(two: Stage) -> None:
    rating = {"tmdb_id": 1, "system": "imdb", "points": 7.5, "provider": "mine", "fetched_at": T0}
    rows = pl.DataFrame([rating]).cast({"tmdb_id": pl.Int32, "system": pl.Categorical})
    write(two, rows, "ratings")
    found = reopened(two).ratings().filter(system="imdb")
    assert found.select("tmdb_id", "points").rows() == [(1, 7.5)]


# What nobody here understands.


ODD_DECISIONS = [
    (HOLD | {"kind": "embargo"}, "embargo of movie 1"),
    (HOLD | {"kind": None}, "no kind of movie 1"),
    (TITLE | {"field": "mood_ring"}, 'mood_ring "Mine" of movie 1'),
    (TITLE | {"field": "slug"}, 'slug "Mine" of movie 1'),
    (TITLE | {"field": ""}, 'no field "Mine" of movie 1'),
    (TITLE | {"value": None}, "title  of movie 1"),
    (TITLE | {"value": "Mine"}, "title Mine of movie 1"),
    (TITLE | {"value": '{"en": "Mine"}'}, "title {.*} of movie 1"),
    (TITLE | {"value": "[" * 9999}, "title"),
    (TITLE | {"field": "runtime_minutes", "value": '"long"'}, "runtime_minutes"),
    (TITLE | {"field": "runtime_minutes", "value": "1e30"}, "runtime_minutes"),
    (TITLE | {"field": "runtime_minutes", "value": "1" * 400}, "runtime_minutes"),
    (TITLE | {"field": "budget", "value": "true"}, "budget"),
    (TITLE | {"field": "popularity", "value": "NaN"}, "popularity"),
    (IMDB | {"field": "vote_pts_system.trakt"}, "vote_pts_system.trakt"),
    (IMDB | {"field": "stars.imdb"}, "stars.imdb"),
    (IMDB | {"value": "74"}, "vote_pts_system.imdb 74"),
    (IMDB | {"value": '"great"'}, "vote_pts_system.imdb"),
    (IMDB | {"value": "[7]"}, "vote_pts_system.imdb"),
    (HOLD | {"field": "x"}, "hold x of movie 1"),
    (HOLD | {"kind": "approve", "field": "title"}, "approve title of movie 1"),
    (HOLD | {"kind": "undecide", "field": "title"}, "undecide title of movie 1"),
    (HOLD | {"kind": "waive"}, "waive of movie 1"),
    (HOLD | {"kind": "waive", "field": "column_scale:imdb"}, "waive column_scale:imdb of"),
    (HOLD | {"kind": "waive", "tmdb_id": 0}, "waive of no movie"),
    (HOLD | {"kind": "waive", "tmdb_id": 0, "field": "outside_scale:imdb"}, "waive outside_sc"),
    (HOLD | {"kind": "waive", "tmdb_id": 0, "field": "far_off:imdb"}, "waive far_off:imdb"),
    (HOLD | {"kind": "waive", "tmdb_id": 0, "field": "column_scale:x"}, "waive column_scale:x"),
    (HOLD | {"kind": "waive", "tmdb_id": 0, "field": "column_scale"}, "waive column_scale"),
    (HOLD | {"kind": "undo", "undoes": "d2"}, "undo of movie 1"),
    (HOLD | {"kind": "undo", "tmdb_id": 0, "undoes": "d2"}, "undo of no movie"),
]


@pytest.mark.parametrize(("row", "named"), ODD_DECISIONS)
def test_a_decision_that_is_not_understood_is_passed_over_and_said(
    two: Stage, row: dict[str, Any], named: str
) -> None:
    two.store.add_decisions(decision(2, "hold", name="d2", by="Ann", at=T0))
    write(two, row)
    with pytest.warns(PassedOver, match=f"1 decision passed over.*{named}"):
        assert said(two) == {2: "hold"}
    with pytest.warns(PassedOver):
        assert reopened(two).table()["decision"].to_list() == [None, "hold"]


@pytest.mark.parametrize("row", [row for row, _ in ODD_DECISIONS[::8]])
@pytest.mark.parametrize("verb", ["status", "check", "plan --snapshot rehearsal"])
def test_a_command_says_it_once_and_ends_with_1(
    two: Stage, row: dict[str, Any], verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(two, row)
    assert main([*verb.split(), "--stage", str(two.store.root.folder), "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert err.count("decision passed over") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("rule", ["column_scale", "same_everywhere", "votes_scale"])
def test_a_waiver_of_a_column_is_understood(two: Stage, rule: str) -> None:
    write(two, HOLD | {"kind": "waive", "tmdb_id": 0, "field": f"{rule}:imdb"})
    assert reopened(two).decisions()["field"].to_list() == [f"{rule}:imdb"]


def test_an_open_queue_and_a_new_one_agree_on_an_undo_of_another_movie(two: Stage) -> None:
    two.store.add_decisions(decision(2, "hold", name="d2", by="Ann", at=T0))
    queue = ReviewQueue(two, by="Ann")
    write(two, HOLD | {"kind": "undo", "undoes": "d2"})
    with pytest.warns(PassedOver, match="undo of movie 1"):
        assert said(two) == {2: "hold"}
    with pytest.warns(PassedOver):
        item = queue.item(2)
    assert item.verdict is not None
    assert item.verdict["kind"] == "hold"


def test_decisions_of_no_batch_are_taken_back_one_by_one(two: Stage) -> None:
    rows = [HOLD | {"tmdb_id": n, "decision": f"d{n}", "batch": ""} for n in (1, 2)]
    write(two, pl.DataFrame(rows, DECISIONS))
    assert ReviewQueue(reopened(two), by="Ann").undo()
    assert reopened(two).decisions()["batch"].to_list() == [None, None, None]


def test_of_several_the_first_are_named(two: Stage) -> None:
    rows = [HOLD | {"kind": f"kind{n}", "decision": f"d{n}"} for n in range(5)]
    write(two, pl.DataFrame(rows, DECISIONS))
    with pytest.warns(PassedOver, match="5 decisions passed over.*kind0.*kind1.*kind2.*…; upgrade"):
        reopened(two).decisions()


def test_whoever_decides_anew_is_told_no_more(two: Stage) -> None:
    path = write(two, HOLD | {"kind": "embargo"})
    path.rename(path.with_name("20200101T000000000000-0badcafe.parquet"))
    two.store.add_decisions(decision(1, "approve", name="d2", by="Ann", at=T0))
    assert said(two) == {1: "approve"}


def test_a_number_as_text_is_the_number(two: Stage) -> None:
    write(two, IMDB | {"value": '"7.4"'})
    assert overrides(reopened(two).decisions())["value"].to_list() == ["7.4"]


@pytest.mark.parametrize(
    "judged",
    [
        *("", "[1]", '{"title', "7", "null", '{"title": ["a"]}', '{"imdb_points": 1e308}'),
        *('{"imdb_points": 1e999}', '{"imdb_points": NaN}', '{"imdb_points": "7"}'),
        *('{"runtime_minutes": 1e30}', '{"runtime_minutes": true}', '{"title": {"a": 1}}'),
        *(
            '{"metacritic_points": -1e999}',
            '{"imdb_id": 7}',
            '{"runtime_minutes": ' + "9" * 20 + "}",
        ),
    ],
)
def test_what_was_in_view_of_another_program_is_not_known(two: Stage, judged: str) -> None:
    write(two, HOLD | {"judged": judged})
    queue = ReviewQueue(reopened(two), by="Ann").show(state="all")
    queue.open(1)
    assert queue.current is not None
    assert "title: nothing → Movie 1" in queue.current.changed
    assert reopened(two).decisions()["judged"].to_list() == [""]
    assert reopened(two).table()["decision"].to_list() == ["hold", None]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"system": None}, "no system 7.5 of movie 1"),
        ({"tmdb_id": None}, "imdb 7.5 of no movie"),
    ],
)
def test_a_rating_that_is_not_understood_is_passed_over_and_said(
    two: Stage, parts: dict[str, Any], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"tmdb_id": 2, "system": "imdb", "points": 7.5, "provider": "imdb", "fetched_at": T0}
    write(two, pl.DataFrame([good, good | {"tmdb_id": 1} | parts], RATINGS), "ratings")
    with pytest.warns(PassedOver, match=f"1 rating passed over.*{named}"):
        found = reopened(two).ratings().filter(provider="imdb")
    assert found.select("tmdb_id", "system").rows() == [(2, "imdb")]
    assert main(["check", "--stage", str(two.store.root.folder)]) == 1
    assert capsys.readouterr().err.count("1 rating passed over") == 1
