"""What drawings are made of: a list of facts, a bar, a cover; HTML that is safe anywhere.

HTML here must read in both themes, in an untrusted notebook and without styles: inline styles only,
no tables, no colour of text by default, text first, and everything escaped.
"""

from __future__ import annotations

import colorsys
from html import escape
from typing import TYPE_CHECKING, Any

from tmdbkit.images import image_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYSTEM_NAMES = {
    "imdb": "IMDb",
    "letterboxd": "Letterboxd",
    "metacritic": "Metacritic",
    "rotten_tomatoes": "Rotten Tomatoes",
    "tmdb": "TMDB",
}
BORDER = "1px solid #88888844"
RATED = "#2f6fa8"  # of a rating's bar: a mid-tone, to be seen on white and on black
TRACK = "#88888844"  # of what it lies on


def draw_facts(
    heading: str, facts: Sequence[tuple[str, str]], shares: Mapping[str, float] | None = None
) -> str:
    """Return a heading and its facts, one a line.

    Args:
        heading: What they are about.
        facts: Names and values.
        shares: From 0 to 1, by the names of the facts that get a bar of that length.
    """
    bars = {
        name: f'<div style="width:110px;max-width:100%">{draw_share(share)}</div>'
        for name, share in (shares or {}).items()
    }
    lines = "".join(
        f'<div style="display:flex;gap:1em;padding:2px 0">'
        f'<div style="flex:none;width:9em;opacity:0.7">{escape(name)}</div>'
        f'<div style="min-width:0px;overflow-wrap:anywhere">{escape(value)}'
        f"{bars.get(name, '')}</div></div>"
        for name, value in facts
    )
    return (
        f'<div style="border:{BORDER};border-radius:4px;padding:8px 12px;max-width:46em">'
        f'<div style="font-weight:bold;padding-bottom:4px">{escape(heading)}</div>{lines}</div>'
    )


def counted_votes(votes: int) -> str:
    """Return a number of votes in words: 1 vote, 12,345 votes."""
    return "1 vote" if votes == 1 else f"{votes:,} votes"


def draw_bar(share: float, colour: str) -> str:
    """Return a bar as long as its share, 0 to 1, of the room it has; more than 0 is seen."""
    filled = min(max(share, 0.0), 1.0)
    style = (
        f"background-color:{colour};border-radius:3px;height:6px;width:{filled:.1%};"
        f"min-width:{2 if filled else 0}px"
    )
    return f'<div style="{style}"></div>'


def draw_share(share: float) -> str:
    """Return a rating's bar on a track, which is the whole of its system's scale."""
    return f'<div style="background-color:{TRACK};border-radius:3px">{draw_bar(share, RATED)}</div>'


def cover(title: str, tmdb_id: int, width: int = 110) -> str:
    """Return a poster for a movie that has none to show: its initials on a colour of its own.

    The colour is written in hex: in an untrusted notebook, JupyterLab strips gradients and hsl().
    """
    initials = "".join(word[0] for word in title.split()[:2]).upper()
    mid_tone = colorsys.hls_to_rgb(tmdb_id * 47 % 360 / 360, 0.38, 0.35)
    colour = "#" + "".join(f"{round(part * 255):02x}" for part in mid_tone)
    height = width * 3 // 2
    style = (
        f"background-color:{colour};color:#ffffff;border:{BORDER};border-radius:4px;flex:none;"
        f"width:{width}px;height:{height}px;line-height:{height}px;text-align:center;"
        f"font-size:{width * 32 // 110}px;font-weight:bold"
    )
    return f'<div style="{style}">{escape(initials)}</div>'


def draw_found(movie: Mapping[str, Any], *, online: bool) -> str:
    """Return one result of TMDB's search: a small poster, title and year, how many voted.

    Args:
        movie: As TMDB sends it.
        online: Whether the poster's address may be shown, which a browser then asks for.
    """
    title, path = str(movie.get("title") or ""), str(movie.get("poster_path") or "")
    picture = cover(title, int(movie["id"]), width=44)
    if online and path.startswith("/"):
        address = escape(image_url(path, "w92"))
        picture = f'<img alt="" style="width:44px;border-radius:4px" src="{address}">'
    year, votes = str(movie.get("release_date") or "")[:4], int(movie.get("vote_count") or 0)
    told = " · ".join((year or "no date", f"TMDB {movie['id']}", counted_votes(votes)))
    return (
        '<div style="display:flex;gap:8px;line-height:1.4">'
        f'<div style="order:1"><div style="font-weight:bold">{escape(title)}</div>'
        f'<div style="opacity:0.7">{escape(told)}</div></div>{picture}</div>'
    )
