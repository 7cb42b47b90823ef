"""Clips small enough to be embedded: a strip of frames and the sound, as data URLs."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.store.store import Store

PAGE_HEIGHT = 72
"""Of a frame in the strip, pixels."""
PAGE_FRAMES = 12
"""At most so many in a strip."""
PAGE_SECONDS = 20
"""Of sound at most; longer clips are cut."""
PAGE_RATE, BITS = 16_000, 24_000
"""Of the sound: samples per second, as in the store, and bits per second."""


@dataclass(frozen=True)
class PageClip:
    """A clip as the page plays it."""

    strip: str
    """Data URL of a WebP picture, the frames side by side."""
    frames: int
    """In the strip."""
    seconds: float
    """Of the whole clip."""
    sound: str
    """Data URL of an MP3; empty for a clip without sound."""

    @property
    def size(self) -> int:
        """Bytes that it adds to the page."""
        return len(self.strip) + len(self.sound)

    def record(self) -> dict[str, Any]:
        """What the page's script reads."""
        return dict(vars(self))


def clip_of(store: Store, row: int) -> PageClip:
    """The clip in a row of the store."""
    frames = store.frames(row)
    real = np.flatnonzero(store.mask[row])
    chosen = real[np.unique(np.linspace(0, len(real) - 1, min(PAGE_FRAMES, len(real))).round().astype(int))]
    pictures = [smaller(frames[frame]) for frame in chosen]
    sound = np.rint(store.waveform(row)[: PAGE_SECONDS * PAGE_RATE] * 32_767).astype(np.int16)
    return PageClip(
        data_url("image/webp", webp(np.concatenate(pictures, axis=1))) if pictures else "",
        len(pictures),
        float(store.duration[row]),
        data_url("audio/mpeg", mp3(sound)) if len(sound) else "",
    )


def smaller(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame `(h, w, 3)` at `PAGE_HEIGHT`, its shape kept."""
    width = max(1, round(frame.shape[1] * PAGE_HEIGHT / frame.shape[0]))
    return np.asarray(Image.fromarray(frame).resize((width, PAGE_HEIGHT), Image.Resampling.LANCZOS))


def webp(pixels: NDArray[np.uint8]) -> bytes:
    """A picture `(h, w, 3)` as WebP."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "webp", quality=60)
    return file.getvalue()


def mp3(sound: NDArray[np.int16]) -> bytes:
    """A waveform `(n,)` at 16 kHz as MP3, which every browser plays."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=PAGE_RATE)
        stream.bit_rate = BITS
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound)[None], format="s16", layout="mono")
        frame.sample_rate = PAGE_RATE
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=PAGE_RATE)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def data_url(kind: str, content: bytes) -> str:
    """Bytes as a URL that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
