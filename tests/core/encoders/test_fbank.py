"""AVIGATE's filter bank against recorded features, a direct transform in float64, and its edges."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from core.encoders.fbank import avigate_fbank
from core.errors import BenchError
from methods.parity import check_file

GOLDEN = Path(__file__).parents[2] / "golden"
FILL = 5.118 / (2 * 3.2527153)


def tone(samples: int, hertz: float = 440.0) -> torch.Tensor:
    return 0.3 * torch.sin(2 * math.pi * hertz * torch.arange(samples) / 16_000)[None]


def mel(hertz: np.ndarray) -> np.ndarray:
    return 1127 * np.log1p(hertz / 700)


def direct_fbank(wave: np.ndarray, frames: int, bins: int) -> np.ndarray:
    """Log-mel energies by the textbook: 25 ms Hann windows, pre-emphasis .97, 512-point transform."""
    shift = int(16_000 * (len(wave) * 1000 / (16_000 * frames)) * 0.001)
    starts = range(0, len(wave) - 400 + 1, shift)
    windows = np.stack([wave[s : s + 400] for s in starts][:frames])
    windows = windows - windows.mean(1, keepdims=True)
    windows = windows - 0.97 * np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    windows = windows * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399))
    power = np.abs(np.fft.rfft(windows, 512)) ** 2
    edges = np.linspace(mel(np.array(20.0)), mel(np.array(8000.0)), bins + 2)
    points = mel(np.arange(257) * 16_000 / 512)[:, None]
    rising = (points - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - points) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))
    weights[256] = 0  # Kaldi leaves the Nyquist frequency out
    return np.log(np.maximum(power @ weights, np.finfo(np.float32).eps))


def test_recorded_features_are_reproduced() -> None:
    row = check_file(GOLDEN / "avigate_fbank.safetensors")
    assert row.verdict == "agrees", row.message


@pytest.mark.parametrize("samples", [20_000, 64_000, 480_000])
def test_a_clip_of_any_length_fills_about_1024_frames(samples: int) -> None:
    wave = torch.randn(1, samples, generator=torch.Generator().manual_seed(samples)) * 0.1
    expected = (direct_fbank((wave - wave.mean())[0].double().numpy(), 1024, 128) + 5.118) / (2 * 3.2527153)
    ours = avigate_fbank(wave)
    assert ours.shape == (1024, 128)
    np.testing.assert_allclose(ours[: len(expected)], expected, atol=1e-3)
    assert torch.equal(ours[len(expected) :], torch.full((1024 - len(expected), 128), FILL))


def test_only_the_first_channel_is_heard() -> None:
    # The mean of both channels is subtracted before, but a window's own mean is taken off anyway.
    stereo = torch.cat(
        [tone(32_000), 0.1 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(0))]
    )
    torch.testing.assert_close(avigate_fbank(stereo), avigate_fbank(tone(32_000)), atol=2e-2, rtol=0)


def test_another_rate_is_resampled() -> None:
    low = 0.3 * torch.sin(2 * math.pi * 440 * torch.arange(24_000) / 8_000)[None]
    resampled, direct = avigate_fbank(low, 8_000), avigate_fbank(tone(48_000))
    strongest = direct[:900].mean(0).argmax()
    torch.testing.assert_close(resampled[10:900, strongest], direct[10:900, strongest], atol=2e-2, rtol=0)


def test_a_clip_without_sound_gives_zeros_that_are_not_normalised() -> None:
    assert torch.equal(avigate_fbank(None), torch.zeros(1024, 128))


def test_digital_silence_is_finite_and_constant() -> None:
    silence = avigate_fbank(torch.zeros(1, 16_000))
    floor = (math.log(torch.finfo(torch.float32).eps) + 5.118) / (2 * 3.2527153)
    assert silence[0].tolist() == pytest.approx([floor] * 128, abs=1e-5)


def test_a_clip_too_short_for_a_hop_is_refused() -> None:
    with pytest.raises(BenchError, match="1023 samples of sound"):
        avigate_fbank(tone(1023))
    assert bool(avigate_fbank(tone(1024)).isfinite().all())
