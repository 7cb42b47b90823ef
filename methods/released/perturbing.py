"""The perturbed text of every pair, as released: video by video, and for STP trial by trial."""

from collections.abc import Callable

import torch
from torch import Tensor

from methods.parts.perturbation.base import Ball
from methods.parts.perturbation.dasp import DeterministicText, deterministic_text
from methods.parts.perturbation.stp import StochasticText, stochastic_text
from methods.parts.vectors import unit

Draw = Callable[[int, int], Tensor]
"""Noise of a video and a trial for all texts, `(N, D)` in units of the prior."""


def paired_radii(perturbation: Ball, texts: Tensor, frames: Tensor) -> Tensor:
    """`exp(W c + b)` `(N, D)` of texts `(N, D)` with frames `(N, F, D)`, row by row.

    The released module repeats each text F times and averages the F equal rows of cosines; so does this.
    """
    repeated = unit(texts)[:, None].repeat(1, frames.shape[1], 1)
    cosines = torch.bmm(repeated, unit(frames).transpose(1, 2)).mean(1)
    return perturbation.radii(cosines)


def perturbed_once(perturbation: DeterministicText, texts: Tensor, frames: Tensor) -> Tensor:
    """DASP's text of every pair `(V, N, D)`; frames `(V, F, D)`, one video after the other."""
    rows = [
        deterministic_text(
            texts, paired_radii(perturbation, texts, clip.expand(len(texts), -1, -1)), perturbation.alpha
        )
        for clip in frames
    ]
    return torch.stack(rows)


def best_of_trials(
    perturbation: StochasticText, texts: Tensor, frames: Tensor, pooled: Tensor, draw: Draw
) -> Tensor:
    """STP's text of every pair `(V, N, D)`: the trial that lies nearest to the pooled video `(V, N, D)`.

    Two loops, over videos and trials; the radius is computed anew in every trial, and the winners are
    picked one text at a time. Of equal trials the first wins.
    """
    std = perturbation.prior_std if perturbation.prior == "normal" else 1.0
    best = []
    for video, clip in enumerate(frames):
        candidates = []
        for trial in range(perturbation.trials):
            radii = paired_radii(perturbation, texts, clip.expand(len(texts), -1, -1))
            candidates.append(stochastic_text(texts, radii, draw(video, trial) * std))
        trials = torch.stack(candidates)
        winners = (unit(trials) * unit(pooled[video])).sum(-1).argmax(0)
        best.append(torch.stack([trials[winner, text] for text, winner in enumerate(winners.tolist())]))
    return torch.stack(best)
