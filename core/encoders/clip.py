"""CLIP towers through open_clip: pixels and captions in, unnormalised embeddings out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor

from core.authors import ClipTextWeights
from core.encoders.crops import centre_crop
from core.encoders.entry import place_of
from core.encoders.facts import facts_at
from core.encoders.towers import Tokenizer, open_towers
from core.encoders.weights import weights_fingerprint
from core.errors import BenchError
from core.progress import Progress

if TYPE_CHECKING:
    import open_clip

TEXT_BLOCKS = 6
"""Blocks of like length that a batch of captions is split into."""
SMALLEST_BLOCK = 16
"""Captions below which a block is not worth a pass of its own."""


def facts_of(model: "open_clip.CLIP") -> dict[str, Any]:
    """Shapes and fingerprint of towers."""
    size, grid = model.visual.image_size, model.visual.grid_size
    return {
        "width": int(model.text_projection.shape[1]),
        "context": int(model.context_length),
        "image_size": int(size[0] if isinstance(size, tuple) else size),
        "patches": int(grid[0] * grid[1]),
        "fingerprint": weights_fingerprint(model.state_dict()),
    }


def preprocess(pixels: Tensor, size: int, mean: Tensor, std: Tensor) -> Tensor:
    """Centre crop `(B, 3, size, size)` of RGB `(B, h, w, 3)`, values 0 to 255, scaled to 0..1 and normalised.

    Radford et al., "Learning transferable visual models", 2021, in the precision of `mean` and `std`, `(3,)`
    each; the resize to `size` has been done (`core.media.resizing`). Raises `ValueError` for pixels
    smaller than the crop.
    """
    cropped = centre_crop(pixels, size).permute(0, 3, 1, 2)
    return (cropped.to(mean.dtype) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)


@dataclass(frozen=True)
class OpenTowers:
    """Towers in memory."""

    model: "open_clip.CLIP"
    tokenizer: Tokenizer


@dataclass(frozen=True)
class StoredTowers:
    """Towers on the disk, opened when they are first used."""

    place: Path
    """A model folder or a file of weights."""

    def facts(self) -> Mapping[str, Any]:
        """`facts_of` the towers; opens them where their files have not been asked before."""
        return facts_at(self.place, "towers", lambda: facts_of(self.model))

    @cached_property
    @torch.inference_mode(False)  # they may first be used in inference, and train afterwards
    def opened(self) -> OpenTowers:
        """In memory; raises `BenchError` where they are damaged."""
        return OpenTowers(*open_towers(self.place))

    @property
    def model(self) -> "open_clip.CLIP":
        """Both towers."""
        return self.opened.model

    @property
    def tokenizer(self) -> Tokenizer:
        """Captions to token rows."""
        return self.opened.tokenizer


@dataclass(frozen=True)
class ClipBackbone:
    """A CLIP model with its tokenizer."""

    name: str
    """Name on the command line, or the model folder."""
    towers: OpenTowers | StoredTowers
    """Where the model is."""

    @property
    def model(self) -> "open_clip.CLIP":
        """Both towers; its parameters are the ones that train."""
        return self.towers.model

    @property
    def tokenizer(self) -> Tokenizer:
        """Captions to token rows."""
        return self.towers.tokenizer

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """`facts_of` the towers as they are when first asked for; remembered while nobody has opened them."""
        if isinstance(self.towers, StoredTowers) and "opened" not in vars(self.towers):
            return self.towers.facts()
        return facts_of(self.model)

    @classmethod
    def load(cls, name: str, progress: Progress | None = None) -> Self:
        """A registered backbone by name (see `core.encoders.entry`), a model folder or a file.

        Raises `BenchError` where there are no such weights.
        """
        towers = StoredTowers(place_of("backbone", name, progress))
        towers.facts()  # refuses damaged files now
        return cls(name, towers)

    @property
    def width(self) -> int:
        """D, width of the joint embedding."""
        return int(self.facts["width"])

    @property
    def context(self) -> int:
        """Longest token row."""
        return int(self.facts["context"])

    @property
    def image_size(self) -> int:
        """Height and width in pixels that the image tower takes."""
        return int(self.facts["image_size"])

    @property
    def patches(self) -> int:
        """P, patch tokens of a frame."""
        return int(self.facts["patches"])

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the weights as they are when first asked for."""
        return str(self.facts["fingerprint"])

    def tokenise(self, texts: Sequence[str], length: int | None = None) -> Tensor:
        """Token rows `(N, length)` int64, padded with 0; longer captions are cut, the end mark stays.

        `length` is the tower's context unless given.
        """
        return self.tokenizer(list(texts), context_length=length or self.context)

    def tokens_and_cuts(self, texts: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
        """Token rows `(N, length)` int64, and which of the captions had to be cut to that length `(N,)` bool.

        Raises `BenchError` where the tower cannot read so many tokens.
        """
        self.require_length(length)
        rows = self.tokenise(texts, length + 1)
        cut = rows[:, -1] != 0
        tokens = rows[:, :-1].clone()
        tokens[cut, -1] = rows[cut, -1]  # the end mark
        return tokens, cut

    def require_length(self, length: int) -> None:
        """Raises `BenchError` where the text tower cannot read so many tokens."""
        if length > self.context:
            raise BenchError(
                f"backbone '{self.name}' reads {self.context} tokens, not {length}; "
                f"pass --set text_tokens={self.context}"
            )

    def encode_images(self, pixels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embeddings `(B, D)` of RGB frames `(B, h, w, 3)`, values 0 to 255, short side `image_size`.

        Where `mask` `(B,)` is False the normalised image is all zeros: CLIP4Clip's and AVIGATE's empty slot.
        """
        return cast(Tensor, self.model.encode_image(self._images(pixels, mask)))

    def encode_image_tokens(self, pixels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embedding and patch tokens `(B, 1 + P, D)` of frames; see `encode_images`, which gives row 0.

        All tokens take the last LayerNorm and the projection of the embedding. Raises `BenchError` for a
        tower whose embedding is no token of its own.
        """
        tower = self.model.visual
        pooled_otherwise = getattr(tower, "attn_pool", None) or getattr(tower, "final_ln_after_pool", False)
        if getattr(tower, "pool_type", None) != "tok" or pooled_otherwise:
            raise BenchError(
                f"backbone '{self.name}' has no class token and gives no patch tokens; choose a CLIP ViT"
            )
        tokens = tower.transformer(tower._embeds(self._images(pixels, mask)))
        return cast(Tensor, tower.ln_post(tokens) @ tower.proj)

    def _images(self, pixels: Tensor, mask: Tensor | None) -> Tensor:
        """What the image tower takes, `(B, 3, size, size)`."""
        mean, std = (
            self.model.visual.conv1.weight.new_tensor(moment)
            for moment in (self.model.visual.image_mean, self.model.visual.image_std)
        )
        images = preprocess(pixels, self.image_size, mean, std)
        return images if mask is None else images * mask.view(-1, 1, 1, 1)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Embeddings `(N, D)` of token rows `(N, context)`.

        Captions of like length go through the tower together, cut behind the longest of them: what
        follows a caption's end mark cannot reach it through the causal mask, so the result is the same.
        """
        ends = tokens.argmax(dim=-1)  # the end mark has the highest number in the vocabulary
        order = ends.argsort(stable=True)
        blocks = order.tensor_split(max(1, min(TEXT_BLOCKS, len(tokens) // SMALLEST_BLOCK)))
        embeds = torch.cat([self._encode_block(tokens[rows], ends[rows]) for rows in blocks])
        return embeds[order.argsort()]

    def _encode_block(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """Embeddings `(n, D)` of token rows `(n, context)` whose end marks stand at `ends` `(n,)`."""
        states = self._text_states(tokens[:, : int(ends.max()) + 1])
        pooled = states[torch.arange(len(tokens), device=tokens.device), ends]
        return cast(Tensor, pooled @ self.model.text_projection)

    def encode_text_tokens(self, tokens: Tensor) -> Tensor:
        """Projected states `(N, length, D)` of every token of rows `(N, length)`; see `encode_text`."""
        return cast(Tensor, self._text_states(tokens) @ self.model.text_projection)

    def encode_text_and_words(self, tokens: Tensor) -> Tensor:
        """Embeddings and the states of all tokens behind them, `(N, 1 + length, D)`; see `encode_text`."""
        states = self.encode_text_tokens(tokens)
        ends = states[torch.arange(len(tokens), device=tokens.device), tokens.argmax(dim=-1)]
        return torch.cat([ends[:, None], states], dim=1)

    def _text_states(self, tokens: Tensor) -> Tensor:
        """The tower's last states `(N, length, width)` of token rows `(N, length)`."""
        model, length = self.model, tokens.shape[1]
        x = model.token_embedding(tokens) + model.positional_embedding[:length]
        x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
        return cast(Tensor, model.ln_final(x))

    def text_weights(self) -> ClipTextWeights:
        """The text transformer's weights, for methods that initialise their own blocks from them."""
        blocks = self.model.transformer.resblocks
        return ClipTextWeights(
            blocks=tuple(
                {name: tensor.detach() for name, tensor in block.state_dict().items()} for block in blocks
            ),
            positions=self.model.positional_embedding.detach(),
            heads=int(blocks[0].attn.num_heads),
        )
