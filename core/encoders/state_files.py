"""Weights out of a file, without running anything that a pickle may hold.

Known are safetensors, torch's format (`weights_only`), and TorchScript archives, as OpenAI publishes CLIP
in; of the last only the weights are read, none of their code is called.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.errors import BenchError

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which key training code saves the weights beside optimiser and epoch."""
PARALLEL = "module."
"""Prefix of a model that was saved from inside torch's DistributedDataParallel."""


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
            raise BenchError(f"{path} holds no state_dict: its entry '{name}' is {type(value).__name__}")
    wrapped = all(name.startswith(PARALLEL) for name in content)
    return {name.removeprefix(PARALLEL) if wrapped else name: value for name, value in content.items()}


def read_content(path: Path, what: str, mend: str) -> Any:
    """What a file holds, tensors on the CPU; `what` that should be, and how to save it alone, are for errors.

    Raises `BenchError` where the file is missing, damaged, or a pickle that needs more than tensors and
    numbers.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if _is_script(path):
            return torch.jit.load(path, map_location="cpu").state_dict()
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        needed = found[1] if found else "more than tensors"
        raise BenchError(
            f"{path} is a pickle that needs {needed} to be loaded, which could run anything; refused. "
            f"Where you trust it, save its {what} alone: {mend}"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, LookupError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(f"{path} holds no {what} that can be read: {reason}") from error


def _is_script(path: Path) -> bool:
    """Whether a file is a TorchScript archive, which holds code beside its weights."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())
