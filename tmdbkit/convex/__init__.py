"""Everything that speaks to Convex, or stands in for it."""
