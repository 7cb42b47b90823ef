"""What a trained model does without its sound, with another clip's, or without its picture.

The features of the scored videos are changed and nothing else: weights, texts and pairing stay. A model whose
scores do not move when its sound is muted has not used it, whatever its gate says.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from core.batch import Videos
from core.scoring.names import AudioAblation, PictureAblation

ABLATION_SEED = 0
"""Of every draw: the same clips get the same changes in every run."""

BlankFrame = Callable[[], tuple[Tensor, Tensor | None]]
"""The embedding `(D,)` of a black frame and, where patches are read, its tokens `(P, D)`."""


def ablated(videos: Videos, audio: AudioAblation, picture: PictureAblation, blank: BlankFrame) -> Videos:
    """The videos `(V, ...)` with their sound and their pictures changed; `as-is` leaves them as they are."""
    return changed_picture(changed_sound(videos, audio), picture, blank)


def changed_sound(videos: Videos, how: AudioAblation) -> Videos:
    """The videos with other sound; those without any stay without, but under `exchanged`."""
    if how == "as-is" or videos.audio is None or videos.audio_valid is None or videos.has_audio is None:
        return videos
    draw = torch.Generator().manual_seed(ABLATION_SEED)
    if how == "muted":
        nobody = torch.zeros_like(videos.has_audio)
        return replace(videos, audio=torch.zeros_like(videos.audio), has_audio=nobody)
    if how == "exchanged":
        others = exchange_order(len(videos), draw).to(videos.audio.device)
        return replace(
            videos,
            audio=videos.audio[others],
            audio_valid=videos.audio_valid[others],
            has_audio=videos.has_audio[others],
        )
    if how == "shifted":
        return replace(videos, audio=half_shifted(videos.audio, videos.audio_valid))
    return replace(videos, audio=noise_like(videos.audio, videos.audio_valid, videos.has_audio, draw))


def exchange_order(count: int, draw: torch.Generator) -> Tensor:
    """A permutation `(count,)` int64 that leaves nothing in its place, but where there is only one.

    One step along a random circle through all of them.
    """
    circle = torch.randperm(count, generator=draw)
    others = torch.empty_like(circle)
    others[circle] = circle.roll(-1)
    return others


def half_shifted(audio: Tensor, valid: Tensor) -> Tensor:
    """Sound `(V, L, Da)` moved by half of its `valid` `(V,)` states; its end comes in again at the start."""
    steps = torch.arange(audio.shape[1], device=audio.device)[None]
    length = valid[:, None].clamp(min=1)
    # state s of a clip of n states becomes state (s - n / 2) mod n; padding stays
    source = torch.where(steps < valid[:, None], (steps - length // 2) % length, steps)
    return audio.gather(1, source[..., None].expand_as(audio))


def noise_like(audio: Tensor, valid: Tensor, heard: Tensor, draw: torch.Generator) -> Tensor:
    """Normal noise in the place of the real states, with their mean and deviation per channel."""
    steps = torch.arange(audio.shape[1], device=audio.device)
    real = (steps < valid[:, None]) & heard[:, None]
    if not bool(real.any()):
        return audio
    states = audio[real]
    noise = torch.randn(states.shape, generator=draw).to(states)
    found = audio.clone()
    found[real] = states.mean(0) + noise * states.std(0, correction=0)
    return found


def changed_picture(videos: Videos, how: PictureAblation, blank: BlankFrame) -> Videos:
    """The videos with black frames, or with their own frames in another order."""
    if how == "as-is":
        return videos
    if how == "blank":
        frame, tokens = blank()
        frames = frame.to(videos.frames).expand_as(videos.frames)
        patches = videos.patches
        if patches is not None and tokens is not None:
            patches = tokens.to(patches).expand_as(patches)
        return replace(videos, frames=frames, patches=patches)
    order = shuffled(videos.frame_mask)
    frames = videos.frames.gather(1, order[..., None].expand_as(videos.frames))
    patches = videos.patches
    if patches is not None:
        patches = patches.gather(1, order[..., None, None].expand_as(patches))
    return replace(videos, frames=frames, patches=patches)


def shuffled(mask: Tensor) -> Tensor:
    """A random order `(V, F)` int64 of the real frames of each video; padding stays behind them."""
    draw = torch.Generator().manual_seed(ABLATION_SEED)
    keys = torch.rand(mask.shape, generator=draw).to(mask.device)
    return keys.masked_fill(~mask, 2.0).argsort(dim=1, stable=True)
