"""From the text tower's token states of a video-side caption to each modality's width (CAE-AV)."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from methods.parts.post_norm import PostNormAttention

BOTTLENECK = 48
"""Width between the two maps of an adapter, as released."""

Modality = Literal["visual", "audio"]


class CaptionAdapter(nn.Module):
    """`W_up gelu(W_down y)`, D -> 48 -> C; W_up starts at zero, so that captions start as zero vectors."""

    def __init__(self, width: int, out_width: int, bottleneck: int = BOTTLENECK) -> None:
        super().__init__()
        self.down_proj = nn.Linear(width, bottleneck)
        self.up_proj = nn.Linear(bottleneck, out_width)
        nn.init.kaiming_uniform_(self.down_proj.weight)
        nn.init.zeros_(self.down_proj.bias)
        nn.init.zeros_(self.up_proj.weight)
        nn.init.zeros_(self.up_proj.bias)

    def forward(self, states: Tensor) -> Tensor:
        """`(..., D)` -> `(..., C)`."""
        # W_up gelu(W_down y)
        out: Tensor = self.up_proj(functional.gelu(self.down_proj(states)))
        return out


class CaptionProjection(nn.Module):
    """Self-attention that both modalities share, then an adapter for each of them."""

    def __init__(self, width: int, visual_width: int, audio_width: int, heads: int) -> None:
        super().__init__()
        self.mapper = PostNormAttention(width, heads)
        self.visual = CaptionAdapter(width, visual_width)
        self.audio = CaptionAdapter(width, audio_width)

    def forward(self, states: Tensor, mask: Tensor, modality: Modality) -> Tensor:
        """Token states `(V, 1, Lc, D)` under `mask` `(V, 1, Lc)` bool -> `(V, 1, Lc, C)`."""
        # the attention is common to both modalities, the adapter is not
        adapter = self.visual if modality == "visual" else self.audio
        out: Tensor = adapter(self.mapper(states, states, mask))
        return out
