"""Attention whose maps act on a few queries is the one whose maps act on every state, gradients included."""

import pytest
import torch

from methods.parts.transformer import Attention, AttentionOverMany, key_bias


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_attention(heads: int, masked: bool) -> None:
    torch.manual_seed(0)
    plain, folded = (kind(16, heads).double() for kind in (Attention, AttentionOverMany))
    torch.nn.init.normal_(plain.in_proj_bias)  # zero at the start, and then no bias could be wrong
    folded.load_state_dict(plain.state_dict())
    query, source = torch.randn(3, 5, 16).double(), torch.randn(3, 40, 16).double()
    mask = torch.arange(40) < torch.tensor([[40], [17], [1]]) if masked else None
    found = []
    for attention in (plain, folded):
        inputs = [x.clone().requires_grad_() for x in (query, source)]
        out = attention(*inputs, key_bias(mask, query.dtype))
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        gradients = {name: p.grad for name, p in attention.named_parameters()}
        found.append({"out": out.detach(), "query": inputs[0].grad, "source": inputs[1].grad, **gradients})
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-10)


def test_a_source_that_is_hidden_altogether_is_attended_evenly() -> None:
    attention = AttentionOverMany(16, 2).double()
    source = torch.randn(1, 40, 16).double()
    hidden = key_bias(torch.zeros(1, 40, dtype=torch.bool), source.dtype)
    out = attention(torch.randn(1, 5, 16).double(), source, hidden)
    values = source.mean(1) @ attention.in_proj_weight[32:].T + attention.in_proj_bias[32:]
    torch.testing.assert_close(out, attention.out_proj(values).expand(1, 5, 16))
