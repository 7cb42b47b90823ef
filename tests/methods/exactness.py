"""Methods, texts and videos on which the exact engine is compared with the modules."""

from dataclasses import replace

import torch
from torch import Tensor

from core.batch import Texts, Videos
from core.method import Dimensions
from core.scoring.noise import KeyedNoise, NoiseMode
from core.scoring.scoring import Condition, Engine, build_index, score_tiles
from methods.composed import ComposedMethod
from methods.parts.config import ComposedConfig

WIDTH = 16


class Composition(ComposedMethod):
    """Any composition, under a name for its errors."""

    name = "composition"


def random_composition(frames: int = 5, **config: object) -> ComposedMethod:
    """A composition in float64 whose every weight is random."""
    torch.manual_seed(0)
    built = Composition(ComposedConfig(trials=4, **config), Dimensions(WIDTH, frames, WIDTH)).double()
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            if name != "logit_scale":
                parameter.add_(0.3 * torch.randn_like(parameter))
    return built


def random_corpus(
    texts: int = 9, videos: int = 7, frames: int = 5, scale: float = 1.0, identical: bool = False
) -> tuple[Texts, Videos]:
    """Float64 features of a length of `scale` per channel; the second clip is silent, the third is padded."""
    generator = torch.Generator().manual_seed(1)
    embeds, pictures, sounds = (
        scale * torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((texts, WIDTH), (videos, frames, WIDTH), (videos, 2 * frames, WIDTH))
    )
    if identical:
        pictures[:], sounds[:] = pictures[:, :1].clone(), sounds[:, :1].clone()
    has_audio = torch.arange(videos) != 1
    mask = torch.ones(videos, frames, dtype=torch.bool)
    mask[2, (frames + 1) // 2 :] = False
    return Texts(embeds, torch.arange(texts)), Videos(
        pictures,
        mask,
        torch.arange(videos),
        torch.where(has_audio[:, None, None], sounds, 0.0),
        torch.full((videos,), 2 * frames),
        has_audio,
    )


def single(method: ComposedMethod, texts: Texts, videos: Videos) -> tuple[ComposedMethod, Texts, Videos]:
    """The same in float32."""
    sound = None if videos.audio is None else videos.audio.float()
    return (
        method.float(),
        replace(texts, embeds=texts.embeds.float()),
        replace(videos, frames=videos.frames.float(), audio=sound),
    )


def scored(
    method: ComposedMethod,
    texts: Texts,
    videos: Videos,
    engine: Engine,
    *,
    mode: NoiseMode = "per-text",
    condition: Condition = "leak-free",
    pairing: Tensor | None = None,
    tile_bytes: int | None = None,
) -> Tensor:
    """Scores `(N, V)` in the method's own precision."""
    index = build_index(method, videos, engine=engine, chunk=3)
    assert (not index.obstacle) == (engine == "exact")
    out = torch.full((len(texts), len(videos)), torch.inf, dtype=method.logit_scale.dtype)
    for tile in score_tiles(
        method,
        texts,
        index,
        KeyedNoise(0, mode),
        condition=condition,
        pairing=pairing,
        tile_bytes=tile_bytes,
    ):
        out[tile.texts, tile.videos] = tile.scores
    return out
