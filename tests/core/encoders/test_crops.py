"""Crops: the centre as torchvision cuts it, and random windows with torchvision's law, one per clip."""

from typing import get_args

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import center_crop, horizontal_flip, resized_crop

from core.data_options import Resize
from core.encoders.crops import centre_crop, clip_random, random_resized_crop, random_window

RESIZES = get_args(Resize)


def picture(height: int, width: int, frames: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (frames, height, width, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 99), (101, 64), (65, 70)])
def test_the_centre_is_torchvisions(height: int, width: int) -> None:
    frames = picture(height, width)
    expected = center_crop(frames.permute(0, 3, 1, 2), [64, 64]).permute(0, 2, 3, 1)
    assert torch.equal(centre_crop(frames, 64), expected)


@pytest.mark.parametrize(("height", "width"), [(224, 298), (398, 224), (224, 224), (224, 1000)])
def test_windows_follow_torchvisions_law(height: int, width: int) -> None:
    random = np.random.default_rng(0)
    windows = np.array([random_window(height, width, random) for _ in range(4000)])
    torch.manual_seed(0)
    empty = torch.empty(1, height, width)
    expected = np.array(
        [RandomResizedCrop.get_params(empty, [0.5, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
    )
    top, left, high, wide = windows.T
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + high <= height).all() and (left + wide <= width).all()
    for own, theirs in zip(windows.T, expected.T, strict=True):
        spread = (theirs.std() + 1) / np.sqrt(4000)
        assert abs(own.mean() - theirs.mean()) < 5 * spread
        assert own.std() == pytest.approx(theirs.std(), rel=0.1, abs=0.5)


def test_all_frames_of_a_clip_get_the_same_window() -> None:
    still = picture(80, 100, frames=1).expand(3, -1, -1, -1)
    crop = random_resized_crop(still, 64, np.random.default_rng(3), "antialiased")
    assert crop.shape == (3, 64, 64, 3)
    assert crop.dtype == torch.uint8
    assert torch.equal(crop[0], crop[1]) and torch.equal(crop[0], crop[2])


@pytest.mark.parametrize("resize", RESIZES)
def test_a_crop_is_torchvisions_of_the_same_window(resize: Resize) -> None:
    """X-Pool's transform with torchvision 0.16 and before (no antialiasing on tensors), GAID's with it."""
    frames = picture(150, 200)
    for seed in range(4):
        random = np.random.default_rng(seed)
        window, mirrored = random_window(150, 200, random), random.random() < 0.5
        planes = frames.permute(0, 3, 1, 2)
        floats = planes if resize == "antialiased" else planes / 255
        expected = resized_crop(
            floats, *window, [64, 64], InterpolationMode.BILINEAR, antialias=resize != "tensor"
        )
        expected = horizontal_flip(expected) if mirrored else expected
        found = random_resized_crop(frames, 64, np.random.default_rng(seed), resize)
        scale = 1 if resize == "antialiased" else 255
        torch.testing.assert_close(found, scale * expected.permute(0, 2, 3, 1), atol=1e-3, rtol=0)


def test_every_second_crop_is_mirrored() -> None:
    ramp = torch.arange(100, dtype=torch.uint8).view(1, 1, 100, 1).expand(1, 80, 100, 3)
    crops = [
        random_resized_crop(ramp, 64, np.random.default_rng(seed), "antialiased")[0, 0, :, 0]
        for seed in range(400)
    ]
    rising = [bool(row[-1] > row[0]) for row in crops]
    assert np.mean(rising) == pytest.approx(0.5, abs=0.1)


def test_a_clip_has_its_own_crop_in_every_epoch() -> None:
    draws = {
        (seed, epoch, key): clip_random(seed, epoch, key).random()
        for seed in (0, 1)
        for epoch in (0, 1)
        for key in (5, 2**62)
    }
    assert len(set(draws.values())) == len(draws)
    assert clip_random(1, 0, 5).random() == draws[(1, 0, 5)]


def test_frames_smaller_than_the_crop_are_refused() -> None:
    with pytest.raises(ValueError, match="48 x 64 pixels are smaller"):
        centre_crop(picture(48, 64), 64)
