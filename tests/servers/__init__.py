"""Local look-alikes of the services that tmdbkit speaks to; none of them ever leaves 127.0.0.1."""
