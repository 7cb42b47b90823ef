"""What runs on a GPU is told from what stays on the CPU, on a machine without a GPU too."""

import copy
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.audit.device import device
from core.audit.pretended import WrongDevice, pretended_cuda
from core.audit.subject import Subject
from core.audit.verdict import Verdict
from core.batch import Texts, Videos
from core.method import Losses, Method, NoiseSource
from core.registry import registered_methods
from tests.core.audit.planted import Clean, Kept

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "late_fusion.py"


def example() -> type[Method]:
    """The plug-in of the docs, from its file."""
    spec = spec_from_file_location("late_fusion_on_a_gpu", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Method] = module.LateFusion
    return found


def verdict(method: type[Method], condition: str = "leak-free") -> Verdict:
    return device(Subject(method, condition))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(registered_methods()))
def test_the_authors_scoring_runs_on_a_gpu(name: str) -> None:
    # leak-free scores are asked of every method in tests/methods/test_every_method.py
    found = verdict(registered_methods()[name], "released")
    assert found.verdict == "pass", found
    assert "training step, index" in found.figure
    assert "released scores (exact), released scores (modules)" in found.figure


@pytest.mark.parametrize("method", [Clean, example()], ids=lambda method: method.name)
def test_a_plug_in_that_follows_its_inputs_passes(method: type[Method]) -> None:
    assert verdict(method).verdict == "pass", verdict(method)


class MadeInForward(Clean):
    """A tensor on the CPU."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) + torch.zeros(len(texts), 1)


class MaskOfTheCpu(Clean):
    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        silent = torch.ones(len(videos), 1, dtype=torch.bool)
        return Kept(kept.picture, kept.sound.masked_fill(silent, 0.0), kept.keys)


class GeneratorOfTheCpu(Clean):
    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        own = torch.Generator().manual_seed(0)
        drawn = torch.randn(len(texts), generator=own, device=texts.embeds.device)
        losses = super().loss(texts, videos, generator)
        return Losses(losses.total + drawn.mean(), {})


class NoiseOfTheCpu(Clean):
    """The generator is the right one, and the tensor is not."""

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        losses = super().loss(texts, videos, generator)
        return Losses(losses.total + torch.randn(len(texts), generator=generator).mean(), {})


class CountsOnTheCpu(Clean):
    """`arange` without a device."""

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(kept.picture + torch.arange(len(videos))[:, None], kept.sound, kept.keys)


class TargetsOfTheCpu(Clean):
    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        logits = self.cosines(texts, self.index(videos))
        return Losses(F.cross_entropy(logits, torch.arange(len(logits))), {})


class NotABuffer(Clean):
    """A constant that `to` does not move."""

    @property
    def weight(self) -> Tensor:
        return torch.ones(self.dimensions.width)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) + (texts.embeds @ self.weight)[:, None]


class KeepsOnTheCpu(Clean):
    """Its index leaves the GPU."""

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(kept.picture, kept.sound.cpu(), kept.keys)


class AsksNumpy(Clean):
    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + float(index.keys.numpy().min() * 0)


FAULTS: dict[type[Method], str] = {
    MadeInForward: "add mixes a cpu tensor (8, 1) with a cuda tensor (8, 8)",
    MaskOfTheCpu: "masked_fill mixes a cpu tensor (8, 1)",
    GeneratorOfTheCpu: "randn draws on cuda with a generator of cpu",
    NoiseOfTheCpu: "randn draws on cpu with a generator of cuda",
    CountsOnTheCpu: "add mixes a cpu tensor (8, 1)",
    TargetsOfTheCpu: "nll_loss_forward mixes a cpu tensor (8,)",
    NotABuffer: "mv mixes a cpu tensor (96,)",
    KeepsOnTheCpu: "mixes a cpu tensor (8, 96)",
    AsksNumpy: "numpy",
}
"""Each with words of its line."""


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the words are CUDA's own")
@pytest.mark.parametrize("method", FAULTS, ids=lambda method: method.__name__)
def test_what_stays_on_the_cpu_is_one_line_with_its_place(method: type[Method]) -> None:
    found = verdict(method)
    assert found.verdict == "fail", found
    assert FAULTS[method] in found.figure
    assert "test_device.py, line " in found.figure or "planted.py, line " in found.figure
    assert "\n" not in found.figure


def test_the_pretended_gpu_computes_what_the_cpu_computes() -> None:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(4, 3), torch.randn(5, 4)
    expected = torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    with pretended_cuda():
        layer.to("cuda")
        out = layer(x.to("cuda")).square().sum()
        out.backward()
        assert out.device.type == layer.weight.device.type == "cuda"
        assert layer.weight.grad is not None
        found = layer.weight.grad.cpu()
    torch.testing.assert_close(found, expected)


def test_the_pretended_gpu_allows_what_cuda_allows() -> None:
    with pretended_cuda() as generator:
        x = torch.arange(6.0, device="cuda")
        assert (x + torch.tensor(1.0)).tolist() == [1, 2, 3, 4, 5, 6]
        assert x[torch.tensor([5, 0])].tolist() == [5, 0]
        assert x.cpu().numpy().sum() == 15
        assert torch.randn(2, generator=generator, device=generator.device).device.type == "cuda"
        own = torch.Generator("cuda").manual_seed(3)
        assert torch.rand(2, generator=own, device="cuda").device.type == "cuda"
        assert x.new_tensor([1.0]).device == x.device
        states, _ = torch.nn.LSTM(1, 2).to("cuda")(x[:, None])
        assert states.device == copy.deepcopy(states.detach()).device == x.device
        with pytest.raises(WrongDevice, match="index mixes"):
            torch.arange(6.0)[torch.tensor([1], device="cuda")]
        with pytest.raises(WrongDevice, match="add_ mixes"):
            torch.tensor(1.0).add_(x.sum())
    assert torch.Generator("cpu").device.type == "cpu"
