"""CASE: captions of the video itself steer which tokens of picture and sound are emphasised.

Caption-aligned saliency-guided enrichment (Hu et al., CAE-AV, arXiv 2602.08309), as released. Each modality
is a stream: tokens attend themselves, then their caption, then the other modality; a feed-forward layer and a
mixing over time follow; the salient tokens are emphasised as far as the frame agrees with its caption. A
caption describes the video and is made without any query. Tokens are `(V, F, L, C)`, captions
`(V, F|1, Lc, C)`: one per frame as in the recordings, or one per clip.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.parts.enrichment.tokens import (
    TemporalMixing,
    energies,
    hard_choice,
    noisy_probabilities,
    soft_choice,
)
from methods.parts.post_norm import PostNormAttention, PostNormFeedForward
from methods.parts.vectors import masked_mean

INITIAL_TEMPERATURE = 0.2
"""Temperature of the caption objective at the start, as released."""


@dataclass(frozen=True)
class CaptionTokens:
    """What was said of one modality of the clips, by no query."""

    tokens: Tensor
    """`(V, F|1, Lc, C)` token states."""
    mask: Tensor
    """`(V, F|1, Lc)` bool: False behind the end of a caption, and everywhere where there is none."""

    @property
    def present(self) -> Tensor:
        """`(V, F|1)` bool: whether there is a caption."""
        return self.mask.any(-1)


@dataclass(frozen=True)
class Stream:
    """One modality of the clips."""

    tokens: Tensor
    """`(V, F, L, C)`."""
    caption: CaptionTokens | None = None
    """None where no clip has one."""
    noise: Tensor | None = None
    """`(V, F, L)` draws of Exp(1) for the soft choice of training; None for the hard choice of inference."""


@dataclass(frozen=True)
class Enriched:
    """One modality after CASE."""

    tokens: Tensor
    """`(V, F, L, C)`."""
    caption: CaptionTokens | None
    """The caption behind its own layers; None where no clip has one."""
    probabilities: Tensor | None
    """`(V, F, L)` of sum 1, from which the soft choice was made; None at inference."""
    vector: Tensor
    """`(V, F, H)` of each frame, for the objectives."""
    caption_vector: Tensor | None
    """`(V, F|1, H)` of the caption, for the objectives."""


@torch.no_grad()
def caption_agreement(tokens: Tensor, caption: CaptionTokens | None) -> Tensor:
    """`sigmoid(cos(mean token, mean caption state))` of each frame, `(V, F, 1, 1)`; 1/2 without a caption."""
    mean = tokens.mean(-2)
    if caption is None:
        return torch.full_like(mean[..., :1, None], 0.5)
    # w = sigmoid(cos(mean token, mean caption state))
    cosine = functional.cosine_similarity(mean, masked_mean(caption.tokens, caption.mask), dim=-1)
    # sigmoid(0) = 1/2 where there is no caption: it neither agrees nor disagrees
    return torch.where(caption.present, cosine, torch.zeros_like(cosine)).sigmoid()[..., None, None]


def emphasised(start: Tensor, tokens: Tensor, choice: Tensor, weight: Tensor) -> Tensor:
    """`x0 + w x m + (1 - w) x`: start x0 and tokens x `(V, F, L, C)`, choice m `(V, F, L)` of sum 1.

    The weight w `(V, F, 1, 1)` says how well the frame agrees with its caption.
    """
    # x0 + w x m + (1 - w) x
    return start + weight * tokens * choice[..., None] + (1 - weight) * tokens


class CaseStream(nn.Module):
    """The layers of one modality."""

    def __init__(self, width: int, other_width: int, heads: int, ratio: float, head_width: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.self_attention = PostNormAttention(width, heads)
        self.caption_self_attention = PostNormAttention(width, heads)
        self.caption_attention = PostNormAttention(width, heads)
        self.from_other = nn.Linear(other_width, width)
        self.other_attention = PostNormAttention(width, heads)
        self.feed_forward = PostNormFeedForward(width)
        self.caption_feed_forward = PostNormFeedForward(width)
        self.temporal = TemporalMixing(width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, head_width))
        self.caption_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, head_width))

    def described(self, stream: Stream) -> Stream:
        """Tokens that attended themselves and, where there is one, their caption, which attended itself."""
        tokens, caption = self.self_attention(stream.tokens, stream.tokens), stream.caption
        if caption is None:
            return Stream(tokens, None, stream.noise)
        states = self.caption_self_attention(caption.tokens, caption.tokens, caption.mask)
        attended = self.caption_attention(tokens, states, caption.mask)
        # attention over no caption is an even mean of padding: the tokens stay
        tokens = torch.where(caption.present[..., None, None], attended, tokens)
        return Stream(tokens, CaptionTokens(states, caption.mask), stream.noise)

    def finished(self, start: Tensor, stream: Stream, real: Tensor, temperature: Tensor) -> Enriched:
        """All that follows the exchange between the modalities; `start` `(V, F, L, C)` entered the stream.

        Padding frames, where `real` `(V, F, 1, 1)` bool is False, count as zeros in the mixing over time.
        """
        tokens, caption = self.temporal(self.feed_forward(stream.tokens) * real), stream.caption
        if caption is not None:
            caption = CaptionTokens(self.caption_feed_forward(caption.tokens), caption.mask)
        weight, energy, probabilities = caption_agreement(tokens, caption), energies(tokens), None
        if stream.noise is None:
            choice = hard_choice(energy, self.ratio)
            # of sum 1, as the soft choice of training is
            choice = choice / choice.sum(-1, keepdim=True)
        else:
            probabilities = noisy_probabilities(energy, temperature, stream.noise)
            choice = soft_choice(probabilities, self.ratio)
        tokens = self.norm(emphasised(start, tokens, choice, weight))
        return Enriched(
            tokens,
            caption,
            probabilities,
            self.head(tokens.mean(-2)),
            None if caption is None else self.caption_head(masked_mean(caption.tokens, caption.mask)),
        )


class Case(nn.Module):
    """Both streams, with one exchange between them. `ratio` of a frame's tokens are emphasised."""

    def __init__(self, width: int, audio_width: int, heads: int, ratio: float, head_width: int) -> None:
        super().__init__()
        self.visual = CaseStream(width, audio_width, heads, ratio, head_width)
        self.audio = CaseStream(audio_width, width, heads, ratio, head_width)
        self.choice_temperature = nn.Parameter(torch.ones(()))
        self.temperature = nn.Parameter(torch.tensor(INITIAL_TEMPERATURE))
        """Of the caption objective; nothing here reads it."""

    def forward(
        self, visual: Stream, audio: Stream, mask: Tensor, heard: Tensor | None = None
    ) -> tuple[Enriched, Enriched]:
        """The enriched picture and the enriched sound.

        `mask` `(V, F)` bool is False for padding frames; where `heard` `(V,)` bool is False the clip is
        silent and its picture takes nothing from the sound.
        """
        v, a = self.visual.described(visual), self.audio.described(audio)
        # both modalities read the other one as it was before the exchange
        from_audio = self.visual.other_attention(v.tokens, self.visual.from_other(a.tokens))
        from_visual = self.audio.other_attention(a.tokens, self.audio.from_other(v.tokens))
        if heard is not None:
            # the exchange is a residual layer, so that nothing taken is the tokens as they were
            from_audio = torch.where(heard[:, None, None, None], from_audio, v.tokens)
        real = mask[..., None, None]
        return (
            self.visual.finished(
                visual.tokens, Stream(from_audio, v.caption, v.noise), real, self.choice_temperature
            ),
            self.audio.finished(
                audio.tokens, Stream(from_visual, a.caption, a.noise), real, self.choice_temperature
            ),
        )
