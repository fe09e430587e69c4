"""A command with a real terminal before it, and what one prints for scripts."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
from contextlib import suppress
from typing import Any

COMMAND = [sys.executable, "-m", "tmdbkit"]
CTRL_C = b"\x03"


def counts_in(out: str, status: int) -> dict[str, Any]:
    """What a command printed with --json, once it is sure that it ended as its status says."""
    told: dict[str, Any] = json.loads(out)
    assert told.pop("exit") == status
    assert (told.pop("error") is None) == (status in (0, 1))
    return told


class Terminal:
    """A command with a real terminal before it."""

    def __init__(self, *words: str) -> None:
        self._keyboard, screen = pty.openpty()
        self.running = subprocess.Popen(
            [*COMMAND, *words],
            stdin=screen,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(screen)

    def shows(self, text: str) -> str:
        """Read until the text stands there, or nothing more comes; return all of it."""
        seen = b""
        while text.encode() not in seen and select.select([self._keyboard], [], [], 20)[0]:
            try:
                seen += os.read(self._keyboard, 4096)
            except OSError:  # the command has ended, and its terminal with it
                break
        return seen.decode()

    def types(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def ends(self) -> int:
        """Press Ctrl-C until it ends, for it may fall into the moment before the wait."""
        for _ in range(4):
            self.types(CTRL_C)
            with suppress(subprocess.TimeoutExpired):
                return self.running.wait(timeout=5)
        raise AssertionError("Ctrl-C was not heard")

    def close(self) -> None:
        self.running.kill()
        self.running.wait()
        os.close(self._keyboard)
