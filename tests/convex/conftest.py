"""The backends that the tests of this folder share; each test finds its own one empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .backend import ConvexBackend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _our_backend() -> Iterator[ConvexBackend]:
    with ConvexBackend() as backend:
        yield backend


@pytest.fixture(scope="session")
def _app_backend() -> Iterator[ConvexBackend]:
    with ConvexBackend(schema="app") as backend:
        yield backend


@pytest.fixture
def backend(_our_backend: ConvexBackend) -> ConvexBackend:
    """A deployment with our schema and nothing in it."""
    _our_backend.reset()
    return _our_backend


@pytest.fixture
def app_backend(_app_backend: ConvexBackend) -> ConvexBackend:
    """A deployment with the older schema, without `crew` and `genres`, and nothing in it."""
    _app_backend.reset()
    return _app_backend
