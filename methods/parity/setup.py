"""What the checks of the methods share: a method from recorded weights, gradients, metrics."""

from collections.abc import Mapping
from unittest.mock import patch

import torch
from torch import Tensor, nn

from core.authors import renamed
from core.batch import Texts, Videos
from core.errors import BenchError
from core.evaluation.metrics import metrics_from_ranks
from core.evaluation.ranking import text_to_video, video_to_text
from core.evaluation.tie_policies import defined
from core.method import Dimensions, Losses, NoiseSource
from methods.composed import ComposedMethod
from methods.parity.golden import Golden
from methods.parity.narrowing import as_kind
from methods.parts.fusion.gate import GateFusion
from methods.parts.perturbation.base import Ball
from methods.released.captions import captions_by_slot


def build(
    golden: Golden,
    method: type[ComposedMethod],
    frames: Tensor,
    state: Mapping[str, Tensor],
    config: Mapping[str, object],
    audio_width: int | None = None,
) -> ComposedMethod:
    """A method for frames `(..., F, D)` with the recorded weights, in evaluation mode.

    Raises `BenchError` where the file's configuration or weights do not fit.
    """
    try:
        settings = method.Config.model_validate(dict(config))
    except ValueError as error:
        raise BenchError(f"{golden.path.name}: {' '.join(str(error).split())}") from error
    built = method(settings, Dimensions(frames.shape[-1], frames.shape[-2], audio_width))
    built.authors.load(built, state)
    return built.eval()


def texts_of(embeds: Tensor) -> Texts:
    """Texts `(N, D)`, keyed by their position."""
    return Texts(embeds, torch.arange(len(embeds)))


def videos_of(frames: Tensor, mask: Tensor | None = None, audio: Tensor | None = None) -> Videos:
    """Videos `(V, F, D)`, keyed by their position; without a mask all frames are real."""
    mask = torch.ones(frames.shape[:2], dtype=torch.bool) if mask is None else mask.bool()
    return Videos(frames, mask, torch.arange(len(frames)), audio)


def loss_under(method: ComposedMethod, noise: Tensor, texts: Texts, videos: Videos) -> Losses:
    """The loss of a batch whose noise `(B, 1, D)` was recorded, instead of drawn."""
    with patch.object(method.perturbation, "draw", lambda embeds, generator: noise):
        return method.loss(texts, videos, torch.Generator())


def loss_of(method: ComposedMethod, texts: Texts, videos: Videos) -> Tensor:
    """The loss of a batch of a method that draws no noise."""
    return method.loss(texts, videos, torch.Generator()).total


def similarities_of(method: ComposedMethod, texts: Tensor, videos: Videos) -> Tensor:
    """Training cosines `(B, B)` of texts `(B, D)`, of a method that draws no noise."""
    return method.training_similarities(texts[:, None], texts_of(texts), method.index(videos)).main


def gate_of(method: ComposedMethod) -> GateFusion:
    """The gate of GAID."""
    return as_kind(method.fusion, GateFusion)


def ball_of(method: ComposedMethod) -> Ball:
    """The perturbation of T-MASS and GAID."""
    return as_kind(method.perturbation, Ball)  # type: ignore[type-abstract]


def released_scores(
    method: ComposedMethod, texts: Texts, videos: Videos, pairing: Tensor, noise: NoiseSource
) -> Tensor:
    """What the authors' evaluation gives, by the modules; leak-free scores where it is clean."""
    index = method.index(videos)
    if method.released is None:
        return method.score(texts, index, noise)
    return method.released.score(texts, index, pairing, noise)


def compare_gradients(
    golden: Golden,
    prefix: str,
    method: ComposedMethod,
    inputs: Mapping[str, Tensor],
    required: tuple[str, ...],
    *,
    owner: str = "",
) -> None:
    """`compare_gradients_of` for a method, whose class knows the authors' names."""
    names = method.authors.names
    compare_gradients_of(golden, prefix, method, names, inputs, required, owner=owner)


def compare_gradients_of(
    golden: Golden,
    prefix: str,
    module: nn.Module,
    names: Mapping[str, str],
    inputs: Mapping[str, Tensor],
    required: tuple[str, ...],
    *,
    owner: str = "",
    atol: float | None = None,
) -> None:
    """Compares every recorded gradient under `prefix` with the one that backward left behind.

    `inputs` are tensors by their name in the file; all other names are parameters under the authors' key, to
    which `owner` is prepended; `names` maps the authors' prefixes to ours. Inputs, and at least one gradient
    that begins with each of `required`, must be there.
    """
    recorded = [name.removeprefix(prefix) for name in golden.names() if name.startswith(prefix)]
    missing = [key for key in (*inputs, *required) if not any(name.startswith(key) for name in recorded)]
    if missing:
        raise BenchError(f"{golden.path.name}: missing gradient '{prefix}{missing[0]}'")
    parameters = dict(module.named_parameters())
    for key in recorded:
        own = inputs.get(key)
        if own is None:
            own = parameters.get(renamed(owner + key, names) or "")
        if own is None:
            raise BenchError(f"{golden.path.name}: '{prefix}{key}' is the gradient of nothing here")
        golden.compare(prefix + key, torch.zeros_like(own) if own.grad is None else own.grad, atol=atol)


def grouped_scores(scores: Tensor, pairing: Tensor) -> Tensor:
    """Scores `(N, V)` by video and slot of each caption, `(V, slots, V)`; NaN where there is no caption."""
    _, table = captions_by_slot(pairing, scores.shape[1])
    rows = scores[table.T.clamp(min=0)]
    return rows.masked_fill((table.T < 0)[..., None], torch.nan)


def ungrouped(scores: Tensor, pairing: Tensor) -> Tensor:
    """Scores `(V, slots, V)` back to captions `(N, V)`."""
    slots, _ = captions_by_slot(pairing, scores.shape[2])
    return scores[pairing, slots]


def compare_tied_metrics(golden: Golden, prefix: str, scores: Tensor, pairing: Tensor) -> None:
    """Compares `{prefix}.{t2v,v2t}.{R1, ..., MedR, MeanR}` with the metrics of recorded scores `(N, V)`.

    Computed from the recorded scores, which are compared themselves, so that rounding cannot reorder near
    ties. Equal scores were sorted in an unknown order: any value that an order of theirs gives agrees.
    """
    for direction, rank in (("t2v", text_to_video), ("v2t", video_to_text)):
        records = rank(scores, pairing, tolerance=0.0, undefined="allow")
        counts, counted = records.counts, defined(records, "xpool")
        # the best and the worst rank that an order of equal scores can give
        first = (1 + counts.above + counts.undefined)[counted]
        bounds = (metric_values(first), metric_values(first + counts.equal[counted]))
        for name in bounds[0]:
            # a recall falls with the rank, a median rises
            low, high = sorted(bound[name] for bound in bounds)
            recorded = golden.input(f"{prefix}.{direction}.{name}")
            golden.compare(f"{prefix}.{direction}.{name}", recorded.clamp(low, high))


def metric_values(ranks: Tensor) -> dict[str, float]:
    """Metrics of ranks `(Q,)` under the authors' names."""
    metrics = metrics_from_ranks(ranks)
    values = {f"R{k}": recall for k, recall in metrics.recall.items()}
    return {**values, "MedR": metrics.median_rank, "MeanR": metrics.mean_rank}
