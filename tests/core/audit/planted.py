"""Methods with a planted leak or defect each, and clean ones that look odd; all by the plain contract."""

from dataclasses import dataclass
from typing import Any, ClassVar

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


# --- leaks ---------------------------------------------------------------------------------------


def own(scores: Tensor) -> Tensor:
    """Where text i and video i stand."""
    return 0.3 * torch.eye(*scores.shape)


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


# --- clean, however odd --------------------------------------------------------------------------


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


ODD = (
    Clean,
    Hundredfold,
    HundredThousandth,
    MinusSquaredDistance,
    RootOfDistance,
    TemperaturePerText,
    DropsInTraining,
    FrozenTable,
    HashOfContent,
    Noisy,
    FavoursAVideo,
    Plain,
)


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
    RaisesInIndex: ("index", "KeyError", "planted.py"),
    CannotTrain: ("a training step", "NotImplementedError", "planted.py"),
    CannotBeBuilt: ("building it", "AttributeError", "planted.py"),
}
"""Each with words of its line."""
