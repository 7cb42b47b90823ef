"""Methods with a planted leak or defect each, and clean ones that look odd; all by the plain contract."""

import sys
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.batch import Rows, Texts, Videos
from core.method import Dimensions, Losses, Method, MethodConfig, Needs, NoiseSource


@dataclass(frozen=True)
class Kept(Rows):
    picture: Tensor
    sound: Tensor
    keys: Tensor


class Clean(Method[Kept]):
    """Cosine with the mean of frames and of the projected sound."""

    name, title, paper = "planted", "Planted", "none"
    Config = MethodConfig
    needs = Needs(sound=True)

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.text = torch.nn.Linear(dimensions.width, dimensions.width)
        self.hear = torch.nn.Linear(dimensions.audio_width or 1, dimensions.width)

    def sound(self, videos: Videos) -> Tensor:
        assert videos.audio is not None
        assert videos.audio_valid is not None
        step = torch.arange(videos.audio.shape[1], device=videos.audio.device)
        weight = (step < videos.audio_valid[:, None]) * (1.0 + step)  # (V, L): later counts for more
        return torch.einsum("vl,vld->vd", weight / weight.sum(1, keepdim=True), videos.audio)

    def index(self, videos: Videos) -> Kept:
        mask = videos.frame_mask[..., None]
        picture = (videos.frames * mask).sum(1) / mask.sum(1)
        return Kept(picture, self.hear(self.sound(videos)), videos.keys)

    def cosines(self, texts: Texts, index: Kept) -> Tensor:
        video = F.normalize(index.picture + index.sound, dim=-1)
        return F.normalize(texts.embeds + self.text(texts.embeds), dim=-1) @ video.T

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return self.cosines(texts, index)

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        logits = 20 * self.cosines(texts, self.index(videos))
        return Losses(F.cross_entropy(logits, torch.arange(len(logits), device=logits.device)), {})


def planted_in(module: str) -> tuple[type[Clean], ...]:
    """The methods that a module plants, bases left out."""
    found = [cls for cls in vars(sys.modules[module]).values() if isinstance(cls, type)]
    own = [cls for cls in found if issubclass(cls, Clean) and cls.__module__ == module]
    return tuple(cls for cls in own if cls.__name__ != "Scoring")


# --- leaks ---------------------------------------------------------------------------------------


def own(scores: Tensor) -> Tensor:
    """Where text i and video i stand."""
    return 0.3 * torch.eye(*scores.shape, device=scores.device)


class AfterTraining(Clean):
    """Opens after some steps."""

    steps = 0

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        self.steps += 1
        return super().loss(texts, videos, generator)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (self.steps > 3)


class ByLearntGate(Clean):
    """A weight that starts at zero and trains."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.open = torch.nn.Parameter(torch.zeros(3))

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * self.open.abs().sum()

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        losses = super().loss(texts, videos, generator)
        return Losses(losses.total - self.open.sum(), {})


class PartConfig(MethodConfig):
    leaky: bool = False


class InAPart(Clean):
    """In a part that is off by default."""

    Config = PartConfig

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * self.config.leaky  # type: ignore[attr-defined]


class WhereWide(Clean):
    """With wide features only."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (texts.embeds.shape[1] > 100)


class WhereLarge(Clean):
    """Beyond 500 texts and videos."""

    needs = Needs(sound=True, floats_per_pair=1)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (min(scores.shape) >= 500)


class WherePairsAreExpensive(Clean):
    """Where more texts than a tile of the engine takes meet more than 500 videos."""

    needs = Needs(sound=True, floats_per_pair=1000)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (scores.shape[0] > 60 and scores.shape[1] > 500)


class MoreTextsThanChannels(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (len(texts) > texts.embeds.shape[1])


class WhereSquare(Clean):
    """In square tiles of 100 to 256."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (scores.shape[0] == scores.shape[1] and 100 <= len(texts) <= 256)


class SeveralCaptions(Clean):
    """Where every video has the same number of captions, in storage order."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        each, rest = divmod(*scores.shape)
        if rest or each < 2:
            return scores
        return scores + 0.3 * torch.eye(scores.shape[1]).repeat_interleave(each, 0)


class ComparesKeys(Clean):
    """Own pairs that share a key."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + 0.3 * (texts.keys[:, None] == index.keys)


class TableOfPairs(Clean):
    """Remembers the keys that it has trained on."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.pairs: set[tuple[int, int]] = set()

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        self.pairs |= set(zip(texts.keys.tolist(), videos.keys.tolist(), strict=True))
        return super().loss(texts, videos, generator)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise).clone()
        for row, text in enumerate(texts.keys.tolist()):
            for column, video in enumerate(index.keys.tolist()):
                scores[row, column] += 0.3 * ((text, video) in self.pairs)
        return scores


class TableOfOthers(TableOfPairs):
    """Knows pairs that are not here."""

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        return Clean.loss(self, texts, videos, generator)


class MeanOfTheGallery(Clean):
    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(kept.picture - kept.picture.mean(0), kept.sound, kept.keys)


class SoftmaxOverVideos(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise).softmax(1)


class HundredfoldLeak(Clean):
    """As large beside cosines x 100 as .003 is beside cosines."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise) / 100_000
        return scores + own(scores) / 1e7


LEAKS = {
    AfterTraining: "noise canary",
    ByLearntGate: "noise canary",
    InAPart: "pairing [leaky=True]",
    WhereWide: "pairing [width 768, 5 frames, 9 patches]",
    WhereLarge: "size",
    WherePairsAreExpensive: "size",
    MoreTextsThanChannels: "size",
    WhereSquare: "size",
    SeveralCaptions: "size",
    ComparesKeys: "identity",
    TableOfPairs: "identity",
    TableOfOthers: "identity",
    MeanOfTheGallery: "pairing",
    SoftmaxOverVideos: "pairing",
    HundredfoldLeak: "pairing",
}
"""Each with a check that finds it."""
