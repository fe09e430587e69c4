"""Rows as the settings want them, shaped from those that a stage keeps, alike for all."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from tmdbkit.images import PREFIX
from tmdbkit.schema import IMAGES, INSTANT, ROW
from tmdbkit.settings import Settings


@dataclass(frozen=True)
class Options:
    """What of the settings shapes a row.

    Attributes:
        images: Whether a row holds an image's `url` or its bare `path`.
        poster_size: TMDB's name of a poster's size.
        backdrop_size: TMDB's name of a backdrop's size.
        cast: How many of the cast a row holds, by billing.
        region: Whose certifications, ISO 3166-1, in any case.
        languages: Of texts: what the first lacks is taken from the next.
    """

    images: str = "url"
    poster_size: str = "w500"
    backdrop_size: str = "w1280"
    cast: int = 10
    region: str = "US"
    languages: tuple[str, ...] = ("en-US",)

    @classmethod
    def of(cls, settings: Settings) -> Options:
        """Take them from the settings."""
        return cls(
            settings.images,
            settings.poster_size,
            settings.backdrop_size,
            settings.cast,
            settings.region,
            settings.languages,
        )


DEFAULTS = Options()


@dataclass(frozen=True)
class Tier:
    """The first of the cast, in columns of their own: who wants a few reads no long lists.

    Attributes:
        ids: The column of their ids.
        names: That of their names, null where one has none.
        count: How many they are at most; None is all.
    """

    ids: str
    names: str
    count: int | None

    def holds(self, wanted: int) -> bool:
        """Tell whether so many are in it, as far as there are so many."""
        return self.count is None or wanted <= self.count


TIERS = (
    Tier("cast", "cast_names", 10),  # as many as a row holds by default
    Tier("cast_of_20", "cast_names_of_20", 20),
    Tier("cast_of_all", "cast_names_of_all", None),
)
_SHAPED = frozenset({"mpaa_rating"})  # made of what is stored under another name
_NAMES = ("cast", "directors", "genres", "writers", "keywords", "studios")
_THINGS = ("genre", "writer", "keyword", "studio")
FLAGS = ("adult", "softcore")

# A row as everybody sees it; names are for reading only.
ROWS = pl.Schema(
    {
        **ROW,
        "names": pl.Struct(dict.fromkeys(_NAMES, pl.List(pl.String))),
        **dict.fromkeys(FLAGS, pl.Boolean()),
        "fetched_at": INSTANT,
    }
)
# A row as a stage keeps it: images by their bare path, all of the cast, all certifications.
STORED = pl.Schema(
    {
        **{name: kind for name, kind in ROW.items() if name not in _SHAPED},
        "certifications": pl.String(),  # lines of `line_of`: far cheaper to read than a list
        **{tier.ids: pl.List(pl.Int64()) for tier in TIERS},
        **{tier.names: pl.List(pl.String()) for tier in TIERS},
        "director_names": pl.List(pl.String()),
        **{f"{name}_names": pl.List(pl.String()) for name in _THINGS},
        **dict.fromkeys(FLAGS, pl.Boolean()),
        "fetched_at": INSTANT,
    }
)


def shaped(stored: pl.LazyFrame, options: Options) -> pl.LazyFrame:
    """Return rows with all of `ROWS`, made of those of `STORED`; other columns stay as they are.

    What of it nobody reads on is not computed, nor are its columns read.
    """
    sizes = {"main_poster": options.poster_size, "main_backdrop": options.backdrop_size}
    tier = next(tier for tier in TIERS if tier.holds(options.cast))
    names = (
        pl.col(tier.names).list.head(options.cast).list.drop_nulls().alias("cast"),
        pl.col("director_names").alias("directors"),
        *(pl.col(f"{name}_names").alias(f"{name}s") for name in _THINGS),
    )
    made = stored.with_columns(
        _certification(options.region).alias("mpaa_rating"),
        *(_image(name, options.images, sizes[name]) for name in sorted(IMAGES)),
        pl.col(tier.ids).list.head(options.cast).alias("cast"),
        pl.struct(names).alias("names"),
    )
    return made.drop(STORED.keys() - ROWS.keys())


def line_of(region: pl.Expr, certification: pl.Expr) -> pl.Expr:
    """Return the line that says a region's certification; null for a region that is no code."""
    one_line = certification.str.replace_all("\n", " ", literal=True)
    return pl.when(region.str.len_chars() == 2).then(pl.concat_str(region, pl.lit("="), one_line))


def _certification(region: str) -> pl.Expr:
    line = rf"(?m)^{re.escape(region.upper())}=(.*)$"
    return pl.col("certifications").str.extract(line).fill_null("")


def _image(name: str, form: str, size: str) -> pl.Expr:
    return (pl.lit(f"{PREFIX}{size}" if form == "url" else "") + pl.col(name)).alias(name)
