"""Sound beside the picture: encoder states averaged to one vector per frame, or to a few tokens.

Two alignments. `clip` averages over the states that lie inside the clip, in as many bins as the clip
has real frames, so that bin i and frame i show the same moment. `released` (GAID's code) averages all
states into F bins whatever the clip's length: with Whisper's 30 s of states and 12 frames a bin is
always 2.5 s long.
"""

import torch
from torch import Tensor, nn

from core.batch import Videos
from core.errors import BenchError
from methods.parts.config import Alignment, NullAudio, Projection


def bin_weights(states: Tensor, bins: Tensor, length: int, width: int, dtype: torch.dtype) -> Tensor:
    """Averaging matrices `(V, width, length)`: bin i of n averages states floor(iL/n) .. ceil((i+1)L/n).

    `states` `(V,)` int64 is L, how many leading states count; `bins` `(V,)` int64 is n, how many
    leading bins are filled. Rows past n, and clips without states or bins, are zero. The bins are
    those of adaptive average pooling.
    """
    i = torch.arange(width, device=states.device)[None, :]  # (1, width)
    count, n = states[:, None], bins[:, None].clamp(min=1)  # (V, 1)
    # floor(i L / n)
    first = i * count // n
    # ceil((i + 1) L / n)
    last = ((i + 1) * count + n - 1) // n
    position = torch.arange(length, device=states.device)
    inside = (position >= first[..., None]) & (position < last[..., None]) & (i < bins[:, None])[..., None]
    # 1 / (number of states in the bin) where a state is inside
    return inside.to(dtype) / (last - first).clamp(min=1)[..., None]


def pooled_states(audio: Tensor, states: Tensor, bins: Tensor, width: int) -> Tensor:
    """Encoder states `(V, L, Da)` averaged into bins `(V, width, Da)`; see `bin_weights`."""
    return bin_weights(states, bins, audio.shape[1], width, audio.dtype) @ audio


def counted_states(videos: Videos, alignment: Alignment) -> Tensor:
    """How many leading states of each clip count, `(V,)` int64."""
    audio = required_audio(videos)
    every = torch.full((len(videos),), audio.shape[1], device=audio.device)
    if alignment == "released" or videos.audio_valid is None:
        return every
    return videos.audio_valid.clamp(max=audio.shape[1])


def frame_audio(videos: Videos, alignment: Alignment) -> Tensor:
    """One average of encoder states per frame `(V, F, Da)`; under `clip`, zeros beside padding frames."""
    return segment_audio(videos, alignment, 1)[:, :, 0]


def segment_audio(videos: Videos, alignment: Alignment, tokens: int) -> Tensor:
    """So many averages of encoder states per frame, `(V, F, tokens, Da)`; see `frame_audio`."""
    audio, frames = required_audio(videos), videos.frames.shape[1]
    full = torch.full((len(videos),), frames, device=audio.device)
    # as many bins as there are real frames, so that bin and frame show the same moment
    bins = tokens * (full if alignment == "released" else videos.frame_mask.sum(-1))
    pooled = pooled_states(audio, counted_states(videos, alignment), bins, tokens * frames)
    segments: Tensor = pooled.unflatten(1, (frames, tokens))
    return segments


def required_audio(videos: Videos) -> Tensor:
    """The encoder states `(V, L, Da)`; raises `BenchError` where the videos came without."""
    if videos.audio is None:
        raise BenchError("this fusion needs sound, but the videos were encoded without; choose fusion=none")
    return videos.audio


class AudioProjection(nn.Module):
    """Brings averaged encoder states to the joint width and stands in for clips without sound.

    `none` leaves them as they are (GAID feeds Whisper-base raw), `linear` is a linear map, `linear-norm`
    a linear map followed by LayerNorm. Averaging first and projecting then equals the reverse for
    `linear` and is what `linear-norm` is defined by. A clip without sound gets exact zeros
    (`null="zeros"`) or one learned vector at every position, never the bias that a linear map or a
    LayerNorm would make of zeros; a position without states (padding) is always zero.
    """

    def __init__(
        self, kind: Projection, audio_width: int, width: int, null: NullAudio, *, bias: bool = True
    ) -> None:
        super().__init__()
        if kind == "none" and audio_width != width:
            raise BenchError(
                f"audio_projection=none needs sound of the joint width {width}, "
                f"this encoder gives {audio_width}; set audio_projection=linear"
            )
        self.linear = nn.Linear(audio_width, width, bias=bias) if kind != "none" else None
        self.norm = nn.LayerNorm(width) if kind == "linear-norm" else None
        self.null = nn.Parameter(torch.zeros(width)) if null == "learned" else None

    def forward(self, audio: Tensor, has_audio: Tensor | None, filled: Tensor) -> Tensor:
        """Audio `(V, F, Da)` -> `(V, F, D)`.

        `has_audio` `(V,)` bool (None: every clip has sound), `filled` `(V, F)` bool: positions that hold
        an average of states.
        """
        projected = audio if self.linear is None else self.linear(audio)
        projected = projected if self.norm is None else self.norm(projected)
        if has_audio is not None:
            # behind the projection, whose bias would turn silence into a sound
            silence = torch.zeros_like(projected[:1, :1]) if self.null is None else self.null
            projected = torch.where(has_audio[:, None, None], projected, silence)
        return torch.where(filled[..., None], projected, torch.zeros_like(projected[:1, :1]))
