"""Run a command beside a deployment of its own: `python -m tests.convex jupyter lab notebooks`."""

from __future__ import annotations

import os
import subprocess
import sys

from .backend import ConvexBackend

if len(sys.argv) < 2:
    sys.exit("usage: python -m tests.convex COMMAND ...")
with ConvexBackend() as backend:
    done = subprocess.run(sys.argv[1:], env=os.environ | backend.environment(), check=False)
sys.exit(done.returncode)
