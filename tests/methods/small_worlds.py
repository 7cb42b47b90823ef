"""Small random features with everything that is awkward: padding frames, short and silent clips."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.batch import Texts, Videos
from core.method import Dimensions, NoiseSource
from methods.composed import ComposedMethod
from methods.parts.config import ComposedConfig
from tests.methods.naive_scores import Naive

WIDTH, FRAMES, STATES, AUDIO_WIDTH, TRIALS = 8, 5, 11, 6, 3
PATCHES, WORDS = 4, 3
SMALL = {
    "audio_projection": "linear-norm",
    "heads": 2,
    "top_k": 2,
    "trials": TRIALS,
    "queries": 2,
    "resampler_layers": 1,
    "transformer_layers": 2,
    "transformer_heads": 2,
    "enrichment_heads": 2,
    "segment_tokens": 2,
    "head_width": 4,
    "residual": 0.4,
    "logit_scale_init": 1.5,
    "concepts": 2,
}
FUSIONS = ("none", "sample", "frame", "token", "gated-transformer")
POOLINGS = ("mean", "sequence-transformer", "text-conditioned", "top-k", "attention")
INTERACTIONS = ("cosine", "multi-grained")
PERTURBATIONS = ("none", "stp", "dasp")
TIGHT = {"rtol": 1e-9, "atol": 1e-11}


def random_method(
    seed: int = 0, method: type[ComposedMethod] = ComposedMethod, **config: object
) -> ComposedMethod:
    """A method in float64 and evaluation mode whose every weight is random."""
    torch.manual_seed(seed)
    cls = method.Config if method is not ComposedMethod else ComposedConfig
    small = {key: value for key, value in SMALL.items() if key in cls.model_fields}
    built = (
        method(cls(**{**small, **config}), Dimensions(WIDTH, FRAMES, AUDIO_WIDTH, words=WORDS))
        .double()
        .eval()
    )
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            if name != "logit_scale":
                parameter.add_(0.3 * torch.randn_like(parameter))
    return built


def released_scores(
    method: ComposedMethod, texts: Texts, videos: Videos, pairing: Tensor, noise: NoiseSource
) -> Tensor:
    """The authors' scores by the modules; the leak-free ones where their evaluation is clean."""
    index = method.index(videos)
    if method.released is None:
        return method.score(texts, index, noise)
    return method.released.score(texts, index, pairing, noise)


def naive_of(method: ComposedMethod) -> Naive:
    return Naive({name: tensor.detach() for name, tensor in method.state_dict().items()}, method.parts)


def random_texts(count: int, seed: int = 1) -> Texts:
    """Every second text is one word shorter than the others."""
    generator = torch.Generator().manual_seed(seed)
    embeds = torch.randn(count, WIDTH, generator=generator).double()
    words = torch.randn(count, WORDS, WIDTH, generator=generator).double()
    lengths = WORDS - torch.arange(count) % 2
    return Texts(embeds, torch.arange(count), words, torch.arange(WORDS) < lengths[:, None])


def random_videos(count: int, seed: int = 2) -> Videos:
    """Every second clip has padding frames, every third is short, the second is silent.

    The third has no caption, the fourth a short one of its picture, and all but these one of their sound.
    """
    generator = torch.Generator().manual_seed(seed)
    number = torch.arange(count)
    real = torch.where(number % 2 == 1, 3, FRAMES)
    has_audio = number != 1
    audio = torch.randn(count, STATES, AUDIO_WIDTH, generator=generator).double()
    frames = torch.randn(count, FRAMES, WIDTH, generator=generator).double()
    words = torch.where(number == 2, 0, torch.where(number == 3, 1, WORDS))
    words = torch.stack([words, torch.where(number == 3, 0, words)], dim=1)
    return Videos(
        frames=frames,
        frame_mask=torch.arange(FRAMES) < real[:, None],
        keys=number,
        audio=torch.where(has_audio[:, None, None], audio, 0.0),
        audio_valid=torch.where(number % 3 == 2, 7, STATES),
        has_audio=has_audio,
        patches=torch.randn(count, FRAMES, PATCHES, WIDTH, generator=generator).double(),
        captions=torch.randn(count, 2, WORDS, WIDTH, generator=generator).double(),
        caption_mask=torch.arange(WORDS) < words[..., None],
        speech=torch.randn(count, WORDS, WIDTH, generator=torch.Generator().manual_seed(seed + 1)).double(),
    )


@dataclass
class TableNoise:
    """Noise by key from a table `(N, V, K, D)`, or shared by the videos `(N, 1, K, D)`."""

    table: Tensor

    @property
    def shared(self) -> bool:
        return self.table.shape[1] == 1

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        columns = videos if self.table.shape[1] > 1 else torch.zeros(1, dtype=torch.int64)
        return self.table[texts[:, None], columns]


def random_noise(texts: int, videos: int, trials: int = TRIALS, seed: int = 3) -> TableNoise:
    generator = torch.Generator().manual_seed(seed)
    return TableNoise(torch.rand(texts, videos, trials, WIDTH, generator=generator).double())


def naive_sound(naive: Naive, videos: Videos, video: int) -> Tensor:
    """The sound of one clip as its fusion takes it: one row per frame, or the tokens of the resampler."""
    audio, audible, valid = videos.audio[video], bool(videos.has_audio[video]), int(videos.audio_valid[video])
    if naive.config.fusion == "none":
        return audio
    if naive.config.fusion == "gated-transformer":
        if not audible:
            return torch.zeros(len(audio), WIDTH, dtype=audio.dtype)
        kept = audio[:valid] if naive.config.audio_alignment == "clip" else audio
        return torch.stack([naive.projected(state) for state in kept])
    return naive.sound(audio, videos.frame_mask[video], valid, audible)
