"""Weights out of a file, without running anything that it may hold.

Known are safetensors, torch's format (`weights_only`), and TorchScript archives, as OpenAI publishes CLIP
in; of the last only the weights are read (`core.encoders.torchscript`), none of their code.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.encoders.torchscript import check_expansion, is_script, most_bytes, read_script
from core.errors import BenchError
from core.pickles import ForbiddenName

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which key training code saves the weights beside optimiser and epoch."""
PARALLEL = "module."
"""Prefix of a model that was saved from inside torch's DistributedDataParallel."""

PICKLED = (".bin", ".pt", ".pth", ".ckpt")
"""Suffixes under which libraries expect torch's format."""


def read_state(path: Path) -> dict[str, Tensor]:
    """The weights of a file, bare or beside other entries, without wrappers' prefixes.

    Raises `BenchError` where the file is missing or damaged, holds no weights, or is a pickle that needs
    more than tensors and numbers.
    """
    content = read_content(
        path, "weights", "torch.save(torch.load(FILE, weights_only=False)['state_dict'], NEW)"
    )
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise BenchError(f"{path} holds no weights but {type(content).__name__}; pass a saved state_dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            entry = name if isinstance(name, str) else type(name).__name__
            raise BenchError(f"{path} holds no state_dict: its entry '{entry}' is {type(value).__name__}")
    wrapped = all(name.startswith(PARALLEL) for name in content)
    return {
        name.removeprefix(PARALLEL) if wrapped else name: plain_tensor(path, f"entry '{name}'", value)
        for name, value in content.items()
    }


def read_content(path: Path, what: str, remedy: str) -> Any:
    """What a file holds, tensors on the CPU; `what` that should be, and how to save it alone, are for errors.

    Raises `BenchError` where the file is missing, damaged, or a pickle that needs more than tensors and
    numbers.
    """
    try:
        if not path.is_file():  # a pipe or a device would block
            raise FileNotFoundError("no such file")
        if path.suffix == ".safetensors":
            return load_file(path)
        check_expansion(path)
        if is_script(path):
            return read_script(path)
        with warnings.catch_warnings(action="ignore"):  # what follows is read or refused in one line
            return torch.load(path, map_location="cpu", weights_only=True)
    except ForbiddenName as error:
        raise _code(path, error.name, what, remedy) from error
    except UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise _code(path, found[1] if found else "more than tensors", what, remedy) from error
    except Exception as error:  # there is no list of what torch raises for damaged bytes
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise BenchError(f"{path} holds no {what} that can be read: {reason}") from error


def plain_tensor(path: Path, what: str, tensor: Tensor) -> Tensor:
    """The tensor without a gradient; raises `BenchError` for one that is no array of numbers."""
    kinds = {
        "sparse": tensor.layout is not torch.strided,
        "quantized": tensor.is_quantized,
        "nested": tensor.is_nested,
        "without data (device 'meta')": tensor.is_meta,
        "complex": tensor.is_complex(),
        "a subclass of Tensor": type(tensor) not in (Tensor, torch.nn.Parameter),
    }
    for kind, applies in kinds.items():
        if applies:
            raise BenchError(f"{path}: its {what} is {kind}; save plain tensors, e.g. tensor.to_dense()")
    if tensor.nbytes > most_bytes(path):
        raise BenchError(
            f"{path}: its {what} of shape {list(tensor.shape)} is larger than the file; save it contiguous"
        )
    return tensor.detach()


def check_folder(folder: Path) -> None:
    """Reads the files of a model folder that a library would unpickle, before the library does.

    Raises `BenchError` for one that needs more than tensors or is damaged.
    """
    if not any(folder.glob("*.safetensors")):
        for path in sorted(found for suffix in PICKLED for found in folder.glob(f"*{suffix}")):
            read_content(path, "weights", "torch.save(torch.load(FILE, weights_only=False), NEW)")


def _code(path: Path, needed: str, what: str, remedy: str) -> BenchError:
    return BenchError(
        f"{path} is a pickle that needs {needed} to be loaded, which could run anything; refused. "
        f"Where you trust it, save its {what} alone: {remedy}"
    )
