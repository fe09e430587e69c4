"""What all output is made of: strangers' text made harmless, and HTML that is safe anywhere.

Titles, names, notes and the words of servers are written by strangers: `plain` is their way to a
terminal, `escaped` their way into HTML. HTML here must read in both themes, in an untrusted
notebook, and without styles: inline styles only, no tables, no colour of text by default.
"""

from __future__ import annotations

import colorsys
import json
import re
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
# The word on a badge, and its colour: mid-tones, too.
BADGES = {
    "error": ("error", "#c62828"),
    "warning": ("warn", "#9a5b00"),
    "pass": ("pass", "#2e7d32"),
}
# Control characters, separators of lines, and what turns the direction of the text after it. The
# joiners stay: words of Persian, and emoji, are made with them.
STEERING = (
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
_STEERING = re.compile(STEERING)
_MATHS = re.compile(r"[$\\]")


def plain(text: str, width: int = 0) -> str:
    """Return a text as one line, of at most `width` characters, that steers no terminal."""
    line = _STEERING.sub(" ", text)
    return line if not width or len(line) <= width else f"{line[: width - 1]}…"


def plain_lines(lines: Iterable[str]) -> str:
    """Return lines one below the other, each of them plain."""
    return "\n".join(map(plain, lines))


def escaped(text: str) -> str:
    """Return a text as HTML.

    MathJax, which JupyterLab runs over all HTML, looks for formulas in one run of text at a time: a
    dollar or a backslash in an element of its own begins none. An entity would not keep it off.
    """
    return _MATHS.sub(r"<span>\g<0></span>", escape(plain(text)))


class Drawn:
    """Shows itself by its facts: a line each as text, and a box in a notebook."""

    _heading: ClassVar[str]

    def _facts(self) -> Sequence[tuple[str, str]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return plain_lines(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts(self._heading, self._facts())


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
        name: block(draw_share(share), "width:110px;max-width:100%")
        for name, share in (shares or {}).items()
    }
    rows = (
        row(
            line(name, "flex:none;width:9em;opacity:0.7"),
            # A path has no room in a narrow widget; where nobody trusts it, this is left out.
            block(line(value, "overflow-wrap:anywhere") + bars.get(name, ""), "min-width:0px"),
            style="gap:1em;padding:2px 0",
        )
        for name, value in facts
    )
    return block(
        line(heading, "font-weight:bold;padding-bottom:4px") + "".join(rows),
        f"border:{BORDER};border-radius:4px;padding:8px 12px;max-width:46em",
    )


def counted_facts(counts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return counts by name as facts."""
    return [(name, f"{n:,}" if isinstance(n, int) else str(n)) for name, n in counts.items()]


def brief(value: Any, width: int = 30) -> str:
    """Return a value in a few letters: a list by its first parts, an address by its end."""
    if value in (None, "", []):
        return "nothing"
    if isinstance(value, dict) and "name" in value:
        return brief(value["name"], width)
    if isinstance(value, list):
        return _brief_list(value, width)
    if isinstance(value, str) and value.startswith("https://"):
        return plain(f"…/{value.rpartition('/')[2]}", width)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # Convex sends 603 as 603.0
    text = json.dumps(value, ensure_ascii=False)
    return plain(text, width) if len(text) <= width else f"{plain(text, width - 1)}{text[-1]}"


def _brief_list(values: list[Any], width: int) -> str:
    if not all(isinstance(each, str) for each in values):
        return "1 id" if len(values) == 1 else f"{len(values):,} ids"
    more = f" and {len(values) - 2:,} more" if len(values) > 2 else ""
    return plain(", ".join(values[:2]), max(width - len(more), 8)) + more


def first_facts(name: str, lines: Sequence[str], most: int = 10) -> list[tuple[str, str]]:
    """Return the first of some lines as facts of one name, and how many more there are."""
    more = [f"and {len(lines) - most:,} more"] if len(lines) > most else []
    return [(name, line) for line in [*lines[:most], *more]]


def block(html: str, style: str) -> str:
    """Return HTML in an element of its own."""
    return f'<div style="{style}">{html}</div>'


def line(text: str, style: str = "") -> str:
    """Return a text in an element of its own, which it never makes wider."""
    return block(escaped(text), f"min-width:0px;overflow-wrap:break-word;{style}")


def row(*parts: str, style: str = "") -> str:
    """Return HTML side by side; all begin at the top, so that text of two lines moves no other."""
    return block("".join(parts), f"display:flex;gap:8px;align-items:flex-start;{style}")


def fold(summary: str, html: str) -> str:
    """Return a text that shows what is behind it when it is clicked."""
    head = f'<summary style="cursor:pointer">{escaped(summary)}</summary>'
    return f"<details>{head}{html}</details>" if html else ""


def badge(severity: str) -> str:
    """Return the badge of an error, of a warning, or of what has passed."""
    word, colour = BADGES[severity]
    return block(
        word,
        f"flex:none;width:48px;background-color:{colour};color:#ffffff;border-radius:10px;"
        "font-size:85%;font-weight:bold;line-height:20px;text-align:center",
    )


def counted_votes(votes: int) -> str:
    """Return a number of votes in words: 1 vote, 12,345 votes."""
    return "1 vote" if votes == 1 else f"{votes:,} votes"


def draw_bar(share: float, colour: str) -> str:
    """Return a bar as long as its share, 0 to 1, of the room it has; more than 0 is seen."""
    filled = min(max(share, 0.0), 1.0)
    return block(
        "",
        f"background-color:{colour};border-radius:3px;height:6px;width:{filled:.1%};"
        f"min-width:{2 if filled else 0}px",
    )


def draw_share(share: float) -> str:
    """Return a rating's bar on a track, which is the whole of its system's scale."""
    return block(draw_bar(share, RATED), f"background-color:{TRACK};border-radius:3px")


def picture(source: str, width: int = 110) -> str:
    """Return an image by its address."""
    return f'<img alt="" style="width:{width}px;border-radius:4px" src="{escape(source)}">'


def cover(title: str, tmdb_id: int, width: int = 110) -> str:
    """Return a poster for a movie that has none to show: its initials on a colour of its own.

    The colour is written in hex: in an untrusted notebook, JupyterLab strips gradients and hsl().
    """
    initials = "".join(word[0] for word in plain(title).split()[:2]).upper()
    mid_tone = colorsys.hls_to_rgb(tmdb_id * 47 % 360 / 360, 0.38, 0.35)
    colour = "#" + "".join(f"{round(part * 255):02x}" for part in mid_tone)
    height = width * 3 // 2
    return block(
        escaped(initials),
        f"background-color:{colour};color:#ffffff;border:{BORDER};border-radius:4px;flex:none;"
        f"width:{width}px;height:{height}px;line-height:{height}px;text-align:center;"
        f"font-size:{width * 32 // 110}px;font-weight:bold",
    )
