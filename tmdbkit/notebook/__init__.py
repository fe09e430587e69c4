"""What only notebooks need: the only place that imports ipywidgets or IPython."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

import tmdbkit.progress
from tmdbkit.notebook.progress import WidgetProgress
from tmdbkit.notebook.prompt import ask_hidden

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tmdbkit.convex.target import Target
    from tmdbkit.notebook.confirm import PushPanel
    from tmdbkit.notebook.form import StageForm
    from tmdbkit.notebook.panel import ReviewPanel
    from tmdbkit.notebook.titles import MatchPanel
    from tmdbkit.stage.stage import Stage
    from tmdbkit.tmdb.session import TMDBSession
    from tmdbkit.workflows.matching import Matches

if hasattr(get_ipython(), "kernel"):  # a kernel is running, not only installed
    tmdbkit.progress.register(WidgetProgress)
    tmdbkit.progress.register_asker(ask_hidden)


def review(stage: Stage, *, by: str = "", **filters: Any) -> ReviewPanel:
    """Look at the movies of a stage one at a time, the worst first, and decide on each.

    Args:
        stage: What is reviewed; each decision is in it the moment it is made.
        by: Whose name decisions carry; default as the settings say, or the login.
        filters: What to show first: `rule, severity, system, decade, state, text`.

    Raises:
        UsageError: No such rule, or no such state.
    """
    from tmdbkit.notebook.panel import ReviewPanel

    return ReviewPanel(stage, by=by, **filters)


def match(session: TMDBSession, matches: Matches, out: str | Path | None = None) -> MatchPanel:
    """Decide which films the rows of a list mean that are not sure, by their posters and facts.

    Args:
        session: Whom to ask.
        matches: What `match_titles` returned.
        out: Where the list is written after each choice; default nowhere.
    """
    from tmdbkit.notebook.titles import MatchPanel

    return MatchPanel(session, matches, out)


def stage(stage: Stage, session: TMDBSession | None = None) -> StageForm:
    """Choose what to stage, ids, one of TMDB's lists or results of a search, and watch it come.

    Args:
        stage: Where movies go.
        session: Where they come from; default a `TMDBSession()` of the settings.
    """
    from tmdbkit.notebook.form import StageForm

    return StageForm(stage, session)


def push(
    stage: Stage, target: Target, ids: Iterable[int] | None = None, **choices: Any
) -> PushPanel:
    """Look at what a push would do, and send exactly that with a button.

    Args:
        stage: Whose movies go.
        target: Where they go; one of production wants its name typed before.
        ids: Only these; default all that are staged.
        choices: `scope, limit, people, images`, as `plan_push` takes them.
    """
    from tmdbkit.notebook.confirm import PushPanel

    return PushPanel(stage, target, ids, **choices)
