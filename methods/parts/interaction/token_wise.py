"""Token-wise interaction: every word looks for its best frame, every frame for its best word.

Wang et al., "Disentangled Representation Learning for Text-Video Retrieval" (DRL), arXiv 2203.07111,
section 3.2. With unit words `w`, unit frames `f` and masks m in {0, 1}:

    C_lf = (w_l . f_f) m_l m_f                                   hidden pairs count as 0, as released
    S    = 1/2 [ sum_l a_l max_f C_lf + sum_f b_f max_l C_lf ]

`a`, `b` are softmaxes of a small network over the real tokens (WTI), or even (TI).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from core.batch import Rows, Texts
from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.interaction.base import Interaction, TokenAlgebra, words_of
from methods.parts.kinds import INTERACTIONS
from methods.parts.objective.decorrelation import (
    Correlation,
    correlation_penalty,
    drawn_correlation,
    matched_correlation,
)
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Pooling, Prepared
from methods.parts.transformer import initialise_normal
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
    # an item without any real token would be a softmax over nothing: it is attended evenly
    shown = mask | ~mask.any(-1, keepdim=True)
    return torch.where(shown, logits, -torch.inf).softmax(-1)


def even_weights(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """The same weight for every real token, `(B, L)`."""
    return mask.to(dtype) / mask.sum(-1, keepdim=True).clamp(min=1)


def token_cosines(words: Tensor, word_mask: Tensor, frames: Tensor, frame_mask: Tensor) -> Tensor:
    """C `(N, V, L, F)` of words `(N, L, D)` and frames `([N,] V, F, D)`; 0 where either is hidden."""
    shown_words, shown_frames = (
        unit(x) * mask[..., None] for x, mask in ((words, word_mask), (frames, frame_mask))
    )
    videos = "nvfd" if frames.dim() == 4 else "vfd"
    # C_lf = (w_l . f_f) m_l m_f
    return torch.einsum(f"nld,{videos}->nvlf", shown_words, shown_frames)


def token_wise(cosines: Tensor, word_weights: Tensor, frame_weights: Tensor) -> Tensor:
    """S `(N, V)` of C `(N, V, L, F)`, word weights `(N, L)`, frame weights `([N,] V, F)`."""
    # max_f C_lf and max_l C_lf
    per_word, per_frame = cosines.max(-1).values, cosines.max(-2).values
    # sum_l a_l max_f C_lf
    by_words = torch.einsum("nvl,nl->nv", per_word, word_weights)
    # sum_f b_f max_l C_lf
    by_frames = (per_frame * frame_weights).sum(-1)
    return (by_words + by_frames) / 2


@dataclass(frozen=True)
class Tokens(Rows):
    """Unit tokens of items (captions or videos) with a weight each."""

    directions: Tensor
    """`(B, L, D)` unit vectors."""
    weights: Tensor
    """`(B, L)`, 0 for hidden tokens."""
    mask: Tensor
    """`(B, L)` bool, True for real tokens."""

    def floor(self, hidden: Hidden) -> Tensor:
        """Start of the maximum over an item's tokens, `(B,)`: 0 where a hidden token counts, else -inf."""
        floor = self.weights.new_full((len(self.mask),), -torch.inf)
        counts_as_zero = ~self.mask.all(-1) if hidden == "zero" else ~self.mask.any(-1)
        return floor.masked_fill(counts_as_zero, 0.0)


def token_wise_scores(
    texts: Tokens, videos: Tokens, hidden: Hidden = "zero", hidden_frames: Hidden | None = None
) -> Tensor:
    """`token_wise` of all pairs `(N, V)` without the hidden tokens: same real numbers, no `(N, V, L, F)`.

    Hidden tokens have weight 0, so they matter only as a candidate of the other side's maximum (`floor`).
    Items are sorted by their number of real tokens, which makes slot l of all items a prefix; per frame slot
    there is one product of all real words with the videos that have such a frame.
    """
    # slot l of all texts is a prefix of the rows: no mask is needed in what follows
    text_order, word_counts, words, word_weights = _packed(texts)
    video_order, frame_counts, frames, frame_weights = _packed(videos)
    text_floor, video_floor = (
        texts.floor(hidden)[text_order],
        videos.floor(hidden_frames or hidden)[video_order],
    )
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
        # b_f max_l C_lf, added up frame slot by frame slot
        by_frames[:, :count].addcmul_(best_word, frame_weights[column : column + count])
        column += count
    # a_l max_f C_lf, whose words are then added up per text
    best_frame *= word_weights[:, None]
    scores, row = by_frames, 0
    for real in word_counts:
        scores[:real] += best_frame[row : row + real]
        row += real
    scores /= 2
    return scores[text_order.argsort()][:, video_order.argsort()]


@INTERACTIONS.kind("ti", "wti")
class TokenWise(Interaction):
    """S of words and frames, weighted by a network each (`wti`), or evenly (`ti`)."""

    words = True
    sentence = False
    pooled = False
    obstacle = "token-wise interaction"

    def __init__(self, width: int, layers: int | None, cdcr: str, penalty: Correlation) -> None:
        super().__init__()
        self.word_net = None if layers is None else WeightNet(width, layers)
        self.frame_net = None if layers is None else WeightNet(width, layers)
        self.cdcr, self.penalty = cdcr, penalty
        initialise_normal(self)

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """Networks of the configuration's depth."""
        layers = config.weight_layers if config.interaction == "wti" else None
        penalty = Correlation(config.cdcr_diagonal, config.cdcr_others)
        return cls(dimensions.width, layers, config.cdcr, penalty)

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """A cosine per word and frame."""
        return dimensions.words * dimensions.frames

    def word_weights(self, words: Tensor, mask: Tensor) -> Tensor:
        """a `(N, L)` of words `(N, L, D)`."""
        return weights_of(self.word_net, words, mask)

    def frame_weights(self, frames: Tensor, mask: Tensor) -> Tensor:
        """b `([N,] V, F)` of frames `([N,] V, F, D)`."""
        return weights_of(self.frame_net, frames, mask.expand(frames.shape[:-1]))

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """S `(N, V)`."""
        words, mask = words_of(texts)
        cosines = token_cosines(words, mask, videos.frames, videos.mask)
        return token_wise(
            cosines, self.word_weights(words, mask), self.frame_weights(videos.frames, videos.mask)
        )

    def terms(
        self, texts: Texts, paired: Callable[[], Prepared], generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """CDCR."""
        if self.cdcr == "none":
            return {}
        videos = paired()
        words, mask = words_of(texts)
        both = (words, mask, videos.frames, videos.mask)
        if self.cdcr == "drawn":
            # drawn on the generator's device, so that a GPU and a CPU train alike
            draws = torch.randint(2**31, (2, len(words)), generator=generator, device=generator.device).to(
                words.device
            )
            correlation = drawn_correlation(*both, (draws[0], draws[1]))
        else:
            weights = self.word_weights(words, mask), self.frame_weights(videos.frames, videos.mask)
            correlation = matched_correlation(*both, weights if self.cdcr == "weighted" else None)
        return {"cdcr": correlation_penalty(correlation, self.penalty)}

    def token_algebra(self, pooling: Pooling[Any]) -> TokenAlgebra[Tokens, Tokens]:
        """`token_wise_scores`."""
        return TokenWiseAlgebra(self)


class TokenWiseAlgebra(TokenAlgebra[Tokens, Tokens]):
    """All pairs without hidden tokens."""

    def __init__(self, interaction: TokenWise) -> None:
        self.interaction = interaction

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """Cosines of every word with one frame slot, and their running maximum."""
        return 2 * dimensions.words + 4

    def kept(self, videos: Prepared) -> Tokens:
        """Directions and weights of the frames."""
        weights = self.interaction.frame_weights(videos.frames, videos.mask)
        return Tokens(unit(videos.frames), weights, videos.mask)

    def asked(self, texts: Texts) -> Tokens:
        """Directions and weights of the words."""
        words, mask = words_of(texts)
        return Tokens(unit(words), self.interaction.word_weights(words, mask), mask)

    def scores(self, asked: Tokens, kept: Tokens) -> Tensor:
        """S `(N, V)`."""
        return token_wise_scores(asked, kept)


def weights_of(net: nn.Module | None, tokens: Tensor, mask: Tensor) -> Tensor:
    """Weights `(..., L)` of tokens `(..., L, D)`: of a network, or even."""
    if net is None:
        return even_weights(mask, tokens.dtype)
    return softmax_weights(net(tokens)[..., 0], mask)


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
