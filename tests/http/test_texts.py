from __future__ import annotations

import pytest

from tmdbkit.http.answers import is_json


@pytest.mark.parametrize(
    "text", ["{}", "[]", ' {"id": 603}\n', '[{"id": 603}]', '{"a": {"b": []}}', '{"a": NaN}']
)
def test_objects_and_lists_are_json(text: str) -> None:
    assert is_json(text)


@pytest.mark.parametrize(
    "text",
    ["", "603", '"text"', "null", '{"id": 60', "{} {}", "<html>", "[1]]", "{}\0{"],
)
def test_anything_else_is_not(text: str) -> None:
    assert not is_json(text)
