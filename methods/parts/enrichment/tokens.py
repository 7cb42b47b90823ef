"""Tokens of a clip, `(V, F, L, C)`: choosing the salient ones of a frame, and mixing them over time.

What CASTE and CASE of CAE-AV have in common. Saliency is the squared norm of a token; of a frame's L tokens
`max(1, floor(ratio L))` are chosen.
"""

import torch
from torch import Tensor, nn

TEMPERATURE_FLOOR = 1e-3
"""Smallest temperature of the soft choice."""
RENORMALISATION_FLOOR = 1e-6
"""Smallest sum that the chosen probabilities are divided by."""


def chosen_count(length: int, ratio: float) -> int:
    """How many of `length` tokens are chosen."""
    return max(1, int(length * ratio))


def energies(tokens: Tensor) -> Tensor:
    """Squared norms, `(..., L, C)` -> `(..., L)`."""
    return tokens.square().sum(-1)


def hard_choice(energy: Tensor, ratio: float) -> Tensor:
    """1 for the chosen tokens and 0 for the others, `(..., L)`."""
    chosen = energy.topk(chosen_count(energy.shape[-1], ratio), dim=-1).indices
    return torch.zeros_like(energy).scatter(-1, chosen, 1.0)


def noisy_probabilities(energy: Tensor, temperature: Tensor, exponential: Tensor) -> Tensor:
    """Softmax of `(energy + Gumbel) / temperature` over the tokens, `(..., L)`.

    The Gumbel noise is `-log E` of Exp(1) draws `exponential` `(..., L)`.
    """
    # softmax((|x|^2 + Gumbel) / T), Gumbel = -log E with E from Exp(1)
    logits = (energy - exponential.log()) / temperature.clamp(min=TEMPERATURE_FLOOR)
    return logits.softmax(-1)


def soft_choice(probabilities: Tensor, ratio: float) -> Tensor:
    """The training form of the choice: `(..., L)` cut below the k-th largest value and renormalised."""
    count = chosen_count(probabilities.shape[-1], ratio)
    # the k-th largest probability decides, without a gradient of its own
    threshold = probabilities.detach().topk(count, dim=-1).values[..., -1:]
    kept = torch.where(probabilities >= threshold, probabilities, torch.zeros_like(probabilities))
    return kept / kept.sum(-1, keepdim=True).clamp(min=RENORMALISATION_FLOOR)


class TemporalMixing(nn.Module):
    """A depthwise convolution over three frames, a pointwise one, then LayerNorm; each token on its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dw = nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.pw = nn.Conv1d(width, width, 1)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(V, F, L, C)` -> `(V, F, L, C)`; zeros lie before the first frame and behind the last."""
        rows = tokens.permute(0, 2, 3, 1).flatten(0, 1)  # (V L, C, F)
        # each token is a row of its own: its channels over the frames
        mixed = self.pw(self.dw(rows)).unflatten(0, (len(tokens), -1))
        out: Tensor = self.norm(mixed.permute(0, 3, 1, 2))
        return out
