"""A store of JPEG files holds what Pillow makes of frames, says what that loses, and passes for no other."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import core.store.store
from core.dataset import Video
from core.errors import BenchError
from core.media.media import decode_clip
from core.media.pictures import pixels_of, upright
from core.media.resizing import resized
from core.progress import Silent
from core.resolving import resolve
from core.running.contents import pictures_kept
from core.store.estimate import estimate
from core.store.feature_encoders import Pictures
from core.store.jpeg import as_jpeg, jpeg_in_words, psnr
from core.store.manifest import StoreSettings
from core.store.reading import ClipReader, hear, see
from core.store.storage import Store
from core.store.store import prepare_store
from tests.core.media_files import grey_ramp, tone, write_media
from tests.core.store.conftest import contents, never

RAW = StoreSettings(frames=4, size=32, sampling="one-per-second")
JPEG = RAW.model_copy(update={"frames_as": "jpeg"})


def prepare(videos, folder: Path, settings=JPEG, resize="antialiased", **more) -> Store:
    return prepare_store(videos, "f", settings, folder, workers=1, progress=Silent(), resize=resize, **more)


def through_jpeg(frame):
    """A frame `(h, w, 3)` as Pillow reads the file that it wrote."""
    file = io.BytesIO()
    Image.fromarray(frame.numpy()).save(file, "jpeg", quality=95)
    return torch.from_numpy(np.array(Image.open(file)))


def smooth(height: int, width: int, seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 4, 6, 3), np.uint8)
    return np.stack([np.array(Image.fromarray(one).resize((width, height))) for one in coarse])


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Video]:
    """A small clip of three seconds with sound, one of one second, a large one, and one that is no file."""
    folder = tmp_path_factory.mktemp("clips")
    loud = tone(440, 0.2, 0.6, 1.0, 16_000)
    write_media(folder / "small.mkv", smooth(40, 48, 0), fps=2, sound=[loud])
    write_media(folder / "short.mkv", grey_ramp(3, 48, 32), fps=3)
    write_media(folder / "large.mkv", smooth(320, 400, 1), fps=1)
    return [Video(name, folder / f"{name}.mkv") for name in ("small", "short", "large", "none")]


@pytest.fixture(scope="module")
def store(clips, tmp_path_factory) -> Store:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.store.store, "SHARD_CLIPS", 2)
        return prepare(clips, tmp_path_factory.mktemp("stores") / "jpeg", keep_undecodable=True)


def decoded(video: Video, reader="own"):
    return decode_clip(video.path, sampling="one-per-second", frames=4, size=32, reader=reader).frames


def test_frames_are_what_pillow_makes_of_those_that_decoded(clips, store):
    for row in (0, 1):
        whole = [upright(picture, "flagged") for picture in decoded(clips[row]).pictures]
        files = [None if frame is None else through_jpeg(frame) for frame in whole]
        expected = torch.stack([torch.zeros_like(files[0]) if file is None else file for file in files])
        assert torch.equal(store.decoded(row), expected)
        assert torch.equal(store.pixels(row), resized(expected, store.pixels(row).shape[1:3], "antialiased"))
    assert store.mask.sum(1).tolist() == [3, 1, 4, 0]
    assert not store.pixels(1)[1:].any()
    assert not store.pixels(3).any()


def test_a_large_clip_is_resized_before_it_is_encoded(clips, store):
    assert store.large_rows == [2]
    expected = torch.stack([through_jpeg(frame) for frame in torch.from_numpy(decoded(clips[2]).pixels)])
    assert torch.equal(store.pixels(2), expected)


def test_another_resize_of_a_large_clip_is_of_its_own_type(clips, tmp_path):
    other = prepare(clips[:3], tmp_path / "store", resize="tensor")
    wanted = pixels_of(decoded(clips[2]).pictures, 32, "tensor", "flagged")
    found = other.pixels(2)
    assert found.dtype == torch.float32
    expected = torch.stack([through_jpeg(one.round().clamp(0, 255).to(torch.uint8)) for one in wanted])
    assert torch.equal(found, expected.float())
    assert other.jpeg_error[2] == pytest.approx(float((expected - wanted).double().square().mean()))


def test_what_is_lost_is_measured_and_part_of_the_protocol(clips, store):
    small, large = decoded(clips[0]), decoded(clips[2])
    whole = torch.stack([upright(picture, "flagged") for picture in small.pictures[:3]])
    losses = [
        whole - store.decoded(0)[:3].double(),
        torch.from_numpy(large.pixels) - store.pixels(2).double(),
    ]
    for row, loss in zip((0, 2), losses, strict=True):
        assert store.jpeg_error[row] == pytest.approx(float(loss.square().mean()))
        assert 30 < psnr(store.jpeg_error[row]) < 60
    assert np.isnan(store.jpeg_error[3])
    known = store.jpeg_error[:3]
    said = pictures_kept(store)["pictures kept"]
    assert f"JPEG at quality 95, PSNR {psnr(known.mean()):.2f} dB" in said
    assert f"worst clip {psnr(known.max()):.2f} dB" in said


def test_opencvs_colours_are_those_of_the_frames_before_they_are_encoded(clips, tmp_path):
    settings = JPEG.model_copy(update={"reader": "opencv"})
    store = prepare(clips[:1], tmp_path / "store", settings)
    whole = [upright(picture, "opencv") for picture in decoded(clips[0], "opencv").pictures[:3]]
    assert torch.equal(store.decoded(0)[:3], torch.stack([through_jpeg(frame) for frame in whole]))


def test_a_frame_that_loses_nothing_has_no_finite_psnr():
    grey = np.full((16, 16, 3), 128, np.uint8)
    files = as_jpeg([grey, None])
    assert files.error == 0
    assert files.sizes[1] == 0
    assert "PSNR inf dB" in jpeg_in_words(np.array([files.error, np.nan]))


def test_a_raw_store_keeps_its_identity_and_the_other_one_has_another(clips, store, tmp_path):
    assert RAW.model_dump() == {
        "frames": 4,
        "sampling": "one-per-second",
        "size": 32,
        "reader": "own",
        "sound": "track",
    }
    raw = prepare(clips, tmp_path / "raw", RAW, keep_undecodable=True)
    assert raw.jpeg_error is None
    assert pictures_kept(raw) == {}
    assert not {"jpeg_bytes", "jpeg_error"} & set(raw.table.column_names)
    assert raw.seen == store.seen
    assert raw.fingerprint != store.fingerprint
    for one, key in ((raw, "antialiased"), (store, "antialiased jpeg")):
        assert Pictures(one, "cpu", None).row_keys()[0] == f"{raw.seen[0]} 32 own {key}"


def test_the_two_kinds_of_store_never_mix(clips, store, tmp_path, monkeypatch):
    copy = Path(shutil.copytree(store.folder, tmp_path / "jpeg"))
    with pytest.raises(BenchError, match="was made with frames_as=jpeg, not raw; delete the folder"):
        prepare(clips, copy, RAW, keep_undecodable=True)
    again = prepare(clips[1:3], tmp_path / "again", others=[copy])
    monkeypatch.setattr(core.store.store, "see", never)
    taken = prepare(clips[1:3], tmp_path / "taken", others=[tmp_path / "again"])
    assert contents(taken.folder) == contents(again.folder)
    with pytest.raises(AssertionError):  # a raw one takes nothing of it
        prepare_store(
            clips[1:3], "f", RAW, tmp_path / "raw", workers=1, progress=Silent(), others=[tmp_path / "again"]
        )


def test_the_estimate_knows_the_files_and_the_sound(clips, store):
    said = estimate(clips[:3], ClipReader(hear, see, JPEG)).size
    written = [(store.folder / f"{kind}-{n:05d}.npy") for kind in ("pixels", "sound") for n in (0, 1)]
    large = store.folder / "resized-antialiased-00001.npy"
    headers = 5 * 128
    assert said == pytest.approx(sum(file.stat().st_size for file in [*written, large]) - headers, rel=0.01)


@pytest.mark.parametrize("method", ["clip4clip", "gaid"])
def test_a_run_of_raw_frames_is_the_run_that_it_was(method):
    spec = resolve(method, "avworld-tiny", {})
    before = spec.model_copy(update={"data": {k: v for k, v in spec.data.items() if k != "frames_as"}})
    assert spec.canonical() == before.canonical()
    jpeg = resolve(method, "avworld-tiny", {"data.frames_as": "jpeg"})
    assert jpeg.canonical() != spec.canonical()
