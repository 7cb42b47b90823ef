"""X-CLIP: sentence and words are compared with video and frames; attention sums the similarities up.

Ma et al., arXiv 2207.07285, section 3; all but the first stand in methods/parts/interaction/words.py:

    v  = mean of the directions of f + transformer(f + p)        methods/parts/pooling/sequence_transformer.py
    S1 = t G v                                                   MultiGrainedWords.terms_of
    S2 = attn_l(w_l v, A1),  S3 = attn_f(t f, B1)                attended
    S4 = 1/2 [attn_f(attn_l(w M f, A2), B3) + attn_l(attn_f(w M f, B2), A3)]          word_frame
    s  = (S1 + S2 + S3 + S4) / 4                                 mean_of_terms
    L  = InfoNCE in both directions                              methods/composed.py: loss
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from methods.clip4clip import Clip4ClipAuthors
from methods.composed import ComposedMethod
from methods.parts.config import ComposedConfig, InteractionKind, PoolingKind
from methods.parts.recipes import CLIP4CLIP


class XclipConfig(ComposedConfig):
    """X-CLIP's defaults."""

    pooling: PoolingKind = "sequence-transformer"
    """seqTransf; frames are compared as they came."""
    interaction: InteractionKind = "multi-grained-words"
    """Four similarities."""


class XclipAuthors(Clip4ClipAuthors):
    """X-CLIP's checkpoints, bound to the frames and words that they were trained on."""

    def inputs(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Frames and words are the sides of the square matrices that mix them."""
        sides = {"frames": "frame_logit_weight", "text_tokens": "word_logit_weight"}
        return {key: state[name].shape[0] for key, name in sides.items() if name in state}


class Xclip(ComposedMethod):
    """Multi-grained similarity of sentence, words, video and frames."""

    name = "xclip"
    title = "X-CLIP"
    paper = "Ma et al., X-CLIP, ACM MM 2022, arXiv 2207.07285"
    Config = XclipConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **CLIP4CLIP,
        "training.batch_size": 300,
        "frames@didemo": 64,
        "text_tokens@didemo": 64,
        "training.batch_size@didemo": 64,
        "training.epochs@didemo": 20,
    }
    authors = XclipAuthors(
        {
            "frame_position_embeddings.": "pooling.frame_positions.",
            "transformerClip.resblocks.": "pooling.transformer.",
            **{
                f"{grain}_mat_": f"interaction.{grain}_mat_" for grain in ("global", "local", "word", "frame")
            },
            **{f"{grain}_logit_": f"interaction.{grain}_logit_" for grain in ("word", "frame")},
        }
    )
