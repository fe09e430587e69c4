"""One movie to decide on, and how it looks to a person, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from tmdbkit.display import (
    SYSTEM_NAMES,
    badge,
    block,
    counted_votes,
    draw_share,
    line,
    plain_lines,
    row,
)
from tmdbkit.exceptions import UsageError
from tmdbkit.schema import SCALES, SYSTEMS
from tmdbkit.stage.card import MovieCard
from tmdbkit.stage.decisions import POINTS_FIELD, WORDS, field_named
from tmdbkit.stage.fitting import fitting

STATES = ("undecided", "changed", "decided", "all")


@dataclass(frozen=True)
class Filter:
    """Which movies of a queue are shown.

    Attributes:
        rule: Only those that break it.
        severity: Only those with an `error`, or with a `warning`.
        system: Only those with a finding on this system's rating.
        decade: Only those of these ten years, such as 1990.
        state: `undecided` (those that changed since among them), `changed`, `decided` or `all`.
        text: Only those whose title has it.
    """

    rule: str | None = None
    severity: str | None = None
    system: str | None = None
    decade: int | None = None
    state: str = "undecided"
    text: str = ""


class Proposal(NamedTuple):
    """A value that a rule computed in place of the one that breaks it.

    Attributes:
        rule: Whose finding proposes it.
        system: Of which system's rating, or None.
        field: Of which field, by a name that `correct` takes.
        value: The value, which fits that field.
    """

    rule: str
    system: str | None
    field: str
    value: Any

    def __str__(self) -> str:
        """Return it as a person calls it: `Metacritic points 54`."""
        part, _, system = field_named(self.field).partition(".")
        what = "points" if part == POINTS_FIELD else "votes"
        named = f"{SYSTEM_NAMES[system]} {what}" if system else part.replace("_", " ")
        number = isinstance(self.value, int | float)
        return f"{named} {f'{self.value:,.10g}' if number else self.value}"


@dataclass(frozen=True)
class Item:
    """One movie, and all that a person needs to decide on it.

    Attributes:
        movie: Its row of the flat table, with `consensus`, `certainty` and `spread`.
        findings: What is suspicious about it, frames of `quality.FINDINGS`.
        verdict: The decision that stands, or None.
        overrides: The values that people set, by field.
        changed: A line for each judged value that has moved since the verdict, old → new.
        picture: A local file to show instead of the poster's address.
        online: Whether the poster's address may be shown, which a browser then asks for.
        sentences: What the rules say, by their names.
    """

    movie: dict[str, Any]
    findings: pl.DataFrame
    verdict: dict[str, Any] | None
    overrides: dict[str, str]
    changed: list[str]
    picture: Path | None = None
    online: bool = True
    sentences: Mapping[str, str] = field(default_factory=dict)

    @property
    def tmdb_id(self) -> int:
        """Which movie it is."""
        return int(self.movie["tmdb_id"])

    @property
    def card(self) -> MovieCard:
        """The movie alone."""
        return MovieCard(self.movie, self.picture, self.online, lambda: self.findings)

    def value(self, field: str) -> Any:
        """Return what a field holds that a person may set, by the names that `correct` takes."""
        part, _, system = field_named(field).partition(".")
        suffix = "points" if part == POINTS_FIELD else "votes"
        return self.movie[f"{system}_{suffix}" if system else part]

    @property
    def proposals(self) -> list[Proposal]:
        """What the findings propose, one a field; none where a person has set a value by hand."""
        found = self.findings.drop_nulls("proposal_field")
        rows = found.select("rule", "system", "proposal_field", "proposal_value").rows()
        made: dict[str, Proposal] = {}
        for rule, system, name, text in rows:
            with suppress(UsageError):  # `ask`, which is no value, or one that does not fit
                field = field_named(name)
                made.setdefault(field, Proposal(rule, system, name, fitting(field, text)))
        return [proposed for field, proposed in made.items() if field not in self.overrides]

    def accepted(self, system: str | None = None) -> dict[str, tuple[Any, str]]:
        """Return what is proposed, of all systems or of one: by field, the value and a note.

        Raises:
            UsageError: Nothing is.
        """
        found = [one for one in self.proposals if system in (None, one.system)]
        if not found:
            of = f" of {system!r}" if system else ""
            raise UsageError(f"no finding{of} proposes a value for {self.card.heading()}")
        return {field_named(one.field): (one.value, f"proposed by {one.rule}") for one in found}

    def facts(self) -> str:
        """Return what is known of the film besides its ratings, in a line."""
        row = self.movie
        known = (
            row["release_date"] or "no date",
            f"TMDB {row['tmdb_id']}",
            f"{row['runtime_minutes']} min" if row["runtime_minutes"] else "",
            ", ".join(row["directors"]),
            ", ".join(row["genres"]),
        )
        return " · ".join(part for part in known if part)

    def rated(self) -> list[tuple[str, float | None, str]]:
        """Return name, share of the system's scale, and points with votes, for each system."""
        told = []
        for system in SYSTEMS:
            points, votes = self.movie[f"{system}_points"], self.movie[f"{system}_votes"]
            share = None if points is None else points / SCALES[system]
            said = "no rating" if points is None else f"{points:g} of {SCALES[system]:g}"
            told.append(
                (
                    SYSTEM_NAMES[system],
                    share,
                    said + (f" · {counted_votes(votes)}" if votes else ""),
                )
            )
        return told

    def agreement(self) -> str:
        """Return what the systems say together, in a line; "" where none says anything."""
        together, spread = self.movie["consensus"], self.movie["spread"]
        if together is None:
            return ""
        apart = "" if spread is None else f", {spread:.1f} apart"
        return f"together {together:.0f} of 100{apart}"

    def suspicions(self) -> list[tuple[str, str]]:
        """Return the severity of each finding, and what is wrong: system, value, why, sentence."""
        shown = self.findings.select("severity", "rule", "system", "value", "why").rows()
        return [
            (severity, _summary(_named(system, value), why, self.sentences.get(rule, "")))
            for severity, rule, system, value, why in shown
        ]

    def history(self) -> list[str]:
        """Return what people decided, what they set, and what has moved since, a line each."""
        lines = []
        if self.verdict is not None:
            by, note = self.verdict["by"] or "somebody", self.verdict["note"]
            lines.append(f"{WORDS[self.verdict['kind']]} by {by}{note and f': {note}'}")
        lines += [f"changed since: {moved}" for moved in self.changed]
        lines += [f"set by hand: {name} = {value}" for name, value in self.overrides.items()]
        return lines + [f"{name}: {value}" for name, value in self.card.own() if value]

    def __repr__(self) -> str:
        lines = [self.facts(), *(f"{name}: {said}" for name, _, said in self.rated())]
        lines += [self.agreement()] * bool(self.agreement())
        lines += [f"{severity}: {told}" for severity, told in self.suspicions()]
        return plain_lines([self.card.heading(), *(f"  {told}" for told in lines + self.history())])

    def _repr_html_(self) -> str:
        told = (
            line(self.card.heading(), "font-size:130%;font-weight:bold"),
            line(self.facts(), "opacity:0.7;padding-bottom:6px"),
            *(_draw_rating(*rated) for rated in self.rated()),
            line(self.agreement(), "opacity:0.7") if self.agreement() else "",
            *(
                row(badge(severity), line(why), style="padding-top:4px")
                for severity, why in self.suspicions()
            ),
            *(line(text, "padding-top:4px") for text in self.history()),
        )
        text = block("".join(told), "order:1;flex:1 1 16em;min-width:0px")
        return row(text, self.card.poster(), style="flex-wrap:wrap;gap:16px;line-height:1.5")


def _summary(named: str, why: str, sentence: str) -> str:
    of_what = f"{named}: {why}" if named else why
    return of_what if sentence in ("", why) else f"{of_what} ({sentence})"


def _named(system: str | None, value: str) -> str:
    return " ".join(part for part in (SYSTEM_NAMES.get(system or "", ""), value) if part)


def _draw_rating(name: str, share: float | None, said: str) -> str:
    """One system's name, bar and points, as wide in each row, so that all rows wrap alike."""
    return row(
        line(name, "flex:none;width:8.5em"),
        block(draw_share(share or 0.0), "flex:9 1 60px;max-width:220px;padding-top:7px"),
        line(said, "flex:1 1 12.5em"),
        style="flex-wrap:wrap;gap:0px 8px;line-height:1.5;padding-bottom:3px",
    )
