"""Keys that tell who reads them, and noise that does not.

The keys of texts and videos are there for the noise alone. A method that compares them, or carries them into
its scores, knows who a text and a video are, whatever is in them: a table of pairs needs no more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor

ESCAPES = {
    "tolist",
    "item",
    "numpy",
    "__array__",
    "__int__",
    "__index__",
    "__bool__",
    "__float__",
    "__hash__",
}
"""Operations whose result is no tensor any more."""


class TracedKeys(Tensor):
    """Keys whose results know whether they come from texts, videos, or both."""

    origins: frozenset[str] = frozenset()
    escaped: ClassVar[set[str]] = set()
    """The origins of keys that were read as plain numbers while `watched`."""
    watching: ClassVar[bool] = False

    @classmethod
    def of(cls, keys: Tensor, origin: str) -> "TracedKeys":
        """Keys `(n,)` of `text` or `video`."""
        traced = keys.clone().as_subclass(cls)
        traced.origins = frozenset({origin})
        return traced

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator[set[str]]:
        """Collects the origins of keys that are read as plain numbers in a block."""
        cls.escaped, cls.watching = set(), True
        try:
            yield cls.escaped
        finally:
            cls.watching = False

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Any operation of torch on it."""
        named = kwargs or {}
        origins = frozenset().union(*map(origins_of, (*args, *named.values())))
        if cls.watching and getattr(func, "__name__", "") in ESCAPES:
            cls.escaped |= origins
        with torch._C.DisableTorchFunctionSubclass():
            result = func(
                *map(without_marks, args), **{name: without_marks(value) for name, value in named.items()}
            )
        return with_marks(result, origins)


def origins_of(value: Any) -> frozenset[str]:
    """What a value comes from; sequences have all of their items' origins."""
    if isinstance(value, TracedKeys):
        return value.origins
    if isinstance(value, (tuple, list)):
        return frozenset().union(*map(origins_of, value))
    return frozenset()


def without_marks(value: Any) -> Any:
    """A value without marks."""
    if isinstance(value, TracedKeys):
        return value.as_subclass(Tensor)
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return type(value)(map(without_marks, value))
    return value


def with_marks(value: Any, origins: frozenset[str]) -> Any:
    """A result with the marks of what it was made of."""
    if isinstance(value, Tensor):
        traced = value.as_subclass(TracedKeys)
        traced.origins = origins
        return traced
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return type(value)(with_marks(item, origins) for item in value)
    return value


class KeyBlindNoise:
    """Noise that is the same for every text and video, so that keys can change nothing through it."""

    shared = True
    drawn = False
    """Whether anybody has asked for it."""

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        """`(N, 1, trials, width)`, see `core.capabilities.NoiseSource`; reads the number of texts only."""
        self.drawn = True
        generator = torch.Generator().manual_seed(0)
        draw = torch.rand if prior == "uniform" else torch.randn
        one = draw(1, 1, trials, width, generator=generator)
        return one.expand(texts.shape[0], 1, trials, width).clone()
