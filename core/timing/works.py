"""What is timed: a method under a perturbation, with random weights, on random features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch

from core.axes import ScoringNoise, declared, has_part
from core.batch import Texts, Videos
from core.capabilities import Timed
from core.errors import unknown_name
from core.method import Dimensions, Method, made
from core.registry import find_method, registered_methods
from core.scoring.guards import with_words
from core.scoring.noise import KeyedNoise, NoiseMode
from core.timing.cost import Cost

LAWS: tuple[NoiseMode, ...] = get_args(NoiseMode)
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
    perturbation: str
    """A kind, with the law of its noise behind it where it draws any: `none`, `dasp`, `stp-fresh`."""

    @property
    def law(self) -> NoiseMode:
        """The law of the noise; per text where none is drawn."""
        return next((law for law in LAWS if self.perturbation.endswith(f"-{law}")), "per-text")

    def build(self, setting: Setting, **config: object) -> Method:
        """The method with all weights random, in evaluation mode; `config` overrides single fields."""
        cls = find_method(self.method)
        if has_part(cls.Config, "perturbation"):
            kind = self.perturbation.removesuffix(f"-{self.law}")
            values = {"perturbation": kind, "noise": self.law, "trials": setting.trials}
            known = {name: value for name, value in values.items() if name in cls.Config.model_fields}
            config = known | config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            method = made(cls, config, setting.dimensions).eval()
            with torch.no_grad():
                for name, parameter in method.named_parameters():
                    if name != "logit_scale":
                        parameter.add_(WEIGHT_NOISE * torch.randn_like(parameter))
        return method

    def noise_source(self) -> KeyedNoise:
        """Where its noise comes from."""
        return KeyedNoise(0, self.law)


class Untimed(Timed):
    """Of a method that says nothing about its time: it is measured without."""

    obstacle = "nobody has restated its authors' loops"

    def cost(self, *, exact: bool) -> Cost | None:
        """Unknown."""
        return None


def timed_of(method: Method) -> Timed:
    """What a method says about its time."""
    return method.timed or Untimed()


def perturbations_of(cls: type[Method]) -> list[str]:
    """The perturbations of a method as works call them; nothing for a method that has no such part."""
    fields = declared({"": cls.Config})
    if not has_part(cls.Config, "perturbation"):
        return []
    laws = [field for field in fields.values() if field.mark(ScoringNoise)]
    found = []
    for kind in fields["perturbation"].kinds:
        noisy = any(not field.idle({"perturbation": kind}, lambda _: True) for field in laws)
        found += [f"{kind}-{law}" for law in LAWS] if noisy else [kind]
    return found


def works_of(methods: Sequence[str], perturbations: Sequence[str]) -> tuple[list[Work], list[str]]:
    """The works of some methods, and a note per method that has no perturbation to vary.

    Such a method is timed once, as it is. Raises `BenchError` for an unknown name.
    """
    works: list[Work] = []
    notes = []
    known = {name for cls in registered_methods().values() for name in perturbations_of(cls)}
    for name in perturbations:
        if name not in known:
            raise unknown_name("perturbation", name, known)
    for method in methods:
        own = perturbations_of(find_method(method))
        works += [Work(method, name) for name in perturbations if name in own]
        if not own:
            works.append(Work(method, "none"))
        if not own and tuple(perturbations) != ("none",):
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
