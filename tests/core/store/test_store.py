"""The store holds what the media files decode to, survives a kill, and never passes for another store."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

import core.store.store
import core.supervisor
from core.dataset import Video
from core.errors import BenchError
from core.media.hearing import heard
from core.media.media import decode_clip
from core.progress import Silent
from core.store.estimate import estimate
from core.store.manifest import MANIFEST, TABLE
from core.store.reading import ClipReader, hear, see
from core.store.storage import Store
from core.store.store import StoreSettings, prepare_store
from core.supervisor import CONTEXT
from core.workers import watched
from tests.core.media_files import write_media
from tests.core.store.conftest import SETTINGS, contents, never, prepare


def prepare_in_shards_of_two(videos, folder: Path) -> None:
    core.store.store.SHARD_CLIPS = 2  # in a process of its own
    CONTEXT.set_forkserver_preload(
        ["core.store.shards"]
    )  # its server begins anew, and must not import for long
    prepare(videos, folder)


def test_store_returns_what_decoding_returns(videos, tmp_path):
    store = prepare(videos, tmp_path / "store")
    assert store.ids == ("a", "b", "c", "d", "d2")
    assert store.has_audio.tolist() == [True, True, False, True, True]
    assert store.status == ("audible", "silent", "no-track", "audible", "audible")
    for row, video in enumerate(videos):
        clip = decode_clip(
            video.path, sampling="segment-centres", frames=4, size=32, start=video.start, end=video.end
        )
        np.testing.assert_array_equal(store.frames(row), clip.frames.pixels)
        np.testing.assert_array_equal(store.times[row], clip.frames.times)
        np.testing.assert_array_equal(store.mask[row], clip.frames.mask)
        np.testing.assert_allclose(store.waveform(row), heard(clip.sound, clip.frames.duration), atol=1e-7)
        assert store.duration[row] == pytest.approx(clip.frames.duration)


def test_planes_and_sound_are_views_of_the_file(videos, tmp_path):
    store = prepare(videos, tmp_path / "store")
    assert isinstance(store.planes(1).base, np.ndarray)
    assert store.planes(1).dtype == np.uint8
    assert store.samples(0).dtype == np.int16
    assert isinstance(store.samples(0).base, np.ndarray)
    assert store.samples(2).size == 0


def test_workers_write_the_same_store(videos, tmp_path):
    one, two = (prepare(videos, tmp_path / str(n), workers=n) for n in (1, 2))
    assert contents(one.folder) == contents(two.folder)


def test_a_second_preparation_decodes_no_media(videos, tmp_path, monkeypatch):
    first = prepare(videos, tmp_path / "store")
    for name in ("hear", "see"):
        monkeypatch.setattr(core.store.store, name, never)
    assert prepare(videos, tmp_path / "store").fingerprint == first.fingerprint


@pytest.mark.slow
def test_a_preparation_killed_at_any_moment_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(core.store.store, "SHARD_CLIPS", 2)
    draw = np.random.default_rng(0)
    clips = [
        Video(str(i), write_media(tmp_path / f"{i}.mkv", draw.integers(0, 256, (6, 48, 64, 3), np.uint8)))
        for i in range(10)
    ]
    whole = prepare(clips, tmp_path / "whole")
    kills = 0
    while not (tmp_path / "store" / MANIFEST).exists():
        before = len(list((tmp_path / "store").glob("*.parquet")))
        process = CONTEXT.Process(target=prepare_in_shards_of_two, args=(clips, tmp_path / "store"))
        process.start()
        while process.is_alive() and len(list((tmp_path / "store").glob("*.parquet"))) <= before:
            time.sleep(0.001)
        process.join(draw.uniform(0, 0.03))
        process.kill()
        process.join()
        kills += process.exitcode != 0
    assert kills >= 2
    prepare(clips, tmp_path / "store")  # tidies where the last one was killed after its manifest
    found, expected = contents(tmp_path / "store"), contents(whole.folder)
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []


@pytest.mark.parametrize("shards_done", [0, 1, 2])
def test_a_killed_preparation_goes_on_where_it_stopped(videos, tmp_path, monkeypatch, shards_done):
    whole = prepare(videos, tmp_path / "whole")

    def until_killed(function, shards, *how):
        yield from watched(function, shards[:shards_done], *how)
        (tmp_path / "store" / f".pixels-{shards_done:05d}.npy.999.part").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(core.store.store, "watched", until_killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(videos, tmp_path / "store")
    with pytest.raises(BenchError, match="is no finished store"):
        Store.open(tmp_path / "store")
    written = []

    def noting(function, shards, *how):
        written.extend(shard.number for shard in shards)
        return watched(function, shards, *how)

    monkeypatch.setattr(core.store.store, "watched", noting)
    prepare(videos, tmp_path / "store")
    assert written == list(range(shards_done, 3))
    assert contents(tmp_path / "store") == contents(whole.folder)


def test_shards_of_another_plan_are_not_reused(videos, tmp_path, monkeypatch):
    finish = core.store.store._finish
    monkeypatch.setattr(core.store.store, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prepare(videos, tmp_path / "store", StoreSettings(frames=4, size=16))
    monkeypatch.setattr(core.store.store, "_finish", finish)
    assert prepare(videos, tmp_path / "store").frames(0).shape == (4, 32, 48, 3)


@pytest.mark.parametrize(
    ("settings", "fingerprint", "says"),
    [
        (StoreSettings(frames=8, size=32), "f", "was made with frames=4, not 8"),
        (
            StoreSettings(frames=4, size=32, sampling="one-per-second"),
            "f",
            "was made with sampling=segment-centres",
        ),
        (StoreSettings(frames=4, size=32), "g", "was made of another version of the data set"),
    ],
)
def test_a_store_of_other_settings_is_refused_with_the_remedy(videos, tmp_path, settings, fingerprint, says):
    prepare(videos, tmp_path / "store")
    with pytest.raises(BenchError, match=f"{says}.*delete the folder"):
        prepare(videos, tmp_path / "store", settings, fingerprint)


def test_a_store_of_other_clips_is_refused(videos, tmp_path):
    prepare(videos, tmp_path / "store")
    with pytest.raises(BenchError, match="another version of the data set"):
        prepare(videos[::-1], tmp_path / "store")


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["pixels-00001.npy", "sound-00000.npy", TABLE])
def test_a_truncated_or_missing_file_is_named(videos, tmp_path, name):
    file = prepare(videos, tmp_path / "store").folder / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BenchError, match=f"{name} has .* bytes, not .*; delete the folder"):
        Store.open(file.parent)
    file.unlink()
    with pytest.raises(BenchError, match=f"{name} is missing"):
        Store.open(file.parent)


def test_a_flipped_bit_in_the_table_is_found_on_opening(videos, tmp_path):
    damaged(prepare(videos, tmp_path / "store").folder / TABLE)
    with pytest.raises(BenchError, match=f"{TABLE} is damaged"):
        Store.open(tmp_path / "store")


def test_a_flipped_bit_in_the_pixels_is_found_by_verifying(videos, tmp_path):
    store = prepare(videos, tmp_path / "store")
    damaged(store.folder / "pixels-00001.npy")
    store.verify(0)
    with pytest.raises(BenchError, match=r"pixels-00001\.npy is damaged"):
        store.verify(1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1}'])
def test_an_unreadable_manifest_is_one_line(videos, tmp_path, text):
    (prepare(videos, tmp_path / "store").folder / MANIFEST).write_text(text)
    with pytest.raises(BenchError, match=f"{MANIFEST}.*; delete the folder") as error:
        Store.open(tmp_path / "store")
    assert "\n" not in str(error.value)


def test_clips_that_do_not_decode_are_counted_and_nothing_passes_for_a_store(videos, tmp_path):
    broken = [*videos, Video("x", tmp_path / "x.mp4"), Video("y", tmp_path / "y.mp4")]
    with pytest.raises(
        BenchError, match=r"2 of 7 clips have no picture that decodes; first: .*x\.mp4: no such file"
    ):
        prepare(broken, tmp_path / "store")
    assert not (tmp_path / "store" / MANIFEST).exists()


def test_clips_that_do_not_decode_can_be_kept_as_rows_without_a_frame(videos, tmp_path):
    broken = [videos[0], Video("x", tmp_path / "x.mp4"), videos[1]]
    folder, how = tmp_path / "store", {"workers": 1, "progress": Silent()}
    store = prepare_store(broken, "f", SETTINGS, folder, keep_undecodable=True, **how)
    assert store.undecodable.tolist() == [False, True, False]
    assert (store.reason[1], store.status[1], store.duration[1]) == ("no such file", "undecodable", 0)
    assert store.frames(1).shape == (4, 32, 32, 3)
    assert not store.frames(1).any()
    assert not store.has_audio[1]
    whole = prepare(videos, tmp_path / "whole")
    for row in (0, 1):
        np.testing.assert_array_equal(store.frames(2 * row), whole.frames(row))
        np.testing.assert_array_equal(store.samples(2 * row), whole.samples(row))
    with pytest.raises(BenchError, match=r"1 of 3 clips .*x\.mp4: no such file; replace them, or pass"):
        prepare(broken, folder)


def test_what_decoding_will_take_is_said_before_it_begins(videos, tmp_path):
    lines = []

    class Listening(Silent):
        def say(self, line):
            assert not list((tmp_path / "store").glob("*.npy"))
            lines.append(line)

    for _ in range(2):
        prepare_store(videos, "f", SETTINGS, tmp_path / "store", workers=2, progress=Listening())
    assert len(lines) == 1
    assert re.fullmatch(
        r"decoding 5 clips once: about 0\.\d MB in .*store, about 1 s with 2 processes", lines[0]
    )


def test_a_full_disk_is_refused_before_decoding(videos, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(BenchError, match=r"0\.0 MB are free"):
        prepare(videos, tmp_path / "store")


def test_the_estimate_is_of_the_right_size(videos, tmp_path):
    store = prepare(videos, tmp_path / "store")
    size = sum(store.frames(r).nbytes + store.samples(r).nbytes for r in range(len(store)))
    assert 0.4 * size < estimate(videos, ClipReader(hear, see, SETTINGS)).size < 2.5 * size


def test_the_manifest_says_what_the_store_is(videos, tmp_path):
    store = prepare(videos, tmp_path / "store", fingerprint="of the data set")
    manifest = json.loads((store.folder / MANIFEST).read_text())
    assert manifest["dataset"] == "of the data set"
    assert manifest["settings"] == {
        "frames": 4,
        "sampling": "segment-centres",
        "size": 32,
        "reader": "own",
        "sound": "track",
    }
