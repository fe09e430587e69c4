"""What a check of quality found, as counts, as a frame, and as a report that draws itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from tmdbkit.display import BORDER, SYSTEM_NAMES, cover, draw_bar
from tmdbkit.progress import counted

if TYPE_CHECKING:
    import polars as pl

    from tmdbkit.quality import Rule

# The rest of a rule's findings is a number, so that a report of any size is drawn at once.
DRAWN = 12  # movies under a rule
NAMED = 8  # findings in the text
WIDTH, TITLE = 100, 40  # letters of a line of the text, and of a title in it

# The word on a badge, and its colour: mid-tones, to be seen on white and on black.
BADGES = {
    "error": ("error", "#c62828"),
    "warning": ("warn", "#9a5b00"),
    "pass": ("pass", "#2e7d32"),
}
RANKS = {severity: rank for rank, severity in enumerate(BADGES)}

# A page of its own follows the reader's theme, and may load nothing from anywhere.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; padding: 0 16px; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 24px auto; max-width: 72em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


@dataclass(frozen=True)
class Report:
    """What a check of quality found.

    Attributes:
        movies: How many movies were checked.
        rules: What they were checked by.
        findings: One row a finding, the worst first; frames of `quality.FINDINGS`.
        heading: What was checked, to stand before the verdict.
    """

    movies: int
    rules: tuple[Rule, ...]
    findings: pl.DataFrame = field(repr=False)
    heading: str = ""

    def counts(self) -> dict[str, Any]:
        """Return what `tmdbkit check --json` prints: totals, and all rules, the worst first."""
        found = dict(self.findings.group_by("severity").len().rows())
        return {
            "movies": self.movies,
            "errors": found.get("error", 0),
            "warnings": found.get("warning", 0),
            "rules": [
                {"rule": rule.name, "severity": rule.severity, "count": count}
                for rule, count in self._ranked
            ],
        }

    def verdict(self) -> str:
        """Return the report in one sentence."""
        if not self.movies:
            said = "no movies to check"
        else:
            broken = self.findings["tmdb_id"].n_unique()
            need = "needs" if broken == 1 else "need"
            said = f"{broken:,} of {counted(self.movies, 'movie')} {need} a look"
        return f"{self.heading}: {said}" if self.heading else said

    def page(self) -> str:
        """Return a whole HTML page that opens without a network, in light and in dark."""
        return PAGE.format(title=escape(self.verdict()), body=self._repr_html_())

    @cached_property
    def _ranked(self) -> list[tuple[Rule, int]]:
        """Rules and counts: those that found errors, then warnings, then nothing; many first."""
        found = dict(self.findings.group_by("rule").len().rows())
        ranked = [(rule, found.get(rule.name, 0)) for rule in self.rules]
        return sorted(ranked, key=lambda pair: (RANKS[_badge(*pair)], -pair[1]))

    @cached_property
    def _first_few(self) -> dict[str, list[dict[str, Any]]]:
        """The worst findings of each rule, by its name."""
        few: dict[str, list[dict[str, Any]]] = {}
        for row in self.findings.group_by("rule", maintain_order=True).head(DRAWN).to_dicts():
            few.setdefault(row["rule"], []).append(row)
        return few

    def _totals(self) -> str:
        counts = self.counts()
        parts = ", ".join(counted(counts[f"{kind}s"], kind) for kind in ("error", "warning"))
        findings = counted(self.findings.height, "finding")
        return f"{counted(len(self.rules), 'rule')} · {findings} ({parts})"

    def text(self, *, more: str = " in .findings") -> str:
        """Return it as lines; `more` says where those findings are that it only counts."""
        if not self.movies:  # rules that looked at nothing have not passed
            return _one_line(self.verdict())
        broken = [(rule, count) for rule, count in self._ranked if count]
        wide = max((len(f"{count:,}") for _, count in broken), default=0)
        lines = [self.verdict(), self._totals()]
        for rule, count in broken:
            lines.append(f"  {BADGES[rule.severity][0]:<5}  {count:>{wide},}  {rule.sentence}")
        if passed := len(self.rules) - len(broken):
            lines.append(f"  {'pass':<5}  {counted(passed, 'rule')}")
        if broken:
            lines.append("The worst:")
        for row in self.findings.head(NAMED).iter_rows(named=True):
            told = ", ".join(part for part in (_value(row), row["why"]) if part)
            title = _one_line(_title(row), TITLE)
            lines.append(f"  {title} ({row['tmdb_id']}): {told or row['rule']}")
        if (rest := self.findings.height - NAMED) > 0:
            lines.append(f"  and {rest:,} more{more}")
        return "\n".join(_one_line(line) for line in lines)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        if not self.movies:
            return f"<div>{escape(self.verdict())}</div>"
        most = max((count for _, count in self._ranked), default=0)
        rows = "".join(self._draw_rule(rule, count, most) for rule, count in self._ranked)
        return (
            '<div style="max-width:72em">'
            f'<div style="font-size:120%;font-weight:bold">{escape(self.verdict())}</div>'
            f'<div style="opacity:0.7;padding-bottom:8px">{escape(self._totals())}</div>'
            f"{rows}</div>"
        )

    def _draw_rule(self, rule: Rule, count: int, most: int) -> str:
        """One row: badge, count, bar, sentence, which a narrow screen puts on the next line."""
        badge = _badge(rule, count)
        word, colour = BADGES[badge]
        share = count / most if most else 0
        return (
            f'<div style="display:flex;flex-wrap:wrap;gap:4px 10px;align-items:flex-start;'
            f'border-top:{BORDER};padding:5px 0">'
            f'<div style="flex:none;width:48px;background-color:{colour};color:#ffffff;'
            f"border-radius:10px;font-size:85%;font-weight:bold;line-height:20px;"
            f'text-align:center">{word}</div>'
            f'<div style="flex:none;min-width:3em;text-align:right">{count:,}</div>'
            f'<div style="flex:none;width:70px;padding-top:7px">{draw_bar(share, colour)}</div>'
            f'<div style="flex:1 1 15em;min-width:0px">{self._draw_found(rule, count)}</div></div>'
        )

    def _draw_found(self, rule: Rule, count: int) -> str:
        sentence = escape(rule.sentence)
        if not count:
            return f'<div style="opacity:0.7">{sentence}</div>'
        few = self._first_few[rule.name]
        cards = "".join(_draw_finding(row, said=rule.sentence) for row in few)
        rest = count - len(few)
        more = f'<div style="opacity:0.7">and {rest:,} more</div>' if rest else ""
        return (
            f'<details><summary style="cursor:pointer">{sentence}</summary>'
            f'<div style="display:flex;flex-wrap:wrap;gap:10px;padding:8px 0">{cards}</div>'
            f"{more}</details>"
        )


def _badge(rule: Rule, count: int) -> str:
    return rule.severity if count else "pass"


def _draw_finding(row: dict[str, Any], *, said: str) -> str:
    """A movie that a rule found: its text is read first, and stands beside a small cover."""
    why = "" if row["why"] == said else row["why"] or ""
    lines = "".join(
        f'<div style="{style};overflow-wrap:break-word">{escape(text)}</div>'
        for style, text in (
            ("font-weight:bold", _title(row)),
            ("font-weight:normal", _value(row)),
            ("font-size:85%;opacity:0.7", why),
            ("font-size:85%;opacity:0.7", f"tmdb {row['tmdb_id']}"),
        )
        if text
    )
    return (
        f'<div style="display:flex;gap:8px;width:15em;max-width:100%;line-height:1.35">'
        f'<div style="order:1;min-width:0px">{lines}</div>'
        f"{cover(_title(row), row['tmdb_id'] or 0, width=44)}</div>"
    )


def _title(row: dict[str, Any]) -> str:
    return row["title"] or f"movie {row['tmdb_id']}"


def _value(row: dict[str, Any]) -> str:
    """What was found, after the name of the system where it is about one."""
    system = row["system"] or ""
    name = SYSTEM_NAMES.get(system, system.replace("_", " "))
    return " ".join(part for part in (name, row["value"]) if part)


def _one_line(text: str, width: int = WIDTH) -> str:
    """Strangers write titles: nothing in them may steer a terminal, or fill it."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"
