"""Texts that a language lacks, taken from the next, field by field: a payload's translations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from tmdbkit.schema import INSTANT
from tmdbkit.transform.slugs import movie_slug

TEXTS = ("title", "synopsis", "tagline")
PATCHED = (*TEXTS, "slug")
_SAID_AS = {"synopsis": "overview"}  # in a payload
PATCH = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "fetched_at": INSTANT,
        **dict.fromkeys(PATCHED, pl.String()),
        "translated": pl.String(),
    }
)


def may_lack() -> pl.Expr:
    """Return whether a row may lack a text; TMDB gives the original title for one it lacks."""
    no_text = pl.any_horizontal(pl.col(name) == "" for name in TEXTS)
    return no_text | (pl.col("title") == pl.col("original_title"))


def patch(payloads: pl.DataFrame, languages: Sequence[str]) -> pl.DataFrame:
    """Return `PATCH`: the texts that some movies lack, and which language has them.

    A text is null where the first language has it itself, or none has.

    Args:
        payloads: `tmdb_id, payload, fetched_at`, with the section `translations`.
        languages: The first is that of the payloads, such as `de-DE`.
    """
    rows = []
    for tmdb_id, at, text in payloads.select("tmdb_id", "fetched_at", "payload").iter_rows():
        found = dict(_texts(json.loads(text), languages))
        if found:
            translated = ", ".join(f"{name} in {language}" for name, (_, language) in found.items())
            texts = [found[name][0] if name in found else None for name in TEXTS]
            slug = movie_slug(texts[0], "", tmdb_id) if texts[0] else None
            rows.append((tmdb_id, at, *texts, slug, translated))
    return pl.DataFrame(rows, PATCH, orient="row")


def translated(rows: pl.LazyFrame, patches: pl.DataFrame) -> pl.LazyFrame:
    """Return rows with the texts of patches, and in `translated` which those are."""
    renamed = patches.rename({name: f"{name} of another" for name in PATCHED})
    joined = rows.join(
        renamed.lazy(), on=["tmdb_id", "fetched_at"], how="left", maintain_order="left"
    )
    texts = (pl.coalesce(f"{name} of another", name).alias(name) for name in PATCHED)
    return joined.with_columns(texts).drop(f"{name} of another" for name in PATCHED)


def _texts(movie: Any, languages: Sequence[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the name of each text that is lacking, the text, and the language that has it."""
    section = movie.get("translations")
    known = section.get("translations") if isinstance(section, dict) else None
    entries = [entry for entry in known or () if isinstance(entry, dict)]
    for name in TEXTS:
        for language in languages:
            text = _text(movie, entries, name, language, is_first=language == languages[0])
            if text:
                if language != languages[0]:
                    yield name, (text, language)
                break


def _text(movie: Any, entries: list[Any], name: str, language: str, *, is_first: bool) -> str:
    """Return a text in a language; "" where TMDB has none."""
    said = _SAID_AS.get(name, name)
    if name == "title" and language.partition("-")[0] == movie.get("original_language"):
        return str(movie.get("original_title") or "")
    if name != "title" and is_first:
        return str(movie.get(said) or "")
    of_language = (data for entry in _nearest_first(entries, language) if (data := entry["data"]))
    texts = (data.get(said) for data in of_language)
    return next((text for text in texts if isinstance(text, str) and text), "")


def _nearest_first(entries: list[Any], language: str) -> list[Any]:
    """Return the translations into a language, those of its country first."""
    code, _, country = language.partition("-")
    same = [e for e in entries if e.get("iso_639_1") == code and isinstance(e.get("data"), dict)]
    return sorted(same, key=lambda entry: entry.get("iso_3166_1") != country)
