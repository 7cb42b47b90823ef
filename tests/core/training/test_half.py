"""Towers in float16 as CLIP4Clip's code trains them: which weights, and that a step is that of float16."""

import pytest
import torch
from torch import nn

from core.encoders.clip import ClipBackbone
from core.encoders.half import matrices, round_to_half
from core.training.optimizers import BertAdam
from core.training.rates import in_half_precision


def test_matrices_are_those_that_open_clip_converts() -> None:
    import open_clip

    towers = ClipBackbone.load("avworld").model
    found = {id(parameter) for parameter in matrices(towers)}
    names = {name for name, parameter in towers.named_parameters() if id(parameter) in found}
    open_clip.model.convert_weights_to_lp(towers, dtype=torch.float16)
    assert names == {name for name, p in towers.named_parameters() if p.dtype == torch.float16}


def test_rounding_leaves_what_float16_holds() -> None:
    towers = ClipBackbone.load("avworld").model
    before = {name: p.clone() for name, p in towers.named_parameters()}
    round_to_half(towers)
    found = {id(parameter) for parameter in matrices(towers)}
    for name, parameter in towers.named_parameters():
        expected = before[name].half().float() if id(parameter) in found else before[name]
        assert torch.equal(parameter, expected), name


@pytest.mark.parametrize("reloaded", [False, True])
def test_a_marked_group_steps_as_a_float16_parameter_would(reloaded: bool) -> None:
    draw = torch.Generator().manual_seed(2)
    start = (0.03 * torch.randn(40, 30, generator=draw)).half()
    plain, marked = nn.Parameter(start.clone()), nn.Parameter(start.float())
    reference = BertAdam([plain], lr=1e-4)
    groups = in_half_precision([{"params": [marked, nn.Parameter(torch.zeros(2))], "lr": 1e-4}], [marked])
    assert [group["half"] for group in groups] == [False, True]
    optimizer = BertAdam(groups)
    for step in range(6):
        gradient = 1e-4 * torch.randn(40, 30, generator=draw)
        plain.grad, marked.grad = gradient.half(), gradient.clone()
        reference.step()
        optimizer.step()
        assert marked.dtype == marked.grad.dtype == torch.float32
        assert torch.equal(marked, plain.float())
        if reloaded and step == 2:
            state = optimizer.state_dict()
            optimizer = BertAdam(groups)
            optimizer.load_state_dict(state)
    assert not torch.equal(plain, start)
