"""Features that have nothing to do with each other: texts, frames, patches, sound and captions of noise."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from core.batch import Texts, Videos, stable_keys
from core.method import Dimensions


@dataclass(frozen=True)
class Shape:
    """The sizes of a made-up world; widths are divisible by 4, 8 and 12, patches stand in a square."""

    width: int
    """D, and the width of the sound too, so that methods without a projection take it."""
    frames: int
    patches: int

    @property
    def dimensions(self) -> Dimensions:
        """What a method is built for."""
        return Dimensions(self.width, self.frames, self.width, TEXT_WORDS)

    def __str__(self) -> str:
        return f"width {self.width}, {self.frames} frames, {self.patches} patches"


NARROW = Shape(96, 12, 4)
"""Of most checks."""
MIDDLE = Shape(384, 6, 4)
"""Between the two."""
WIDE = Shape(768, 5, 9)
"""As wide as a real backbone."""
SMALL = Shape(48, 4, 1)
"""Of checks with many pairs."""
NARROW_WIDTH, NARROW_FRAMES = NARROW.width, NARROW.frames
NARROW_STATES = 24
"""L, audio steps of a full clip."""
WORDS = 3
"""Of each caption of a video."""
TEXT_WORDS = 9
"""L, positions of a text's words."""
SPEECH_WORDS = 5
"""Positions of the row of what is said."""


@dataclass(frozen=True)
class WordedTexts(Texts):
    """Captions whose words are there."""

    words: Tensor
    word_mask: Tensor


@dataclass(frozen=True)
class HeardVideos(Videos):
    """Videos whose sound is there."""

    audio: Tensor
    audio_valid: Tensor
    has_audio: Tensor


@dataclass(frozen=True)
class NoiseFeatures:
    """Texts `(N,)` and videos `(V,)` of independent Gaussian noise."""

    texts: WordedTexts
    videos: HeardVideos

    @classmethod
    def draw(cls, texts: int, videos: int, seed: int, shape: Shape = NARROW) -> Self:
        """Every fourth clip is short, every fifth silent, every sixth without speech, every seventh without
        captions.

        Texts have 2 to `TEXT_WORDS` words.
        """
        generator = torch.Generator().manual_seed(seed)
        width, frames, number = shape.width, shape.frames, torch.arange(videos)
        short, heard = number % 4 == 3, number % 5 != 4
        real = torch.where(short, max(1, frames // 2), frames)
        audio = torch.randn(videos, NARROW_STATES, width, generator=generator)
        described = (number % 7 != 6)[:, None, None].expand(-1, 2, WORDS)
        # of their own seed: all other features stay what they are without words
        worded = torch.randn(texts, TEXT_WORDS, width, generator=torch.Generator().manual_seed(seed + 1))
        said = torch.randn(videos, SPEECH_WORDS, width, generator=torch.Generator().manual_seed(seed + 2))
        lengths = 2 + torch.arange(texts)[:, None] % (TEXT_WORDS - 1)
        return cls(
            WordedTexts(
                torch.randn(texts, width, generator=generator),
                stable_keys([f"text {n}" for n in range(texts)]),
                worded,
                torch.arange(TEXT_WORDS) < lengths,
            ),
            HeardVideos(
                frames=torch.randn(videos, frames, width, generator=generator),
                frame_mask=torch.arange(frames) < real[:, None],
                keys=stable_keys([f"video {v}" for v in range(videos)]),
                audio=audio * heard[:, None, None],
                audio_valid=torch.where(short, NARROW_STATES // 2, NARROW_STATES),
                has_audio=heard,
                patches=torch.randn(videos, frames, shape.patches, width, generator=generator),
                captions=torch.randn(videos, 2, WORDS, width, generator=generator),
                caption_mask=described.clone(),
                # where nothing is said all states are those of a row of padding
                teacher=said[:, :2].clone(),
                speech=torch.where((number % 6 == 5)[:, None, None], said[:1, :1].expand_as(said), said),
            ),
        )

    def copies(self) -> Self:
        """The same texts beside V copies of the first video, which differ in nothing but their keys."""
        first = self.videos[torch.zeros(len(self.videos), dtype=torch.int64)]
        return replace(self, videos=replace(first, keys=self.videos.keys))
