"""Random access to the frames of a clip: from both kinds of store, and decoded from the media file.

`python -m benchmarks.store_access [FOLDER]` prepares stores of the clips in FOLDER (or of clips that it
makes: 320 x 240, 30 frames per second, 10 s, H.264, as MSR-VTT's), under `data.frames_as` raw and jpeg, then
reads clips in random order, the three ways in turn in one process, every file in the system's cache, and
prints medians, sizes of the pictures on disk, and what JPEG loses.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.table import Table

from core.cli.bars import Bars
from core.cli.shell import console
from core.dataset import Video
from core.media.describing import describe
from core.media.media import decode_frames
from core.progress import bytes_in_words
from core.store.jpeg import jpeg_in_words
from core.store.store import Store, StoreSettings, prepare_store

SETTINGS = StoreSettings(frames=12, size=224)
ROUNDS = 5
"""Times that each clip is read each way."""
MADE = 6
"""Clips that are made where no folder is named."""


def write_clip(path: Path, seed: int) -> Path:
    """A clip of drifting, slightly noisy shapes: neither trivial nor impossible to compress."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    wide = np.asarray(coarse.resize((620, 400), Image.Resampling.BICUBIC))
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in range(300):
            view = wide[frame // 2 : frame // 2 + 240, frame : frame + 320].astype(np.int16)
            noisy = (view + draw.integers(-6, 7, view.shape)).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode())
    return path


def readers(
    raw: Store, jpeg: Store, videos: Sequence[Video]
) -> dict[str, Callable[[int], NDArray[np.uint8]]]:
    """The ways to the frames `(F, h, w, 3)` of a row of the stores, by name."""

    def from_media(row: int) -> NDArray[np.uint8]:
        return decode_frames(videos[row].path, sampling="segment-centres", frames=12, size=224).pixels

    return {"media file": from_media, "JPEG": jpeg.frames, "raw": raw.frames}


def picture_bytes(store: Store) -> int:
    """What the pictures of a store take on disk."""
    names = (*store.folder.glob("pixels-*.npy"), *store.folder.glob("resized-*.npy"))
    return sum(file.stat().st_size for file in names)


def measure(raw: Store, jpeg: Store, videos: Sequence[Video]) -> dict[str, list[float]]:
    """Processor seconds per clip of each way, all ways in turn for one clip after the other."""
    ways = readers(raw, jpeg, videos)
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(raw)), ROUNDS))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for row in order:
        for name, read in ways.items():
            begun = process_time()
            read(int(row))
            seconds[name].append(process_time() - begun)
    return seconds


def main(folder: Path | None) -> None:
    """Prepares, measures and prints."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            paths = [write_clip(Path(temporary) / f"{seed}.mp4", seed) for seed in range(MADE)]
        else:
            paths = [path for path in sorted(folder.iterdir()) if describe(path).picture.decodable]
        videos = [Video(path.name, path) for path in paths]
        kinds = (SETTINGS, SETTINGS.model_copy(update={"frames_as": "jpeg"}))
        raw, jpeg = (
            prepare_store(
                videos,
                "benchmark",
                settings,
                Path(temporary) / f"store-{number}",
                workers=1,
                progress=Bars(console),
            )
            for number, settings in enumerate(kinds)
        )
        seconds = measure(raw, jpeg, videos)
        sizes = {"media file": 0, "JPEG": picture_bytes(jpeg), "raw": picture_bytes(raw)}
        assert jpeg.jpeg_error is not None
        loses = jpeg_in_words(jpeg.jpeg_error)
    reference = statistics.median(seconds["media file"])
    table = Table("12 frames from", "ms CPU per clip (median)", "faster", "per 10,000 clips")
    for name, measured in seconds.items():
        median = statistics.median(measured)
        size = bytes_in_words(sizes[name] / len(videos) * 10_000) if sizes[name] else "–"
        table.add_row(name, f"{1000 * median:.2f}", f"{reference / median:.1f} x", size)
    console.print(table)
    per_read = [media / read for media, read in zip(seconds["media file"], seconds["raw"], strict=True)]
    median, low = np.quantile(per_read, (0.5, 0.05))
    console.print(
        f"{len(videos)} clips; a read from the raw store against the same from its media file: "
        f"{median:.0f} x in the median, {low:.0f} x at the 5th percentile; {loses}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
