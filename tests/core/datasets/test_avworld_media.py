"""The media files of a world, decoded again: pixels, rings, sound tracks, and the truth about them."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.dataset import Dataset
from core.datasets.avworld.draw import draw_group
from core.datasets.avworld.generate import Job, make_group
from core.datasets.avworld.grammar import CUE, DECOY
from core.datasets.avworld.pictures import PAINTS, frames
from core.datasets.avworld.reader import load_world, read_scripts
from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.sounds import SYNTHESISERS, synthesise
from core.datasets.avworld.world import WORLDS, SoundWorld
from core.progress import Silent

pytestmark = pytest.mark.slow

SMALL = SoundWorld(train=40, val=20, test=80, test_multi=20)
Shown = list[tuple[ScriptedClip, Path]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(WORLDS, "small", SMALL)
        yield load_world("small", Silent(), workers=1)


@pytest.fixture(scope="module")
def test_clips(world: Dataset) -> Shown:
    scripts = read_scripts("small", "test")
    return [(clip, video.path) for clip, video in zip(scripts, world.splits["test"].videos, strict=True)]


def picture_of(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def sound_of(path: Path) -> NDArray[np.float32]:
    """The decoded sound from time 0 on, whatever the encoder put before."""
    with av.open(str(path)) as container:
        pieces = [(f.pts, f.to_ndarray()[0]) for f in container.decode(audio=0)]
    start = pieces[0][0]
    return np.concatenate([piece for _, piece in pieces])[max(0, -start) :]


def test_every_video_is_a_file_and_captions_point_at_their_video(world: Dataset) -> None:
    for name, split in world.splits.items():
        assert all(video.path.is_file() for video in split.videos)
        scripts = read_scripts("small", name)
        assert [clip.id for clip in scripts] == [video.id for video in split.videos]
        assert [truth.relevant for truth in split.truth or ()] == [clip.relevant for clip in scripts]
        for text, video in zip(split.captions, split.video_of_caption, strict=True):
            assert text in [caption.text for caption in scripts[video].captions]
        assert set(split.video_of_caption) == set(range(len(split.videos)))


def test_clips_of_a_group_decode_to_identical_pixels_and_other_groups_to_others(test_clips: Shown) -> None:
    pixels: dict[str, set[str]] = {}
    for clip, path in test_clips:
        pixels.setdefault(clip.group, set()).add(sha256(picture_of(path).tobytes()).hexdigest())
    assert all(len(digests) == 1 for digests in pixels.values())
    assert len(set.union(*pixels.values())) == len(pixels)


def test_the_decoded_picture_is_the_drawn_one_up_to_compression(test_clips: Shown) -> None:
    for clip, path in test_clips[::8]:
        decoded = picture_of(path)
        assert decoded.shape == (32, 64, 64, 3)
        assert np.abs(decoded.astype(int) - frames(clip.picture)).mean() < 8


def test_objects_and_companions_have_the_colour_that_the_script_says(test_clips: Shown) -> None:
    paints = np.array(list(PAINTS.values()))
    for clip, path in test_clips[::4]:
        decoded = picture_of(path)
        for segment in clip.picture.segments:
            row, column = (9 if side == 0 else 54 for side in divmod(segment.corner, 2)[::-1])
            seen = decoded[(segment.start + segment.end) // 2, row - 2 : row + 3, column - 2 : column + 3]
            nearest = np.abs(paints - seen.reshape(-1, 3).mean(0)).sum(1).argmin()
            assert list(PAINTS)[nearest] == segment.companion


def test_white_arcs_appear_in_ringed_segments_and_nowhere_else(test_clips: Shown) -> None:
    for clip, path in test_clips:
        white = (picture_of(path).min(axis=3) > 210).sum(axis=(1, 2))
        for segment in clip.picture.segments:
            inside = white[segment.start : segment.end]
            assert inside.min() > 30 if segment.ringed else inside.max() < 5


def test_silent_clips_and_only_they_have_no_sound_track(test_clips: Shown) -> None:
    for clip, path in test_clips:
        with av.open(str(path)) as container:
            assert len(container.streams.audio) == (clip.stratum != "silent")
            if container.streams.audio:
                audio = container.streams.audio[0]
                assert (audio.rate, audio.codec_context.layout.nb_channels) == (16_000, 1)


def test_every_span_holds_the_sound_that_the_script_says_and_little_else(test_clips: Shown) -> None:
    for clip, path in test_clips:
        heard = sound_of(path) if clip.sounds else np.zeros(0)
        for sound in clip.sounds:
            start, end = round(sound.start * 16_000), round(sound.end * 16_000)
            others = [
                s for s in clip.sounds if s is not sound and s.start < sound.end and sound.start < s.end
            ]
            if others:
                continue  # sounds that overlap are no copy of either; the test below finds them
            wanted = synthesise(sound.name, sound.seed, end - start)
            assert np.corrcoef(wanted, heard[start:end])[0, 1] > 0.9, f"{clip.id}: {sound.name}"


def test_neither_a_named_sound_nor_its_cue_is_heard_outside_the_truth(test_clips: Shown) -> None:
    for clip, path in test_clips:
        if clip.stratum not in ("partial", "off-screen"):
            continue
        ((start, end),) = clip.relevant
        heard = sound_of(path)
        for inside in (sound for sound in clip.sounds if (sound.start, sound.end) == (start, end)):
            wanted = np.fft.rfft(synthesise(inside.name, inside.seed, round((end - start) * 16_000)), 1 << 17)
            match = np.fft.irfft(np.fft.rfft(heard, 1 << 17) * wanted.conj())[: len(heard)]
            assert abs(int(np.argmax(match)) - round(start * 16_000)) <= 16  # a millisecond


def test_pips_leave_half_of_the_time_to_the_sound_that_they_accompany() -> None:
    for name in (CUE, DECOY):
        wave = synthesise(name, 3, 32_000)
        heard = np.abs(wave).reshape(-1, 100).max(axis=1) > 0.1
        assert 0.45 < heard.mean() < 0.6 and np.count_nonzero(np.diff(heard.astype(int)) == 1) in (15, 16, 17)


def test_a_truth_span_starts_and_ends_where_sampled_frames_do(test_clips: Shown) -> None:
    for clip, _ in test_clips:
        for start, end in clip.relevant:
            inside = [max(0, min(end, (i + 1) / 3) - max(start, i / 3)) for i in range(12)]
            assert sum(inside) == pytest.approx(end - start)
            assert all(
                share == pytest.approx(0, abs=1e-9) or share == pytest.approx(1 / 3) for share in inside
            )


def test_a_group_is_encoded_to_the_same_bytes_again_and_without_the_others(
    test_clips: Shown, tmp_path: Path
) -> None:
    places = {place.name: place for place in SMALL.groups("test")}
    for clip, path in test_clips[::10]:
        make_group(Job(tmp_path, draw_group(SMALL.seed, places[clip.group])))
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", SYNTHESISERS)
def test_every_sound_starts_over_within_a_second(name: str) -> None:
    wave = synthesise(name, 3, 4 * 16_000)
    loudness = np.sqrt(np.mean(wave.reshape(4, -1) ** 2, axis=1))
    assert loudness == pytest.approx(np.ones(4), abs=0.25)
