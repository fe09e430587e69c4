"""The backends that the tests of this folder share; each test finds its own one empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.convex import ConvexProxy

from .backend import ConvexBackend
from .bench import Bench, DeploymentBench, Shelf, SnapshotBench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def _our_backend() -> Iterator[ConvexBackend]:
    with ConvexBackend() as backend:
        yield backend


@pytest.fixture(scope="session")
def _older_backend() -> Iterator[ConvexBackend]:
    """A deployment of an app with the oldest convex that the functions are made for."""
    with ConvexBackend(convex="convex-1.30") as backend:
        yield backend


@pytest.fixture(scope="session")
def _app_backend() -> Iterator[ConvexBackend]:
    with ConvexBackend(schema="app") as backend:
        yield backend


@pytest.fixture(scope="session")
def _watched_backend() -> Iterator[ConvexBackend]:
    with ConvexBackend(schema="watched") as backend:
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


@pytest.fixture
def watched(_watched_backend: ConvexBackend) -> ConvexBackend:
    """A deployment of an app whose tables point at movies, and nothing in it."""
    _watched_backend.reset()
    return _watched_backend


@pytest.fixture(params=["snapshot", "deployment"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A target with nothing in it: each of the two there are."""
    if request.param == "snapshot":
        return SnapshotBench(tmp_path)
    return DeploymentBench(request.getfixturevalue("backend"))


@pytest.fixture
def snapshot(tmp_path: Path) -> SnapshotBench:
    """The embedded target, with nothing in it."""
    return SnapshotBench(tmp_path)


@pytest.fixture
def proxy(backend: ConvexBackend) -> Iterator[ConvexProxy]:
    """A deployment with nothing in it, to which calls may go astray."""
    with ConvexProxy(backend.url) as proxy:
        yield proxy


@pytest.fixture
def stage() -> Shelf:
    """A stage with nothing in it."""
    return Shelf()
