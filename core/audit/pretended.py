"""A `cuda` device on a machine without one: values stay in memory, and devices are told apart as CUDA does.

`FakeTensorMode` alone has no values, so that whatever reads one (`tolist`, a mask, keyed noise) ends there. A
tensor here has its values and says `cuda:0`; what mixes devices raises as it does on a GPU. To torch's engine
it is on `meta`, because gradients of `cuda` tensors are computed in threads that only a GPU has. Of
`FakeTensorMode` only the place is used that keeps torch from starting CUDA.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar
from unittest.mock import patch
from weakref import WeakSet

import torch
from torch import Generator, Tensor
from torch.utils import _pytree as tree
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,
    return_and_correct_aliasing,
)

CPU, CUDA, META = torch.device("cpu"), torch.device("cuda", 0), torch.device("meta")

aten = torch.ops.aten
MOVES = {aten.copy_.default, aten._to_copy.default}
"""Read one device and write another."""
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
"""Take positions from the CPU too, in their second argument."""


class WrongDevice(RuntimeError):
    """Something of the CPU meets something of the GPU."""


class CannotPretend(RuntimeError):
    """An operation for which only a GPU has an implementation."""


class Placed(Tensor):
    """A tensor whose values are in memory and which says that it is on the GPU."""

    value: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, value: Tensor) -> "Placed":
        """On the GPU, of the same shape, strides and type; shares the values."""
        placed: Placed = torch.Tensor._make_wrapper_subclass(
            cls,
            value.shape,
            strides=value.stride(),
            storage_offset=value.storage_offset(),
            dtype=value.dtype,
            device=META,
        )
        placed.value = value
        return placed

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Outside of `pretended_cuda`, as on a machine without a GPU."""
        raise CannotPretend(f"{func} outside of the pretence")

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """The GPU."""
        return CUDA

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """As on the GPU."""
        return True

    @property
    def is_meta(self) -> bool:  # type: ignore[override]
        """As on the GPU."""
        return False

    def tolist(self) -> Any:
        """The values, as from a GPU."""
        return self.value.tolist()

    def new_tensor(self, data: Any, *, dtype: Any = None, **how: Any) -> Tensor:  # type: ignore[override]
        """A tensor of the data, on the GPU."""
        return torch.tensor(data, dtype=dtype or self.dtype, **{"device": CUDA, **how})

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A leaf with values of its own."""
        copied = Placed(self.value.clone()).requires_grad_(self.requires_grad)
        memo[id(self)] = torch.nn.Parameter(copied) if isinstance(self, torch.nn.Parameter) else copied
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        """The values."""
        return repr(self.value)

    def __format__(self, how: str) -> str:
        """The values."""
        return format(self.value, how)

    def data_ptr(self) -> int:
        """The address of the values."""
        return self.value.data_ptr()


class AnyGenerator(Generator):
    """What `torch.Generator` makes inside: of either device, drawing in memory."""

    made: ClassVar["WeakSet[AnyGenerator]"] = WeakSet()
    """Those of the GPU."""

    def __new__(cls, device: Any = "cpu") -> "AnyGenerator":
        """A generator of a device, with a seed that no other has: by its state it is known again."""
        generator: AnyGenerator = super().__new__(cls)
        generator.says = CUDA if torch.device(device).type == "cuda" else CPU
        if generator.says == CUDA:
            generator.seed()
            cls.made.add(generator)
        return generator

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__()

    says: torch.device

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where it says that it is."""
        return self.says

    @classmethod
    def on_gpu(cls, generator: Generator) -> bool:
        """Whether a generator, which torch may have wrapped anew, is one of the GPU."""
        state = generator.get_state()
        return any(torch.equal(state, one.get_state()) for one in cls.made)


class Uncompiled(TorchDispatchMode):
    """Never seen by torch's compiler, whose import takes longer than the whole check."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class NotStarted(Uncompiled):
    """Stands where torch looks for `FakeTensorMode` before it would start CUDA; changes nothing."""

    _mode_key = torch._C._TorchDispatchModeKey.FAKE

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The operation as it is."""
        return func(*args, **(kwargs or {}))


class Pretence(Uncompiled):
    """Computes in memory, refuses what CUDA refuses, and places what CUDA would have made on the GPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operation; one that torch puts together from others is taken apart, as it is for CUDA."""
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:  # under `inference_mode` such operations come whole
                return func.decompose(*args, **(kwargs or {}))
        with _disable_current_modes(), torch.inference_mode(mode=False), torch.no_grad():
            return self.computed(func, args, dict(kwargs or {}))

    def computed(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the operation returns, on the device where CUDA would have it."""
        if func is aten._fused_sdp_choice.default:
            return 0  # attention by plain products: the fused kernels are the GPU's own
        asked = kwargs.get("device")
        given = tree.tree_leaves((args, kwargs))
        tensors = [leaf for leaf in given if isinstance(leaf, Tensor)]
        on_gpu = any(isinstance(tensor, Placed) for tensor in tensors)
        if func not in MOVES:
            refuse_mixed(func, args, kwargs, tensors)
        if func is aten.copy_.default:
            on_gpu = isinstance(args[0], Placed)
        elif asked is not None:
            on_gpu = torch.device(asked).type != "cpu"
            kwargs["device"] = CPU
        refuse_generator(func, given, on_gpu=on_gpu)
        try:
            out = func(*values(args), **values(kwargs))
        except NotImplementedError as error:
            raise CannotPretend(f"{func} is implemented on a GPU alone") from error
        if not on_gpu:
            return out
        placed = tree.tree_map(lambda x: Placed(x) if isinstance(x, Tensor) else x, out)
        return return_and_correct_aliasing(func, args, kwargs, placed)


def values(arguments: Any) -> Any:
    """Arguments with tensors in memory."""
    return tree.tree_map(lambda x: x.value if isinstance(x, Placed) else x, arguments)


def refuse_generator(func: Any, given: list[Any], *, on_gpu: bool) -> None:
    """Raises `WrongDevice` where a generator draws for the other device."""
    for leaf in given:
        if isinstance(leaf, Generator) and AnyGenerator.on_gpu(leaf) != on_gpu:
            drawn, by = ("cuda", "cpu") if on_gpu else ("cpu", "cuda")
            raise WrongDevice(f"{named(func)} draws on {drawn} with a generator of {by}")


def refuse_mixed(func: Any, args: Any, kwargs: Any, tensors: list[Tensor]) -> None:
    """Raises `WrongDevice` where tensors are on two devices; numbers of the CPU may meet any."""
    placed = [tensor for tensor in tensors if isinstance(tensor, Placed)]
    if not placed:
        return
    if func in INDEXED and isinstance(args[0], Placed):
        tensors = [tensor for tensor in (args[0], *args[2:]) if isinstance(tensor, Tensor)]
    strays = [tensor for tensor in tensors if not isinstance(tensor, Placed) and tensor.dim()]
    written = [
        given
        for place, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
        for given in [args[place] if place < len(args) else kwargs.get(argument.name)]
        if isinstance(given, Tensor) and not isinstance(given, Placed)
    ]
    for stray in (*strays, *written):
        cpu, gpu = tuple(stray.shape), tuple(placed[0].shape)
        raise WrongDevice(f"{named(func)} mixes a cpu tensor {cpu} with a cuda tensor {gpu}")


def named(func: Any) -> str:
    """`masked_fill` of `aten.masked_fill.Scalar`."""
    return str(func).split(".")[1]


@contextmanager
def pretended_cuda() -> Iterator[Generator]:
    """`cuda` is a device inside; yields a generator of it. Nothing of CUDA is started or needed."""
    swapped = torch.__future__.get_swap_module_params_on_conversion()
    with ExitStack() as stack:
        # parameters stay the same objects when they move, as they do on a GPU: shared ones stay shared
        stack.callback(torch.__future__.set_swap_module_params_on_conversion, swapped)
        torch.__future__.set_swap_module_params_on_conversion(True)
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(patch.object(torch, "Generator", AnyGenerator))
        stack.callback(torch._C._set_only_lift_cpu_tensors, torch._C._only_lift_cpu_tensors())
        torch._C._set_only_lift_cpu_tensors(True)  # data become tensors in memory, and then move
        torch._C._ensureCUDADeviceGuardSet()
        stack.enter_context(NotStarted())  # type: ignore[no-untyped-call]
        stack.enter_context(Pretence())  # type: ignore[no-untyped-call]
        yield AnyGenerator("cuda")
