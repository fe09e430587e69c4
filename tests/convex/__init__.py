"""tmdbkit's Convex functions, run for real on Node, and the tests of them."""
