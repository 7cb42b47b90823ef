"""Small media files with known pictures and sounds, written by the tests themselves."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def grey_ramp(frames: int, height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """Frames `(F, h, w, 3)` of one grey each: frame i is 8 i bright."""
    levels = np.arange(frames, dtype=np.uint8) * 8
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3)).copy()


def tone(
    frequency: float, start: float, end: float, duration: float, rate: int, amplitude: float = 0.5
) -> NDArray[np.float32]:
    """A waveform `(n,)` of `duration` seconds that sounds between two times."""
    t = np.arange(round(duration * rate)) / rate
    wave = amplitude * np.sin(2 * np.pi * frequency * t) * ((t >= start) & (t < end))
    return wave.astype(np.float32)


def write_media(
    path: Path,
    pixels: NDArray[np.uint8] | None = None,
    *,
    fps: int | Fraction = 10,
    sound: Sequence[NDArray[np.float32]] | None = None,
    rate: int = 16_000,
    layout: str = "mono",
    codec: str = "ffv1",
    sound_codec: str | None = None,
    format: str | None = "matroska",
) -> Path:
    """Writes a file with picture and sound (one waveform per channel), lossless unless codecs say other."""
    sound_codec = sound_codec or ("pcm_s16le" if codec == "ffv1" else "aac")
    with av.open(path, "w", format=format) as container:
        picture = track = None
        if pixels is not None:
            picture = container.add_stream(codec, rate=fps)
            picture.height, picture.width = pixels.shape[1:3]
            picture.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        if sound is not None:
            track = container.add_stream(sound_codec, rate=rate, layout=layout)
        for image in pixels if pixels is not None else ():
            container.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        if picture is not None:
            container.mux(picture.encode())
        if sound is not None:
            samples = np.stack(sound, axis=1).reshape(1, -1)
            for first in range(0, samples.shape[1], 1024 * len(sound)):
                block = samples[:, first : first + 1024 * len(sound)]
                packed = np.rint(block * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = first // len(sound)
                container.mux(track.encode(frame))
            container.mux(track.encode())
    return path


def greys(frames) -> list[int]:
    """Which frame of a `grey_ramp` each sampled frame is."""
    return (frames.pixels.mean(axis=(1, 2, 3)) / 8).round().astype(int).tolist()
