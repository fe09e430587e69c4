"""A command with a real terminal before it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
from contextlib import suppress

COMMAND = [sys.executable, "-m", "tmdbkit"]
CTRL_C = b"\x03"


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
