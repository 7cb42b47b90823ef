"""Checkpoints as the authors' code saves them: read without running what a pickle may hold, then sorted.

All released code bases keep the method's own modules beside a CLIP under the prefix `clip.`; AVIGATE keeps
its audio encoder in there too. Loaded before anything is encoded, the weights of both belong to the
fingerprints of what they encode.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from torch import Tensor

from core.assignments import assignment
from core.authors import Authors
from core.encoders.ast_layout import transformers_ast_state
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.encoders.clip_layouts import check_towers, open_clip_state
from core.encoders.state_files import read_state
from core.errors import BenchError
from core.method import Method
from core.registry import find_method

TOWERS, AUDIO = "clip.", "clip.audio."
"""Where the released code keeps CLIP and, in AVIGATE, the audio encoder."""
AUDIO_PROJECTION = "clip.audio_projection"
"""AVIGATE's projection of audio states: a part of the method."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one file."""

    path: Path
    """The file."""
    sha256: str
    """Of the file, 64 hexadecimal digits."""
    weights: Mapping[str, Tensor]
    """Everything under the authors' names, for the layout that a method declares as `authors`."""

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
        return cls(path, sha256, read_state(path))

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

    def check_audio(self, method: type[Method], encoder: str, width: int | None) -> None:
        """Raises `BenchError` where the method's weights want sound of another width than an encoder's."""
        wanted = layout_of(method).audio_width(self.weights)
        if None not in (wanted, width) and wanted != width:
            raise BenchError(
                f"{self.path} takes sound of width {wanted}, and '{encoder}' gives {width}; "
                f"choose an encoder of width {wanted} with --audio-encoder"
            )

    def load_method(self, method: Method) -> None:
        """Puts the method's own weights into it; raises `BenchError` where they do not fit."""
        try:
            layout_of(method).load(method, self.weights)
        except BenchError as error:
            raise BenchError(f"{self.path}: {error}") from error


def layout_of(method: Method | type[Method]) -> Authors:
    """The layout of a method's checkpoints; raises `BenchError` where it declares none."""
    if method.authors is None:
        raise BenchError(f"{method.name} does not say how its authors' checkpoints are laid out (authors)")
    return method.authors


def assignments(path: Path | None, methods: Sequence[str]) -> list[str]:
    """The `--set` assignments of a run that scores a checkpoint: it trains no epoch unless told otherwise.

    With them the values of the method's configuration that the checkpoint decides. Raises `BenchError` unless
    exactly one method is named and the file can be read.
    """
    if path is None:
        return []
    if len(methods) != 1:
        raise BenchError("a checkpoint belongs to one method; name it: --methods NAME --checkpoint FILE")
    decided = layout_of(find_method(methods[0])).config(Checkpoint.read(path).weights)
    config = [assignment(f"config.{key}", value) for key, value in decided.items()]
    return [assignment("checkpoint", str(path.resolve())), "training.epochs=0", *config]
