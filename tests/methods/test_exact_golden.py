"""The authors' recorded scores, reproduced through the exact engine instead of the modules."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.batch import Texts
from core.method import NoiseSource
from methods.composed import ComposedMethod
from methods.parity import check_file
from methods.parts.composition import VideoIndex
from methods.parts.exact import exact_of_fused
from methods.released.own_captions import OwnCaptions

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(
    path.name
    for pattern in ("xpool_eval*", "tmass_eval*", "gaid.safetensors")
    for path in GOLDEN.glob(pattern)
)


@pytest.mark.parametrize("name", FILES)
def test_recorded_scores_come_out_of_the_algebra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    @torch.no_grad()
    def score(self: ComposedMethod, texts: Texts, index: VideoIndex, noise: NoiseSource) -> Tensor:
        asked.append("leak-free")
        exact = self.exact if index.audio is not None else exact_of_fused(self)
        assert exact is not None
        return exact.score(exact.queries(texts, noise), exact.index(index), noise)

    @torch.no_grad()
    def released(
        self: OwnCaptions, texts: Texts, index: VideoIndex, pairing: Tensor, noise: NoiseSource
    ) -> Tensor:
        asked.append("released")
        return self.score_by_algebra(texts, index, pairing, noise)

    monkeypatch.setattr(ComposedMethod, "score", score)
    monkeypatch.setattr(OwnCaptions, "score", released)
    row = check_file(GOLDEN / name)
    assert row.verdict == "agrees", row.message
    assert asked
