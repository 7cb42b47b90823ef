"""What a method hears of a clip's sound: one waveform of 16 kHz, cut, mixed and padded as it asks.

Ours: the mix of all channels on the clip's own clock, from its start to its end, silent where the track is.
The authors' code reads the track apart from the picture (`end="file"`): its time stamps are ignored.
- `left`: AVIGATE's, the first channel, the whole track (assumed `ffmpeg -i CLIP -vn X.wav`).
- `mean`: GAID's `audio_preprocess.py`, through moviepy: 44.1 kHz stereo of 16 bit, as long as the container
  states (to a hundredth of a second) by a cut or zeros, limited to .99; then the mean of both channels.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from core.data_options import Channels, SoundEnd
from core.media.waveform import MOVIEPY_RATE, SAMPLE_SCALE, SOUND_RATE, Reading, Sound, mix_to_mono

MOVIEPY_LIMIT = 0.99
"""moviepy limits its samples before it writes them."""
LARGEST_KERNEL = 4_000_000
"""Entries of torchaudio's resampling kernel; odd rates, which need more, are resampled by FFmpeg."""


@dataclass(frozen=True)
class Hearing:
    """How sound is heard (see `core.data_options.DataOptions`)."""

    channels: Channels = "mean"
    end: SoundEnd = "picture"


OURS = Hearing()


def reading_of(hearing: Hearing) -> Reading:
    """How a track is read for this hearing: a second rounding to 16 bit is heard in what is almost silent."""
    return "moviepy" if hearing == Hearing("mean", "file") else "track"


def heard(sound: Sound, duration: float, hearing: Hearing = OURS) -> NDArray[np.float32]:
    """The waveform `(n,)` at 16 kHz of a clip of `duration` seconds; empty where there is no sound."""
    if not sound.planes.size:
        return np.zeros(0, np.float32)
    if hearing.end == "picture":
        return _chosen(on_the_clock(sound, duration), hearing.channels, sound.channels)
    if hearing.channels == "left":
        left: NDArray[np.float32] = sinc_resampled(as_floats(sound.planes[:1]), sound.rate)[0]
        return left
    stereo = as_moviepy_reads(sound)
    mono: NDArray[np.float32] = sinc_resampled(stereo.mean(axis=0, keepdims=True), MOVIEPY_RATE)[0]
    return mono


def on_the_clock(sound: Sound, duration: float) -> NDArray[np.float32]:
    """The planes `(C, n)` at 16 kHz from second 0 to the end of the clip, silent where the track is."""
    length, first = max(0, round(duration * SOUND_RATE)), 0
    placed = np.zeros((len(sound.planes), length), np.float32)
    for run in sound.runs:
        planes = resampled(sound.planes[:, first : first + run.samples], sound.rate, SOUND_RATE)
        first += run.samples
        begin = round(run.start * SOUND_RATE)
        low, high = max(begin, 0), min(begin + planes.shape[1], length)
        if low < high:
            placed[:, low:high] = planes[:, low - begin : high - begin]
    return placed


def as_floats(planes: NDArray[np.int16]) -> NDArray[np.float32]:
    """Samples in [-1, 1)."""
    return planes.astype(np.float32) / np.float32(SAMPLE_SCALE)


def resampled(planes: NDArray[np.int16], rate: int, wanted: int) -> NDArray[np.float32]:
    """Planes `(C, n)` as floats at another rate, by FFmpeg's resampler."""
    if rate == wanted:
        return as_floats(planes)
    return np.concatenate(_converted(planes, rate, wanted, "fltp", len(planes)), axis=1)


def sinc_resampled(planes: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Planes `(C, n)` at 16 kHz, `ceil(16000 n / rate)` long, by torchaudio's windowed sinc as released."""
    if rate == SOUND_RATE:
        return planes
    common = math.gcd(rate, SOUND_RATE)
    if rate // common * (SOUND_RATE // common) > LARGEST_KERNEL:
        whole = np.rint(planes * SAMPLE_SCALE).clip(-SAMPLE_SCALE, SAMPLE_SCALE - 1).astype(np.int16)
        return resampled(whole, rate, SOUND_RATE)
    import torch  # late: media files are decoded without it
    import torchaudio  # late: a torchaudio that does not fit torch stops nothing else

    found: NDArray[np.float32] = torchaudio.transforms.Resample(rate, SOUND_RATE)(
        torch.from_numpy(planes)
    ).numpy()
    return found


def _chosen(planes: NDArray[np.float32], channels: Channels, of: int) -> NDArray[np.float32]:
    """One of the planes `(C, n)` of a track with so many channels, or their mix."""
    if channels == "mean" and len(planes) == 2 and of == 2:
        return mix_to_mono(planes)
    chosen: NDArray[np.float32] = planes[-1 if channels == "mean" else 0]
    return chosen


def as_moviepy_reads(sound: Sound) -> NDArray[np.float32]:
    """Both channels `(2, n)` at 44.1 kHz that GAID's extraction writes."""
    stereo: NDArray[Any] = sound.planes
    if sound.rate != MOVIEPY_RATE or sound.channels != 2:  # it was read as the track has it
        planes = sound.planes if sound.channels <= 2 else sound.planes[1:]
        stereo = np.concatenate(_converted(planes, sound.rate, MOVIEPY_RATE, "s16", 2), axis=1)
    if sound.stated is not None:
        length = int(MOVIEPY_RATE * (math.floor(sound.stated * 100 + 0.5) / 100))
        stereo = np.pad(stereo[:, :length], ((0, 0), (0, max(0, length - stereo.shape[1]))))
    limit = MOVIEPY_LIMIT * SAMPLE_SCALE
    limited: NDArray[np.float32] = np.trunc(stereo.astype(np.float32).clip(-limit, limit))
    return limited / np.float32(SAMPLE_SCALE)


def _converted(
    planes: NDArray[np.int16], rate: int, wanted: int, format: Literal["fltp", "s16"], channels: int
) -> list[NDArray[Any]]:
    """Blocks `(channels, n)` of one or two planes at another rate."""
    layouts = {1: "mono", 2: "stereo"}
    resampler = av.AudioResampler(format=format, layout=layouts[channels], rate=wanted)
    packed = np.ascontiguousarray(planes.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layouts[len(planes)])
    frame.sample_rate = rate
    blocks = [block.to_ndarray() for block in (*resampler.resample(frame), *resampler.resample(None))]
    return [block if format == "fltp" else block.reshape(-1, channels).T for block in blocks] or [
        np.zeros((channels, 0), np.float32)
    ]
