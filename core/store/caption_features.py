"""Token states of video-side captions, encoded by the text tower as it was before any training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.encoders.clip import ClipBackbone
from core.store.storage import Store
from core.store.token_features import TokenStates
from core.store.video_captions import VideoCaption


@dataclass(frozen=True)
class CaptionStates(TokenStates):
    """States of the visual and the audio caption, `(2, Lc, D)` a clip."""

    what = "captions"
    mask: Tensor
    """`(V, 2, Lc)` bool: False behind the end of a caption, and everywhere where there is none."""

    @classmethod
    def of(
        cls, captions: Mapping[str, VideoCaption], store: Store, clip: ClipBackbone, device: str
    ) -> "CaptionStates":
        """Tokenises the captions of a store's clips, by name; rows are as long as the longest of them."""
        sentences: Sequence[str | None] = [
            sentence
            for caption in (captions.get(id, VideoCaption(id=id)) for id in store.ids)
            for sentence in (caption.visual, caption.audio)
        ]
        tokens = clip.tokenise([sentence or "" for sentence in sentences])
        ends = tokens.argmax(-1, keepdim=True)  # the end mark has the highest number in the vocabulary
        present = torch.tensor([sentence is not None for sentence in sentences])[:, None]
        length = int((ends * present).max()) + 1
        mask = (torch.arange(length) <= ends) & present
        shape = (len(store), 2, length)
        return cls(store, device, clip, tokens[:, :length].reshape(shape), mask.reshape(shape))

    @torch.inference_mode()
    def __call__(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """States of some clips, `(n, 2, Lc, D)`; zeros where the mask is False."""
        kept = self.mask[list(rows)][..., None]
        found: NDArray[np.float16] = torch.where(kept, self.states(rows), torch.zeros(())).half().numpy()
        return found
