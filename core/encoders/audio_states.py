"""Input features and states of the audio encoders: free functions over waveforms of 16 kHz."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.encoders.fbank import avigate_fbank
from core.media.waveform import SOUND_RATE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Waveforms = Sequence[NDArray[np.float32]]
"""Sounds `(n,)` at 16 kHz, each of a length of its own."""

AST_WINDOWS = 3
"""Windows of 10.24 s that are heard: the first 30 s of a clip, as with Whisper."""
SHORTEST = 400
"""Samples below which no encoder has one window; shorter sound is padded with silence."""
HOP = 160
"""Samples between two log-mel frames."""


def whisper_log_mel(extractor: Any, waveforms: Waveforms, frames: int, *, pad_waveform: bool) -> Tensor:
    """Log-mel energies `(B, bins, frames)` of waveforms `(n,)` at 16 kHz.

    The log-mel of each whole waveform is cut, or followed by zeros; with `pad_waveform` each waveform is
    cut, or followed by silence, before.
    """
    if pad_waveform:
        waveforms = [np.pad(w[: frames * HOP], (0, max(0, frames * HOP - w.size))) for w in waveforms]
    mels = torch.zeros(len(waveforms), extractor.feature_size, frames)
    for rows in _by_length(waveforms):
        batch = np.stack([waveforms[row] for row in rows])
        extracted = extractor(batch, sampling_rate=SOUND_RATE, padding="do_not_pad", truncation=False)[
            "input_features"
        ]
        mel = torch.as_tensor(np.asarray(extracted))[..., :frames]
        mels[torch.tensor(rows), :, : mel.shape[-1]] = mel
    return mels


def wav2vec2_states(
    encoder: "PreTrainedModel", extractor: Any, waveforms: Waveforms, positions: int
) -> Tensor:
    """Encoder states `(B, positions, Da)` of waveforms `(n,)` at 16 kHz, each stretched over its own clip."""
    states = torch.empty(len(waveforms), positions, encoder.config.hidden_size, device=encoder.device)
    for rows in _by_length(waveforms):
        batch = [waveforms[row] for row in rows]
        values = extractor(batch, sampling_rate=SOUND_RATE, return_tensors="pt")["input_values"]
        hidden = encoder(values.to(encoder.device)).last_hidden_state.transpose(1, 2)
        stretched = nn.functional.interpolate(hidden, size=positions, mode="linear", align_corners=True)
        states[torch.tensor(rows, device=encoder.device)] = stretched.transpose(1, 2)
    return states


def ast_grid(config: Any) -> tuple[int, int]:
    """Patches over frequency and over time of an AST's window."""
    bins, frames = config.num_mel_bins - config.patch_size, config.max_length - config.patch_size
    return bins // config.frequency_stride + 1, frames // config.time_stride + 1


def ast_states(encoder: "PreTrainedModel", extractor: Any, waveforms: Waveforms) -> Tensor:
    """States `(B, AST_WINDOWS * columns, Da)` of waveforms `(n,)` at 16 kHz, zeros behind a clip's windows.

    Each window goes through transformers' own extractor; patches are averaged over their frequencies.
    """
    frames = encoder.config.max_length
    step, length = frames * HOP, (frames - 1) * HOP + SHORTEST
    owners, windows = [], []
    for row, waveform in enumerate(waveforms):
        for number, first in enumerate(range(0, min(waveform.size, AST_WINDOWS * step), step)):
            window = waveform[first : first + length]
            owners.append((row, number))
            windows.append(np.pad(window, (0, max(0, SHORTEST - window.size))))
    values = extractor(windows, sampling_rate=SOUND_RATE, return_tensors="pt")["input_values"]
    hidden = encoder(values.to(encoder.device)).last_hidden_state[:, 2:]  # behind the two class tokens
    columns = hidden.unflatten(1, ast_grid(encoder.config)).mean(dim=1)  # (windows, columns, Da)
    states = columns.new_zeros(len(waveforms), AST_WINDOWS, *columns.shape[1:])
    for (row, number), column in zip(owners, columns, strict=True):
        states[row, number] = column
    laid_end_to_end: Tensor = states.flatten(1, 2)
    return laid_end_to_end


def avigate_tokens(encoder: Any, waveforms: Waveforms) -> Tensor:
    """Tokens `(B, 1 + patches, Da)` by an AST of waveforms `(n,)` at 16 kHz, n >= 1024.

    Jeong et al., AVIGATE, CVPR 2025, released code: the class and the distillation token are averaged
    before the final LayerNorm. There the LayerNorm trains; here it is the encoder's own and frozen.
    """
    config = encoder.config
    mels = [
        avigate_fbank(torch.from_numpy(w)[None], frames=config.max_length, bins=config.num_mel_bins)
        for w in waveforms
    ]
    hidden = encoder(torch.stack(mels).to(encoder.device), output_hidden_states=True).hidden_states[-1]
    tokens = torch.cat([hidden[:, :2].mean(dim=1, keepdim=True), hidden[:, 2:]], dim=1)
    normalised: Tensor = encoder.layernorm(tokens)
    return normalised


def _by_length(waveforms: Waveforms) -> list[list[int]]:
    """Rows of equally long waveforms, which can share a batch without padding."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row, waveform in enumerate(waveforms):
        rows[waveform.size].append(row)
    return list(rows.values())
