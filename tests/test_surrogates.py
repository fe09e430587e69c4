"""Halves of surrogate pairs: what is no character becomes U+FFFD, and all others stay."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmdbkit.surrogates import decoded, loads, whole, whole_json

ANY = st.text(st.characters(exclude_categories=()), max_size=20)  # halves as well
HALF = "\ufffd"


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("Léon 😀", "Léon 😀"),
        ("\ud83d", HALF),
        ("a\udc00b\ud83d", f"a{HALF}b{HALF}"),
        ("\ud83d\ude00", "😀"),
        ("\ud83d\ud83d\ude00", f"{HALF}😀"),
    ],
)
def test_each_half_becomes_one_sign_and_two_that_belong_together_their_character(
    text: str, mended: str
) -> None:
    assert whole(text) == mended


@given(ANY)
def test_whatever_the_text_it_can_be_written_and_only_halves_were_changed(text: str) -> None:
    mended = whole(text)
    mended.encode()
    assert whole(mended) == mended
    assert mended == text or any("\ud800" <= character <= "\udfff" for character in text)


@pytest.mark.parametrize(
    ("escaped", "value"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"\uD83D\uDE00", "😀"),
        (r"\ud83d", HALF),
        (r"\uD83Dabc", f"{HALF}abc"),
        (r"\udc00", HALF),
        (r"\ud83d\ud83d\ude00", f"{HALF}😀"),
        (r"\ud83d\n", f"{HALF}\n"),
        (r"\ud83d\u0041", f"{HALF}A"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", f"\\{HALF}"),
        (r"\"\ud83d\"", f'"{HALF}"'),
        (r"\ud7ff\ue000", "\ud7ff\ue000"),
        (r"\\\\ud83d\\u", r"\\ud83d\u"),
    ],
)
def test_an_escape_of_json_is_mended_where_it_is_one(escaped: str, value: str) -> None:
    assert json.loads(whole_json(f'"{escaped}"')) == value
    assert loads(f'{{"{escaped}": ["{escaped}"]}}') == {value: [value]}


@given(ANY)
def test_json_says_the_same_with_whole_characters(text: str) -> None:
    assert loads(json.dumps({text: [text]})) == {whole(text): [whole(text)]}


@given(ANY)
def test_the_bytes_of_halves_are_mended_as_well(text: str) -> None:
    assert decoded(text.encode("utf-8", "surrogatepass")) == whole(text).removeprefix("\ufeff")


def test_what_is_no_utf8_otherwise_is_an_error_as_ever() -> None:
    with pytest.raises(UnicodeDecodeError):
        decoded("café".encode("latin-1"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[", "", "1" * 5_000])
def test_what_cannot_be_read_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)
