"""Pooling: from the fused frames of a video to what a query is compared with.

`prepare` does what needs no text and can be kept in an index; `forward` adds the text; `compare` gives the
similarity, divided by the logit scale. Frames are `(V, F, D)`, or `(N, V, F, D)` where each text has its own.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from core.method import ClipTextWeights
from methods.parts.transformer import (
    TransformerBlock,
    copy_clip_blocks,
    copy_clip_positions,
    initialise_normal,
    with_positions,
)
from methods.parts.vectors import frame_cosines, masked_mean, unit, vector_cosines


@dataclass(frozen=True)
class Prepared:
    """A video as pooling sees it before any text, `(V, ...)` or `(N, V, ...)`."""

    frames: Tensor
    """`([N,] V, F, D)` fused frames."""
    mask: Tensor
    """`([N,] V, F)` bool, True for real frames."""
    keys: Tensor | None = None
    """`([N,] V, F, D)` attention keys of text-conditioned pooling."""
    values: Tensor | None = None
    """`([N,] V, F, D)` attention values of text-conditioned pooling."""
    vector: Tensor | None = None
    """`([N,] V, D)` pooled vector where pooling needs no text."""

    def paired(self) -> "Prepared":
        """Shared rows as matched pairs: video i becomes text i's only video, `(V, 1, ...)`."""
        parts = (self.frames, self.mask, self.keys, self.values, self.vector)
        return Prepared(*(None if part is None else part[:, None] for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Pooled:
    """What a query is compared with."""

    vector: Tensor
    """`([N,] V, D)` one vector per video."""
    frames: Tensor | None = None
    """`([N,] V, F, D)` frames, for similarities that look at single frames."""
    mask: Tensor | None = None
    """`([N,] V, F)` bool, with `frames`."""

    @cached_property
    def direction(self) -> Tensor:
        """Unit vectors `([N,] V, D)`; many queries of the same videos divide once."""
        return unit(self.vector)


class Pooling(nn.Module, ABC):
    """The contract of a pooling part."""

    text_conditioned: bool = False
    """Whether the pooled vector of a video differs from text to text."""

    def prepare(self, frames: Tensor, mask: Tensor) -> Prepared:
        """What can be computed of frames `([N,] V, F, D)` under `mask` `([N,] V, F)` without the text."""
        return Prepared(frames, mask)

    @abstractmethod
    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Pools the videos for texts `(N, D)`."""

    def compare(self, query: Tensor, videos: Pooled, scale: Tensor) -> Tensor:
        """Similarity `(N, V)` of queries `(N, V|1, D)`, divided by `scale` = exp(logit_scale)."""
        return vector_cosines(query, videos.direction)

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """Copies what the authors copy from CLIP's text tower; returns the names of the parts copied."""
        return ()


def mean_of_directions(frames: Tensor, mask: Tensor) -> Tensor:
    """CLIP4Clip's meanP: mean of the real frames' directions, `(..., F, D)` -> `(..., D)`.

    Luo et al., Neurocomputing 2022 (arXiv 2104.08860), section 3.3. Masked before it is divided, so that zero
    frames behind the clip and an empty mask stay finite; the released order gives NaN there
    (`released_mean_of_directions`).
    """
    return masked_mean(unit(frames), mask)


def released_mean_of_directions(frames: Tensor, mask: Tensor) -> Tensor:
    """meanP in the released order, direction of the mean `(V, D)`: NaN for zero frames and empty masks."""
    directions = frames / torch.linalg.vector_norm(frames, dim=-1, keepdim=True)
    mean = (directions * mask[..., None]).sum(-2) / mask.sum(-1, keepdim=True).clamp(min=1)
    direction: Tensor = mean / torch.linalg.vector_norm(mean, dim=-1, keepdim=True)
    return direction


class MeanPooling(Pooling):
    """CLIP4Clip's parameter-free header."""

    def prepare(self, frames: Tensor, mask: Tensor) -> Prepared:
        """Frames and their mean direction."""
        return Prepared(frames, mask, vector=mean_of_directions(frames, mask))

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """The mean, whatever the text."""
        assert videos.vector is not None
        return Pooled(videos.vector)


class SequenceTransformerPooling(MeanPooling):
    """CLIP4Clip's seqTransf: positions, a transformer over the frames, a residual, then meanP."""

    def __init__(self, width: int, layers: int, heads: int, positions: int) -> None:
        super().__init__()
        self.frame_positions = nn.Embedding(positions, width)
        self.transformer = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        initialise_normal(self)

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """CLIP's first text layers into the transformer, its positions into the frame positions."""
        copied = {
            "pooling.frame_positions": copy_clip_positions(self.frame_positions, clip),
            "pooling.transformer": copy_clip_blocks(self.transformer, clip),
        }
        return tuple(name for name, done in copied.items() if done)

    def contextual(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Frames `(V, F, D)` after the transformer, plus themselves before the positions."""
        x = with_positions(frames, self.frame_positions)
        for block in self.transformer:
            x = block(x, mask)
        return x + frames

    def prepare(self, frames: Tensor, mask: Tensor) -> Prepared:
        """Frames as they came and the mean direction of the contextual ones."""
        rows, row_mask = frames.flatten(0, -3), mask.expand(frames.shape[:-1]).flatten(0, -2)
        contextual = self.contextual(rows, row_mask).view_as(frames)
        return Prepared(frames, mask, vector=mean_of_directions(contextual, mask))


class MultiGrainedPooling(Pooling):
    """AVIGATE's similarity: the mean of a global cosine and a log-sum-exp over the frames (section 3.4)."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def prepare(self, frames: Tensor, mask: Tensor) -> Prepared:
        """Frames and their mean direction."""
        return Prepared(frames, mask, vector=mean_of_directions(frames, mask))

    def forward(self, texts: Tensor, videos: Prepared) -> Pooled:
        """Both grains, whatever the text."""
        assert videos.vector is not None
        return Pooled(videos.vector, videos.frames, videos.mask)

    def compare(self, query: Tensor, videos: Pooled, scale: Tensor) -> Tensor:
        """Mean of both grains."""
        assert videos.frames is not None
        assert videos.mask is not None
        cosines = frame_cosines(query, unit(videos.frames))
        local = local_similarity(cosines, videos.mask, scale, self.temperature)
        return (local + vector_cosines(query, videos.direction)) / 2


def local_similarity(cosines: Tensor, mask: Tensor, scale: Tensor, temperature: float) -> Tensor:
    """`log(sum over real frames of exp(tau s c)) / (tau s)`, `(N, V)`.

    Cosines `(N, V, F)`, mask `([N,] V, F)`. Not divided by the number of frames, as released; a video without
    real frames gets 0. The released code exponentiates directly and overflows float32 past 88.
    """
    sharpness = temperature * scale
    empty = ~mask.any(-1)
    kept = torch.where(mask | empty[..., None], sharpness * cosines, -torch.inf)
    return (kept.logsumexp(-1) / sharpness).masked_fill(empty, 0.0)
