"""What a person does about what a rule finds."""

from __future__ import annotations

_LOOK = "look at the provider's table or answer; ask again, or leave that provider out"
_COLUMN = f"{_LOOK}; where it is right, tmdbkit review --waive RULE --system SYSTEM"
_AGAIN = "tmdbkit ratings --older-than fetches it again"
_TMDB = "mend it on themoviedb.org and tmdbkit refresh, or c in tmdbkit review"
_SAME_FILM = "look at both pages; if it is another one, mend the id on themoviedb.org and refresh"

REMEDIES = {
    "outside_scale": "c SYSTEM POINTS in tmdbkit review, on its own scale; nothing waives it",
    "column_scale": f"{_COLUMN}; of a table of your own, say its scale",
    "scale_mix_up": "c SYSTEM POINTS in tmdbkit review; or a, where it is right",
    "same_everywhere": _COLUMN,
    "swapped_systems": f"{_COLUMN}; of a table of your own, name the columns the other way round",
    "other_movies": f"{_COLUMN}; of a table of your own, look at its ids",
    "one_of_two": f"find out which of them is wrong; {_LOOK}",
    "scale_doubtful": "look it up; c SYSTEM POINTS in tmdbkit review, or a, where it is right",
    "votes_scale": "c SYSTEM_votes NUMBER in tmdbkit review; or a, where it is right",
    "votes_off": "look whether the IMDb id is the film's; c SYSTEM POINTS in tmdbkit review",
    "far_off": "look it up; c SYSTEM POINTS in tmdbkit review, or a, where it is right",
    "too_fine": "look whether it is the system's own number, and not a mean that somebody made",
    "points_without_votes": "look it up; c SYSTEM_votes NUMBER in tmdbkit review",
    "votes_without_points": "nothing, where the system has none yet; else c SYSTEM POINTS",
    "extreme_on_few_votes": f"nothing yet; {_AGAIN} when more have voted",
    "audience_for_critics": "look it up; c rotten_tomatoes POINTS in tmdbkit review",
    "before_release": _AGAIN,
    "stale": _AGAIN,
    "fetched_in_future": f"set the clock right; {_AGAIN}",
    "imdb_id_malformed": _TMDB,
    "imdb_id_is_tmdb_id": _TMDB,
    "imdb_id_shared": "find out whose it is, and mend the other one on themoviedb.org",
    "title_not_asked_for": "look whether it is the film; if not, r in tmdbkit review",
    "year_not_asked_for": "look whether it is the film; if not, r in tmdbkit review",
    "imdb_id_other_film": _SAME_FILM,
    "imdb_id_series": _SAME_FILM,
    "imdb_id_short": _SAME_FILM,
    "imdb_id_unknown": "nothing, where the film is new; else look the id up, and mend it there",
    "date_malformed": _TMDB,
    "released_in_future": _TMDB,
    "runtime_missing": _TMDB,
    "runtime_long": "look whether it is minutes, and one film; c runtime_minutes in tmdbkit review",
    "budget_in_millions": _TMDB,
    "slug_empty": "set one in the Convex dashboard; a push leaves slugs alone",
    "slug_repeated": "nothing in a stage: a push adds year or id; in a target, change one there",
    "taken_back": "look at its page on themoviedb.org; --clear FIELD erases it there, too",
    "not_on_tmdb": "tmdbkit delete takes it out of your app; or leave it as it is",
    "adult": "tmdbkit review: reject it, if your app is not for that; or approve",
    "softcore": "tmdbkit review: reject it, if your app is not for that; or approve",
    "synopsis_missing": "nothing, or write one on themoviedb.org and tmdbkit refresh",
    "poster_missing": "nothing, or upload one to themoviedb.org and tmdbkit refresh",
    "language_unknown": _TMDB,
    "director_missing": "nothing, or name one on themoviedb.org and tmdbkit refresh",
}
