"""What a method is given: encoded texts and encoded videos, as the backbones left them.

Shapes use the same letters everywhere: `N` texts, `V` videos, `F` frames, `D` embedding width,
`L` audio steps, `P` patch tokens, `B` batch of matched pairs (`N == V == B`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Self

import torch
from torch import Tensor


def stable_keys(names: Sequence[str]) -> Tensor:
    """A 63-bit key per name, `(len(names),)` int64, the same on every machine and in every run.

    Noise is keyed by these, so a score does not depend on which other texts or videos are scored.
    """
    return torch.tensor(
        [int.from_bytes(sha256(n.encode()).digest()[:8], "big") >> 1 for n in names], dtype=torch.int64
    )


def first_captions(pairing: Tensor) -> Tensor:
    """Position of the first caption of each video that has one, `(B,)` int64, in the order of the captions.

    `pairing` `(N,)` int64 is the video of each caption.
    """
    seen: dict[int, int] = {}
    for text, video in enumerate(pairing.tolist()):
        seen.setdefault(video, text)
    return torch.tensor(list(seen.values()), dtype=torch.int64)


@dataclass(frozen=True)
class Rows:
    """A record of tensors, or of such records, that share their first axis; `None` fields are absent."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, rows: slice | Tensor) -> Self:
        """The record of some rows: a slice, or an int64 or bool tensor of rows."""
        return self.map(lambda t: t[rows])

    def to(self, device: torch.device | str) -> Self:
        """The record on another device."""
        return self.map(lambda t: t.to(device))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """The rows of several records, one after the other."""
        columns = zip(*([getattr(part, f.name) for f in fields(cls)] for part in parts), strict=True)
        return cls(*(None if column[0] is None else torch.cat(column) for column in columns))

    @classmethod
    def collect(cls, parts: Iterable[Self], count: int) -> Self:
        """The rows of several records, `count` in all, each copied as it comes: never held twice."""
        start, whole = 0, None
        for part in parts:
            if whole is None:
                whole = part.map(lambda t: t.new_empty(count, *t.shape[1:]))
            whole.assign(slice(start, start + len(part)), part)
            start += len(part)
        if whole is None or start != count:
            raise ValueError(f"{start} rows came, {count} were announced")
        return whole

    def assign(self, rows: slice, part: Self) -> None:
        """Overwrites some rows with those of another record."""
        for f in fields(self):
            own, other = getattr(self, f.name), getattr(part, f.name)
            if isinstance(own, Rows):
                own.assign(rows, other)
            elif own is not None:
                own[rows] = other

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The record with every tensor, those of nested records included, replaced by a function of it."""
        values = (getattr(self, f.name) for f in fields(self))
        return type(self)(
            *(v.map(function) if isinstance(v, Rows) else None if v is None else function(v) for v in values)
        )


@dataclass(frozen=True)
class Texts(Rows):
    """Encoded captions."""

    embeds: Tensor
    """`(N, D)` output of the text tower after its projection, not normalised."""
    keys: Tensor
    """`(N,)` int64 stable key of each caption (see `stable_keys`)."""
    words: Tensor | None = None
    """`(N, L, D)` states of each caption's words after the text tower's projection, not normalised; only for
    methods that ask for them."""
    word_mask: Tensor | None = None
    """`(N, L)` bool: True for words, False for padding behind the caption's end."""


@dataclass(frozen=True)
class Videos(Rows):
    """Encoded videos, before any method has touched them."""

    frames: Tensor
    """`(V, F, D)` image-tower embedding of each sampled frame, not normalised."""
    frame_mask: Tensor
    """`(V, F)` bool: True for real frames, False for padding; real frames come first."""
    keys: Tensor
    """`(V,)` int64 stable key of each video."""
    audio: Tensor | None = None
    """`(V, L, Da)` states of the audio encoder; zeros for a clip without sound."""
    audio_valid: Tensor | None = None
    """`(V,)` int64: how many of the L states lie inside the clip (the rest is padding)."""
    has_audio: Tensor | None = None
    """`(V,)` bool: False where the clip has no sound that could be decoded."""
    patches: Tensor | None = None
    """`(V, F, P, D)` patch tokens of each frame in the joint space, only for methods that ask for them."""
    captions: Tensor | None = None
    """`(V, 2, Lc, D)` token states of what is said of each video's picture (0) and sound (1): captions that
    were made of the video and of no query. None where the method asks for none or no video has one."""
    caption_mask: Tensor | None = None
    """`(V, 2, Lc)` bool: False behind the end of a caption, and everywhere where there is none."""
    speech: Tensor | None = None
    """`(V, Ls, D)` states of all positions of the token row of what is said in each video; those of a row of
    padding where nothing is. Only for methods that ask for them."""
    teacher: Tensor | None = None
    """`(V, 2, E)` picture (0) and sound (1) in the joint space of a frozen pair of encoders that training
    imitates; zeros where they are not known. None where nobody asks or no file is named."""
