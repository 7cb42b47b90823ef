"""Frame numbers land where OpenCV's seek lands; packed frames and resizes are what they say."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from core.media.demuxing import MediaError
from core.media.media import decode_clip
from core.media.opencv import ContainerHeader, Timeline, second_reads, segment_reads
from core.media.planes import pack, rgb, unpack
from core.media.resizing import by_pillow, resized, resized_shape
from tests.core.media_files import grey_ramp, write_media


def constant(count: int, rate: float, every: int = 12) -> Timeline:
    return Timeline([n / rate for n in range(count)], [n % every == 0 for n in range(count)])


@pytest.mark.parametrize("rate", [10.0, 24000 / 1001, 25.0, 29.97, 60.0])
def test_at_a_constant_rate_every_number_lands_on_itself(rate: float) -> None:
    timeline, header = constant(200, rate), ContainerHeader(200, rate)
    assert [timeline.landing(n, header) for n in range(200)] == list(range(200))
    assert timeline.landing(200, header) is None


def test_a_late_start_moves_no_frame() -> None:
    late = Timeline([2 + n / 25 for n in range(100)], [n % 10 == 0 for n in range(100)])
    assert [late.landing(n, ContainerHeader(100, 25.0)) for n in (0, 40, 99)] == [0, 40, 99]


def test_at_a_variable_rate_frames_are_counted_from_a_guessed_key_frame() -> None:
    # 50 frames at 25 a second, then 50 at 5 a second: 12 s, so on average 100 / 12 a second
    times = [n / 25 for n in range(50)] + [2 + n / 5 for n in range(50)]
    timeline, header = Timeline(times, [n % 10 == 0 for n in range(100)]), ContainerHeader(100, 100 / 12)
    # 16 frames before number 60 is 5.28 s; the last key frame there is number 60 (4 s), guessed to be 33
    assert timeline.landing(60, header) == 60 + (60 - 33)


def test_a_frame_a_second_ends_at_the_first_read_that_fails() -> None:
    reads = second_reads(constant(301, 29.97), ContainerHeader(301, 29.97), 12, (0.0, None))
    assert [read.asked for read in reads] == list(range(0, 301, 29))
    assert [
        read.asked for read in second_reads(constant(500, 25), ContainerHeader(500, 25), 12, (0, None))
    ] == [25 * s for s in (0, 1, 3, 5, 6, 8, 10, 12, 13, 15, 17, 19)]


def test_centres_of_a_window_lie_between_its_frame_numbers() -> None:
    timeline, header = constant(1000, 25.0), ContainerHeader(1000, 25.0)
    whole = segment_reads(timeline, header, 10, (0.0, None))
    assert [read.asked for read in whole] == [49 + 100 * n for n in range(10)]
    cut = segment_reads(timeline, header, 2, (10.0, 20.0))
    assert [read.asked for read in cut] == [(250 + 375 - 1) // 2, (375 + 500 - 1) // 2]


def test_a_short_clip_repeats_its_last_picture_and_a_second_rule_leaves_slots_empty(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", grey_ramp(3))
    clip = decode_clip(path, sampling="segment-centres", frames=5, size=32, reader="opencv")
    assert clip.frames.mask.all()
    np.testing.assert_array_equal(clip.frames.pixels[2], clip.frames.pixels[4])
    clip = decode_clip(path, sampling="one-per-second", frames=5, size=32, reader="opencv")
    assert clip.frames.mask.tolist() == [True, False, False, False, False]


def test_both_readers_take_the_same_frames_of_an_ordinary_film(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", grey_ramp(100))
    for sampling in ("segment-centres", "one-per-second", "every-nth"):
        own, opencv = (
            decode_clip(path, sampling=sampling, frames=4, size=32, reader=reader).frames
            for reader in ("own", "opencv")
        )
        np.testing.assert_allclose(own.times, opencv.times, atol=1e-3)
        np.testing.assert_array_equal(own.mask, opencv.mask)


def test_a_file_without_a_number_of_frames_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            picture = np.full((48, 64, 3), 50 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError, match=r"OpenCV numbers none; pass --set data\.reader=own"):
        decode_clip(path, sampling="segment-centres", frames=2, size=32, reader="opencv")


FORMATS = (
    "yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv411p", "yuv420p10le", "yuv444p12le", "yuva420p", "gray",
    "gray16le", "nv12", "p010le", "yuyv422", "uyvy422", "ya8", "vuyx", "rgb24", "bgra", "gbrp", "pal8",
    "monow",
)  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_packed_frame_gives_the_same_picture(name: str) -> None:
    draw = np.random.default_rng(3)
    source = av.VideoFrame.from_ndarray(draw.integers(0, 256, (38, 50, 3), np.uint8), format="rgb24")
    if name == "pal8":
        frame = av.VideoFrame.from_ndarray(draw.integers(0, 256, (38, 50), np.uint8), format="gray").reformat(
            format="rgb8"
        )
    else:
        frame = source.reformat(format=name)
    layout, data = pack(frame)
    assert data.size == layout.size
    expected = frame.reformat(format="rgb24").to_ndarray()
    np.testing.assert_array_equal(rgb(layout, data, "flagged"), expected)
    assert pack(unpack(layout, data))[1].tobytes() == data.tobytes()


def test_flags_count_for_us_and_not_for_opencv() -> None:
    draw = np.random.default_rng(4)
    plain = av.VideoFrame.from_ndarray(draw.integers(0, 256, (48, 64, 3), np.uint8), format="rgb24")
    frame = plain.reformat(format="yuv420p")
    pictures = {}
    for space in (1, 5):  # BT.709, BT.601
        frame.colorspace = space
        packed = pack(frame)
        pictures[space] = {colours: rgb(*packed, colours) for colours in ("flagged", "opencv")}
    np.testing.assert_array_equal(pictures[1]["opencv"], pictures[5]["opencv"])
    np.testing.assert_array_equal(pictures[5]["flagged"], pictures[5]["opencv"])
    assert np.abs(pictures[1]["flagged"].astype(int) - pictures[5]["flagged"]).mean() > 1


def test_resizes_are_pillows_and_torchs() -> None:
    draw = torch.Generator().manual_seed(5)
    frames = 255 * torch.randint(0, 2, (2, 90, 131, 3), generator=draw, dtype=torch.uint8)
    frames[1] = 255 * (torch.arange(131) > 60)[:, None]  # an edge, at which cubics overshoot
    shape = resized_shape(90, 131, 32)
    assert shape == (32, 46)
    expected = [
        np.asarray(Image.fromarray(f.numpy()).resize((46, 32), Image.Resampling.BICUBIC)) for f in frames
    ]
    exact = torch.stack([by_pillow(frame, shape) for frame in frames])
    np.testing.assert_array_equal(exact.numpy(), np.stack(expected))
    ours = resized(frames, shape, "antialiased")
    assert ours.dtype == torch.uint8
    assert (ours.float() - exact.float()).abs().mean() < 0.05
    for resize, antialias in (("tensor", False), ("tensor-antialiased", True)):
        floats = torch.nn.functional.interpolate(
            frames.permute(0, 3, 1, 2).double(), size=shape, mode="bicubic", antialias=antialias
        )
        found = resized(frames, shape, resize)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.permute(0, 3, 1, 2).double(), floats, atol=5e-3, rtol=0)
        assert ((found < 0) | (found > 255)).any()  # neither rounded nor clamped
