"""A `cuda` device on a machine without one: values stay in memory, and devices are told apart as CUDA does.

`FakeTensorMode` alone has no values, so that whatever reads one (`tolist`, a mask, keyed noise) ends there. A
tensor here has its values and says `cuda:0`; what mixes devices raises as it does on a GPU. To torch's engine
it is on `meta`, because gradients of `cuda` tensors are computed in threads that only a GPU has. Of
`FakeTensorMode` only the place is used that keeps torch from starting CUDA.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar
from unittest.mock import patch
from weakref import WeakSet

import torch
from torch import Generator, Tensor
from torch.utils import _pytree as tree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

CPU, CUDA, META = torch.device("cpu"), torch.device("cuda", 0), torch.device("meta")
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd

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
        known = Operation.of(func)
        if known.composite:
            with self:  # under `inference_mode` such operations come whole
                # as C++ has it: what `decompose` prefers imports torch's compiler
                return func._op_dk(COMPOSITE, *args, **(kwargs or {}))
        with torch._C._DisableTorchDispatch(), torch._C._InferenceMode(False), torch.no_grad():
            return self.computed(known, args, kwargs or {})

    def computed(self, known: "Operation", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the operation returns, on the device where CUDA would have it."""
        func = known.func
        if func is aten._fused_sdp_choice.default:
            return 0  # attention by plain products: the fused kernels are the GPU's own
        given: list[Any] = []
        plain_args, plain_kwargs = values(args, given), values(kwargs, given)
        tensors = [leaf for leaf in given if isinstance(leaf, Tensor)]
        on_gpu = any(isinstance(tensor, Placed) for tensor in tensors)
        if on_gpu and func not in MOVES:
            refuse_mixed(known, args, kwargs, tensors)
        if func is aten.copy_.default:
            on_gpu = isinstance(args[0], Placed)
        elif (asked := kwargs.get("device")) is not None:
            on_gpu = torch.device(asked).type != "cpu"
            plain_kwargs["device"] = CPU
        refuse_generator(func, given, on_gpu=on_gpu)
        try:
            out = func(*plain_args, **plain_kwargs)
        except NotImplementedError as error:
            raise CannotPretend(f"{func} is implemented on a GPU alone") from error
        if not on_gpu:
            return out
        placed = tree.tree_map(lambda x: Placed(x) if isinstance(x, Tensor) else x, out)
        return return_and_correct_aliasing(func, args, kwargs, placed) if known.aliases else placed


@dataclass(frozen=True)
class Operation:
    """What the dispatcher says of an operation; asked once."""

    func: Any
    composite: bool
    """Whether torch puts it together from others."""
    aliases: bool
    """Whether it returns some of its arguments, or views of them."""
    written: Sequence[tuple[int, str]]
    """Place and name of each argument that it writes."""

    @classmethod
    @cache
    def of(cls, func: Any) -> "Operation":
        """Of one of `torch.ops`."""
        composite = torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")
        schema = func._schema
        aliases = any(returned.alias_info is not None for returned in schema.returns)
        written = [
            (at, one.name)
            for at, one in enumerate(schema.arguments)
            if one.alias_info is not None and one.alias_info.is_write
        ]
        return cls(func, composite, aliases, written)


def values(arguments: Any, leaves: list[Any]) -> Any:
    """Arguments with tensors in memory; all that is in them is added to `leaves`, as it was given."""
    if isinstance(arguments, list | tuple):
        return [values(one, leaves) for one in arguments]
    if isinstance(arguments, dict):
        return {name: values(one, leaves) for name, one in arguments.items()}
    leaves.append(arguments)
    return arguments.value if isinstance(arguments, Placed) else arguments


def refuse_generator(func: Any, given: list[Any], *, on_gpu: bool) -> None:
    """Raises `WrongDevice` where a generator draws for the other device."""
    for leaf in given:
        if isinstance(leaf, Generator) and AnyGenerator.on_gpu(leaf) != on_gpu:
            drawn, by = ("cuda", "cpu") if on_gpu else ("cpu", "cuda")
            raise WrongDevice(f"{named(func)} draws on {drawn} with a generator of {by}")


def refuse_mixed(known: Operation, args: Any, kwargs: Any, tensors: list[Tensor]) -> None:
    """Raises `WrongDevice` where tensors of the CPU meet some of the GPU; numbers of the CPU may."""
    first = next(tensor for tensor in tensors if isinstance(tensor, Placed))
    if known.func in INDEXED and isinstance(args[0], Placed):
        tensors = [tensor for tensor in (args[0], *args[2:]) if isinstance(tensor, Tensor)]
    strays = [tensor for tensor in tensors if not isinstance(tensor, Placed) and tensor.dim()]
    given = [args[at] if at < len(args) else kwargs.get(name) for at, name in known.written]
    written = [one for one in given if isinstance(one, Tensor) and not isinstance(one, Placed)]
    for stray in (*strays, *written):
        cpu, gpu = tuple(stray.shape), tuple(first.shape)
        raise WrongDevice(f"{named(known.func)} mixes a cpu tensor {cpu} with a cuda tensor {gpu}")


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
