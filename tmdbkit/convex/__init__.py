"""Everything that speaks to Convex, or stands in for it."""

from tmdbkit.convex import install

__all__ = ["install"]
