"""Features that have nothing to do with each other: texts, frames, patches, sound and captions of noise."""

from dataclasses import dataclass, replace
from typing import Self

import torch

from core.batch import Texts, Videos, stable_keys

WIDTH = 64
"""D, and the width of the sound too, so that methods without a projection take it."""
FRAMES = 12
STATES = 24
"""L, audio steps of a full clip."""
PATCHES, WORDS = 4, 3
TEXT_WORDS = 9
"""L, positions of a caption's words."""


@dataclass(frozen=True)
class NoiseFeatures:
    """Texts `(N,)` and videos `(V,)` of independent Gaussian noise."""

    texts: Texts
    videos: Videos

    @classmethod
    def draw(cls, texts: int, videos: int, seed: int) -> Self:
        """Every fourth clip is short, every fifth silent, every seventh without captions."""
        generator = torch.Generator().manual_seed(seed)
        number = torch.arange(videos)
        short, heard = number % 4 == 3, number % 5 != 4
        real = torch.where(short, FRAMES // 2, FRAMES)
        audio = torch.randn(videos, STATES, WIDTH, generator=generator)
        # of their own seed: all other features stay what they are without words
        spoken = torch.randn(texts, TEXT_WORDS, WIDTH, generator=torch.Generator().manual_seed(seed + 1))
        lengths = 2 + torch.arange(texts)[:, None] % (TEXT_WORDS - 1)
        described = (number % 7 != 6)[:, None, None].expand(-1, 2, WORDS)
        return cls(
            Texts(
                torch.randn(texts, WIDTH, generator=generator),
                stable_keys([f"text {n}" for n in range(texts)]),
                spoken,
                torch.arange(TEXT_WORDS) < lengths,
            ),
            Videos(
                frames=torch.randn(videos, FRAMES, WIDTH, generator=generator),
                frame_mask=torch.arange(FRAMES) < real[:, None],
                keys=stable_keys([f"video {v}" for v in range(videos)]),
                audio=audio * heard[:, None, None],
                audio_valid=torch.where(short, STATES // 2, STATES),
                has_audio=heard,
                patches=torch.randn(videos, FRAMES, PATCHES, WIDTH, generator=generator),
                captions=torch.randn(videos, 2, WORDS, WIDTH, generator=generator),
                caption_mask=described.clone(),
            ),
        )

    def copies(self) -> Self:
        """The same texts beside V copies of the first video, which differ in nothing but their keys."""
        first = self.videos[torch.zeros(len(self.videos), dtype=torch.int64)]
        return replace(self, videos=replace(first, keys=self.videos.keys))
