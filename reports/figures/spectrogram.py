"""The log-mel spectrogram of a clip's sound, as a panel of a figure."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from core.media.waveform import SOUND_RATE

BANDS, WINDOW, STEP = 40, 512, 160
"""Mel bands up to 8 kHz, and the samples of a window (32 ms) and of a step (10 ms)."""
RANGE = 60.0
"""Decibels below the loudest that are shown."""
MARKED = (500.0, 1500.0, 4000.0)
"""Frequencies in Hz that are marked beside a panel."""


def draw_spectrogram(axis: Axes, sound: NDArray[np.float32], duration: float) -> None:
    """Draws a waveform `(n,)` at 16 kHz over `duration` seconds; an empty panel where there is no sound."""
    if len(sound) > WINDOW // 2:
        levels = log_mel(torch.from_numpy(sound)).numpy()
        axis.imshow(levels, origin="lower", extent=(0, duration, 0, BANDS), aspect="auto", cmap="magma")
    axis.set_ylim(0, BANDS)
    axis.set_yticks(mel_heights(MARKED), [f"{hertz / 1000:g}" for hertz in MARKED])
    axis.set_ylabel("kHz", fontsize=7)


def log_mel(sound: Tensor) -> Tensor:
    """Levels `(BANDS, T)` of a waveform `(n,)` at 16 kHz in decibels, from -`RANGE` to 0, the loudest."""
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram  # where torchaudio is used, nowhere else

    power: Tensor = MelSpectrogram(SOUND_RATE, n_fft=WINDOW, hop_length=STEP, n_mels=BANDS)(sound)
    loudest = power.max().clamp(min=torch.finfo(power.dtype).tiny)
    levels: Tensor = AmplitudeToDB(top_db=RANGE)(power / loudest)
    return levels.clamp(min=-RANGE)


def mel_heights(hertz: Sequence[float]) -> list[float]:
    """Where frequencies lie in a panel whose band i reaches from i to i + 1.

    The bands' middles are evenly spaced in mel (HTK's, 2595 log10(1 + f / 700)) between 0 and half the rate.
    """
    top = math.log1p(SOUND_RATE / 2 / 700)
    return [(BANDS + 1) * math.log1p(f / 700) / top - 0.5 for f in hertz]
