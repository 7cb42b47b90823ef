"""From decoded audio frames to the sound of a clip as its file has it: own rate, own start, own end.

Nothing is cut, padded or resampled here: methods differ in that (see `core.media.hearing`). Of a track with
more than two channels two planes are kept, its first channel and the mix of all.

Channel rule of a mix: the mean over all channels (as GAID and OpenAI's Whisper do), except in seconds in
which the channels cancel each other (opposite phase): there the first channel. "Cancel" means that the mean
holds less than half of the energy that unrelated channels would leave in it, which is 1/C of theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

SoundStatus = Literal["audible", "silent", "no-track", "undecodable"]

SOUND_RATE = 16_000
"""Samples per second that every audio encoder here expects."""
SAMPLE_SCALE = 32_768
"""The int16 value that a sample of 1.0 would have; FFmpeg's and torchaudio's convention."""
SILENCE = 1
"""Largest int16 sample of a track that counts as silent."""
Reading = Literal["track", "moviepy"]
"""As the track has it; or as moviepy has FFmpeg write it: stereo at 44.1 kHz, whatever its time stamps."""
MOVIEPY_RATE = 44_100
BLOCK_SECONDS = 1.0
"""Sound that is converted at a time: for a thousand samples a call costs more than its work."""
GAP_SECONDS = 0.1  # time stamps of some containers are rounded to milliseconds; less than this is jitter


@dataclass(frozen=True)
class SampleRun:
    """Samples that follow each other without a gap."""

    start: float
    """Seconds from the start of the clip at which the first of them is heard."""
    samples: int
    """How many."""


@dataclass(frozen=True)
class Sound:
    """The sound of a clip, as its track has it."""

    planes: NDArray[np.int16]
    """`(C, n)`: the channels of a track with one or two, the first channel and the mix of one with more; no
    plane where nothing was decoded."""
    rate: int
    """Samples per second."""
    runs: tuple[SampleRun, ...]
    """Where the samples belong on the clip's clock; what lies between the runs is silent."""
    channels: int
    """Channels of the track."""
    status: SoundStatus
    """`silent`: a track that holds (almost) digital silence; `undecodable`: a track that yields no sample."""
    reason: str = ""
    """Why the sound is missing or incomplete; empty where all is well."""
    stated: float | None = None
    """Seconds that the container states for itself; None where it states nothing."""

    @property
    def start(self) -> float:
        """When the sound begins, in seconds of the clip; 0 where there is none."""
        return min((run.start for run in self.runs), default=0.0)

    @property
    def end(self) -> float:
        """When the sound ends, in seconds of the clip; 0 where there is none."""
        return max((run.start + run.samples / self.rate for run in self.runs), default=0.0)


def no_sound(status: Literal["no-track", "undecodable"], reason: str) -> Sound:
    """The sound of a clip that has none."""
    return Sound(np.zeros((0, 0), np.int16), SOUND_RATE, (), 0, status, reason)


def mix_to_mono(channels: NDArray[np.float32], rate: int = SOUND_RATE) -> NDArray[np.float32]:
    """One waveform `(n,)` from channels `(C, n)` by the channel rule above, second by second."""
    mix: NDArray[np.float32] = channels.mean(axis=0)
    for first in range(0, channels.shape[1], rate):
        second = slice(first, first + rate)
        # unrelated channels leave mean(x^2) / C of their energy in the mean
        expected = np.square(channels[:, second]).mean() / len(channels)
        if np.square(mix[second]).mean() < expected / 2:
            mix[second] = channels[0, second]
    return mix


class SoundBuilder:
    """Collects the decoded frames of one audio track; times are seconds of the clip."""

    def __init__(self, reading: Reading = "track") -> None:
        self.rate = 0
        self.channels = 0
        self._reading = reading
        self._runs: list[tuple[float, list[NDArray[np.int16]]]] = []
        self._waiting: list[NDArray[np.int16]] = []
        self._resampler: av.AudioResampler | None = None
        self._queue: av.AudioFifo | None = None
        self._layout: av.AudioLayout | None = None
        self._native: tuple[str, str, int] | None = None
        self._clock = 0.0

    @property
    def seconds(self) -> float:
        """Where the sound collected so far ends."""
        return self._clock

    def add(self, frame: av.AudioFrame, time: float | None) -> None:
        """Appends a frame that begins `time` seconds into the clip; None: right after the one before."""
        native = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._layout is None:
            self._layout, self.rate = frame.layout, frame.sample_rate
            if self._reading == "moviepy":
                self._layout, self.rate = av.AudioLayout("stereo"), MOVIEPY_RATE
            self.channels = self._layout.nb_channels
        elif self._reading == "moviepy":
            time = None
        gap = time is not None and abs(time - self._clock) > GAP_SECONDS
        if self._resampler is None or gap or native != self._native:
            self._flush()
            self._clock = self._clock if time is None else time
            # Packed: PyAV miscounts the planes of eight and more channels.
            self._resampler = av.AudioResampler(format="s16", layout=self._layout, rate=self.rate)
            self._queue = av.AudioFifo() if self._reading == "track" and self.channels <= 2 else None
            self._native = native
            self._runs.append((self._clock, []))
        self._clock += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would otherwise stretch sound to fit jittering time stamps
        if self._queue is None:
            self._keep(self._resampler.resample(frame))
            return
        # a track keeps its rate, so that each sample is converted by itself, in whatever block it comes
        self._queue.write(frame)
        if self._queue.samples >= BLOCK_SECONDS * self.rate:
            self._convert(self._resampler, self._queue)

    def finish(self, window: tuple[float, float | None]) -> tuple[NDArray[np.int16], tuple[SampleRun, ...]]:
        """The planes `(C, n)` and where they belong, without what lies outside the window (in seconds).

        What comes before a window that begins with the file belongs to it: tracks may start earlier than
        their container says.
        """
        self._flush()
        begin, end = window
        runs, kept = [], []
        for start, blocks in self._runs:
            if not blocks:
                continue
            planes = np.concatenate(blocks, axis=1)
            low = max(0, round(-start * self.rate)) if begin > 0 else 0
            high = planes.shape[1] if end is None else round((end - begin - start) * self.rate)
            planes = planes[:, low : max(low, high)]
            if planes.shape[1]:
                runs.append(SampleRun(start + low / self.rate, planes.shape[1]))
                kept.append(planes)
        if not kept:
            return np.zeros((min(self.channels, 2), 0), np.int16), ()
        return np.concatenate(kept, axis=1), tuple(runs)

    def _convert(self, resampler: av.AudioResampler, queue: av.AudioFifo) -> None:
        """What waits in the queue, as one block."""
        block = queue.read()
        if block is not None:
            block.pts = None
            self._keep(resampler.resample(block))

    def _flush(self) -> None:
        if self._resampler is not None:
            if self._queue is not None:
                self._convert(self._resampler, self._queue)
            self._keep(self._resampler.resample(None))
            self._reduce()

    def _keep(self, resampled: Sequence[av.AudioFrame]) -> None:
        arrays: list[NDArray[Any]] = [frame.to_ndarray() for frame in resampled]
        blocks = [array.reshape(-1, self.channels).T for array in arrays]
        if self.channels <= 2:
            self._runs[-1][1].extend(blocks)
            return
        self._waiting += blocks
        if sum(block.shape[1] for block in self._waiting) >= self.rate:
            self._reduce()

    def _reduce(self) -> None:
        """The first channel and the mix of about a second of many channels, so that memory stays small."""
        if self._waiting:
            block = np.concatenate(self._waiting, axis=1)
            mix = mix_to_mono(block.astype(np.float32), self.rate)
            self._runs[-1][1].append(np.stack([block[0], np.rint(mix).astype(np.int16)]))
            self._waiting = []
