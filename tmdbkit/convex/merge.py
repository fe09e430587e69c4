"""The merge of a row into a document, field by field, and what a person lets it touch; pure.

Rules of ownership (design, section 7): what the app owns is set on creation only; ratings merge
system by system; what is missing here replaces nothing there; an image keeps the form it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from tmdbkit.convex.target import Document
from tmdbkit.exceptions import UsageError
from tmdbkit.images import FORMS, ImageForm
from tmdbkit.schema import (
    CREATED_ONLY,
    IMAGES,
    MOVIE,
    NULLABLE,
    OPTIONAL,
    RATINGS,
    STAMPS,
    ZERO_IS_UNKNOWN,
)
from tmdbkit.settings import Settings

OURS = frozenset(MOVIE.names()) - CREATED_ONLY - STAMPS - {"tmdb_id"}
NAMES = ("ratings", *sorted(OURS - RATINGS))  # as a person gives them
PEOPLE = ("named", "all", "none")


@dataclass(frozen=True)
class Scope:
    """Which fields a push may touch.

    Attributes:
        only: Compare and send these alone, for movies that the target has; None is all.
        create_only: Set these on creation only.
        clear: Erase these there where they are missing here.
        own: The user's own fields among them.
    """

    only: frozenset[str] | None = None
    create_only: frozenset[str] = frozenset()
    clear: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        *,
        only: Iterable[str] | None = None,
        create_only: Iterable[str] = (),
        clear: Iterable[str] = (),
        own: Iterable[str] = (),
    ) -> Scope:
        """Take names as a person gives them; `ratings` stands for the two vote objects.

        Args:
            only: What alone is compared and sent.
            create_only: What is set on creation only.
            clear: What is erased there where it is missing here.
            own: The names of the user's own fields.

        Raises:
            UsageError: A name that is no field, or one that the app owns.
        """
        known = OURS.union(own)
        chosen = None if only is None else _fields("only", only, known)
        kept = _fields("create-only", create_only, known)
        erased = _fields("clear", clear, known)
        return cls(chosen, kept, erased, (kept | erased | (chosen or frozenset())) - OURS)

    def names(self) -> dict[str, list[str] | None]:
        """Return the names in order, as a saved plan has them."""
        only = None if self.only is None else sorted(self.only)
        names = {"only": only, "keep": sorted(self.create_only), "clear": sorted(self.clear)}
        return {**names, **({"own": sorted(self.own)} if self.own else {})}

    def touches(self, name: str) -> bool:
        """Tell whether a document that is there may get another value of this field."""
        is_meant = self.only is None or name in self.only
        is_known = name in OURS or name not in MOVIE  # which then is one of the user's own
        return is_known and name not in self.create_only and is_meant


ALL = Scope()


def _fields(option: str, names: Iterable[str], there: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in [names] if isinstance(names, str) else names:
        if name == "ratings":
            found |= RATINGS
        elif name in there:
            found.add(name)
        elif name in MOVIE:
            raise UsageError(f"--{option} {name}: that field is set on creation only, and stays")
        else:
            known = ", ".join(sorted(there - RATINGS))
            raise UsageError(f"--{option} {name}: no such field; there are ratings, {known}")
    return frozenset(found)


@dataclass
class MergeResult:
    """What a row would do to a document: its fields are those of `changes.Change`."""

    set: Document = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether anything would change."""
        return bool(self.set or self.unset)


def merge(row: Document, there: Document, images: ImageForm, scope: Scope) -> MergeResult:
    """Compare a row with the document that the target has."""
    merged = MergeResult()
    for name, value in row.items():
        if not scope.touches(name):
            continue
        old = there.get(name)
        if not is_missing(name, value):
            _set(merged, name, value, old, images)
        elif name in IMAGES and name not in scope.clear and _is_to_convert(old, images):
            _set(merged, name, old, old, images)
        elif not is_missing(name, old):
            _keep_or_erase(merged, name, scope)
    merged.kept.sort()
    return merged


def _set(merged: MergeResult, name: str, value: Any, old: Any, images: ImageForm) -> None:
    new = images.over(name, value, old) if name in IMAGES else joined(name, value, old)
    if new != old:
        merged.set[name] = new


def _is_to_convert(old: Any, images: ImageForm) -> bool:
    """Tell whether an image that TMDB has no longer gets another form."""
    return images.converts and isinstance(old, str) and old != "" and not images.fits(old)


def _keep_or_erase(merged: MergeResult, name: str, scope: Scope) -> None:
    if name not in scope.clear:
        merged.kept.append(name)
        return
    merged.erased.append(name)
    if name in OPTIONAL or name not in MOVIE:
        merged.unset.append(name)
    else:
        merged.set[name] = None if name in NULLABLE else _nothing(name)


def _nothing(name: str) -> Any:
    """Return what a document holds where nobody knows."""
    kind = str(MOVIE[name])
    return "" if kind == "String" else [] if kind.startswith("List") else 0


def is_missing(name: str, value: Any) -> bool:
    """Tell whether a value says that nobody knows; it then replaces nothing."""
    if name in RATINGS and isinstance(value, dict):
        return all(part is None for part in value.values())
    return value in (None, "", []) or (name in ZERO_IS_UNKNOWN and value == 0)


def joined(name: str, ours: Any, theirs: Any) -> Any:
    """Return what a field becomes: ratings join by system, a collection's pictures by part."""
    if name in RATINGS and isinstance(theirs, dict):
        return {**theirs, **{key: value for key, value in ours.items() if value is not None}}
    if name == "belong_to_collection" and _has_id(theirs, ours["id"]):
        return {**theirs, **{key: value for key, value in ours.items() if value}}
    return ours


def _has_id(theirs: Any, own: Any) -> bool:
    return isinstance(theirs, dict) and theirs.get("id") == own


@dataclass(frozen=True)
class PushOptions:
    """What travels with a push from its verb to its target.

    Attributes:
        scope: Which fields may be touched.
        limit: How many movies are planned to go at most.
        people: `named`, `all` or `none`; None is `all` where movies there have a crew.
        images: The form of images.
        own: The types of the user's own fields.
    """

    scope: Scope = ALL
    limit: int | None = None
    people: str | None = None
    images: ImageForm = field(default_factory=ImageForm)
    own: Mapping[str, pl.DataType] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        scope: Scope = ALL,
        limit: int | None = None,
        people: str | None = None,
        images: str | ImageForm | None = None,
        own: Mapping[str, pl.DataType] | None = None,
    ) -> PushOptions:
        """Take what a person chose; the form of images that is not chosen is that of the settings.

        Raises:
            UsageError: No such choice of people, or no such form of images.
        """
        if people not in (None, *PEOPLE):
            raise UsageError(f"people is {people!r}; it must be one of {', '.join(PEOPLE)}")
        if not isinstance(images, ImageForm):
            images = _image_form(settings, images)
        return cls(scope, limit, people, images, own or {})


def _image_form(settings: Settings, wanted: str | None) -> ImageForm:
    """Return the form of images that settings say, or the one that all are to get."""
    if wanted not in (None, *FORMS):
        raise UsageError(f"images is {wanted!r}; it must be one of {', '.join(FORMS)}")
    return ImageForm(
        wanted or settings.images,
        settings.poster_size,
        settings.backdrop_size,
        converts=wanted is not None,
    )
