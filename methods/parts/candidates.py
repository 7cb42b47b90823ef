"""Candidates for search: vectors whose largest product with a text finds what a composition ranks first.

Pooled by no text, a video is its one direction. Pooled by the text, it is likely where one of its frames is
near, so every frame is a vector; frames that a gate mixes for every text are taken half picture, half sound.
"""

import torch
from torch import Tensor

from core.batch import Texts
from core.capabilities import Candidates
from methods.parts.composition import Composition, VideoIndex
from methods.parts.pooled import Pooled
from methods.parts.vectors import unit


class ComposedCandidates(Candidates[VideoIndex]):
    """Directions of videos, or of all their frames."""

    def __init__(self, method: Composition) -> None:
        self.method = method

    def videos(self, index: VideoIndex) -> Tensor:
        """`(V, 1, D)`, or `(V, F, D)`, padding frames as zeros."""
        videos, pooling = index.videos, self.method.pooling
        if index.audio is None and not pooling.text_conditioned:
            nobody = videos.frames[:1, 0]  # (1, D): a pooling that looks at no text is told any
            pooled: Pooled = pooling(nobody, videos)
            return pooled.direction[:, None]
        # no text is known yet, so neither is the gate: a half of each
        frames = videos.frames if index.audio is None else torch.lerp(videos.frames, index.audio, 0.5)
        return unit(frames) * videos.mask[..., None]

    def texts(self, texts: Texts) -> Tensor:
        """Directions `(N, D)`."""
        return unit(self.method.embeds(texts))
