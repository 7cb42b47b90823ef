"""The authors' recorded scores, reproduced through the exact engine instead of the modules."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.batch import Rows, Texts
from core.method import NoiseSource
from methods.composed import ComposedMethod
from methods.parity import check_file
from methods.parts.exact.scores import exact_queries
from methods.parts.index import as_index

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
    def score(self: ComposedMethod, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
        asked.append("query")
        basis = self.exact_index(index)
        queries = exact_queries(self, texts, noise, gated=as_index(index).audio is not None)
        return self.exact_score(queries, basis, noise)

    @torch.no_grad()
    def released(
        self: ComposedMethod, texts: Texts, index: Rows, pairing: Tensor, noise: NoiseSource
    ) -> Tensor:
        asked.append("released")
        exact = self.exact_released_score if self.own_caption_scoring else None
        return exact(texts, index, pairing, noise) if exact else score(self, texts, index, noise)

    monkeypatch.setattr(ComposedMethod, "score", score)
    monkeypatch.setattr(ComposedMethod, "released_score", released)
    row = check_file(GOLDEN / name)
    assert row.verdict == "agrees", row.message
    assert asked
