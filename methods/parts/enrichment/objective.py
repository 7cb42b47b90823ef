"""The three light objectives of CASE: caption-to-modality InfoNCE, visual-audio consistency, entropy.

A reconstruction of ours: the abstract of CAE-AV names the three and the released modules return what they
read, but the released code holds neither their formulas nor their weights. Frames are averaged first, because
the copies of a caption at the frames of a clip are identical and would be each other's false negatives.
"""

import math

import torch
from torch import Tensor

from methods.parts.enrichment.case import Enriched
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.vectors import masked_mean, unit

INFONCE_TEMPERATURE_FLOOR = 1e-2
"""Smallest temperature of InfoNCE, as CLIP's cap of 100 on the logit scale."""
PROBABILITY_FLOOR = 1e-12
"""Keeps the gradient of `p log p` finite where p is 0."""


def caption_alignment(vectors: Tensor, captions: Tensor, temperature: Tensor, rows: Tensor) -> Tensor:
    """Symmetric InfoNCE between clips and captions, `(V, H)` each, over the clips in `rows` `(V,)` bool.

    A scalar; 0 where fewer than two clips are left.
    """
    if int(rows.sum()) < 2:
        return vectors.new_zeros(())
    # cos(clip i, caption j) among the clips that have a caption
    cosines = unit(vectors[rows]) @ unit(captions[rows]).T
    return symmetric_infonce(cosines / temperature.clamp(min=INFONCE_TEMPERATURE_FLOOR))


def inconsistency(visual: Tensor, audio: Tensor, rows: Tensor) -> Tensor:
    """Mean of 1 - cosine of picture and sound, `(V, H)` each, over the clips in `rows` `(V,)` bool."""
    # 1 - cos(v_i, a_i)
    distances = 1 - (unit(visual) * unit(audio)).sum(-1)
    return (distances * rows).sum() / rows.sum().clamp(min=1)


def choice_entropy(probabilities: Tensor, rows: Tensor) -> Tensor:
    """Mean over the frames in `rows` `(V, F)` bool of the entropy of `(V, F, L)`, in units of log L."""
    # -sum_l p_l log p_l, divided by log L: 1 for an even choice
    entropy = -(probabilities * probabilities.clamp(min=PROBABILITY_FLOOR).log()).sum(-1)
    return (entropy * rows).sum() / rows.sum().clamp(min=1) / math.log(max(probabilities.shape[-1], 2))


def case_objectives(
    visual: Enriched, audio: Enriched, mask: Tensor, heard: Tensor, temperature: Tensor
) -> dict[str, Tensor]:
    """The objectives by name, each a scalar: `caption`, `consistency`, and in training `entropy`.

    `mask` `(V, F)` bool is False for padding frames, `heard` `(V,)` bool for silent clips, which leave
    out the audio half.
    """
    vectors = masked_mean(visual.vector, mask), masked_mean(audio.vector, mask)
    terms = {"consistency": inconsistency(vectors[0], vectors[1], heard)}
    for stream, vector, counted in zip(
        (visual, audio), vectors, (torch.ones_like(heard), heard), strict=True
    ):
        if stream.caption is not None and stream.caption_vector is not None:
            present = stream.caption.present.any(-1) & counted
            caption = stream.caption_vector.mean(1)
            # both modalities have a half each; a modality without captions adds nothing
            half = caption_alignment(vector, caption, temperature, present) / 2
            terms["caption"] = terms.get("caption", 0) + half
        if stream.probabilities is not None:
            half = choice_entropy(stream.probabilities, mask & counted[:, None]) / 2
            terms["entropy"] = terms.get("entropy", 0) + half
    return terms
