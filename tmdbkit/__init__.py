"""Movies from TMDB to Convex, with a notebook in between."""

__version__ = "0.1.0"
