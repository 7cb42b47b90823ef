"""How a method's frames come to the image tower's size: three kinds, of which released loaders use two each.

    antialiased          Pillow's bicubic on 8 bits: CLIP4Clip, AVIGATE and their family
    tensor               bicubic on floats without antialiasing: X-Pool and T-MASS (torchvision up to 0.16)
    tensor-antialiased   the same with it: GAID (and the two others from torchvision 0.17 on)

The short side comes to `size`, the long one to `size * long / short`, truncated. Floats are neither rounded
nor clamped. Without antialiasing torch's cubic has a = -0.75, with it -0.5, as Pillow's. Of bytes torch's own
kernel is within .009 of 255 of Pillow's on average and several times as fast: ours takes it, and what is read
as OpenCV reads it takes Pillow.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.data_options import Resize


def resized_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width when the shorter of them is `size` pixels."""
    short = min(height, width)
    return height * size // short, width * size // short


def resized(frames: Tensor, shape: tuple[int, int], resize: Resize) -> Tensor:
    """Frames `(F, h, w, 3)` uint8 at another shape, values 0 to 255; float32 unless `antialiased`."""
    if resize == "antialiased":
        if shape == tuple(frames.shape[1:3]):
            return frames
        planes = frames.permute(0, 3, 1, 2)
        # one frame at a time: torch's kernel for bytes is fast for three channels
        small = [bicubic(plane[None].contiguous(), shape, antialias=True) for plane in planes]
        return torch.cat(small).permute(0, 2, 3, 1).contiguous()
    floats = frames.permute(0, 3, 1, 2).float() / 255  # the authors' order: to 0..1 first
    found = bicubic(floats, shape, antialias=resize == "tensor-antialiased") * 255
    return found.permute(0, 2, 3, 1).contiguous()


def by_pillow(frame: Tensor, shape: tuple[int, int]) -> Tensor:
    """A frame `(h, w, 3)` uint8 at another shape."""
    image = Image.fromarray(frame.numpy()).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image))


def bicubic(planes: Tensor, shape: tuple[int, int], *, antialias: bool) -> Tensor:
    """`(F, 3, h, w)` at another shape, corners not aligned."""
    found: Tensor = torch.nn.functional.interpolate(
        planes, size=shape, mode="bicubic", align_corners=False, antialias=antialias
    )
    return found
