"""Some training steps on noise: what fresh weights hide, and whether the loss reaches the sound.

Only what trains is moved, as a run moves it; buffers and constants stay what the method made of them.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.audit.noise_features import NoiseFeatures
from core.batch import Texts, Videos
from core.method import Method, check_losses

PRACTICE_PAIRS = 16
"""Pairs of a step."""
PRACTICE_RATE = 0.004
"""By which a weight moves in a step. Signs of a momentum move all weights alike, as Adam does at first (Lion,
Chen et al., NeurIPS 2023); torch's own optimisers take seconds to import."""
NEWEST = 0.2
"""Share of the newest gradient in the momentum."""
LARGEST_SCALE = math.log(100)
"""Of the stored logit scale, as in training."""


@dataclass(frozen=True)
class Practice:
    """A method after some steps."""

    method: Method
    """In evaluation mode."""
    unfit: str
    """What is wrong with a loss, e.g. `the loss is nan in step 3`; empty where nothing is."""
    without_gradient: tuple[str, ...]
    """Parameters that train and never had a gradient."""
    loss_hears: bool
    """Whether the first loss has a gradient by the sound, or is another one with exchanged sound."""


def practise(method: Method, world: NoiseFeatures, steps: int) -> Practice:
    """Trains a method in place, on the first pairs of a world."""
    texts, videos = world.texts[:PRACTICE_PAIRS], world.videos[:PRACTICE_PAIRS]
    assert videos.audio is not None
    trainable = {name: p for name, p in method.named_parameters() if p.requires_grad}
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in trainable.values():
                if parameter.numel() == 1 and float(parameter) == 0:
                    parameter.fill_(1.0)  # it switches a part on, whose weights would else not train
        method.train()
        momenta = {name: torch.zeros_like(parameter) for name, parameter in trainable.items()}
        reached: set[str] = set()
        hears, unfit = False, ""
        for step in range(steps):
            sound = videos.audio.clone().requires_grad_(True)
            found = check_losses(method, method.loss(texts, replace(videos, audio=sound), generator))
            loss = found.total
            if not bool(loss.isfinite()):
                unfit = f"the loss is {float(loss.detach())} in training step {step + 1}"
                break
            if not loss.requires_grad:
                break
            method.zero_grad(set_to_none=True)
            loss.backward()
            if step == 0:
                hears = moves(sound.grad) or other_sound(method, texts, videos)
            reached |= {name for name, p in trainable.items() if moves(p.grad)}
            bad = next((name for name, p in trainable.items() if infinite(p.grad)), "")
            if bad:
                unfit = f"the gradient of {bad} is not finite in training step {step + 1}"
                break
            with torch.no_grad():
                for name, parameter in trainable.items():
                    if parameter.grad is not None:
                        momenta[name].lerp_(parameter.grad, NEWEST)
                        parameter.sub_(PRACTICE_RATE * momenta[name].sign())
                method.logit_scale.clamp_(max=LARGEST_SCALE)
    method.zero_grad(set_to_none=True)
    return Practice(method.eval(), unfit, tuple(n for n in trainable if n not in reached), hears)


def other_sound(method: Method, texts: Texts, videos: Videos) -> bool:
    """Whether the loss of the same random numbers is another one where the sound is noise."""
    assert videos.audio is not None
    noise = torch.randn(videos.audio.shape, generator=torch.Generator().manual_seed(3))
    losses = []
    for sound in (videos.audio, noise):
        torch.manual_seed(1)
        with torch.no_grad():
            found = method.loss(texts, replace(videos, audio=sound), torch.Generator().manual_seed(1))
        losses.append(float(found.total))
    return losses[0] != losses[1]


def moves(gradient: Tensor | None) -> bool:
    """Whether a gradient moves its parameter."""
    return gradient is not None and bool(gradient.ne(0).any())


def infinite(gradient: Tensor | None) -> bool:
    """Whether a gradient is no number somewhere."""
    return gradient is not None and not bool(gradient.isfinite().all())
