"""Payloads to rows, in polars; pure."""

from tmdbkit.transform.rows import Transformed, derive, genres, people, transform
from tmdbkit.transform.shape import ROWS, STORED, Options, shaped

__all__ = [
    "ROWS",
    "STORED",
    "Options",
    "Transformed",
    "derive",
    "genres",
    "people",
    "shaped",
    "transform",
]
