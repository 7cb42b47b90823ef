"""A clip from as few decoded frames as possible is, bit for bit, that of a pass that decodes every one."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

import core.media.media
from core.media.counting import count_packets
from core.media.demuxing import MediaError, opened
from core.media.describing import describe
from core.media.hearing import OURS
from core.media.looking import LookSettings, hear_file, look_into
from core.media.media import Clip, decode_clip
from core.media.sparse_pass import KeptPackets, uses_of, why_whole
from tests.core.media_files import tone

pytestmark = pytest.mark.slow

CASES = Path(__file__).parent / "cases"
SHARED = Path(__file__).parents[3] / ".." / "shared" / "clips"
FRAMES, FPS = 60, 10
HOW = [
    {"sampling": "segment-centres", "frames": 5},
    {"sampling": "one-per-second", "frames": 12},
    {"sampling": "segment-centres", "frames": 3, "start": 2.1, "end": 4.3},
    {"sampling": "one-per-second", "frames": 4, "start": 0.4},
]
"""Arguments of `decode_clip`."""

SPARSE = {
    "B frames": {"options": {"g": "20", "bf": "3"}},
    "one group": {"options": {"g": "600"}},
    "key frames only": {"options": {"g": "1"}},
    "no B frames": {"options": {"bf": "0", "g": "12"}},
    "baseline": {"options": {"profile": "baseline", "g": "25"}},
    "pyramid": {"options": {"x264-params": "b-pyramid=normal:bframes=8:b-adapt=0:keyint=40"}},
    "long references": {"options": {"x264-params": "ref=8:bframes=2:weightp=2:keyint=40"}},
    "open groups": {"options": {"x264-params": "open-gop=1:keyint=15:bframes=3:b-adapt=0"}},
    "slices": {"options": {"x264-params": "slices=4:bframes=2:keyint=20"}},
    "headers repeated": {"options": {"x264-params": "repeat-headers=1:aud=1:bframes=2:keyint=15"}},
    "late start": {"options": {"g": "20", "bf": "3"}, "delay": 7},
    "one frame": {"options": {}, "frames": 1},
    "mp4": {"options": {"g": "20", "bf": "3"}, "name": "clip.mp4"},
    "mp4, no edit list": {
        "options": {"g": "20", "bf": "3"},
        "name": "clip.mp4",
        "mux": {"use_editlist": "0"},
    },
}
"""Arguments of `film` for files of which a few frames are decoded."""

WHOLE = {
    "mpeg4": ({"codec": "mpeg4", "options": {"bf": "2"}}, "only H.264"),
    "vp9": ({"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}, "only H.264"),
    "hevc": ({"codec": "libx265", "options": {"x265-params": "bframes=2:log-level=none"}}, "only H.264"),
    "transport stream": ({"name": "clip.ts", "options": {"bf": "2"}}, "stored with their lengths"),
    "variable rate": ({"options": {"bf": "2"}, "pace": lambda number: number * 1 + number**2 // 16}, "rate"),
    "long still": ({"options": {"bf": "2"}, "pace": lambda number: number + 20 * (number > 30)}, "rate"),
    "interlaced": ({"options": {"x264-params": "tff=1:bframes=2"}}, ""),
    "periodic refresh": ({"options": {"x264-params": "intra-refresh=1:keyint=20:bframes=0"}}, None),
}
"""Arguments for files that are decoded whole, and part of what says so; empty: known in decoding only."""


def film(
    folder: Path,
    *,
    options: dict[str, str],
    codec: str = "libx264",
    name: str = "clip.mkv",
    frames: int = FRAMES,
    delay: int = 0,
    pace: Callable[[int], int] = int,
    mux: dict[str, str] | None = None,
) -> Path:
    """A moving, noisy film with a tone; frame n is shown at tick `pace(n)` of 1/10 s."""
    draw = np.random.default_rng(3)
    wide = np.kron(draw.integers(0, 200, (12, 40, 3)), np.ones((8, 8, 1))).astype(np.int16)
    path = folder / name
    with av.open(path, "w", options=mux or {}) as container:
        picture = container.add_stream(codec, rate=FPS, options=options)
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        track = container.add_stream("aac", rate=16_000, layout="mono")
        for number in range(frames):
            view = wide[number // 4 : number // 4 + 64, 2 * number : 2 * number + 96]
            noisy = (view + draw.integers(0, 40, view.shape)).clip(0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24")
            frame.pts = pace(number) + delay
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        length = max(1, pace(frames - 1)) / FPS
        wave = np.rint(tone(440, 0.1, length, length, 16_000) * 32767).astype(np.int16)
        for first in range(0, wave.size, 1024):
            block = av.AudioFrame.from_ndarray(wave[None, first : first + 1024], format="s16", layout="mono")
            block.sample_rate, block.pts = 16_000, first
            container.mux(track.encode(block))
        container.mux(track.encode())
    return path


def clip_or_reason(path: Path, **how: object) -> Clip | str:
    """A clip, or why there is none."""
    try:
        return decode_clip(path, size=32, **how)
    except MediaError as error:
        return error.reason


def assert_equal_to_whole(path: Path, how: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Compares a clip with that of a whole pass; whether it came from a sparse one."""
    taken, read = [], core.media.media.read_sparsely
    with monkeypatch.context() as patched:
        patched.setattr(core.media.media, "read_sparsely", lambda *of: taken.append(read(*of)) or taken[-1])
        found = clip_or_reason(path, **how)
    with monkeypatch.context() as patched:
        patched.setattr(core.media.media, "why_whole", lambda *_: "the oracle")
        whole = clip_or_reason(path, **how)
    if isinstance(found, str) or isinstance(whole, str):
        assert found == whole
        return False
    assert [one and one.layout for one in found.frames.pictures] == [
        one and one.layout for one in whole.frames.pictures
    ]
    for one, other in zip(found.frames.pictures, whole.frames.pictures, strict=True):
        assert one is None or np.array_equal(one.data, other.data)
    assert found.frames.times.tolist() == whole.frames.times.tolist()
    assert found.frames.mask.tolist() == whole.frames.mask.tolist()
    assert (found.frames.duration, found.frames.fps) == (whole.frames.duration, whole.frames.fps)
    assert found.states == whole.states
    assert np.array_equal(found.sound.planes, whole.sound.planes)
    assert found.sound.runs == whole.sound.runs
    return any(one is not None for one in taken)


def reason(path: Path) -> str:
    """Why a file is decoded whole."""
    kept = KeptPackets()
    with opened(path) as container:
        packets = count_packets(container, (0.0, None), kept.add)
        return why_whole(container, packets, kept, (0.0, None), packets.end)


def places(path: Path) -> list[tuple[str, int, int, int]]:
    """Of each packet of a picture: how it is used, where it is in its file, its size and its number."""
    kept = KeptPackets()
    with opened(path) as container:
        count_packets(container, (0.0, None), kept.add)
        order = sorted(packet.pts for packet in kept.packets)
        uses = uses_of(container, kept)
        assert uses is not None
        return [
            (use, path.read_bytes().index(bytes(packet)), packet.size, order.index(packet.pts))
            for use, packet in zip(uses, kept.packets, strict=True)
        ]


def damaged(path: Path, at: int, count: int) -> Path:
    """A copy of a file with some bytes inverted."""
    content = bytearray(path.read_bytes())
    content[at : at + count] = bytes(255 - value for value in content[at : at + count])
    copy = path.with_name(f"damaged-{at}-{path.name}")
    copy.write_bytes(content)
    return copy


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with B frames, three groups of pictures."""
    return film(tmp_path_factory.mktemp("usual"), options={"g": "20", "bf": "3"}, name="clip.mp4")


@pytest.mark.parametrize("name", SPARSE)
def test_few_frames_are_decoded_of_a_plain_film(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path, **SPARSE[name])
    assert reason(path) == ""
    assert assert_equal_to_whole(path, HOW[0], monkeypatch)
    sparse = [assert_equal_to_whole(path, how, monkeypatch) for how in HOW[1:]]
    # Windows of these begin with leading frames, before the first frame or behind the last.
    assert all(sparse) or name in ("open groups", "late start", "one frame")


@pytest.mark.parametrize("name", WHOLE)
def test_other_films_are_decoded_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how, why = WHOLE[name]
    path = film(tmp_path, **how)
    sparse = [assert_equal_to_whole(path, how, monkeypatch) for how in HOW]
    if why is not None:
        assert why in reason(path)
        assert not any(sparse)


@pytest.mark.parametrize("path", sorted(p for p in CASES.iterdir() if p.is_file()), ids=lambda p: p.name)
def test_awkward_files_are_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = assert_equal_to_whole(path, HOW[0], monkeypatch)
    assert not (sparse and "flip" in path.name)  # mirrored


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips are not here")
@pytest.mark.parametrize("how", HOW[:3], ids=["centres", "seconds", "window"])
def test_the_shared_clips_are_the_same(how: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(p for p in SHARED.iterdir() if p.is_file() and p.suffix != ".json")
    assert sum(assert_equal_to_whole(path, how, monkeypatch) for path in files) >= 8


def test_a_film_whose_edit_list_cuts_frames_is_decoded_whole(
    usual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = tmp_path / "cut.mp4"
    with (
        av.open(usual) as source,
        av.open(cut, "w", options={"avoid_negative_ts": "disabled"}) as container,
    ):
        track = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                shift = round(0.7 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, track
                container.mux(packet)
    assert "edit list" in reason(cut)
    for how in HOW:
        assert not assert_equal_to_whole(cut, how, monkeypatch)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_truncated_films_are_the_same(share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path, options={"g": "20", "bf": "3"})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    states = [assert_equal_to_whole(path, how, monkeypatch) for how in HOW]
    assert len(states) == len(HOW)
    assert ("incomplete" in decode_clip(path, size=32, **HOW[0]).states) == (share < 0.9)


@pytest.mark.parametrize("use", ["key", "reference"])
def test_damage_that_reaches_a_wanted_frame_is_seen_and_the_film_decoded_whole(
    use: str, usual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, size = next((at, size) for kind, at, size, _ in places(usual)[20:] if kind == use)
    path = damaged(usual, at + 5, size - 5)  # all behind the first byte of its unit
    for how in HOW[:2]:
        assert not assert_equal_to_whole(path, how, monkeypatch)
    assert "damaged" in decode_clip(path, size=32, **HOW[0]).states


def test_units_that_do_not_fill_their_packet_are_seen_wherever_they_are(
    usual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = next(at for use, at, _, number in places(usual) if use == "disposable" and number > 30)
    path = damaged(usual, at, 4)  # the length of its first unit
    assert not assert_equal_to_whole(path, HOW[0], monkeypatch)
    assert "damaged" in decode_clip(path, size=32, **HOW[0]).states


def test_damage_inside_a_frame_that_nobody_wants_is_left_to_checks_and_looks(usual: Path) -> None:
    wanted = {round(float(time) * FPS) for time in decode_clip(usual, size=32, **HOW[0]).frames.times}
    at, size = next(
        (at, size)
        for use, at, size, number in places(usual)
        if use == "disposable" and number > 12 and number not in wanted and size > 100
    )
    path = damaged(usual, at + 12, size - 12)  # behind its slice's header
    found, sound = decode_clip(path, size=32, **HOW[0]), decode_clip(usual, size=32, **HOW[0])
    assert "damaged" not in found.states
    assert "damaged" in describe(path).picture.states
    seen = look_into(path, hear_file(path, "own track", OURS), LookSettings(frames=5)).clip
    assert seen and "damaged" in seen.states
    pairs = zip(found.frames.pictures, sound.frames.pictures, strict=True)
    assert all(one and other and np.array_equal(one.data, other.data) for one, other in pairs)


def test_a_track_too_large_to_keep_is_read_again(usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.media.sparse_pass.MOST_BYTES", 2_000)
    assert "bytes" in reason(usual)
    assert not assert_equal_to_whole(usual, HOW[0], monkeypatch)


def test_times_that_are_missing_or_early_ask_for_a_whole_pass(usual: Path) -> None:
    kept = KeptPackets()
    with opened(usual) as container:
        packets = count_packets(container, (0.0, None), kept.add)

        def why() -> str:
            return why_whole(container, packets, kept, (0.0, None), packets.end)

        assert why() == ""
        second = kept.packets[1]
        before = second.pts
        third = kept.packets[2].pts
        stamps = {third - 1: "rate", None: "missing", third: "twice", -5: "before the first key"}
        for stamp, expected in stamps.items():
            second.pts = stamp
            assert expected in why()
        second.pts = before
        kept.packets.pop(0)
        assert "before the first key" in why()
