"""The queue of movies to decide on, and a movie as a reviewer sees it."""

from tmdbkit.review.batch import Batch
from tmdbkit.review.item import STATES, Filter, Item
from tmdbkit.review.queue import ReviewQueue

__all__ = ["STATES", "Batch", "Filter", "Item", "ReviewQueue"]
