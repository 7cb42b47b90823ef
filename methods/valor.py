"""VALOR's head: words are compared with every frame and every stretch of sound, token by token.

Chen et al., VALOR, 2023, arXiv 2304.08345, section 4. All vectors are unit; z are the frames, then the sound:

    t_l = unit(W_t word_l),  z = [unit(W_v f); unit(W_a a)]
    alpha = softmax over real words of w_t(t),  beta = softmax over all z of [w_v(f); w_a(a)]
    s = 1/2 [sum_l alpha_l max_k t_l . z_k + sum_k beta_k max_l t_l . z_k]        `fine_scores`
    L = InfoNCE in both directions                                               `Valor.loss`

The release leaves padded words in the second maximum, as cosine 0; here they are masked
(`word_padding=released` keeps them). A silent clip has no tokens of sound.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from core.authors import Authors
from core.axes import Released
from core.batch import Texts, Videos
from core.capabilities import Exact, NoiseSource
from core.method import Dimensions, Losses, Method, Needs
from methods.parts.audio import frame_audio
from methods.parts.interaction.base import words_of
from methods.parts.interaction.token_wise import (
    Hidden,
    Tokens,
    WeightNet,
    softmax_weights,
    token_wise_scores,
)
from methods.parts.modalities import ModalityConfig, build_heads, has_sound
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.recipes import VAST


class ValorConfig(ModalityConfig):
    """VALOR's defaults: the fine-grained head."""

    word_padding: Annotated[Literal["masked", "released"], Released("released")] = "masked"
    """Padded words are no candidates of a maximum, or count as cosine 0 (released)."""


def fine_scores(texts: Tokens, videos: Tokens, hidden: Hidden) -> Tensor:
    """s `(N, V)`; `hidden` is what a padded word is to the maximum over words. Padded frames are left out."""
    words = texts.directions * texts.mask[..., None] if hidden == "zero" else texts.directions
    cosines = torch.einsum("nld,vkd->nvlk", words, videos.directions)
    # max_k C_lk over real frames and sounds
    per_word = (cosines + hidden_penalty(videos.mask, cosines)[:, None]).max(-1).values
    # max_l C_lk over real words
    if hidden == "out":
        cosines = cosines + hidden_penalty(texts.mask, cosines)[:, None, :, None]
    per_token = cosines.max(-2).values
    by_words = torch.einsum("nvl,nl->nv", per_word, texts.weights)
    # 1/2 [sum_l a_l max_k C_lk + sum_k b_k max_l C_lk]
    return (by_words + (per_token * videos.weights).sum(-1)) / 2


def hidden_penalty(mask: Tensor, like: Tensor) -> Tensor:
    """What keeps hidden tokens out of a maximum: -inf for them, 0 for real ones; `(B, L)` of a bool mask.

    Added instead of filled in, as the gradient of a sum costs nothing. Where none is real, none is hidden.
    """
    return like.new_zeros(mask.shape).masked_fill(~mask & mask.any(-1, keepdim=True), -torch.inf)


class FineExact(Exact[Tokens, Tokens, Tokens]):
    """`token_wise_scores`."""

    where = "methods/parts/interaction/token_wise.py"

    def __init__(self, method: "Valor") -> None:
        self.method = method

    @property
    def floats_per_pair(self) -> int:
        """Cosines of every word with one token, and their running maximum."""
        return 2 * self.method.dimensions.words + 4

    def index(self, rows: Tokens) -> Tokens:
        """The tokens."""
        return rows

    def queries(self, texts: Texts, noise: NoiseSource) -> Tokens:
        """The words."""
        return self.method.texts(texts)

    def score(self, queries: Tokens, basis: Tokens, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`."""
        return token_wise_scores(queries, basis, self.method.hidden, "out")


class ValorAuthors(Authors["Valor"]):
    """VALOR's checkpoints."""

    def audio_width(self, state: Mapping[str, Tensor]) -> int | None:
        """What the head of the sound takes."""
        head = state.get("contra_head_a.linear.weight")
        return None if head is None else head.shape[1]


class Valor(Method[Tokens]):
    """Weighted token-wise similarity of words with frames and sound."""

    name = "valor"
    title = "VALOR (head)"
    paper = "Chen et al., VALOR, arXiv 2304.08345"
    Config = ValorConfig
    recipe: ClassVar[Mapping[str, object]] = {**VAST, "training.lr_clip": 2e-5, "training.epochs": 5}
    authors = ValorAuthors(
        {
            "clip_model.logit_scale": "logit_scale",
            **{f"contra_head_{m}.linear.": f"heads.maps.{m}." for m in "tva"},
            **{f"{side}_fine_weight.": f"weights.{side}." for side in ("text", "video", "audio")},
        },
        towers="clip_model.",
    )

    def __init__(self, config: ValorConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.settings = config
        self.hidden: Hidden = "out" if config.word_padding == "masked" else "zero"
        self.heads = build_heads(dimensions, "tva", config.head_init, self.name)
        width = dimensions.width
        self.weights = nn.ModuleDict({side: WeightNet(width, 2) for side in ("text", "video", "audio")})
        self.needs = Needs(sound=True, words=True, floats_per_pair=4 * dimensions.words * dimensions.frames)
        self.exact = FineExact(self)

    def texts(self, texts: Texts) -> Tokens:
        """Unit words with their weights."""
        words, mask = words_of(texts)
        directions = self.heads("t", words.to(self.logit_scale.dtype))
        return Tokens(directions, softmax_weights(self.weights["text"](directions)[..., 0], mask), mask)

    def index(self, videos: Videos) -> Tokens:
        """Unit frames and, beside each, its stretch of sound, with their weights."""
        dtype = self.logit_scale.dtype
        frames = self.heads("v", videos.frames.to(dtype))
        sound = self.heads("a", frame_audio(videos, self.settings.audio_alignment).to(dtype))
        # a silent clip has frames alone
        shown = videos.frame_mask & has_sound(videos)[:, None]
        # frames and sounds share one softmax
        logits = [self.weights["video"](frames)[..., 0], self.weights["audio"](sound)[..., 0]]
        mask = torch.cat([videos.frame_mask, shown], dim=1)
        directions = torch.cat([frames, sound * shown[..., None]], dim=1)
        return Tokens(directions, softmax_weights(torch.cat(logits, dim=1), mask), mask)

    def score(self, texts: Texts, index: Tokens, noise: NoiseSource) -> Tensor:
        """s `(N, V)`."""
        return fine_scores(self.texts(texts), index, self.hidden)

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """InfoNCE."""
        scores = fine_scores(self.texts(texts), self.index(videos), self.hidden)
        total = symmetric_infonce(self.logit_scale.exp() * scores)
        return Losses(total, {"main": total.detach()})
