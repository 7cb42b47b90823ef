"""Frames as a codec gives them, packed into bytes; and from those to upright RGB.

What is kept is neither resized nor converted, so that every resize and both conversions of colour can be made
of it: YUV 4:2:0 takes 1.5 bytes a pixel, RGB three. RGB in all its forms, palettes and formats of odd bits
are kept as RGB of 8 bits, for which neither flags nor readers matter.
"""

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from core.media.upright import TRANSPOSED, orientation_of, turned, upright_picture

Colours = Literal["flagged", "opencv"]
"""From YUV to RGB: by the matrix and range that the file states, or as OpenCV does it, which sets no colour
details: BT.601 for every file, limited range unless the pixel format itself is full range (`yuvj...`)."""

_own = threading.local()
"""A converter per thread: setting one up costs more than a small frame."""


class PixelFormatError(ValueError):
    """A pixel format that nothing converts."""


@dataclass(frozen=True)
class PlaneLayout:
    """How the bytes of a frame are read."""

    format: str
    """FFmpeg's name of the pixel format."""
    width: int
    """Pixels, before the frame is turned upright."""
    height: int
    """Pixels, before the frame is turned upright."""
    space: int
    """Colour matrix that the file states, FFmpeg's number."""
    range: int
    """Range that the file states, FFmpeg's number."""
    orientation: int
    """How the frame is turned and mirrored to be shown (see `core.media.upright`)."""
    rotation: int
    """Degrees by which the frame is to be turned anticlockwise."""

    @cached_property
    def size(self) -> int:
        """Bytes of a packed frame."""
        return sum(view.size for view in _plane_views(av.VideoFrame(self.width, self.height, self.format)))

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width of the upright picture."""
        turned = self.orientation & TRANSPOSED
        return (self.width, self.height) if turned else (self.height, self.width)


def pack(frame: av.VideoFrame) -> tuple[PlaneLayout, NDArray[np.uint8]]:
    """The layout and the bytes of a frame, its planes one after the other without padding.

    Raises `PixelFormatError` for a format that nothing converts.
    """
    plain = _kept(frame)
    layout = PlaneLayout(
        plain.format.name,
        plain.width,
        plain.height,
        int(plain.colorspace),
        int(plain.color_range),
        orientation_of(frame),
        int(frame.rotation),
    )
    views = _plane_views(plain)
    return layout, np.concatenate([np.ascontiguousarray(view).reshape(-1) for view in views])


def unpack(layout: PlaneLayout, data: NDArray[np.uint8]) -> av.VideoFrame:
    """The frame that was packed; its rotation stays in the layout."""
    frame = av.VideoFrame(layout.width, layout.height, layout.format)
    frame.colorspace, frame.color_range = layout.space, layout.range
    first = 0
    for view in _plane_views(frame):
        view[:] = data[first : first + view.size].reshape(view.shape)
        first += view.size
    return frame


def rgb(layout: PlaneLayout, data: NDArray[np.uint8], colours: Colours) -> NDArray[np.uint8]:
    """A packed frame as upright RGB `(h, w, 3)`."""
    image = _reformat(unpack(layout, data), colours)
    orientation = turned(layout.rotation) if colours == "opencv" else layout.orientation
    return np.ascontiguousarray(upright_picture(image.to_ndarray(), orientation))


def _reformat(frame: av.VideoFrame, colours: Colours) -> av.VideoFrame:
    converter = _converter()
    if colours == "flagged":
        return converter.reformat(frame, format="rgb24", threads=1)
    full = frame.format.name.startswith("yuvj")
    return converter.reformat(
        frame,
        format="rgb24",
        src_colorspace=Colorspace.ITU601,
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )


def _kept(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame itself, or as RGB where the bytes of its format are not kept."""
    kind = frame.format
    whole = all(part.bits >= 8 for part in kind.components)
    # Formats in one plane may hold bytes that belong to no component.
    filled = len(frame.planes) > 1 or _row_bytes(frame)[0] * 8 == frame.width * kind.padded_bits_per_pixel
    if kind.name == "rgb24" or (whole and filled and not kind.is_rgb and not kind.has_palette):
        return frame
    try:
        return _converter().reformat(frame, format="rgb24", threads=1)
    except (FFmpegError, ValueError) as error:
        raise PixelFormatError(f"pixels of format {kind.name}: {error}") from error


def _row_bytes(frame: av.VideoFrame) -> list[int]:
    """Bytes of a row of each plane: its components side by side, whole bytes each."""
    parts = frame.format.components
    return [
        sum(part.width * ((part.bits + 7) // 8) for part in parts if part.plane == number)
        for number in range(len(frame.planes))
    ]


def _plane_views(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Writable views `(rows, bytes)` of the planes of a frame without what lies behind each row."""
    views = []
    for plane, size in zip(frame.planes, _row_bytes(frame), strict=True):
        rows: NDArray[np.uint8] = np.asarray(memoryview(plane)).view(np.uint8).reshape(-1, plane.line_size)
        views.append(rows[: plane.height, :size])
    return views


def _converter() -> VideoReformatter:
    if not hasattr(_own, "converter"):
        _own.converter = VideoReformatter()
    converter: VideoReformatter = _own.converter
    return converter
