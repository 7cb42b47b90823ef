"""What methods with one head per modality share: raw means, heads, the loss with detached candidates.

GRAM, TRIANGLE and VAST: `t = unit(W_t text)`, `v = unit(W_v mean of frames)`, `a = unit(W_a mean of sound)`,
means of raw vectors. A clip without sound has no `a`: what is made of it then is up to the method.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from core.authors import Authors
from core.axes import InProtocol, Released
from core.batch import Rows, Videos
from core.errors import BenchError
from core.method import Dimensions, MethodConfig
from methods.parts.audio import counted_states, required_audio
from methods.parts.modality_heads import ModalityHeads
from methods.parts.vectors import masked_mean


class ModalityConfig(MethodConfig):
    """The axes of methods with a head per modality."""

    head_init: Annotated[Literal["identity", "released"], Released("released")] = "identity"
    """Heads between equal widths start as the identity (ours: the towers share a space), or at random
    (released; the authors then load VAST's checkpoint)."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Label smoothing of the cross entropy."""
    candidates: Literal["detached", "live"] = "detached"
    """`detached` (released): texts learn from their row alone, videos from their column, because the gather
    of the release has no gradient; `live`: the ordinary loss."""
    audio_alignment: Annotated[
        Literal["clip", "released"], Released("released"), InProtocol("audio_alignment")
    ] = "clip"
    """`clip`: states inside the clip enter its mean; `released`: all states, padding included."""
    temperature_init: Annotated[float, Field(gt=0)] = 0.07
    """First value of the temperature, by which scores are divided in training."""


@dataclass(frozen=True)
class ModalityVectors(Rows):
    """Unit vectors of each video, picture first."""

    vectors: Tensor
    """`(V, k, D)`, zero where there is none."""
    present: Tensor
    """`(V, k)` bool: False for the sound of a silent clip."""


def build_heads(dimensions: Dimensions, modalities: str, init: str, part: str) -> ModalityHeads:
    """A head per modality of `modalities`; raises `BenchError` where the run has no sound."""
    if "a" in modalities and dimensions.audio_width is None:
        raise BenchError(f"{part} needs sound, this run has none; choose an audio encoder")
    sizes = {m: dimensions.width if m != "a" else dimensions.audio_width or 0 for m in modalities}
    heads = ModalityHeads(sizes, dimensions.width)
    for head in heads.maps.values():
        if init == "identity" and isinstance(head, nn.Linear) and head.in_features == head.out_features:
            nn.init.eye_(head.weight)
    return heads


def mean_sound(videos: Videos, alignment: Literal["clip", "released"]) -> Tensor:
    """Mean of the states that count, `(V, Da)`; zero without sound."""
    audio = required_audio(videos)
    counted = counted_states(videos, alignment)
    # the states behind the end of the clip are padding of the encoder
    shown = torch.arange(audio.shape[1], device=audio.device) < counted[:, None]
    return masked_mean(audio, shown)


def has_sound(videos: Videos) -> Tensor:
    """Which clips have sound, `(V,)` bool."""
    if videos.has_audio is not None:
        return videos.has_audio
    return torch.ones(len(videos), dtype=torch.bool, device=videos.frames.device)


def modality_vectors(
    heads: ModalityHeads, videos: Videos, alignment: Literal["clip", "released"]
) -> ModalityVectors:
    """Unit picture and sound of each video."""
    dtype = next(heads.parameters()).dtype
    picture = heads("v", masked_mean(videos.frames.to(dtype), videos.frame_mask))
    sound = heads("a", mean_sound(videos, alignment).to(dtype))
    audible = has_sound(videos)
    # an encoder may have states for silence too, and a silent clip has no sound
    vectors = torch.stack([picture, sound * audible[:, None]], dim=1)
    return ModalityVectors(vectors, torch.stack([torch.ones_like(audible), audible], dim=1))


@dataclass(frozen=True)
class TemperatureAuthors(Authors[nn.Module]):
    """Checkpoints whose temperature is a plain number, `contra_temp`; their encoders are not hosted."""

    towers: str = ""

    def audio_width(self, state: "dict[str, Tensor]") -> int | None:  # type: ignore[override]
        """What the head of the sound takes."""
        head = state.get("contra_head_a.linear.weight")
        return None if head is None else head.shape[1]

    def load(self, method: nn.Module, state: "dict[str, Tensor]") -> None:  # type: ignore[override]
        """The logit scale is minus the temperature's logarithm; encoders and matching head are left."""
        own = {key: tensor for key, tensor in state.items() if not key.startswith(BACKBONES)}
        if "contra_temp" in own:
            # exp(logit_scale) = 1 / temperature
            own["logit_scale"] = -own.pop("contra_temp").log()
        super().load(method, own)


BACKBONES = ("vision_encoder.", "audio_encoder.", "multimodal_encoder.", "itm_head.", "hidden_trans_")
"""Keys of encoders and of the second stage, which are not hosted."""
