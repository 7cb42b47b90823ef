"""CASTE: how well picture and sound agree decides between spatial and temporal enrichment of their tokens.

Cross-modal agreement-guided spatio-temporal enrichment (Hu et al., CAE-AV, arXiv 2602.08309), as in the
released task files, which hold identical classes. A modality's tokens are `(V, F, L, C)`, the other's
`(V, F, La, Ca)`; each modality has a module of its own. Every gamma starts at 0, so that an untrained CASTE
adds nothing.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.parts.config import Branches
from methods.parts.enrichment.tokens import TemporalMixing, energies, hard_choice

AGREEMENT_WIDTH = 128
"""Width P in which the modalities are compared, as released."""


def agreement_inputs(own: Tensor, other: Tensor) -> Tensor:
    """`[p; q; p - q; p q]` of projected means `(..., P)` -> `(..., 4P)`."""
    return torch.cat([own, other, own - other, own * other], dim=-1)


@torch.no_grad()
def channels_shifted(tokens: Tensor) -> Tensor:
    """The first C // 8 channels one frame later, the next C // 8 one frame earlier, zeros at the ends.

    `(V, F, L, C)`, without gradient, as released (Lin et al., Temporal Shift Module, ICCV 2019).
    """
    part, moved = tokens.shape[-1] // 8, tokens.clone()
    # the first frame has no earlier one and the last no later one
    moved[..., : 2 * part] = 0
    moved[:, 1:, :, :part] = tokens[:, :-1, :, :part]
    moved[:, :-1, :, part : 2 * part] = tokens[:, 1:, :, part : 2 * part]
    return moved


class AgreementGate(nn.Module):
    """Weights of the spatial and the temporal branch, from the means of both modalities in a frame."""

    def __init__(self, width: int, other_width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, AGREEMENT_WIDTH)
        self.other = nn.Linear(other_width, AGREEMENT_WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(4 * AGREEMENT_WIDTH, AGREEMENT_WIDTH // 2),
            nn.ReLU(),
            nn.Linear(AGREEMENT_WIDTH // 2, 2),
        )

    def forward(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Spatial and temporal weight of each frame, `(V, F, 2)` of sum 1.

        The cosine c of the projected means enters as `[c, -c]`: agreement favours the spatial branch.
        """
        # both modalities in one width
        p, q = self.own(tokens.mean(-2)), self.other(other.mean(-2))
        c = functional.cosine_similarity(p, q, dim=-1)
        # w = softmax(MLP([p, q, p - q, p q]) + [c, -c])
        logits: Tensor = self.mlp(agreement_inputs(p, q)) + torch.stack([c, -c], dim=-1)
        return logits.softmax(-1)


class SeparableAttention(nn.Module):
    """Self-attention of linear cost within a frame (Mehta and Rastegari, MobileViTv2, 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc_i = nn.Linear(width, 1)
        self.fc_k = nn.Linear(width, width)
        self.fc_v = nn.Linear(width, width)
        self.fc_o = nn.Linear(width, width)
        for linear in (self.fc_i, self.fc_k, self.fc_v, self.fc_o):
            nn.init.normal_(linear.weight, std=0.001)
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(V, F, L, C)` -> `(V, F, L, C)`."""
        # one context vector per frame: sum_l softmax_l(w_i x_l) W_k x_l
        context = (self.fc_i(tokens).softmax(-2) * self.fc_k(tokens)).sum(-2, keepdim=True)  # (V, F, 1, C)
        # W_o (W_v x_l * context)
        out: Tensor = self.fc_o(self.fc_v(tokens) * context)
        return out


class SpatialEnrichment(nn.Module):
    """`x + gamma LN(attention(x))` within each frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = SeparableAttention(width)
        self.norm = nn.LayerNorm(width)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor) -> Tensor:
        """`(V, F, L, C)` -> `(V, F, L, C)`."""
        # x + gamma LN(attention(x))
        enriched: Tensor = tokens + self.gamma * self.norm(self.attn(tokens))
        return enriched


class TemporalEnrichment(TemporalMixing):
    """`x + gamma LN(convolution of x over time)`; `shift` puts `channels_shifted` before the convolution."""

    def __init__(self, width: int, *, shift: bool) -> None:
        super().__init__(width)
        self.shift = shift
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor) -> Tensor:
        """`(V, F, L, C)` -> `(V, F, L, C)`."""
        # x + gamma LN(conv(x)); the LayerNorm is the last step of the mixing
        enriched: Tensor = tokens + self.gamma * super().forward(
            channels_shifted(tokens) if self.shift else tokens
        )
        return enriched


class Caste(nn.Module):
    """The residual that enriches one modality under the guidance of the other.

    `ratio` of a frame's tokens get it. `branches` other than `both` fixes the gate (ablations). The released
    setting is without `shift`.
    """

    def __init__(
        self,
        width: int,
        other_width: int,
        ratio: float = 0.3,
        branches: Branches = "both",
        *,
        shift: bool = False,
    ) -> None:
        super().__init__()
        self.ratio = ratio
        self.gate = AgreementGate(width, other_width) if branches == "both" else None
        self.spatial = SpatialEnrichment(width) if branches != "temporal" else None
        self.temporal = TemporalEnrichment(width, shift=shift) if branches != "spatial" else None
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor, other: Tensor) -> Tensor:
        """The residual `(V, F, L, C)` of tokens `(V, F, L, C)` beside the others `(V, F, La, Ca)`."""
        branches = [part(tokens) for part in (self.spatial, self.temporal) if part is not None]
        enriched = branches[0]
        if self.gate is not None:
            spatial, temporal = self.gate(tokens, other)[..., None, None].unbind(2)  # (V, F, 1, 1)
            enriched = spatial * branches[0] + temporal * branches[1]
        residual: Tensor = self.gamma * hard_choice(energies(tokens), self.ratio)[..., None] * enriched
        return residual
