"""Files that users meet: what is seen and heard in them, second by second.

The pattern in most of them lasts 8 s at 10 frames per second: a colour each second (red, green, blue, white,
yellow, cyan, magenta, black) and a beep of 1 kHz in seconds 1 to 2 and 5 to 6. Made with FFmpeg or by hand
after public bug reports.
"""

from pathlib import Path

import numpy as np
import pytest

from core.media.describing import describe
from core.media.hearing import heard
from core.media.listening import listen
from core.media.media import MediaError, decode_clip

CASES = Path(__file__).parent / "cases"
COLOURS = {
    "R": (254, 0, 0),
    "G": (0, 255, 0),
    "B": (0, 0, 254),
    "W": (255, 255, 255),
    "Y": (254, 255, 0),
    "C": (0, 255, 255),
    "M": (255, 0, 255),
    "K": (0, 0, 0),
}
ALL = "RGBWYCMK"


def colour(pixels) -> str:
    """The nearest colour of the pattern."""
    mean = pixels.reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: np.square(mean - COLOURS[name]).sum())


def colours(clip) -> str:
    """The colour of the middle of each real frame."""
    height, width = clip.frames.pixels.shape[1:3]
    middles = clip.frames.pixels[clip.frames.mask, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    return "".join(map(colour, middles))


def beeps(waveform) -> list[float]:
    """When sound begins and ends, in seconds, to a twentieth."""
    steps = waveform[: waveform.size // 800 * 800].reshape(-1, 800)
    loud = np.sqrt(np.square(steps).mean(axis=1)) > 0.02
    return (np.flatnonzero(np.diff(np.pad(loud.astype(int), 1))) / 20).tolist()


def decoded(name: str, sampling="segment-centres", sound="own track"):
    return decode_clip(CASES / name, sampling=sampling, frames=8, size=48, sound=sound)


def sound_of(clip) -> list[float]:
    return beeps(heard(clip.sound, clip.frames.duration))


@pytest.mark.parametrize(
    ("name", "sampling", "seen", "duration", "times"),
    [
        ("ref.mp4", "segment-centres", ALL, 8.0, [1, 2, 5, 6]),
        ("ref.mp4", "one-per-second", ALL, 8.0, [1, 2, 5, 6]),
        ("late.mp4", "segment-centres", ALL, 8.0, [3, 4, 7, 8]),
        ("cat.ts", "segment-centres", ALL, 8.0, [1, 2, 5, 6]),
        ("still_after_1s.mkv", "segment-centres", "R" * 8, 8.0, [1, 2, 5, 6]),
        ("still_after_1s.mp4", "one-per-second", "R" * 8, 8.0, [1, 2, 5, 6]),
        ("slideshow2.mkv", "segment-centres", "B" * 8, 8.0, [1, 2, 5, 6]),
        ("drop.avi", "one-per-second", ALL, 8.0, [1, 2, 5, 6]),
        ("u8.avi", "one-per-second", ALL, 8.0, [1, 2, 5, 6]),
        ("vfr_screen.mkv", "one-per-second", ALL, 8.0, [1, 2, 5, 6]),
        ("vfr_screen.mkv", "segment-centres", ALL, 8.0, [1, 2, 5, 6]),
        ("antiphase_part.mkv", "segment-centres", ALL, 8.0, [1, 2, 5, 6]),
        ("s71aac.mkv", "segment-centres", "RRRGGBBB", 3.5, [1, 2]),
    ],
)
def test_the_pattern_is_seen_and_heard(name, sampling, seen, duration, times):
    clip = decoded(name, sampling)
    assert colours(clip) == seen
    assert clip.frames.duration == pytest.approx(duration, abs=0.1)
    assert sound_of(clip) == pytest.approx(times, abs=0.1)


def test_sound_that_was_copied_out_of_a_film_keeps_its_late_start():
    clip = decoded("late.mp4", sound=CASES / "late_audio.m4a")
    assert sound_of(clip) == pytest.approx([3, 4, 7, 8], abs=0.1)
    assert clip.sound.start == pytest.approx(1.978, abs=0.01)


def test_links_of_a_chained_file_with_other_rates_and_channels_follow_each_other():
    sound = listen(CASES / "chained.ogg").sound
    assert (sound.rate, sound.channels) == (48_000, 2)
    assert sound.end == pytest.approx(6.0, abs=0.05)
    assert beeps(heard(sound, sound.end)) == pytest.approx([1, 2, 4, 5], abs=0.1)


def test_eight_channels_are_read():
    sound = listen(CASES / "ch8.wav").sound
    assert (sound.status, sound.channels, sound.planes.shape) == ("audible", 8, (2, 3000))
    mix = sound.planes.astype(float)
    np.testing.assert_allclose(mix[1], mix[0] / 8, atol=1)  # the tone is in the first channel alone


@pytest.mark.parametrize(("name", "seen"), [("q_hflip.mp4", "GRWB"), ("q_vflip.mp4", "BWRG")])
def test_a_mirrored_display_matrix_is_applied(name, seen):
    pixels = decoded(name).frames.pixels[0]
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    quarters = [
        pixels[:height, :width],
        pixels[:height, width:],
        pixels[height:, :width],
        pixels[height:, width:],
    ]
    assert "".join(map(colour, quarters)) == seen


@pytest.mark.parametrize("name", ["cover.m4a", "cover.mp3"])
def test_a_cover_is_no_film(name):
    with pytest.raises(MediaError, match="no moving picture"):
        decoded(name)
    found = describe(CASES / name)
    assert not found.picture.decodable
    assert found.picture.reason.startswith("no moving picture")
    assert found.sound.state == "with-track"


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("ref.mp4", {}),
        ("late.mp4", {}),
        ("cat.ts", {}),
        ("antiphase_part.mkv", {}),
        ("s71aac.mkv", {}),
        ("trunc_faststart.mp4", {"incomplete": "3.9 of 8.0 s are there", "damaged": "1 of 162"}),
        ("zeroed.mp4", {"damaged": "27 of 80 frames do not decode; 127 of 375"}),
        ("still_after_1s.mkv", {"picture ends early": "7.0 s before its sound"}),
        ("still_after_1s.mp4", {"picture ends early": "7.0 s before its sound"}),
        ("slideshow2.mkv", {"picture ends early": "8.0 s before its sound"}),
        ("drop.avi", {"stated rate wrong": "as released, takes 1 frame of 7 s"}),
        ("u8.avi", {"stated rate wrong": "20 frames per second stated, 10.1 measured"}),
        ("vfr_screen.mkv", {"stated rate wrong": "as released, takes 2 frames of 7 s"}),
    ],
)
def test_what_is_wrong_with_a_file_is_named(name, states):
    found = decoded(name).states
    assert found.keys() == states.keys()
    for state, reason in states.items():
        assert reason in found[state]
    described = describe(CASES / name)
    assert described.picture.states.keys() | described.sound.states.keys() == states.keys()
