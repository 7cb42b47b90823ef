"""What is timed: a method under a perturbation, with random weights, on random features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch

from core.axes import has_part
from core.batch import Texts, Videos
from core.errors import unknown_name
from core.method import Dimensions, Method
from core.registry import find_method
from core.scoring.guards import with_words
from core.scoring.noise import KeyedNoise, NoiseMode

TimedPerturbation = Literal["none", "stp-fresh", "stp-per-text", "dasp"]
"""No perturbation, STP with noise per pair or per text, DASP."""

PERTURBATIONS: tuple[TimedPerturbation, ...] = get_args(TimedPerturbation)
WEIGHT_NOISE = 0.05
"""Standard deviation of what is added to every weight, so that no term of a formula is zero."""


@dataclass(frozen=True)
class Setting:
    """The sizes that every work of a study shares."""

    frames: int = 12
    """F."""
    width: int = 512
    """D; CLIP's ViT-B/32 and Whisper-base give 512."""
    trials: int = 20
    """K of STP."""
    words: int = 32
    """L of methods that read words."""

    @property
    def dimensions(self) -> Dimensions:
        """What a method is built for."""
        return Dimensions(self.width, self.frames, self.width, self.words)


@dataclass(frozen=True)
class Work:
    """A method under a perturbation."""

    method: str
    """Registered name."""
    perturbation: TimedPerturbation

    @property
    def noise(self) -> NoiseMode:
        """The law of the noise; only STP draws any."""
        return "fresh" if self.perturbation == "stp-fresh" else "per-text"

    def build(self, setting: Setting, **config: object) -> Method:
        """The method with all weights random, in evaluation mode; `config` overrides single fields."""
        cls = find_method(self.method)
        if has_part(cls.Config, "perturbation"):
            config = {
                "perturbation": self.perturbation.partition("-")[0],
                "noise": self.noise,
                "trials": setting.trials,
                **config,
            }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            method = cls(cls.Config(**config), setting.dimensions).eval()
            with torch.no_grad():
                for name, parameter in method.named_parameters():
                    if name != "logit_scale":
                        parameter.add_(WEIGHT_NOISE * torch.randn_like(parameter))
        return method

    def noise_source(self) -> KeyedNoise:
        """Where its noise comes from."""
        return KeyedNoise(0, self.noise)


def works_of(methods: Sequence[str], perturbations: Sequence[str]) -> tuple[list[Work], list[str]]:
    """The works of some methods, and a note per method that has no perturbation to vary.

    Such a method is timed once, as it is. Raises `BenchError` for an unknown name.
    """
    works: list[Work] = []
    notes = []
    for name in perturbations:
        if name not in PERTURBATIONS:
            raise unknown_name("perturbation", name, PERTURBATIONS)
    chosen = cast(Sequence[TimedPerturbation], perturbations)
    for method in methods:
        if has_part(find_method(method).Config, "perturbation"):
            works += [Work(method, perturbation) for perturbation in chosen]
            continue
        works.append(Work(method, "none"))
        if tuple(chosen) != ("none",):
            notes.append(f"{method} has no perturbation; it is timed as it is")
    return works, notes


def random_texts(count: int, setting: Setting, device: torch.device) -> Texts:
    """Random captions."""
    generator = torch.Generator().manual_seed(1)
    texts = Texts(torch.randn(count, setting.width, generator=generator), torch.arange(count))
    return with_words(texts, setting.words, generator).to(device)


def random_videos(count: int, setting: Setting, device: torch.device) -> Videos:
    """Random clips, all frames real, with sound: one audio state per frame."""
    generator = torch.Generator().manual_seed(2)
    shape = (count, setting.frames, setting.width)
    return Videos(
        frames=torch.randn(shape, generator=generator),
        frame_mask=torch.ones(shape[:2], dtype=torch.bool),
        keys=torch.arange(count),
        audio=torch.randn(shape, generator=generator),
        audio_valid=torch.full((count,), setting.frames),
        has_audio=torch.ones(count, dtype=torch.bool),
    ).to(device)
