"""Stochastic texts: a caption as a ball around its embedding, whose radius follows from the video.

T-MASS (Wang et al., "Text Is MASS", CVPR 2024, arXiv 2403.17998) draws the point of the ball at random, in
training and in scoring (STP). GAID (arXiv 2508.01711) blends the draw with a fixed step and scores without
noise (DASP). In both the radius is `exp(W c + b)` per channel with `c` the cosines of the text with the
video's frames; the papers call it a (log-)variance, the released code uses it as the scale.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from methods.parts.config import Prior as Prior
from methods.parts.vectors import frame_cosines, unit


def stochastic_text(texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
    """`t + noise * radius`, all broadcast to `(N, V|1, D)` (T-MASS equation 4)."""
    return torch.addcmul(texts, noise, radius)


def blended_text(texts: Tensor, radius: Tensor, noise: Tensor, alpha: Tensor) -> Tensor:
    """`t + (alpha noise + 1 - alpha) radius`, DASP in training (GAID equation 3)."""
    return texts + (alpha * noise + 1 - alpha) * radius


def deterministic_text(texts: Tensor, radius: Tensor, alpha: Tensor) -> Tensor:
    """`t + alpha radius`, DASP in scoring (GAID equation 4)."""
    return texts + alpha * radius


def support_text(texts: Tensor, radius: Tensor, anchor: Tensor) -> Tensor:
    """The point of the ball nearest to the video: `t + unit(anchor - t) * radius`, `(N, 1, D)` each."""
    return texts + unit(anchor - texts) * radius


class Perturbation(nn.Module, ABC):
    """A radius and what is done with it."""

    def __init__(self, frames: int, width: int, prior: Prior, prior_std: float) -> None:
        super().__init__()
        self.prior = prior
        self.prior_std = prior_std
        self.radius = nn.Linear(frames, width)
        # The first F channels start with the cosine of one frame each, the rest with radius 1, as released.
        nn.init.eye_(self.radius.weight)
        nn.init.zeros_(self.radius.bias)

    def log_radii(self, texts: Tensor, frames: Tensor, mask: Tensor) -> Tensor:
        """`W c + b` `(N, V, D)` of texts `(N, D)` and frames `([N,] V, F, D)`; padding counts as cosine 0."""
        cosines = frame_cosines(texts[:, None], unit(frames))
        log_radii: Tensor = self.radius(torch.where(mask, cosines, torch.zeros_like(cosines)))
        return log_radii

    def radii(self, texts: Tensor, frames: Tensor, mask: Tensor) -> Tensor:
        """Radius `(N, V, D)`; see `log_radii`."""
        return self.log_radii(texts, frames, mask).exp()

    def draw(self, texts: Tensor, generator: torch.Generator) -> Tensor:
        """Training noise `(N, 1, D)`, one draw per text: U[0, 1), or N(0, prior_std^2)."""
        noise = torch.empty(len(texts), 1, texts.shape[1], dtype=texts.dtype, device=generator.device)
        if self.prior == "uniform":
            noise.uniform_(generator=generator)
        else:
            noise.normal_(std=self.prior_std, generator=generator)
        return noise.to(texts.device)

    def scaled(self, noise: Tensor) -> Tensor:
        """Noise in units of the prior, multiplied by its standard deviation."""
        return noise * self.prior_std if self.prior == "normal" else noise

    @abstractmethod
    def train_queries(self, texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
        """Perturbed texts `(N, V|1, D)` in training; texts and noise `(N, 1, D)`, radius `(N, V|1, D)`."""

    @abstractmethod
    def score(
        self,
        texts: Tensor,
        radius: Tensor,
        draw: Callable[[int], Tensor],
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Similarities `(N, V)` of texts `(N, 1, D)` with radius `(N, V, D)`.

        `draw(trials)` gives noise `(N, V|1, K, D)` in units of the prior, `select` the similarity of a query
        `(N, V|1, D)`, by which the best trial is chosen; `final`, where it differs, the similarity that the
        chosen trial is given (released scoring).
        """


class StochasticText(Perturbation):
    """STP: the best of K random points per pair (T-MASS section 3.2)."""

    def __init__(self, frames: int, width: int, prior: Prior, prior_std: float, trials: int) -> None:
        super().__init__(frames, width, prior, prior_std)
        self.trials = trials

    def train_queries(self, texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
        """One random point."""
        return stochastic_text(texts, radius, noise)

    def score(
        self,
        texts: Tensor,
        radius: Tensor,
        draw: Callable[[int], Tensor],
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Running maximum over the trials; the first of equal trials wins."""
        noise = draw(self.trials)
        best, scores = torch.empty(()), torch.empty(())
        for trial in range(self.trials):
            query = stochastic_text(texts, radius, self.scaled(noise[:, :, trial].to(texts)))
            chosen = select(query)
            own = chosen if final is None else final(query)
            if trial == 0:
                best, scores = chosen, own
                continue
            scores = torch.where(chosen > best, own, scores)
            best = torch.maximum(chosen, best)
        return scores


class DeterministicText(Perturbation):
    """DASP: noise and a fixed step blended by a learned alpha; no noise in scoring (GAID section 3.3)."""

    def __init__(self, frames: int, width: int, prior: Prior, prior_std: float, alpha: float) -> None:
        super().__init__(frames, width, prior, prior_std)
        self.alpha = nn.Parameter(torch.tensor(alpha))

    def train_queries(self, texts: Tensor, radius: Tensor, noise: Tensor) -> Tensor:
        """The blended point."""
        return blended_text(texts, radius, noise, self.alpha)

    def scoring_query(self, texts: Tensor, radius: Tensor) -> Tensor:
        """The fixed point `(N, V|1, D)`; texts `(N, 1, D)`, radius `(N, V|1, D)`."""
        return deterministic_text(texts, radius, self.alpha)

    def score(
        self,
        texts: Tensor,
        radius: Tensor,
        draw: Callable[[int], Tensor],
        select: Callable[[Tensor], Tensor],
        final: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The similarity of one fixed point."""
        return (final or select)(self.scoring_query(texts, radius))
