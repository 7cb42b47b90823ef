"""What an encoder is to the registry: a name, what it encodes, and where its weights are."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from core.errors import BenchError, unknown_name
from core.plugins import ENCODERS, Registered, in_their_case, register
from core.progress import Progress

EncoderKind = Literal["backbone", "audio encoder"]

IN_FILE = "checkpoint"
"""In the place of a name: the encoder that the run's checkpoint holds."""


@dataclass(frozen=True)
class EncoderEntry(ABC):
    """Weights under a name."""

    name: str
    """Name on the command line."""
    kind: EncoderKind
    """A `backbone` is a CLIP with both towers."""
    trained_on: str = field(default="", kw_only=True)
    """The data that its weights were trained on, as their authors say; empty where nothing is declared."""

    @abstractmethod
    def place(self, progress: Progress | None = None) -> Path:
        """The model folder or the file, downloaded where that is how it is had.

        Raises `BenchError` that names the weights and the remedy.
        """


@dataclass(frozen=True)
class ModelFolder(EncoderEntry):
    """Weights that come with a package, as a model folder of open_clip or transformers."""

    folder: Path

    def place(self, progress: Progress | None = None) -> Path:
        """The folder."""
        if not self.folder.is_dir():
            raise BenchError(f"{self.folder}, the weights of '{self.name}', is missing; install them again")
        return self.folder


def encoders_of(candidate: object, offered: bool) -> Mapping[str, EncoderEntry]:
    """What an object registers: itself, where it is the entry of an encoder."""
    return {candidate.name: candidate} if isinstance(candidate, EncoderEntry) else {}


@cache
def registered_encoders() -> Registered[EncoderEntry]:
    """Every encoder by name: those of this folder, then installed entry points."""
    return register(ENCODERS, encoders_of)


def encoders(kind: EncoderKind) -> Mapping[str, EncoderEntry]:
    """The encoders of a kind by name."""
    return {name: entry for name, entry in registered_encoders().items() if entry.kind == kind}


def known_encoder(kind: EncoderKind, name: str) -> str:
    """The name as it is registered, or as it is where it is a path.

    Raises `BenchError` for what is neither, and for an encoder that is broken.
    """
    if name == IN_FILE:
        return name
    known, broken = encoders(kind), registered_encoders().broken
    own = in_their_case(name, (*known, *broken))
    if own in broken:
        raise BenchError(broken[own])
    if own not in known and not Path(own).expanduser().exists():
        raise unknown_name(kind, name, known, ENCODERS.where)
    return own


def place_of(kind: EncoderKind, name: str, progress: Progress | None = None) -> Path:
    """Where the weights of a registered encoder are, or the path itself; raises as `known_encoder`."""
    own = known_encoder(kind, name)
    if own == IN_FILE:
        raise BenchError(
            f"{kind} '{IN_FILE}' is the one of a checkpoint; pass --checkpoint FILE, or name one"
        )
    entry = encoders(kind).get(own)
    return Path(own).expanduser() if entry is None else entry.place(progress)


def training_set(kind: EncoderKind, name: str) -> str:
    """What the weights of an encoder declare that they were trained on; empty for those of a path."""
    entry = encoders(kind).get(split_variant(name)[0])
    return entry.trained_on if entry else ""


def split_variant(name: str) -> tuple[str, str]:
    """The encoder and the variant of `NAME:VARIANT`; a path may hold colons of its own.

    >>> split_variant("ast:avigate"), split_variant("whisper-base"), split_variant("C:/models/mine")
    (('ast', 'avigate'), ('whisper-base', ''), ('C:/models/mine', ''))
    """
    base, colon, variant = name.rpartition(":")
    return (base, variant) if colon and not set(variant) & set("/\\") else (name, "")
