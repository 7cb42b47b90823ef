"""What a file holds is said without decoding it whole, and never by an exception."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.media import decoders, demuxing, passes
from core.media.describing import describe
from core.media.media import MediaError, decode_clip
from tests.core.media_files import grey_ramp, tone, write_media

CLIPS = Path(__file__).parents[3] / ".." / "shared" / "clips"
WAVE = tone(440, 0, 3, 3.0, 16_000)


def test_a_whole_clip_is_described(tmp_path):
    found = describe(write_media(tmp_path / "a.mkv", grey_ramp(30), sound=[WAVE]))
    assert (found.picture.codec, found.picture.width, found.picture.height) == ("ffv1", 48, 32)
    assert (found.picture.decodable, found.picture.frames, found.picture.fps) == (True, 30, 10)
    assert found.picture.seconds == pytest.approx(3.0, abs=1e-3)
    assert (found.sound.state, found.sound.codec, found.sound.reason) == ("with-track", "pcm_s16le", "")
    assert found.sound.seconds == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize(
    ("sound", "state", "reason"),
    [
        (None, "none", "no audio track"),
        (np.zeros_like(WAVE), "silent", "digital silence"),
        (WAVE[:16_000], "shorter", "ends 2.0 s before the picture"),
        (WAVE[:44_800], "with-track", ""),  # 0.2 s: within what codecs cut
    ],
)
def test_the_state_of_the_sound_is_said(tmp_path, sound, state, reason):
    path = write_media(tmp_path / "a.mkv", grey_ramp(30), sound=None if sound is None else [sound])
    found = describe(path).sound
    assert (found.state, found.reason) == (state, reason)


def test_a_window_is_described_on_its_own(tmp_path):
    path = write_media(tmp_path / "a.mkv", grey_ramp(30), sound=[tone(440, 0, 1, 3.0, 16_000)])
    found = describe(path, 1.5, 2.5)
    assert (found.picture.frames, found.sound.state) == (10, "silent")
    assert (found.picture.seconds, found.sound.seconds) == pytest.approx((1.0, 1.0), abs=1e-3)
    assert "no frame can be decoded between 7 s and 9 s" in describe(path, 7, 9).picture.reason


def test_a_sound_file_is_described_in_place_of_the_own_track(tmp_path):
    path = write_media(tmp_path / "v.mkv", grey_ramp(30), sound=[WAVE])
    short = write_media(tmp_path / "a.wav", sound=[WAVE[:16_000]], format=None)
    (tmp_path / "page.wav").write_text("<html>404</html>")
    for source, state, reason in (
        (short, "shorter", "ends 2.0 s before the picture"),
        (tmp_path / "page.wav", "undecodable", "not a readable media file"),
        ("none", "none", "no sound file"),
    ):
        found = describe(path, sound=source)
        assert found.sound.state == state
        assert reason in found.sound.reason
        assert found.picture.decodable


def test_a_single_picture_is_not_longer_than_its_sound(tmp_path):
    path = write_media(tmp_path / "a.mkv", grey_ramp(1), sound=[WAVE])
    assert describe(path).sound.state == "with-track"


def test_what_cannot_be_opened_has_a_reason(tmp_path):
    (tmp_path / "page.mp4").write_text("<html>404</html>")
    for path, reason in (
        (tmp_path / "page.mp4", "not a readable media file"),
        (tmp_path / "none.mp4", "no such file"),
        (tmp_path / ("x" * 300), "not a readable media file"),
        (tmp_path, "no such file"),
    ):
        found = describe(path)
        assert (found.picture.decodable, found.sound.state) == (False, "undecodable")
        assert found.picture.reason.startswith(reason)
        assert found.sound.reason == found.picture.reason


@pytest.mark.parametrize(
    ("module", "limit", "value", "reason"),
    [
        (demuxing, "PATIENCE", -1.0, "reading takes more than"),
        (passes, "LONGEST_SECONDS", 2.0, "reach past 2 s"),
        (decoders, "LARGEST", 1000, "no frame can be decoded"),
        (passes, "WIDEST", 1.2, "a picture of 48 x 32 pixels"),
    ],
)
def test_a_file_of_excessive_work_is_refused(tmp_path, monkeypatch, module, limit, value, reason):
    path = write_media(tmp_path / "a.mkv", grey_ramp(30), sound=[WAVE])
    monkeypatch.setattr(module, limit, value)
    with pytest.raises(MediaError, match=f"a.mkv: .*{reason}"):
        decode_clip(path, sampling="segment-centres", frames=2, size=32)


needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the shared clips are not here")
PROBED = json.loads((CLIPS / "clips.json").read_text()) if CLIPS.is_dir() else []


@needs_clips
@pytest.mark.parametrize("probed", PROBED, ids=lambda probed: probed["file"])
def test_every_shared_clip_is_described_as_it_was_probed(probed):
    found = describe(CLIPS / probed["file"])
    picture = (probed["probe"].get("video") or {}).get("frames_decoded", 0)
    assert found.picture.decodable == (picture > 0)
    assert bool(found.picture.reason) == (picture == 0)
    if not probed["probe"].get("n_streams"):
        assert found.sound.state == "undecodable"
    elif not probed["has_audio_track"]:
        assert found.sound.state == "none"
    elif probed["audio_is_digital_silence"]:
        assert found.sound.state == "silent"
    else:
        expected = "shorter" if "shorter" in probed["file"] else "with-track"
        assert found.sound.state == expected
        assert found.sound.seconds == pytest.approx(probed["probe"]["audio"]["decoded_s"], abs=0.08)


def test_a_sound_that_no_decoder_takes_is_undecodable(tmp_path):
    sound = [tone(440, 0, 0.5, 0.5, 16_000)]
    path = write_media(
        tmp_path / "a.avi", grey_ramp(5), codec="mpeg2video", fps=25, sound=sound, format="avi"
    )
    content = bytearray(path.read_bytes())
    tag = content.index(b"strf", content.index(b"auds")) + 8
    content[tag : tag + 2] = b"\x99\x99"  # a codec that nobody has registered
    path.write_bytes(content)
    found = describe(path)
    assert (found.sound.state, found.sound.reason) == (
        "undecodable",
        "FFmpeg has no decoder for this track",
    )
    assert found.picture.decodable
