"""What a check of quality found, as counts, as a frame, and as a report that draws itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import polars as pl

from tmdbkit.display import (
    BADGES,
    BORDER,
    SYSTEM_NAMES,
    badge,
    block,
    cover,
    draw_bar,
    fold,
    line,
    plain,
    row,
)
from tmdbkit.progress import counted
from tmdbkit.quality import Rule

# The rest of a rule's findings is a number, so that a report of any size is drawn at once.
DRAWN = 12  # movies under a rule
NAMED = 8  # findings in the text
# A value that breaks several rules is said once, by the worst of them.
ONCE = pl.struct("tmdb_id", pl.coalesce("system", "rule"), "value").is_first_distinct()
WIDTH, TITLE = 100, 40  # letters of a line of the text, and of a title in it

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

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the findings as objects of JSON."""
        return self.findings.iter_rows(named=True)

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
        return PAGE.format(title=escape(plain(self.verdict())), body=self._repr_html_())

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
        for found in self.findings.group_by("rule", maintain_order=True).head(DRAWN).to_dicts():
            few.setdefault(found["rule"], []).append(found)
        return few

    def _totals(self) -> str:
        counts = self.counts()
        parts = ", ".join(counted(counts[f"{kind}s"], kind) for kind in ("error", "warning"))
        findings = counted(self.findings.height, "finding")
        return f"{counted(len(self.rules), 'rule')} · {findings} ({parts})"

    def text(self, *, more: str = " in .findings", width: int = WIDTH) -> str:
        """Return it as lines; `more` says where those findings are that it only counts.

        A line is cut at `width`; at 0 it is whole, for what folds lines by itself.
        """
        if not self.movies:  # rules that looked at nothing have not passed
            return plain(self.verdict(), width)
        broken = [(rule, count) for rule, count in self._ranked if count]
        wide = max((len(f"{count:,}") for _, count in broken), default=0)
        lines = [self.verdict(), self._totals()]
        for rule, count in broken:
            lines.append(f"  {BADGES[rule.severity][0]:<5}  {count:>{wide},}  {rule.sentence}")
        if passed := len(self.rules) - len(broken):
            lines.append(f"  {'pass':<5}  {counted(passed, 'rule')}")
        if broken:
            lines.append("The worst:")
        worst = self.findings.filter(ONCE).head(NAMED)
        for found in worst.iter_rows(named=True):
            told = ", ".join(part for part in (_value(found), found["why"]) if part)
            title = plain(_title(found), TITLE)
            lines.append(f"  {title} ({found['tmdb_id']}): {told or found['rule']}")
        if rest := self.findings.height - worst.height:
            lines.append(f"  and {rest:,} more{more}")
        return "\n".join(plain(told, width) for told in lines)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        if not self.movies:
            return line(self.verdict())
        most = max((count for _, count in self._ranked), default=0)
        drawn = (
            line(self.verdict(), "font-size:120%;font-weight:bold"),
            line(self._totals(), "opacity:0.7;padding-bottom:8px"),
            *(self._draw_rule(rule, count, most) for rule, count in self._ranked),
        )
        return block("".join(drawn), "max-width:72em")

    def _draw_rule(self, rule: Rule, count: int, most: int) -> str:
        """One row: badge, count, bar, sentence, which a narrow screen puts on the next line."""
        severity = _badge(rule, count)
        bar = draw_bar(count / most if most else 0, BADGES[severity][1])
        return row(
            badge(severity),
            block(f"{count:,}", "flex:none;min-width:3em;text-align:right"),
            block(bar, "flex:none;width:70px;padding-top:7px"),
            block(self._draw_found(rule, count), "flex:1 1 15em;min-width:0px"),
            style=f"flex-wrap:wrap;gap:4px 10px;border-top:{BORDER};padding:5px 0",
        )

    def _draw_found(self, rule: Rule, count: int) -> str:
        if not count:
            return line(rule.sentence, "opacity:0.7")
        few = self._first_few[rule.name]
        cards = (_draw_finding(found, said=rule.sentence) for found in few)
        rest = count - len(few)
        more = line(f"and {rest:,} more", "opacity:0.7") if rest else ""
        style = "flex-wrap:wrap;gap:10px;padding:8px 0;align-items:stretch"
        return fold(rule.sentence, row(*cards, style=style) + more)


def _badge(rule: Rule, count: int) -> str:
    return rule.severity if count else "pass"


def _draw_finding(found: dict[str, Any], *, said: str) -> str:
    """A movie that a rule found: its text is read first, and stands beside a small cover."""
    title = _title(found)
    told = (
        ("font-weight:bold", title),
        ("font-weight:normal", _value(found)),
        ("font-size:85%;opacity:0.7", "" if found["why"] == said else found["why"]),
        ("font-size:85%;opacity:0.7", f"tmdb {found['tmdb_id']}"),
    )
    return row(
        block("".join(line(text, style) for style, text in told if text), "order:1;min-width:0px"),
        cover(title, found["tmdb_id"] or 0, width=44),
        style="width:15em;max-width:100%;line-height:1.35",
    )


def _title(found: dict[str, Any]) -> str:
    return found["title"] or f"movie {found['tmdb_id']}"


def _value(found: dict[str, Any]) -> str:
    """What was found, after the name of the system where it is about one."""
    system = found["system"] or ""
    name = SYSTEM_NAMES.get(system, system.replace("_", " "))
    return " ".join(part for part in (name, found["value"]) if part)
