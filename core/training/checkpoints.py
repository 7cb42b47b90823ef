"""Checkpoints as the authors' code saves them: read without running what a pickle may hold, then sorted.

All released code bases keep the method's own modules beside a CLIP under the prefix `clip.`; AVIGATE keeps
its audio encoder in there too. Loaded before anything is encoded, the weights of both belong to the
fingerprints of what they encode.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from core.assignments import assignment
from core.authors import Authors, renamed
from core.encoders.ast_layout import ast_config, transformers_ast_state
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone, OpenTowers
from core.encoders.clip_layouts import check_towers, open_clip_state
from core.encoders.entry import IN_FILE
from core.encoders.state_files import read_state
from core.encoders.towers import openai_towers
from core.errors import BenchError
from core.method import Method
from core.plugin_errors import PluginError, blamed, calling
from core.registry import find_method, registered_methods

TOWERS, AUDIO = "clip.", "clip.audio."
"""Where the released code keeps CLIP and, in AVIGATE, the audio encoder."""
AUDIO_PROJECTION = "clip.audio_projection"
"""AVIGATE's projection of audio states: a part of the method."""
OPENAI_TOKENS = 49_408
"""Size of the vocabulary of every CLIP that OpenAI trained."""
WHOLE_TOWERS = (
    "visual.conv1.weight",
    "visual.proj",
    "visual.ln_post.weight",
    "positional_embedding",
    "ln_final.weight",
    "text_projection",
)
"""Weights that both towers have, whatever their depth."""


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

    def towers(self, method: type[Method]) -> dict[str, Tensor]:
        """CLIP's weights under open_clip's names; none where the file has none."""
        layout = layout_of(method)
        prefixes = (layout.towers, TOWERS) if layout.towers else (TOWERS,)
        found: dict[str, Tensor] = {}
        for name, tensor in self.weights.items():
            prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
            if (
                prefix
                and not name.startswith(AUDIO)
                and name not in (AUDIO_PROJECTION, f"{prefix}logit_scale")
            ):
                found[name.removeprefix(prefix)] = tensor
        return open_clip_state(found)

    def holds_towers(self, method: type[Method]) -> bool:
        """Whether they are complete and take OpenAI's tokens, so that no other CLIP is needed."""
        towers = self.towers(method)
        words = towers.get("token_embedding.weight")
        return words is not None and len(words) == OPENAI_TOKENS and set(WHOLE_TOWERS) <= towers.keys()

    def backbone(self, method: type[Method]) -> ClipBackbone:
        """The towers of the file alone; raises `BenchError` where it does not hold them."""
        if not self.holds_towers(method):
            raise BenchError(
                f"{self.path} does not hold CLIP's towers with OpenAI's tokens; "
                "choose the CLIP that was trained with --set backbone=NAME"
            )
        model, tokenizer = openai_towers(self.towers(method), self.path)
        return ClipBackbone(IN_FILE, OpenTowers(model, tokenizer))

    def load_towers(self, clip: ClipBackbone, method: type[Method]) -> None:
        """Puts CLIP's weights into a backbone; leaves it where the authors' encoders are others.

        Raises `BenchError` unless they have the backbone's names and shapes.
        """
        towers = self.towers(method)
        if not towers and not layout_of(method).towers:
            return
        own = clip.model.state_dict()
        check_towers(towers, own, str(self.path), clip.name)
        clip.model.load_state_dict({**own, **towers})

    def holds_audio(self) -> bool:
        """Whether the file holds an AST of its own, whole."""
        return ast_config(self._audio()) is not None

    def audio_encoder(self) -> AudioEncoder:
        """AVIGATE's AST out of the file; raises `BenchError` where it holds none."""
        state = self._audio()
        config = ast_config(state)
        if config is None:
            raise BenchError(f"{self.path} holds no AST; choose an audio encoder with --audio-encoder")
        return AudioEncoder.of_ast(f"{IN_FILE}:avigate", "avigate", config, transformers_ast_state(state))

    def _audio(self) -> dict[str, Tensor]:
        return {n.removeprefix(AUDIO): t for n, t in self.weights.items() if n.startswith(AUDIO)}

    def load_audio(self, audio: AudioEncoder) -> None:
        """Puts the audio encoder's weights into one, where the checkpoint has them.

        Raises `BenchError` where they belong to another architecture.
        """
        found = self._audio()
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

    def decided(self, method: type[Method]) -> dict[str, Any]:
        """The keys of the spec whose values the file decides, by its keys and shapes."""
        layout = layout_of(method)
        with blamed(method, "authors"):
            config = {f"config.{key}": value for key, value in layout.config(self.weights).items()}
            found = {**layout.inputs(self.weights), **config}
        if self.holds_towers(method):
            found["backbone"] = IN_FILE
        if self.holds_audio():
            found["audio_encoder"] = f"{IN_FILE}:avigate"
        return found

    def load_method(self, method: Method, values: Mapping[str, Any] | None = None) -> None:
        """Puts the method's own weights into it; raises `BenchError` where they do not fit, with a remedy.

        `values` are the run's by dotted key.
        """
        layout = layout_of(method)
        try:
            with calling(method, "authors.load"):
                layout.load(method, self.weights)
        except PluginError:
            raise
        except BenchError as error:
            raise BenchError(
                f"{self.path}: {error}; {self._remedy(type(method), str(error), values)}"
            ) from error

    def _remedy(self, method: type[Method], error: str, values: Mapping[str, Any] | None) -> str:
        """What would make the weights fit: the values that the file decides, a hint, another method."""
        decided = self.decided(method)
        other = {key: value for key, value in decided.items() if values and values.get(key) != value}
        if other:
            return "pass " + " ".join(f"--set {assignment(key, value)}" for key, value in other.items())
        for begin, hint in layout_of(method).hints().items():
            if begin in error:
                return hint
        owners = [name for name in registered_methods() if name != method.name and self.fits(name)]
        if owners and not self.fits(method.name):
            return f"its keys are those of {' or '.join(owners)}; pass --methods {owners[0]}"
        return f"check that it is a checkpoint of {method.name}, and --set config.KEY=VALUE"

    def fits(self, method: str) -> bool:
        """Whether a method knows all keys of the file that belong to no encoder, by their beginnings."""
        layout = find_method(method).authors
        if layout is None or "" in layout.names:
            return False
        own = [name for name in self.weights if not name.startswith(TOWERS) and name not in layout.dead]
        return bool(own) and all(renamed(name, layout.names) is not None for name in own)


def layout_of(method: Method | type[Method]) -> Authors:
    """The layout of a method's checkpoints; raises `BenchError` where it declares none."""
    if method.authors is None:
        raise BenchError(f"{method.name} does not say how its authors' checkpoints are laid out (authors)")
    return method.authors


def assignments(path: Path, methods: Sequence[str]) -> list[str]:
    """The `--set` assignments of a run that scores a checkpoint: it trains no epoch unless told otherwise.

    With them all that the checkpoint decides. Raises `BenchError` unless exactly one method is named and the
    file can be read.
    """
    if len(methods) != 1:
        raise BenchError("a checkpoint belongs to one method; name it: --methods NAME --checkpoint FILE")
    decided = Checkpoint.read(path).decided(find_method(methods[0]))
    chosen = [assignment(key, value) for key, value in decided.items()]
    return [assignment("checkpoint", str(path.resolve())), "training.epochs=0", *chosen]
