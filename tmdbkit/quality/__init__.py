"""Named rules over movies and their ratings, and what they find."""

from tmdbkit.quality.finding import FINDINGS, RULES, find, withheld
from tmdbkit.quality.rule import Rule

__all__ = ["FINDINGS", "RULES", "Rule", "find", "withheld"]
