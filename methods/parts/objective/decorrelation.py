"""CDCR: channels of the two modalities correlate one to one (DRL, arXiv 2203.07111, section 3.3).

`z(x) = (x - mean) / std` per channel over the rows (unbiased std), `c` the cross-correlation of the channels,

    R(c) = alpha1 sum_i (c_ii - 1)^2 + alpha2 sum_{i != j} c_ij^2

Which rows enter is the variant: `pooled` (the release's DP), `drawn` (cdcr 1: one random word and frame per
pair), `matched` (cdcr 2: every token with its best partner), `weighted` (cdcr 3: those, weighted as in WTI).
With the published alpha2 = 0 only the diagonal term is left: nothing is decorrelated.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from methods.parts.vectors import unit


class Correlation(NamedTuple):
    """The two weights of the penalty."""

    diagonal: float
    """alpha1."""
    others: float
    """alpha2."""


def standardised(rows: Tensor) -> Tensor:
    """`(x - mean) / std` per channel of rows `(R, D)`."""
    return (rows - rows.mean(0)) / rows.std(0)


def correlation_penalty(correlation: Tensor, weights: Correlation) -> Tensor:
    """R of a correlation matrix `(D, D)`."""
    diagonal = correlation.diagonal()
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    # alpha1 sum_i (c_ii - 1)^2 + alpha2 sum_{i != j} c_ij^2
    return weights.diagonal * (diagonal - 1).square().sum() + weights.others * off_diagonal


def pooled_correlation(texts: Tensor, videos: Tensor) -> Tensor:
    """c `(D, D)` of one unit vector per text and video, `(B, D)` each."""
    # c = z(t)^T z(v) / R
    return standardised(texts).T @ standardised(videos) / len(texts)


def drawn_correlation(
    words: Tensor, word_mask: Tensor, frames: Tensor, frame_mask: Tensor, draws: tuple[Tensor, Tensor]
) -> Tensor:
    """c `(D, D)` of one real word and frame per pair; `draws` are integers `(B,)`, modulo the length."""
    rows = torch.arange(len(words), device=words.device)
    chosen = (
        # the real tokens are the first ones, so a draw modulo their number is one of them
        unit(tokens)[rows, draw % mask.sum(-1)]
        for tokens, mask, draw in ((words, word_mask, draws[0]), (frames, frame_mask, draws[1]))
    )
    return pooled_correlation(*chosen)


def matched_correlation(
    words: Tensor,
    word_mask: Tensor,
    frames: Tensor,
    frame_mask: Tensor,
    weights: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """c `(D, D)` of all real tokens of matched pairs with their best partner in the own pair.

    Words `(B, L, D)`, frames `(B, F, D)`. A hidden partner is a candidate of value 0, as released. `weights`
    `(B, L)` and `(B, F)` weight the rows (cdcr 3); without, all real tokens count alike (cdcr 2).
    """
    unit_words, unit_frames = unit(words), unit(frames)
    shown = word_mask[:, :, None] & frame_mask[:, None]
    # hidden partners count as cosine 0, as released
    cosines = torch.einsum("bld,bfd->blf", unit_words, unit_frames) * shown
    best_frames = _taken(unit_frames, cosines.argmax(2))[word_mask]  # partner of each real word
    best_words = _taken(unit_words, cosines.argmax(1))[frame_mask]
    z_words, z_partners = standardised(unit_words[word_mask]), standardised(best_frames)
    z_frames, z_matches = standardised(unit_frames[frame_mask]), standardised(best_words)
    if weights is None:
        by_words = z_words.T @ z_partners / len(z_words)
        by_frames = z_frames.T @ z_matches / len(z_frames)
        return (by_words + by_frames) / 2
    word_weights, frame_weights = weights[0][word_mask], weights[1][frame_mask]
    # weights of a pair have the sum 1, so the sum over all rows is divided by the pairs
    by_words = (word_weights[:, None] * z_words).T @ z_partners
    by_frames = (frame_weights[:, None] * z_frames).T @ z_matches
    return (by_words + by_frames) / (2 * len(words))


def _taken(tokens: Tensor, places: Tensor) -> Tensor:
    """Tokens `(B, L, D)` at places `(B, M)`: `(B, M, D)`."""
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[-1]))
