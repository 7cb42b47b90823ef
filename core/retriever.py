"""Backbones, cached features and a method as one trainable module.

Three modes of training, one path: `frozen` (picture, sound and text as the backbones left them),
`text-tuned` (the text tower trains) and `finetune` (both towers train; frames come as pixels from
the store). Whatever does not train is read from the feature cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.batch import Texts, Videos, stable_keys
from core.dataset import Split
from core.datasets.missing import dropped
from core.encoders.clip import ClipBackbone
from core.encoders.compiling import compile_blocks
from core.encoders.crops import centre_crop
from core.method import Method
from core.spec import TrainingSpec
from core.store.features import Features
from core.store.store import Store

if TYPE_CHECKING:
    import open_clip

ENCODE_BATCH = 256
"""Captions, or videos with cached features, per step when a whole split is encoded."""
PIXEL_BATCH = 32
"""Videos per step when a whole split goes through the image tower."""


@dataclass(frozen=True)
class SplitData:
    """A split as the engine handles it: token rows, keys, and where each video lies in the store.

    Absent videos of the split and their captions are not in here (see `core.evaluation.misses`).
    """

    split: Split
    tokens: Tensor
    """`(N, context)` int64."""
    text_keys: Tensor
    """`(N,)` int64."""
    pairing: Tensor
    """`(N,)` int64: position in `rows` of each caption's video."""
    rows: Tensor
    """`(V,)` int64: row of each video in the store and in the features."""
    cut: tuple[int, ...] = ()
    """Positions in the split's captions of those that have more tokens than are read."""
    distractors: int = 0
    """How many of the last videos only enlarge the gallery."""

    @classmethod
    def of(
        cls, split: Split, clip: ClipBackbone, store: Store, text_tokens: int | None = None
    ) -> "SplitData":
        """Tokenises a split's captions and finds its videos in the store.

        `text_tokens` is the longest caption that is read; all that the tower reads unless given.
        """
        row_of = {name: row for row, name in enumerate(store.ids)}
        present = dropped(split)
        tokens, cut = clip.tokens_and_cuts(split.captions, text_tokens or clip.context)
        read = [row for row, video in enumerate(split.video_of_caption) if video not in split.absent]
        return cls(
            split,
            tokens if len(read) == len(tokens) else tokens[read],
            stable_keys(present.captions),
            torch.tensor(present.video_of_caption),
            torch.tensor([row_of[video.id] for video in present.videos]),
            tuple(cut.nonzero()[:, 0].tolist()),
            present.distractors,
        )


class Retriever(nn.Module):
    """What trains and scores: the CLIP towers, the method, and the features of one store."""

    def __init__(
        self, clip: ClipBackbone, method: Method, features: Features, store: Store, spec: TrainingSpec
    ) -> None:
        super().__init__()
        self.clip = clip.model
        self.backbone = clip
        self.method = method
        self.features = features
        self.store = store
        self.mode = spec.mode
        for name, parameter in self.clip.named_parameters():
            parameter.requires_grad_(self.trains(name) and not name.startswith(spec.frozen_clip_prefixes))
        accelerate(self.clip, spec)

    def trains(self, name: str) -> bool:
        """Whether a parameter of the towers (open_clip name) trains in this mode."""
        if name == "logit_scale":  # the method holds the scale that is used
            return False
        return self.mode == "finetune" or (self.mode == "text-tuned" and not name.startswith("visual."))

    @property
    def device(self) -> torch.device:
        """Where the method's parameters lie."""
        return self.method.logit_scale.device

    def text_embeds(self, tokens: Tensor) -> Tensor:
        """Embeddings `(N, D)` of captions `(N, context)`, with gradients where the text tower trains.

        Where words are asked for, with their states behind the embedding, `(N, 1 + context, D)`.
        """
        encode = self.backbone.encode_text_and_words if self.method.needs.words else self.backbone.encode_text
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.mode != "frozen"):
            return encode(tokens)

    @property
    def trained_speech(self) -> Tensor | None:
        """`(V, Ls)` tokens of what is said in the clips, where their tower trains; else None."""
        return None if self.mode == "frozen" else self.features.speech_tokens

    def speech_states(self, tokens: Tensor) -> Tensor:
        """States `(V, Ls, D)` of rows `(V, Ls)`, by the text tower as it is now."""
        return self.backbone.encode_text_tokens(tokens)

    def frame_embeds(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """Embeddings `(V, F, D)` of frames `(V, F, h, w, 3)`, values 0 to 255, with their mask `(V, F)`.

        Where patches are asked for, with the patch tokens behind the embedding, `(V, F, 1 + P, D)`.
        """
        encode = self.backbone.encode_images
        if self.features.patches is not None:
            encode = self.backbone.encode_image_tokens
        embeds: Tensor = encode(pixels.flatten(0, 1), mask.flatten()).unflatten(0, mask.shape)
        return embeds

    @torch.no_grad()
    def blank_frame(self) -> tuple[Tensor, Tensor | None]:
        """Embedding `(D,)` of a black frame and, where patches are asked for, its tokens `(P, D)`."""
        size = self.backbone.image_size
        black = torch.zeros(1, 1, size, size, 3, device=self.device)
        embeds = self.frame_embeds(black, torch.ones(1, 1, dtype=torch.bool, device=self.device))[0, 0]
        return (embeds, None) if embeds.dim() == 1 else (embeds[0], embeds[1:])

    def pictured(self, videos: Videos, embeds: Tensor) -> Videos:
        """The videos with what `frame_embeds` gave in place of their cached pictures."""
        if embeds.dim() == 3:
            return replace(videos, frames=embeds)
        return replace(videos, frames=embeds[:, :, 0], patches=embeds[:, :, 1:])

    def texts(self, tokens: Tensor, keys: Tensor) -> Texts:
        """Encoded captions `(N, context)`."""
        tokens = tokens.to(self.device)
        return worded(self.text_embeds(tokens), tokens, keys.to(self.device))

    def videos(self, rows: Tensor) -> Videos:
        """Videos by store row `(V,)`: cached features, or central crops through the tower in `finetune`."""
        videos = self.features.videos(rows).to(self.device)
        if (spoken := self.trained_speech) is not None:
            videos = replace(videos, speech=self.speech_states(spoken[rows.cpu()].to(self.device)))
        if self.mode != "finetune":
            return videos
        size = self.backbone.image_size
        self.store.verify_rows(rows.tolist())
        pixels = torch.stack([centre_crop(self.store.pixels(row), size) for row in rows.tolist()])
        return self.pictured(videos, self.frame_embeds(pixels.to(self.device), videos.frame_mask))

    @torch.no_grad()
    def encode_texts(self, data: SplitData) -> Texts:
        """All captions of a split, without gradients."""
        blocks = range(0, len(data.tokens), ENCODE_BATCH)
        return Texts.concatenate(
            [
                self.texts(data.tokens[i : i + ENCODE_BATCH], data.text_keys[i : i + ENCODE_BATCH])
                for i in blocks
            ]
        )

    def encode_videos(self, data: SplitData) -> Videos:
        """All videos of a split, without gradients."""
        return self.encode_rows(data.rows)

    @torch.no_grad()
    def encode_rows(self, rows: Tensor) -> Videos:
        """Videos by store row `(V,)`, some at a time, without gradients."""
        size = PIXEL_BATCH if self.mode == "finetune" else ENCODE_BATCH
        return Videos.concatenate([self.videos(part) for part in rows.split(size)])

    def trained_state(self) -> dict[str, Tensor]:
        """Copies of every weight that training may have changed: the method's and the trained towers'."""
        towers = {f"clip.{name}": p for name, p in self.clip.named_parameters() if p.requires_grad}
        method = {f"method.{name}": tensor for name, tensor in self.method.state_dict().items()}
        return {name: tensor.detach().cpu().clone() for name, tensor in {**towers, **method}.items()}

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        """Puts back what `trained_state` returned."""
        load_weights(state, self.clip, self.method)


def worded(embeds: Tensor, tokens: Tensor, keys: Tensor) -> Texts:
    """The texts of captions `(N, context)` from their embeddings `(N, D)`, with words where they are there.

    Words `(N, 1 + context, D)` come behind the embedding, as `Retriever.text_embeds` gives them, and end with
    the end mark.
    """
    if embeds.dim() == 2:
        return Texts(embeds, keys)
    places = torch.arange(tokens.shape[1], device=tokens.device)
    shown = places <= tokens.argmax(dim=-1, keepdim=True)
    return Texts(embeds[:, 0], keys, embeds[:, 1:], shown)


def load_weights(state: Mapping[str, Tensor], towers: nn.Module, method: Method) -> None:
    """Puts what `Retriever.trained_state` returned into towers and a method.

    Raises `RuntimeError` or `KeyError` where it does not fit them.
    """
    method.load_state_dict(
        {k.removeprefix("method."): v for k, v in state.items() if k.startswith("method.")}
    )
    own = dict(towers.named_parameters())
    with torch.no_grad():
        for name, tensor in state.items():
            if name.startswith("clip."):
                own[name.removeprefix("clip.")].copy_(tensor)


def accelerate(towers: "open_clip.CLIP", spec: TrainingSpec) -> None:
    """Prepares the towers for the memory and speed that a spec asks for; names of weights do not change."""
    towers.set_grad_checkpointing(spec.activation_checkpointing)
    if spec.channels_last:
        towers.visual.to(memory_format=torch.channels_last)
    if spec.compile:
        compile_blocks(towers)
