"""A look-alike of TMDB, a session that speaks to it, and a clock that both of them read."""

from tests.http.conftest import _only_this_machine, clock, connect, server, start

__all__ = ["_only_this_machine", "clock", "connect", "server", "start"]
