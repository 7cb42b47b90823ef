"""A module built without memory for its weights: shapes and types are right, values do not exist."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


def empty_square(n: int, m: int | None = None, **options: Any) -> Tensor:
    """What torch.eye makes, without its values: `(n, m)`."""
    return torch.empty(n, n if m is None else m, **options)


def empty_random(*size: Any, generator: torch.Generator | None = None, **options: Any) -> Tensor:
    """What torch.rand and torch.randn make, without their values."""
    return torch.empty(*size, **options)


MAKERS: Mapping[Any, Callable[..., Tensor]] = {
    torch.eye: empty_square,
    torch.rand: empty_random,
    torch.randn: empty_random,
}
VALUE_SETTERS = frozenset(
    {
        *(getattr(nn.init, name) for name in dir(nn.init) if name[0] != "_" and name[-1] == "_"),
        Tensor.normal_,
        Tensor.uniform_,
    }
)


class Unfilled(TorchFunctionMode):
    """Starting values of a tensor without memory are not computed.

    torch has nothing to compute there either, and imports its compiler, 3 to 4 seconds, to find that out. It
    does so for arithmetic too, which is left to it.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        filled = None
        if func in MAKERS:
            filled = given["out"] if given.get("out") is not None else MAKERS[func](*args, **given)
        elif func in VALUE_SETTERS:
            filled = given.get("tensor", args[0] if args else None)
        if isinstance(filled, Tensor) and filled.is_meta:
            return filled
        return func(*args, **given)


@contextmanager
def weightless() -> Iterator[None]:
    """Modules that are built inside have no memory for their weights; random numbers are not used up."""
    with torch.device("meta"), torch.random.fork_rng(devices=[]), Unfilled():
        yield
