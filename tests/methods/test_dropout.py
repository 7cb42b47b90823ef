"""Dropout of 16 bits per element drops the share that it says, keeps the mean, and repeats itself."""

import pytest
import torch

from methods.parts.dropout import Dropout

SHARES = (0.1, 0.3, 0.999)


def dropped(share: float, seed: int = 0, count: int = 1_000_003) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(share)(torch.ones(count))


@pytest.mark.parametrize("share", SHARES)
def test_its_share_and_its_mean_are_those_of_dropout(share):
    out = dropped(share)
    deviation = (share * (1 - share) / len(out)) ** 0.5
    assert (out == 0).double().mean().item() == pytest.approx(share, abs=5 * deviation)
    assert out.double().mean().item() == pytest.approx(1, abs=5 * deviation / (1 - share))
    kept = round((1 - share) * 65536) / 65536
    torch.testing.assert_close(out[out != 0].unique(), torch.tensor([1 / kept]))


def test_neighbours_are_dropped_independently():
    gone = (dropped(0.3) == 0).double()
    for lag in (1, 2, 3, 4, 8):
        assert torch.corrcoef(torch.stack([gone[lag:], gone[:-lag]]))[0, 1].abs() < 5 / len(gone) ** 0.5


def test_the_generator_decides():
    assert torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=1))
    assert not torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=2))


def test_what_is_dropped_gets_no_gradient():
    x = torch.randn(7, 5, 3, requires_grad=True)
    out = Dropout(0.3)(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(out == 0, 0.0, 1 / (round(0.7 * 65536) / 65536)))


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_evaluation_changes_nothing(share):
    x = torch.randn(4, 4)
    assert Dropout(share).eval()(x) is x
    assert torch.equal(Dropout(0.0)(x), x)
