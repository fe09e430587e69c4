"""Small stages to look at."""

from tests.notebook.conftest import _looked_through, stage

__all__ = ["_looked_through", "stage"]
