"""Sound is converted in blocks of a second, and every sample is what it is frame by frame."""

from pathlib import Path

import numpy as np
import pytest

import core.media.waveform
from core.media.demuxing import MediaError
from core.media.listening import Heard, listen
from core.media.waveform import Reading
from tests.core.media_files import grey_ramp, tone, write_media

CASES = Path(__file__).parent / "cases"
SHARED = Path(__file__).parents[3] / ".." / "shared" / "clips"
MADE = {
    "one channel": {"sound": [tone(440, 0.2, 2.6, 2.7, 16_000)]},
    "two channels, AAC": {
        "sound": [tone(440, 0.2, 2.6, 2.7, 44_100), tone(300, 0, 1, 2.7, 44_100)],
        "rate": 44_100,
        "layout": "stereo",
        "codec": "libx264",
    },
    "six channels": {"sound": [tone(100 * n, 0, 2, 2.3, 8_000) for n in range(1, 7)], "rate": 8_000}
    | {"layout": "5.1"},
}
"""Arguments of `write_media`."""


def assert_equal_by_frame(path: Path, monkeypatch: pytest.MonkeyPatch, **how: object) -> Heard:
    """The sound of a file in blocks, after a comparison with the same one frame after the other."""
    found = listen(path, "own track", **how)
    with monkeypatch.context() as patched:
        patched.setattr(core.media.waveform, "BLOCK_SECONDS", 0.0)
        expected = listen(path, "own track", **how)
    assert np.array_equal(found.sound.planes, expected.sound.planes)
    assert found.sound.runs == expected.sound.runs
    assert (found.sound.status, found.sound.reason, found.tally) == (
        expected.sound.status,
        expected.sound.reason,
        expected.tally,
    )
    return found


@pytest.mark.parametrize("window", [(0.0, None), (0.5, 1.9)])
@pytest.mark.parametrize("reading", ["track", "moviepy"])
@pytest.mark.parametrize("name", MADE)
def test_blocks_are_the_frames_end_to_end(
    name: str,
    reading: Reading,
    window: tuple[float, float | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_media(tmp_path / "clip.mkv", grey_ramp(27), **MADE[name])
    found = assert_equal_by_frame(path, monkeypatch, window=window, reading=reading)
    assert found.sound.status == "audible"
    assert found.sound.planes.shape[1] > found.sound.rate


@pytest.mark.parametrize("path", sorted(p for p in CASES.iterdir() if p.is_file()), ids=lambda p: p.name)
def test_blocks_are_the_frames_in_awkward_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_equal_by_frame(path, monkeypatch)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not here")
def test_blocks_are_the_frames_in_the_shared_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = 0
    for path in sorted(p for p in SHARED.iterdir() if p.is_file()):
        try:
            heard += assert_equal_by_frame(path, monkeypatch).sound.planes.size > 0
        except MediaError:  # no media file at all
            continue
    assert heard
