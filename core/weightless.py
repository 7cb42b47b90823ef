"""A module built without memory for its weights: shapes and types are right, values do not exist."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FILLERS = {
    *(getattr(nn.init, name) for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")),
    Tensor.normal_,
    Tensor.uniform_,
}


class Unfilled(TorchFunctionMode):
    """Starting values of a tensor without memory are not computed.

    torch has nothing to compute there either, and imports its compiler, 3 to 4 seconds, to find that out.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func is torch.eye and given.get("out") is None:
            rows, columns = (*args, *args)[:2]
            empty = torch.empty(rows, columns, device=given.get("device"), dtype=given.get("dtype"))
            return empty if empty.is_meta else func(*args, **given)
        filled = given.get("out") if func is torch.eye else given.get("tensor", args[0] if args else None)
        if (func is torch.eye or func in FILLERS) and isinstance(filled, Tensor) and filled.is_meta:
            return filled
        return func(*args, **given)


@contextmanager
def weightless() -> Iterator[None]:
    """Modules that are built inside have no memory for their weights; random numbers are not used up."""
    with torch.device("meta"), torch.random.fork_rng(devices=[]), Unfilled():
        yield
