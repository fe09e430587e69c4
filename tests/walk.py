"""Follow one push of one movie through the package: `python -m tests.walk` prints the path.

A change is a pair of modules of which one calls the other, counted once; a climb is one whose
called module stands on a higher layer: a callback that a reader has to go back for.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

import tmdbkit
from tests.test_architecture import home_of, layer_of
from tmdbkit import ConvexSnapshot, Stage, push, sample
from tmdbkit.settings import Settings
from tmdbkit.stage.tables import PAYLOADS, STAGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

PACKAGE = f"{Path(tmdbkit.__file__).parent}/"
# `@checked` stands between a call and what it calls; whoever reads does not come by it.
DECORATOR = "settings/arguments"
Change = tuple[str, str]


def changes(act: Callable[[], object]) -> list[Change]:
    """The changes of module while something is done, in order, each once."""
    found: dict[Change, None] = {}

    def seen(frame: FrameType, event: str, _: Any) -> None:
        here = _module(frame)
        if event == "call" and here:
            caller = next((name for back in _outwards(frame) if (name := _module(back))), here)
            if caller != here:
                found[caller, here] = None

    threading.setprofile(seen)
    sys.setprofile(seen)
    try:
        act()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return list(found)


def climbs(found: list[Change]) -> list[Change]:
    """Those of them that go up."""
    return [(a, b) for a, b in found if layer_of(home_of(b)) > layer_of(home_of(a))]


def of_a_push(folder: Path) -> list[Change]:
    """The changes of module of a push of one movie from a stage into an empty snapshot."""
    stage = Stage(folder / "stage", settings=Settings())
    rows = sample().payloads([603]).with_columns(http_status=STAGED)
    stage.store.add(rows.select(pl.col(name).cast(kind) for name, kind in PAYLOADS.items()))
    target = ConvexSnapshot(folder / "snapshot")
    return changes(lambda: push(stage, target, [603]))


def _module(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    inside = file.removeprefix(PACKAGE).removesuffix(".py").removesuffix("/__init__")
    is_read = file.startswith(PACKAGE) and inside != DECORATOR
    return inside.replace("/", ".") if is_read else ""


def _outwards(frame: FrameType) -> Iterator[FrameType]:
    back = frame.f_back
    while back is not None:
        yield back
        back = back.f_back


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        path = of_a_push(Path(place))
    for change in path:
        print(*change, "  up" if change in climbs(path) else "")
    sent = [pair for pair in path if {home_of(name) for name in pair} <= {"workflows", "convex"}]
    print(
        f"{len(path)} changes among {len({name for pair in path for name in pair})} modules, "
        f"{len(climbs(path))} up; {len(sent)} of them in workflows and convex alone"
    )
