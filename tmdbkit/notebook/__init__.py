"""What only notebooks need: the only place that imports ipywidgets or IPython."""

from __future__ import annotations

import tmdbkit.progress
from tmdbkit.notebook.progress import WidgetProgress

tmdbkit.progress.register(WidgetProgress)
