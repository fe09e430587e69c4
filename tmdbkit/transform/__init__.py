"""Payloads to rows, in polars; pure."""

from tmdbkit.transform.rows import ROWS, Options, Transformed, genres, people, transform

__all__ = ["ROWS", "Options", "Transformed", "genres", "people", "transform"]
