"""Clean methods that look odd."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from core.batch import Texts, Videos
from core.method import Dimensions, Method, MethodConfig, Needs, NoiseSource
from tests.core.audit.planted import Clean, Kept, planted_in
from tests.core.audit.planted_positions import Scoring


class SoftmaxOfTheGallery(Scoring):
    """Depends on the gallery, and says so."""

    needs = Needs(sound=True, gallery=True)

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return (20 * scores).log_softmax(1)


class Quantises(Scoring):
    """Rounds coarsely: many ties."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return (scores * 8).round() / 8


class DoublePrecision(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores.double()


class LargeOffset(Scoring):
    """A constant that all scores share."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + 10


class Millionfold(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return 1e6 * scores


class TinyScores(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return 1e-9 * scores


class BatchNormal(Clean):
    """Batch normalisation, which uses running means when it scores."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.norm = torch.nn.BatchNorm1d(dimensions.width)

    def cosines(self, texts: Texts, index: Kept) -> Tensor:
        video = F.normalize(index.picture + index.sound, dim=-1)
        return F.normalize(self.norm(texts.embeds), dim=-1) @ video.T


class Constant(Clean):
    """Every score the same number."""

    needs = Needs()

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return texts.embeds.new_zeros(len(texts), len(index))


class LoopsOverPairs(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        rows = [super(LoopsOverPairs, self).score(texts[n : n + 1], index, noise) for n in range(len(texts))]
        return torch.cat(rows)


class Sparse(Clean):
    """Keeps the largest channels of a text only."""

    def cosines(self, texts: Texts, index: Kept) -> Tensor:
        kept = texts.embeds * (texts.embeds >= texts.embeds.topk(8, dim=1).values[:, -1:])
        return F.normalize(kept, dim=-1) @ F.normalize(index.picture + index.sound, dim=-1).T


class CachesTheIndex(Clean):
    """Keeps what it has computed, by the videos themselves."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.kept: dict[Any, Kept] = {}

    def index(self, videos: Videos) -> Kept:
        if self.training:
            return super().index(videos)
        assert videos.audio is not None
        assert videos.has_audio is not None
        name = (tuple(videos.keys.tolist()), float(videos.frames.sum()), float(videos.audio.sum()))
        if name not in self.kept:
            self.kept[name] = super().index(videos)
        return self.kept[name]


class Hundredfold(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return 100 * super().score(texts, index, noise)


class HundredThousandth(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) / 100_000


class MinusSquaredDistance(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return -torch.cdist(texts.embeds, index.picture + index.sound).square()


class RootOfDistance(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return -(2 - 2 * super().score(texts, index, noise)).clamp(min=0).sqrt()


class TemperaturePerText(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) * texts.embeds.std(1, keepdim=True).exp()


class DropsInTraining(Clean):
    def cosines(self, texts: Texts, index: Kept) -> Tensor:
        return F.dropout(super().cosines(texts, index), 0.2, self.training)


class FrozenTable(Clean):
    """A constant that no training moves, and that must stay positive."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.scales = torch.nn.Parameter(torch.full((dimensions.width,), 1e-3), requires_grad=False)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) + self.scales.sqrt().mean()


class HashOfContent(Clean):
    """Adds what a text's own numbers say."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        pseudo = (texts.embeds[:, :1] * 1e3).sin() * (index.picture[:, 0] * 1e3).cos()
        return super().score(texts, index, noise) + 0.1 * pseudo


class Noisy(Clean):
    """Draws by the keys, through the noise."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        drawn = noise.draw(texts.keys, index.keys, 1, 1, "normal")[..., 0, 0]
        return super().score(texts, index, noise) + 0.1 * drawn


class FavoursAVideo(Clean):
    """Likes some videos more than others, whatever the text."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) + index.picture[:, 0]


class Plain(Clean):
    """Claims no sound, hears none, trains nothing."""

    needs = Needs()

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        Method.__init__(self, config, dimensions)

    def index(self, videos: Videos) -> Kept:
        picture = (videos.frames * videos.frame_mask[..., None]).sum(1)
        return Kept(picture, torch.zeros_like(picture), videos.keys)

    def cosines(self, texts: Texts, index: Kept) -> Tensor:
        return F.normalize(texts.embeds, dim=-1) @ F.normalize(index.picture, dim=-1).T

    recipe: ClassVar[dict[str, object]] = {}


ODD = planted_in(__name__)
