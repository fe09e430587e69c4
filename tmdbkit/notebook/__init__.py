"""What only notebooks need: the only place that imports ipywidgets or IPython."""

from __future__ import annotations

from IPython.core.getipython import get_ipython

import tmdbkit.progress
from tmdbkit.notebook.progress import WidgetProgress

if hasattr(get_ipython(), "kernel"):  # a kernel is running, not only installed
    tmdbkit.progress.register(WidgetProgress)
