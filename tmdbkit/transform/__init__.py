"""Payloads to rows, in polars; pure."""

from tmdbkit.transform.rows import ROWS, VERSION, Options, Transformed, genres, people, transform

__all__ = ["ROWS", "VERSION", "Options", "Transformed", "genres", "people", "transform"]
