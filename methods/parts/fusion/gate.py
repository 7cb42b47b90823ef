"""Fusion of picture and sound by a gate: per clip, per frame or per element of a frame (GAID).

    g = sigmoid(W [f; a; t] + b)        GAID (arXiv 2508.01711) equation 1: `gate`, of what `video_logits` and
                                        `text_logits` put in; the order of the concatenation is the released
                                        code's
    u = g a + (1 - g) f                 equation 2: `mixed`, or `MixedFrames` without building u

The code has the frame level; `sample` and `token` are the other rows of the paper's Table 5 in our reading:
one scalar from the means over frames, and one gate per element. The gate is linear in its inputs, so each
input has its own block of the weight, and a text adds one number per output to every frame of every video.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from core.batch import Rows, Videos
from core.method import Dimensions
from core.scoring.basis import centred, deviation_factor, gram_factor, mix_squares, shared_products
from methods.parts.audio import AudioProjection, frame_audio
from methods.parts.config import Alignment, ComposedConfig, GateInput, GateLevel
from methods.parts.fusion.base import FrameAlgebra, FusedFrames, Fusion, required_audio_width
from methods.parts.kinds import FUSIONS
from methods.parts.vectors import masked_mean


def gate(video_logits: Tensor, text_logits: Tensor | float) -> Tensor:
    """The gate in (0, 1) of what video and text put in; training, reports and both engines share it."""
    # g = sigmoid(W [f; a; t] + b), the weight cut into a block per input
    return (video_logits + text_logits).sigmoid_()


def mixed(gate: Tensor, frames: Tensor, audio: Tensor) -> Tensor:
    """`g a + (1 - g) f`: gate `([N,] V, F|1, D|1)`, frames and audio `(V, F, D)` -> `([N,] V, F, D)`."""
    # lerp(f, a, g) = f + g (a - f)
    return torch.lerp(frames, audio, gate)


@FUSIONS.kind("sample", "frame", "token")
class GateFusion(Fusion):
    """The sample-, frame- or token-level gate.

    `inputs` chooses what the gate sees; leaving one out removes its block of the weight, and without
    `text` the fused frames are the same for all texts. Initialised as `nn.Linear` is.
    """

    gate_axis: ClassVar[Literal["frame", "layer"] | None] = "frame"

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

    @classmethod
    def build(cls, config: ComposedConfig, dimensions: Dimensions) -> Self:
        """The gate of the level that the configuration names."""
        audio_width = required_audio_width(dimensions, f"fusion={config.fusion}", "fusion=none")
        width = dimensions.width
        projection = AudioProjection(config.audio_projection, audio_width, width, config.null_audio)
        level: GateLevel = config.fusion  # type: ignore[assignment]  # the names that it is registered under
        return cls(level, width, projection, config.audio_alignment, config.gate_inputs)

    @property
    def algebra(self) -> FrameAlgebra[Any] | None:
        """Mixes of picture and sound; none where every element of a frame has a gate of its own."""
        if not self.text_dependent:
            return super().algebra
        return None if self.level == "token" else GateAlgebra(self)

    def encode(self, videos: Videos) -> tuple[Tensor, Tensor | None]:
        """Frames and aligned, projected sound; the fused frames alone where the gate sees no text."""
        frames, audio = videos.frames, self.aligned(videos)
        if self.text_dependent:
            return frames, audio
        return mixed(gate(self.video_logits(frames, audio, videos.frame_mask), 0.0), frames, audio), None

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
        """`W_f f + W_a a + b`, what frames and sound `(V, F, D)` put into the gate: `(V, F|1, D|1)`."""
        weights = self.weights()
        if self.level == "sample":
            # the gate of a clip sees means over its frames, so that it is one number for all of them
            frames, audio = (masked_mean(x, mask)[..., None, :] for x in (frames, audio))
        logits: Tensor = self.gate.bias
        if "frame" in weights:
            # + W_f f
            logits = logits + frames @ weights["frame"].T
        if "audio" in weights:
            # + W_a a
            logits = logits + audio @ weights["audio"].T
        return logits

    def text_logits(self, texts: Tensor) -> Tensor:
        """`W_t t`, what texts `(N, D)` put into the gate: `(N, D|1)`."""
        return texts @ self.weights()["text"].T

    def gate_values(self, texts: Tensor, frames: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """The gate in (0, 1): `(N, V, F|1, D|1)`, without the axis N where the gate sees no text."""
        # + W_t t, the same number for every frame of every video
        asked = self.text_logits(texts)[:, None, None, :] if self.text_dependent else 0.0
        return gate(self.video_logits(frames, audio, mask), asked)

    def fuse(self, texts: Tensor, frames: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """Each frame mixed with its sound, for every text anew."""
        return mixed(self.gate_values(texts, frames, audio, mask), frames, audio)

    def gates(self, texts: Tensor, videos: Videos) -> Tensor:
        """Weight of the sound in each frame `(B, F)` of text i with video i.

        The sample gate is repeated over the frames; the token gate is averaged over the width.
        """
        frames, audio = videos.frames[:, None], self.aligned(videos)[:, None]
        values = self.gate_values(texts, frames, audio, videos.frame_mask[:, None])  # ([B,] 1, F|1, D|1)
        return values.reshape(len(videos), -1, values.shape[-1]).mean(-1).expand(-1, videos.frames.shape[1])


@dataclass(frozen=True)
class GatedFrames(Rows):
    """Picture and sound of each video as the gate mixes them; those of a frame stand side by side."""

    mask: Tensor
    """`(V, F)` bool, True for real frames."""
    logits: Tensor
    """`(V, F)` what picture and sound put into the gate, its bias included."""
    vectors: Tensor
    """`(V, 2 F, D)` centred picture and sound."""
    means: Tensor
    """`(V, 2 F)` what was subtracted."""
    factors: Tensor
    """`(V, F, 2, 2)` factor of the lengths of fused frames."""
    deviations: Tensor
    """`(V, F, 2, 2)` factor of the variances of fused frames."""


@dataclass(frozen=True)
class MixedFrames(FusedFrames):
    """Fused frames as shares of picture and sound.

    Kept as `(1 - g, g)` and not as `f + g (a - f)`, which loses digits where the gate saturates.
    """

    of: GatedFrames
    shares: Tensor
    """`(V, F, 2, N)`."""

    @property
    def sound(self) -> Tensor:
        """The gate of each frame, `(V, F, N)`."""
        return self.shares[:, :, 1]

    def squares(self, factor: Tensor) -> Tensor:
        """`|R (1 - g, g)|^2` `(V, F, N)`: squared length, or variance, of frames; factor R `(V, F, 2, 2)`."""
        # every frame is a mix of two vectors with a factor of its own: frames count as videos
        squares = mix_squares(factor.flatten(0, 1), self.shares.flatten(0, 1))
        return squares.view(*self.shares.shape[:2], -1)

    @cached_property
    def lengths(self) -> Tensor:
        """`(V, F, N)`, 1 for a frame that is zero."""
        squares = self.squares(self.of.factors)
        return squares.masked_fill_(squares == 0, 1.0).sqrt_()

    def products(self, vectors: Tensor) -> Tensor:
        """Inner products `(V, 2 F, N)` of centred picture and sound with vectors `(N, D)`."""
        return shared_products(self.of.vectors, vectors)

    def cosines(self, directions: Tensor) -> Tensor:
        """`sum over s of share_s (x_s . t) / |u|`, 0 for padding."""
        products = self.products(directions)
        # x = centred x + mean(x) 1, so that x . t = centred x . t + mean(x) sum(t)
        products.addcmul_(self.of.means[..., None], directions.sum(-1).expand_as(products))
        # u . t = (1 - g) f . t + g a . t
        mixed: Tensor = products.unflatten(1, (-1, 2)).mul_(self.shares).sum(2)
        return mixed.div_(self.lengths).mul_(self.of.mask[..., None])


class GateAlgebra(FrameAlgebra[GatedFrames]):
    """Frames as mixes of picture and sound under a gate of one number per frame and text."""

    waits = True

    def __init__(self, fusion: GateFusion) -> None:
        self.fusion = fusion

    def frames(self, frames: Tensor, audio: Tensor | None, mask: Tensor, *, seen: bool) -> GatedFrames:
        """The mixes of frames and sound `(V, F, D)` under `mask` `(V, F)`."""
        sound = frames[:, :0] if audio is None else audio  # a gate that waits for the text has its sound
        pairs = torch.stack([frames, sound], dim=2)  # (V, F, 2, D)
        deviating = centred(pairs)
        return GatedFrames(
            mask,
            self.fusion.video_logits(frames, sound, mask)[..., 0].expand(mask.shape),
            deviating.flatten(1, 2),
            pairs.mean(-1).flatten(1, 2),
            gram_factor(pairs),
            deviation_factor(deviating),
        )

    def asked(self, texts: Tensor) -> Tensor:
        """What each text puts into the gate, `(N, 1)`."""
        return self.fusion.text_logits(texts)

    def shares(self, kept: GatedFrames, asked: Tensor) -> MixedFrames:
        """Shares `(V, F, 2, N)` of picture and sound."""
        # g of every frame for every text, from the one function that the modules use too
        sound = gate(kept.logits[..., None], asked[:, 0])  # (V, F, N)
        return MixedFrames(kept, torch.stack([1 - sound, sound], dim=2))
