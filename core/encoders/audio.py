"""Audio encoders through transformers: waveforms in, states over time (`core.encoders.audio_frontends`)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from core.encoders.audio_frontends import (
    AstFrontend,
    AudioFrontend,
    AvigateFrontend,
    Wav2Vec2Frontend,
    WhisperFrontend,
)
from core.encoders.audio_states import SHORTEST, Waveforms
from core.encoders.entry import place_of, split_variant
from core.encoders.facts import facts_at
from core.encoders.published import model_type
from core.encoders.state_files import check_folder
from core.encoders.weights import weights_fingerprint
from core.errors import BenchError, unknown_name
from core.progress import Progress

if TYPE_CHECKING:
    import transformers

UNTRAINED = "-untrained"
"""Suffix of the control that has the same configuration and fresh weights."""
FRONTENDS: Mapping[str, Mapping[str, AudioFrontend]] = {
    "whisper": {
        "": WhisperFrontend(),
        "padded-waveform": WhisperFrontend(pad_waveform=True),
        "bfloat16": WhisperFrontend(bfloat16=True),
    },
    "wav2vec2": {"": Wav2Vec2Frontend()},
    "audio-spectrogram-transformer": {
        "": AstFrontend(),
        "avigate": AvigateFrontend(),
        "avigate-random": AvigateFrontend(),
    },
}
"""`model_type` of transformers -> variant -> front end. A name asks for one: `ast:avigate`."""
FASTEST = "fastest"
"""In the place of a variant: the precision that is faster on this machine (`core.cli.fastest`)."""
RANDOM = "avigate-random"
"""AVIGATE's release redraws every linear map of its AST after loading it, and freezes them."""
UNUSED = {"masked_spec_embed"}
"""Weights that a published checkpoint may lack: they only serve pretraining."""


@dataclass(frozen=True)
class OpenAudio:
    """An audio encoder in memory."""

    encoder: "transformers.PreTrainedModel"
    """The transformer."""
    extractor: Any
    """Waveform to input features, transformers' own."""

    def __reduce__(self) -> tuple[Any, ...]:
        # wav2vec2 holds a weight-normalised convolution, which torch pickles only as a state_dict.
        encoder = self.encoder
        return _rebuilt, (type(encoder), encoder.config, encoder.state_dict(), self.extractor)


@dataclass(frozen=True)
class StoredAudio:
    """An audio encoder on the disk, opened when it is first used."""

    folder: Path
    """In the layout of transformers."""
    kind: str
    """Its `model_type`."""
    fresh: bool
    """Whether it keeps its configuration and gets fresh weights."""
    variant: str

    def facts(self) -> Mapping[str, Any]:
        """`facts_of` the encoder; opens it where its files have not been asked before."""
        what = f"audio {self.fresh} {self.variant}"
        return facts_at(self.folder, what, lambda: facts_of(self.encoder, self.variant))

    @cached_property
    @torch.inference_mode(False)  # it may first be used in inference; its weights stay usable elsewhere
    def opened(self) -> OpenAudio:
        """In memory; raises `BenchError` where it is damaged."""
        model, extractor = _pretrained(self.folder, self.kind)
        if self.fresh:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model = type(model)(model.config)
        if self.variant == RANDOM:
            redraw_linear_maps(model)
        return OpenAudio(model.eval().requires_grad_(False), extractor)

    @property
    def encoder(self) -> "transformers.PreTrainedModel":
        """The transformer."""
        return self.opened.encoder

    @property
    def extractor(self) -> Any:
        """Waveform to input features."""
        return self.opened.extractor


def facts_of(encoder: "transformers.PreTrainedModel", variant: str) -> dict[str, Any]:
    """Configuration of an encoder, and 64 hexadecimal digits over its weights and the variant."""
    weights = weights_fingerprint(encoder.state_dict())
    config = json.loads(encoder.config.to_json_string(use_diff=False))
    # Whisper's `hidden_size` is another name of its `d_model`.
    others = {name: config[own] for name, own in encoder.config.attribute_map.items() if own in config}
    return {
        "config": {**config, **others},
        "fingerprint": sha256(f"{weights} {variant}".encode()).hexdigest() if variant else weights,
    }


@dataclass(frozen=True)
class AudioEncoder:
    """A frozen audio encoder with its feature extractor."""

    name: str
    """Name on the command line, or the model folder, with the variant."""
    model: OpenAudio | StoredAudio
    """Where it is."""
    variant: str = ""
    """Which of the front ends of its kind (see `FRONTENDS`)."""

    @property
    def encoder(self) -> "transformers.PreTrainedModel":
        """The transformer."""
        return self.model.encoder

    @property
    def extractor(self) -> Any:
        """Waveform to input features, transformers' own."""
        return self.model.extractor

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """`facts_of` the encoder as it is when first asked for; remembered while nobody has opened it."""
        if isinstance(self.model, StoredAudio) and "opened" not in vars(self.model):
            return self.model.facts()
        return facts_of(self.encoder, self.variant)

    @cached_property
    def config(self) -> Any:
        """The configuration, by transformers' names."""
        return SimpleNamespace(**self.facts["config"])

    @classmethod
    def load(cls, name: str, progress: Progress | None = None) -> Self:
        """A registered encoder by name or a model folder of transformers, `:VARIANT` behind it.

        Raises `BenchError` where there are no such weights or the model is of no known kind.
        """
        base, variant = split_variant(name)
        folder = place_of("audio encoder", base, progress)
        if not (folder / "config.json").is_file():
            raise BenchError(f"{folder} holds no config.json, so it is no audio encoder of transformers")
        kind = model_type(folder)
        if kind not in FRONTENDS:
            raise BenchError(f"{folder}: an audio encoder of type '{kind}'; known are {', '.join(FRONTENDS)}")
        if variant not in FRONTENDS[kind]:
            raise unknown_name(f"variant of {base}", variant, [known for known in FRONTENDS[kind] if known])
        model = StoredAudio(folder, kind, base.endswith(UNTRAINED), variant)
        model.facts()  # refuses damaged files now
        return cls(name, model, variant)

    @classmethod
    def of_ast(cls, name: str, variant: str, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Self:
        """An AST of these sizes and weights, by transformers' names; raises `BenchError` unless they fit."""
        import transformers

        model = transformers.ASTModel(transformers.ASTConfig(**config))
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise BenchError(
                f"{name}: its AST is truncated or invalid: {str(error).splitlines()[-1].strip()}"
            ) from error
        return cls(name, OpenAudio(model.requires_grad_(False).train(False), None), variant)

    @property
    def frontend(self) -> AudioFrontend:
        """From waveforms to states."""
        return FRONTENDS[self.config.model_type][self.variant]

    @property
    def width(self) -> int:
        """Da, width of a state."""
        return int(self.config.hidden_size)

    @property
    def positions(self) -> int:
        """L, states per clip."""
        return self.frontend.positions(self.config)

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the weights and the variant, as they are when first asked for."""
        return str(self.facts["fingerprint"])

    def valid_states(self, duration: float) -> int:
        """How many of the L states lie inside a clip of `duration` seconds."""
        return self.frontend.valid(self.config, duration)

    def run(self, samples: Waveforms) -> Tensor:
        """States `(B, L, Da)` of waveforms `(n,)` at 16 kHz, n > 0; with gradients where weights train."""
        waveforms = [np.pad(waveform, (0, max(0, SHORTEST - waveform.size))) for waveform in samples]
        return self.frontend.states(self.encoder, self.extractor, waveforms)

    @torch.inference_mode()
    def states(self, samples: Waveforms, durations: Sequence[float]) -> tuple[Tensor, Tensor]:
        """States `(B, L, Da)` and how many of them are valid `(B,)` int64, of waveforms `(n,)` at 16 kHz.

        Durations in seconds. A clip without samples gets zeros and never runs through the encoder.
        """
        device = self.encoder.device
        states = torch.zeros(len(samples), self.positions, self.width, device=device)
        heard = [row for row, waveform in enumerate(samples) if waveform.size >= self.frontend.shortest]
        if heard:
            states[torch.tensor(heard, device=device)] = self.run([samples[row] for row in heard])
        return states, torch.tensor([self.valid_states(duration) for duration in durations])


def redraw_linear_maps(model: nn.Module) -> None:
    """Gives every linear map weights of N(0, 0.02) and no bias, the same in every process.

    Jeong et al., AVIGATE, CVPR 2025: its released constructor ends by initialising every linear map,
    which leaves only the AST's patch convolution, LayerNorms and embeddings as they were trained.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight.normal_(0.0, 0.02, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()


def _pretrained(folder: Path, kind: str) -> tuple[Any, Any]:
    """The encoder of a model folder in float32, and its feature extractor.

    Raises `BenchError` where they are damaged or weights are missing.
    """
    import transformers  # late: it takes seconds, which a report or a decoding worker should not wait

    # Files load at once, and heads that nobody asks for are normal; missing weights are refused below.
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    model_class: Any
    extractor_class: Any
    model_class, extractor_class = {
        "whisper": (transformers.WhisperModel, transformers.WhisperFeatureExtractor),
        "wav2vec2": (transformers.Wav2Vec2Model, transformers.Wav2Vec2FeatureExtractor),
        "audio-spectrogram-transformer": (transformers.ASTModel, transformers.ASTFeatureExtractor),
    }[kind]
    check_folder(folder)
    try:
        model, report = model_class.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        extractor = extractor_class.from_pretrained(folder)
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise BenchError(f"{folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    missing = {name for name in report["missing_keys"] if not name.startswith("decoder.")} - UNUSED
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise BenchError(f"{folder} cannot be loaded: missing weights: {min(missing)}{more}")
    return model.encoder if kind == "whisper" else model, extractor


def _rebuilt(
    kind: "Callable[[Any], transformers.PreTrainedModel]",
    config: Any,
    state: Mapping[str, Tensor],
    extractor: Any,
) -> OpenAudio:
    encoder = kind(config)
    encoder.load_state_dict(state)
    return OpenAudio(encoder.requires_grad_(False).train(False), extractor)
