"""What a method keeps of a video is read from disk as it was written, whatever the method reads of a clip."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.audit.noise_features import NARROW, NARROW_STATES, TEXT_WORDS, NoiseFeatures
from core.method import Dimensions
from core.registry import registered_methods
from core.scoring.scoring import build_index
from core.search.basis import RowLayout, template_of, tensors_of, write_basis


@pytest.mark.parametrize("name", sorted(registered_methods()))
@torch.no_grad()
def test_rows_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    cls = registered_methods()[name]
    method = cls(cls.Config(), Dimensions(NARROW.width, NARROW.frames, NARROW.width, TEXT_WORDS)).eval()
    expected = build_index(method, NoiseFeatures.draw(1, 6, seed=0).videos).videos
    write_basis(expected, tmp_path)
    template = template_of(method, "exact", (NARROW_STATES, NARROW.width), NARROW.patches)
    layout = RowLayout(template)
    found = layout.tensors(layout.read(tmp_path, 6, np.array([4, 1])))
    for read, written in zip(found, tensors_of(expected), strict=True):
        assert torch.equal(read, written[[4, 1]])
