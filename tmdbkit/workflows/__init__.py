"""The verbs that users call; composition only."""

from tmdbkit.workflows.deleting import absent_from_stage, delete_movies, plan_deletion
from tmdbkit.workflows.direct import import_direct
from tmdbkit.workflows.fetching import refresh_movies, stage_movies
from tmdbkit.workflows.local_import import LocalImport, run_local_import
from tmdbkit.workflows.matching import match_titles, note_asked
from tmdbkit.workflows.pushing import plan_push, push, undo, verify
from tmdbkit.workflows.rating import check, collect_ratings, rating_costs

__all__ = [
    "LocalImport",
    "absent_from_stage",
    "check",
    "collect_ratings",
    "delete_movies",
    "import_direct",
    "match_titles",
    "note_asked",
    "plan_deletion",
    "plan_push",
    "push",
    "rating_costs",
    "refresh_movies",
    "run_local_import",
    "stage_movies",
    "undo",
    "verify",
]
