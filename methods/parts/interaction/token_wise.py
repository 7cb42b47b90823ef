"""Token-wise interaction: every word looks for its best frame, every frame for its best word.

Wang et al., "Disentangled Representation Learning for Text-Video Retrieval" (DRL), arXiv 2203.07111,
section 3.2. With unit words `w`, unit frames `f` and masks m in {0, 1}:

    C_lf = (w_l . f_f) m_l m_f                                   hidden pairs count as 0, as released
    S    = 1/2 [ sum_l a_l max_f C_lf + sum_f b_f max_l C_lf ]

`a`, `b` are softmaxes of a small network over the real tokens (WTI), or even (TI).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from methods.parts.vectors import unit

Hidden = Literal["zero", "out"]
"""What a hidden token is to a maximum over tokens: a candidate of value 0 (released), or none at all."""


class WeightNet(nn.Sequential):
    """One number per token: `layers` linear maps D -> D -> 1 with ReLU between; DRL's `wti_arch`."""

    def __init__(self, width: int, layers: int, hidden: int | None = None) -> None:
        wide = hidden or width
        sizes = [width, *[wide] * (layers - 1), 1]
        parts: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            parts += [nn.Linear(inputs, outputs), nn.ReLU()]
        super().__init__(*parts[:-1])


def softmax_weights(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax of `(B, L)` over the real tokens of `mask` `(B, L)` bool; even where none is real."""
    shown = mask | ~mask.any(-1, keepdim=True)
    return torch.where(shown, logits, -torch.inf).softmax(-1)


def even_weights(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """The same weight for every real token, `(B, L)`."""
    return mask.to(dtype) / mask.sum(-1, keepdim=True).clamp(min=1)


def token_cosines(words: Tensor, word_mask: Tensor, frames: Tensor, frame_mask: Tensor) -> Tensor:
    """C `(N, V, L, F)` of words `(N, L, D)` and frames `(V, F, D)`; 0 where either is hidden."""
    shown_words, shown_frames = (
        unit(x) * mask[..., None] for x, mask in ((words, word_mask), (frames, frame_mask))
    )
    return torch.einsum("nld,vfd->nvlf", shown_words, shown_frames)


def token_wise(cosines: Tensor, word_weights: Tensor, frame_weights: Tensor) -> Tensor:
    """S `(N, V)` of C `(N, V, L, F)`, word weights `(N, L)`, frame weights `(V, F)`."""
    per_word, per_frame = cosines.amax(-1), cosines.amax(-2)
    by_words = torch.einsum("nvl,nl->nv", per_word, word_weights)
    by_frames = torch.einsum("nvf,vf->nv", per_frame, frame_weights)
    return (by_words + by_frames) / 2


@dataclass(frozen=True)
class Tokens:
    """Unit tokens of items (captions or videos) with a weight each."""

    directions: Tensor
    """`(B, L, D)` unit vectors."""
    weights: Tensor
    """`(B, L)`, 0 for hidden tokens."""
    mask: Tensor
    """`(B, L)` bool, True for real tokens."""
    hidden: Hidden = "zero"
    """What a hidden token is to the maximum over this item's tokens."""

    def floor(self) -> Tensor:
        """Start of the maximum over an item's tokens, `(B,)`: 0 where a hidden token counts, else -inf."""
        floor = self.weights.new_full((len(self.mask),), -torch.inf)
        counts_as_zero = ~self.mask.all(-1) if self.hidden == "zero" else ~self.mask.any(-1)
        return floor.masked_fill(counts_as_zero, 0.0)


def token_wise_scores(texts: Tokens, videos: Tokens) -> Tensor:
    """`token_wise` of all pairs `(N, V)` without the hidden tokens: same real numbers, no `(N, V, L, F)`.

    Hidden tokens have weight 0, so they matter only as a candidate of the other side's maximum (`floor`).
    Items are sorted by their number of real tokens, which makes slot l of all items a prefix; per frame slot
    there is one product of all real words with the videos that have such a frame.
    """
    text_order, word_counts, words, word_weights = _packed(texts)
    video_order, frame_counts, frames, frame_weights = _packed(videos)
    text_floor, video_floor = texts.floor()[text_order], videos.floor()[video_order]
    shape = (len(text_order), len(video_order))
    best_frame = video_floor.expand(len(words), -1).clone()  # max_f C of each word, (words, V)
    by_frames = words.new_zeros(shape)
    column = 0
    for count in frame_counts:
        cosines = words @ frames[column : column + count].T  # (words, count): frame slot of a prefix of V
        torch.maximum(best_frame[:, :count], cosines, out=best_frame[:, :count])
        best_word = text_floor[:, None].expand(-1, count).clone()  # max_l C of this frame, (N, count)
        row = 0
        for real in word_counts:
            torch.maximum(best_word[:real], cosines[row : row + real], out=best_word[:real])
            row += real
        by_frames[:, :count].addcmul_(best_word, frame_weights[column : column + count])
        column += count
    best_frame *= word_weights[:, None]
    scores, row = by_frames, 0
    for real in word_counts:
        scores[:real] += best_frame[row : row + real]
        row += real
    scores /= 2
    return scores[text_order.argsort()][:, video_order.argsort()]


def _packed(tokens: Tokens) -> tuple[Tensor, list[int], Tensor, Tensor]:
    """Real tokens slot by slot, items with many tokens first.

    Returns the order of the items `(B,)`, how many items have a token in slot l, and the tokens `(T, D)` with
    their weights `(T,)`, slot after slot.
    """
    counts = tokens.mask.sum(-1)
    order = counts.argsort(descending=True, stable=True)
    # Real tokens first within an item: masks with gaps are allowed.
    slots = tokens.mask[order].to(torch.int8).argsort(dim=-1, descending=True, stable=True)
    per_slot = (counts[:, None] > torch.arange(tokens.mask.shape[1], device=counts.device)).sum(0).tolist()
    per_slot = [count for count in per_slot if count]
    items = torch.cat([order[:count] for count in per_slot]) if per_slot else order[:0]
    places = (
        torch.cat([slots[:count, slot] for slot, count in enumerate(per_slot)]) if per_slot else order[:0]
    )
    return order, per_slot, tokens.directions[items, places], tokens.weights[items, places]
