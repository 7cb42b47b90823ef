"""SAVE: AVIGATE with a second branch, which listens to what is said in the video.

CVPR 2026, arXiv 2603.08224; the first four stand in methods/parts/fusion/gated_speech.py:

    q  = resampler(queries, sound)                        GatedTransformer.resampled
    A  = gated transformer (f, q)                         methods/parts/fusion/gated_transformer.py: branch
    P  = gated transformer (f, s), s all states of the transcript's row by the text tower
    u  = A / 2 + P / 2 + f                                joined_branches
    v, similarity, margin and InfoNCE as in methods/avigate.py
    L  = InfoNCE + sum of 1 - correlation of cos(mean f, mean q) with a teacher's
                                                          methods/parts/objective/alignment.py: alignment_loss

The teacher is a frozen pair of encoders of picture and sound, ImageBind in the release; its embeddings come
from a file (`teacher`), without which the term is left out.
The text tower that reads the transcripts is the one that trains. A clip without speech has a row of padding,
as released.
"""

from collections.abc import Mapping
from typing import ClassVar

from methods.avigate import Avigate, AvigateAuthors, AvigateConfig
from methods.parts.config import FusionKind


class SaveConfig(AvigateConfig):
    """SAVE's defaults."""

    fusion: FusionKind = "gated-speech"
    """A gated transformer over the sound and one over what is said."""


class SaveAuthors(AvigateAuthors):
    """SAVE's checkpoints."""

    resampler: ClassVar[str] = "Audio_Resampler.resblocks."


class Save(Avigate):
    """Multi-grained similarity of the text with frames that sound and speech have guided."""

    name = "save"
    title = "SAVE"
    paper = "SAVE, CVPR 2026, arXiv 2603.08224"
    Config = SaveConfig
    # Unlike AVIGATE's, the released audio encoder keeps its weights of AudioSet.
    recipe: ClassVar[Mapping[str, object]] = {
        **Avigate.recipe,
        "audio_encoder": "ast:avigate",
        "config.margin_delta@vatex": 0.05,
    }
    authors = SaveAuthors(
        {
            **{key: ours for key, ours in Avigate.authors.names.items() if key != AvigateAuthors.resampler},
            SaveAuthors.resampler: "fusion.resampler.",
            "transformerClip_ASR.resblocks.": "fusion.speech_transformer.",
        },
        dead=frozenset({"asr_query_tokens"}),
    )
