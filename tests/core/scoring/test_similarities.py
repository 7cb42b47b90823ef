"""Histograms of similarities: every pair counts once, in the bin that numpy puts it into."""

import numpy as np
import torch

from core.scoring.similarities import BINS, bin_edges, similarities


def test_matched_and_other_pairs_fall_into_numpys_bins() -> None:
    scores = torch.rand(7, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pairing = torch.tensor([0, 0, 1, 2, 3, 4, 4])
    found = similarities(scores, pairing)
    own = np.zeros((7, 5), dtype=bool)
    own[np.arange(7), pairing] = True
    for counts, pairs in ((found.positive, own), (found.negative, ~own)):
        expected, _ = np.histogram(scores.numpy()[pairs], bins=bin_edges().numpy())
        assert counts.tolist() == expected.tolist()


def test_rounding_past_one_counts_in_the_last_bin_and_nan_nowhere() -> None:
    found = similarities(torch.tensor([[1.0001, torch.nan], [-1.0, 1.0]]), torch.tensor([0, 1]))
    assert found.positive.nonzero().tolist() == [[BINS - 1]] and found.positive.sum() == 2
    assert found.negative.nonzero().tolist() == [[0]] and found.negative.sum() == 1
