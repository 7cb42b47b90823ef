"""How a decoded frame is turned and mirrored to be shown, from its display matrix.

The matrix maps a point (x, y) of the decoded frame to (a x + c y, b x + d y) of the shown one. Cameras write
quarter turns and mirrored ones, so a frame is transposed or not, then its rows or columns are reversed.
"""

import struct
from typing import TypeVar

import av
import numpy as np
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)

UPRIGHT = 0
"""The orientation of a frame that is shown as it is."""
TRANSPOSED, ROWS, COLUMNS = 1, 2, 4
"""Parts of an orientation: exchange rows and columns, then reverse the rows, or the columns."""
TURNS = (UPRIGHT, TRANSPOSED | ROWS, ROWS | COLUMNS, TRANSPOSED | COLUMNS)
"""Orientations of 0 to 3 quarter turns anticlockwise."""


def orientation_of(frame: av.VideoFrame) -> int:
    """The orientation that a frame's display matrix asks for, 0 to 7."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    numbers: tuple[int, ...] = struct.unpack("=9i", bytes(matrix))
    a, b, _, c, d = numbers[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return ROWS * (d < 0) | COLUMNS * (a < 0)
    return TRANSPOSED | ROWS * (b < 0) | COLUMNS * (c < 0)


def turned(degrees: float) -> int:
    """The orientation of the nearest number of quarter turns anticlockwise."""
    return TURNS[round(degrees / 90) % 4]


def upright_picture(picture: NDArray[Pixel], orientation: int) -> NDArray[Pixel]:
    """A picture `(h, w, ...)` as it is to be seen."""
    found = picture.swapaxes(0, 1) if orientation & TRANSPOSED else picture
    found = found[::-1] if orientation & ROWS else found
    return found[:, ::-1] if orientation & COLUMNS else found
