"""Movies that go from TMDB to a target with no stage in between, and how that is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.tmdb import TMDBServer
from tmdbkit import Stage, TMDBSession, import_direct, undo
from tmdbkit.exceptions import StageError
from tmdbkit.progress import Silent
from tmdbkit.settings import Secret, Settings

from .bench import Bench, counts, movie, outcome, payload, push

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.once


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TMDBSession]:
    """A session with a TMDB that has movies 1 and 2, and a stage that nothing was put into."""
    with TMDBServer() as server:
        server.payloads.update({1: payload(1, vote_average=82.0), 2: payload(2)})
        settings = Settings(
            tmdb_base_url=server.base_url,
            tmdb_token=Secret(server.token),
            cache=tmp_path / "cache",
            stage=tmp_path / "stage",
            rate=1e6,
        )
        with TMDBSession(settings) as session:
            yield session


def test_it_has_the_rules_of_a_push(bench: Bench, session: TMDBSession) -> None:
    result = import_direct(session, bench.target, [1, 2], progress=Silent())
    assert counts(result) == {"created": 2, "withheld": 1}
    assert outcome(result, 1)[1] == "tmdb: The points are not on the system's scale"
    assert bench.movie(1)["vote_pts_system"]["tmdb"] is None


def test_it_is_taken_back_by_the_log_of_the_stage_of_the_settings_which_has_no_movie(
    bench: Bench, session: TMDBSession
) -> None:
    bench.plant(before := movie(2, tagline="Theirs", mood=["dark"]))
    result = import_direct(session, bench.target, [1, 2], progress=Silent())
    assert counts(result) == {"created": 1, "updated": 1, "withheld": 1}
    stage = Stage(settings=session.settings)
    assert (len(stage), result.push) == (0, stage.pushes().item(0, "push"))
    back = push(stage, bench.target, plan=undo(stage, bench.target))
    assert counts(back) == {"deleted": 1, "updated": 1}
    assert bench.table("movies") == [before]


def test_it_is_logged_in_the_stage_that_is_given(
    bench: Bench, session: TMDBSession, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "other", settings=session.settings)
    import_direct(session, bench.target, [2], stage=stage, progress=Silent())
    assert counts(push(stage, bench.target, plan=undo(stage, bench.target))) == {"deleted": 1}
    assert not (tmp_path / "stage").exists()


def test_without_a_log_to_write_to_nothing_is_sent(
    bench: Bench, session: TMDBSession, tmp_path: Path
) -> None:
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "imports").touch()  # not even root writes into that
    with pytest.raises(StageError, match="cannot be read"):
        import_direct(session, bench.target, [2], progress=Silent())
    assert bench.table("movies") == []
