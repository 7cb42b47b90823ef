"""Token states of video-side captions, encoded by the text tower as it was before any training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.encoders.clip import ClipBackbone
from core.store.feature_encoders import FeatureEncoder
from core.store.storage import Store
from core.store.video_captions import VideoCaption


@dataclass(frozen=True)
class CaptionStates(FeatureEncoder):
    """States of the visual and the audio caption, `(2, Lc, D)` a clip."""

    what = "captions"
    dtype = np.float16
    clip: ClipBackbone
    tokens: Tensor
    """`(V, 2, Lc)` int64 token rows of each clip's visual and audio caption."""
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

    @property
    def weights(self) -> str:
        """Fingerprint of the towers."""
        return self.clip.fingerprint

    def row_keys(self) -> list[str]:
        """The tokens of each clip's captions."""
        return [sha256(str(row.tolist()).encode()).hexdigest() for row in self.tokens]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(2, Lc, D)`."""
        return (*self.tokens.shape[1:], self.clip.width)

    @torch.inference_mode()
    def __call__(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """States of some clips, `(n, 2, Lc, D)`; zeros where the mask is False."""
        self.clip.model.to(self.device).eval()
        chosen = list(rows)
        tokens = self.tokens[chosen].flatten(0, 1).to(self.device)
        states = self.clip.encode_text_tokens(tokens).cpu().unflatten(0, (len(chosen), 2))
        kept = self.mask[chosen][..., None]
        found: NDArray[np.float16] = torch.where(kept, states, torch.zeros(())).half().numpy()
        return found
