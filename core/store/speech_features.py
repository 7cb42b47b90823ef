"""Token states of what is said in the videos, by the text tower as it was before any training."""

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


@dataclass(frozen=True)
class Transcripts:
    """What is said in the clips of a data set."""

    of_clips: Mapping[str, str]
    """By the clip's name; a clip without says nothing."""
    length: int
    """Tokens that are read of each, both marks included."""


@dataclass(frozen=True)
class SpeechStates(FeatureEncoder):
    """States of all positions of a transcript's row, `(Ls, D)` a clip; of padding where nothing is said."""

    what = "speech"
    dtype = np.float16
    clip: ClipBackbone
    tokens: Tensor
    """`(V, Ls)` int64, zeros without a transcript."""

    @classmethod
    def of(cls, speech: Transcripts, store: Store, clip: ClipBackbone, device: str) -> "SpeechStates":
        """Tokenises what is said in a store's clips as captions are; longer transcripts are cut."""
        tokens = torch.zeros(len(store), speech.length, dtype=torch.int64)
        spoken = {row: speech.of_clips[id] for row, id in enumerate(store.ids) if id in speech.of_clips}
        if spoken:
            tokens[list(spoken)], _ = clip.tokens_and_cuts(list(spoken.values()), speech.length)
        return cls(store, device, clip, tokens)

    @property
    def weights(self) -> str:
        """Fingerprint of the towers."""
        return self.clip.fingerprint

    def row_keys(self) -> list[str]:
        """The tokens of each clip's transcript."""
        return [sha256(str(row.tolist()).encode()).hexdigest() for row in self.tokens]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(Ls, D)`."""
        return self.tokens.shape[1], self.clip.width

    @torch.inference_mode()
    def __call__(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """States of some clips, `(n, Ls, D)`."""
        self.clip.model.to(self.device).eval()
        states = self.clip.encode_text_tokens(self.tokens[list(rows)].to(self.device))
        found: NDArray[np.float16] = states.cpu().half().numpy()
        return found
