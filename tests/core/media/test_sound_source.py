"""Sound in a file apart from the picture: in step with it, as long, and never replaced in silence."""

import numpy as np
import pytest

from core.media.hearing import heard
from core.media.media import decode_clip
from tests.core.media_files import grey_ramp, greys, tone, write_media

CENTRES = {"sampling": "segment-centres", "size": 32}


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 44_100),
        ("a.flac", "flac", 44_100),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.m4a", "aac", 44_100),
        ("a.ogg", "libopus", 48_000),
    ],
)
def test_sound_of_a_file_apart_is_in_step_with_the_picture_and_heard_to_its_end(tmp_path, name, codec, rate):
    wave = tone(500, 1.0, 2.0, 5.0, rate)
    apart = write_media(
        tmp_path / name, sound=[wave, wave], rate=rate, layout="stereo", sound_codec=codec, format=None
    )
    own = tone(300, 0, 3, 3.0, 16_000)
    clip = decode_clip(
        write_media(tmp_path / "v.mkv", grey_ramp(30), sound=[own]), frames=2, sound=apart, **CENTRES
    )
    assert clip.sound.status == "audible"
    loud = np.flatnonzero(np.abs(heard(clip.sound, clip.frames.duration)) > 0.2) / 16_000
    assert loud[[0, -1]] == pytest.approx([1.0, 2.0], abs=0.02)
    assert clip.frames.duration == pytest.approx(5.0, abs=0.1)
    assert heard(clip.sound, clip.frames.duration).size == round(clip.frames.duration * 16_000)


def test_a_window_cuts_a_sound_file_like_its_picture(tmp_path):
    wave = tone(440, 1.5, 2.5, 3.0, 16_000)
    apart = write_media(tmp_path / "a.wav", sound=[wave], format=None)
    path = write_media(tmp_path / "v.mkv", grey_ramp(30))
    clip = decode_clip(path, frames=2, start=1.0, end=2.0, sound=apart, **CENTRES)
    np.testing.assert_allclose(heard(clip.sound, clip.frames.duration), wave[16_000:32_000], atol=1e-4)


def test_without_a_sound_file_that_can_be_read_there_is_a_reason_and_never_the_own_track(tmp_path):
    path = write_media(tmp_path / "v.mkv", grey_ramp(30), sound=[tone(440, 0, 3, 3.0, 16_000)])
    (tmp_path / "page.wav").write_text("<html>404</html>")
    for source, status, reason in (
        ("none", "no-track", "no sound file"),
        (tmp_path / "page.wav", "undecodable", "not a readable media file"),
        (tmp_path / "gone.wav", "undecodable", "no such file"),
        (write_media(tmp_path / "mute.mkv", grey_ramp(30)), "no-track", "no audio track"),
    ):
        clip = decode_clip(path, frames=3, sound=source, **CENTRES)
        assert (clip.sound.status, heard(clip.sound, clip.frames.duration).size) == (status, 0)
        assert reason in clip.sound.reason
        assert greys(clip.frames) == [4, 14, 24]
