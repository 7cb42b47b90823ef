"""From decoded audio frames to one mono waveform on the clip's own clock.

Channel rule: the mean over all channels (as GAID and OpenAI's Whisper do), except where the channels
cancel each other (anti-phase stereo): there the left channel. "Cancel" means that the mean holds less
than a hundredth of the channels' mean energy; one sounding channel among C leaves 1/C of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

SoundStatus = Literal["audible", "silent", "no-track", "undecodable"]

SOUND_RATE = 16_000
"""Samples per second that every audio encoder here expects."""

CANCELLED = 0.01
SILENCE = 2.0**-15  # one step of 16-bit sound
GAP_SECONDS = 0.1  # time stamps of some containers are rounded to milliseconds; less than this is jitter


@dataclass(frozen=True)
class Sound:
    """The sound of a clip."""

    samples: NDArray[np.float32]
    """`(n,)` mono waveform in [-1, 1]; empty where nothing could be decoded."""
    status: SoundStatus
    """`silent`: a track that holds (almost) digital silence; `undecodable`: a track that yields no sample."""
    reason: str = ""
    """Why the sound is missing or incomplete; empty where all is well."""


def mix_to_mono(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """One waveform `(n,)` from channels `(C, n)` by the channel rule above."""
    mean: NDArray[np.float32] = channels.mean(axis=0)
    if np.square(mean).mean() < CANCELLED * np.square(channels).mean():
        left: NDArray[np.float32] = channels[0]
        return left
    return mean


class WaveformBuilder:
    """Collects the decoded frames of one audio track and places them by their time stamps."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._runs: list[tuple[float, list[NDArray[np.float32]]]] = []
        self._resampler: av.AudioResampler | None = None
        self._layout: av.AudioLayout | None = None
        self._native: tuple[str, str, int] | None = None
        self._clock = 0.0

    def add(self, frame: av.AudioFrame, time: float | None) -> None:
        """Appends a frame that begins `time` seconds into the clip; None: right after the one before."""
        native = (frame.format.name, frame.layout.name, frame.sample_rate)
        self._layout = self._layout or frame.layout
        gap = time is not None and abs(time - self._clock) > GAP_SECONDS
        if self._resampler is None or gap or native != self._native:
            self._flush()
            self._clock = self._clock if time is None else time
            self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self.rate)
            self._native = native
            self._runs.append((self._clock, []))
        self._clock += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would otherwise stretch sound to fit jittering time stamps
        self._keep(self._resampler.resample(frame))

    def finish(self, duration: float | None) -> NDArray[np.float32] | None:
        """The waveform from second 0 on; None where no sample was decoded at all.

        `duration` in seconds cuts it or pads it with silence; None: to the end of the track.
        """
        self._flush()
        runs = [(start, np.concatenate(parts, axis=1)) for start, parts in self._runs if parts]
        if not runs:
            return None
        placed = [(round(start * self.rate), samples) for start, samples in runs]
        ends = [first + samples.shape[1] for first, samples in placed]
        length = max(0, max(ends) if duration is None else round(duration * self.rate))
        channels = np.zeros((placed[0][1].shape[0], length), np.float32)
        for (first, samples), end in zip(placed, ends, strict=True):
            low, high = max(first, 0), min(end, length)
            if low < high:
                channels[:, low:high] = samples[:, low - first : high - first]
        finite = np.nan_to_num(channels, nan=0.0, posinf=0.0, neginf=0.0)
        return mix_to_mono(finite) if length else np.zeros(0, np.float32)

    @property
    def seconds(self) -> float:
        """Where the sound collected so far ends, in seconds of the clip."""
        return self._clock

    def _flush(self) -> None:
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))

    def _keep(self, resampled: Sequence[av.AudioFrame]) -> None:
        self._runs[-1][1].extend(frame.to_ndarray().astype(np.float32, copy=False) for frame in resampled)


def finished_sound(builder: WaveformBuilder, duration: float | None, error: str) -> Sound:
    """The sound that a track yielded; `error` is the first decoding error, empty if there was none."""
    samples = builder.finish(duration)
    if samples is None:
        return Sound(np.zeros(0, np.float32), "undecodable", error or "the audio track holds no samples")
    if not samples.size or np.abs(samples).max() < SILENCE:
        return Sound(samples, "silent", error or "digital silence")
    return Sound(samples, "audible", error)
