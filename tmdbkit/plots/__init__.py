"""Pictures of a table of movies, as PNG and without a network: `pip install "tmdbkit[plots]"`.

Each function takes a table such as `Stage.table()` returns it, of any size. Systems stand on one
scale, 0 to 100; points off their own system's scale are drawn at its edge.
"""

from tmdbkit.plots.charts import agreement, coverage, disputed, distribution
from tmdbkit.plots.picture import Picture

__all__ = ["Picture", "agreement", "coverage", "disputed", "distribution"]
