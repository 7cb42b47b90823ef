"""Cached features are what the encoders give, made once, and the same for the same pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch

import core.store.features
import core.store.store
from core.batch import stable_keys
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.errors import BenchError
from core.store.video_captions import VideoCaption
from tests.core.store.conftest import encode, never

pytestmark = pytest.mark.slow


def test_features_are_what_the_encoders_give(store, clip, audio, tmp_path):
    videos = encode(store, clip, audio, tmp_path / "cache").videos(torch.tensor([3, 0, 2]))
    for position, row in enumerate((3, 0, 2)):
        with torch.inference_mode():
            frames = clip.encode_images(torch.from_numpy(store.frames(row)))
        torch.testing.assert_close(videos.frames[position], frames, atol=1e-5, rtol=1e-5)
        states, valid = audio.states([store.waveform(row)], [float(store.duration[row])])
        torch.testing.assert_close(videos.audio[position], states[0], atol=1e-2, rtol=1e-3)  # kept in float16
        assert videos.audio_valid[position] == valid[0]
    assert videos.frames.dtype == videos.audio.dtype == torch.float32
    assert videos.has_audio.tolist() == [True, True, False]
    assert not videos.audio[2].any()
    assert videos.keys.equal(stable_keys(["d", "a", "c"]))
    assert videos.frame_mask.all()


def test_identical_pixels_get_bit_identical_features_across_shards(store, clip, audio, tmp_path):
    found = encode(store, clip, audio, tmp_path / "cache")
    np.testing.assert_array_equal(found.frames[1], found.frames[4])
    assert not np.array_equal(found.audio[1], found.audio[4])


def write_states(folder: Path, audio: AudioEncoder, names: str) -> dict[str, Path]:
    """States that no encoder made, a file per clip."""
    draw = torch.Generator().manual_seed(0)
    folder.mkdir(exist_ok=True)
    files = {name: folder / f"{name}.pt" for name in names}
    for path in files.values():
        torch.save(torch.randn(1, audio.positions, audio.width, generator=draw), path)
    return files


def test_states_from_files_stand_in_for_the_encoder(store, clip, audio, tmp_path):
    files = write_states(tmp_path / "states", audio, "ace")
    found = encode(store, clip, audio, tmp_path / "cache", workers=2, audio_states=files)
    encoded = encode(store, clip, audio, tmp_path / "cache")
    videos = found.videos(torch.arange(5))
    for row, name in enumerate("abcde"):
        if name in files:
            torch.testing.assert_close(videos.audio[row], torch.load(files[name])[0], atol=2e-3, rtol=1e-3)
        else:
            assert not videos.audio[row].any()
    assert videos.has_audio.tolist() == [name in files for name in "abcde"]
    assert found.audio_valid.equal(encoded.audio_valid)
    np.testing.assert_array_equal(found.frames, encoded.frames)
    assert found.fingerprint != encoded.fingerprint


def test_other_states_in_files_of_the_same_size_are_read_anew(store, clip, audio, tmp_path):
    files = write_states(tmp_path / "states", audio, "ab")
    before = encode(store, clip, audio, tmp_path / "cache", audio_states=files)
    size = files["a"].stat().st_size
    torch.save(torch.ones(1, audio.positions, audio.width), files["a"])
    assert files["a"].stat().st_size == size
    after = encode(store, clip, audio, tmp_path / "cache", audio_states=files)
    assert (after.audio[0] == 1).all()
    np.testing.assert_array_equal(after.audio[1], before.audio[1])
    assert after.fingerprint != before.fingerprint


def test_states_of_another_encoder_are_refused(store, clip, audio, tmp_path):
    files = write_states(tmp_path / "states", audio, "ab")
    torch.save(torch.zeros(1, audio.positions, 2 * audio.width), files["b"])
    with pytest.raises(BenchError, match=r"b\.pt holds states of shape .*, avworld-whisper gives"):
        encode(store, clip, audio, tmp_path / "cache", audio_states=files)


def test_workers_write_the_same_features(store, clip, audio, tmp_path):
    one, two = (encode(store, clip, audio, tmp_path / str(n), workers=n) for n in (1, 2))
    np.testing.assert_array_equal(one.frames, two.frames)
    np.testing.assert_array_equal(one.audio, two.audio)
    assert one.fingerprint == two.fingerprint


def test_features_without_sound_know_no_sound(store, clip, tmp_path):
    found = encode(store, clip, None, tmp_path / "cache")
    assert found.audio_width is None
    videos = found.videos(torch.arange(2))
    assert videos.audio is videos.audio_valid is videos.has_audio is None


def test_another_audio_encoder_does_not_encode_the_pictures_again(store, clip, audio, tmp_path, monkeypatch):
    first = encode(store, clip, audio, tmp_path / "cache")
    monkeypatch.setattr(ClipBackbone, "encode_images", lambda *_: pytest.fail("pictures were encoded again"))
    second = encode(store, clip, AudioEncoder.load("avworld-wav2vec2"), tmp_path / "cache")
    assert second.fingerprint != first.fingerprint
    assert second.audio.shape == (5, 200, 128)
    np.testing.assert_array_equal(first.frames, second.frames)


SAID = {
    "a": VideoCaption(id="a", visual="a red thing spins", audio="rain falls"),
    "b": VideoCaption(id="b", audio="birds sing"),
    "d": VideoCaption(id="d", visual="a blue thing"),
}


def test_patches_and_captions_are_what_the_towers_give(store, clip, audio, tmp_path):
    found = encode(store, clip, audio, tmp_path, patches=True, captions=SAID)
    rows = [4, 1, 0, 3, 2]
    videos = found.videos(torch.tensor(rows))
    assert videos.patches.dtype == videos.captions.dtype == torch.float16
    assert videos.patches.shape == (5, 3, 16, 128)
    for position, row in enumerate(rows):
        said = SAID.get(store.ids[row], VideoCaption(id="none"))
        with torch.inference_mode():
            tokens = clip.encode_image_tokens(torch.from_numpy(store.frames(row)))
            torch.testing.assert_close(videos.patches[position].float(), tokens[:, 1:], atol=1e-2, rtol=1e-3)
            for place, sentence in enumerate((said.visual, said.audio)):
                mask, states = videos.caption_mask[position, place], videos.captions[position, place]
                length = 0 if sentence is None else len(sentence.split()) + 2  # with its start and end mark
                assert mask.tolist() == [i < length for i in range(len(mask))]
                assert not states[length:].any()
                if sentence is not None:
                    alone = clip.encode_text_tokens(clip.tokenise([sentence])[:, :length])[0]
                    torch.testing.assert_close(states[:length].float(), alone, atol=1e-2, rtol=1e-3)
    assert len(videos.caption_mask[0, 0]) == 6  # as long as the longest of them
    np.testing.assert_array_equal(found.patches[1], found.patches[4])


def test_only_those_who_ask_pay_for_patches_and_captions(store, clip, audio, tmp_path):
    plain = encode(store, clip, audio, tmp_path)
    assert plain.patches is plain.captions is plain.videos(torch.arange(2)).patches is None
    assert {file.name.split("-")[0] for file in tmp_path.glob("*.npy")} == {"pictures", "sounds"}
    said = encode(store, clip, audio, tmp_path, captions=SAID)
    other = encode(store, clip, audio, tmp_path, captions={"a": SAID["a"]})
    assert len({plain.fingerprint, said.fingerprint, other.fingerprint}) == 3
    assert not other.caption_mask[1:].any()


def test_no_caption_of_any_clip_is_a_mask_that_hides_all(store, clip, tmp_path):
    found = encode(store, clip, None, tmp_path, captions={})
    assert found.captions.shape[:3] == (5, 2, 1)
    assert not found.caption_mask.any()
    assert not found.captions.any()


def test_a_killed_encoding_goes_on_where_it_stopped(store, clip, audio, tmp_path, monkeypatch):
    whole = encode(store, clip, audio, tmp_path / "whole")
    write, written = core.store.features._write_part, []

    def write_until_killed(*task):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(task[-1])
        write(*task)

    monkeypatch.setattr(core.store.features, "_write_part", write_until_killed)
    with pytest.raises(KeyboardInterrupt):
        encode(store, clip, audio, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))
    again = []
    monkeypatch.setattr(core.store.features, "_write_part", lambda *a: (again.append(a[-1]), write(*a)))
    found = encode(store, clip, audio, tmp_path / "cache")
    assert again == [2, 0, 1, 2]  # the pictures' third shard, then the sounds
    np.testing.assert_array_equal(found.frames, whole.frames)
    assert not list((tmp_path / "cache").glob("*.done"))


def test_pictures_that_nobody_reads_are_not_encoded(store, clip, audio, tmp_path, monkeypatch) -> None:
    """The sounds are. The fingerprint is that of a run that reads all, which encodes the rest later."""
    folder = tmp_path / "features"
    with monkeypatch.context() as patched:
        patched.setattr(ClipBackbone, "encode_images", never)
        patched.setattr(ClipBackbone, "encode_image_tokens", never)
        unread = encode(store, clip, audio, folder, pictures=False, patches=True)
    assert not [file for file in folder.iterdir() if file.name.startswith(("pictures", "patches"))]
    read = encode(store, clip, audio, folder, patches=True)
    assert unread.fingerprint == read.fingerprint
    assert np.array_equal(unread.audio, read.audio)
    for kind in ("frames", "patches"):
        left, right = getattr(unread, kind), getattr(read, kind)
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        assert np.isnan(left).all()
        assert np.isfinite(right).all()
