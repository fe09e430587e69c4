"""A chart that shows as PNG everywhere: offline, and in a notebook that nobody trusts yet."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tmdbkit.exceptions import UsageError

FONT = "Liberation Sans"  # comes with vl-convert, so that all machines draw the same
SHARP = 2  # pixels of the picture to one on the screen


@dataclass(frozen=True)
class Picture:
    """A chart that shows as PNG, whatever renderer and theme altair has been set to.

    Attributes:
        chart: The chart, for those who want to go on with altair.
        caption: What it shows, in words.
    """

    chart: Any
    caption: str

    def png(self) -> bytes:
        """Return it as PNG, the same bytes for the same chart."""
        drawn = BytesIO()
        self._dressed().save(drawn, format="png", scale_factor=SHARP)
        return drawn.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write it to a file that ends in .png or .svg, and return where that is.

        Raises:
            UsageError: It ends in something else.
        """
        place = Path(path).expanduser()
        match place.suffix.lower():
            case ".png":
                place.write_bytes(self.png())
            case ".svg":
                self._dressed().save(place, format="svg")
            case _:
                raise UsageError(f"{place.name} must end in .png or .svg")
        return place

    def _dressed(self) -> Any:
        """Return it on paper and in a font of its own, to be read on white and on black."""
        return (
            self.chart.properties(background="white", padding=10)
            .configure(font=FONT)
            .configure_view(stroke=None)
            .configure_title(anchor="start", fontSize=15, subtitleColor="#666666", offset=12)
            .configure_axis(gridColor="#e6e6e6", domainColor="#999999", tickColor="#999999")
        )

    def __repr__(self) -> str:
        return f"Picture: {self.caption}"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, object], dict[str, object]]:
        png = self.png()
        width, height = struct.unpack(">II", png[16:24])  # from the header that begins a PNG
        size = {"width": width // SHARP, "height": height // SHARP}
        return {"image/png": png, "text/plain": repr(self)}, {"image/png": size}


def altair() -> Any:
    """Return altair, which is imported by the first picture only.

    Raises:
        UsageError: It is not installed, or what it draws PNG with is not.
    """
    try:
        import altair
        import vl_convert  # noqa: F401
    except ImportError:
        raise UsageError(
            'pictures need altair and vl-convert-python: pip install "tmdbkit[plots]"'
        ) from None
    return altair
