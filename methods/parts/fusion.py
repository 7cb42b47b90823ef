"""Fusion of picture and sound by a gate: per clip, per frame or per element of a frame (GAID).

`u = g a + (1 - g) f` with `g = sigmoid(W [f; a; t] + b)` (GAID, arXiv 2508.01711, equations 1 and 2; the
order of the concatenation is the released code's). The code has the frame level; `sample` and `token` are
the other rows of the paper's Table 5 in our reading: one scalar from the means over frames, and one gate
per element. The gate is linear in its inputs, so each input has its own block of the weight, and a text
adds one number per output to every frame of every video.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from core.batch import Videos
from core.method import ClipTextWeights
from methods.parts.audio import Alignment, AudioProjection, frame_audio
from methods.parts.config import GateInput as GateInput
from methods.parts.config import GateLevel as GateLevel
from methods.parts.vectors import masked_mean


def mixed(gate: Tensor, frames: Tensor, audio: Tensor) -> Tensor:
    """`g a + (1 - g) f`: gate `([N,] V, F|1, D|1)`, frames and audio `(V, F, D)` -> `([N,] V, F, D)`."""
    return torch.lerp(frames, audio, gate)


class Fusion(nn.Module, ABC):
    """What makes fused frames out of frames, sound and, for some, a text."""

    text_dependent: bool = False
    """Whether fused frames differ from text to text."""
    gate_axis: Literal["frame", "layer"] = "frame"
    """What the second axis of `gates` counts."""

    @abstractmethod
    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """What needs no text: frames `(V, F, D)`, and sound `(V, F, D)` if a gate waits for the text."""

    def fuse(self, texts: Tensor, frames: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """Fused frames for texts `(N, D)`: `(N, V, F, D)`.

        Frames and audio are those of `encode`, `(V, F, D)` for all pairs or `(N, 1, F, D)` for text i with
        video i; mask likewise. Only for a fusion that depends on text.
        """
        raise NotImplementedError(f"{type(self).__name__} is finished by encode")

    def visual(self, frames: Tensor) -> Tensor:
        """Frames `(V, F, D)` as they enter the fusion, before any sound."""
        return frames

    def gates(self, texts: Tensor, videos: Videos) -> Tensor | None:
        """Audio weights of matched pairs; None without a gate."""
        return None

    def initialise_from_clip(self, clip: ClipTextWeights) -> tuple[str, ...]:
        """Copies what the authors copy from CLIP's text tower; returns the names of the parts copied."""
        return ()


class NoFusion(Fusion):
    """Picture only."""

    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """The frames."""
        return videos.frames, None


class GateFusion(Fusion):
    """The sample-, frame- or token-level gate.

    `inputs` chooses what the gate sees; leaving one out removes its block of the weight, and without
    `text` the fused frames are the same for all texts. Initialised as `nn.Linear` is.
    """

    def __init__(
        self,
        level: GateLevel,
        width: int,
        projection: AudioProjection,
        alignment: Alignment,
        inputs: Sequence[GateInput] = ("frame", "audio", "text"),
    ) -> None:
        super().__init__()
        self.level = level
        self.inputs = tuple(name for name in ("frame", "audio", "text") if name in inputs)
        self.text_dependent = "text" in inputs
        self.projection = projection
        self.alignment = alignment
        self.gate = nn.Linear(len(self.inputs) * width, width if level == "token" else 1)

    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """Frames and aligned, projected sound; the fused frames alone where the gate sees no text."""
        frames, audio = videos.frames, self.aligned(videos)
        if self.text_dependent:
            return frames, audio
        return mixed(self.gate_values(frames[:0, 0], frames, audio, videos.frame_mask), frames, audio), None

    def aligned(self, videos: Videos) -> Tensor:
        """Sound per frame `(V, F, D)`: pooled, projected, zero or the null vector for silent clips."""
        pooled = frame_audio(videos, self.alignment).to(self.gate.weight.dtype)
        filled = videos.frame_mask if self.alignment == "clip" else torch.ones_like(videos.frame_mask)
        projected: Tensor = self.projection(pooled, videos.has_audio, filled)
        return projected

    def weights(self) -> Mapping[str, Tensor]:
        """The block of the gate's weight for each input, `(D|1, D)`."""
        return dict(zip(self.inputs, self.gate.weight.chunk(len(self.inputs), dim=1), strict=True))

    def video_logits(self, frames: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """What frames and sound `(V, F, D)` put into the gate, bias included: `(V, F|1, D|1)`."""
        weights = self.weights()
        if self.level == "sample":
            frames, audio = (masked_mean(x, mask)[..., None, :] for x in (frames, audio))
        logits: Tensor = self.gate.bias
        if "frame" in weights:
            logits = logits + frames @ weights["frame"].T
        if "audio" in weights:
            logits = logits + audio @ weights["audio"].T
        return logits

    def text_logits(self, texts: Tensor) -> Tensor:
        """What texts `(N, D)` put into the gate: `(N, D|1)`."""
        return texts @ self.weights()["text"].T

    def gate_values(self, texts: Tensor, frames: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """The gate in (0, 1): `(N, V, F|1, D|1)`, without the axis N where the gate sees no text."""
        logits = self.video_logits(frames, audio, mask)
        if self.text_dependent:
            logits = logits + self.text_logits(texts)[:, None, None, :]
        return logits.sigmoid()

    def fuse(self, texts: Tensor, frames: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """See `Fusion.fuse`."""
        return mixed(self.gate_values(texts, frames, audio, mask), frames, audio)

    def gates(self, texts: Tensor, videos: Videos) -> Tensor:
        """Weight of the sound in each frame `(B, F)` of text i with video i.

        The sample gate is repeated over the frames; the token gate is averaged over the width.
        """
        frames, audio = videos.frames[:, None], self.aligned(videos)[:, None]
        values = self.gate_values(texts, frames, audio, videos.frame_mask[:, None])  # ([B,] 1, F|1, D|1)
        return values.reshape(len(videos), -1, values.shape[-1]).mean(-1).expand(-1, videos.frames.shape[1])
