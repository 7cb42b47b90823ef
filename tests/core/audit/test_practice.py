"""Training on noise, before a method is compared with itself."""

import torch

from core.audit.noise_features import SMALL, NoiseFeatures
from core.audit.practice import PRACTICE_RATE, practise
from core.batch import Texts, Videos
from core.method import Losses, MethodConfig
from tests.core.audit.planted import Clean


class CountsLosses(Clean):
    losses = 0

    def loss(self, texts: Texts, videos: Videos, generator: torch.Generator) -> Losses:
        self.losses += 1
        return super().loss(texts, videos, generator)


def test_further_steps_ask_for_the_loss_and_move_weights_as_the_last_gradient_did() -> None:
    torch.manual_seed(0)
    method = CountsLosses(MethodConfig(), SMALL.dimensions)
    before = method.text.weight.detach().clone()
    practise(method, NoiseFeatures.draw(8, 8, seed=0, shape=SMALL), steps=1, pairs=8, further=3)
    assert method.losses == 4
    moved = (method.text.weight.detach() - before).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 4 * PRACTICE_RATE))
