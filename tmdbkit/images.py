"""Image paths and their addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

FORMS = ("url", "path")
PREFIX = "https://image.tmdb.org/t/p/"
_ADDRESS = re.compile(r"https?://image\.tmdb\.org/t/p/[^/]+(/[^/]+)$")


def image_url(path: str, size: str) -> str:
    """Return the address of an image: TMDB's prefix, a size and the payload's path."""
    return f"{PREFIX}{size}{path}"


def image_path(value: str) -> str:
    """Return the path of an image that is given as an address or as a path already."""
    match = _ADDRESS.match(value)
    return match.group(1) if match else value


@dataclass(frozen=True)
class ImageForm:
    """How documents hold their images.

    Attributes:
        form: `url`, the full address, or `path`, for apps that put the prefix in front themselves.
        poster_size: TMDB's name of a poster's size, for addresses.
        backdrop_size: TMDB's name of a backdrop's size, for addresses.
        converts: Whether documents that hold them in the other form get this one, too.
    """

    form: str = "url"
    poster_size: str = "w500"
    backdrop_size: str = "w1280"
    converts: bool = False

    @property
    def other(self) -> str:
        """The other form."""
        return "url" if self.form == "path" else "path"

    def render(self, field: str, value: str) -> str:
        """Return the value of a document's image field in this form."""
        path = image_path(value)
        if self.form == "path" or not path.startswith("/"):
            return path
        return image_url(path, self.poster_size if field == "main_poster" else self.backdrop_size)

    def over(self, field: str, value: str, old: object) -> str:
        """Return what a document gets that holds `old`: that, where it is this image in a fit form.

        Any form fits, and another image takes that of the old one, unless this one converts.
        """
        form = self.like(old)
        if isinstance(old, str) and image_path(old) == image_path(value) and form.fits(old):
            return old
        return form.render(field, value)

    def fits(self, value: str) -> bool:
        """Tell whether a value is in this form, or is no image of TMDB's, which has none."""
        return form_of(value) == self.form or not image_path(value).startswith("/")

    def like(self, value: object) -> ImageForm:
        """Return this form, or where a document has a value already, the form of that."""
        form = form_of(value)
        return self if form is None or self.converts else replace(self, form=form)


def form_of(value: object) -> str | None:
    """Return the form in which a document holds an image; None where it holds none."""
    if not (isinstance(value, str) and value):
        return None
    return "path" if value.startswith("/") else "url"
