"""Some training steps on noise: what fresh weights hide, and whether the loss reaches the sound.

Only what trains is moved, as a run moves it; buffers and constants stay what the method made of them.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.audit.noise_features import HeardVideos, NoiseFeatures
from core.batch import Texts
from core.method import Method, check_losses

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
    """Whether the first loss has a gradient by the sound, or is another one with other sound, which is asked
    where a method claims sound."""


def practise(method: Method, world: NoiseFeatures, steps: int, pairs: int, further: int = 0) -> Practice:
    """Trains a method in place, in every step on the first pairs of a world.

    In `further` steps the loss is asked for as before and weights move on as they last moved: what counts
    steps counts them, and gradients take most of the time.
    """
    texts, videos = world.texts[:pairs], world.videos[:pairs]
    trainable = {name: p for name, p in method.named_parameters() if p.requires_grad}
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in trainable.values():
                if parameter.numel() == 1 and float(parameter) == 0:
                    parameter.fill_(1.0)  # it switches a part on, whose weights would else not train
        method.train()
        momenta: dict[str, Tensor] = {}
        reached: set[str] = set()
        hears, unfit = False, ""
        for step in range(steps + further):
            sound = videos.audio.clone().requires_grad_(True)
            found = check_losses(method, method.loss(texts, replace(videos, audio=sound), generator))
            loss = found.total
            if not bool(loss.isfinite()):
                unfit = f"the loss is {float(loss.detach())} in training step {step + 1}"
                break
            if not loss.requires_grad:
                break
            method.zero_grad(set_to_none=True)
            if step < steps:
                loss.backward()
            if step == 0:
                hears = largest(sound.grad) != 0
                hears = hears or (method.needs.sound and other_sound(method, texts, videos))
            gradients = {name: p.grad for name, p in trainable.items() if p.grad is not None}
            steepest = {name: largest(gradient) for name, gradient in gradients.items()}
            reached |= {name for name, slope in steepest.items() if slope != 0}
            bad = next((name for name, slope in steepest.items() if not math.isfinite(slope)), "")
            if bad:
                unfit = f"the gradient of {bad} is not finite in training step {step + 1}"
                break
            with torch.no_grad():
                for name, gradient in gradients.items():
                    if name in momenta:
                        momenta[name].lerp_(gradient, NEWEST)
                    else:  # the mean of nothing and the first gradient, in the memory of the latter
                        momenta[name] = gradient.mul_(NEWEST)
                for name in gradients if step < steps else momenta:
                    last = step == steps + further - 1
                    signs = momenta[name].sign_() if last else momenta[name].sign()
                    trainable[name].sub_(signs, alpha=PRACTICE_RATE)
                method.logit_scale.clamp_(max=LARGEST_SCALE)
    method.zero_grad(set_to_none=True)
    return Practice(method.eval(), unfit, tuple(n for n in trainable if n not in reached), hears)


def other_sound(method: Method, texts: Texts, videos: HeardVideos) -> bool:
    """Whether the loss of the same random numbers is another one where the sound is noise."""
    noise = torch.randn(videos.audio.shape, generator=torch.Generator().manual_seed(3))
    losses = []
    for sound in (videos.audio, noise):
        torch.manual_seed(1)
        with torch.no_grad():
            found = method.loss(texts, replace(videos, audio=sound), torch.Generator().manual_seed(1))
        losses.append(float(found.total))
    return losses[0] != losses[1]


def largest(gradient: Tensor | None) -> float:
    """The largest magnitude in a gradient: 0 moves no parameter; NaN where a NaN is in it."""
    if gradient is None or not gradient.numel():
        return 0.0
    low, high = gradient.aminmax()
    return max(float(high), -float(low))
