"""UATVR: extra tokens on both sides, one transformer for both, and a probabilistic embedding in training.

Fang et al., ICCV 2023, arXiv 2301.06309, section 3:

    f' = T([f; e_v] + p),  w' = T([words; e_t] + p_w), unit        methods/parts/temporal.py
    s  = WTI of w' and f', weights of unit tokens                  methods/parts/interaction/token_wise.py
    mu = unit(LN(pool + sigmoid(fc att))), log sigma = fc att' + fc2 pool
    z  = mu + eps exp(log sigma), 7 samples a side                 methods/parts/objective/probabilistic.py
    L  = InfoNCE + .01 MIL(z) + .0001 KL                           `Uatvr.loss`

The release overwrites its mask where a call has a single text: the start mark is then lost, and the score of
a query depends on the loader's batch. Here no mask is aliased; `released` scores texts one by one.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from core.authors import Authors, ClipTextWeights
from core.axes import Ours
from core.batch import Texts, Videos
from core.capabilities import Exact, NoiseSource, ReleasedScorer
from core.errors import BenchError
from core.method import Dimensions, Losses, Method, MethodConfig, Needs
from methods.parts.config import Count
from methods.parts.interaction.base import words_of
from methods.parts.interaction.token_wise import (
    Tokens,
    WeightNet,
    softmax_weights,
    token_cosines,
    token_wise,
    token_wise_scores,
)
from methods.parts.layouts import temporal
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.objective.probabilistic import (
    MeanNet,
    UncertaintyNet,
    kl_loss,
    multi_instance_loss,
    samples,
)
from methods.parts.recipes import CLIP4CLIP
from methods.parts.temporal import contextual_tokens, with_extra
from methods.parts.transformer import (
    TransformerBlock,
    copy_clip_blocks,
    copy_clip_positions,
    default_heads,
    initialise_normal,
)
from methods.parts.vectors import masked_mean, unit

SIDES = ("text", "video")


class UatvrConfig(MethodConfig):
    """UATVR's defaults."""

    extra_tokens: Annotated[int, Field(ge=0)] = 2
    """Learned tokens behind the words, and behind the frames."""
    transformer_layers: Count = 4
    """Layers of the transformer that both sides share."""
    transformer_heads: Count | None = None
    """Its heads; None is one per 64 channels."""
    positions: Count = 79
    """Rows of the table of frame positions, extra tokens included: CLIP's context and two."""
    word_positions: Count | None = None
    """Rows of the table of word positions, extra tokens included; None: the words that are read and those."""
    samples: Count = 7
    """Samples of each side in training."""
    mil_weight: Annotated[float, Field(ge=0)] = 1e-2
    """Weight of the contrast between samples."""
    kl_weight: Annotated[float, Field(ge=0)] = 1e-4
    """Weight of the KL term, which is summed over batch and width as released."""


class UatvrAuthors(Authors["Uatvr"]):
    """UATVR's checkpoints."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Layers, heads and the rows of both tables of positions."""
        table = state.get("word_position_embeddings.weight")
        return {**temporal(state), **({} if table is None else {"word_positions": len(table)})}

    def initialise(self, method: "Uatvr", clip: ClipTextWeights) -> None:
        """CLIP's text layers and positions; the positions of words start at random, as released."""
        copy_clip_blocks(method.blocks, clip)
        copy_clip_positions(method.frame_positions, clip)


class UatvrExact(Exact[Tokens, Tokens, Tokens]):
    """`token_wise_scores`."""

    where = "methods/parts/interaction/token_wise.py"

    def __init__(self, method: "Uatvr") -> None:
        self.method = method

    @property
    def floats_per_pair(self) -> int:
        """Cosines of every word with one token, and their running maximum."""
        return 2 * (self.method.dimensions.words + self.method.settings.extra_tokens) + 4

    def index(self, rows: Tokens) -> Tokens:
        """The tokens."""
        return rows

    def queries(self, texts: Texts, noise: NoiseSource) -> Tokens:
        """The words."""
        return self.method.texts(texts)

    def score(self, queries: Tokens, basis: Tokens, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`."""
        return token_wise_scores(queries, basis)


class OneByOne(ReleasedScorer[Tokens]):
    """The release with one text per call: the start mark is hidden from weights and cosines, not from T."""

    def __init__(self, method: "Uatvr") -> None:
        self.method = method

    def score(self, texts: Texts, index: Tokens, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)`."""
        words = self.method.texts(texts)
        mask = words.mask.clone()
        mask[:, 0] = False
        return self.method.compared(self.method.weighted("text", words.directions, mask), index)


class Uatvr(Method[Tokens]):
    """Token-wise interaction of words and frames, each with extra tokens."""

    name = "uatvr"
    title = "UATVR"
    paper = "Fang et al., UATVR, ICCV 2023, arXiv 2301.06309"
    Config = UatvrConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **CLIP4CLIP,
        "training.lr_new": 5e-5,
        "training.lr_clip": Ours(5e-7, released=5e-8),
        "training.batch_size": 64,
    }
    authors = UatvrAuthors(
        {
            "clip.logit_scale": "logit_scale",
            "frame_position_embeddings.": "frame_positions.",
            "word_position_embeddings.": "word_positions.",
            "transformerClip.resblocks.": "blocks.",
            **{f"{side}_weight_fc.": f"weights.{side}." for side in SIDES},
            **{f"pie_net_{side}.": f"means.{side}." for side in SIDES},
            **{f"uncertain_net_{side}.": f"uncertainties.{side}." for side in SIDES},
        }
    )

    def __init__(self, config: UatvrConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        width, extra = dimensions.width, config.extra_tokens
        heads = config.transformer_heads or default_heads(width)
        if width % heads:
            raise BenchError(
                f"transformer_heads={heads} does not divide the joint width {width}; choose a divisor"
            )
        if dimensions.frames + extra > config.positions:
            raise BenchError(
                f"frames={dimensions.frames} and extra_tokens={extra} are more than "
                f"positions={config.positions}; raise config.positions"
            )
        self.settings = config
        self.frame_positions = nn.Embedding(config.positions, width)
        rows = config.word_positions or dimensions.words + extra
        if dimensions.words + extra > rows:
            raise BenchError(
                f"text_tokens={dimensions.words} and extra_tokens={extra} are more than "
                f"word_positions={rows}; lower text_tokens"
            )
        self.word_positions = nn.Embedding(rows, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(config.transformer_layers))
        self.weights = nn.ModuleDict({side: WeightNet(width, 2) for side in SIDES})
        self.means = nn.ModuleDict({side: MeanNet(width) for side in SIDES})
        self.uncertainties = nn.ModuleDict({side: UncertaintyNet(width) for side in SIDES})
        initialise_normal(self)
        pairs = (dimensions.words + extra) * (dimensions.frames + extra)
        self.needs = Needs(words=True, floats_per_pair=pairs)
        self.exact = UatvrExact(self)
        self.released = OneByOne(self)

    def tokens(self, side: str, tokens: Tensor, mask: Tensor) -> Tokens:
        """Unit tokens `(B, L + E, D)` of a side after the shared transformer, with their weights."""
        table = self.word_positions if side == "text" else self.frame_positions
        extra = self.settings.extra_tokens
        # one transformer for both sides, positions apart
        out = contextual_tokens(self.blocks, table.weight, tokens.to(table.weight.dtype), mask, extra)
        return self.weighted(side, unit(out), with_extra(mask, extra))

    def weighted(self, side: str, directions: Tensor, mask: Tensor) -> Tokens:
        """Unit tokens with their weights."""
        # a_l = softmax_l(W2 relu(W1 x_l)) over the real tokens
        return Tokens(directions, softmax_weights(self.weights[side](directions)[..., 0], mask), mask)

    def texts(self, texts: Texts) -> Tokens:
        """Words and extra tokens; raises `BenchError` for rows of another length."""
        words, mask = words_of(texts)
        # the extra tokens are the rows of the table behind the last position: they depend on the length
        if words.shape[1] != (length := self.dimensions.words):
            found = f"texts have {words.shape[1]} word positions, the method has {length}"
            raise BenchError(f"{found}; set text_tokens={length}")
        return self.tokens("text", words, mask)

    def index(self, videos: Videos) -> Tokens:
        """Frames and extra tokens; raises `BenchError` for another number of frames."""
        if videos.frames.shape[1] != (frames := self.dimensions.frames):
            raise BenchError(
                f"videos have {videos.frames.shape[1]} frames, the method has {frames}; set frames={frames}"
            )
        return self.tokens("video", videos.frames, videos.frame_mask)

    def compared(self, words: Tokens, frames: Tokens) -> Tensor:
        """s `(N, V)`."""
        # C_lf = (w_l . f_f) m_l m_f
        cosines = token_cosines(words.directions, words.mask, frames.directions, frames.mask)
        # 1/2 [sum_l a_l max_f C + sum_f b_f max_l C]
        return token_wise(cosines, words.weights, frames.weights)

    def score(self, texts: Texts, index: Tokens, noise: NoiseSource) -> Tensor:
        """s `(N, V)`."""
        return self.compared(self.texts(texts), index)

    def pooled(self, side: str, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Pooled `(B, D)` and the tokens without the extra ones; words leave out the start mark."""
        own = tokens.mask.shape[1] - self.settings.extra_tokens
        directions, mask = tokens.directions[:, :own], tokens.mask[:, :own].clone()
        if side == "text":
            mask[:, 0] = False
        # PCME pools the tokens without their start mark
        return unit(masked_mean(directions, mask)), directions

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        """InfoNCE, the contrast between samples, and KL; `generator` draws the samples."""
        sides = {"text": self.texts(texts), "video": self.index(videos)}
        main = symmetric_infonce(self.logit_scale.exp() * self.compared(sides["text"], sides["video"]))
        drawn, kl = {}, main.new_zeros(())
        for side, tokens in sides.items():
            pooled, own = self.pooled(side, tokens)
            # z_k = mu + eps_k sigma of both sides
            mean, log_sigma = self.means[side](pooled, own), self.uncertainties[side](pooled, own)
            shape = (len(mean), self.settings.samples, mean.shape[1])
            noise = torch.randn(shape, generator=generator, device=generator.device).to(mean)
            drawn[side] = samples(mean, log_sigma, noise)
            kl = kl + kl_loss(drawn[side], log_sigma)
        mil = multi_instance_loss(drawn["video"], drawn["text"])
        # L = InfoNCE + mil_weight MIL + kl_weight KL
        total = main + self.settings.mil_weight * mil + self.settings.kl_weight * kl
        return Losses(total, {"main": main.detach(), "mil": mil.detach(), "kl": kl.detach()})
