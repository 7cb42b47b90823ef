"""Every n-th frame, by the rounded rate and in the order in which frames are shown."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from core.media.media import decode_frames
from tests.core.media_files import grey_ramp, greys, write_media

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("name", ["ref.mp4", "vfr_screen.mkv", "drop.avi", "u8.avi", "q_hflip.mp4"])
def test_every_nth_counts_the_frames_as_they_are_shown_whatever_their_times(name):
    with av.open(CASES / name) as container:
        step = max(1, round(float(container.streams.video[0].average_rate)))
        start = float(container.start_time or 0) / av.time_base
        shown = sorted(frame.time - start for frame in container.decode(video=0))
    expected = shown[::step]
    found = decode_frames(CASES / name, sampling="every-nth", frames=100, size=32)
    assert found.mask.sum() == len(expected)
    np.testing.assert_allclose(found.times[: len(expected)], expected, atol=1e-3)
    assert not found.times[len(expected) :].any()


@pytest.mark.parametrize(
    ("sampling", "expected"), [("every-nth", [0, 15, 30, -1]), ("one-per-second", [0, 14, 28, -1])]
)
def test_rates_are_rounded_by_every_nth_and_cut_by_one_per_second(tmp_path, sampling, expected):
    path = write_media(tmp_path / "a.mkv", grey_ramp(31), fps=Fraction(146, 10))
    found = decode_frames(path, sampling=sampling, frames=4, size=32)
    shown = [grey if real else -1 for grey, real in zip(greys(found), found.mask, strict=True)]
    assert shown == expected
