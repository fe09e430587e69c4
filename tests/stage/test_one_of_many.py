"""One movie of many: what is read for it, and by which name it is found."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.stage.conftest import T0, answers, payload
from tmdbkit import Stage
from tmdbkit.exceptions import NoSuchMovie, PassedOver, StageError
from tmdbkit.stage import decisions
from tmdbkit.stage.decisions import IN_VIEW, decision, judged, unreadable
from tmdbkit.stage.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def verdict(tmdb_id: int, name: str, text: str = "") -> pl.DataFrame:
    return decision(tmdb_id, "hold", name=name, by="Ann", at=T0, judged=text)


@pytest.mark.parametrize(
    "title", ["Alpha", 'a "quoted" \\ one', "two\nlines", "千と千尋", None, ""]
)
@pytest.mark.parametrize("points", [8.0, 7.25, 0.1 + 0.2, None, -1.0])
def test_what_a_verdict_writes_is_read_without_parsing_each(
    title: str | None, points: float | None
) -> None:
    values = dict.fromkeys(IN_VIEW.to_schema()) | {"title": title, "imdb_points": points}
    written = pl.DataFrame([values], IN_VIEW.to_schema()).select(judged()).to_series()
    decisions._is_judged.cache_clear()
    assert unreadable(written) == []
    assert decisions._is_judged.cache_info().misses == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"title":null', '"title":7'),
        ("null}", "null} "),
        ("null}", 'null,"x":1}'),
        (":null", ":01"),
    ],
)
def test_what_another_hand_writes_is_parsed_and_judged_by_itself(old: str, new: str) -> None:
    values = dict.fromkeys(IN_VIEW.to_schema())
    written = pl.DataFrame([values], IN_VIEW.to_schema()).select(judged()).item()
    text = written.replace(old, new, 1)
    assert unreadable(pl.Series([text])) == ([] if decisions._is_judged(text) else [text])


def test_of_decisions_only_those_on_a_movie_are_read_for_it(stage: Stage) -> None:
    stage.store.add_decisions(pl.concat([verdict(n, f"d{n}") for n in range(1, 6)]))
    assert stage.store.decided_on([3])["decision"].to_list() == ["d3"]


def test_a_decision_without_a_name_has_the_same_one_whatever_is_read(stage: Stage) -> None:
    rows = pl.concat([verdict(1, "d1"), verdict(2, "d2"), verdict(2, "d3")])
    stage.store.add_decisions(rows.with_columns(decision=pl.lit(None, DECISIONS["decision"])))
    every = stage.store.decided().filter(tmdb_id=2)
    assert stage.store.decided_on([2])["decision"].to_list() == every["decision"].to_list()


def test_a_movie_is_found_by_the_title_that_it_has_now_and_by_no_earlier_one(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1, "Alpha"), T0), (2, payload(2, "Beta"), T0)))
    stage.store.add(answers((1, payload(1, "Gamma"), T0 + timedelta(days=1))))
    assert stage.id_of("gamma") == 1
    with pytest.raises(NoSuchMovie):
        stage.id_of("alpha")


def test_a_movie_is_found_by_the_title_that_somebody_set(stage: Stage) -> None:
    stage.store.add(answers((1, payload(1, "Alpha"), T0), (2, payload(2, "Beta"), T0)))
    stage.store.add_decisions(
        decision(2, "override", name="d", by="Ann", at=T0, field="title", value="Alpha Two")
    )
    assert stage.id_of("alpha two") == 2
    assert stage.id_of("alpha") == 1
    assert stage["alpha two"].title == "Alpha Two"


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("Sen to Chihiro no Kamikakshi", "Spirited Away"),
        ("leon le profesionnel", "Léon"),
        ("Spirited Awya", "Spirited Away"),
        ("LÉOON", "Léon"),
    ],
)
def test_a_mistyped_title_is_answered_with_the_movie_of_which_it_is_any(
    mistyped: str, meant: str, stage: Stage
) -> None:
    titles = {"Spirited Away": "Sen to Chihiro no Kamikakushi", "Léon": "Leon: Le Professionnel"}
    for tmdb_id, (title, original) in enumerate(titles.items(), 1):
        stage.store.add(answers((tmdb_id, payload(tmdb_id, title, original_title=original), T0)))
    with pytest.raises(NoSuchMovie, match=f"did you mean {meant} "):
        stage.id_of(mistyped)


def test_decisions_are_read_anew_where_somebody_or_a_disk_changed_them(stage: Stage) -> None:
    folder = stage.store.root.folder
    assert folder is not None
    assert stage.decisions().is_empty()
    for name in ("d1", "d2"):
        Stage(folder).store.add_decisions(verdict(1, name))
    assert stage.decisions()["decision"].to_list() == ["d1", "d2"]
    last = max((folder / "decisions").glob("*.parquet"))
    last.write_bytes(b"")
    with pytest.raises(StageError, match=last.name):
        stage.decisions()


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop_in_place("note"),
        lambda frame: frame.extend(frame.clone()),
        lambda frame: frame.__setitem__((0, "tmdb_id"), 77),
        lambda frame: frame.insert_column(0, pl.Series("mine", [1])),
        lambda frame: setattr(frame, "columns", [name.upper() for name in frame.columns]),
    ],
    ids=["drop", "extend", "set", "insert", "rename"],
)
def test_what_somebody_makes_of_the_decisions_that_he_was_given_is_his_alone(
    change: Callable[[pl.DataFrame], object], stage: Stage
) -> None:
    stage.store.add_decisions(verdict(1, "d1"))
    for _ in range(2):  # what was read, and what was remembered
        change(stage.decisions())
        assert stage.decisions().rows() == verdict(1, "d1").rows()
        assert stage.decisions().schema == DECISIONS


def test_a_decision_that_nobody_understands_is_said_on_each_read(stage: Stage) -> None:
    unknown = verdict(2, "d2").with_columns(kind=pl.lit("bless"))
    stage.store.add_decisions(pl.concat([verdict(1, "d1"), unknown]))
    for _ in range(3):
        with pytest.warns(PassedOver, match="bless of movie 2"):
            assert stage.decisions()["decision"].to_list() == ["d1"]


def test_a_file_of_decisions_is_read_anew_where_another_has_its_bytes_and_its_time(
    stage: Stage, tmp_path: Path
) -> None:
    other = Stage(tmp_path / "other")
    files = []
    for tmdb_id, one in enumerate((stage, other), 1):
        one.store.add_decisions(verdict(tmdb_id, "d1"))
        assert one.decisions()["tmdb_id"].to_list() == [tmdb_id]
        [source] = [one.store.decisions.source(part) for part in one.store.decisions.parts()]
        files.append(source)
    mine, theirs = map(os.stat, files)
    assert mine.st_size == theirs.st_size
    os.replace(files[1], files[0])
    os.utime(files[0], ns=(mine.st_atime_ns, mine.st_mtime_ns))
    assert stage.decisions()["tmdb_id"].to_list() == [2]


@pytest.mark.parametrize(
    "others",
    [
        {"at": ["2026-01-01T00:00:00Z"]},
        {"at": ["2026-01-01"], "mine": [1]},
        {"tmdb_id": [5.0]},
        {"kind": pl.Series(["hold"], dtype=pl.Categorical)},
        {"tmdb_id": pl.Series([5], dtype=pl.UInt8)},
    ],
    ids=lambda others: " ".join(others),
)
def test_a_file_of_decisions_in_whose_place_another_program_wrote_one_is_read(
    others: dict[str, Any], stage: Stage
) -> None:
    stage.store.add_decisions(verdict(1, "d1"))
    assert stage.decisions()["tmdb_id"].to_list() == [1]
    [part] = stage.store.decisions.parts()
    theirs = pl.DataFrame({"tmdb_id": [5], "kind": ["hold"], **others})
    theirs.write_parquet(stage.store.decisions.source(part))
    assert stage.decisions().select("tmdb_id", "kind").rows() == [(5, "hold")]
