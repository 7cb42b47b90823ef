"""What the exact engine keeps of the videos of a composed method."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.batch import Rows
from core.scoring.basis import Mixes
from methods.parts.conditioned import TextConditionedPooling
from methods.parts.exact.attention import Head, attendable_frames, attended_vectors, head_of
from methods.parts.exact.gated import GatedFrames, attended_sources, gated_frames
from methods.parts.fusion import GateFusion
from methods.parts.pooling import MeanPooling, SequenceTransformerPooling
from methods.parts.vectors import unit

if TYPE_CHECKING:
    from methods.composed import ComposedMethod
    from methods.parts.index import VideoIndex


@dataclass(frozen=True)
class ExactIndex(Rows):
    """The basis of each video: how its frames are seen, and what its pooled vector is a mix of."""

    keys: Tensor
    """`(V,)` int64, of the noise."""
    mask: Tensor
    """`(V, F)` bool, True for real frames."""
    attendable: Tensor
    """`(V, F)` bool: frames that attention may look at."""
    gated: GatedFrames | None
    """Where a gate fuses the frames anew for every text."""
    directions: Tensor | None
    """`(V, F, D)` unit frames, zero for padding, where a radius wants cosines with them; not with a gate."""
    attention_keys: Tensor | None
    """`(V, F, D)` where the text attends frames without a gate."""
    head: Head | None
    """What follows attention."""
    mean: Mixes | None
    """The pooled vector where the text does not attend: of picture and sound, or the vector itself."""

    @property
    def pooled(self) -> Mixes:
        """What pooled vectors are mixes of."""
        mixes = self.mean if self.head is None else self.head.pooled
        assert mixes is not None
        return mixes


def obstacle(method: "ComposedMethod") -> str:
    """Why a composition has no algebra; empty where it has."""
    fusion, pooling = method.fusion, method.pooling
    gated = fusion.text_dependent
    if gated and not (isinstance(fusion, GateFusion) and fusion.level != "token"):
        return f"{method.parts.fusion}-level gate"
    if not isinstance(pooling, TextConditionedPooling | MeanPooling):
        return f"{method.parts.pooling} pooling"
    if gated and isinstance(pooling, SequenceTransformerPooling):
        return "transformer over frames that the text gates"
    return ""


def basis_of(method: "ComposedMethod", rows: "VideoIndex", vectors: Tensor | None = None) -> ExactIndex:
    """The basis of each video of an index, or of videos that are pooled to `vectors` `(V, D)` already."""
    pooling, fusion, vectors = method.pooling, method.fusion, rows.vector if vectors is None else vectors
    gated, head, mean, attention_keys, directions = None, None, None, None, None
    if rows.audio is not None:
        assert isinstance(fusion, GateFusion)
        gated = gated_frames(fusion, rows.frames, rows.audio, rows.mask)
    elif method.perturbation is not None:
        directions = unit(rows.frames) * rows.mask[..., None]
    if vectors is not None:
        mean = Mixes.of(vectors[:, None])
    elif not isinstance(pooling, TextConditionedPooling):
        assert rows.audio is not None
        mean = Mixes.of(torch.stack([rows.frames, rows.audio], dim=2).flatten(1, 2))
    elif gated is not None:
        head = head_of(pooling, attended_sources(pooling, gated))
    else:
        assert rows.attention_values is not None
        attention_keys = rows.attention_keys
        head = head_of(pooling, attended_vectors(pooling, rows.attention_values))
    attendable = attendable_frames(rows.mask)
    return ExactIndex(rows.keys, rows.mask, attendable, gated, directions, attention_keys, head, mean)
