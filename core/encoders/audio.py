"""Audio encoders through transformers: waveforms in, states over time out (see `core.encoders.roads`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from core.encoders.audio_states import SHORTEST, Waveforms
from core.encoders.published import AUDIO, SHIPPED_AUDIO, model_type, obtain
from core.encoders.roads import AstRoad, AvigateRoad, Road, Wav2Vec2Road, WhisperRoad
from core.encoders.state_files import check_folder
from core.encoders.weights import fingerprint, shipped_folder
from core.errors import BenchError, unknown_name
from core.progress import Progress

if TYPE_CHECKING:
    import transformers

UNTRAINED = "-untrained"
"""Suffix of the control that has the same configuration and fresh weights."""
SHIPPED_NAMES = SHIPPED_AUDIO
ROADS: Mapping[str, Mapping[str, Road]] = {
    "whisper": {"": WhisperRoad(), "padded-waveform": WhisperRoad(pad_waveform=True)},
    "wav2vec2": {"": Wav2Vec2Road()},
    "audio-spectrogram-transformer": {
        "": AstRoad(),
        "avigate": AvigateRoad(),
        "avigate-random": AvigateRoad(),
    },
}
"""`model_type` of transformers -> variant -> road. `NAME:VARIANT` asks for a variant, as in `ast:avigate`."""
RANDOM = "avigate-random"
"""AVIGATE's release redraws every linear map of its AST after loading it, and freezes them."""
UNUSED = {"masked_spec_embed"}
"""Weights that a published checkpoint may lack: they only serve pretraining."""


@dataclass(frozen=True)
class AudioEncoder:
    """A frozen audio encoder with its feature extractor."""

    name: str
    """Name on the command line, or the model folder, with the variant."""
    encoder: "transformers.PreTrainedModel"
    """The transformer."""
    extractor: Any
    """Waveform to input features, transformers' own."""
    variant: str = ""
    """Which of the roads of its kind (see `ROADS`)."""

    @classmethod
    def load(cls, name: str, progress: Progress | None = None) -> Self:
        """A shipped or published encoder by name or a model folder of transformers, `:VARIANT` behind it.

        Raises `BenchError` where there are no such weights or the model is of no known kind.
        """
        base, variant = split_variant(name)
        published = {entry.name: entry for entry in AUDIO}
        folder = Path(base).expanduser()
        if base in SHIPPED_NAMES:
            folder = shipped_folder(SHIPPED_NAMES[base])
        elif base in published:
            folder = obtain(published[base], progress)
        elif not (folder / "config.json").is_file():
            raise unknown_name("audio encoder", base, (*SHIPPED_NAMES, *published))
        kind = model_type(folder)
        if kind not in ROADS:
            raise BenchError(f"{folder}: an audio encoder of type '{kind}'; known are {', '.join(ROADS)}")
        if variant not in ROADS[kind]:
            raise unknown_name(f"variant of {base}", variant, [known for known in ROADS[kind] if known])
        model, extractor = _pretrained(folder, kind)
        if base.endswith(UNTRAINED):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model = type(model)(model.config)
        if variant == RANDOM:
            redraw_linear_maps(model)
        return cls(name, model.eval().requires_grad_(False), extractor, variant)

    def __reduce__(self) -> tuple[Any, ...]:
        # wav2vec2 holds a weight-normalised convolution, which torch pickles only as a state_dict.
        return _rebuilt, (
            self.name,
            type(self.encoder),
            self.encoder.config,
            self.encoder.state_dict(),
            self.extractor,
            self.variant,
        )

    @property
    def road(self) -> Road:
        """From waveforms to states."""
        return ROADS[self.encoder.config.model_type][self.variant]

    @property
    def width(self) -> int:
        """Da, width of a state."""
        return int(self.encoder.config.hidden_size)

    @property
    def positions(self) -> int:
        """L, states per clip."""
        return self.road.positions(self.encoder.config)

    @cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the weights and the variant, as they are when first asked for."""
        weights = fingerprint(self.encoder.state_dict())
        return sha256(f"{weights} {self.variant}".encode()).hexdigest() if self.variant else weights

    def valid_states(self, duration: float) -> int:
        """How many of the L states lie inside a clip of `duration` seconds."""
        return self.road.valid(self.encoder.config, duration)

    def run(self, samples: Waveforms) -> Tensor:
        """States `(B, L, Da)` of waveforms `(n,)` at 16 kHz, n > 0; with gradients where weights train."""
        waveforms = [np.pad(waveform, (0, max(0, SHORTEST - waveform.size))) for waveform in samples]
        return self.road.states(self.encoder, self.extractor, waveforms)

    @torch.inference_mode()
    def states(self, samples: Waveforms, durations: Sequence[float]) -> tuple[Tensor, Tensor]:
        """States `(B, L, Da)` and how many of them are valid `(B,)` int64, of waveforms `(n,)` at 16 kHz.

        Durations in seconds. A clip without samples gets zeros and never runs through the encoder.
        """
        device = self.encoder.device
        states = torch.zeros(len(samples), self.positions, self.width, device=device)
        heard = [row for row, waveform in enumerate(samples) if waveform.size >= self.road.shortest]
        if heard:
            states[torch.tensor(heard, device=device)] = self.run([samples[row] for row in heard])
        return states, torch.tensor([self.valid_states(duration) for duration in durations])


def split_variant(name: str) -> tuple[str, str]:
    """The encoder and the variant of `NAME:VARIANT`; a path may hold colons of its own.

    >>> split_variant("ast:avigate"), split_variant("whisper-base"), split_variant("C:/models/mine")
    (('ast', 'avigate'), ('whisper-base', ''), ('C:/models/mine', ''))
    """
    base, colon, variant = name.rpartition(":")
    return (base, variant) if colon and not set(variant) & set("/\\") else (name, "")


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

    # Files load at once, and heads that nobody asks for are no news; weights that lack are refused below.
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
        raise BenchError(
            f"{folder} cannot be loaded: its weights lack {min(missing)} and {len(missing) - 1} more"
        )
    return model.encoder if kind == "whisper" else model, extractor


def _rebuilt(
    name: str,
    kind: "Callable[[Any], transformers.PreTrainedModel]",
    config: Any,
    state: Mapping[str, Tensor],
    extractor: Any,
    variant: str,
) -> AudioEncoder:
    encoder = kind(config)
    encoder.load_state_dict(state)
    return AudioEncoder(name, encoder.requires_grad_(False).train(False), extractor, variant)
