"""From decoded frames to the squares that the image tower takes: centre crop, and X-Pool's random one.

All frames of a clip get the same window. It is cut out of the frames as they decoded and then resized
bilinearly, as torchvision's transform does: on floats without antialiasing where the method's resize is
`tensor`, as in the released X-Pool, and with it elsewhere, as in GAID.
"""

import math

import numpy as np
from torch import Tensor

from core.data_options import Resize

AREA = (0.5, 1.0)
"""Share of the picture that a random window covers (X-Pool's released transforms)."""
RATIO = (3 / 4, 4 / 3)
"""Width by height of a random window, torchvision's default."""
ATTEMPTS = 10
"""Windows that are drawn before the largest central one of a fitting ratio is taken, as in torchvision."""

CropWindow = tuple[int, int, int, int]
"""Top, left, height and width in pixels."""


def centre_crop(frames: Tensor, size: int) -> Tensor:
    """The central `(F, size, size, 3)` of frames `(F, h, w, 3)`, an odd margin cut by torchvision's rounding.

    Raises `ValueError` for frames smaller than the crop.
    """
    height, width = frames.shape[1:3]
    if min(height, width) < size:
        raise ValueError(f"frames of {height} x {width} pixels are smaller than the backbone's {size}")
    top, left = round((height - size) / 2), round((width - size) / 2)
    return frames[:, top : top + size, left : left + size]


def random_window(height: int, width: int, random: np.random.Generator) -> CropWindow:
    """A window whose area is uniform in `AREA` and whose ratio is log-uniform in `RATIO`."""
    for _ in range(ATTEMPTS):
        area = height * width * random.uniform(*AREA)
        ratio = math.exp(random.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < h <= height and 0 < w <= width:
            return int(random.integers(height - h + 1)), int(random.integers(width - w + 1)), h, w
    h, w = min(height, round(width / RATIO[0])), min(width, round(height * RATIO[1]))
    return (height - h) // 2, (width - w) // 2, h, w


def random_resized_crop(frames: Tensor, size: int, random: np.random.Generator, resize: Resize) -> Tensor:
    """A random window of frames `(F, h, w, 3)` as `(F, size, size, 3)`, mirrored every second time.

    uint8 under `antialiased`, else float32; values 0 to 255.
    """
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2 import functional as transforms

    top, left, height, width = random_window(frames.shape[1], frames.shape[2], random)
    mirrored = random.random() < 0.5
    window = frames[:, top : top + height, left : left + width].permute(0, 3, 1, 2)
    if resize != "antialiased":
        window = window.float()
    square: Tensor = transforms.resize(
        window, [size, size], InterpolationMode.BILINEAR, antialias=resize != "tensor"
    )
    return (square.flip(-1) if mirrored else square).permute(0, 2, 3, 1).contiguous()


def clip_random(seed: int, epoch: int, key: int) -> np.random.Generator:
    """The random numbers of one clip in one epoch, by its stable key."""
    return np.random.default_rng((seed, epoch, key))
