"""Modules without memory for their weights: shapes as ever, without values or compiler."""

import subprocess
import sys

import torch
from torch import nn

from core.weightless import weightless


class Filled(nn.Module):
    """Weights that start in every way that methods use, and one that is built from the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)
        self.attention = nn.MultiheadAttention(4, 2)
        self.words = nn.Embedding(7, 4)
        nn.init.eye_(self.linear.weight)
        nn.init.normal_(self.words.weight, std=0.02)
        nn.init.orthogonal_(self.attention.out_proj.weight)
        nn.init.trunc_normal_(self.attention.in_proj_weight)
        self.square, self.wide = nn.Parameter(torch.eye(6)), nn.Parameter(torch.eye(2, 9))
        self.halves = nn.Parameter(torch.eye(4, dtype=torch.float16))
        self.drawn = nn.Parameter(torch.empty(8).uniform_())
        self.random = nn.Parameter(torch.randn((2, 3), generator=None) + torch.rand(size=(3,)))


def layout(module: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Shape and type of every weight."""
    return {name: (weight.shape, weight.dtype) for name, weight in module.named_parameters()}


def test_a_module_has_its_shapes_and_no_values() -> None:
    with weightless():
        built = Filled()
    assert layout(built) == layout(Filled())
    assert all(weight.is_meta for weight in built.parameters())


def test_random_numbers_are_not_used_up() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with weightless():
        Filled()
    assert torch.equal(torch.rand(4), expected)


def test_what_is_put_into_memory_has_its_values() -> None:
    with weightless():
        identity, drawn = torch.eye(3, device="cpu"), torch.rand(100, device="cpu")
        filled = nn.init.uniform_(torch.empty(100, device="cpu"), 2, 3)
    assert identity.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert ((drawn >= 0) & (drawn < 1)).all() and drawn.unique().numel() > 90
    assert ((filled >= 2) & (filled <= 3)).all() and filled.unique().numel() > 90


def test_a_dry_run_waits_neither_for_the_compiler_nor_for_what_reports_need() -> None:
    """Each of them takes one to four seconds to import."""
    code = (
        "import sys; from contextlib import suppress; from core.cli.app import main\n"
        "sys.argv = ['bench', 'run', '--datasets', 'avworld-tiny', '--dry-run']\n"
        "with suppress(SystemExit): main()\n"
        "names = ('torch', 'torch._dynamo', 'sympy', 'scipy', 'pandas', 'transformers', 'open_clip')\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['torch']", done.stdout
