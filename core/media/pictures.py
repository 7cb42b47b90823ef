"""What a pass over a media file collects of its picture: the wanted frames as they decoded, and all times."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.data_options import Resize
from core.media.demuxing import Window, inside
from core.media.planes import Colours, PixelFormatError, PlaneLayout, pack, rgb
from core.media.resizing import by_pillow, resized, resized_shape


@dataclass(frozen=True)
class Picture:
    """A frame as it decoded."""

    layout: PlaneLayout
    """How `data` is read."""
    data: NDArray[np.uint8]
    """Its packed planes."""


@dataclass
class PictureBuilder:
    """Collects the frames of one picture track; seconds count from the window's start."""

    wanted: frozenset[int]
    """Numbers of the frames that are kept, counted from the first one in the window."""
    first: float | None = None
    """Time of the first frame that decoded, inside the window or before it."""
    times: list[float] = field(default_factory=list)
    """Time of every frame in the window."""
    kept: dict[int, Picture] = field(default_factory=dict)
    """The wanted frames by number."""
    end: float = 0.0
    """When the last frame ends."""
    error: str = ""
    """Why a frame could not be kept."""

    def add(self, frame: av.VideoFrame, time: float, end: float, window: Window) -> None:
        """Counts a frame, shown from one second to another, if it lies in the window; keeps it if wanted."""
        self.first = time if self.first is None else self.first
        if not inside(time, window):
            return
        if len(self.times) in self.wanted:
            try:
                self.kept[len(self.times)] = Picture(*pack(frame))
            except PixelFormatError as error:
                self.error = self.error or str(error)
                return
        self.times.append(time)
        self.end = max(self.end, end if window[1] is None else min(end, window[1] - window[0]))


def pixels_of(pictures: Sequence[Picture | None], size: int, resize: Resize, colours: Colours) -> Tensor:
    """Upright frames `(F, h, w, 3)` with a short side of `size` pixels, values 0 to 255; black for None.

    uint8 under `antialiased`, else float32. A picture that changes its size on the way keeps the first one's;
    where there is none at all, the frames are square.
    """
    first = next((picture for picture in pictures if picture is not None), None)
    if first is None:
        return torch.zeros((len(pictures), size, size, 3), dtype=torch.uint8)
    shape = resized_shape(*first.layout.upright, size)
    frames: list[Tensor | None] = []
    for picture in pictures:
        whole = upright(picture, colours)
        if whole is None:
            frames.append(None)
        elif colours == "opencv" and resize == "antialiased":  # exactly as the authors' loaders do
            frames.append(by_pillow(whole, shape))
        else:
            frames.append(resized(whole[None], shape, resize)[0])
    return stacked(frames)


def upright(picture: Picture | None, colours: Colours) -> Tensor | None:
    """A frame `(h, w, 3)` uint8 in the size in which it decoded; None for None."""
    return None if picture is None else torch.from_numpy(rgb(picture.layout, picture.data, colours))


def stacked(frames: Sequence[Tensor | None]) -> Tensor:
    """Frames of one shape, at least one of them, `(F, h, w, 3)`; black for None."""
    black = torch.zeros_like(next(frame for frame in frames if frame is not None))
    return torch.stack([black if frame is None else frame for frame in frames])
