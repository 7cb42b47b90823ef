"""X-Pool's head over all pairs of a batch, forward and backward: `python -m benchmarks.all_pairs_head`.

Timed in turn on one thread, processor time: the head as the paper's equations are usually written, with a map
and torch's dropout for every pair; the head as it trains here; and the matrix products alone that the latter
needs for values and gradients, which no formulation of it avoids.
"""

from collections.abc import Callable
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from benchmarks.paired import in_turn, table_of
from core.cli.shell import console, one_line_errors
from methods.parts.pooling.text_conditioned import TextConditionedPooling


def written_out(head: TextConditionedPooling, texts: Tensor, frames: Tensor, dropout: nn.Dropout) -> Tensor:
    """Equations 6 to 11 of X-Pool (arXiv 2203.15086), one head, a map for each pair: `(N, V, D)`."""
    attention, normed = head.cross_attn, head.layer_norm1(frames)
    keys, values = attention.k_proj(normed), attention.v_proj(normed)
    queries = attention.q_proj(head.layer_norm1(texts)) / head.temperature
    weights = torch.einsum("nd,vfd->nvf", queries, keys).softmax(-1)
    out = head.layer_norm2(attention.out_proj(torch.einsum("nvf,vfd->nvd", weights, values)))
    pooled: Tensor = head.layer_norm3(out + dropout(head.linear_proj(out)))
    return pooled


def products(
    texts: int, videos: int, frames: int, width: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """What is multiplied: logits, weighted sums and the residual layer, each with its two gradients."""
    n, nf, d = (texts * videos, width), (videos * frames, width), (width, width)
    shapes = [
        *(2 * [(n, d)]),  # the residual layer, and the gradient of its input
        ((width, texts * videos), n),  # the gradient of its weight
        *(3 * [(nf, (width, texts))]),  # logits, the gradient of the weights, the gradient of the values
        *(3 * [((texts * videos, frames), (frames, width))]),  # sums, the gradients of queries and keys
    ]
    return [(torch.randn(*left, device=device), torch.randn(*right, device=device)) for left, right in shapes]


def head_forms(batch: int, width: int, frames: int, device: torch.device) -> dict[str, Callable[[], object]]:
    """The head's three forms by name: written out, as it trains here, and its products alone."""
    head, dropout = TextConditionedPooling(width, 1, 0.3).to(device), nn.Dropout(0.3)
    texts = torch.randn(batch, width, device=device, requires_grad=True)
    videos = torch.randn(batch, frames, width, device=device, requires_grad=True)
    mask = torch.ones(batch, frames, dtype=torch.bool, device=device)
    gradient = torch.randn(batch, batch, width, device=device)
    operands = products(batch, batch, frames, width, device)

    def step(pooled: Callable[[], Tensor]) -> Callable[[], object]:
        return lambda: pooled().backward(gradient)

    return {
        "a map and torch's dropout per pair": step(lambda: written_out(head, texts, videos, dropout)),
        "as it trains here": step(lambda: head(texts, head.prepare(videos, mask)).vector),
        "its products alone": lambda: [left @ right for left, right in operands],
    }


@one_line_errors
def main(
    batch: Annotated[int, typer.Option(help="Pairs of a batch.")] = 128,
    width: Annotated[int, typer.Option(help="Width of the joint space.")] = 128,
    frames: Annotated[int, typer.Option(help="Frames per video.")] = 12,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that medians are taken of.")] = 9,
) -> None:
    """Time the head over all pairs.

    Example: python -m benchmarks.all_pairs_head --width 512
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    forms = head_forms(batch, width, frames, torch.device("cpu"))
    console.print(table_of(f"{batch} x {batch} pairs, D {width}, F {frames}", in_turn(forms, rounds)))


if __name__ == "__main__":
    typer.run(main)
