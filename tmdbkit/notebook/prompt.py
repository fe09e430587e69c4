"""A hidden prompt for a missing key, in a live notebook and nowhere else."""

from __future__ import annotations

import threading
from contextlib import suppress
from getpass import getpass

from IPython.core.error import StdinNotImplementedError
from IPython.core.getipython import get_ipython


def ask_hidden(prompt: str) -> str:
    """Return what a person types unseen, or "" where nobody can: no cell runs, no keyboard.

    A button's click and a thread have no place for an answer, and would wait for ever; a notebook
    that is run as a test has no keyboard.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None or threading.current_thread() is not threading.main_thread():
        return ""
    if kernel.get_parent("shell").get("header", {}).get("msg_type") != "execute_request":
        return ""
    with suppress(StdinNotImplementedError):
        return getpass(prompt)  # the kernel's own, which asks the browser
    return ""
