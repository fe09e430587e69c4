"""Draw a cover for every film in movies.jsonl: its initials on a gradient, title and year below.

Run it as `python data/sample/make_posters.py`; it needs Pillow and anyascii. The same film always
gets the same cover.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from anyascii import anyascii
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
POSTERS = HERE / "posters"
SIZE = (154, 231)
MARGIN = 12
GOLDEN = 0.618034
PAIRS = (
    ("#3a6ea5", "#16213e"),
    ("#c06c84", "#355c7d"),
    ("#d4735e", "#3d405b"),
    ("#2a9d8f", "#1d3557"),
    ("#8e6bbf", "#2b1b4d"),
    ("#cf7f2a", "#5e1c2a"),
    ("#5b8e7d", "#22333b"),
    ("#b23a48", "#34101a"),
    ("#4d8fa8", "#233a52"),
    ("#a26769", "#42283a"),
    ("#7a8b3d", "#263319"),
    ("#6577b8", "#4a2046"),
    ("#3f8f5f", "#14323a"),
    ("#b07a3c", "#2f2a28"),
)
SMALL_WORDS = {"the", "a", "an", "of", "and", "in", "on", "to", "at", "or", "for", "by", "s"}
WHITE = (255, 255, 255)
Colour = tuple[int, int, int]


def colours(movie_id: int) -> tuple[Colour, Colour]:
    """Top and bottom colour, from the id alone."""
    top, bottom = PAIRS[int(movie_id * GOLDEN % 1 * len(PAIRS))]
    return _rgb(top), _rgb(bottom)


def _rgb(text: str) -> Colour:
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def background(movie_id: int) -> Image.Image:
    """A vertical gradient with one large soft disc."""
    top, bottom = colours(movie_id)
    width, height = SIZE
    image = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(image)
    for y in range(height):
        draw.line((0, y, width, y), fill=_mix(top, bottom, y / (height - 1)))
    mask = Image.new("L", SIZE, 0)
    ImageDraw.Draw(mask).circle((20 + movie_id * 37 % 115, 75 + movie_id * 53 % 50), 62, fill=20)
    image.paste(WHITE, (0, 0), mask)
    return image


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def initials(title: str) -> str:
    """Up to three initials; a leading number whole; a title without letters as it stands."""
    plain: str = anyascii(title)
    pattern = r"[A-Za-z0-9]+" if " " in title or title.isascii() else r"[A-Z][a-z]*|[a-z]+|\d+"
    words: list[str] = re.findall(pattern, plain.replace("'", ""))
    words = [word for word in words if word.lower() not in SMALL_WORDS] or words
    if not words:
        return plain[:3]
    if words[0].isdigit():
        return words[0][:4]
    return "".join(word[0] for word in words[:3]).upper()


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int, most: int) -> list[str]:
    """The text in lines that fit the width, the last one cut short when it is too long."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    cut = lines[:most]
    if len(lines) > most:
        cut[-1] += "..."
    return [_shorten(line, font, width) for line in cut]


def _shorten(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    while font.getlength(line) > width:
        line = line.rstrip(".")[:-1].rstrip() + "..."
    return line


def font(size: float) -> ImageFont.FreeTypeFont:
    """Pillow's built-in font, which knows ASCII alone."""
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType: install the wheel from PyPI")
    return found


def cover(movie_id: int, title: str, year: str) -> Image.Image:
    """One finished cover."""
    image = background(movie_id)
    draw = ImageDraw.Draw(image)
    width, height = SIZE
    letters = initials(title)
    size = 76.0
    while font(size).getlength(letters) > width - 2 * MARGIN:
        size -= 2
    draw.text((width / 2, height * 0.42), letters, font=font(size), fill=WHITE, anchor="mm")
    small = font(13)
    lines = wrap(anyascii(title), small, width - 2 * MARGIN, 3)
    y = height - MARGIN - (15 if year else 0) - 16 * len(lines)
    draw.line((MARGIN, y - 7, MARGIN + 22, y - 7), fill=WHITE, width=2)
    for line in lines:
        draw.text((MARGIN, y), line, font=small, fill=WHITE)
        y += 16
    draw.text((MARGIN, y + 2), year, font=font(11), fill=_mix(colours(movie_id)[0], WHITE, 0.72))
    return image


def encodings(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """The cover as a JPEG and as a PNG with few colours."""
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=72, optimize=True, progressive=True)
    yield "jpg", jpeg.getvalue()
    png = io.BytesIO()
    few = image.quantize(88, kmeans=2, dither=Image.Dither.NONE)
    few.save(png, "PNG", optimize=True)
    yield "png", png.getvalue()


def main() -> None:
    """Write all covers, the smaller of both formats each, and remove those of films that left."""
    POSTERS.mkdir(exist_ok=True)
    written = set()
    for line in (HERE / "movies.jsonl").read_text("utf-8").splitlines():
        movie = json.loads(line)
        year = movie["release_date"][:4]
        made = encodings(cover(movie["id"], movie["title"], year))
        ending, content = min(made, key=lambda pair: len(pair[1]))
        path = POSTERS / f"{movie['id']}.{ending}"
        path.write_bytes(content)
        written.add(path)
    for path in POSTERS.iterdir():
        if path not in written:
            path.unlink()


if __name__ == "__main__":
    main()
