"""Leaks in the index, in a state, in a part, and where a method stands in for itself."""

import torch
from torch import Tensor
from torch.nn import functional as F

from core.batch import Texts, Videos
from core.capabilities import Exact, ReleasedScorer
from core.method import Dimensions, Losses, MethodConfig, Needs, NoiseSource
from tests.core.audit.planted import Clean, Kept, own, planted_in
from tests.core.audit.planted_positions import Scoring

# --- in the index ---------------------------------------------------------------------------------


class PositionInTheIndex(Clean):
    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(
            kept.picture + 0.05 * torch.arange(len(videos))[:, None] / len(videos), kept.sound, kept.keys
        )


class WhitenedChunk(Clean):
    """Divides by the deviation of the chunk."""

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(
            kept.picture / (1 + kept.picture.std(0)) if len(videos) > 1 else kept.picture,
            kept.sound,
            kept.keys,
        )


class LargeChunks(Clean):
    """Only where more than 100 videos are indexed together."""

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(kept.picture - kept.picture.mean(0) * (len(videos) > 100), kept.sound, kept.keys)


class NeighbourInTheIndex(Clean):
    """Smooths over the next video."""

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(kept.picture + 0.1 * kept.picture.roll(1, 0), kept.sound, kept.keys)


class BatchNormInScoring(Clean):
    """Normalises over the batch, whatever the mode."""

    def cosines(self, texts: Texts, index: Kept) -> Tensor:
        spread = F.batch_norm(texts.embeds, None, None, training=True) if len(texts) > 1 else texts.embeds
        return F.normalize(spread, dim=-1) @ F.normalize(index.picture + index.sound, dim=-1).T


class KeysInTheIndex(Clean):
    """Carries the key as a feature."""

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        tint = (videos.keys % 97).float()[:, None] / 97
        return Kept(kept.picture + tint, kept.sound, kept.keys)


# --- states and parts -----------------------------------------------------------------------------


class AfterManySteps(Clean):
    """Opens after ten steps."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.register_buffer("steps", torch.zeros(()))

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        self.steps += 1
        return super().loss(texts, videos, generator)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (self.steps >= 10)


class ByTheScale(Clean):
    """Opens when the logit scale has moved."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (abs(float(self.logit_scale) - 4.6052) > 1e-3)

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        logits = self.logit_scale.exp() * self.cosines(texts, self.index(videos))
        return Losses(F.cross_entropy(logits, torch.arange(len(logits))), {})


class LevelConfig(MethodConfig):
    level: int = 2
    share: float = 0.5
    shift: float = 0.0


class AtAnotherLevel(Clean):
    """With another number."""

    Config = LevelConfig

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * (self.config.level != 2)  # type: ignore[attr-defined]


class WithAShift(AtAnotherLevel):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return (
            Clean.score(self, texts, index, noise)
            + own(Clean.score(self, texts, index, noise)) * self.config.shift
        )  # type: ignore[attr-defined]


class OddFrames(Scoring):
    """Where clips do not have twelve frames."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + own(scores) * (self.dimensions.frames != 12)


# --- the rest -------------------------------------------------------------------------------------


class Quantised(Scoring):
    """Ties nearly all, and lets the storage order decide."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return (scores * 4).round() / 4 - 1e-7 * torch.arange(len(index))


class ListensSecretlyWhenTrained(Clean):
    needs = Needs()

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.share = torch.nn.Parameter(torch.zeros(()))

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(kept.picture, self.share * kept.sound, kept.keys)


class ExchangesNothing(Clean):
    """Hears the length of the sound only."""

    def sound(self, videos: Videos) -> Tensor:
        assert videos.audio_valid is not None
        return (videos.audio_valid[:, None] / 24.0).expand(-1, self.dimensions.width)


class DeclaredGalleryAndDiagonal(Scoring):
    """Says that it depends on the gallery, and knows positions."""

    needs = Needs(sound=True, gallery=True)

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores.softmax(1) + own(scores)


class ReleasedByTraining(Clean):
    """Has no release of its own until it has trained."""

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        self.released = LeakyRelease(self)
        return super().loss(texts, videos, generator)


class LeakyRelease(ReleasedScorer[Kept]):
    def __init__(self, method: Clean) -> None:
        self.method = method

    def score(self, texts: Texts, index: Kept, pairing: Tensor, noise: NoiseSource) -> Tensor:
        scores = self.method.score(texts, index, noise)
        return scores + own(scores)


class OtherAlgebra(Clean):
    """Its algebra differs from its modules for more than eight texts."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.exact = LeakyAlgebra(self)


class LeakyAlgebra(Exact[Kept, Texts, Kept]):
    floats_per_pair = 64

    def __init__(self, method: Clean) -> None:
        self.method = method

    def index(self, rows: Kept) -> Kept:
        return rows

    def queries(self, texts: Texts, noise: NoiseSource) -> Texts:
        return texts

    def score(self, queries: Texts, basis: Kept, noise: NoiseSource) -> Tensor:
        scores = self.method.cosines(queries, basis)
        return scores + 0.2 * queries.embeds[:, :1].tanh() * basis.picture[:, 0] * (len(queries) > 8)


LEAKS = planted_in(__name__)
