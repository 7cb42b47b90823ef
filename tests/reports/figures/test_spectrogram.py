"""The spectrogram shows a tone where it sounds, at its frequency."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from reports.figures.spectrogram import BANDS, RANGE, draw_spectrogram, log_mel, mel_heights
from tests.core.media_files import tone


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 3000.0, 6500.0])
def test_a_tone_is_loudest_in_its_band_while_it_sounds(hertz: float) -> None:
    levels = log_mel(torch.from_numpy(tone(hertz, 0.5, 1.5, 2.0, 16_000)))
    assert levels.shape == (BANDS, 201)
    assert float(levels.max()) == pytest.approx(0, abs=1e-4)
    assert float(levels.min()) == -RANGE
    band, step = divmod(int(levels.argmax()), 201)
    assert 50 <= step <= 150
    assert band + 0.5 == pytest.approx(mel_heights([hertz])[0], abs=1)
    assert (levels[:, :45] == -RANGE).all()


def test_silence_and_no_sound_are_drawn_dark_and_empty() -> None:
    assert (log_mel(torch.zeros(16_000)) == log_mel(torch.zeros(16_000)).max()).all()
    figure, axis = plt.subplots()
    draw_spectrogram(axis, np.zeros(0, np.float32), 1.0)
    assert not axis.images
    plt.close(figure)
