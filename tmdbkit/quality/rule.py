"""What a rule is: one expression that is true where something is wrong, and words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        name: What it is called in findings and decisions.
        severity: Of an `error` the rating stays out of a push; a `warning` wants a person to look.
        sentence: What is wrong, for a person.
        expression: True where it is broken; where a column is missing, the rule is passed over.
        of: What a row is: a rating (`features.features`), or a movie (`card.flat` with `now`).
        value: The value that is wrong, as text.
        why: What makes it wrong, as text; default the sentence.
        degree: How far off it is; the worst of a rule stand first.
        waivable: Whether an approval of the movie lets go what it saw of this; what cannot be true
            no approval makes so.
        of_column: True where not this rating alone is wrong, but its whole column: only a waiver of
            its own lets that go.
        proposal: A field by the name that `correct` takes, and the value that it should rather
            have, as far as that can be computed; `ask` where it should be fetched again.
    """

    name: str
    severity: Literal["error", "warning"]
    sentence: str
    expression: pl.Expr = field(repr=False)
    of: Literal["rating", "movie"]
    value: pl.Expr = field(repr=False)
    why: pl.Expr | None = field(default=None, repr=False)
    degree: pl.Expr = field(default_factory=lambda: pl.lit(1.0), repr=False)
    waivable: bool = True
    of_column: pl.Expr = field(default_factory=lambda: pl.lit(value=False), repr=False)
    proposal: tuple[pl.Expr, pl.Expr] | None = field(default=None, repr=False)

    def needs(self) -> set[str]:
        """Return the columns that it names."""
        return {name for part in self._parts() for name in part.meta.root_names()}

    def selects(self) -> bool:
        """Return whether it looks at columns that it does not name, such as `pl.all()`."""
        return any(part.meta.has_multiple_outputs() for part in self._parts())

    def finds(self, rows: pl.DataFrame, kept: Sequence[str]) -> pl.DataFrame:
        """Return `FINDINGS` of the rows given, as far as the kept columns go, and `degree`."""
        why = pl.lit(self.sentence) if self.why is None else self.why
        field, value = self.proposal or (pl.lit(None, pl.String), pl.lit(None, pl.String))
        proposed = value.cast(pl.String)
        return rows.select(
            *kept,
            pl.lit(self.name).alias("rule"),
            pl.lit(self.severity).alias("severity"),
            self.value.cast(pl.String).fill_null("").alias("value"),
            why.fill_null(self.sentence).alias("why"),
            pl.when(proposed.is_not_null()).then(field).alias("proposal_field"),
            proposed.alias("proposal_value"),
            self.of_column.fill_null(value=False).alias("of_column"),
            self.degree.cast(pl.Float64).fill_null(1.0).alias("degree"),
        )

    def _parts(self) -> list[pl.Expr]:
        why = [] if self.why is None else [self.why]
        return [
            self.expression,
            self.value,
            self.degree,
            self.of_column,
            *why,
            *(self.proposal or ()),
        ]
