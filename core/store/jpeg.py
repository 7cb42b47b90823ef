"""Frames kept as JPEG files (`data.frames_as=jpeg`): about a fifth of the space, and not quite the pixels.

A frame becomes upright RGB as the store's reader converts it, Pillow encodes it at `JPEG_QUALITY`, and every
resize is made of what that file decodes to. What is lost is measured when it is written, and kept.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

JPEG_QUALITY = 95
"""Of the files, on Pillow's scale; chroma has half the picture's width and height, as in most videos."""


@dataclass(frozen=True)
class JpegFrames:
    """The frames of a clip as JPEG files."""

    data: NDArray[np.uint8]
    """The files end to end."""
    sizes: tuple[int, ...]
    """`(F,)` bytes of each file; 0 for a slot without a frame, which has no file."""
    error: float
    """Mean squared difference from the frames, of values from 0 to 255; NaN where there is no frame."""


def as_jpeg(frames: Sequence[NDArray[np.uint8] | NDArray[np.float32] | None]) -> JpegFrames:
    """Frames `(F, h, w, 3)` with values 0 to 255, in whatever type, as JPEG files; None for an empty slot."""
    files, errors = [], []
    for frame in frames:
        file = b""
        if frame is not None:
            file = jpeg_file(np.asarray(frame).round().clip(0, 255).astype(np.uint8))
            errors.append(float(np.square(decoded_jpeg(file) - frame.astype(np.float64)).mean()))
        files.append(file)
    data = np.frombuffer(b"".join(files), np.uint8)
    return JpegFrames(data, tuple(map(len, files)), float(np.mean(errors)) if errors else math.nan)


def decoded_frames(data: NDArray[np.uint8], sizes: Sequence[int]) -> list[NDArray[np.uint8] | None]:
    """What the files of a clip, stored end to end, decode to, `(h, w, 3)` each; None for an empty slot."""
    ends = np.cumsum(sizes)
    return [
        decoded_jpeg(data[end - size : end].tobytes()) if size else None
        for end, size in zip(ends.tolist(), sizes, strict=True)
    ]


def jpeg_file(frame: NDArray[np.uint8]) -> bytes:
    """A frame `(h, w, 3)` as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "jpeg", quality=JPEG_QUALITY)
    return file.getvalue()


def decoded_jpeg(file: bytes) -> NDArray[np.uint8]:
    """The frame `(h, w, 3)` of a JPEG file."""
    return np.array(Image.open(io.BytesIO(file), formats=["JPEG"]))


def psnr(error: float) -> float:
    """Decibels of a mean squared difference of values from 0 to 255; infinite where there is none.

    >>> psnr(255.0**2), round(psnr(1.0), 2), psnr(0.0)
    (0.0, 48.13, inf)
    """
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def jpeg_in_words(errors: NDArray[np.float64]) -> str:
    """What clips with these errors `(V,)`, NaN where nothing decoded, have lost, for a protocol."""
    known = errors[~np.isnan(errors)]
    if not len(known):
        return f"JPEG at quality {JPEG_QUALITY}"
    whole, worst = psnr(float(known.mean())), psnr(float(known.max()))
    return f"JPEG at quality {JPEG_QUALITY}, PSNR {whole:.2f} dB, of the worst clip {worst:.2f} dB"
