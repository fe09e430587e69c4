"""The options of a push: what it may touch, how many movies go, whose names, in which form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from tmdbkit.convex.merge import ALL, Scope
from tmdbkit.exceptions import UsageError
from tmdbkit.images import FORMS, ImageForm
from tmdbkit.settings import Settings

PEOPLE = ("named", "all", "none")


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
