"""TMDB's language codes and their English names, as `/configuration/languages` answers."""

from __future__ import annotations

import json
from pathlib import Path

_FILE = Path(__file__).with_name("languages.json")
LANGUAGES: dict[str, str] = json.loads(_FILE.read_text(encoding="utf-8"))
