"""`stage.json` as another hand or version left it: one line, or read; and its keys stay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tmdbkit.cli.main import main
from tmdbkit.exceptions import StageError

from .conftest import movies, reopened

if TYPE_CHECKING:
    from tmdbkit import Stage

pytestmark = pytest.mark.once

ODD = {
    "empty": "",
    "cut": '{"layout": 2, "langu',
    "garbage after it": '{"layout": 2}}',
    "a list": "[]",
    "a list of it": '[{"layout": 2}]',
    "a number": "2",
    "null": "null",
    "a text": '"layout"',
    "no layout": "{}",
    "a layout as text": '{"layout": "2"}',
    "a layout with a fraction": '{"layout": 1.5}',
    "a layout below 1": '{"layout": -3}',
    "layout 0": '{"layout": 0}',
    "a layout that is true": '{"layout": true}',
    "a layout beyond all numbers": '{"layout": 1e400}',
    "a layout that is none": '{"layout": NaN}',
    "a layout of 5,000 digits": '{"layout": ' + "9" * 5000 + "}",
    "depth": "[" * 99_999,
    "a language that is a number": '{"layout": 2, "language": 7}',
    "languages": '{"layout": 2, "language": ["en-US"]}',
    "a change that is a text": '{"layout": 2, "language": "en-US", "changing": "yes"}',
    "a change since a number": '{"layout": 2, "language": "en-US", "changing": {"since": 5}}',
    "a present that is no time": '{"layout": 2, "present": "never"}',
    "another encoding": "\x00{\x00}",
}


@pytest.mark.parametrize("name", ODD)
def test_a_marker_that_cannot_be_meant_is_one_line_and_stays(
    stage: Stage, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.store.add(movies(1))
    assert stage.store.root.folder is not None
    marker = stage.store.root.folder / "stage.json"
    marker.write_text(ODD[name])
    with pytest.raises(StageError, match=r"is .* a stage"):
        reopened(stage)
    for verb in ("status", "compact", "plan --snapshot x"):
        assert main([*verb.split(), "--stage", str(stage.store.root.folder)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert marker.read_text() == ODD[name]
    assert main(["doctor", "--stage", str(stage.store.root.folder), "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)["files"] > 1


@pytest.mark.parametrize("name", [name for name in ODD if "layout" in name or name == "depth"])
def test_the_doctor_names_it(stage: Stage, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    stage.store.add(movies(1))
    assert stage.store.root.folder is not None
    (stage.store.root.folder / "stage.json").write_text(ODD[name])
    assert main(["doctor", "--stage", str(stage.store.root.folder), "--json"]) == 1
    kinds = [problem["kind"] for problem in json.loads(capsys.readouterr().out)["problems"]]
    assert kinds == ["marker"]


def test_of_a_newer_layout_all_else_may_be_of_any_form(stage: Stage) -> None:
    stage.store.add(movies(1))
    assert stage.store.root.folder is not None
    (stage.store.root.folder / "stage.json").write_text('{"layout": 99, "language": {"de": 1}}')
    with pytest.raises(StageError, match="newer tmdbkit"):
        reopened(stage)


def test_keys_that_nobody_here_knows_stay_whatever_is_written(stage: Stage) -> None:
    stage.store.add(movies(1))
    assert stage.store.root.folder is not None
    marker = stage.store.root.folder / "stage.json"
    marker.write_text('\ufeff{"layout": 1, "team": {"night": [1, null]}}', encoding="utf-8")
    again = reopened(stage)
    again.store.append(movies(2), language="en-US")
    again.store.marker.change("de-DE")
    again.store.marker.changed("de-DE")
    again.compact()
    said = json.loads(marker.read_text())
    assert said == {"layout": 2, "language": "de-DE", "team": {"night": [1, None]}}
