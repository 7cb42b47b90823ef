"""X-CLIP's multi-grained interaction: sentence and words with video and frames, four similarities.

Ma et al., "X-CLIP: End-to-End Multi-grained Contrastive Learning for Video-Text Retrieval", ACM MM 2022
(arXiv 2207.07285), section 3. All vectors are unit; `t` sentence, `w_l` words, `v` video, `f` frames:

    attn(x, Q) = sum_j (sum_i y_i Q_ij) x_j,  y = softmax(x / 0.01)      along one axis of x
    S1 = t G v            S2 = attn_l(w_l . v, A1)          S3 = attn_f(t . f, B1)
    C_lf = w_l M f        S4 = 1/2 [ attn_f(attn_l(C, A2), B3) + attn_l(attn_f(C, B2), A3) ]
    S  = (S1 + S2 + S3 + S4) / 4

The release masks neither padded words nor padded frames in S2, S3 and S4, so its score depends on the length
of the rows; under `masked` hidden positions leave softmax, matrices and sums. Since
`sum_j (sum_i y_i Q_ij) x_j = sum_i y_i (Q x)_i`, the mixtures are products with Q of what was not yet
exponentiated.
"""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from core.batch import Rows, Texts
from core.errors import BenchError
from core.method import Dimensions
from methods.parts.config import ComposedConfig
from methods.parts.interaction.base import Interaction, TokenAlgebra, words_of
from methods.parts.kinds import INTERACTIONS
from methods.parts.pooled import Pooled
from methods.parts.pooling.base import Pooling, Prepared
from methods.parts.vectors import unit

TEMPERATURE = 0.01
"""Of every softmax here; a constant in the release, not the logit scale."""


@dataclass(frozen=True)
class GrainedTexts(Rows):
    """Captions as the interaction sees them, all unit vectors."""

    sentence: Tensor
    """`(N, D)`."""
    words: Tensor
    """`(N, L, D)`."""
    mask: Tensor
    """`(N, L)` bool: words that take part."""


@dataclass(frozen=True)
class GrainedVideos(Rows):
    """Videos as the interaction sees them, all unit vectors."""

    video: Tensor
    """`(V, D)`."""
    frames: Tensor
    """`(V, F, D)`."""
    mask: Tensor
    """`(V, F)` bool: frames that take part."""


def attended(x: Tensor, mixture: Tensor, mask: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """attn `(...)` over the last axis of `x` `(..., L)` with Q `(L, L)`; the bool `mask` broadcasts."""
    shown = mask | ~mask.any(-1, keepdim=True)
    # a hidden position brings nothing to the mixture, whatever it holds
    kept = torch.where(mask, x, torch.zeros_like(x[..., :1]))
    # y = softmax(x / 0.01)
    weights = torch.where(shown, x / temperature, -torch.inf).softmax(-1)
    # sum_i y_i (Q x)_i
    return (weights * (kept @ mixture.T)).sum(-1)


@dataclass(frozen=True)
class FoldedTexts(Rows):
    """Captions with G and M folded in, `(N, 1 + L, D)` each."""

    with_video: Tensor
    """`[t G; w]`, compared with v (S1 and S2)."""
    with_frames: Tensor
    """`[t; w M]`, compared with f (S3 and C)."""
    mask: Tensor
    """`(N, L)` bool: words that take part."""


@INTERACTIONS.kind("multi-grained-words")
class MultiGrainedWords(Interaction):
    """The eight matrices, identities at the start, and the four terms."""

    words = True
    sentence = False
    obstacle = "multi-grained-words interaction"

    def __init__(self, width: int, words: int, frames: int, padding: str = "released") -> None:
        super().__init__()
        self.padding = padding
        self.global_mat_weight = nn.Parameter(torch.eye(width))
        self.local_mat_weight = nn.Parameter(torch.eye(width))
        self.word_logit_weight = nn.Parameter(torch.eye(words))
        self.word_mat_weight = nn.Parameter(torch.eye(words))
        self.word_mat_weight2 = nn.Parameter(torch.eye(words))
        self.frame_logit_weight = nn.Parameter(torch.eye(frames))
        self.frame_mat_weight = nn.Parameter(torch.eye(frames))
        self.frame_mat_weight2 = nn.Parameter(torch.eye(frames))

    def terms_of(self, texts: GrainedTexts, videos: GrainedVideos) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """S1 to S4, `(N, V)` each."""
        video = "nvd" if videos.video.dim() == 3 else "vd"  # pooling by the text gives each text its own
        frames = "nvfd" if videos.frames.dim() == 4 else "vfd"  # and so does a gate in front
        folded, words = texts.sentence @ self.global_mat_weight, texts.words @ self.local_mat_weight
        sentence_video = torch.einsum(f"nd,{video}->nv", folded, videos.video)
        word_video = torch.einsum(f"nld,{video}->nvl", texts.words, videos.video)
        sentence_frame = torch.einsum(f"nd,{frames}->nvf", texts.sentence, videos.frames)
        cosines = torch.einsum(f"nld,{frames}->nvlf", words, videos.frames)
        return (
            sentence_video,
            attended(word_video, self.word_logit_weight, texts.mask[:, None]),
            attended(sentence_frame, self.frame_logit_weight, videos.mask),
            self.word_frame(cosines, texts.mask, videos.mask),
        )

    def word_frame(self, cosines: Tensor, word_mask: Tensor, frame_mask: Tensor) -> Tensor:
        """S4 `(N, V)` of C `(N, V, L, F)`."""
        by_word = cosines.transpose(2, 3)  # (N, V, F, L)
        # attn_l(C, A2), a number per frame
        per_frame = attended(by_word, self.word_mat_weight, word_mask[:, None, None])
        # attn_f(C, B2), a number per word
        per_word = attended(cosines, self.frame_mat_weight, frame_mask[..., None, :])
        # attn_f(attn_l(C, A2), B3)
        frames = attended(per_frame, self.frame_mat_weight2, frame_mask)
        # attn_l(attn_f(C, B2), A3)
        words = attended(per_word, self.word_mat_weight2, word_mask[:, None])
        return (frames + words) / 2

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """For the run's numbers of words and frames."""
        return cls(dimensions.width, dimensions.words, dimensions.frames, config.word_padding)

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """C, its transposed copy, and both with their softmax and mixture."""
        return 6 * (dimensions.words + 1) * dimensions.frames

    def text_side(self, texts: Texts) -> GrainedTexts:
        """The texts; under `released` every position takes part."""
        words, word_mask = words_of(texts)
        if words.shape[1] != len(self.word_logit_weight):
            raise BenchError(
                f"texts have {words.shape[1]} word positions, the method has {len(self.word_logit_weight)}; "
                f"set text_tokens={len(self.word_logit_weight)}"
            )
        if self.padding == "released":
            word_mask = torch.ones_like(word_mask)
        return GrainedTexts(unit(texts.embeds.to(words.dtype)), unit(words), word_mask)

    def video_side(self, videos: Pooled) -> GrainedVideos:
        """The videos; under `released` every frame takes part."""
        mask = videos.mask.expand(videos.frames.shape[:-1])
        if self.padding == "released":
            mask = torch.ones_like(mask)
        return GrainedVideos(unit(videos.vector), unit(videos.frames), mask)

    def forward(self, query: Tensor, texts: Texts, videos: Pooled, scale: Tensor) -> Tensor:
        """S `(N, V)`, the mean of the four terms."""
        return self.mean_of_terms(self.text_side(texts), self.video_side(videos))

    def mean_of_terms(self, texts: GrainedTexts, videos: GrainedVideos) -> Tensor:
        """S `(N, V)`."""
        return torch.stack(self.terms_of(texts, videos)).sum(0) / 4

    def folded(self, texts: GrainedTexts) -> FoldedTexts:
        """The texts with both matrices folded in."""
        # t G v = (t G) v and w M f = (w M) f: the matrices act on the texts, once
        with_video = torch.cat([(texts.sentence @ self.global_mat_weight)[:, None], texts.words], dim=1)
        with_frames = torch.cat([texts.sentence[:, None], texts.words @ self.local_mat_weight], dim=1)
        return FoldedTexts(with_video, with_frames, texts.mask)

    def token_algebra(self, pooling: Pooling[Any]) -> TokenAlgebra[FoldedTexts, GrainedVideos] | None:
        """`scores`; needs a vector that no text changes."""
        return None if pooling.text_conditioned else MultiGrainedWordsAlgebra(self, pooling)

    def scores(self, texts: FoldedTexts, videos: GrainedVideos) -> Tensor:
        """S `(N, V)` of folded texts: two products over all pairs, then the small mixtures."""
        with_video, with_frames, word_mask = texts.with_video, texts.with_frames, texts.mask
        count, rows = with_video.shape[:2]
        slots = videos.frames.shape[1]
        # row 0: S1 of every pair; the rest: w_l . v
        globally = (with_video.flatten(0, 1) @ videos.video.T).view(count, rows, -1)  # (N, 1 + L, V)
        # row 0: t . f; the rest: C
        flat = with_frames.flatten(0, 1) @ videos.frames.flatten(0, 1).T
        locally = flat.view(count, rows, -1, slots).transpose(1, 2)  # (N, V, 1 + L, F)
        # S1 + S2
        total = globally[:, 0] + attended(
            globally[:, 1:].transpose(1, 2), self.word_logit_weight, word_mask[:, None]
        )
        # + S3
        total += attended(locally[:, :, 0], self.frame_logit_weight, videos.mask)
        # + S4
        total += self.word_frame(locally[:, :, 1:], word_mask, videos.mask)
        return total / 4


class MultiGrainedWordsAlgebra(TokenAlgebra[FoldedTexts, GrainedVideos]):
    """All pairs of folded texts."""

    def __init__(self, interaction: MultiGrainedWords, pooling: Pooling[Any]) -> None:
        self.interaction, self.pooling = interaction, pooling

    def floats_per_pair(self, dimensions: Dimensions) -> int:
        """As by the modules: what the mixtures need is the same."""
        return self.interaction.floats_per_pair(dimensions)

    def kept(self, videos: Prepared) -> GrainedVideos:
        """Unit vectors."""
        nobody = videos.frames[:1, 0]  # (1, D): a pooling that looks at no text is told any
        return self.interaction.video_side(self.pooling(nobody, videos))

    def asked(self, texts: Texts) -> FoldedTexts:
        """Folded unit vectors."""
        return self.interaction.folded(self.interaction.text_side(texts))

    def scores(self, asked: FoldedTexts, kept: GrainedVideos) -> Tensor:
        """S `(N, V)`."""
        return self.interaction.scores(asked, kept)
