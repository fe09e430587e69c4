"""Which signals end a command as Ctrl-C does: what is under way arrives, and is logged."""

from __future__ import annotations

import signal
import sys


def end_as_ctrl_c_does() -> None:
    """Let a kill and a closed terminal be a Ctrl-C; who began with `nohup` wants it to go on."""
    signal.signal(signal.SIGTERM, _interrupt)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
