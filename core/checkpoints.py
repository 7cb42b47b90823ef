"""Checkpoints as the authors' code saves them: read without running what a pickle may hold, then sorted.

All released code bases keep the method's own modules beside a CLIP under the prefix `clip.`; AVIGATE keeps
its audio encoder in there too. Loaded before anything is encoded, the weights of both belong to the
fingerprints of what they encode.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.encoders.ast_layout import transformers_ast_state
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.encoders.clip_layouts import check_towers, open_clip_state
from core.errors import BenchError

TOWERS, AUDIO = "clip.", "clip.audio."
"""Where the released code keeps CLIP and, in AVIGATE, the audio encoder."""
AUDIO_PROJECTION = "clip.audio_projection"
"""AVIGATE's projection of audio states: a part of the method."""
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which key training code saves the weights beside optimiser and epoch."""
PARALLEL = "module."
"""Prefix of a model that was saved from inside torch's DistributedDataParallel."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one file."""

    path: Path
    """The file."""
    sha256: str
    """Of the file, 64 hexadecimal digits."""
    weights: Mapping[str, Tensor]
    """Everything under the authors' names, for `Method.load_reference`."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a checkpoint: torch's format, or safetensors by its suffix.

        Raises `BenchError` where the file is missing, damaged, holds no weights, or is a pickle that needs
        more than tensors and numbers.
        """
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BenchError(f"checkpoint {path} cannot be read: {error.strerror}") from error
        return cls(path, sha256, weights_of(contents(path), path))

    def load_towers(self, clip: ClipBackbone) -> None:
        """Puts CLIP's weights into a backbone.

        Raises `BenchError` unless they have the backbone's names and shapes.
        """
        found = {
            name.removeprefix(TOWERS): tensor
            for name, tensor in self.weights.items()
            if name.startswith(TOWERS) and not name.startswith(AUDIO) and name != AUDIO_PROJECTION
        }
        own = clip.model.state_dict()
        towers = open_clip_state(found)
        check_towers(towers, own, str(self.path), clip.name)
        clip.model.load_state_dict({**own, **towers})

    def load_audio(self, audio: AudioEncoder) -> None:
        """Puts the audio encoder's weights into one, where the checkpoint has them.

        Raises `BenchError` where they belong to another architecture.
        """
        found = {n.removeprefix(AUDIO): t for n, t in self.weights.items() if n.startswith(AUDIO)}
        if not found:
            return
        weights, own = transformers_ast_state(found), audio.encoder.state_dict()
        if {n: t.shape for n, t in weights.items()} != {n: t.shape for n, t in own.items()}:
            raise BenchError(
                f"{self.path} holds its own audio encoder, an AST, and '{audio.name}' is none of its shape; "
                "choose that AST with --audio-encoder"
            )
        audio.encoder.load_state_dict(weights)


def contents(path: Path) -> Any:
    """What a file holds; nothing in it is run."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        needed = re.search(r"GLOBAL (\S+)", str(error))
        raise BenchError(
            f"{path} is a pickle that needs {needed[1] if needed else 'more than tensors'} to be loaded, and "
            "that could run anything: refused. Where you trust it, save its weights alone: "
            "torch.save(torch.load(FILE, weights_only=False)['state_dict'], NEW)"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, LookupError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(f"{path} is no checkpoint that can be read: {reason}") from error


def weights_of(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict in what a file holds, bare or beside other entries, without wrappers' prefixes.

    Raises `BenchError` where there is none.
    """
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


def assignments(path: Path | None, methods: Sequence[str]) -> list[str]:
    """The `--set` assignments of a run that scores a checkpoint: it trains no epoch unless told otherwise.

    Raises `BenchError` unless exactly one method is named.
    """
    if path is None:
        return []
    if len(methods) != 1:
        raise BenchError("a checkpoint belongs to one method; name it: --methods NAME --checkpoint FILE")
    return [f"checkpoint={path.resolve()}", "training.epochs=0"]
