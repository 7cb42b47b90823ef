"""Post-processing of similarities with the help of other queries: dual softmax and QB-Norm.

Both change what a score may depend on, so each comes with the words that its column carries. What they
return are no cosines: ties are then equal numbers (tolerance 0), not near ones.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.errors import BenchError

RESCORED_TOLERANCE = 0.0
"""Tie tolerance for what this module returns: differences far below 1e-6 are genuine there."""

DUAL_SOFTMAX_TEMPERATURE = 100.0
"""Fixed factor of the released code of T-MASS and GAID, whatever the learned logit scale."""

DUAL_SOFTMAX_PROTOCOL = "DSL (transductive: a score depends on all test queries)"
"""What a column with dual softmax is labelled with."""


def dual_softmax(scores: Tensor, temperature: float = DUAL_SOFTMAX_TEMPERATURE) -> Tensor:
    """`S * softmax(temperature * S)` over the texts, of the shape of `scores`.

    Cheng et al., "Improving Video-Text Retrieval by Multi-Stream Corpus Alignment and Dual Softmax Loss",
    2021, section 3.4. `scores` are cosines `(N, V)` with the texts on the first axis; the released code of
    T-MASS keeps `(groups, caption slots, V)`, normalises each slot by itself, and is served by the same
    axis. A NaN spreads over its column, as there. The normaliser sums over texts, so the ranks that
    video-to-text draws from one column hardly move.
    """
    return scores * torch.softmax(temperature * scores, dim=0)


@dataclass(frozen=True)
class QueryBank:
    """What QB-Norm keeps of a bank of M queries scored against the gallery; fields `(V,)`."""

    log_mass: Tensor
    """Logarithm of the sum over the bank of `exp(beta * s)`."""
    activated: Tensor
    """bool: videos that enough bank queries rank in their top k."""
    beta: float
    """Inverse temperature that `log_mass` was computed with."""


def query_bank(bank_scores: Tensor, *, beta: float = 20.0, k: int = 1, theta: int = 1) -> QueryBank:
    """The statistics of a bank, from the cosines `(M, V)` of its queries.

    `theta` bank queries that rank a video in their top k activate it: 1 in the paper, 3 or 5 in DiCoSA.

    Bogolin et al., "Cross Modal Retrieval with Querybank Normalisation", CVPR 2022, section 3.3 (inverted
    softmax, dynamic: only hubs are normalised).
    Raises `BenchError` for an empty or non-finite bank, and for a k outside 1..V.
    """
    if bank_scores.ndim != 2 or len(bank_scores) == 0 or not bool(bank_scores.isfinite().all()):
        raise BenchError(
            f"QB-Norm needs finite scores of at least one bank query; got {tuple(bank_scores.shape)}"
        )
    videos = bank_scores.shape[1]
    if not 1 <= k <= videos:
        raise BenchError(f"QB-Norm's k is {k}; it must be between 1 and the {videos} videos of the gallery")
    if theta < 1:
        raise BenchError(f"QB-Norm's theta is {theta}; it must be at least 1")
    retrieved = bank_scores.topk(k, dim=1).indices.flatten().bincount(minlength=videos)
    return QueryBank(torch.logsumexp(beta * bank_scores, dim=0), retrieved >= theta, beta)


def qb_norm(scores: Tensor, bank: QueryBank) -> Tensor:
    """Similarities `(N, V)` in which the texts whose best video is activated are normalised by the bank.

    Their row becomes `exp(beta s) / (sum over the bank of exp(beta s))`, the other rows stay raw: rows are
    on two scales, so only text-to-video ranks mean something. Raises `BenchError` for a score that is not
    finite.
    """
    if not bool(scores.isfinite().all()):
        raise BenchError(
            "QB-Norm needs finite scores; the released protocols that leave some undefined exclude it"
        )
    rows = bank.activated[scores.argmax(dim=1)]
    return torch.where(rows[:, None], (bank.beta * scores - bank.log_mass).exp(), scores)


def qb_norm_protocol(bank: Literal["train", "val"], beta: float = 20.0, k: int = 1, theta: int = 1) -> str:
    """What a column with QB-Norm is labelled with; `bank` says whose captions filled it."""
    captions = {"train": "training", "val": "validation"}[bank]
    activation = "" if theta == 1 else f", theta {theta}"
    return f"QB-Norm (bank-based: {captions} captions, beta {beta:g}, k {k}{activation})"
