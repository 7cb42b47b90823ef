"""The figures of the report as the page embeds them."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from reports.figures.write import FIGURE_CAPTIONS
from reports.page.clips import data_url

GATE_FIGURES = ("gates", "calibration")
"""Figures that stand beside the page's own gates."""


def page_figures(drawn: Iterable[Path]) -> list[dict[str, Any]]:
    """Name, caption, size in pixels and data URL of each figure, from its PNG."""
    found = []
    for path in drawn:
        with Image.open(path, formats=["PNG"]) as picture:
            pixels = picture.convert("RGB")
        found.append(
            {
                "name": path.stem,
                "caption": FIGURE_CAPTIONS[path.stem],
                "width": pixels.width,
                "height": pixels.height,
                "source": data_url("image/webp", smallest_webp(pixels)),
            }
        )
    return found


def smallest_webp(pixels: Image.Image) -> bytes:
    """A picture as WebP: every pixel kept, unless what is photographed in it makes that twice as large."""
    exact, close = io.BytesIO(), io.BytesIO()
    pixels.save(exact, "webp", lossless=True)
    pixels.save(close, "webp", quality=80)
    return (close if 2 * close.tell() < exact.tell() else exact).getvalue()
