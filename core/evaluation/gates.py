"""Audio gates compared with the truth of a generated world: does a gate open when the sound matters?

AUROC pools the frames of audible clips; silent clips are left out, for their gate mixes nothing in.
The gate of a clip is the one its own caption sets. Clip-level gates (AVIGATE's, one per layer) are
scored per clip against "any frame matters". The control is a gate of fresh weights; gates that see
only the picture or only the sound are runs of their own (`config.gate_inputs`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from core.batch import first_captions
from core.dataset import Truth
from core.evaluation.misses import present_videos
from core.evaluation.statistics import auroc, average_precision, within_group_auroc
from core.method import Method
from core.plugin_errors import calling
from core.retriever import Retriever, SplitData
from core.scoring.scoring import exact_arithmetic

AUDIBLE = "audible"
"""The pool of all clips with sound, whatever their stratum."""


@dataclass(frozen=True)
class GateReport:
    """Gates of a split's videos under their own first captions."""

    video: Tensor
    """`(B,)` int64: position of each video in the split."""
    values: Tensor
    """`(B, F)` audio weight per frame, or `(B, layers)`."""
    audible: Tensor
    """`(B,)` bool."""
    truth: Tensor | None
    """`(B, F)` bool, where the world knows it."""
    untrained: Tensor
    """What a gate of fresh weights gives, shaped as `values`."""
    auroc: Mapping[str, Mapping[str, float]]
    """Gate (`trained`, `untrained`, `... layer 2`) -> stratum -> AUROC; `within PARTIAL` is per clip."""
    average_precision: Mapping[str, Mapping[str, float]]
    """Gate -> stratum -> average precision, and under `share of STRATUM` what chance would reach."""
    axis: Literal["frame", "layer"] = "frame"
    """What there is a gate for."""


def frame_truth(truth: Truth, duration: float, frames: int) -> list[bool]:
    """For each of F equal segments of a clip whether the sound matters during more than half of it."""
    length = duration / frames
    overlaps = [
        sum(max(0.0, min(end, (i + 1) * length) - max(start, i * length)) for start, end in truth.relevant)
        for i in range(frames)
    ]
    return [overlap > length / 2 for overlap in overlaps]


def gate_report(retriever: Retriever, untrained: Method, data: SplitData) -> GateReport | None:
    """Gates of a split, with AUROC where the truth is known; None for a method without a gate."""
    trained, fresh = retriever.method.gate, untrained.gate
    if trained is None or fresh is None:
        return None
    chosen = first_captions(data.pairing)
    video = data.pairing[chosen]
    with exact_arithmetic(retriever.method), exact_arithmetic(untrained):
        retriever.eval()
        texts = retriever.encode_texts(data)[chosen.to(retriever.device)]
        videos = retriever.encode_videos(data)[video.to(retriever.device)]
        if videos.has_audio is None:
            return None
        with calling(retriever.method, "gate.weights"):
            values, control = trained.weights(texts, videos).cpu(), fresh.weights(texts, videos).cpu()
    audible, truth = videos.has_audio.cpu(), None
    scores: dict[str, Mapping[str, float]] = {}
    precision: dict[str, Mapping[str, float]] = {}
    if data.split.truth is not None:
        records = [data.split.truth[v] for v in video.tolist()]
        durations = [float(retriever.store.duration[row]) for row in data.rows[video].tolist()]
        frames = videos.frames.shape[1]
        truth = torch.tensor([frame_truth(r, d, frames) for r, d in zip(records, durations, strict=True)])
        strata = [record.stratum for record in records]
        for name, gate in {"trained": values, "untrained": control}.items():
            if trained.axis == "frame":
                scores[name] = frame_auroc(gate, truth, audible, strata)
                precision[name] = pooled_precision(gate, truth, audible, strata)
            else:
                matters = truth.any(1)
                for layer in range(gate.shape[1]):
                    named, values_of_clips = f"{name} layer {layer + 1}", gate[:, layer]
                    scores[named] = clip_auroc(values_of_clips, truth, audible, strata)
                    precision[named] = pooled_precision(values_of_clips, matters, audible, strata)
    return GateReport(
        present_videos(data.split)[video],
        values,
        audible,
        truth,
        control,
        scores,
        precision,
        trained.axis,
    )


def frame_auroc(gate: Tensor, truth: Tensor, audible: Tensor, strata: list[str]) -> dict[str, float]:
    """AUROC of gates `(B, F)` against truth `(B, F)`, for every pool that has both kinds of frames."""
    result = {}
    for name, rows in pools(audible, strata).items():
        if 0 < int(truth[rows].sum()) < truth[rows].numel():
            result[name] = auroc(gate[rows].flatten(), truth[rows].flatten())
            clips = torch.arange(int(rows.sum())).repeat_interleave(gate.shape[1])
            result[f"within {name}"], _ = within_group_auroc(
                gate[rows].flatten(), truth[rows].flatten(), clips
            )
    return result


def clip_auroc(gate: Tensor, truth: Tensor, audible: Tensor, strata: list[str]) -> dict[str, float]:
    """AUROC of one gate per clip `(B,)` against "any frame matters", over all audible clips."""
    return {
        name: auroc(gate[rows], truth[rows].any(1))
        for name, rows in pools(audible, strata).items()
        if 0 < int(truth[rows].any(1).sum()) < len(truth[rows])
    }


def pooled_precision(gate: Tensor, truth: Tensor, audible: Tensor, strata: list[str]) -> dict[str, float]:
    """Average precision of gates `(B,)` or `(B, F)` against truth of that shape, per pool with both kinds.

    Beside it, under `share of POOL`, the share of the relevant: what gates without an order would reach.
    """
    result = {}
    for name, rows in pools(audible, strata).items():
        if 0 < int(truth[rows].sum()) < truth[rows].numel():
            result[name] = average_precision(gate[rows].flatten(), truth[rows].flatten())
            result[f"share of {name}"] = float(truth[rows].double().mean())
    return result


def pools(audible: Tensor, strata: list[str]) -> dict[str, Tensor]:
    """Rows of all audible clips, then of each stratum's audible clips, as masks `(B,)`."""
    names = [name for name in dict.fromkeys(strata)]
    masks = {name: torch.tensor([s == name for s in strata]) & audible for name in names}
    return {AUDIBLE: audible} | {name: mask for name, mask in masks.items() if mask.any()}
