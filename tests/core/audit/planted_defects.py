"""Defects: of the sound, of what is returned, and code that raises."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from core.batch import Texts, Videos
from core.method import Dimensions, Losses, MethodConfig, Needs, NoiseSource
from tests.core.audit.planted import Clean, Kept

# --- sound ---------------------------------------------------------------------------------------


class HearsWhether(Clean):
    def sound(self, videos: Videos) -> Tensor:
        assert videos.has_audio is not None
        return videos.has_audio[:, None] * torch.ones(len(videos), self.dimensions.width)


class HearsLoudness(Clean):
    def sound(self, videos: Videos) -> Tensor:
        assert videos.audio is not None
        return videos.audio.norm(dim=-1).mean(1, keepdim=True).expand(-1, self.dimensions.width)


class DeafLoss(Clean):
    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        index = self.index(videos)
        silent = Kept(index.picture, torch.zeros_like(index.sound), index.keys)
        return Losses(F.cross_entropy(20 * self.cosines(texts, silent), torch.arange(len(texts))), {})


class StuckProjection(Clean):
    """Sound reaches the loss, and its projection is detached."""

    def index(self, videos: Videos) -> Kept:
        kept, sound = super().index(videos), self.sound(videos)
        return Kept(kept.picture, F.linear(sound, self.hear.weight.detach()), kept.keys)


class Secretly(Clean):
    needs = Needs()


SOUND = {
    HearsWhether: "whether there is sound",
    HearsLoudness: "how loud",
    DeafLoss: "its loss does not",
    StuckProjection: "hear.weight",
    Secretly: "claims no sound",
}
"""Each with words of its verdict."""


# --- what no other check may misread -------------------------------------------------------------


class Reshaped(Clean):
    """Base of those that return something else."""

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        return Clean.loss(self, texts, videos, generator)


class NotANumber(Reshaped):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise).log()


class Infinite(Reshaped):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) / 0.0


class OnePerText(Reshaped):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise)[:, :1]


class OnePerVideo(Reshaped):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise)[0]


class Scalar(Reshaped):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise).mean()


class Transposed(Reshaped):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise).T


class WithoutRows(Reshaped):
    def index(self, videos: Videos) -> Any:
        return super().index(videos).picture


class Counts(Reshaped):
    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.register_buffer("seen", torch.zeros(1))

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        self.seen = self.seen + len(texts)
        return super().score(texts, index, noise)


class LossWithoutValue(Reshaped):
    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        return Losses(super().loss(texts, videos, generator).total * float("nan"), {})


BROKEN_CONTRACTS = {
    NotANumber: "nan",
    Infinite: "inf",
    OnePerText: "(7, 1)",
    OnePerVideo: "(10,)",
    Scalar: "()",
    Transposed: "transpose",
    WithoutRows: "core.batch.Rows",
    Counts: "seen",
    LossWithoutValue: "the loss is nan",
}
"""Each with words of the one verdict."""


# --- what raises ---------------------------------------------------------------------------------


class FixedWidth(Clean):
    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.text = torch.nn.Linear(512, 512)


class RaisesInIndex(Clean):
    def index(self, videos: Videos) -> Kept:
        raise KeyError("frames")


class CannotTrain(Clean):
    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        raise NotImplementedError


class CannotBeBuilt(Clean):
    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        raise AttributeError("no such part")


RAISING = {
    FixedWidth: ("score", "width 96", "planted.py"),
    RaisesInIndex: ("index", "KeyError", "planted_defects.py"),
    CannotTrain: ("a training step", "NotImplementedError", "planted_defects.py"),
    CannotBeBuilt: ("building it", "AttributeError", "planted_defects.py"),
}
"""Each with words of its line."""
