"""AVIGATE's sound front end: a log-mel filter bank that squeezes a clip of any length into 1024 frames."""

import torch
from torch import Tensor

from core.errors import BenchError

SAMPLE_RATE = 16_000
"""Hz, of everything behind the resampler."""


def avigate_fbank(
    waveform: Tensor | None,
    sample_rate: int = SAMPLE_RATE,
    *,
    frames: int = 1024,
    bins: int = 128,
    mean: float = -5.118,
    std: float = 3.2527153,
) -> Tensor:
    """Normalised log-mel energies `(frames, bins)` of a waveform `(channels, samples)` in [-1, 1].

    Jeong et al., "Learning Audio-guided Video Representation with Gated Attention for Video-Text
    Retrieval", CVPR 2025, released code: the hop is a `frames`-th of the clip instead of AST's 10 ms, only
    the first channel is heard (the mean of all channels is subtracted), mean and deviation are fixed and
    not AudioSet's, and rows behind the end are filled before the normalisation. None, a clip without
    sound, gives zeros that are not normalised.
    Raises `BenchError` for a clip of less than `frames` samples at 16 kHz (64 ms), where the released
    code's hop is nothing and it fails; a caller may treat such a clip as one without sound.
    """
    if waveform is None:
        return torch.zeros(frames, bins)
    import torchaudio  # only here: a torchaudio that does not fit torch stops nothing else

    if sample_rate != SAMPLE_RATE:
        waveform = torchaudio.transforms.Resample(sample_rate, SAMPLE_RATE)(waveform)
    samples = waveform.shape[-1]
    if samples < frames:
        raise BenchError(
            f"{samples} samples of sound ({1000 * samples / SAMPLE_RATE:.0f} ms) are too short for {frames} "
            "filter-bank frames; treat the clip as silent"
        )
    energies: Tensor = torchaudio.compliance.kaldi.fbank(
        waveform - waveform.mean(),
        htk_compat=True,
        sample_frequency=SAMPLE_RATE,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=bins,
        dither=0.0,
        frame_shift=samples * 1000 / (SAMPLE_RATE * frames),
    )[:frames]
    padded = torch.nn.functional.pad(energies, (0, 0, 0, frames - len(energies)))
    return (padded - mean) / (2 * std)
