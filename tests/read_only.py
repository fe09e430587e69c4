"""Folders that may only be read, whoever looks at them: for root, too."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from shutil import which

import pytest

ALONE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
# How each makes the folder "$0" one to read, before it runs "$@"; 77 where this machine lets none.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit 77; exec "$@"'
FULL = """
cp -r "$0" "$0.there" && mount -t tmpfs -o size=1m none "$0" && cp -r "$0.there/." "$0" || exit 77
head -c 2000000 /dev/zero > "$0/ballast" 2> "$0.said"; exec "$@"
"""
UNTOUCHABLE = """
chmod -R a-w "$0"; test "$(id -u)" = 0 || exec "$@"
drop="setpriv --bounding-set -dac_override,-fowner"; $drop true || exit 77; exec $drop "$@"
"""
NO_FILES = 'ulimit -f 0; exec "$@"'
WAYS = {
    "a read-only file system": [*ALONE, READ_ONLY],
    "a full disk": [*ALONE, FULL],
    "no permission": ["sh", "-c", UNTOUCHABLE],
    "no file of any size": ["sh", "-c", NO_FILES],
}


def run(way: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run something for which a folder is to read alone."""
    if which(WAYS[way][0]) is None:
        pytest.skip(f"there is no {WAYS[way][0]} here")
    done = subprocess.run(
        [*WAYS[way], str(folder), *command],
        cwd=Path(__file__).parents[1],
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip(f"it cannot be made here: {done.stderr.strip()}")
    return done
