"""Everything that speaks to TMDB."""
