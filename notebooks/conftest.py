"""Notebooks run offline and without anybody's settings; their kernels inherit this environment."""

from __future__ import annotations

import os

for name in list(os.environ):
    if name.startswith(("TMDB", "CONVEX", "OMDB", "MDBLIST")):
        del os.environ[name]
os.environ["TMDBKIT_OFFLINE"] = "1"
