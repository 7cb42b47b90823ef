"""Token states of what is said in the videos, by the text tower as it was before any training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from core.encoders.clip import ClipBackbone
from core.store.storage import Store
from core.store.token_features import TokenStates


@dataclass(frozen=True)
class Transcripts:
    """What is said in the clips of a data set."""

    of_clips: Mapping[str, str]
    """By the clip's name; a clip without says nothing."""
    length: int
    """Tokens that are read of each, both marks included."""


@dataclass(frozen=True)
class SpeechStates(TokenStates):
    """States of all positions of a transcript's row, `(Ls, D)` a clip; of padding where nothing is said."""

    what = "speech"

    @classmethod
    def of(cls, speech: Transcripts, store: Store, clip: ClipBackbone, device: str) -> "SpeechStates":
        """Tokenises what is said in a store's clips as captions are, zeros where nothing is.

        Longer transcripts are cut.
        """
        tokens = torch.zeros(len(store), speech.length, dtype=torch.int64)
        spoken = {row: speech.of_clips[id] for row, id in enumerate(store.ids) if id in speech.of_clips}
        if spoken:
            tokens[list(spoken)], _ = clip.tokens_and_cuts(list(spoken.values()), speech.length)
        return cls(store, device, clip, tokens)

    @torch.inference_mode()
    def __call__(self, rows: Sequence[int]) -> NDArray[np.float16]:
        """States of some clips, `(n, Ls, D)`."""
        found: NDArray[np.float16] = self.states(rows).half().numpy()
        return found
