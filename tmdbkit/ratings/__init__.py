"""Where ratings come from, and the pure aggregation of what came."""
