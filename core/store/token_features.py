"""Token states of sentences that belong to videos, by the text tower as it was before any training."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from torch import Tensor

from core.encoders.clip import ClipBackbone
from core.store.feature_encoders import FeatureEncoder


@dataclass(frozen=True)
class TokenStates(FeatureEncoder):
    """States of all positions of some token rows of each clip."""

    dtype = np.float16
    clip: ClipBackbone
    tokens: Tensor
    """`(V, ..., L)` int64 token rows of each clip."""

    @property
    def weights(self) -> str:
        """Fingerprint of the towers."""
        return self.clip.fingerprint

    def row_keys(self) -> list[str]:
        """The tokens of each clip."""
        return [sha256(str(row.tolist()).encode()).hexdigest() for row in self.tokens]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(..., L, D)`."""
        return (*self.tokens.shape[1:], self.clip.width)

    def states(self, rows: Sequence[int]) -> Tensor:
        """States `(n, ..., L, D)` of the token rows of some clips, on the CPU."""
        self.clip.model.to(self.device).eval()
        tokens = self.tokens[list(rows)]
        states = self.clip.encode_text_tokens(tokens.flatten(0, -2).to(self.device)).cpu()
        return states.reshape(*tokens.shape, -1)
