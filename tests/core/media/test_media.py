"""Frames and sound out of media files: the right ones, at the right times, or a reason."""

import math
import os
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from scipy.signal import resample_poly

from core.media.hearing import heard
from core.media.listening import listen
from core.media.media import MediaError, decode_clip, decode_frames
from core.media.waveform import mix_to_mono
from tests.core.media_files import grey_ramp, greys, tone, write_media

CASES = Path(__file__).parent / "cases"
CLIPS = Path(__file__).parents[3] / ".." / "shared" / "clips"
CENTRES = {"sampling": "segment-centres", "size": 32}
EACH_SECOND = {"sampling": "one-per-second", "size": 32}


def waveform(clip):
    """What a method hears of a clip."""
    return heard(clip.sound, clip.frames.duration)


def track(path):
    """The sound of a file alone, and what a method hears of it."""
    sound = listen(path).sound
    return sound, heard(sound, sound.end)


def test_segment_centres_are_decoded_with_their_times(tmp_path):
    path = write_media(tmp_path / "a.mkv", grey_ramp(30), fps=10)
    found = decode_frames(path, frames=5, **CENTRES)
    assert greys(found) == [2, 8, 14, 20, 26]
    np.testing.assert_allclose(found.times, [0.2, 0.8, 1.4, 2.0, 2.6], atol=1e-3)
    assert found.mask.all()
    assert found.duration == pytest.approx(3.0, abs=1e-3)
    assert found.fps == pytest.approx(10)


def test_lossless_pixels_come_back_unchanged(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    found = decode_frames(write_media(tmp_path / "a.mkv", pixels), frames=3, **CENTRES)
    np.testing.assert_array_equal(found.pixels, pixels)


def test_short_side_is_resized_as_pillow_does_with_bicubic_antialiasing(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (1, 90, 120, 3), dtype=np.uint8)
    found = decode_frames(write_media(tmp_path / "a.mkv", pixels), frames=1, **CENTRES)
    expected = np.asarray(Image.fromarray(pixels[0]).resize((42, 32), Image.Resampling.BICUBIC))
    assert np.abs(found.pixels[0].astype(int) - expected).max() <= 1


def test_short_clip_repeats_its_last_frame_under_segment_centres(tmp_path):
    found = decode_frames(write_media(tmp_path / "a.mkv", grey_ramp(3)), frames=5, **CENTRES)
    assert greys(found) == [0, 1, 2, 2, 2]
    assert found.mask.all()


def test_one_per_second_leaves_empty_slots_behind_a_short_clip(tmp_path):
    found = decode_frames(write_media(tmp_path / "a.mkv", grey_ramp(25)), frames=5, **EACH_SECOND)
    assert greys(found) == [0, 10, 20, 0, 0]
    assert found.mask.tolist() == [True, True, True, False, False]
    np.testing.assert_allclose(found.times, [0, 1, 2, 0, 0], atol=1e-3)


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(1.0, 2.0, [12, 17]), (2.0, None, [22, 27]), (0.0, 0.4, [0, 2])]
)
def test_a_window_is_a_clip_of_its_own(tmp_path, start, end, expected):
    sound = tone(440, 1.5, 2.5, 3.0, 16_000)
    path = write_media(tmp_path / "a.mkv", grey_ramp(30), sound=[sound])
    clip = decode_clip(path, frames=2, start=start, end=end, **CENTRES)
    stop = 3.0 if end is None else end
    assert greys(clip.frames) == expected
    np.testing.assert_allclose(clip.frames.times, np.array(expected) / 10 - start, atol=1e-3)
    assert clip.frames.duration == pytest.approx(stop - start, abs=1e-3)
    np.testing.assert_allclose(waveform(clip), sound[round(start * 16_000) : round(stop * 16_000)], atol=1e-4)


def test_a_window_far_into_a_compressed_file_starts_at_its_own_frames(tmp_path):
    pixels = grey_ramp(30).repeat(4, axis=0)  # 12 s, a new grey every 0.4 s
    path = write_media(tmp_path / "a.mp4", pixels, codec="libx264", format="mp4")
    found = decode_frames(path, frames=3, start=8.0, end=9.2, **CENTRES)
    assert greys(found) == [20, 21, 22]


def test_a_window_past_the_end_is_refused(tmp_path):
    path = write_media(tmp_path / "a.mkv", grey_ramp(10))
    with pytest.raises(MediaError, match=r"a\.mkv: no frame can be decoded between 5 s and 9 s"):
        decode_frames(path, frames=2, start=5.0, end=9.0, **CENTRES)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_a_tone_keeps_its_pitch_level_and_time(tmp_path, rate):
    wave = tone(440, 1.0, 1.5, 3.0, rate)
    path = write_media(tmp_path / "a.mkv", sound=[wave, wave], rate=rate, layout="stereo")
    found, samples = track(path)
    assert (found.status, found.rate, found.channels, found.planes.shape) == (
        "audible",
        rate,
        2,
        (2, 3 * rate),
    )
    assert samples.size == pytest.approx(48_000, abs=16)
    loud = np.abs(samples) > 0.05
    assert np.flatnonzero(loud)[[0, -1]] / 16_000 == pytest.approx([1.0, 1.5], abs=2e-3)
    inside = samples[17_000:23_000]
    assert np.abs(inside).max() == pytest.approx(0.5, abs=0.01)
    assert np.fft.rfft(
        inside * np.hanning(inside.size)
    ).__abs__().argmax() * 16_000 / inside.size == pytest.approx(440, abs=3)


def test_resampling_agrees_with_a_polyphase_filter(tmp_path):
    wave = tone(1_000, 0, 1, 1.0, 48_000) + tone(3_300, 0, 1, 1.0, 48_000, 0.2)
    _, found = track(write_media(tmp_path / "a.mkv", sound=[wave], rate=48_000))
    expected = resample_poly(wave, 1, 3)
    np.testing.assert_allclose(found[400:-400], expected[400 : found.size - 400], atol=5e-3)


def test_aac_sound_stays_in_step_with_the_picture(tmp_path):
    wave = tone(500, 1.0, 2.0, 3.0, 16_000)
    path = write_media(tmp_path / "a.mp4", grey_ramp(30), sound=[wave], codec="libx264", format="mp4")
    clip = decode_clip(path, frames=2, **CENTRES)
    loud = np.flatnonzero(np.abs(waveform(clip)) > 0.2) / 16_000
    assert loud[[0, -1]] == pytest.approx([1.0, 2.0], abs=0.02)
    assert waveform(clip).size == round(clip.frames.duration * 16_000)


@pytest.mark.parametrize(("seconds", "lasts"), [(1.0, 3.0), (5.0, 5.0)])
def test_a_clip_lasts_until_its_picture_and_its_sound_have_ended(tmp_path, seconds, lasts):
    wave = tone(440, 0, seconds, seconds, 16_000)
    clip = decode_clip(write_media(tmp_path / "a.mkv", grey_ramp(30), sound=[wave]), frames=2, **CENTRES)
    assert clip.frames.duration == pytest.approx(lasts)
    np.testing.assert_allclose(waveform(clip)[: wave.size], wave, atol=1e-4)
    assert not waveform(clip)[wave.size :].any()
    assert waveform(clip).size == lasts * 16_000
    assert set(clip.states) == ({"picture ends early"} if seconds > 3 else set())


def test_a_single_picture_lasts_as_long_as_its_sound(tmp_path):
    wave = tone(440, 0, 2, 2.0, 16_000)
    clip = decode_clip(write_media(tmp_path / "a.mkv", grey_ramp(1), sound=[wave]), frames=2, **CENTRES)
    assert clip.frames.duration == pytest.approx(2.0, abs=0.01)
    assert waveform(clip).size == pytest.approx(32_000, abs=160)


def test_channels_are_averaged_except_where_they_cancel():
    left, right = tone(440, 0, 1, 1.0, 16_000), tone(660, 0, 1, 1.0, 16_000)
    np.testing.assert_allclose(mix_to_mono(np.stack([left, right])), (left + right) / 2, atol=1e-6)
    np.testing.assert_array_equal(mix_to_mono(np.stack([left, -left])), left)
    one_of_six = np.zeros((6, left.size), np.float32)
    one_of_six[2] = left
    np.testing.assert_allclose(mix_to_mono(one_of_six), left / 6, atol=1e-6)


@pytest.mark.parametrize(("layout", "channels", "expected"), [("stereo", 2, 1.0), ("5.1", 6, 1 / 3)])
def test_anti_phase_and_surround_tracks_are_heard(tmp_path, layout, channels, expected):
    wave = tone(440, 0, 1, 1.0, 16_000)
    sound = [np.zeros_like(wave)] * channels
    sound[0], sound[1] = wave, -wave if channels == 2 else wave
    _, found = track(write_media(tmp_path / "a.mkv", sound=sound, layout=layout))
    np.testing.assert_allclose(found, expected * wave, atol=1e-3)


def test_what_became_of_the_sound_is_said(tmp_path):
    silence = np.zeros(16_000, np.float32)
    silent, samples = track(write_media(tmp_path / "silent.mkv", grey_ramp(10), sound=[silence]))
    assert (silent.status, silent.reason, samples.size) == ("silent", "digital silence", 16_000)
    without, samples = track(write_media(tmp_path / "without.mkv", grey_ramp(10)))
    assert (without.status, samples.size) == ("no-track", 0)


@pytest.mark.parametrize(
    "name",
    [
        "-f lavfi.mkv",
        "a.b.",
        "%03d.mkv",
        "größe 鳥.mkv",
        os.fsdecode(b"latin-1 gr\xf6\xdfe.mkv"),
        "http:x.mkv",
        "$(touch x).mkv",
    ],
)
def test_awkward_names_are_only_names(tmp_path, name):
    path = write_media(tmp_path / "plain.mkv", grey_ramp(4)).rename(tmp_path / name)
    assert greys(decode_frames(path, frames=4, **CENTRES)) == [0, 1, 2, 3]
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_files_that_are_no_media_are_refused_by_name_and_reason(tmp_path):
    whole = write_media(tmp_path / "whole.mp4", grey_ramp(20), codec="libx264", format="mp4")
    bad = {
        "empty.mp4": b"",
        "page.mp4": b"<html><body>404</body></html>",
        "half.mp4": whole.read_bytes()[
            : whole.stat().st_size // 2
        ],  # its index, the moov box, stood at the end
        "list.mp4": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=name) as error:
            decode_clip(tmp_path / name, frames=2, **CENTRES)
        assert "\n" not in str(error.value)
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing.mp4", "pipe"):
        with pytest.raises(MediaError, match="no such file"):
            decode_clip(tmp_path / name, frames=2, **CENTRES)


def test_a_track_of_sound_alone_is_no_clip(tmp_path):
    path = write_media(tmp_path / "a.mkv", sound=[tone(440, 0, 1, 1.0, 16_000)])
    with pytest.raises(MediaError, match="no picture track"):
        decode_clip(path, frames=2, **CENTRES)
    assert listen(path).sound.status == "audible"


def test_damaged_packets_cost_only_their_own_frames(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (30, 32, 48, 3), dtype=np.uint8)
    path = write_media(tmp_path / "a.mkv", noise)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6000] = bytes(6000)
    path.write_bytes(content)
    found = decode_frames(path, frames=4, **CENTRES)
    assert found.pixels.shape == (4, 32, 48, 3)
    assert found.times[-1] > 2.0


needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the shared clips are not here")


REFUSED = ("awk_html", "awk_zero", "photoprism_mjpeg", "tfio_audio_only")
SHARED = sorted(path for path in CLIPS.glob("*") if path.suffix != ".json")


@needs_clips
@pytest.mark.parametrize("sampling", ["segment-centres", "one-per-second"])
@pytest.mark.parametrize("path", [p for p in SHARED if not p.name.startswith(REFUSED)], ids=lambda p: p.name)
def test_every_shared_clip_is_decoded(path, sampling):
    clip = decode_clip(path, sampling=sampling, frames=4, size=32)
    assert min(clip.frames.pixels.shape[1:3]) == 32
    real = 1 if "one_frame" in path.name else min(4, math.ceil(clip.frames.duration))
    assert clip.frames.mask.tolist() == [i < real or sampling == "segment-centres" for i in range(4)]
    assert clip.frames.duration > 0
    assert (np.diff(clip.frames.times[clip.frames.mask]) >= 0).all()
    assert waveform(clip).size in (0, round(clip.frames.duration * 16_000))
    assert (waveform(clip).size > 0) == (clip.sound.status in ("audible", "silent"))


@needs_clips
@pytest.mark.parametrize("path", [p for p in SHARED if p.name.startswith(REFUSED)], ids=lambda p: p.name)
def test_every_other_shared_file_is_refused_by_name(path):
    with pytest.raises(MediaError, match=path.name):
        decode_clip(path, sampling="segment-centres", frames=4, size=32)


@needs_clips
def test_a_clip_filmed_upright_comes_out_upright():
    path = CLIPS / "rot90.mov"
    found = decode_frames(path, sampling="segment-centres", frames=1, size=320)
    with av.open(path) as container:
        lying = next(f for i, f in enumerate(container.decode(video=0)) if i == 1).to_ndarray(format="rgb24")
    np.testing.assert_array_equal(found.pixels[0], np.rot90(lying, -1))


@needs_clips
def test_a_truncated_file_is_as_long_as_what_decodes():
    found = decode_frames(CLIPS / "awk_truncated_40pct.mkv", sampling="segment-centres", frames=2, size=32)
    assert found.duration == pytest.approx(3.93, abs=0.02)  # its header says 10.38 s
