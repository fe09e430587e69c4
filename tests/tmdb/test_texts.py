from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tmdbkit.tmdb.texts import is_json


@pytest.mark.parametrize(
    "text", ["{}", "[]", ' {"id": 603}\n', '[{"id": 603}]', '{"a": {"b": []}}']
)
def test_objects_and_lists_are_json(text: str) -> None:
    assert is_json(text)


@pytest.mark.parametrize(
    "text", ["", "603", '"text"', "null", '{"id": 60', "{} {}", "<html>", "[1]]"]
)
def test_anything_else_is_not(text: str) -> None:
    assert not is_json(text)


def test_ctrl_c_takes_no_text_with_it_and_somebody_is_told_of_it() -> None:
    """In a process of its own: a stray signal would end the tests."""
    done = subprocess.run([sys.executable, "-c", PRESSED_OFTEN], capture_output=True, timeout=60)
    assert done.stdout.split() == [b"unheard", b"0", b"lost", b"0"], done.stderr.decode()


PRESSED_OFTEN = textwrap.dedent("""
    import signal, threading
    from tmdbkit.tmdb.texts import Pressed, is_json

    text, lost, heard, over = '{"a":"' + "x" * 1_000_000 + '"}', [], [], threading.Event()

    def check():
        while not over.is_set():
            try:
                assert is_json(text)
            except Pressed as pressed:
                heard.append(1)
                if not (pressed.is_json and pressed.text == text):
                    lost.append(1)

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    unheard = 0
    for _ in range(40):
        before = len(heard)
        try:
            over.wait(0.003)
            signal.raise_signal(signal.SIGINT)
            over.wait(0.05)
            unheard += len(heard) == before
        except KeyboardInterrupt:
            pass
    over.set()
    for thread in threads:
        thread.join()
    print("unheard", unheard, "lost", len(lost))
""")
