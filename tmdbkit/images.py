"""Image paths and their addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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
    """

    form: str = "url"
    poster_size: str = "w500"
    backdrop_size: str = "w1280"

    def render(self, field: str, value: str) -> str:
        """Return the value of a document's image field in this form."""
        path = image_path(value)
        if self.form == "path" or not path.startswith("/"):
            return path
        return image_url(path, self.poster_size if field == "main_poster" else self.backdrop_size)

    def like(self, value: object) -> ImageForm:
        """Return this form, or where a document has a value already, the form of that."""
        if not (isinstance(value, str) and value):
            return self
        return replace(self, form="path" if value.startswith("/") else "url")
