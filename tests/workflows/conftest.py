"""Rating providers that answer on this machine."""

from tests.ratings.conftest import ask, clock, serve

__all__ = ["ask", "clock", "serve"]
