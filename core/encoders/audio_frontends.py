"""From waveforms to states over time: the front end of each kind of audio encoder.

- Whisper, as GAID takes it (its released `audio_feature_extraction.py`): log-mel of the unpadded
  waveform, then zeros behind the *log-mel* up to the encoder's fixed length, so short clips carry states
  of padding. Whisper itself pads the waveform; that is the variant `padded-waveform`.
  The variant `bfloat16` computes the encoder's products in bfloat16, which takes less time where the machine
  has instructions for it and several times as much elsewhere (`python -m benchmarks.device_ratios`). It is
  a name, and not a choice that is measured when a run starts, so that a run has the same features everywhere.
- wav2vec2, as GAID takes it: the whole normalised waveform, then linear interpolation over time to a
  fixed length.
- AST: windows of 10.24 s one after the other, each column of patches averaged over its frequencies. GAID
  names an AST but released no extractor for it.
- AST as AVIGATE takes it, the variant `avigate`: the whole clip squeezed into one window, all tokens kept.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch import Tensor

from core.encoders.audio_states import (
    AST_WINDOWS,
    HOP,
    Waveforms,
    ast_grid,
    ast_states,
    avigate_tokens,
    wav2vec2_states,
    whisper_log_mel,
)
from core.media.waveform import SOUND_RATE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

STATES_PER_SECOND = 50
"""Whisper's states: 100 log-mel frames per second, halved by its second convolution."""
WAV2VEC2_POSITIONS = 1500
"""States after interpolation, as GAID sets them."""
AVWORLD_POSITIONS = {128: 200}
"""The same for the tiny wav2vec2 of the generated world, known by its width: its clips last 4 s."""


class AudioFrontend(Protocol):
    """One way from waveforms `(n,)` at 16 kHz to states."""

    shortest: ClassVar[int]
    """Samples below which a clip counts as one without sound."""

    def positions(self, config: Any) -> int:
        """L, states per clip, of an encoder with this configuration."""
        ...

    def valid(self, config: Any, duration: float) -> int:
        """How many of the L states lie inside a clip of `duration` seconds."""
        ...

    def states(self, encoder: "PreTrainedModel", extractor: Any, waveforms: Waveforms) -> Tensor:
        """States `(B, L, Da)`."""
        ...


@dataclass(frozen=True)
class WhisperFrontend:
    """50 states per second, at most 30 s."""

    pad_waveform: bool = False
    """Silence behind the waveform, as Whisper's authors do, instead of zeros behind the log-mel."""
    bfloat16: bool = False
    """Whether the encoder's products are computed in bfloat16 (autocast); its weights stay in float32."""
    shortest: ClassVar[int] = 1

    def positions(self, config: Any) -> int:
        """As many as the encoder has positions."""
        return int(config.max_source_positions)

    def valid(self, config: Any, duration: float) -> int:
        """50 per second."""
        return min(max(math.ceil(STATES_PER_SECOND * duration), 1), self.positions(config))

    def states(self, encoder: "PreTrainedModel", extractor: Any, waveforms: Waveforms) -> Tensor:
        """See `whisper_log_mel`."""
        frames = 2 * self.positions(encoder.config)
        mels = whisper_log_mel(extractor, waveforms, frames, pad_waveform=self.pad_waveform)
        lower = torch.autocast(encoder.device.type, torch.bfloat16) if self.bfloat16 else nullcontext()
        with lower:
            states: Tensor = encoder(mels.to(encoder.device)).last_hidden_state
        return states.float()


@dataclass(frozen=True)
class Wav2Vec2Frontend:
    """A fixed number of states, stretched over the clip."""

    shortest: ClassVar[int] = 1

    def positions(self, config: Any) -> int:
        """1500."""
        return AVWORLD_POSITIONS.get(config.hidden_size, WAV2VEC2_POSITIONS)

    def valid(self, config: Any, duration: float) -> int:
        """All: they are stretched over the clip."""
        return self.positions(config)

    def states(self, encoder: "PreTrainedModel", extractor: Any, waveforms: Waveforms) -> Tensor:
        """See `wav2vec2_states`."""
        return wav2vec2_states(encoder, extractor, waveforms, self.positions(encoder.config))


@dataclass(frozen=True)
class AstFrontend:
    """About 10 states per second, at most 30 s."""

    shortest: ClassVar[int] = 1

    def positions(self, config: Any) -> int:
        """Columns of patches of all windows."""
        return AST_WINDOWS * ast_grid(config)[1]

    def valid(self, config: Any, duration: float) -> int:
        """As many columns as the clip's share of its windows."""
        windows = duration * SOUND_RATE / (HOP * int(config.max_length))
        return min(max(math.ceil(windows * ast_grid(config)[1]), 1), self.positions(config))

    def states(self, encoder: "PreTrainedModel", extractor: Any, waveforms: Waveforms) -> Tensor:
        """See `ast_states`."""
        return ast_states(encoder, extractor, waveforms)


@dataclass(frozen=True)
class AvigateFrontend:
    """AVIGATE's tokens: the two class tokens' mean, then all patches, frequency by frequency."""

    shortest: ClassVar[int] = 1024  # below, the released code's hop is nothing

    def positions(self, config: Any) -> int:
        """One token and all patches."""
        return 1 + math.prod(ast_grid(config))

    def valid(self, config: Any, duration: float) -> int:
        """All: the clip is squeezed into the window."""
        return self.positions(config)

    def states(self, encoder: "PreTrainedModel", extractor: Any, waveforms: Waveforms) -> Tensor:
        """See `avigate_tokens`."""
        return avigate_tokens(encoder, waveforms)
