"""Audio encoders through transformers: 16 kHz waveforms in, states over time out.

Two roads, as GAID takes them (its section on audio and the released `audio_feature_extraction.py`):

- Whisper: log-mel of the unpadded waveform, then zeros behind the *log-mel* up to the encoder's fixed
  length (Whisper itself pads the waveform), so short clips carry states of padding.
- wav2vec2: the whole normalised waveform, then linear interpolation over time to a fixed length.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from core.encoders.weights import fingerprint, shipped_folder
from core.errors import BenchError, unknown_name
from core.waveform import SOUND_RATE

if TYPE_CHECKING:
    import transformers

SHIPPED_NAMES = {
    "avworld-whisper": "whisper",
    "avworld-whisper-untrained": "whisper",
    "avworld-wav2vec2": "wav2vec2",
}
"""Encoders whose weights come with the project, and their folders."""
UNTRAINED = "-untrained"
"""Suffix of the control that has the same configuration and fresh weights."""

STATES_PER_SECOND = 50
"""Whisper's states: 100 log-mel frames per second, halved by its second convolution."""
WAV2VEC2_POSITIONS = {128: 200, 768: 1500, 1024: 1500}
"""States after interpolation, by width: GAID's 1500 for the published models, 200 for the tiny one's 4 s."""
SHORTEST = 400
"""Samples below which neither encoder has one window; shorter sound is padded with silence."""


def whisper_states(
    encoder: "transformers.PreTrainedModel",
    extractor: "transformers.WhisperFeatureExtractor",
    waveforms: Sequence[NDArray[np.float32]],
) -> Tensor:
    """Encoder states `(B, L, Da)` of waveforms `(n,)` at 16 kHz; L is the encoder's number of positions.

    The log-mel of each whole waveform is cut to 2 L frames or followed by zeros.
    """
    frames = 2 * encoder.config.max_source_positions
    mels = torch.zeros(len(waveforms), extractor.feature_size, frames)
    for rows in _by_length(waveforms):
        batch = np.stack([waveforms[row] for row in rows])
        extracted = extractor(batch, sampling_rate=SOUND_RATE, padding="do_not_pad", truncation=False)[
            "input_features"
        ]
        mel = torch.as_tensor(np.asarray(extracted))[..., :frames]
        mels[torch.tensor(rows), :, : mel.shape[-1]] = mel
    device = next(encoder.parameters()).device
    states: Tensor = encoder(mels.to(device)).last_hidden_state
    return states


def wav2vec2_states(
    encoder: "transformers.PreTrainedModel",
    extractor: "transformers.Wav2Vec2FeatureExtractor",
    waveforms: Sequence[NDArray[np.float32]],
    positions: int,
) -> Tensor:
    """Encoder states `(B, positions, Da)` of waveforms `(n,)` at 16 kHz, each stretched over its own clip."""
    device = next(encoder.parameters()).device
    states = torch.empty(len(waveforms), positions, encoder.config.hidden_size, device=device)
    for rows in _by_length(waveforms):
        batch = [waveforms[row] for row in rows]
        values = extractor(batch, sampling_rate=SOUND_RATE, return_tensors="pt")["input_values"].to(device)
        hidden = encoder(values).last_hidden_state.transpose(1, 2)
        stretched = nn.functional.interpolate(hidden, size=positions, mode="linear", align_corners=True)
        states[torch.tensor(rows, device=device)] = stretched.transpose(1, 2)
    return states


def _by_length(waveforms: Sequence[NDArray[np.float32]]) -> list[list[int]]:
    """Rows of equally long waveforms, which can share a batch without padding."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row, waveform in enumerate(waveforms):
        rows[waveform.size].append(row)
    return list(rows.values())


@dataclass(frozen=True)
class AudioEncoder:
    """A frozen audio encoder with its feature extractor."""

    name: str
    """Name on the command line, or the model folder."""
    encoder: "transformers.PreTrainedModel"
    """The transformer."""
    extractor: Any
    """Waveform to input features, transformers' own."""

    @classmethod
    def load(cls, name: str) -> Self:
        """A shipped encoder by name, or a folder that transformers' `save_pretrained` wrote.

        Raises `BenchError` where there are no such weights or the model is neither Whisper nor wav2vec2.
        """
        folder = shipped_folder(SHIPPED_NAMES[name]) if name in SHIPPED_NAMES else Path(name)
        if not (folder / "config.json").is_file():
            raise unknown_name("audio encoder", name, SHIPPED_NAMES)
        import transformers  # late: it takes seconds, which a report or a decoding worker should not wait

        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # files load at once
        try:
            model: Any
            extractor: Any
            kind = json.loads((folder / "config.json").read_text()).get("model_type")
            if kind == "whisper":
                model = transformers.WhisperModel.from_pretrained(folder, dtype=torch.float32).encoder
                extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
            elif kind == "wav2vec2":
                model = transformers.Wav2Vec2Model.from_pretrained(folder, dtype=torch.float32)
                extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
            else:
                raise BenchError(
                    f"{folder}: an audio encoder of type '{kind}'; whisper and wav2vec2 are known"
                )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise BenchError(
                f"audio encoder '{name}' cannot be loaded: {str(error).splitlines()[0]}"
            ) from error
        if name.endswith(UNTRAINED):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model = type(model)(model.config)
        return cls(name, model.eval().requires_grad_(False), extractor)

    def __reduce__(self) -> tuple[Any, ...]:
        # wav2vec2 holds a weight-normalised convolution, which torch pickles only as a state_dict.
        return _rebuilt, (
            self.name,
            type(self.encoder),
            self.encoder.config,
            self.encoder.state_dict(),
            self.extractor,
        )

    @property
    def width(self) -> int:
        """Da, width of a state."""
        return int(self.encoder.config.hidden_size)

    @property
    def positions(self) -> int:
        """L, states per clip."""
        config = self.encoder.config
        if config.model_type == "whisper":
            return int(config.max_source_positions)
        return WAV2VEC2_POSITIONS[self.width]

    @cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the weights."""
        return fingerprint(self.encoder.state_dict())

    def valid_states(self, duration: float) -> int:
        """How many of the L states lie inside a clip of `duration` seconds.

        With Whisper 50 per second, with wav2vec2, whose states are stretched over the clip, all.
        """
        if self.encoder.config.model_type == "whisper":
            return min(max(math.ceil(STATES_PER_SECOND * duration), 1), self.positions)
        return self.positions

    def run(self, samples: Sequence[NDArray[np.float32]]) -> Tensor:
        """States `(B, L, Da)` of waveforms `(n,)` at 16 kHz, n > 0; with gradients where weights train."""
        waveforms = [np.pad(waveform, (0, max(0, SHORTEST - waveform.size))) for waveform in samples]
        if self.encoder.config.model_type == "whisper":
            return whisper_states(self.encoder, self.extractor, waveforms)
        return wav2vec2_states(self.encoder, self.extractor, waveforms, self.positions)

    @torch.inference_mode()
    def states(
        self, samples: Sequence[NDArray[np.float32]], durations: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """States `(B, L, Da)` and how many of them are valid `(B,)` int64, of waveforms `(n,)` at 16 kHz.

        Durations in seconds. A clip without samples gets zeros and never runs through the encoder.
        """
        device = next(self.encoder.parameters()).device
        states = torch.zeros(len(samples), self.positions, self.width, device=device)
        heard = [row for row, waveform in enumerate(samples) if waveform.size]
        if heard:
            states[torch.tensor(heard, device=device)] = self.run([samples[row] for row in heard])
        return states, torch.tensor([self.valid_states(duration) for duration in durations])


def _rebuilt(
    name: str,
    kind: "Callable[[Any], transformers.PreTrainedModel]",
    config: Any,
    state: Mapping[str, Tensor],
    extractor: Any,
) -> AudioEncoder:
    encoder = kind(config)
    encoder.load_state_dict(state)
    return AudioEncoder(name, encoder.requires_grad_(False).train(False), extractor)
