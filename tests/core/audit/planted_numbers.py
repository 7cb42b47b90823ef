"""Leaks that depend on numbers of a configuration, and clean methods whose numbers do not go together."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from core.axes import SmallWorld
from core.batch import Texts
from core.errors import BenchError
from core.method import Dimensions, MethodConfig, NoiseSource
from tests.core.audit.planted import Clean, Kept, own


class NumbersConfig(MethodConfig):
    layers: Annotated[int, SmallWorld(2)] = 4
    share: Annotated[float, Field(ge=0)] = 0.5
    parts: int = 8
    lowest: float = 0.2


class Scoring(Clean):
    """Leaks where `open` says so."""

    Config = NumbersConfig
    config: NumbersConfig

    @property
    def open(self) -> bool:
        return False

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + own(scores) * self.open


class WhereRaised(Scoring):
    """Beyond the default."""

    @property
    def open(self) -> bool:
        return self.config.share > 0.7


class WhereDeepAndLowered(Scoring):
    """Of a number beside the default, in as many layers as by default."""

    @property
    def open(self) -> bool:
        return self.config.share < 0.5 and self.config.layers > 2


class WhereDeepAndRaised(Scoring):
    @property
    def open(self) -> bool:
        return self.config.share > 0.5 and self.config.layers > 2


class WhereFew(Scoring):
    """Of few layers alone."""

    @property
    def open(self) -> bool:
        return self.config.layers < 4


class BesideRefused(WhereRaised):
    """Another number is refused when it is raised, by the engine's error and by another."""

    def __init__(self, config: NumbersConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        if dimensions.width % config.parts:
            raise BenchError(f"parts={config.parts} do not divide {dimensions.width}")


class DoNotGoTogether(Scoring):
    """Each number is fine, and some are not beside others."""

    def __init__(self, config: NumbersConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        if config.lowest != 0.2 and config.parts != 8:
            raise ValueError("lowest is not for these parts")


class Fewer(Scoring):
    """Another formula in few layers, and a clean one."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return super().score(texts, index, noise) * self.config.layers


LEAKS = {
    WhereRaised: "share=1.0",
    WhereDeepAndLowered: "share=0.25",
    WhereDeepAndRaised: "share=1.0",
    WhereFew: "layers=",
    BesideRefused: "share=1.0",
}
"""Each with a setting in which it is found."""
ODD = DoNotGoTogether, Fewer
