"""What every registered method must do, whoever wrote it; a new one is tested without writing a test."""

import pytest
import torch

from core.audit.checks import CHECKS
from core.audit.noise_features import NARROW_FRAMES, NARROW_WIDTH, TEXT_WORDS, NoiseFeatures
from core.audit.subject import Subject
from core.errors import BenchError
from core.method import Dimensions, Method
from core.registry import registered_methods
from core.scoring.noise import KeyedNoise
from core.scoring.scoring import Engine, build_index, score_matrix
from tests.core.audit.one_process import configurations

NAMES = sorted(registered_methods())


def fresh(name: str) -> Method:
    torch.manual_seed(0)
    cls = registered_methods()[name]
    return cls(cls.Config(), Dimensions(NARROW_WIDTH, NARROW_FRAMES, NARROW_WIDTH, TEXT_WORDS))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_audit_under_the_leak_free_condition(name: str) -> None:
    subject = Subject(registered_methods()[name], "leak-free", size=100, seeds=2)  # trains once
    assert not [verdict for check in CHECKS if (verdict := check(subject)).verdict == "fail"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_its_parts_and_widths_pass_the_audit(name: str) -> None:
    found = list(configurations(Subject(registered_methods()[name], "leak-free")))
    assert [verdict for verdict in found if verdict.verdict == "fail"] == []


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_its_algebra_agrees_with_its_modules(name: str) -> None:
    method, world = fresh(name).eval(), NoiseFeatures.draw(9, 11, seed=1)

    def scores(engine: Engine) -> torch.Tensor:
        index = build_index(method, world.videos, engine=engine)
        return score_matrix(method, world.texts, index, noise=KeyedNoise(0, "per-text"))

    torch.testing.assert_close(scores("exact"), scores("modules"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_trained(name: str) -> None:
    method, world = fresh(name).train(), NoiseFeatures.draw(8, 8, seed=2)
    losses = method.loss(world.texts, world.videos, torch.Generator().manual_seed(0))
    losses.total.backward()
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert losses.total.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert not gradients or any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_it_refuses_a_checkpoint_with_weights_that_it_does_not_know(name: str) -> None:
    method = fresh(name)
    if method.authors is None:
        pytest.skip("it does not say how its authors' checkpoints are laid out")
    with pytest.raises(BenchError, match=r"surplus\.weight"):
        method.authors.load(method, {"surplus.weight": torch.zeros(1)})


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_title_and_a_paper_and_documents_itself(name: str) -> None:
    cls = registered_methods()[name]
    assert cls.title
    assert cls.paper
    assert cls.__doc__
    assert cls.Config.__doc__
