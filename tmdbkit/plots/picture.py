"""A chart that shows as PNG everywhere: offline, and in a notebook that nobody trusts yet."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tmdbkit.exceptions import UsageError
from tmdbkit.files import atomic_write, write_bytes

FONT = "Liberation Sans"  # comes with vl-convert, so that all machines draw the same
INK = "#797979"  # of all text: no other is read as well both on white and on JupyterLab's black
LINE = "#888888"
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
        return _packed(drawn.getvalue())

    def save(self, path: str | Path) -> Path:
        """Write it to a file that ends in .png or .svg, and return where that is.

        Raises:
            UsageError: It ends in something else.
        """
        place = Path(path).expanduser()
        match place.suffix.lower():
            case ".png":
                write_bytes(place, self.png())
            case ".svg":
                with atomic_write(place) as aside:
                    self._dressed().save(aside, format="svg")
            case _:
                raise UsageError(f"{place.name} must end in .png or .svg")
        return place

    def _dressed(self) -> Any:
        """Return it without a ground, and in an ink that is read on white and on black."""
        lines = {"gridColor": LINE, "gridOpacity": 0.25, "domainColor": LINE, "tickColor": LINE}
        inks = {"labelColor": INK, "titleColor": INK}
        return (
            self.chart.properties(background="transparent", padding=10)
            .configure(font=FONT)
            .configure_text(color=INK, fontSize=11)
            .configure_view(stroke=None)
            .configure_title(anchor="start", fontSize=15, color=INK, subtitleColor=INK, offset=12)
            .configure_axis(labelFontSize=11, titleFontSize=11, **inks, **lines)
            .configure_legend(labelFontSize=11, **inks)
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


def _packed(png: bytes) -> bytes:
    """Return the same picture in a quarter of the bytes, for vl-convert hardly compresses it.

    Of its chunks (PNG specification, section 5.3) those of pixels become one.
    """
    packed, pixels, place = bytearray(png[:8]), bytearray(), 8
    while place < len(png):
        (size,) = struct.unpack_from(">I", png, place)
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        if kind == b"IDAT":
            pixels += content
        else:
            if kind == b"IEND":
                packed += _chunk(b"IDAT", zlib.compress(zlib.decompress(pixels), 9))
            packed += _chunk(kind, content)
        place += 12 + size
    return bytes(packed)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
