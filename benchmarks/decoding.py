"""Decoding of clips, beside what else a loader could do, on the same files and in one process.

`python -m benchmarks.decoding [FOLDER]` takes the clips of FOLDER, or clips that it makes (320 x 240, 30
frames per second, 10 s, H.264 and AAC, as MSR-VTT's). Twelve frames and the sound of each:

- ours: the wanted frames and those that they need, where the file's packets tell the rest (see
  `core.media.sparse_pass`);
- ours, whole: every frame decodes, as for files whose packets do not tell;
- ours, whole, sound by frame: the same with a conversion of sound per frame;
- PyAV: one pass that decodes every frame, no checks; the sound frame by frame;
- OpenCV, where it is installed: a seek for every frame, as the authors' loaders do; no sound;
- torchcodec: its frames at the same numbers; no sound. It takes FFmpeg's libraries from the system, or those
  of PyAV where the system has none.

Then the sound alone, converted frame by frame and in blocks, whose samples must be equal. The frames, times,
sound and states of ours must be those of the whole pass, and on the files that it makes its pixels PyAV's.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import av
import numpy as np
import torch
from numpy.typing import NDArray

import core.media.media
import core.media.waveform
from benchmarks.paired import in_turn, table_of
from benchmarks.store_access import write_clip
from core.cli.shell import console
from core.media.describing import describe
from core.media.listening import listen
from core.media.media import Clip, decode_clip
from core.media.planes import pack, rgb
from core.media.sampling import segment_centres

FRAMES, MADE = 12, 3
LINKED = "BENCH_DECODING_LINKED"
"""In the environment of a program that was started again (see `start_again_with_libraries`)."""
RATE, SECONDS = 44_100, 10


def with_sound(path: Path, seed: int) -> Path:
    """A clip of `write_clip` with stereo noise under it."""
    silent = write_clip(path.with_name(f"silent-{path.name}"), seed)
    draw = np.random.default_rng(seed)
    with av.open(silent) as source, av.open(path, "w") as container:
        picture = container.add_stream_from_template(source.streams.video[0])
        track = container.add_stream("aac", rate=RATE, layout="stereo")
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = picture
                container.mux(packet)
        for first in range(0, RATE * SECONDS, 1024):
            block = draw.integers(-9000, 9000, (1, 2048), dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = RATE, first
            container.mux(track.encode(frame))
        container.mux(track.encode())
    silent.unlink()
    return path


def by_pyav(path: Path) -> list[NDArray[np.uint8]]:
    """The wanted frames of one pass, and its sound frame by frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        count = stream.frames or describe(path).picture.frames
        wanted = set(segment_centres(count, FRAMES))
        found = [pack(f) for n, f in enumerate(container.decode(stream)) if n in wanted]
    with av.open(str(path)) as container:
        if container.streams.audio:
            resampler = av.AudioResampler(format="s16")
            for frame in container.decode(container.streams.audio[0]):
                frame.pts = None
                for part in resampler.resample(frame):
                    part.to_ndarray()
    return [rgb(layout, data, "flagged") for layout, data in found]


def by_opencv(path: Path) -> list[NDArray[np.uint8]]:
    """A seek for every frame."""
    import cv2

    capture = cv2.VideoCapture(str(path))
    found = []
    for number in segment_centres(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), FRAMES):
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        found.append(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB))
    return found


def start_again_with_libraries() -> None:
    """Starts again so that torchcodec finds PyAV's FFmpeg by its usual names, if there is no other.

    A loader reads where to look only when a program starts.
    """
    if LINKED in os.environ or find_spec("torchcodec") is None or find_library("avcodec"):
        return
    libraries = Path(av.__file__).parent.with_name("av.libs")
    with tempfile.TemporaryDirectory() as folder:
        for library in [*libraries.glob("libav*-*.so.*"), *libraries.glob("libsw*-*.so.*")]:
            # libavutil-5809ad29.so.60.26.102 becomes libavutil.so.60
            name, _, version = library.name.partition(".so.")
            (Path(folder) / f"{name.partition('-')[0]}.so.{version.partition('.')[0]}").symlink_to(library)
        places = os.pathsep.join(filter(None, (folder, os.environ.get("LD_LIBRARY_PATH"))))
        command = [sys.executable, "-m", "benchmarks.decoding", *sys.argv[1:]]
        done = subprocess.run(command, env={**os.environ, "LD_LIBRARY_PATH": places, LINKED: "1"})
    sys.exit(done.returncode)


def by_torchcodec(path: Path) -> torch.Tensor:
    """Its frames at the same numbers."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1)
    frames: torch.Tensor = decoder.get_frames_at(segment_centres(len(decoder), FRAMES)).data
    return frames


def clip_of(path: Path) -> Clip:
    """As a store decodes."""
    return decode_clip(path, sampling="segment-centres", frames=FRAMES, size=224)


def colours_of(clip: Clip) -> list[NDArray[np.uint8]]:
    """The frames of a clip as RGB."""
    return [rgb(p.layout, p.data, "flagged") for p in clip.frames.pictures if p is not None]


def ours(path: Path) -> list[NDArray[np.uint8]]:
    """As a store decodes."""
    return colours_of(clip_of(path))


def ours_whole(path: Path) -> list[NDArray[np.uint8]]:
    """As a store decodes files whose packets do not tell enough."""
    with every_frame():
        return ours(path)


@contextmanager
def every_frame() -> Iterator[None]:
    """Inside the block every frame is decoded."""
    with patch.object(core.media.media, "why_whole", lambda *_: "a benchmark asks for it"):
        yield


def assert_equal_to_whole(path: Path) -> None:
    """Frames, times, sound and states are those of a pass that decodes every frame."""
    found = clip_of(path)
    with every_frame():
        whole = clip_of(path)
    assert len(found.frames.pictures) == len(whole.frames.pictures), path
    for one, other in zip(found.frames.pictures, whole.frames.pictures, strict=True):
        assert (one is None) == (other is None), path
        if one is not None and other is not None:
            assert one.layout == other.layout, path
            assert np.array_equal(one.data, other.data), path
    assert np.array_equal(found.frames.times, whole.frames.times), path
    assert np.array_equal(found.frames.mask, whole.frames.mask), path
    assert np.array_equal(found.sound.planes, whole.sound.planes), path
    assert (found.frames.duration, found.states) == (whole.frames.duration, whole.states), path


def ours_by_frame(path: Path) -> list[NDArray[np.uint8]]:
    """As a store decodes without anything that is left out or put together."""
    with every_frame(), each_conversion():
        return ours(path)


def sound_by_frame(path: Path) -> NDArray[np.int16]:
    """The sound with a conversion per frame."""
    with each_conversion():
        return sound_in_blocks(path)


@contextmanager
def each_conversion() -> Iterator[None]:
    """Inside the block sound is converted frame by frame."""
    with patch.object(core.media.waveform, "BLOCK_SECONDS", 0.0):
        yield


def sound_in_blocks(path: Path) -> NDArray[np.int16]:
    """The sound as it is."""
    return listen(path, "own track").sound.planes


def over(function: Callable[[Path], object], paths: list[Path]) -> Callable[[], object]:
    """A function of each of the files."""
    return lambda: [function(path) for path in paths]


def main(folder: Path | None) -> None:
    """Prints both tables."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            paths = [with_sound(Path(temporary) / f"{seed}.mp4", seed) for seed in range(MADE)]
            for path in paths:
                for left, right in zip(ours(path), by_pyav(path), strict=True):
                    assert np.array_equal(left, right), f"{path}: ours and PyAV's pixels differ"
        else:
            paths = [path for path in sorted(folder.iterdir()) if describe(path).picture.decodable]
        for path in paths:
            assert np.array_equal(sound_by_frame(path), sound_in_blocks(path)), path
            assert_equal_to_whole(path)
        others: dict[str, Callable[[Path], object]] = {
            "OpenCV, a seek per frame": by_opencv,
            "torchcodec": by_torchcodec,
        }
        forms = {"PyAV, every frame": over(by_pyav, paths)}
        for name, function in others.items():
            try:
                function(paths[0])
            except (ImportError, OSError, RuntimeError) as error:  # torchcodec needs FFmpeg's own libraries
                console.print(f"{name}: not used ({str(error).strip().splitlines()[0]})", markup=False)
            else:
                forms[name] = over(function, paths)
        forms["ours, whole, sound by frame"] = over(ours_by_frame, paths)
        forms["ours, whole"] = over(ours_whole, paths)
        forms["ours"] = over(ours, paths)
        scale = 1e3 / len(paths)
        console.print(
            table_of(f"12 frames and sound, {len(paths)} clips", in_turn(forms), scale, "ms a clip")
        )
        sounds = {"frame by frame": over(sound_by_frame, paths), "in blocks": over(sound_in_blocks, paths)}
        console.print(table_of("sound alone", in_turn(sounds), scale, "ms a clip"))


if __name__ == "__main__":
    start_again_with_libraries()
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
